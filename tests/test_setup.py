"""The set-up of the Makefile, as far as it can be tried without installing."""

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


def test_options_reach_jupyterlab(clone):
    ready = clone / ".venv" / ".ready"
    ready.parent.mkdir()
    ready.touch()
    command = ["make", "--dry-run", "lab", "ARGS=--no-browser --port 8890"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True)
    assert "--no-browser --port 8890" in done.stdout
    assert "notebooks/00_start_here.ipynb" in done.stdout
