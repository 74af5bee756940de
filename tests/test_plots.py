"""Every figure comes out as a picture with a description, the same bytes each time."""

import IPython.display
import matplotlib
import numpy as np
import pytest

from utils import plots

rng = np.random.default_rng(0)
FIGURES = {
    "cell_diagram": lambda: plots.cell_diagram(),
    "unrolled": lambda: plots.unrolled("aba"),
    "unrolled with values": lambda: plots.unrolled("ab", ["1", "2"], ["0", "3", "4"], ["5", "6"]),
    "three_shapes": lambda: plots.three_shapes(),
    "swatches": lambda: plots.swatches(["red", "blue"], np.eye(3)[[0, 2]]),
    "memory": lambda: plots.memory([rng.uniform(-1, 1, (3, 4))] * 2, ["tan", "red"]),
    "strips": lambda: plots.strips(["a b", "c"], [np.eye(3), np.eye(3)[:1]]),
    "strips with truth": lambda: plots.strips(["tan"], [np.eye(3)], [np.ones(3)]),
}


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """The (data, metadata) of all that was displayed."""
    matplotlib.use("agg")
    seen = []
    monkeypatch.setattr(
        IPython.display, "display", lambda data, raw, metadata: seen.append((data, metadata))
    )
    return seen


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_figure_is_a_picture_with_a_description(draw, shown):
    draw()
    ((data, metadata),) = shown
    assert data["image/png"].startswith(b"\x89PNG")
    alt = metadata["image/png"]["alt"]
    assert len(alt) > 30
    assert data["text/plain"] == f"Figure: {alt}"
    assert 300 < metadata["image/png"]["width"] < 1000  # as wide as a notebook
    assert not matplotlib.pyplot.get_fignums()  # or the notebook would show it twice


def test_the_same_figure_gives_the_same_bytes(shown):
    plots.cell_diagram()
    plots.cell_diagram()
    assert shown[0] == shown[1]


def test_values_stand_in_the_nodes(shown):
    FIGURES["unrolled with values"]()
    assert "h 0, 3, 4" in shown[0][1]["image/png"]["alt"]
