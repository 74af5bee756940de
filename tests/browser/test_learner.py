"""What a learner does: types an answer, reads the report, opens a hint, with mouse and keyboard."""

import re

from playwright.sync_api import expect

from utils.authoring.figures import figure_in
from utils.checks.cell import CELL_FORWARD

LESSON_0, LESSON_1 = "notebooks/00_start_here.ipynb", "notebooks/01_rnn_cell.ipynb"
LESSON_2 = "notebooks/02_sequence_unrolling.ipynb"
EXERCISE = "exercise-cell-forward"


def test_exercise_1_1_first_wrong_then_right(open_notebook):
    """The report names the mistake, then says "passed"; lesson 0 remembers it."""
    (mistake,) = (m for m in CELL_FORWARD.mistakes if m.name == "V transposed")
    notebook = open_notebook(LESSON_1)
    notebook.run_all()
    notebook.see(EXERCISE, "○ not attempted")
    notebook.type_over_the_dots(EXERCISE, "return np.tanh(x_t @ U + h_prev @ V.T + b)")
    notebook.see(EXERCISE, "✗ not yet")
    notebook.see(EXERCISE, mistake.hint)
    notebook.replace_line(EXERCISE, "return", "return np.tanh(x_t @ U + h_prev @ V + b)")
    notebook.see(EXERCISE, "✓ passed")
    notebook.save()

    notebook = open_notebook(LESSON_0)
    for run in (notebook.run_all, notebook.restart_and_run_all):
        run()
        for row, status in (("1.1 cell_forward", "✓ passed"), ("1.2 readout", "○ not attempted")):
            expect(notebook.page.get_by_role("row", name=row)).to_contain_text(status)
        expect(notebook.page.get_by_text(re.compile(r"^1 of \d+ exercises passed"))).to_be_visible()


def test_sliders_in_a_notebook_that_is_opened_again(open_notebook):
    """The figures before it are there, and above what is left of it stands what to do."""
    notebook = open_notebook(LESSON_2)
    notebook.run_all()
    figures = [output for output in notebook.outputs() if figure_in(output)]
    notebook.save()
    notebook.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    notebook = open_notebook(LESSON_2)
    expect(notebook.page.get_by_text("Error displaying widget").first).to_be_visible()
    expect(notebook.page.get_by_text("After a restart, run it again")).to_be_visible()
    assert all(notebook.descriptions(len(figures)))


def test_slips_are_answered_in_plain_words(open_notebook):
    """A letter without quotes; a line typed over the stub at the left margin."""
    notebook = open_notebook(LESSON_1)
    question = next(c["id"] for c in notebook.cells() if c["id"].startswith("question-"))
    notebook.press_until("Shift+Enter", question)
    notebook.replace_line(question, "...", "a")
    notebook.see(question, "Write your letter in quotes")
    notebook.dots(EXERCISE).click(click_count=3)
    notebook.page.keyboard.type("return np.tanh(x_t @ U + h_prev @ V + b)")
    notebook.page.keyboard.press("Shift+Enter")
    notebook.see(EXERCISE, "stands outside your function: put four spaces in front of it.")


def test_a_hint_opens_with_the_mouse(open_notebook):
    notebook = open_notebook(LESSON_1)
    text = notebook.page.locator("details").get_by_text("The three parts printed above")
    summary = notebook.page.locator("summary", has_text="Hint 1: what to look at").first
    summary.scroll_into_view_if_needed()
    expect(text).to_be_hidden()
    summary.click()
    expect(text).to_be_visible()


def test_a_hint_opens_with_the_keyboard(open_notebook):
    """The arrow keys to the exercise's card, Tab to its second hint, Enter."""
    notebook = open_notebook(LESSON_0)
    ids = [cell["id"] for cell in notebook.cells()]
    card = ids[ids.index("exercise-add-bias") - 1]
    notebook.press_until("ArrowDown", card)
    text = notebook.cell(card).get_by_text("result[i, j] = z[i, j] + b[j]")
    expect(text).to_be_hidden()
    summary = notebook.cell(card).locator("summary", has_text="Hint 2: the formula")
    tab_to(notebook, summary)
    notebook.page.keyboard.press("Enter")
    expect(text).to_be_visible()


def tab_to(notebook, element, at_most=30):
    """Press Tab until the element has the focus."""
    for _ in range(at_most):
        notebook.page.keyboard.press("Tab")
        if element.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError("Tab does not get there")


def test_the_first_lesson_without_a_mouse(open_notebook):
    """From the opened notebook: Shift+Enter from cell to cell, Enter to write, Shift+Enter."""
    notebook = open_notebook(LESSON_0)
    keyboard = notebook.page.keyboard
    for id, downs, text, seen in (
        ("question-0-1", 2, '"b"', "✓ passed"),
        ("exercise-add-bias", 2, "return z - b", "✗ not yet"),
    ):
        notebook.press_until("Shift+Enter", id)
        keyboard.press("Enter")
        for _ in range(downs):
            keyboard.press("ArrowDown")
        notebook.type_over(text)
        notebook.see(id, seen)
    keyboard.press("ArrowUp")
    notebook.press_until("ArrowUp", "exercise-add-bias")
    keyboard.press("Enter")
    notebook.type_over("return z + b")
    notebook.see("exercise-add-bias", "✓ passed")
    assert notebook.errors() == []
