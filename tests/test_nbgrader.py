"""Lessons as nbgrader assignments. nbgrader itself is not needed here."""

import nbformat
import pytest

from utils.authoring import nbgrader
from utils.authoring.build import ROOT, lesson_names, registry
from utils.authoring.source import BEGIN, END

SOURCE = '''\
# %% [markdown]
# > **Exercise 0.1 · `add_bias`** · 3 minutes · difficulty ●●○

# %%
from utils.checks import answer, check


def add_bias(z, b):
    """z (B,H) plus b (H,)."""
    ### BEGIN SOLUTION
    return z + b
    ### END SOLUTION


add_bias = check(add_bias)

# %%
answer(
    "0.1",
    ### BEGIN SOLUTION
    "a",
    ### END SOLUTION
)

# %%
print(add_bias.__module__)
'''


@pytest.fixture
def cells():
    known = registry()._replace(questions=frozenset({"0.1"}))
    return nbgrader.assignment(SOURCE, "00_x", known).cells


def marked(cell):
    return cell.metadata.get("nbgrader")


def test_an_exercise_becomes_a_solution_cell_and_a_locked_one_with_points(cells):
    solution, test = [cell for cell in cells if marked(cell)]
    assert BEGIN in solution.source
    assert "check(add_bias)" not in solution.source
    assert marked(solution)["solution"]
    assert not marked(solution)["grade"]
    assert marked(test) == {
        "grade_id": "exercise-add-bias-test",
        "schema_version": 3,
        "solution": False,
        "grade": True,
        "locked": True,
        "task": False,
        "points": 2,
    }


def test_questions_are_stubs_without_points(cells):
    (question,) = [cell for cell in cells if "answer(" in cell.source]
    assert END not in question.source
    assert not marked(question)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("def add_bias(z, b):\n    return z + b", None),
        ("def add_bias(z, b):\n    return z - b", "add"),
        ("def add_bias(z, b):\n    raise NotImplementedError()", "not attempted"),
        ("", "run the cell that defines your add_bias"),
    ],
)
def test_what_the_locked_cell_says(cells, body, complaint):
    space = {"__name__": "__main__"}
    exec("from utils.checks.start_here import add_bias", space)  # as lessons import theirs
    exec(body, space)
    (test,) = [cell.source for cell in cells if (marked(cell) or {}).get("grade")]
    if complaint is None:
        exec(test, space)
        return
    with pytest.raises(AssertionError, match=complaint):
        exec(test, space)
    assert space["add_bias"](1.0, 2.0) == 3.0  # the rest of the notebook goes on with a right one


def test_every_lesson_can_go_there():
    for name in lesson_names(ROOT):
        text = (ROOT / "solutions" / f"{name}.py").read_text(encoding="utf-8")
        notebook = nbgrader.assignment(text, name, registry())
        nbformat.validate(notebook)
        settings = [marked(cell) for cell in notebook.cells if marked(cell)]
        assert len({s["grade_id"] for s in settings}) == len(settings)
        assert sum(s["grade"] for s in settings) == text.count("**Exercise ")


def test_the_command(tmp_path, capsys):
    assert nbgrader.main(["01", str(tmp_path)]) == 0
    path = tmp_path / "source" / "01_rnn_cell" / "01_rnn_cell.ipynb"
    assert capsys.readouterr().out.strip() == str(path)
    nbformat.validate(nbformat.read(path, as_version=4))
    assert nbgrader.main(["99", str(tmp_path)]) == 1
    assert "there is no lesson 99" in capsys.readouterr().err
