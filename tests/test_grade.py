"""The grade sheet: the truth about made-up submissions, most of them odd, some of them hostile."""

import copy
import csv
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from bs4 import BeautifulSoup

from utils.authoring import grade, grade_cells, grade_run, grade_sheet, grade_wire
from utils.authoring.build import ROOT, lesson_names
from utils.checks import grade as official
from utils.checks.registry import EXERCISES

POSIX, LINUX = os.name == "posix", sys.platform == "linux"

LESSON = "01_rnn_cell"
NAMES = ("cell_forward", "readout", "softmax", "count_parameters")
SOLVED = json.loads((ROOT / "solutions" / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
LIMITS = grade_run.Limits(own_statement=2.0, memory=600 * 2**20)

WRONG = (
    "def cell_forward(x_t, h_prev, U, V, b):\n    return np.tanh(x_t @ U + h_prev @ V.T + b)\n\n\n"
)
CHECK_IT = "cell_forward = check(cell_forward)"
WRITES = (
    "def cell_forward(x_t, h_prev, U, V, b):\n    h_prev[:] = np.tanh(x_t @ U + h_prev @ V + b)\n"
)
PATCHES = """
import os, sys
import utils.checks, utils.checks.compare, utils.checks.engine, utils.checks.session
from utils.checks.report import Report

lie = lambda *args, **kwargs: Report("cell_forward", "1.1", "passed", 14, 14)
utils.checks.grade = utils.checks.session.grade = lie
utils.checks.engine.grade_exercise = utils.checks.engine.judge = lie
utils.checks.compare.same = lambda *args, **kwargs: True
utils.checks.compare.table = lambda *args: ([], None)
utils.checks.check = utils.checks.session.check = lambda fn: print("passed") or fn
check = lambda fn: print("passed") or fn
"""
FORGES = """
import os
for pipe in range(3, 30):
    try:
        os.write(pipe, b'{"done": true}\\n{"passed": true}\\n')
    except OSError:
        pass
"""
EDITS = """
import pathlib, utils.cell
path = pathlib.Path(utils.cell.__file__)
path.write_text(path.read_text() + "\\nraise SystemExit\\n")
"""


def code(source):
    return {
        "cell_type": "code",
        "id": f"new-{abs(hash(source))}",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source,
    }


def exercise(cells, name):
    return next(c for c in cells if c["id"] == f"exercise-{name.replace('_', '-')}")


def with_cell(source, place=1):
    """An edit of a notebook's cells: one more."""
    return lambda cells: cells.insert(place, code(source))


def with_function(name, source):
    return lambda cells: exercise(cells, name).update(source=source, outputs=[])


def and_wrong(source):
    """One more cell at the top, and the wrong cell_forward."""

    def edit(cells):
        with_function("cell_forward", WRONG + CHECK_IT)(cells)
        cells.insert(1, code(source))

    return edit


def says_passed(cells):
    with_function("cell_forward", WRONG + CHECK_IT + '\nprint("passed")')(cells)
    shown = {"output_type": "stream", "name": "stdout", "text": ["passed: 1.1\n"]}
    exercise(cells, "cell_forward")["outputs"] = [shown]


def helper_below(cells):
    body = "def softmax(o):\n    return shared(np.exp(o - o.max(-1, keepdims=True)))\n\n"
    with_function("softmax", body + "softmax = check(softmax)")(cells)
    cells.append(code("def shared(e):\n    return e / e.sum(-1, keepdims=True)"))


def stub_left_below(cells):
    """Solved in a new cell; the lesson's own one stands below it, untouched."""
    stub = "def cell_forward(x_t, h_prev, U, V, b):\n    ...  # mine is above\n\n"
    solved = "".join(exercise(cells, "cell_forward")["source"])
    cells.insert(2, code(solved))
    with_function("cell_forward", stub + CHECK_IT)(cells)


def without_checks(cells):
    for name in NAMES:
        cell = exercise(cells, name)
        cell["source"] = "".join(cell["source"]).replace(f"{name} = check({name})", "")


def wrong_answers(cells):
    for number, value in (("1-1", '"a"'), ("1-2", "...")):
        cell = next(c for c in cells if c["id"] == f"question-{number}")
        cell["source"] = f'answer("{number.replace("-", ".")}", {value})'


def nothing(cells):
    pass


# File name -> what was done to the solved notebook. The person is what stands before the lesson.
EDITS_OF = {
    "right_01_rnn_cell": nothing,
    "mistake_01_rnn_cell": with_function("cell_forward", WRONG + CHECK_IT),
    "mistake2_01_rnn_cell": with_function("cell_forward", WRONG + CHECK_IT),
    "import_01_rnn_cell": with_cell("import no_such_module\nhere = 1"),
    "crash_01_rnn_cell": with_cell("1 / 0"),
    "loop_01_rnn_cell": with_cell("while True:\n    pass"),
    "inner_01_rnn_cell": with_function(
        "readout",
        "def readout(h_t, W, c):\n    while True:\n        pass\n\nreadout = check(readout)",
    ),
    "sysexit_01_rnn_cell": with_cell("import sys\nsys.exit()"),
    "exit_01_rnn_cell": with_cell("import os\nos._exit(0)"),
    "exit-inside_01_rnn_cell": with_function(
        "readout", "import os\ndef readout(h_t, W, c):\n    os._exit(0)\n\nreadout = check(readout)"
    ),
    "hog_01_rnn_cell": with_cell(
        "import numpy as np\nhog = []\nwhile True:\n    hog.append(np.empty(10**7))"
    ),
    "prints_01_rnn_cell": says_passed,
    "patches_01_rnn_cell": and_wrong(PATCHES),
    "patches-writes_01_rnn_cell": lambda cells: (
        with_function("cell_forward", WRITES + "    return h_prev\n\n" + CHECK_IT)(cells),
        cells.insert(1, code(PATCHES)),
    ),
    "fake-check_01_rnn_cell": and_wrong("def check(fn):\n    print('passed')\n    return fn"),
    "forges_01_rnn_cell": and_wrong(FORGES),
    "modules_01_rnn_cell": and_wrong(
        "import sys\nfor name in list(sys.modules):\n    sys.modules[name] = None"
    ),
    "edits_01_rnn_cell": and_wrong(EDITS),
    "leaves_01_rnn_cell": with_cell(
        "import subprocess, sys\n"
        "wait = [sys.executable, '-c', 'import time; time.sleep(600)', 'left-behind']\n"
        "subprocess.Popen(wait, start_new_session=True)"
    ),
    "reordered_01_rnn_cell": lambda cells: cells.reverse(),
    "deleted_01_rnn_cell": lambda cells: cells.remove(exercise(cells, "softmax")),
    "syntax_01_rnn_cell": with_function(
        "softmax", "def softmax(o):\n    return np.exp(o\n\nsoftmax = check(softmax)"
    ),
    "borrowed_01_rnn_cell": with_function(
        "softmax",
        "import utils.loss as loss\ndef softmax(o):\n    return loss.softmax(o)\n\n"
        "softmax = check(softmax)",
    ),
    "below_01_rnn_cell": helper_below,
    "twice_01_rnn_cell": stub_left_below,
    "unchecked_01_rnn_cell": without_checks,
    "magics_01_rnn_cell": with_cell("%matplotlib inline\n!ls\nlist?"),
    "answers_01_rnn_cell": wrong_answers,
    "Zoë Ångström 李_01_rnn_cell": nothing,
    "=1+2_01_rnn_cell": nothing,
    "<b>bob&_01_rnn_cell": nothing,
    "homework": nothing,
    "wrongname_02_sequence_unrolling": nothing,
}


def put(path, edit=nothing):
    notebook = copy.deepcopy(SOLVED)
    edit(notebook["cells"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def state(folder):
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return [(p, p.read_bytes(), p.stat().st_mtime_ns) for p in paths]


@pytest.fixture(scope="module")
def sheet(tmp_path_factory, worker_id):
    """All the submissions above, graded: (rows by person, page, whether the folder is as it was).

    Of several processes under xdist one grades, and the others wait for what it gives.
    """
    if worker_id == "master":
        return grade_them(tmp_path_factory.mktemp("grade"))
    place = tmp_path_factory.getbasetemp().parent / "grade"
    result = place / "result.json"
    try:
        place.mkdir()
    except FileExistsError:
        while not result.exists():
            time.sleep(0.2)
        given = json.loads(result.read_text(encoding="utf-8"))
        assert given is not None, "grading failed in another process"
        return given
    part, given = place / "part.json", None
    try:
        given = grade_them(place)
    finally:
        part.write_text(json.dumps(given), encoding="utf-8")
        part.rename(result)
    return given


def grade_them(place):
    folder, out = place / "submissions", place / "out"
    for name, edit in EDITS_OF.items():
        if sys.platform != "win32" or not set(name) & set("<>&"):
            put(folder / f"{name}.ipynb", edit)
    put(folder / "nested person" / "lesson one" / f"{LESSON}.ipynb")
    shutil.copy(ROOT / "notebooks" / f"{LESSON}.ipynb", folder / f"untouched_{LESSON}.ipynb")
    (folder / f"damaged_{LESSON}.ipynb").write_text(json.dumps(SOLVED)[:9000], encoding="utf-8")
    (folder / f"text_{LESSON}.ipynb").write_text("Dear teacher", encoding="utf-8")
    (folder / f"empty_{LESSON}.ipynb").write_text("")
    (folder / f"bytes_{LESSON}.ipynb").write_bytes(b"\xff\xfe\x00PK\x03\x04")
    (folder / f"python_{LESSON}.ipynb").write_text("import numpy as np\n", encoding="utf-8")
    (folder / "list.ipynb").write_text("[1, 2]")
    (folder / "odd.ipynb").write_text('{"cells": [1, {"cell_type": 3}]}')
    (folder / "other.ipynb").write_text(json.dumps({"cells": [code("print('something else')")]}))
    (folder / "essay.txt").write_text("Recurrent networks are …", encoding="utf-8")
    (folder / ".ipynb_checkpoints").mkdir()
    put(folder / ".ipynb_checkpoints" / f"hidden_{LESSON}.ipynb")
    before = state(folder)
    table = grade.grade_folder(str(folder), str(out), 2, LIMITS)
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["person"]: row for row in csv.DictReader(file)}
    page = table.with_suffix(".html").read_text(encoding="utf-8")
    return rows, page, before == state(folder)


def verdicts(row):
    return [row[f"{EXERCISES[name].number} {name}"] for name in NAMES]


def mistakes(row):
    return {EXERCISES[n].number: m for n in NAMES if (m := row[f"{EXERCISES[n].number} mistake"])}


V_TRANSPOSED = {"1.1": "V transposed"}


@pytest.mark.parametrize(
    ("person", "wrong", "remark"),
    [
        ("right", {}, ""),
        ("mistake", V_TRANSPOSED, ""),
        ("import", {}, "ModuleNotFoundError in the line `import no_such_module`"),
        ("crash", {}, "ZeroDivisionError in the line `1 / 0`"),
        ("loop", {}, "Cell 2: `while True:` was left out. It was stopped after 2 seconds"),
        ("inner", {"1.2": "runs without end"}, ""),
        ("sysexit", {}, "Cell 2: It raised SystemExit"),
        ("exit", {}, "`os._exit(0)` was left out. The process ended itself (exit status 0)"),
        ("exit-inside", {"1.2": "ends the process"}, ""),
        ("hog", {}, "used more than 0.6 GB of memory" if LINUX else "was left out"),
        ("prints", V_TRANSPOSED, "1.1: the cell displays “passed”; it is not"),
        ("patches", V_TRANSPOSED, ""),
        ("patches-writes", {"1.1": "writes into h_prev"}, ""),
        ("fake-check", V_TRANSPOSED, ""),
        ("forges", V_TRANSPOSED, "It wrote into the pipe that the results go through"),
        ("modules", V_TRANSPOSED, ""),
        ("edits", V_TRANSPOSED, ""),
        ("leaves", {}, ""),
        ("reordered", {}, "another order"),
        ("syntax", {"1.3": "syntax error"}, ""),
        ("borrowed", {}, "1.3: calls the workbook's own softmax"),
        ("below", {}, ""),
        ("twice", {}, ""),
        ("unchecked", {}, ""),
        ("magics", {}, ""),
        ("Zoë Ångström 李", {}, ""),
        ("'=1+2", {}, ""),
        ("homework", {}, "Renamed"),
        ("wrongname", {}, "The file is called 02_sequence_unrolling, but this is lesson 1"),
        ("nested person", {}, ""),
    ],
)
def test_the_sheet_tells_the_truth(sheet, person, wrong, remark):
    row = sheet[0][person]
    assert row["not graded because"] == ""
    assert mistakes(row) == wrong, row
    assert verdicts(row).count("passed") == int(row["passed"]) == 4 - len(wrong)
    assert (remark in row["remarks"]) if remark else row["remarks"] == "", row["remarks"]


@pytest.mark.parametrize(
    ("person", "why"),
    [
        ("damaged", "damaged: no longer JSON"),
        ("text", "not a notebook, but text that begins “Dear teacher”"),
        ("python", "not a notebook, but text that begins “import numpy as np”"),
        ("empty", "the file is empty"),
        ("bytes", "damaged, or not a notebook"),
        ("list", "not a notebook"),
        ("odd", "a cell in it is no cell"),
        ("other", "of no lesson"),
        ("essay", "not a notebook: its name ends in .txt"),
    ],
)
def test_what_is_no_submission_is_reported_as_what_it_is(sheet, person, why):
    row = sheet[0][person]
    assert why in row["not graded because"]
    assert row["passed"] == ""


def test_an_untouched_notebook_is_not_attempted(sheet):
    row = sheet[0]["untouched"]
    assert verdicts(row) == ["not attempted"] * 4
    assert (row["passed"], row["questions not answered"]) == ("0", "6")


def test_a_deleted_exercise_is_not_attempted(sheet):
    row = sheet[0]["deleted"]
    assert verdicts(row) == ["passed", "passed", "not attempted", "passed"]
    assert "1.3 softmax" in row["remarks"]


def test_answers_are_counted_and_no_part_of_the_grade(sheet):
    row = sheet[0]["answers"]
    counts = [row[f"questions {kind}"] for kind in grade_sheet.ANSWERS]
    assert (counts, row["passed"]) == (["4", "1", "1"], "4")


def test_nothing_in_the_folder_is_changed(sheet):
    assert sheet[2]
    assert "hidden" not in sheet[0]


def test_everything_that_was_started_is_ended(sheet):
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append(process.cmdline())
        except psutil.Error:
            continue
    assert not [line for line in lines if "left-behind" in line]


def test_the_workbook_itself_is_not_edited(sheet):
    assert "raise SystemExit" not in (ROOT / "utils" / "cell.py").read_text(encoding="utf-8")


# The page ---------------------------------------------------------------------------------------


def test_the_page_is_complete_and_needs_nothing_beside_it(sheet):
    rows, page, _ = sheet
    soup = BeautifulSoup(page, "html.parser")
    assert not soup.find_all(["script", "link", "img", "iframe"])
    assert soup.html["lang"] == "en"
    for table in soup.find_all("table"):
        assert table.caption.get_text(strip=True)
        assert all(th.get("scope") in ("col", "row") for th in table.find_all("th"))
    for person in rows:
        assert person.lstrip("'") in soup.get_text()


def test_names_are_escaped_on_the_page(sheet):
    assert "<b>bob" not in sheet[1]
    if POSIX:
        assert "&lt;b&gt;bob&amp;" in sheet[1]


def test_the_class_view_shows_where_the_class_is_stuck(sheet):
    soup = BeautifulSoup(sheet[1], "html.parser")
    tables = {t.caption.get_text(): t for t in soup.find_all("table")}
    stuck = next(t for caption, t in tables.items() if caption.startswith("Where the class"))
    first = [cell.get_text() for cell in stuck.tbody.tr.find_all(["th", "td"])]
    assert first[0] == "1.1 cell_forward"  # by far the most mistakes
    which = next(t for caption, t in tables.items() if caption.startswith("Which mistakes"))
    people, name, mistake, who = (td.get_text() for td in which.tbody.tr.find_all("td"))
    assert (name, mistake) == ("1.1 cell_forward", "V transposed")
    assert int(people) == len(who.split(", ")) > 5
    counts = [int(tr.td.get_text()) for tr in which.tbody.find_all("tr")]
    assert counts == sorted(counts, reverse=True)


def test_states_are_said_in_words(sheet):
    soup = BeautifulSoup(sheet[1], "html.parser")
    for cell in soup.find_all("td", class_=["passed", "not-yet", "not-attempted"]):
        assert cell["class"][0].replace("-", " ") in cell.get_text()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1"])
def test_a_spreadsheet_does_not_compute_what_somebody_is_called(text):
    lines = grade_sheet.csv_bytes([[text]]).decode("utf-8-sig").splitlines()
    assert lines[0].startswith("'")


# The command line -------------------------------------------------------------------------------


def test_no_folder(tmp_path, capsys):
    assert grade.main([str(tmp_path / "nowhere")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert grade.main([""]) == 2
    assert "Which folder?" in capsys.readouterr().err


def test_a_file_in_place_of_the_folder(tmp_path, capsys):
    put(tmp_path / "a.ipynb")
    assert grade.main([str(tmp_path / "a.ipynb")]) == 2
    assert "Give the folder" in capsys.readouterr().err


def test_an_empty_folder(tmp_path, capsys):
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "notes.txt").write_text("no notebook")
    assert grade.main([str(folder), "--out", str(tmp_path)]) == 2
    assert "There is nothing to grade" in capsys.readouterr().err
    assert not list(tmp_path.glob("grades*"))


def test_nothing_is_written_among_the_submissions_unless_asked(tmp_path, monkeypatch, capsys):
    put(tmp_path / f"ada_{LESSON}.ipynb")
    monkeypatch.chdir(tmp_path)
    assert grade.main(["."]) == 2
    assert "--out" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == [f"ada_{LESSON}.ipynb"]


def test_an_earlier_sheet_is_kept(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"text_{LESSON}.ipynb").write_text("no notebook")
    (tmp_path / "grades.csv").write_text("mine")
    assert grade.main([str(tmp_path / "in"), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "grades.csv").read_text() == "mine"
    assert "grades-2.csv" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.glob("grades*")) == [
        "grades-2.csv",
        "grades-2.html",
        "grades.csv",
    ]


def test_a_sheet_among_the_submissions_is_no_submission(tmp_path):
    (tmp_path / f"text_{LESSON}.ipynb").write_text("no notebook")
    for _ in range(2):
        assert grade.main([str(tmp_path), "--out", str(tmp_path)]) == 0
    with (tmp_path / "grades-2.csv").open(encoding="utf-8-sig") as file:
        assert [row["person"] for row in csv.DictReader(file)] == ["text"]


def test_if_grading_is_stopped_nothing_is_left(tmp_path, monkeypatch, capsys):
    put(tmp_path / "in" / f"ada_{LESSON}.ipynb")

    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(grade, "as_completed", stopped)
    assert grade.main([str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 130
    assert not list((tmp_path / "out").iterdir())
    assert "Stopped" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_says_what_is_missing():
    line = subprocess.run(
        ["make", "-n", "grade", "FROM=some folder"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert 'utils.authoring.grade "some folder"' in line


# Whose, and which lesson --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("ada_lovelace_01_rnn_cell.ipynb", "ada_lovelace"),
        ("ada_lovelace_01_rnn_cell (1).ipynb", "ada_lovelace"),
        ("ada-01_rnn_cell-Copy1.ipynb", "ada"),
        ("01_rnn_cell_ada.ipynb", "ada"),
        ("s1203_03_backpropagation_through_time.ipynb", "s1203"),
        ("01_rnn_cell.ipynb", "01_rnn_cell"),
        ("Ada.ipynb", "Ada"),
    ],
)
def test_the_person_in_a_file_name(name, person):
    assert grade.person_of(name, grade.all_lessons()) == person


def test_the_names_of_the_lessons_are_those_of_the_notebooks():
    slugs = {lesson.slug for lesson in grade.all_lessons()}
    assert set(lesson_names(ROOT)) <= slugs


def test_names_that_play_tricks_are_shown_as_what_they_are():
    assert grade.readable("a\u202eb\n") == "a\\u202eb\\u000a"
    assert grade.readable("Zoe\u0308") == "Zoë"


@pytest.mark.skipif(not POSIX, reason="needs links")
def test_links_are_not_followed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "in" / "pipe.ipynb")
    files = grade.collect(tmp_path / "in", grade.all_lessons())
    assert ["link" in f.problem for f in files] == [True, True]


# The parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        ...,
        True,
        -(10**30),
        0.1,
        float("nan"),
        1 + 2j,
        "text",
        [1, [2.5, "a"]],
        (np.arange(6).reshape(2, 3), np.float32(0.1)),
        np.array(3.0),
        np.zeros((0, 3)),
        np.arange(12.0).reshape(3, 4).T,
        np.array([True]),
    ],
)
def test_values_arrive_as_they_were(value):
    from utils.checks.compare import same

    back = grade_wire.decode(json.loads(json.dumps(grade_wire.encode(value))))
    assert same(back, value, 0.0) or (value != value and back != back)


def test_other_things_arrive_as_their_names():
    for value, name in [
        (open, "builtin_function_or_method"),
        ({1: 2}, "dict"),
        (object(), "object"),
    ]:
        assert type(grade_wire.decode(grade_wire.encode(value))).__name__ == name


def test_endless_and_enormous_values_are_cut_short():
    endless = []
    endless.append(endless)
    for value in (endless, np.broadcast_to(0.0, (10**6, 10**6)), list(range(10**6)), 2**10**6):
        assert len(json.dumps(grade_wire.encode(value))) < 10**6


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        ["no such kind"],
        ["array", "O", [1], "AAAA", {}],
        ["array", "<f8", [10**12], "AAAA", {}],
        ["array", "<f8", [-1], "AAAA", {}],
        ["tuple", "x\0y", [["int", "z"]], {}],
        ["list", [["float", "xyz"]]],
    ],
)
def test_what_cannot_be_a_value_is_refused(data):
    with pytest.raises(grade_wire.Malformed):
        grade_wire.decode(data)


def test_an_error_arrives_with_its_line():
    try:
        {}["key"]
    except KeyError as error:
        back = grade_wire.decode_error(grade_wire.encode_error(error, "{}['key']"))
    assert (type(back), str(back)) == (KeyError, "'key'")
    from utils.checks.engine import line_of

    assert line_of(back) == "{}['key']"


def chosen(cells, own, exercises=("f",)):
    statements, _ = grade_cells.read(list(enumerate(cells)))
    return sorted({s.cell for s in grade_cells.select(statements, own, set(exercises))})


def test_only_what_an_exercise_needs_is_run():
    cells = ["import numpy as np", "x = 3", "slow = train()", "def f():\n    return np.ones(x)"]
    assert chosen(cells, {3}) == [0, 1, 3]


def test_local_names_need_nothing():
    assert chosen(["h = train()", "def f(h):\n    x = h\n    return x"], {1}) == [1]


def test_what_changes_a_needed_table_is_run():
    cells = ["t = {}", "t['a'] = 1", "t.update(b=2)", "u = 1", "def f():\n    return t"]
    assert chosen(cells, {4}) == [0, 1, 2, 4]


def test_the_nearest_binding_is_the_one_that_is_meant():
    cells = ["a = train()", "a = 1", "f = make(a)", "a = train()"]
    assert chosen(cells, {2}) == [1, 2]


def test_a_changed_figure_is_left_alone_but_anything_else_is_run():
    cells = ["curve = train()", "import math", "plot(curve)", "math.pi", "def f():\n    pass"]
    assert chosen(cells, {2, 3, 4}) == [1, 3, 4]


def test_cells_are_read_as_ipython_reads_them():
    cells = ["%matplotlib inline", "%%time\nx = 1", "%%bash\nls", "def broken(:", "await y"]
    statements, broken = grade_cells.read(list(enumerate(cells)))
    assert [s.cell for s in statements] == [0, 1, 4]
    assert [b.cell for b in broken] == [3]


@pytest.fixture(scope="module")
def package():
    return grade.snapshot()


def run_cells(package, *cells, exercises=("cell_forward",), limits=LIMITS):
    numbered = list(enumerate(cells))
    return grade_run.Submission(
        numbered, set(range(len(cells))), list(exercises), package, limits
    ).run()


# With a function passed in, with a trial of its own, with a list of arrays.
REMOTE = ("numerical_gradient", "clip_gradients", "truncated_bptt")


def test_verdicts_are_those_of_the_official_check(package):
    """A sample of the known mistakes: every ninth."""
    head = (
        "import copy\nfrom utils.checks.registry import EXERCISES as E\n"
        "def wrap(w):\n    def fn(*a):\n        return w(*a)\n    return fn\n"
    )
    for name in REMOTE:
        picks = range(0, len(EXERCISES[name].mistakes), 9)
        cells = [head] + [
            f"{name} = wrap(copy.deepcopy(E['{name}'].mistakes[{k}].wrong))" for k in picks
        ]
        submission = grade_run.Submission(
            list(enumerate(cells)), set(range(len(cells))), [name], package, grade_run.Limits()
        )
        submission.run()
        for n, k in enumerate(picks):
            wrong = copy.deepcopy(EXERCISES[name].mistakes[k].wrong)
            expected = official(name, lambda *args, wrong=wrong: wrong(*args))
            got = submission.verdicts[name, n]
            assert (got.status, got.mistake) == (expected.status, expected.mistake)


def test_a_function_that_fails_is_replaced_for_what_follows(package):
    uses_it = (
        "def unroll(x, h0, U, V, b):\n    h, out = h0, []\n    for x_t in x:\n"
        "        h = cell_forward(x_t, h, U, V, b)\n        out.append(h)\n    return np.array(out)"
    )
    start = "import numpy as np\nfrom utils.checks import check\n"
    outcome = run_cells(
        package,
        start + WRONG + CHECK_IT,
        uses_it + "\n\nunroll = check(unroll)",
        exercises=("cell_forward", "unroll"),
    )
    assert [v.status for v in outcome.verdicts] == ["not yet", "passed"]


def test_a_submission_sees_neither_the_environment_nor_other_files(package, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    outcome = run_cells(
        package,
        "import os\nassert 'SECRET_TOKEN' not in os.environ\nassert os.listdir('.') == []\n"
        "open('mine.txt', 'w').write('x')\nassert input.__name__ == 'input'",
    )
    assert outcome.problems == []


def test_a_fork_does_not_go_on_as_the_submission(package):
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    fork = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n"
    body = "def cell_forward(x_t, h_prev, U, V, b):\n    return np.tanh(x_t @ U + h_prev @ V + b)"
    outcome = run_cells(package, fork + "import numpy as np\n" + body)
    assert outcome.verdicts[0].status == "passed"


def test_statements_that_ipython_allows(package):
    outcome = run_cells(
        package,
        "from __future__ import annotations\nimport asyncio",
        "await asyncio.sleep(0)\ndef cell_forward(x: NoSuchType, *others):\n    return 1",
    )
    assert outcome.problems == []
    assert outcome.verdicts[0].status == "not yet"


def test_a_submission_that_uses_up_its_time_is_stopped(package):
    sleeps = "import time\ntime.sleep(600)"
    limits = grade_run.Limits(submission=2.0)
    outcome = run_cells(package, sleeps, "def cell_forward(*a):\n    return 1", limits=limits)
    assert outcome.verdicts[0].mistake == "out of time"
