"""All that a report can look like is readable in JupyterLab's light and in its dark theme."""

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
SETUP = """\
import numpy as np
from utils import gates
from utils.checks import answer, check, progress"""

# What is run, and what its output must say, so that each kind of report is there to be measured.
SHOWN = {
    "def add_bias(z, b): ...\ncheck(add_bias);": "○ not attempted",
    "def add_bias(z, b): return z + np.pi * b\ncheck(add_bias);": "Change it and press",
    "def add_bias(z, b): return np.dot(z, b)\ncheck(add_bias);": "✗ not yet",
    "def add_bias(z, b):\n    print('z is', z)\n    return z + b[:, None]\ncheck(add_bias);": (
        "You gave b one entry per sequence"
    ),
    "def add_bias(z, b):\n    out = z.copy()\n    out[0] += b\n    return out\ncheck(add_bias);": (
        "darker: larger"
    ),
    "def lstm_cell_forward(*given):\n    h, c = gates.lstm_cell_forward(*given)\n"
    "    return h, 2 * c\ncheck(lstm_cell_forward);": "largest difference",
    "def add_bias(z, b): return z + b\ncheck(add_bias);": "✓ passed",
    "answer('0.1', ...)": "○ not attempted",
    "answer('0.1', 'd')": "✗ not yet",
    "answer('0.1', 'a')": "→ your guess",
    "answer('0.1', 'b')": "✓ passed",
    "progress()": "1 of ",
}


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_contrast_of_every_report(open_notebook, lab, page, theme):
    """Against what is behind it all text has the contrast that WCAG asks for at level AA."""
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *SHOWN)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=PYTHON), lab.folder / "r.ipynb")
    page.set_viewport_size({"width": 1280, "height": 3000})  # axe measures what is in view
    notebook = open_notebook("r.ipynb")
    notebook.start("apputils:change-theme", theme=theme)
    notebook.finish()
    page.locator(f"body[data-jp-theme-name='{theme}']").wait_for(state="attached")
    notebook.run_all()
    assert notebook.errors() == []
    for cell, text in zip(cells[1:], SHOWN.values(), strict=True):
        notebook.see(cell.id, text)

    # JupyterLab's body has no height, and axe takes what is in it for hidden
    page.add_style_tag(content="body { height: 100vh }")
    result = Axe().run(page, ".jp-OutputArea-output", {"runOnly": ["color-contrast"]}).response
    bad = [
        f"{node['html']}\n{node['any'][0]['message']}"
        for kind in ("violations", "incomplete")
        for rule in result[kind]
        for node in rule["nodes"]
    ]
    assert not bad, "\n\n".join(bad)
    (measured,) = result["passes"]
    assert (
        len(measured["nodes"]) > page.get_by_role("row").count()
    )  # each row of the tables and more
