"""The notebooks in this repository: in step with their sources, and complete as lessons.

That their outputs are what the cells print is for nbval to say.
"""

import re
from itertools import pairwise

import nbformat
import pytest

from utils.authoring.build import ROOT, lesson_names, out_of_step
from utils.authoring.figures import figure_in
from utils.checks.registry import EXERCISES, LESSONS, QUESTIONS

NAMES = lesson_names(ROOT)
CARD = re.compile(
    r"> \*\*Exercise (\d\.\d) · `(\w+)`\*\* · (\d+) minutes · difficulty (●○○|●●○|●●●)\n"
    r"(> .*\n|>\n)*> \*What for:\*(> .*\n|>\n|.*\n)*> \*Stuck\?\*"
)


def read(folder, name):
    return nbformat.read(ROOT / folder / f"{name}.ipynb", as_version=4)


def verdicts(notebook):
    """{(kind, id): status} as displayed."""
    shown = [o for c in notebook.cells for o in c.get("outputs", ()) if "metadata" in o]
    found = [o["metadata"]["workbook"] for o in shown if "workbook" in o["metadata"]]
    return {(v["kind"], v["id"]): v["status"] for v in found}


def expected(name):
    """The exercises and questions of a lesson, by the number in its name."""
    exercises = {("exercise", e.name) for e in EXERCISES.values() if e.number[0] == name[1]}
    return exercises | {("question", number) for number in QUESTIONS if number[0] == name[1]}


def test_the_notebooks_equal_a_rebuild_of_their_sources():
    assert out_of_step(ROOT) == []


@pytest.mark.parametrize(
    ("folder", "status"),
    [("notebooks", None), ("tests/executed", "not attempted"), ("solutions", "passed")],
)
@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_and_question_is_in_its_lesson(name, folder, status):
    """A report each; none in notebooks/, which nobody has run."""
    tasks = expected(name) if status else ()
    assert verdicts(read(folder, name)) == dict.fromkeys(tasks, status)


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_a_card_and_three_hints(name):
    cells = read("notebooks", name).cells
    for before, cell in pairwise(cells):
        if not cell.id.startswith("exercise-"):
            continue
        function = re.search(r"= check\((\w+)\)", cell.source)[1]
        card = CARD.search(before.source)
        assert card, f"no card before {function}"
        assert (card[1], card[2]) == (EXERCISES[function].number, function)
        assert [f"Hint {n}" in before.source for n in (1, 2, 3, 4)] == [True] * 3 + [False]


@pytest.mark.parametrize("name", NAMES)
def test_the_minutes_of_the_sections_add_up(name):
    cells = read("notebooks", name).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    minutes = sum(map(int, re.findall(r"^## .* · (\d+) minutes?$", text, re.MULTILINE)))
    stated = re.search(r"\*\*(\d+) minutes\*\*", text)
    assert minutes == int(stated[1])


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_says_what_it_shows(name):
    for cell in read("solutions", name).cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            assert not any(kind.startswith("image/") for kind in data), f"plots.show: {cell.source}"
            if "<img" in data.get("text/html", ""):
                assert len(figure_in(output).alt) > 30, cell.source


@pytest.mark.parametrize("name", NAMES)
def test_links_between_lessons_lead_somewhere(name):
    for cell in read("notebooks", name).cells:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", cell.source):
            if cell.cell_type == "markdown":
                assert (ROOT / "notebooks" / target).exists(), target


@pytest.mark.parametrize("name", NAMES)
def test_every_lesson_asks_before_it_tells(name):
    assert sum(number[0] == name[1] for number in QUESTIONS) >= 2


def test_every_lesson_has_its_place_in_the_registry():
    assert {name[1] for name in NAMES} <= {title[0] for title in LESSONS}
