"""The build: from source text to notebooks, execution, and that nobody's changes are lost."""

import json
import re
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from utils.authoring import build as building
from utils.authoring.build import build, main, out_of_step
from utils.authoring.execution import execute, keep_volatile, merge_streams, verify
from utils.authoring.source import BuildError, Known, read_lesson

KNOWN = Known(frozenset({"double", "other_one"}), frozenset({"1.1"}))
EXECUTED_1 = "tests/executed/01_one.ipynb"

# Stands in for the check engine: same calls, same metadata on what is shown.
FAKE_CHECKS = """\
# %%
from IPython.display import display


def report(kind, name, status):
    metadata = {"workbook": {"kind": kind, "id": name, "status": status}}
    display({"text/plain": f"{name}: {status}, really"}, raw=True, metadata=metadata)


def check(fn):
    got = fn(2)
    status = "not attempted" if got is None else "passed" if got == 4 else "not yet"
    report("exercise", fn.__name__, status)
    return fn


def answer(number, value):
    status = "not attempted" if value is ... else "passed" if value == "b" else "not yet"
    report("question", number, status)
"""

EXERCISE = '''
# %%
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

double = check(double)
'''

QUESTION = """
# %%
answer(
    "1.1",
    ### BEGIN SOLUTION
    "b"
    ### END SOLUTION
)
"""

FULL = (
    "# %% [markdown]\n# # A lesson\n\n"
    + FAKE_CHECKS
    + EXERCISE
    + QUESTION
    + """
# %% tags=["nbval-ignore-output"]
import time
print(time.time_ns())

# %%
import os, sys
for i in range(50):
    print("out", i, flush=True)
    print("err", i, file=sys.stderr, flush=True)
display("between")
print(repr(os.environ["RNN_WORKBOOK_STATE"]), os.path.basename(os.getcwd()))
print(os.environ.get("MPLBACKEND"))

# %% tags=["nbval-ignore-output"]
import ipywidgets
print("still here")
display(ipywidgets.IntSlider())
"""
)


def lesson(body: str):
    return read_lesson(body, "01_one", KNOWN)


def sources(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells]


def make_root(folder: Path, **lessons: str) -> Path:
    (folder / "solutions").mkdir()
    for name, text in lessons.items():
        (folder / "solutions" / f"{name.removeprefix('_')}.py").write_text(text, encoding="utf-8")
    return folder


def stored(root: Path) -> dict[str, bytes]:
    """All built notebooks by path."""
    paths = sorted(root.rglob("*.ipynb"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def cell_of(notebook: bytes, text: str) -> NotebookNode:
    """The one cell whose source contains the text."""
    cells = nbformat.reads(notebook.decode(), as_version=4).cells
    (cell,) = [cell for cell in cells if text in cell.source]
    return cell


# From source text to two notebooks


def test_a_region_becomes_a_stub_for_the_learner_and_plain_code_in_the_solution():
    made = lesson(FAKE_CHECKS + EXERCISE + QUESTION)
    assert sources(made.learner)[1:] == [
        'def double(x):\n    """Twice x."""\n    ...\n\ndouble = check(double)',
        'answer(\n    "1.1",\n    ...\n)',
    ]
    assert sources(made.solved)[1:] == [
        'def double(x):\n    """Twice x."""\n    return 2 * x\n\ndouble = check(double)',
        'answer(\n    "1.1",\n    "b"\n)',
    ]


def test_each_region_of_a_cell_becomes_a_stub_at_its_own_indentation():
    made = lesson("""# %%
def double(x):
    ### BEGIN SOLUTION
    y = x
    # twice

    ### END SOLUTION
    if x:
        ### BEGIN SOLUTION
        return y + x
        ### END SOLUTION
    return 0
double = check(double)
""")
    assert sources(made.learner) == [
        "def double(x):\n    ...\n    if x:\n        ...\n    return 0\ndouble = check(double)"
    ]
    assert "### " not in sources(made.solved)[0]
    assert "    # twice\n\n    if x:" in sources(made.solved)[0]


def test_ids_are_fixed_unique_valid_and_the_same_in_both_notebooks():
    text = (
        FAKE_CHECKS + EXERCISE + QUESTION + 2 * "\n# %%\nx = 1\n" + "\n# %% [markdown]\n# x = 1\n"
    )
    made = lesson(text)
    ids = [cell.id for cell in made.solved.cells]
    assert ids == [cell.id for cell in made.learner.cells]
    assert ids == [cell.id for cell in lesson(text).solved.cells]
    assert ids[1:3] == ["exercise-double", "question-1-1"]
    assert re.fullmatch("[0-9a-f]{8}", ids[3])
    assert ids[4] == ids[3] + "-2"
    assert re.fullmatch("[0-9a-f]{8}", ids[5])
    assert ids[5] != ids[3]
    assert ids[3] != read_lesson(text, "02_two", KNOWN).solved.cells[3].id
    nbformat.validate(made.learner)
    nbformat.validate(made.solved)


def test_ids_do_not_change_with_the_solution_of_another_cell_or_a_new_cell_before():
    first = lesson(EXERCISE.lstrip() + "\n# %%\nx = 1\n")
    second = lesson("# %%\ny = 1\n" + EXERCISE.replace("2 * x", "x + x") + "\n# %%\nx = 1\n")
    assert [c.id for c in first.solved.cells] == [c.id for c in second.solved.cells][1:]


def test_only_tags_and_slides_stay_of_the_metadata():
    made = lesson("""# ---
# jupyter:
#   kernelspec: {name: other, display_name: Other, language: python}
# ---

# %% A title tags=["nbval-ignore-output"] slideshow={"slide_type": "slide"}
x = 1
# %% [markdown] tags=["wide"]
\"\"\"
Text
\"\"\"
""")
    assert [dict(cell.metadata) for cell in made.solved.cells] == [
        {"tags": ["nbval-ignore-output"], "slideshow": {"slide_type": "slide"}},
        {"tags": ["wide"]},
    ]
    assert made.learner.metadata == {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }


def test_the_tasks_of_a_lesson_are_given_by_cell_id():
    assert lesson(FAKE_CHECKS + EXERCISE + QUESTION).tasks == {
        "exercise-double": ("exercise", "double"),
        "question-1-1": ("question", "1.1"),
    }


def test_magics_and_comments_about_solutions_are_no_error():
    text = """# %%
# %matplotlib inline
!ls
# The solution
# A solution
# no solution
# at the end, solutions differ
x = 1  # begin with a solution
# %% [markdown]
# ## Solution
# A solution sits between `### BEGIN SOLUTION` and `### END SOLUTION`.
"""
    assert sources(lesson(text).learner)[0].startswith("%matplotlib inline\n!ls\n# The solution")


def exercise(*lines: str) -> str:
    """An exercise whose body is these lines."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"# %% [markdown]\n# Text\n\n# %%\ndef double(x):\n{body}double = check(double)\n"


OPEN, CLOSE = "### BEGIN SOLUTION", "### END SOLUTION"
CHECK = "double = check(double)\n"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (exercise(OPEN, "return 1"), 6, "not closed"),
        (exercise(OPEN, "return 1", OPEN, CLOSE), 8, "begins inside another"),
        (exercise("return 1", CLOSE), 7, "never opened"),
        (exercise("y = 1", OPEN, "", "# nothing", CLOSE), 7, "empty"),
        (exercise("### BEGIN SOLUTON", "return 1", CLOSE), 6, "misspelt"),
        (exercise("# BEGIN SOLUTION", "return 1", "# END SOLUTION"), 6, "misspelt"),
        (exercise(OPEN, "return 1", "### END SOLUTION ###"), 8, "misspelt"),
        (exercise(OPEN, "return 1", "###END SOLUTION"), 8, "misspelt"),
        (exercise(OPEN, "return 1", "### EDN SOLUTION"), 8, "misspelt"),
        (exercise("### begin solution", "return 1", CLOSE), 6, "misspelt"),
        (exercise("### BEGINSOLUTION", "return 1", CLOSE), 6, "misspelt"),
        (exercise(OPEN, "return 1  " + CLOSE), 7, "misspelt"),
        (exercise("return 1"), 5, "exercise double has no solution region"),
        (exercise(OPEN, "return 1)", CLOSE), 5, "the cell is not Python"),
        ('# %%\nanswer("1.1", "b")\n', 2, "question 1.1 has no solution region"),
        (f"# %%\n{OPEN}\nx = 1\n{CLOSE}\n", 2, "neither check nor answer"),
        (f"# %% [markdown]\n# Text\n#\n# {OPEN}\n", 4, "outside a code cell"),
        (f"# %% [raw]\n# a\n{OPEN}\n", 3, "outside a code cell"),
        (
            f"# %%\n{OPEN}\ndef double(x):\n    return 1\n{CLOSE}\ndouble = check(double)\n",
            2,
            "with its stub, the cell checks double but does not define it",
        ),
        (
            f"# %%\ndef double(x):\n    return 1\n{OPEN}\ndouble = check(double)\n{CLOSE}\n",
            4,
            "the call of check or answer is inside",
        ),
        (
            f"# %%\ndef double(x):\n    return (\n{OPEN}\n1 +\n{CLOSE}\n1)\n" + CHECK,
            2,
            "with its stub, the cell is not Python",
        ),
        (EXERCISE.replace("double = check(double)", "check(double)"), 3, "name = check(name)"),
        (EXERCISE.replace("double = check(double)", "twice = check(double)"), 3, "name = check"),
        (EXERCISE.replace("def double", "def triple"), 3, "does not define it"),
        (EXERCISE + "other_one = check(other_one)\n", 3, "called again"),
        (EXERCISE.replace("double", "unheard_of"), 3, "exercise unheard_of is not known"),
        (QUESTION.replace("1.1", "9.9"), 3, "question 9.9 is not known"),
        (QUESTION.replace('"1.1"', "1.1"), 3, 'answer("3.2", value)'),
        (EXERCISE + EXERCISE, 12, "exercise double is in an earlier cell already"),
        ("# %% tag=['a']\nx = 1\n", 1, "header is not understood (tag: ['a'])"),
        ("# %% tags=[a]\nx = 1\n", 1, "header is not understood"),
        ("# %% [Markdown]\n# x\n", 1, "header is not understood (title: [Markdown])"),
        ("import os\n\n# %%\nx = 1\n", 1, "before the first cell"),
    ],
)
def test_what_stops_the_build_is_named_with_file_cell_line_and_reason(text, line, reason):
    with pytest.raises(BuildError) as caught:
        lesson(text)
    message = str(caught.value)
    assert message.startswith("solutions/01_one.py, ")
    assert f"line {line}: " in message
    assert reason in message
    assert "cell" in message


def test_the_message_names_the_cell_by_number_and_first_line():
    with pytest.raises(BuildError, match=re.escape("cell 2 (def double(x):), line 6: ")):
        lesson(exercise(OPEN, "return 1"))


def test_line_numbers_hold_after_a_header_a_string_with_a_cell_mark_and_blank_lines():
    text = '# ---\n# a: b\n# ---\n\n# %%\ns = """\n# %% no cell\n"""\n\n\n' + exercise(CLOSE)
    wrong = text.split("\n").index("    " + CLOSE) + 1
    with pytest.raises(BuildError, match=f"cell 3 .*, line {wrong}: .* never opened"):
        lesson(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no cell"), ("\n\n", "no cell"), ('# %% tags="a"\nx = 1\n', "cell header gives")],
)
def test_a_source_without_cells_or_with_impossible_tags_is_named(text, reason):
    with pytest.raises(BuildError, match=f"^solutions/01_one.py: .*{reason}"):
        lesson(text)


# Executed notebooks


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A root with two lessons, as it is after the first build and after lesson 1 is built again."""
    root = make_root(tmp_path_factory.mktemp("root"), _01_one=FULL, _02_two=FAKE_CHECKS + EXERCISE)
    results, files = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "agg")
        patch.setenv("RNN_WORKBOOK_STATE", "the author's own")
        for names in [], ["01"]:
            results.append(build(root, names, KNOWN))
            files.append(stored(root))
    return types.SimpleNamespace(root=root, results=results, files=files)


def test_the_three_notebooks_of_every_lesson_are_built(built):
    assert [(path, verb) for path, verb, _ in built.results[0]] == [
        ("notebooks/01_one.ipynb", "written"),
        ("tests/executed/01_one.ipynb", "written"),
        ("solutions/01_one.ipynb", "written"),
        ("notebooks/02_two.ipynb", "written"),
        ("tests/executed/02_two.ipynb", "written"),
        ("solutions/02_two.ipynb", "written"),
    ]
    assert all(seconds > 0 for _, _, seconds in built.results[0])
    assert set(built.files[0]) == {path for path, _, _ in built.results[0]}


def test_executed_anew_the_files_are_the_same_byte_for_byte_timings_too(built):
    assert [(path, verb) for path, verb, _ in built.results[1]] == [
        ("notebooks/01_one.ipynb", "unchanged"),
        ("tests/executed/01_one.ipynb", "unchanged"),
        ("solutions/01_one.ipynb", "unchanged"),
    ]
    assert built.files[1] == built.files[0]
    assert int(cell_of(built.files[0][EXECUTED_1], "time_ns").outputs[0].text) > 0


def test_a_learners_notebook_is_as_if_nobody_had_run_it(built):
    for name in "01_one", "02_two":
        unrun, executed = (
            nbformat.reads(built.files[0][f"{folder}/{name}.ipynb"].decode(), as_version=4)
            for folder in ("notebooks", "tests/executed")
        )
        for cell, run in zip(unrun.cells, executed.cells, strict=True):
            assert (cell.source, cell.id, cell.metadata) == (run.source, run.id, run.metadata)
            if cell.cell_type == "code":
                assert (cell.outputs, cell.execution_count) == ([], None)
                assert run.execution_count
                assert "jupyter" not in cell.metadata


def test_the_stored_reports_are_passed_in_the_solution_and_not_attempted_for_the_learner(built):
    for path, status in (
        ("solutions/01_one.ipynb", "passed"),
        (EXECUTED_1, "not attempted"),
    ):
        for text, name in ("check(double)", "double"), ('"1.1"', "1.1"):
            (output,) = cell_of(built.files[0][path], text).outputs
            assert output.data["text/plain"] == f"{name}: {status}, really"


def test_streams_are_in_one_piece_each_between_other_outputs(built):
    outputs = cell_of(built.files[0][EXECUTED_1], "range(50)").outputs
    assert [o.get("name", o.output_type) for o in outputs] == [
        "stdout",
        "stderr",
        "display_data",
        "stdout",
    ]
    assert outputs[0].text == "".join(f"out {i}\n" for i in range(50))
    assert outputs[1].text == "".join(f"err {i}\n" for i in range(50))


def test_cells_run_in_the_notebooks_folder_with_its_figures_and_progress_in_memory(built):
    for folder in "tests/executed", "solutions":
        outputs = cell_of(built.files[0][f"{folder}/01_one.ipynb"], "range(50)").outputs
        state_and_folder, backend = outputs[-1].text.splitlines()
        assert state_and_folder == f"'' {Path(folder).name}"
        assert backend != "agg"


def test_widgets_versions_and_times_are_not_stored(built):
    for content in built.files[0].values():
        notebook = json.loads(content)
        assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
        assert notebook["metadata"]["language_info"] == {"name": "python"}
        assert all(set(cell["metadata"]) <= {"tags"} for cell in notebook["cells"])
        assert b"widget-view" not in content
    outputs = cell_of(built.files[0][EXECUTED_1], "IntSlider").outputs
    assert [output.get("text") for output in outputs] == ["still here\n"]


def test_the_files_are_valid_and_as_nbformat_writes_them(built):
    for path, content in built.files[0].items():
        notebook = nbformat.reads(content.decode(), as_version=4)
        nbformat.validate(notebook)
        assert nbformat.writes(notebook) + "\n" == content.decode()
        counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
        unrun = path.startswith("notebooks/")
        assert counts == [None if unrun else n for n in range(1, len(counts) + 1)]


def test_pieces_of_a_stream_in_any_order_give_the_same():
    def outputs(*pieces):
        return [
            new_output("stream", name=name, text=text)
            if text
            else new_output("display_data", data={"text/plain": name})
            for name, text in pieces
        ]

    one = outputs(("stdout", "a"), ("stderr", "x"), ("stdout", "b"), ("d", ""), ("stdout", "c"))
    two = outputs(("stderr", "x"), ("stdout", "ab"), ("d", ""), ("stdout", "c"))
    assert merge_streams(one) == merge_streams(two)
    assert [o.get("text") for o in merge_streams(one)] == ["ab", "x", None, "c"]


def test_a_failing_cell_is_named_and_not_even_the_other_lesson_is_written(tmp_path):
    failing = FAKE_CHECKS + "\n# %%\nx = 1\n\n# %%\nprint(5)\n1 / 0\n"
    root = make_root(tmp_path, _01_one="# %% [markdown]\n# Text\n", _02_two=failing)
    with pytest.raises(BuildError) as caught:
        build(root, [], KNOWN)
    assert str(caught.value) == (
        "tests/executed/02_two.ipynb, cell 3 (print(5)): ZeroDivisionError: division by zero"
    )
    assert stored(root) == {}
    assert not (root / ".build").exists()


def test_a_cell_that_takes_too_long_is_named(tmp_path):
    notebook = new_notebook(cells=[new_code_cell("import time"), new_code_cell("time.sleep(60)")])
    with pytest.raises(BuildError, match=r"cell 2 \(time.sleep\(60\)\): took longer than 1 s"):
        execute(notebook, tmp_path, timeout=1)


def test_a_cell_that_kills_the_kernel_is_named(tmp_path):
    notebook = new_notebook(cells=[new_code_cell("import os; os._exit(1)")])
    with pytest.raises(BuildError, match=r"cell 1 \(import os; os._exit\(1\)\): the kernel died"):
        execute(notebook, tmp_path)


def report(name: str, status: str, kind: str = "exercise") -> NotebookNode:
    """What check shows, as it stands in an executed notebook."""
    metadata = {"workbook": {"kind": kind, "id": name, "status": status}}
    data = {"text/plain": f"{name}: {status}, really"}
    return new_output("display_data", data=data, metadata=metadata)


@pytest.mark.parametrize("status", ["passed", "not attempted"])
@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([], ["double"], None),
        ([], [], "exercise double shows 0 reports, not one"),
        ([], ["double", "double"], "exercise double shows 2 reports, not one"),
        ([], ["other_one"], "expected the report"),
        (["double"], ["double"], "cell 1 (x = 1): shows a report, but the source has no exercise"),
    ],
)
def test_each_exercise_and_no_other_cell_must_show_one_report(first, second, message, status):
    made = lesson("# %%\nx = 1\n" + EXERCISE)
    for cell, names in zip(made.learner.cells, (first, second), strict=True):
        cell.outputs = [report(name, status) for name in names]
    if message is None:
        verify(made.learner, made.tasks, status)
    else:
        with pytest.raises(BuildError, match=re.escape(message)):
            verify(made.learner, made.tasks, status)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("passed", "not yet"),
        ("passed", "not attempted"),
        ("not attempted", "not yet"),
        ("not attempted", "passed"),
    ],
)
def test_a_report_with_another_status_is_named_and_quoted(wanted, got):
    made = lesson(EXERCISE)
    made.solved.cells[0].outputs = [report("double", got)]
    with pytest.raises(BuildError) as caught:
        verify(made.solved, made.tasks, wanted)
    message = str(caught.value)
    assert message.startswith("cell 1 (def double(x):): expected the report")
    assert message.index(f"'status': '{wanted}'") < message.index(f"'status': '{got}'")
    assert message.endswith(f"\ndouble: {got}, really")


# Nothing is lost. These need no kernel: the lessons have no code.


@pytest.fixture
def no_kernel(monkeypatch):
    """Lessons of Markdown only, so that nothing has to be executed; gives the paths executed."""
    executed = []
    monkeypatch.setattr(building, "execute", lambda notebook, folder: executed.append(folder.name))
    return executed


@pytest.fixture
def plain(tmp_path, no_kernel):
    return make_root(
        tmp_path, _01_one="# %% [markdown]\n# One\n", _02_two="# %% [markdown]\n# Two\n"
    )


def git(root: Path, *arguments: str) -> None:
    settings = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *arguments], cwd=root, check=True, capture_output=True)


def commit_all(root: Path) -> None:
    git(root, "init")
    git(root, "add", "--all")
    git(root, "commit", "-m", "x")


def add_work(root: Path, path: str = "notebooks/01_one.ipynb") -> bytes:
    """What a learner does: the notebook on disk gets another cell."""
    notebook = nbformat.read(root / path, as_version=4)
    notebook.cells.append(new_code_cell("my_work = 1"))
    nbformat.write(notebook, root / path)
    return (root / path).read_bytes()


def edit_source(root: Path) -> None:
    (root / "solutions" / "01_one.py").write_text("# %% [markdown]\n# One, better\n")


def test_a_notebook_as_last_built_is_written_over_without_git(plain):
    build(plain, [], KNOWN)
    edit_source(plain)
    assert [verb for _, verb, _ in build(plain, [], KNOWN)] == 3 * ["written"] + 3 * ["unchanged"]
    assert b"One, better" in (plain / "notebooks/01_one.ipynb").read_bytes()


def test_a_notebook_as_last_committed_is_written_over_without_a_manifest(plain):
    build(plain, [], KNOWN)
    (plain / ".build/manifest.json").unlink()
    work = add_work(plain)
    commit_all(plain)
    edit_source(plain)
    build(plain, [], KNOWN)
    assert (plain / "notebooks/01_one.ipynb").read_bytes() != work


def test_line_ends_that_git_changed_are_no_change(plain):
    build(plain, [], KNOWN)
    (plain / ".build/manifest.json").unlink()
    commit_all(plain)
    for path, content in stored(plain).items():
        (plain / path).write_bytes(content.replace(b"\n", b"\r\n"))
    build(plain, [], KNOWN)
    assert not any(b"\r" in content for content in stored(plain).values())


def test_committed_works_in_a_folder_of_a_repository(plain, tmp_path):
    build(plain, [], KNOWN)
    (plain / ".build/manifest.json").unlink()
    inner = tmp_path / "inner"
    inner.mkdir()
    for folder in "notebooks", "solutions", "tests":
        (plain / folder).rename(inner / folder)
    commit_all(tmp_path)
    assert len(build(inner, [], KNOWN)) == 6


@pytest.mark.parametrize("repository", [True, False])
@pytest.mark.parametrize(
    "path", ["notebooks/01_one.ipynb", "tests/executed/01_one.ipynb", "solutions/02_two.ipynb"]
)
def test_changed_notebooks_stop_the_build_before_anything_is_executed_or_written(
    plain, no_kernel, repository, path
):
    build(plain, [], KNOWN)
    if repository:
        commit_all(plain)
    add_work(plain, path)
    edit_source(plain)
    before = stored(plain)
    no_kernel.clear()
    with pytest.raises(BuildError) as caught:
        build(plain, [], KNOWN)
    assert f"  {path}\n" in str(caught.value)
    assert str(caught.value).count(".ipynb") == 1
    assert "Commit them, move them away, or delete them" in str(caught.value)
    assert stored(plain) == before
    assert no_kernel == []


@pytest.mark.parametrize("manifest", [None, "[1]", "{"])
def test_a_notebook_of_unknown_origin_is_not_written_over(plain, manifest):
    build(plain, [], KNOWN)
    if manifest is None:
        (plain / ".build/manifest.json").unlink()
    else:
        (plain / ".build/manifest.json").write_text(manifest)
    with pytest.raises(BuildError, match=r"notebooks/01_one\.ipynb"):
        build(plain, [], KNOWN)


def test_without_the_git_command_a_changed_notebook_is_not_written_over(plain, monkeypatch):
    build(plain, [], KNOWN)
    commit_all(plain)
    monkeypatch.setenv("PATH", "")
    build(plain, [], KNOWN)
    add_work(plain)
    with pytest.raises(BuildError, match=r"notebooks/01_one\.ipynb"):
        build(plain, [], KNOWN)


def test_work_saved_while_the_build_executes_is_kept(plain, monkeypatch):
    build(plain, [], KNOWN)
    edit_source(plain)
    saved = []
    monkeypatch.setattr(
        building,
        "execute",
        lambda *_: saved or saved.append(add_work(plain, "notebooks/02_two.ipynb")),
    )
    monkeypatch.setattr(building, "AT_A_TIME", 1)
    with pytest.raises(BuildError, match=r"notebooks/02_two\.ipynb"):
        build(plain, [], KNOWN)
    assert (plain / "notebooks/02_two.ipynb").read_bytes() == saved[0]
    assert b"better" not in (plain / "notebooks/01_one.ipynb").read_bytes()


def test_another_lesson_builds_beside_a_changed_notebook(plain):
    build(plain, [], KNOWN)
    work = add_work(plain)
    assert len(build(plain, ["02_two"], KNOWN)) == 3
    assert (plain / "notebooks/01_one.ipynb").read_bytes() == work


def test_no_part_of_a_file_is_left_behind(plain):
    build(plain, [], KNOWN)
    files = {path.relative_to(plain).as_posix() for path in plain.rglob("*") if path.is_file()}
    lessons = "01_one", "02_two"
    names = [f"{folder}/{name}.ipynb" for folder in building.FOLDERS for name in lessons]
    sources = ["solutions/01_one.py", "solutions/02_two.py"]
    assert files == {*names, *sources, ".build/manifest.json"}


# Timings


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """A built root with a volatile cell; each execution of a cell gives another number."""
    numbers = iter(range(1000))

    def execute(notebook, folder):
        for cell in notebook.cells:
            count = cell.execution_count = len(notebook.cells)
            data = {"text/plain": str(next(numbers))}
            cell.outputs = [new_output("execute_result", data, execution_count=count)]

    monkeypatch.setattr(building, "execute", execute)
    root = make_root(tmp_path, _01_one='# %%\nx\n# %% tags=["nbval-ignore-output"]\ntime\n')
    build(root, [], KNOWN)
    return root


def outputs_of(root: Path, text: str) -> list:
    return cell_of((root / EXECUTED_1).read_bytes(), text).outputs


def test_only_a_volatile_cell_keeps_its_outputs(timed):
    plain, volatile = outputs_of(timed, "x"), outputs_of(timed, "time")
    build(timed, [], KNOWN)
    assert outputs_of(timed, "time") == volatile
    assert outputs_of(timed, "x") != plain


def test_a_volatile_cell_gets_new_outputs_when_asked(timed):
    before = outputs_of(timed, "time")
    build(timed, [], KNOWN, fresh=True)
    assert outputs_of(timed, "time") != before


def test_a_volatile_cell_gets_new_outputs_when_its_source_changes(timed):
    before = outputs_of(timed, "time")
    source = timed / "solutions" / "01_one.py"
    source.write_text(source.read_text().replace("time", "time2"))
    build(timed, [], KNOWN)
    assert outputs_of(timed, "time2") != before


def test_a_volatile_exercise_gets_new_outputs_when_its_source_changes():
    """Its id stays the same."""
    volatile = EXERCISE.replace("# %%", '# %% tags=["nbval-ignore-output"]')
    old, new = (
        lesson(FAKE_CHECKS + volatile.replace("2 * x", solution)).solved
        for solution in ("2 * x", "x + x")
    )
    old.cells[1].outputs = [report("double", "passed")]
    keep_volatile(new, old)
    assert new.cells[1].id == old.cells[1].id
    assert new.cells[1].outputs == []


def test_kept_outputs_are_numbered_as_their_cell(timed):
    before = outputs_of(timed, "time")
    source = timed / "solutions" / "01_one.py"
    source.write_text("# %%\nnew\n" + source.read_text())
    build(timed, [], KNOWN)
    (output,) = outputs_of(timed, "time")
    assert output.data == before[0].data
    assert output.execution_count == 3


# The command line


@pytest.fixture
def fake_registry(monkeypatch):
    module = types.ModuleType("utils.checks.registry")
    module.EXERCISES, module.QUESTIONS = {"double": None}, {"1.1": None}
    monkeypatch.setitem(sys.modules, "utils.checks.registry", module)


@pytest.mark.usefixtures("fake_registry")
def test_the_command_prints_a_line_for_each_notebook(plain, capsys):
    assert main(["01", "02_two"], plain) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert re.fullmatch(r"notebooks/01_one.ipynb  written  \d+\.\d s", lines[0])
    before = (plain / "notebooks/02_two.ipynb").stat().st_mtime_ns
    assert main(["02"], plain) == 0
    assert re.match(r"notebooks/02_two.ipynb  unchanged  \d", capsys.readouterr().out)
    assert (plain / "notebooks/02_two.ipynb").stat().st_mtime_ns == before


def make_unreadable(root: Path) -> None:
    (root / "notebooks/01_one.ipynb").unlink()
    (root / "notebooks/01_one.ipynb").mkdir()


@pytest.mark.usefixtures("fake_registry")
@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (add_work, [], "  notebooks/01_one.ipynb\n"),
        (make_unreadable, [], "01_one.ipynb"),
        (
            lambda root: (root / "solutions/01_one.py").write_bytes(b"# %%\n'\xff'\n"),
            [],
            "solutions/01_one.py: not UTF-8",
        ),
        (lambda root: None, ["07"], "there is no lesson 07; the lessons are: 01_one, 02_two"),
        (
            lambda root: (root / "solutions/01_one.py").write_text("# %%\n" + EXERCISE[:-23]),
            ["01"],
            "solutions/01_one.py, cell 2 (def double(x):), line ",
        ),
    ],
)
def test_the_command_gives_one_message_and_status_1(plain, capsys, spoil, arguments, message):
    build(plain, [], KNOWN)
    spoil(plain)
    assert main(arguments, plain) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("The build stopped.\n")
    assert message in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.usefixtures("fake_registry")
def test_no_lessons_is_an_error(tmp_path, capsys):
    assert main([], tmp_path) == 1
    assert "there is no lesson" in capsys.readouterr().err
    assert out_of_step(tmp_path) == ["there is no lesson: no file solutions/NN_name.py"]


# In step


def change(root: Path, path: str, edit) -> None:
    notebook = nbformat.read(root / path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, root / path)


def test_freshly_built_notebooks_are_in_step_whatever_their_outputs(built):
    assert out_of_step(built.root, KNOWN) == []


@pytest.mark.parametrize(
    ("edit", "difference"),
    [
        (lambda nb: nb.cells[0].update(source="x"), "cell 1 (One): differs in source"),
        (lambda nb: nb.cells[0].update(id="x"), "cell 1 (One): differs in id"),
        (lambda nb: nb.cells[0].metadata.update(tags=["x"]), "cell 1 (One): differs in metadata"),
        (lambda nb: nb.cells.append(new_code_cell("")), "has 2 cells, its source gives 1"),
        (lambda nb: nb.metadata.update(widgets={}), "the notebook's metadata differ"),
    ],
)
def test_each_difference_is_named(plain, edit, difference):
    build(plain, [], KNOWN)
    change(plain, "solutions/01_one.ipynb", edit)
    (found,) = out_of_step(plain, KNOWN)
    assert found.startswith("solutions/01_one.ipynb")
    assert found.endswith(difference)


@pytest.mark.parametrize(
    "run", [{"execution_count": 1}, {"outputs": [new_output("stream", text="2")]}]
)
def test_a_learners_notebook_that_was_run_is_named(tmp_path, monkeypatch, run):
    monkeypatch.setattr(building, "execute", lambda notebook, folder: None)
    root = make_root(tmp_path, _01_one="# %%\nprint(2)\n")
    build(root, [], KNOWN)
    for folder in building.FOLDERS:
        change(root, f"{folder}/01_one.ipynb", lambda nb: nb.cells[0].update(run))
    (found,) = out_of_step(root, KNOWN)
    assert found == "notebooks/01_one.ipynb, cell 1 (print(2)): has been run"


def test_missing_orphaned_unreadable_and_unbuildable_are_named(plain):
    build(plain, [], KNOWN)
    (plain / "notebooks/01_one.ipynb").unlink()
    (plain / "solutions/01_one.ipynb").write_text("{}")
    (plain / "solutions/02_two.py").write_text("# %%\n(\n")
    (plain / "notebooks/03_three.ipynb").write_bytes(b"")
    (plain / "notebooks/02_two-Copy1.ipynb").write_bytes(b"")
    (plain / "notebooks/mine.ipynb").write_bytes(b"")
    missing, unreadable, unbuildable, orphan = out_of_step(plain, KNOWN)
    assert missing == "notebooks/01_one.ipynb: missing; run the build"
    assert unreadable == "solutions/01_one.ipynb: can't be read as a notebook"
    assert unbuildable.startswith("solutions/02_two.py, cell 1 ((), line 2: the cell is not Python")
    assert orphan == "notebooks/03_three.ipynb: there is no source 03_three.py"
