"""What a learner on a class server finds: new lessons arrive, and nobody's work is written over.

With a real JupyterHub it is tried in tests/hub.
"""

import importlib.util

import pytest

from utils.authoring.build import ROOT

spec = importlib.util.spec_from_file_location("start", ROOT / "deploy" / "jupyterhub" / "start.py")
start = importlib.util.module_from_spec(spec)
spec.loader.exec_module(start)


@pytest.fixture
def source(tmp_path):
    source = tmp_path / "notebooks"
    source.mkdir()
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (source / name).write_text("first")
    return source


@pytest.fixture
def folder(tmp_path, source):
    """A learner's folder after the first visit."""
    folder = tmp_path / "home" / "rnn-workbook"
    assert start.hand_out(source, folder) == ["00_a.ipynb", "01_b.ipynb"]
    return folder


def texts(folder):
    return {path.name: path.read_text() for path in sorted(folder.glob("*.ipynb"))}


def test_nothing_new_nothing_written(source, folder):
    (folder / "01_b.ipynb").write_text("mine")
    assert start.hand_out(source, folder) == []
    assert texts(folder) == {"00_a.ipynb": "first", "01_b.ipynb": "mine"}


def test_a_new_version_is_put_beside_changed_work_once(source, folder):
    (folder / "01_b.ipynb").write_text("mine")
    (source / "01_b.ipynb").write_text("second")
    assert start.hand_out(source, folder) == ["01_b-new.ipynb"]
    assert texts(folder)["01_b.ipynb"] == "mine"
    assert texts(folder)["01_b-new.ipynb"] == "second"
    (folder / "01_b-new.ipynb").unlink()  # not wanted
    assert start.hand_out(source, folder) == []


def test_a_third_version_leaves_the_second_alone(source, folder):
    for n, version in enumerate(("second", "third", "fourth"), start=2):
        (folder / "01_b.ipynb").write_text("mine")
        (source / "01_b.ipynb").write_text(version)
        suffix = "-new" if n == 2 else f"-new-{n - 1}"
        assert start.hand_out(source, folder) == [f"01_b{suffix}.ipynb"]
    assert set(texts(folder).values()) == {"first", "mine", "second", "third", "fourth"}


def test_an_untouched_copy_is_brought_up_to_date(source, folder):
    (source / "01_b.ipynb").write_text("second")
    assert start.hand_out(source, folder) == ["01_b.ipynb"]
    assert texts(folder) == {"00_a.ipynb": "first", "01_b.ipynb": "second"}


def test_who_deletes_a_lesson_gets_it_afresh(source, folder):
    (folder / "00_a.ipynb").unlink()
    assert start.hand_out(source, folder) == ["00_a.ipynb"]


@pytest.mark.parametrize("record", ["", "[]", "{", None])
def test_without_a_record_every_copy_counts_as_work(source, folder, record):
    path = folder / start.RECORD
    path.unlink() if record is None else path.write_text(record)
    (source / "01_b.ipynb").write_text("second")
    assert start.hand_out(source, folder) == ["01_b-new.ipynb"]
    assert texts(folder)["01_b.ipynb"] == "first"


def test_a_folder_in_the_place_of_a_lesson(source, folder):
    (folder / "01_b.ipynb").unlink()
    (folder / "01_b.ipynb").mkdir()
    (source / "01_b.ipynb").write_text("second")
    assert start.hand_out(source, folder) == ["01_b-new.ipynb"]
    assert (folder / "01_b.ipynb").is_dir()


def test_no_parts_are_left(source, folder):
    assert not [path for path in folder.iterdir() if path.name.startswith(".part")]
