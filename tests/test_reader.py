"""The reader paints, learns, and its gradient is that of its loss."""

import numpy as np
import pytest

from tests.strategies import refused
from utils import reader
from utils.cell import init_params
from utils.data import Colours, alphabet, colour_names
from utils.gradcheck import numerical_gradient, relative_error


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_paint_gives_a_colour_and_a_memory_for_each_letter(rng):
    params = init_params(6, 4, 3, rng)
    painted, h = reader.paint(params, rng.integers(0, 6, size=(5, 2)))
    assert painted.shape == (5, 2, 3)
    assert h.shape == (5, 2, 4)
    assert ((painted > 0) & (painted < 1)).all()


def test_colour_gradient_is_that_of_the_cross_entropy_over_real_steps(rng):
    mask = np.array([[True, True], [True, False], [True, False]])
    o, rgb = rng.normal(size=(3, 2, 3)), rng.random((2, 3))

    def loss(o):
        p = 1 / (1 + np.exp(-o))
        nll = -(rgb * np.log(p) + (1 - rgb) * np.log(1 - p))
        return nll[mask].sum() / mask.sum()

    got = reader.colour_gradient(1 / (1 + np.exp(-o)), rgb, mask)
    assert relative_error(got, numerical_gradient(loss, o)) < 1e-8
    assert not got[~mask].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_painted_at_padding_does_not_matter(rng, bad):
    mask = np.array([[True, True], [True, False], [True, False]])
    painted, rgb = rng.random(size=(3, 2, 3)), rng.random((2, 3))
    dirty = np.where(mask[..., None], painted, bad)
    right = reader.colour_gradient(painted, rgb, mask)
    np.testing.assert_array_equal(reader.colour_gradient(dirty, rgb, mask), right)


def test_bad_arguments_are_named(rng):
    params, (train, _) = init_params(6, 4, 3, rng), colour_names()
    letters, painted = alphabet(train.names), np.ones((3, 2, 3))
    refused(ValueError, "ids: expected ids from 0 to 5, got 6", reader.paint, params, [[6]])
    refused(TypeError, "ids: expected integers .* got NoneType", reader.paint, params, None)
    refused(ValueError, "mask: expected at least one True", reader.colour_gradient, painted,
            painted[0], np.zeros((3, 2), bool))  # fmt: skip
    for name, wrong in {"epochs": 0.5, "B": 0, "lr": np.nan, "H": None}.items():
        options = {"H": 4, "epochs": 1, "rng": rng, name: wrong}
        with pytest.raises((TypeError, ValueError), match=f"^{name}: expected"):
            reader.train_reader(train, letters, **options)


def test_training_brings_the_colours_nearer(rng):
    train, _ = colour_names()
    few = Colours(train.names[:40], train.rgb[:40])
    letters = alphabet(train.names)
    seen = []
    before = init_params(len(letters), 16, 3, np.random.default_rng(0))
    after = reader.train_reader(
        few, letters, H=16, epochs=25, rng=np.random.default_rng(0), progress=_spy(seen)
    )
    start, end = (reader.colour_error(p, few, letters) for p in (before, after))
    assert end < 0.8 * start
    assert seen == list(range(25))


def _spy(seen):
    def progress(steps):
        for step in steps:
            seen.append(step)
            yield step

    return progress
