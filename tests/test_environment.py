"""One truth about versions: pyproject.toml, requirements.lock and environment.yml agree.

And what a learner is told where something is missing.
"""

import re
import subprocess
import sys
import tomllib
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from IPython.core.error import UsageError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import utils
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


REQUIRES = ["numpy<3,>=2.1", "torch<3,>=2.6", 'jupyterlab<5,>=4.4; extra == "lab"']
REQUIRES += ['ruff<1,>=0.9; extra == "dev"']
VERSIONS = {"numpy": "2.4.0", "torch": "2.13.0+cpu", "jupyterlab": "4.6.6"}


@pytest.fixture
def anywhere(monkeypatch, tmp_path):
    """anywhere(versions={…}, signs=[…], clone=…, prefix=…, address=…) sets up a place."""

    def set_up(versions=VERSIONS, signs=(), clone=False, prefix="/usr", address=ADDRESS):
        for _, sign in environment.HOSTS:
            monkeypatch.delenv(sign, raising=False)
        for sign in signs:
            monkeypatch.setenv(sign, "1")
        described = Message()
        described["Requires-Python"] = PROJECT["requires-python"]
        described["Project-URL"] = "Documentation, https://example.org"
        if address:
            described["Project-URL"] = f"Repository, {address}"
        monkeypatch.setattr(environment.metadata, "metadata", lambda name: described)
        monkeypatch.setattr(environment.metadata, "requires", lambda name: REQUIRES)
        monkeypatch.setattr(environment, "_installed", versions.get)
        monkeypatch.setattr(environment, "ROOT", tmp_path)
        monkeypatch.setattr(environment.sys, "prefix", str(prefix))
        monkeypatch.setattr(environment.shutil, "which", lambda name: name)
        if clone:
            (tmp_path / "pyproject.toml").touch()
        return tmp_path

    return set_up


ADDRESS = "https://github.com/ada/rnn-workbook"
ZIP = f'run `%pip install --upgrade "{ADDRESS}/archive/refs/heads/main.zip"`, then restart'


def test_the_doctor_finds_this_environment_healthy(capsys):
    if not environment._packages():
        pytest.skip("the workbook is not installed here")
    environment.check_environment()
    out = capsys.readouterr().out
    assert f"[ok]   torch {environment._installed('torch')}" in out
    assert "[ok]   python 3." in out
    assert "[fail]" not in out


def test_the_doctor_names_every_package(anywhere, capsys):
    anywhere(clone=True)
    environment.check_environment()
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\[ok\]   python 3\.\d+\.\d+", lines[0])
    assert lines[1:] == ["[ok]   numpy 2.4.0", "[ok]   torch 2.13.0+cpu", "[ok]   jupyterlab 4.6.6"]


def test_the_doctor_says_what_is_wrong_and_what_to_do(anywhere, capsys):
    anywhere({"numpy": "1.26.4"})
    environment.check_environment()
    out = capsys.readouterr().out
    assert "[fail] numpy 1.26.4: <3,>=2.1 is needed" in out
    assert "[fail] torch: not installed, <3,>=2.6 is needed" in out
    assert f"Something is missing. {environment.advice()}" in out


def test_what_opens_the_lessons_is_only_asked_for_beside_the_workbooks_folder(anywhere, capsys):
    versions = {"numpy": "2.4.0", "torch": "2.13.0"}
    anywhere(versions)
    environment.check_environment()
    assert "[fail]" not in capsys.readouterr().out
    anywhere(versions, clone=True)
    environment.check_environment()
    assert "[fail] jupyterlab: not installed" in capsys.readouterr().out


def test_the_doctor_where_the_workbook_was_never_installed(anywhere, capsys, monkeypatch):
    anywhere()

    def none(name):
        raise environment.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.metadata, "metadata", none)
    monkeypatch.setattr(environment.metadata, "requires", none)
    environment.check_environment()
    out = capsys.readouterr().out
    assert out.startswith("[fail] rnn-workbook: not installed\n\nSomething is missing. Install")
    environment.ready(utils.__version__)  # can be imported all the same


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        (["COLAB_RELEASE_TAG"], f"{ZIP} the session (in the menu Runtime)."),
        (["KAGGLE_KERNEL_RUN_TYPE", "COLAB_RELEASE_TAG"], "Switch Internet on in the notebook's"),
        (["KAGGLE_KERNEL_RUN_TYPE"], f"{ZIP} the session."),
        (["BINDER_REPO_URL", "JUPYTERHUB_USER"], "open the workbook's Binder link again"),
        (["CODESPACES"], "Rebuild Container"),
        (["JUPYTERHUB_USER"], "Tell whoever runs this server."),
        ([], f"{ZIP} the kernel."),
    ],
)
def test_each_place_has_its_advice(anywhere, signs, words):
    anywhere(signs=signs)
    assert words in environment.advice()


def test_in_the_workbooks_folder_the_advice_is_how_it_was_set_up(anywhere, tmp_path):
    anywhere(clone=True, prefix=tmp_path / ".venv")
    assert environment.advice() == "Close JupyterLab and start it with `make lab`."
    anywhere(clone=True)
    lock = tmp_path / "requirements.lock"
    assert f'%pip install -c "{lock}" -e "{tmp_path}[lab]"' in environment.advice()
    (tmp_path / "conda" / "conda-meta").mkdir(parents=True)
    anywhere(clone=True, prefix=tmp_path / "conda")
    assert "conda env update -f environment.yml" in environment.advice()


def test_where_there_is_no_make_the_advice_does_without(anywhere, tmp_path, monkeypatch):
    anywhere(clone=True, prefix=tmp_path / ".venv")
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    assert "%pip install" in environment.advice()


@pytest.mark.parametrize("address", [None, "https://github.com/OWNER/rnn-workbook"])
def test_without_an_address_nothing_is_fetched(anywhere, address):
    anywhere(address=address)
    assert environment.advice() == (
        "Install the workbook again, as its README says, then restart the kernel."
    )


@pytest.mark.parametrize(
    ("versions", "version", "words"),
    [
        ({"numpy": "2.4.0"}, "0.1.0", "Not installed here: torch. "),
        (VERSIONS, "99.0.0", r"is of version 99.0.0, the workbook's tools are "),
    ],
)
def test_a_notebook_that_cannot_run_here_hears_why(anywhere, versions, version, words):
    anywhere(versions)
    with pytest.raises(UsageError, match=words):
        environment.ready(version)


def test_a_notebook_that_can_run_here_hears_nothing(anywhere, capsys):
    anywhere()
    for version in ("0.0.9", utils.__version__):
        environment.ready(version)
    assert capsys.readouterr().out == ""


def test_the_maths_needs_numpy_only():
    code = """
import sys
import utils, utils.cell, utils.data, utils.loss, utils.unroll
import utils.checks
print({"torch", "matplotlib", "IPython"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
