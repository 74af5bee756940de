"""Every notebook in JupyterLab: as it is found, and run from top to bottom."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import PATIENCE
from tests.test_notebooks import expected
from utils.authoring.build import ROOT, lesson_names
from utils.authoring.figures import figure_in

LESSONS = lesson_names(ROOT)[::-1]  # the long ones first
IN_WIDGETS = ".widget-output [data-mime-type='application/vnd.jupyter.{}']"
AS_TEXT = re.compile(r"</?(div|p|table|tr|td|span|strong|code|details|summary|img)\b|style=")


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_before_anything_is_run(open_notebook, name):
    """No output, no number before a cell, no HTML to be read as text."""
    notebook = open_notebook(f"notebooks/{name}.ipynb")
    page, cells = notebook.page, notebook.cells()
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(cells), timeout=1000 * PATIENCE)
    assert page.locator(".jp-OutputArea-child, .jp-OutputPlaceholder").count() == 0
    code = sum(cell["cell_type"] == "code" for cell in cells)
    assert page.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents() == code * ["[ ]:"]
    prose = page.locator(".jp-MarkdownOutput").all_text_contents()
    assert len(prose) == len(cells) - code
    assert [text for text in prose if AS_TEXT.search(text)] == []


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_as_a_learner_finds_it(open_notebook, name):
    """All cells run; every exercise says "not attempted"; every slider moves its figure."""
    notebook = open_notebook(f"notebooks/{name}.ipynb")
    run_whole(notebook, dict.fromkeys(expected(name), "not attempted"))

    source = (ROOT / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    sliders = notebook.sliders()
    assert notebook.page.locator(".widget-interact").count() == source.count("interact(")
    assert len(sliders) == source.count("Slider(")
    assert notebook.cut_labels() == []
    for slider in sliders:
        notebook.move(slider)
    for kind in ("error", "stderr"):
        assert notebook.page.locator(IN_WIDGETS.format(kind)).count() == 0


@pytest.mark.parametrize("name", LESSONS)
def test_a_solved_lesson(open_notebook, name):
    """All cells run; every exercise says "passed"."""
    notebook = open_notebook(f"solutions/{name}.ipynb")
    run_whole(notebook, dict.fromkeys(expected(name), "passed"))


def run_whole(notebook, verdicts):
    """Run all cells: there is no error, and the reports are these, in the file and on the page."""
    notebook.run_all()
    assert notebook.errors() == []
    assert notebook.not_run() == []
    assert notebook.verdicts() == verdicts
    figures = [output for output in notebook.outputs() if figure_in(output)]
    moved = notebook.page.locator(".widget-interact").count()
    assert all(len(alt) > 30 for alt in notebook.descriptions(len(figures) + moved))
    for cell in notebook.cells():
        if cell["id"].startswith(("exercise-", "question-")):
            (status,) = set(verdicts.values())
            notebook.see(cell["id"], status)
