"""Two slips in a real kernel: a letter without quotes, a line that lost its indent."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from utils.authoring.build import ROOT

SETUP = "import numpy as np\nfrom utils.checks import answer, check"
STUB = 'def add_bias(z, b):\n    """The sum."""\n{}\n\n\nadd_bias = check(add_bias)'
BARE_STUB = "def add_bias(z, b):\n{}\n\n\nadd_bias = check(add_bias)"
FOUR_SPACES = "stands outside your function: put four spaces in front of it."
CELLS = {
    # a letter without quotes
    'answer("1.1", a)': "Write your letter in quotes",
    'answer(\n    "1.1",\n    B,\n)': "Write your letter in quotes",
    'b = "b"\nanswer("1.1", b)': "passed: Question 1.1",
    'b = np.zeros(3)\nanswer("1.1", b)': "in quotes; got an array of shape (3,)",
    'answer("1.1", b)': "in quotes; got an array of shape (3,)",  # b is known by now
    '(lambda c: answer("1.1", c))("b")': "passed: Question 1.1",
    'answer("1.1", z)': "NameError: name 'z' is not defined",
    'print("1.1", a)': "NameError: name 'a' is not defined",
    # a line that lost its indent
    STUB.format("return z + b"): f"Line 3 of this cell, `return z + b`, {FOUR_SPACES}",
    STUB.format("    s = z + b\nreturn s"): f"Line 4 of this cell, `return s`, {FOUR_SPACES}",
    BARE_STUB.format("return z + b"): f"Line 2 of this cell, `return z + b`, {FOUR_SPACES}",
    STUB.format("s = z + b\n    return s"): "Line 4 of this cell, `return s`, does not line up",
    STUB.format("    s = z + b\n  return s"): "Line 4 of this cell, `return s`, does not line up",
    STUB.format("    return z +"): "SyntaxError: invalid syntax",
    STUB.format('    return eval("return 1")'): "SyntaxError",
    "return 1": "SyntaxError: 'return' outside function",
    "def f():\nreturn 1": "IndentationError: expected an indented block",
    STUB.format("    return z + b"): "passed: 0.1 add_bias",
}


@pytest.fixture(scope="module")
def answers():
    """What each cell says, run one after the other, errors as they are shown."""
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *CELLS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, kernel_name="python3", allow_errors=True)
    client.execute(cwd=ROOT)
    return dict(zip(CELLS, map(said, cells[1:]), strict=True))


def said(cell):
    (output,) = cell.outputs
    if output.output_type != "error":
        return output.data["text/plain"]
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))


@pytest.mark.parametrize("source", CELLS)
def test_a_slip_is_answered_in_plain_words(source, answers):
    assert CELLS[source] in answers[source]


@pytest.mark.parametrize("source", [source for source in CELLS if FOUR_SPACES in CELLS[source]])
def test_the_plain_words_are_all_there_is(source, answers):
    assert answers[source] == CELLS[source]
