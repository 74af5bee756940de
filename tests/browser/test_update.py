"""`make lab`, work in the browser with autosave, a change upstream, `git pull`, `make lab`."""

import json
import shutil
import time

import pytest

from tests.browser.lab import Lab, Notebook
from tests.test_lab import git, status
from utils.authoring.build import ROOT

LESSON = "00_start_here.ipynb"
AUTOSAVE = "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings"

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@pytest.fixture
def upstream(tmp_path):
    """A repository with the workbook as it lies here."""
    upstream = tmp_path / "upstream"
    ignored = shutil.ignore_patterns(".*", "__pycache__")
    for folder in ("notebooks", "solutions", "utils"):
        shutil.copytree(ROOT / folder, upstream / folder, ignore=ignored)
    for file in ("Makefile", ".gitignore", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / file, upstream)
    git(upstream, "init", "--quiet")
    git(upstream, "add", "--all")
    git(upstream, "commit", "--quiet", "--message", "The workbook")
    return upstream


@pytest.fixture
def clone(tmp_path, upstream):
    git(tmp_path, "clone", "--quiet", "upstream", "clone")
    return tmp_path / "clone"


@pytest.fixture
def lab(tmp_path, clone):
    """In place of the one that all other tests share."""
    lab = Lab(tmp_path, clone)
    yield lab
    lab.stop()


def change(upstream, name):
    """Another title for a lesson."""
    path = upstream / "notebooks" / name
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][0]["source"] = "# Another title"
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_an_update_meets_nobodys_work(lab, page, clone, upstream):
    autosave = lab.settings / AUTOSAVE
    autosave.parent.mkdir(parents=True)
    autosave.write_text('{"autosaveInterval": 1}')
    page.goto(lab.url)
    page.wait_for_url(f"{lab.url}/lab/tree/my-notebooks/{LESSON}")
    notebook = Notebook(page, lab, f"my-notebooks/{LESSON}")
    assert page.get_by_text("Jupyter news").count() == 0
    notebook.cell("exercise-add-bias").locator(".cm-content").click()
    for key in ("Control+End", "Enter"):
        page.keyboard.press(key)
    page.keyboard.type("# my own line")
    page.keyboard.press("Shift+Enter")
    mine = clone / "my-notebooks" / LESSON
    until = time.monotonic() + 60
    while "# my own line" not in mine.read_text(encoding="utf-8"):  # nobody presses Save
        assert time.monotonic() < until, "JupyterLab did not save by itself"
        page.wait_for_timeout(3000)
        page.keyboard.press("Shift+Enter")  # what is typed during a save waits for the next change
    Notebook(page, lab, f"solutions/{LESSON}")  # can be reached, and is not saved
    page.wait_for_timeout(5000)
    assert page.get_by_role("dialog").count() == 0
    assert status(clone) == ""

    for name in (LESSON, "01_rnn_cell.ipynb"):
        change(upstream, name)
    git(upstream, "commit", "--quiet", "--all", "--message", "Other titles")
    git(clone, "pull", "--quiet")
    lab.stop()
    lab.start()
    beside = "my-notebooks/00_start_here-new.ipynb"
    assert f"{beside}: a new version of {LESSON}" in lab.log.read_text()
    assert "# my own line" in mine.read_text(encoding="utf-8")
    assert "# Another title" in (mine.with_name("01_rnn_cell.ipynb")).read_text(encoding="utf-8")
    assert Notebook(page, lab, beside).cells()[0]["source"] == "# Another title"
    assert status(clone) == ""
