"""One truth about versions: pyproject.toml, requirements.lock and environment.yml agree."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from utils import environment

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
LOCK = [
    Requirement(line)
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [Requirement(text) for text in [*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["dev"]]]


def pinned(name):
    (found,) = [r for r in LOCK if r.name == name]
    (specifier,) = found.specifier
    assert specifier.operator == "=="
    return specifier.version


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda r: r.name)
def test_the_lock_is_within_the_ranges(requirement):
    assert requirement.specifier.contains(pinned(requirement.name))


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda r: r.name)
def test_every_range_has_two_ends(requirement):
    assert {s.operator for s in requirement.specifier} == {">=", "<"} or requirement.name in (
        "packaging",  # versioned by year
    )


def test_every_line_of_the_lock_is_one_exact_version():
    assert len({r.name for r in LOCK}) == len(LOCK)
    for requirement in LOCK:
        assert [s.operator for s in requirement.specifier] == ["=="]
    assert pinned("torch") == "2.13.0"
    assert not [r.name for r in LOCK if r.name.startswith(("nvidia", "cuda", "triton"))]


def test_this_environment_is_the_locked_one():
    freeze = subprocess.run(
        [sys.executable, "-m", "pip", "freeze"], capture_output=True, text=True, check=True
    )
    installed = dict(line.split("==") for line in freeze.stdout.splitlines() if "==" in line)
    installed = {name.lower().replace("_", "-"): v for name, v in installed.items()}
    for requirement in DIRECT:
        assert installed[requirement.name].split("+")[0] == pinned(requirement.name)


def closure(requirements):
    """The names of all packages that these bring, as they say of themselves where installed."""
    todo, seen = [Requirement(text) for text in requirements], {}
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), {"", *requirement.extras}
        new = extras - seen.get(name, set())
        seen[name] = extras | seen.get(name, set())
        for needed in map(Requirement, (new and metadata.requires(name)) or ()):
            if not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in new):
                todo.append(needed)
    return set(seen)


@pytest.mark.parametrize("extras", [["lab"], ["lab", "dev"]], ids=["make lab", "make test"])
def test_all_that_is_installed_is_in_the_lock(extras):
    requirements = [*PROJECT["dependencies"], *(r for extra in extras for r in EXTRAS[extra])]
    locked = {canonicalize_name(r.name) for r in LOCK}
    cuda = {name for name in closure(requirements) if name.startswith(("nvidia", "cuda", "triton"))}
    assert closure(requirements) - cuda <= locked


def test_make_lab_installs_no_tests_and_make_test_all_that_is_in_the_lock():
    here = {canonicalize_name(r.name) for r in LOCK if not r.marker or r.marker.evaluate()}
    learner = closure([*PROJECT["dependencies"], *EXTRAS["lab"]])
    assert {"numpy", "torch", "jupyterlab", "ipywidgets"} <= learner
    assert not learner & {"pytest", "sphinx", "ruff", "playwright", "jupytext"}
    assert here <= learner | closure(EXTRAS["dev"])


def test_the_conda_way_is_the_same_set():
    python, pip, from_pip = CONDA["dependencies"]
    assert Requirement(python) == Requirement("python" + PROJECT["requires-python"])
    assert pip == "pip"
    assert CONDA["name"] == PROJECT["name"]
    assert from_pip["pip"][1:] == ["-c requirements.lock", "-e .[lab]"]


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "docs/grading.md",
        "docs/nbgrader.md",
        ".github/workflows/test.yml",
        "deploy/jupyterhub/install.sh",
        "deploy/jupyterhub/kubernetes/Dockerfile",
    ],
)
def test_whoever_installs_the_workbook_takes_the_locked_versions(file):
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if re.search(r"\.\[\w+(,\w+)*\]", line)]
    assert lines
    for line in lines:
        assert "-c requirements.lock" in line


def test_the_doctor(capsys, monkeypatch):
    environment.check_environment()
    out = capsys.readouterr().out
    assert f"[ok]   torch {environment._installed('torch')}" in out
    assert "[ok]   python 3." in out
    assert "[fail]" not in out

    versions = {"numpy": "1.26.4", "torch": None}
    real = environment._installed
    monkeypatch.setattr(environment, "_installed", lambda name: versions.get(name, real(name)))
    environment.check_environment()
    out = capsys.readouterr().out
    assert "[fail] numpy 1.26.4: <3,>=2.1 is needed" in out
    assert "[fail] torch: not installed, <3,>=2.6 is needed" in out
    assert "make lab" in out


def test_the_maths_needs_numpy_only():
    code = """
import sys
import utils, utils.cell, utils.data, utils.loss, utils.unroll
import utils.checks
print({"torch", "matplotlib", "IPython"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
