"""Draws are judged by their chances: whatever the method, and with next to no luck involved."""

import math
import pickle

import numpy as np
import pytest

from utils.checks import language_model, sampling
from utils.checks.engine import grade_exercise

KNOWN = [
    (exercise, mistake)
    for exercise in (language_model.SAMPLE_NEXT, language_model.GENERATE)
    for mistake in exercise.mistakes
    if hasattr(mistake.wrong, "chances_are_known")
]


class Gumbel:
    """A generator whose `choice` draws in another way."""

    def __init__(self, rng):
        self.rng = rng

    def choice(self, K, p):
        if not abs(sum(p) - 1) < 1e-6 or min(p) < 0:
            raise ValueError("p")
        with np.errstate(divide="ignore"):
            return np.argmax(np.log(p) + self.rng.gumbel(size=K))


@pytest.mark.parametrize(("exercise", "mistake"), KNOWN, ids=lambda v: v.name)
def test_a_known_mistake_is_named_when_it_is_drawn_in_another_way(exercise, mistake):
    report = grade_exercise(exercise, lambda *args: mistake.wrong(*args[:-1], Gumbel(args[-1])))
    assert report.status == "not yet"
    assert report.mistake == mistake.name, report.message


@pytest.mark.parametrize("p", [[1.0], [0.5, 0.5], [0.9, 0.1, 1e-18], [1 / 26] * 26])
def test_luck_is_as_rare_as_it_says(p, monkeypatch):
    monkeypatch.setattr(sampling, "LUCK", math.log(1e4))
    rng, law = np.random.default_rng(0), np.array([*p, 0.0])
    counts = rng.multinomial(sampling.DRAWS, law, size=3000)
    looks = 2 * len(law) + 1
    assert sum(not sampling._may_give(law, c) for c in counts) / len(counts) < 2 * looks / 1e4


def test_what_cannot_come_is_noticed_when_it_comes_once():
    assert sampling._may_give(np.array([0.5, 0.5, 0.0]), np.array([150, 150, 0]))
    assert not sampling._may_give(np.array([0.5, 0.5, 0.0]), np.array([150, 149, 1]))
    assert not sampling._may_give(np.array([1.0, 1e-20, 0.0]), np.array([299, 1, 0]))


def test_all_ways_through_are_counted_in_the_chances():
    def two(p, rng):
        first = rng.choice(2, p=p)
        return [first, rng.choice(2, p=[0.25, 0.75] if first else [1.0, 0.0])]

    law = sampling._law(two, pickle.dumps(([0.4, 0.6],)), 2, 2)
    np.testing.assert_allclose(law, [0.4, 0, 0.15, 0.45, 0])
