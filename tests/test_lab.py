"""`python -m utils.lab`: one's own copies of the lessons, and updates by git that never conflict.

With JupyterLab and its autosave it is tried in tests/browser/test_update.py.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyterlab import commands
from jupyterlab.labapp import LabApp

from tests.test_hand_out import notebook, texts
from utils import lab

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")
OLD, NEW = notebook("# Lesson", "x = 1"), notebook("# Lesson, better", "x = 1")
MINE = notebook("# Lesson", "x = 1", "my = 'answer'")
PERSON = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "core.autocrlf=false")


def git(folder, *command, check=True):
    command = ["git", *PERSON, *command]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=check)


def commit(folder, **files):
    """Write notebooks/a.ipynb and so on (None: remove), and commit all."""
    for name, text in files.items():
        path = folder / "notebooks" / f"{name}.ipynb"
        path.write_text(text) if text else path.unlink()
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A version")


@pytest.fixture
def upstream(tmp_path):
    upstream = tmp_path / "upstream"
    for folder in ("notebooks", "solutions", "utils/authoring"):
        (upstream / folder).mkdir(parents=True)
    (upstream / ".gitignore").write_text("my-notebooks/\n")
    (upstream / "solutions" / "a.py").write_text("# %%\nx = 1\n")
    (upstream / "solutions" / "a.ipynb").write_text(notebook("# Solved", "x = 1", ran=True))
    git(upstream, "init", "--quiet")
    commit(upstream, a=OLD, b=OLD)
    return upstream


@pytest.fixture
def clone(tmp_path, upstream):
    git(tmp_path, "clone", "--quiet", "upstream", "clone")
    return tmp_path / "clone"


def mine(clone):
    return texts(clone / "my-notebooks")


def status(clone):
    return git(clone, "status", "--porcelain").stdout


def test_the_first_time(clone):
    (line,) = lab.bring_up_to_date(clone)
    assert "my-notebooks/" in line
    assert mine(clone) == {"a.ipynb": OLD, "b.ipynb": OLD}
    assert lab.bring_up_to_date(clone) == []
    assert status(clone) == ""


def test_a_pull_after_work_never_conflicts(clone, upstream):
    lab.bring_up_to_date(clone)
    copies = clone / "my-notebooks"
    (copies / "a.ipynb").write_text(MINE)
    (copies / "b.ipynb").write_text(notebook("# Lesson", "x = 1", ran=True))
    commit(upstream, a=NEW, b=NEW, c=NEW)
    assert status(clone) == ""
    git(clone, "pull", "--quiet")
    (line,) = lab.bring_up_to_date(clone)
    assert line.startswith("my-notebooks/a-new.ipynb: a new version of a.ipynb")
    assert mine(clone) == {"a.ipynb": MINE, "a-new.ipynb": NEW, "b.ipynb": NEW, "c.ipynb": NEW}
    assert status(clone) == ""
    assert lab.bring_up_to_date(clone) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the words for Windows are others")
@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_from_version_0_1_by_the_words_of(page, clone, upstream):
    """Who has worked in notebooks/ takes them along; a lesson has another name, one is new."""
    text = (lab.ROOT / page).read_text(encoding="utf-8")
    words = re.search(r"(cp -r notebooks .*) && make lab\b", text)[1]
    (clone / "notebooks" / "a.ipynb").write_text(MINE)
    (clone / "solutions" / "a.ipynb").write_text(MINE)  # and there, with which git is as strict
    (upstream / "solutions" / "a.ipynb").write_text(NEW)
    commit(upstream, a=NEW, b=None, c=OLD, d=NEW)
    assert git(clone, "pull", "--quiet", check=False).returncode  # git refuses
    assert (clone / "notebooks" / "a.ipynb").read_text() == MINE

    subprocess.run(words, shell=True, cwd=clone, check=True, capture_output=True)
    (line,) = lab.bring_up_to_date(clone)  # which `make lab` does
    assert line.startswith("my-notebooks/a-new.ipynb: ")
    names = {"a.ipynb": MINE, "a-new.ipynb": NEW, "b.ipynb": OLD, "c.ipynb": OLD, "d.ipynb": NEW}
    assert mine(clone) == names
    assert status(clone) == ""
    assert git(clone, "show", "stash@{0}:solutions/a.ipynb").stdout == MINE


def test_an_untouched_copy_of_an_old_version_is_renewed(clone, upstream):
    shutil.copytree(clone / "notebooks", clone / "my-notebooks")
    (clone / "my-notebooks" / "b.ipynb").write_text(notebook("# Lesson", "x = 1", ran=True))
    for version in ("2", "3"):
        commit(upstream, a=notebook(version), b=notebook(version))
    git(clone, "pull", "--quiet")
    assert lab.bring_up_to_date(clone) == []
    assert mine(clone) == {"a.ipynb": notebook("3"), "b.ipynb": notebook("3")}


@pytest.mark.parametrize("before", [True, False], ids=["later", "at once"])
def test_what_was_changed_in_place_is_carried_over(clone, upstream, before):
    if before:
        lab.bring_up_to_date(clone)
    (clone / "notebooks" / "a.ipynb").write_text(MINE)
    (clone / "notebooks" / "b.ipynb").write_text(notebook("# Lesson", "x = 1", ran=True))
    *_, line, advice = lab.bring_up_to_date(clone)
    assert line.startswith("my-notebooks/a.ipynb: what you changed in notebooks/a.ipynb.")
    assert mine(clone) == {"a.ipynb": MINE, "b.ipynb": OLD}
    assert (clone / "notebooks" / "a.ipynb").read_text() == MINE
    assert lab.bring_up_to_date(clone) == []

    git(clone, *advice.split("`")[1].split()[1:])
    commit(upstream, a=NEW)
    git(clone, "pull", "--quiet")
    lab.bring_up_to_date(clone)
    assert mine(clone) == {"a.ipynb": MINE, "a-new.ipynb": NEW, "b.ipynb": OLD}


def test_what_was_changed_in_both_places_is_kept_twice(clone):
    lab.bring_up_to_date(clone)
    other = notebook("# Lesson", "x = 1", "another = 'answer'")
    (clone / "notebooks" / "a.ipynb").write_text(MINE)
    (clone / "my-notebooks" / "a.ipynb").write_text(other)
    line, _ = lab.bring_up_to_date(clone)
    assert line.startswith("my-notebooks/a-mine.ipynb: ")
    assert mine(clone) == {"a.ipynb": other, "a-mine.ipynb": MINE, "b.ipynb": OLD}


def test_an_author_gets_what_was_built(clone):
    lab.bring_up_to_date(clone)
    (clone / "solutions" / "a.py").write_text("# %%\nx = 2\n")
    (clone / "notebooks" / "a.ipynb").write_text(NEW)
    assert lab.bring_up_to_date(clone) == []
    assert mine(clone) == {"a.ipynb": NEW, "b.ipynb": OLD}


def test_a_conflict_does_not_become_a_lesson(clone, upstream):
    """After `git stash`, `git pull`, `git stash pop`; git keeps the work in the stash."""
    (clone / "notebooks" / "a.ipynb").write_text(MINE)
    commit(upstream, a=NEW)
    git(clone, "stash")
    git(clone, "pull", "--quiet")
    assert git(clone, "stash", "pop", check=False).returncode
    assert "<<<<<<<" in (clone / "notebooks" / "a.ipynb").read_text()
    lab.bring_up_to_date(clone)
    assert mine(clone) == {"a.ipynb": NEW, "b.ipynb": OLD}


def test_without_git_the_lessons_are_as_they_lie_there(clone, monkeypatch):
    shutil.rmtree(clone / ".git", ignore_errors=True)
    monkeypatch.setenv("PATH", "")
    (clone / "notebooks" / "a.ipynb").write_text(NEW)
    lab.bring_up_to_date(clone)
    assert mine(clone) == {"a.ipynb": NEW, "b.ipynb": OLD}


# Starting JupyterLab


@pytest.fixture
def started(clone, monkeypatch):
    """What JupyterLab is started with: (options, folder, threads); the process is as before."""
    started = []

    def launch_instance(argv):
        started.append((argv, os.getcwd(), [os.environ[name] for name in lab.THREADS]))

    monkeypatch.setattr(LabApp, "launch_instance", launch_instance)
    monkeypatch.setattr(commands, "disable_extension", lambda name: None)
    monkeypatch.setattr(FileContentsManager, "is_writable", FileContentsManager.is_writable)
    monkeypatch.chdir(os.getcwd())  # and back
    for name in lab.THREADS:
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)
    return started


def test_jupyterlab_opens_in_the_workbooks_folder_on_ones_own_first_lesson(
    clone, started, monkeypatch, capsys
):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")  # somebody's wish
    monkeypatch.setattr(os, "getuid", lambda: 0, raising=False)
    assert lab.main(["--no-browser"], clone) is None
    ((options, folder, threads),) = started
    assert options[-2:] == ["--allow-root", "--no-browser"]
    assert "--LabApp.default_url=/lab/tree/my-notebooks/00_start_here.ipynb" in options
    assert os.path.samefile(folder, clone)
    assert threads == ["1", "4", "1"]
    assert "my-notebooks/" in capsys.readouterr().out


@pytest.mark.parametrize("manager", [FileContentsManager, AsyncLargeFileManager])
def test_what_git_has_is_shown_and_not_saved(clone, monkeypatch, manager):
    """The second is the one that JupyterLab has."""
    lab.bring_up_to_date(clone)
    monkeypatch.setattr(FileContentsManager, "is_writable", FileContentsManager.is_writable)
    lab.protect(FileContentsManager, clone)
    contents = manager(root_dir=str(clone))
    writable = {
        path: contents.is_writable(path)
        for path in ("notebooks/a.ipynb", "solutions/a.ipynb", "solutions/a.py")
        + ("my-notebooks/a.ipynb", "notebooks")
    }
    assert list(writable.values()) == [False, False, True, True, True]


def test_options_replace_ours(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000, raising=False)
    options = lab.options(["--LabApp.default_url=/lab", "--port=8890"])
    assert [o for o in options if "default_url" in o] == ["--LabApp.default_url=/lab"]
    assert "--allow-root" not in options


def test_no_question_about_news(clone, started, monkeypatch):
    disabled = []
    monkeypatch.setattr(commands, "disable_extension", disabled.append)
    lab.main([], clone)
    assert disabled == [lab.NEWS]

    def fail(name):
        raise PermissionError(name)

    monkeypatch.setattr(commands, "disable_extension", fail)
    lab.main([], clone)
    assert len(started) == 2


def test_jupyterlab_starts_where_nothing_can_be_written(clone, started, capsys):
    (clone / "my-notebooks").write_text("a file")
    assert lab.main([], clone) is None
    assert started
    assert "could not be put into my-notebooks/" in capsys.readouterr().err


def test_a_folder_without_lessons(tmp_path, started, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lab"])
    assert lab.main(root=tmp_path) == 1
    assert not started
    assert "no folder notebooks/" in capsys.readouterr().err
