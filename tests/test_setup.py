"""The set-up of the Makefile, as far as it can be tried without installing."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from utils.authoring.build import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("make"), reason="needs make"
)


@pytest.fixture
def clone(tmp_path):
    """An empty folder with what the set-up needs, and no .venv."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make_lab(clone, script):
    python = clone / "fake_python"
    python.write_text(script)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    command = ["make", "lab", f"PYTHON={python}"]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True)


def said(done):
    """What was printed but for make's own closing line."""
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if not line.startswith("make")]


def test_no_venv_module(clone):
    fails = 'case "$*" in *ensurepip*) exit 1;; esac'
    done = make_lab(clone, f'#!/bin/sh\n{fails}\nexec {sys.executable} "$@"\n')
    assert done.returncode != 0
    (line,) = said(done)
    assert "apt install python3-venv" in line


def test_an_old_python(clone):
    pretend = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])"
    done = make_lab(clone, f"#!/bin/sh\nexec {sys.executable} -c '{pretend}' \"$2\"\n")
    assert done.returncode != 0
    (line,) = said(done)
    assert "Python 3.11 to 3.14 is needed" in line
    assert "is 3.9" in line


def test_no_python_at_all(clone):
    command = ["make", "lab", "PYTHON=no-such-python"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Python 3.11 to 3.14 is needed" in " ".join(said(done))


def ready(clone, place=None):
    """A .venv as if the set-up had been done, and done in this place."""
    folder = clone / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "pip").write_text(f"#!{(place or clone).resolve()}/.venv/bin/python3\n")
    (folder / "python").write_text("#!/bin/sh\n")
    (folder / "python").chmod(0o755)
    for stamp in (".lab", ".dev"):
        (clone / ".venv" / stamp).touch()


def would_do(clone, *command):
    command = ["make", "--dry-run", "--no-print-directory", *command]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True).stdout


def test_options_reach_jupyterlab(clone):
    ready(clone)
    said = would_do(clone, "lab", "ARGS=--no-browser --port 8890")
    assert said.strip().endswith("python -m utils.lab --no-browser --port 8890")


def test_a_learner_installs_no_tests(clone):
    assert '".[lab]"' in would_do(clone, "lab")
    assert '".[lab,dev]"' not in would_do(clone, "lab")
    assert '".[lab,dev]"' in would_do(clone, "lint")


def test_what_is_ready_is_not_set_up_again(clone):
    ready(clone)
    for command in ("lab", "lint"):
        assert "install" not in would_do(clone, command)


@pytest.mark.parametrize("change", ["moved", "no Python"])
def test_an_environment_that_cannot_work_is_made_again(clone, change):
    ready(clone, clone / "elsewhere" if change == "moved" else clone)
    if change == "no Python":
        (clone / ".venv" / "bin" / "python").unlink()
    for command in ("lab", "lint"):
        assert "-m venv --clear .venv" in would_do(clone, command)


def test_a_change_of_versions_is_installed_into_what_is_there(clone):
    ready(clone)
    stamp = (clone / ".venv" / ".lab").stat().st_mtime
    os.utime(clone / "requirements.lock", (stamp + 10, stamp + 10))
    said = would_do(clone, "lint")
    assert '".[lab]"' in said
    assert '".[lab,dev]"' in said
    assert "venv --clear" not in said
