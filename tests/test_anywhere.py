"""A lesson that is opened alone: its first code cell in a real kernel, the links, the wheel."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from copy import deepcopy

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.specifiers import SpecifierSet

import utils
from tests.wheel import build_wheel
from utils.authoring import anywhere, book, grade_cells, slides
from utils.authoring.build import ROOT, load, registry
from utils.authoring.source import Lesson, parse
from utils.environment import installable

NOWHERE = anywhere.Project(utils.__version__, "https://github.com/OWNER/rnn-workbook")
GITHUB = NOWHERE._replace(repository="https://github.com/ada/rnn-workbook")
ZIP = "https://github.com/ada/rnn-workbook/archive/refs/heads/main.zip"


# What it says, in a real kernel

HIDE = """\
import sys
sys.path[:] = [place for place in sys.path if place != {root!r}]
sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in repr(finder)]"""


def run_all(folder, project=NOWHERE, before="pass", found=True):
    """(what the first cell printed and showed, whether the cell after it was reached).

    `found`: whether the workbook's tools can be imported; `before` is run ahead of the cell.
    """
    prepare = before if found else HIDE.format(root=str(ROOT)) + "\n" + before
    sources = (prepare, anywhere.first_cell(project), "reached = True")
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    env = os.environ | {"PYTHONPATH": str(ROOT) if found else "", "RNN_WORKBOOK_STATE": ""}
    client = NotebookClient(
        notebook,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],
        timeout=60,
    )
    error = None
    try:
        client.execute(env=env)
    except CellExecutionError as caught:
        error = caught
    _, first, after = notebook.cells
    assert (error is None) == (after.execution_count is not None)
    if error:
        assert error.ename == "UsageError"
        assert not [o for o in first.outputs if o.output_type == "error"]  # with its traceback
    said = "".join(output.text for output in first.outputs)
    assert "Traceback" not in said
    return said, after.execution_count is not None


def test_where_all_is_well_nothing_is_printed_and_the_lesson_goes_on(tmp_path):
    assert run_all(tmp_path) == ("", True)


def test_without_an_address_it_says_where_to_start(tmp_path):
    assert run_all(tmp_path, found=False) == (f"UsageError: {anywhere.NOT_HERE}\n", False)


def test_where_nothing_can_be_fetched_it_says_so(tmp_path):
    missing = NOWHERE._replace(repository=str(tmp_path / "no.whl"))
    said, reached = run_all(tmp_path, missing, found=False)
    assert said.endswith(f"UsageError: {anywhere.NOT_FETCHED}\n")
    assert not reached


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("utils.py", "def helper(): ..."),
        ("utils.py", "def helper(:"),
        ("utils/__init__.py", "import no_such_package"),
        ("utils/helper.py", ""),  # a folder without __init__.py
    ],
)
def test_another_utils_in_the_way_is_named_by_its_path(tmp_path, path, text):
    """And nothing is fetched over somebody else's package."""
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    said, reached = run_all(tmp_path, GITHUB, found=False)
    (line,) = said.splitlines()
    shown = file.parent if path == "utils/helper.py" else file
    assert line.startswith(f"UsageError: Another utils is in the way: {shown}. Rename it")
    assert not reached


def test_a_damaged_copy_of_the_tools_is_named_by_its_path(tmp_path):
    (tmp_path / "utils").mkdir()
    shutil.copy(ROOT / "utils" / "__init__.py", tmp_path / "utils")
    said, reached = run_all(tmp_path, found=False)
    assert str(tmp_path / "utils" / "__init__.py") in said
    assert not reached


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("environment._packages = lambda: ['numpy', 'no-such-thing']", "installed here: no-such-t"),
        ("environment.__version__ = '0.0.9'", "the workbook's tools are 0.0.9"),
    ],
)
def test_tools_that_are_not_enough_say_what_is_missing(tmp_path, change, words):
    said, reached = run_all(tmp_path, before=f"from utils import environment\n{change}")
    (line,) = said.splitlines()
    assert words in line
    assert not reached


# The cell in the notebooks, and what readers see of it


@pytest.mark.parametrize("project", [NOWHERE, GITHUB], ids=["placeholder", "address"])
def test_the_cell_is_short_and_begins_with_what_it_does(project):
    lines = anywhere.first_cell(project).split("\n")
    assert lines[0].startswith("# Finds the workbook's tools")
    assert len(list(filter(None, lines))) <= 13
    assert max(map(len, lines)) <= 106
    assert ("fetches" in lines[0]) == (project is GITHUB)
    assert [line for line in lines if "pip" in line] == (
        [f'    %pip install --quiet "{ZIP}"'] if project is GITHUB else []
    )


@pytest.mark.parametrize("project", [NOWHERE, GITHUB], ids=["placeholder", "address"])
def test_build_and_grader_read_the_cell(project):
    source = anywhere.first_cell(project)
    parse(source, "the cell")
    statements, broken = grade_cells.read([(1, source)])
    assert statements
    assert not broken


def test_what_is_installed_follows_the_address():
    assert installable(NOWHERE.repository) is None
    assert installable("") is installable(None) is None
    assert installable(GITHUB.repository) == installable(GITHUB.repository + ".git") == ZIP
    for other in ("https://example.org/rnn.whl", "file://localhost/srv/class/rnn.whl"):
        assert installable(other) == other


def notebooks():
    """The two notebooks of a lesson of three cells."""
    cells = [new_markdown_cell("# T\n\ntext"), new_markdown_cell("more"), new_code_cell("x = 1")]
    return Lesson(*(new_notebook(cells=deepcopy(cells)) for _ in range(2)), {})


def test_it_is_the_first_code_cell_of_both_notebooks_with_an_id_that_stays():
    for project in (NOWHERE, GITHUB):
        made = anywhere.complete(notebooks(), "01_rnn_cell", project)
        for notebook in (made.learner, made.solved):
            assert [cell.id for cell in notebook.cells if cell.cell_type == "code"][:1] == ["start"]
            assert notebook.cells[2].source == anywhere.first_cell(project)
            assert len(notebook.cells) == 4


def test_a_folder_of_lessons_without_a_project_stays_as_it_is(tmp_path):
    assert anywhere.project(tmp_path) is None
    made = anywhere.complete(notebooks(), "01_rnn_cell", None)
    assert len(made.learner.cells) == len(made.solved.cells) == 3


def test_this_workbooks_lessons_have_it():
    lesson = load(ROOT, "01_rnn_cell", registry())
    assert anywhere.project(ROOT).version == utils.__version__
    for notebook in (lesson.learner, lesson.solved):
        (cell,) = filter(anywhere.is_first, notebook.cells)
        assert cell.source == anywhere.first_cell(anywhere.project(ROOT))


def test_book_and_slides_leave_it_out():
    made = anywhere.complete(notebooks(), "01_rnn_cell", GITHUB)
    page = book.lesson_page("01_rnn_cell", made.learner, made.solved)
    assert [cell.source for cell in page.cells if cell.cell_type == "code"] == ["x = 1"]
    made.solved.cells.append(new_markdown_cell("## A section · 1 minute"))
    made.solved.cells.append(new_code_cell("y = 2"))
    shown = slides.read_cells(made.solved).slides()
    html = "".join(slide.html() for section in shown for slide in section)
    assert "find_spec" not in html
    assert "x" not in re.sub("<.*?>", "", html)  # the cell of the imports, still left out
    assert "y" in re.sub("<.*?>", "", html)


# Links


def test_without_an_address_there_are_no_links():
    made = anywhere.complete(notebooks(), "01_rnn_cell", NOWHERE)
    assert made.learner.cells[0].source == "# T\n\ntext"
    text = f"# R\n{anywhere.BEGIN}\nold\n{anywhere.END}\nrest"
    assert anywhere.readme(text, NOWHERE.repository) == text.replace("old\n", "")
    for other in ("file://localhost/srv/class/rnn.whl", "https://example.org/rnn-workbook"):
        assert anywhere.links(other, "01_rnn_cell") == ""


def test_with_an_address_the_learners_notebook_opens_anywhere():
    made = anywhere.complete(notebooks(), "01_rnn_cell", GITHUB)
    title, line, text = made.learner.cells[0].source.split("\n\n")
    assert (title, text) == ("# T", "text")
    assert re.findall(r"\((.*?)\)", line) == [
        "https://colab.research.google.com/github/ada/rnn-workbook/blob/main/notebooks/01_rnn_cell.ipynb",
        "https://mybinder.org/v2/gh/ada/rnn-workbook/main?urlpath=lab/tree/notebooks/01_rnn_cell.ipynb",
        "https://codespaces.new/ada/rnn-workbook",
    ]
    assert "![" not in line  # an image would be asked for at another address
    assert made.solved.cells[0].source == "# T\n\ntext"


def test_the_readme_gets_links_to_the_first_lesson_and_loses_them_again():
    text = f"# R\n{anywhere.BEGIN}\n{anywhere.END}\nrest"
    linked = anywhere.readme(text, GITHUB.repository)
    assert "notebooks/00_start_here.ipynb" in linked
    assert anywhere.readme(linked, GITHUB.repository) == linked
    assert anywhere.readme(linked, NOWHERE.repository) == text
    with pytest.raises(ValueError, match="no lines"):
        anywhere.readme("# R", GITHUB.repository)


def test_this_readme_is_in_step_with_the_address():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert anywhere.readme(text, anywhere.project(ROOT).repository) == text, "run `make build`"


# The places where it opens

CODESPACE = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_a_codespace_is_set_up_by_make_lab():
    """With --version it ends after the set-up, having handed out the lessons."""
    command = CODESPACE["onCreateCommand"].split()
    assert command[:2] == ["make", "lab"]
    assert subprocess.run([*command, "--dry-run"], cwd=ROOT, capture_output=True).returncode == 0
    python = CODESPACE["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert python.endswith("/.venv/bin/python")
    (first,) = CODESPACE["customizations"]["codespaces"]["openFiles"]
    assert (ROOT / first.replace("my-notebooks/", "notebooks/")).is_file()
    version = CODESPACE["image"].rpartition(":")[2]
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert SpecifierSet(pyproject["project"]["requires-python"]).contains(version)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script, for Linux")
def test_binder_is_set_as_make_lab_sets_it(tmp_path):
    """The script is run, with an empty environment for conda's."""
    assert os.access(ROOT / "postBuild", os.X_OK)
    assert not (ROOT / "binder").exists()  # would take the place of what is in the root
    assert not (ROOT / ".binder").exists()
    (tmp_path / "bin").mkdir()
    jupyter = tmp_path / "bin" / "jupyter"
    jupyter.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/asked"\n')
    jupyter.chmod(0o755)
    env = {"PATH": f"{jupyter.parent}:/usr/bin:/bin", "NB_PYTHON_PREFIX": str(tmp_path)}
    subprocess.run([ROOT / "postBuild"], cwd=tmp_path, env=env, check=True)
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("labextension disable")
    assert "apputils-extension:announcements" in asked
    (activated,) = (tmp_path / "etc" / "conda" / "activate.d").iterdir()
    shown = subprocess.run(
        ["sh", "-c", f'. "{activated}"; env'], env={}, capture_output=True, text=True, check=True
    ).stdout
    threads = {f"{name}={value}" for name, value in CODESPACE["containerEnv"].items()}
    assert threads == {"OPENBLAS_NUM_THREADS=1"}
    assert threads <= set(shown.splitlines())


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.mark.xdist_group("wheel")
def test_the_wheel_has_all_of_utils_but_authoring(wheel):
    files = {path for path in (ROOT / "utils").rglob("*") if path.is_file()}
    files = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    names = zipfile.ZipFile(wheel).namelist()
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == {name for name in files if not name.startswith("utils/authoring/")}


@pytest.mark.xdist_group("wheel")
def test_every_module_of_the_wheel_imports_with_what_the_lessons_need(wheel):
    """Without the extras: their packages are made impossible to import."""
    code = """
import importlib, re, sys, zipfile
from importlib import metadata
from pathlib import Path

sys.path.insert(0, sys.argv[1])
sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in repr(finder)]
(dist,) = metadata.distributions(name="rnn-workbook", path=[sys.argv[1]])
extras = [re.match(r"[\\w.-]+", r)[0] for r in dist.requires if "extra ==" in r]
banned = {n.replace("-", "_") for n in extras} | {"bs4", "markdown_it", "yaml"}
banned -= {"pygments", "psutil"}  # which IPython and its kernel bring

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in banned:
            raise ImportError(f"{name} is of an extra")

sys.meta_path.insert(0, Refuse())
names = [n for n in zipfile.ZipFile(sys.argv[1]).namelist() if n.endswith(".py")]
for name in names:
    name = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    module = importlib.import_module(name)
    assert sys.argv[1] in module.__file__, module.__file__
print(len(names))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(wheel)], cwd=wheel.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
