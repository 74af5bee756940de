"""A lesson beside somebody else's utils.py: what JupyterLab shows of its first cell."""

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from utils.authoring import anywhere
from utils.authoring.build import ROOT
from utils.authoring.source import METADATA


def test_the_first_cell_says_in_a_sentence_what_is_in_the_way(lab, open_notebook):
    folder = lab.folder / "alone"
    folder.mkdir()
    (folder / "utils.py").write_text("")
    first = new_code_cell(anywhere.first_cell(anywhere.project(ROOT)), id=anywhere.CELL)
    nbformat.write(new_notebook(cells=[first], metadata=METADATA), folder / "lesson.ipynb")
    notebook = open_notebook("alone/lesson.ipynb")
    notebook.run_all()
    notebook.see(anywhere.CELL, f"Another utils is in the way: {folder / 'utils.py'}. Rename it")
    (said,) = notebook.errors()
    assert said.count("\n") == 1
