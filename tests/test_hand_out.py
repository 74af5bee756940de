"""What a learner finds: new lessons arrive, and nobody's work is written over.

With a real JupyterHub it is tried in tests/hub, with git and JupyterLab in tests/test_lab.py.
"""

import importlib.util
import json
import os

import pytest

from utils import hand_out as module
from utils.authoring.build import ROOT
from utils.hand_out import RECORD, digests, hand_out, keep, lessons_in


def notebook(*sources, ran=False):
    """A notebook of these cells, the first in Markdown; run: with a number, output, metadata."""
    cells = [{"cell_type": "markdown", "source": [sources[0]], "metadata": {}}]
    for source in sources[1:]:
        code = {"cell_type": "code", "source": source, "metadata": {}}
        seen = [{"output_type": "stream", "name": "stdout", "text": "1"}] if ran else []
        cells.append(code | {"outputs": seen, "execution_count": 3 if ran else None})
    kernel = {"language_info": {"version": "3.13"}} if ran else {}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


FIRST, SECOND, THIRD = (notebook("# Lesson", f"x = {n}") for n in (1, 2, 3))
MINE = notebook("# Lesson", "x = 1", "my = 'answer'")


@pytest.fixture
def source(tmp_path):
    source = tmp_path / "notebooks"
    source.mkdir()
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (source / name).write_text(FIRST)
    return source


@pytest.fixture
def folder(tmp_path, source):
    """A learner's folder after the first visit."""
    folder = tmp_path / "home" / "rnn-workbook"
    written = {"00_a.ipynb": "00_a.ipynb", "01_b.ipynb": "01_b.ipynb"}
    assert hand_out(lessons_in(source), folder) == written
    return folder


def visit(source, folder):
    """The names of the files that the next visit writes."""
    return list(hand_out(lessons_in(source), folder).values())


def texts(folder):
    return {path.name: path.read_text() for path in sorted(folder.glob("*.ipynb"))}


def test_nothing_new_nothing_written(source, folder):
    (folder / "01_b.ipynb").write_text(MINE)
    assert visit(source, folder) == []
    assert texts(folder) == {"00_a.ipynb": FIRST, "01_b.ipynb": MINE}


def test_a_new_version_is_put_beside_changed_work_once(source, folder):
    (folder / "01_b.ipynb").write_text(MINE)
    (source / "01_b.ipynb").write_text(SECOND)
    assert visit(source, folder) == ["01_b-new.ipynb"]
    assert texts(folder)["01_b.ipynb"] == MINE
    assert texts(folder)["01_b-new.ipynb"] == SECOND
    (folder / "01_b-new.ipynb").unlink()  # not wanted
    assert visit(source, folder) == []


def test_a_third_version_renews_the_second_where_that_is_untouched(source, folder):
    (folder / "01_b.ipynb").write_text(MINE)
    for version in (SECOND, THIRD):
        (source / "01_b.ipynb").write_text(version)
        assert visit(source, folder) == ["01_b-new.ipynb"]
    assert texts(folder) == {"00_a.ipynb": FIRST, "01_b.ipynb": MINE, "01_b-new.ipynb": THIRD}


def test_a_third_version_leaves_work_in_the_second_alone(source, folder):
    (folder / "01_b.ipynb").write_text(MINE)
    names = ["01_b-new.ipynb", "01_b-new-2.ipynb", "01_b-new-3.ipynb"]
    for n, name in enumerate(names):
        (source / "01_b.ipynb").write_text(notebook("# Lesson", f"version = {n}"))
        assert visit(source, folder) == [name]
        (folder / name).write_text(notebook("# Lesson", f"version = {n}", "mine"))
    mine = [json.loads(text)["cells"][-1]["source"] for text in texts(folder).values()]
    assert mine == ["x = 1", "mine", "mine", "mine", "my = 'answer'"]


@pytest.mark.parametrize(
    "copy",
    [
        FIRST,
        notebook("# Lesson", "x = 1", ran=True),
        notebook("# Lesson", "x = 1", "", ran=True),  # Shift+Enter on the last cell adds one
    ],
    ids=["as it was", "run", "run with Shift+Enter"],
)
def test_an_untouched_copy_is_brought_up_to_date(source, folder, copy):
    (folder / "01_b.ipynb").write_text(copy)
    (source / "01_b.ipynb").write_text(SECOND)
    assert visit(source, folder) == ["01_b.ipynb"]
    assert texts(folder) == {"00_a.ipynb": FIRST, "01_b.ipynb": SECOND}


def test_a_copy_that_was_run_stays_as_long_as_nothing_is_new(source, folder):
    ran = notebook("# Lesson", "x = 1", ran=True)
    (folder / "01_b.ipynb").write_text(ran)
    assert visit(source, folder) == []
    assert texts(folder)["01_b.ipynb"] == ran


@pytest.mark.parametrize(
    "copy",
    [
        notebook("# Lesson", "x = 2"),
        notebook("# Lesson, mine", "x = 1"),
        notebook("# Lesson"),
        "no notebook",
        "",
        "[]",
        '{"cells": [1]}',
    ],
)
def test_any_other_copy_is_work(source, folder, copy):
    (folder / "01_b.ipynb").write_text(copy)
    (source / "01_b.ipynb").write_text(THIRD)
    assert visit(source, folder) == ["01_b-new.ipynb"]
    assert texts(folder)["01_b.ipynb"] == copy


def test_new_outputs_are_nothing_new_to_somebody_who_works(source, folder):
    (folder / "01_b.ipynb").write_text(MINE)
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (source / name).write_text(notebook("# Lesson", "x = 1", ran=True))
    assert visit(source, folder) == ["00_a.ipynb"]
    assert texts(folder)["01_b.ipynb"] == MINE


def test_who_deletes_a_lesson_gets_it_afresh(source, folder):
    (folder / "00_a.ipynb").unlink()
    assert visit(source, folder) == ["00_a.ipynb"]


@pytest.mark.parametrize("copy", [FIRST, MINE])
def test_a_lesson_that_is_renamed_stays_and_the_new_one_comes(source, folder, copy):
    (folder / "01_b.ipynb").write_text(copy)
    (source / "01_b.ipynb").rename(source / "02_b.ipynb")
    (source / "01_c.ipynb").write_text(SECOND)
    assert visit(source, folder) == ["01_c.ipynb", "02_b.ipynb"]
    assert texts(folder)["01_b.ipynb"] == copy


@pytest.mark.parametrize("record", ["", "[]", "{", '{"01_b.ipynb": 1}', None])
def test_without_a_record_every_copy_counts_as_work(source, folder, record):
    path = folder / RECORD
    path.unlink() if record is None else path.write_text(record)
    (source / "01_b.ipynb").write_text(SECOND)
    assert visit(source, folder) == ["01_b-new.ipynb"]
    assert texts(folder)["01_b.ipynb"] == FIRST


def test_without_a_record_the_earlier_versions_say_what_is_untouched(source, folder):
    (folder / RECORD).unlink()
    (folder / "00_a.ipynb").write_text(MINE)
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (source / name).write_text(THIRD)
    versions = [text.encode() for text in (THIRD, SECOND, FIRST)]
    written = hand_out(lessons_in(source), folder, lambda name: versions)
    assert written == {"00_a.ipynb": "00_a-new.ipynb", "01_b.ipynb": "01_b.ipynb"}
    assert visit(source, folder) == []


def test_the_record_of_version_0_1_is_understood(source, folder):
    """It had the digest of the file alone."""
    record = {name: digests(FIRST.encode())[0] for name in ("00_a.ipynb", "01_b.ipynb")}
    (folder / RECORD).write_text(json.dumps(record))
    (folder / "00_a.ipynb").write_text(MINE)
    assert visit(source, folder) == []
    (folder / RECORD).write_text(json.dumps(record))
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (source / name).write_text(SECOND)
    assert visit(source, folder) == ["00_a-new.ipynb", "01_b.ipynb"]


def test_a_folder_in_the_place_of_a_lesson(source, folder):
    (folder / "01_b.ipynb").unlink()
    (folder / "01_b.ipynb").mkdir()
    (source / "01_b.ipynb").write_text(SECOND)
    assert visit(source, folder) == ["01_b-new.ipynb"]
    assert (folder / "01_b.ipynb").is_dir()


@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_points_to_is_not_written_to(tmp_path, source, folder, there):
    elsewhere = tmp_path / "elsewhere.ipynb"
    if there:
        elsewhere.write_text(FIRST)
    (folder / "01_b.ipynb").unlink()
    try:
        (folder / "01_b.ipynb").symlink_to(elsewhere)
    except OSError:
        pytest.skip("no links here")
    (source / "01_b.ipynb").write_text(SECOND)
    assert visit(source, folder) == ["01_b.ipynb" if there else "01_b-new.ipynb"]
    assert (elsewhere.read_text() == FIRST) if there else not elsewhere.exists()


def test_a_write_that_fails_leaves_all_as_it_was(source, folder, monkeypatch):
    def fail(*args):
        raise OSError("No space left on device")

    for name in ("00_a.ipynb", "01_b.ipynb"):
        (source / name).write_text(SECOND)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="No space"):
            visit(source, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert visit(source, folder) == ["00_a.ipynb", "01_b.ipynb"]


@pytest.mark.parametrize("after", range(4))
def test_a_visit_that_is_broken_off_is_made_good_by_the_next(source, folder, monkeypatch, after):
    """Killed after so many files: the next visit does the rest, and nothing twice."""
    (folder / "00_a.ipynb").write_text(MINE)
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (source / name).write_text(SECOND)
    real, done = module._write, []

    def killed(path, content):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(path.name)
        real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", killed)
        if after < 3:
            with pytest.raises(KeyboardInterrupt):
                visit(source, folder)
        else:
            visit(source, folder)
    visit(source, folder)
    expected = {"00_a.ipynb": MINE, "00_a-new.ipynb": SECOND, "01_b.ipynb": SECOND}
    assert texts(folder) == expected
    assert visit(source, folder) == []


def test_work_from_elsewhere_is_kept_once_and_over_nothing(folder):
    other = notebook("# Lesson", "x = 1", "another = 'answer'")
    assert keep({"00_a.ipynb": MINE.encode()}, folder) == {"00_a.ipynb": "00_a.ipynb"}
    assert keep({"00_a.ipynb": MINE.encode()}, folder) == {}
    assert keep({"00_a.ipynb": other.encode()}, folder) == {"00_a.ipynb": "00_a-mine.ipynb"}
    assert keep({"00_a.ipynb": other.encode()}, folder) == {}
    assert texts(folder) == {"00_a.ipynb": MINE, "00_a-mine.ipynb": other, "01_b.ipynb": FIRST}


# On the class server


@pytest.fixture
def start(monkeypatch, tmp_path):
    """start.py, in a home of its own, and the command that it becomes."""
    path = ROOT / "deploy" / "jupyterhub" / "start.py"
    spec = importlib.util.spec_from_file_location("start", path)
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for name in (*start.THREADS, "PATH"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.delenv("MEM_LIMIT", raising=False)
    start.became = []
    monkeypatch.setattr(start.os, "execv", lambda path, argv: start.became.extend(argv))
    monkeypatch.setattr(start.os, "umask", lambda mask: None)
    monkeypatch.setattr(start.sys, "argv", ["start.py", "--port=1"])
    return start


def test_a_server_begins_with_the_lessons(start, monkeypatch, source, tmp_path):
    monkeypatch.setenv("RNN_NOTEBOOKS", str(source))
    start.main()
    assert texts(tmp_path / "home" / start.FOLDER) == {"00_a.ipynb": FIRST, "01_b.ipynb": FIRST}
    server, option = start.became
    assert (os.path.basename(server), option) == ("jupyterhub-singleuser", "--port=1")


def test_a_server_starts_where_the_lessons_cannot_be_had(start, monkeypatch, capsys):
    monkeypatch.delenv("RNN_NOTEBOOKS", raising=False)
    start.main()
    assert "The lessons could not be handed out" in capsys.readouterr().err
    assert start.became
