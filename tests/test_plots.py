"""Every figure comes out as a picture with a description, the same bytes each time."""

import base64
import re
from itertools import combinations

import IPython.display
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from nbformat import NotebookNode

from tests.contrast import contrast
from utils import plots
from utils.authoring.figures import figure_in
from utils.data import colour_names
from utils.plots.shared import node

rng = np.random.default_rng(0)
LONG = [*sorted(colour_names()[0].names, key=len)[-23:], "greenishpurplishbrownish", "a b"]
FIGURES = {
    "cell_diagram": lambda: plots.cell_diagram(),
    "unrolled": lambda: plots.unrolled("aba"),
    "unrolled with values": lambda: plots.unrolled("ab", ["1", "2"], ["0", "3", "4"], ["5", "6"]),
    "backward_sweep": lambda: plots.backward_sweep("aba"),
    "backward_sweep with values": lambda: plots.backward_sweep(
        "ab", ["1"] * 2, ["2"] * 2, ["3"] * 2
    ),
    "cell_backward_diagram": lambda: plots.cell_backward_diagram(),
    "sizes_on_arrows": lambda: plots.sizes_on_arrows("a b", [0.5, 1.0, 2.0], [0.1, 0.5, 1.0]),
    "provenance": lambda: plots.provenance([np.tril(np.ones((3, 3)))] * 2, ["all", "cut"]),
    "three_shapes": lambda: plots.three_shapes(),
    "swatches": lambda: plots.swatches(["red", "blue"], np.eye(3)[[0, 2]]),
    "swatches with long names": lambda: plots.swatches(LONG, np.zeros((len(LONG), 3))),
    "memory": lambda: plots.memory([rng.uniform(-1, 1, (3, 4))] * 2, ["tan", "red"]),
    "strips": lambda: plots.strips(["a b", "c"], [np.eye(3), np.eye(3)[:1]]),
    "one_update": lambda: plots.one_update(3),
    "ladder": lambda: plots.ladder({"k": {"a": [0, 0.1], "b": [1]}, "N": {"a": [0], "b": [0]}}),
    "update_windows": lambda: plots.update_windows({"a": [[0], [1, 2]], "b": [[0, 1]]}, 2, 2),
    "clipped_parts": lambda: plots.clipped_parts([[6, 0], [0, 2]], 1),
    "three_sums": lambda: plots.three_sums(["0 %", "0 %", "9 %"]),
    "strips with truth": lambda: plots.strips(["tan"], [np.eye(3)], [np.ones(3)]),
    "streams": lambda: plots.streams("the cat sat.", 3, 2),
    "chances": lambda: plots.chances(["a", "b"], [[1, 0], [0.5, 0.5]], ["cold", "hot"]),
    "learning": lambda: plots.learning([1, 2], {"train": [3, 2], "held out": [4, 3]}, "n", "loss"),
    "learning with levels": lambda: plots.learning(
        [1, 2], {"a": [3, 2]}, "n", "p", {"b": 1}, log=True
    ),
    "swatch_rows": lambda: plots.swatch_rows(
        ["cold", "hot"], [["red"], ["a long name of a colour", "b"]], [np.eye(3)[:1], np.eye(3)[:2]]
    ),
    "lstm_diagram": lambda: plots.lstm_diagram(),
    "lstm_diagram back": lambda: plots.lstm_diagram(back=True),
    "gru_diagram": lambda: plots.gru_diagram(),
    "gradient_flows": lambda: plots.gradient_flows({"plain": [1e-9, 1e-3, 1], "LSTM": [0.5, 1, 1]}),
    "losses_by_delay": lambda: plots.losses_by_delay(
        [10, 50], {"plain": {10: [0.1, 2.0], 50: [2.1, 1.9]}, "LSTM": {10: [0.0], 50: [0.1]}}, 2.08
    ),
}


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """The data of all that was displayed."""
    matplotlib.use("agg")
    seen = []
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: seen.append(data))
    return seen


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_figure_is_a_picture_with_a_description(draw, shown):
    draw()
    (data,) = shown
    figure = figure_in(NotebookNode(data=data))
    assert base64.b64decode(figure.png).startswith(b"\x89PNG")
    assert len(figure.alt) > 30
    assert data["text/plain"] == f"Figure: {figure.alt}"
    assert 300 < int(re.search(r'width="(\d+)"', data["text/html"])[1]) < 1000  # a notebook's
    assert not matplotlib.pyplot.get_fignums()  # or the notebook would show it twice


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_text_and_lines_stand_out(draw, monkeypatch):
    """On white; what is white itself stands on a dark field, or is a grid's line between fields."""
    faint = []

    def look(figure, *args, **kwargs):
        texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
        faint.extend(t for t in texts if t.get_color() != "white" and contrast(t.get_color()) < 4.5)
        lines = [x for x in figure.findobj(Line2D) if x.get_visible() and len(x.get_xdata())]
        faint.extend(x for x in lines if x.get_color() != "white" and contrast(x.get_color()) < 3)
        arrows = figure.findobj(FancyArrowPatch)
        faint.extend(arrow for arrow in arrows if contrast(arrow.get_edgecolor()) < 3)

    monkeypatch.setattr(Figure, "savefig", look)
    draw()
    assert faint == []


def test_the_same_figure_gives_the_same_bytes(shown):
    plots.cell_diagram()
    plots.cell_diagram()
    assert shown[0] == shown[1]


def test_values_stand_in_the_nodes(shown):
    FIGURES["unrolled with values"]()
    assert "h 0, 3, 4" in shown[0]["text/plain"]


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_no_text_lies_on_another(draw, monkeypatch):
    overlapping = []

    def look(figure, *args, **kwargs):
        figure.canvas.draw()
        texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
        texts = [t for t in texts if not t.get_text().endswith("\n")]  # which leaves room below
        for a, b in combinations(texts, 2):
            shared = Bbox.intersection(a.get_window_extent(), b.get_window_extent())
            if shared and min(shared.size) > 1:
                overlapping.append((a.get_text(), b.get_text()))

    monkeypatch.setattr(Figure, "savefig", look)
    draw()
    assert overlapping == []


def test_x_h_and_o_differ_without_their_hues():
    """In grey, and by the corners of their nodes."""
    x, o, h = (contrast(plots.COLOURS[kind]) for kind in "xoh")
    assert o / x > 1.5
    assert h / o > 1.5
    _, ax = matplotlib.pyplot.subplots()
    for place, kind in enumerate("xho"):
        node(ax, 2 * place, 0, kind, "")
    corners = {patch.get_boxstyle().rounding_size for patch in ax.patches}
    matplotlib.pyplot.close()
    assert len(corners) == 3
