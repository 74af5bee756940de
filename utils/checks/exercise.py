"""What an exercise is made of. One entry in one lesson's file describes one exercise completely."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One call: a label that completes "Wrong values …", and the arguments."""

    label: str
    args: tuple


@dataclass(frozen=True, eq=False)  # compared and looked up by identity, which is quick
class Mistake:
    """A known wrong answer. `hint` says what to look at, never the solution.

    `wrong` is a function; one that remembers earlier calls is an instance of a class with
    `__call__`, so that each grading starts from a fresh copy.
    """

    name: str
    hint: str
    wrong: Callable


SEVEN_DIGITS = (
    "Right to about 7 digits only. Does float32 come in somewhere, a rounding, or a small number "
    "that was added?"
)


def written_into(name: str, operator: str) -> str:
    """The hint for an answer that changes its argument `name`."""
    return (
        f"{name} is not the same afterwards: an operation (`{operator}`, `out=`, `[...] =`) wrote "
        "into the caller's array, or into a view of it. Work on an array of your own."
    )


def call(fn: Callable, *args) -> Any:
    """The usual trial: one plain call."""
    return fn(*args)


@dataclass(frozen=True, eq=False)
class Exercise:
    """An exercise and all that is needed to judge an answer to it.

    number     as printed in the lesson, "1.1"
    returns    what comes back, in the notation of the lessons: "h_t (B,H)", "loss float",
               "ids (T,B) int, mask (T,B) bool", "grads RNNParams, dx (T,B,D)", "ids list"
    reference  a correct implementation; its parameters are the signature
    cases      cases(rng) yields the `Case`s; the first is the plainest
    mistakes   the bank of known mistakes
    trial      trial(fn, *args) gives the value to compare, where one plain call is not enough;
               it runs under the same guard and time limit as a plain call
    tolerance  relative; larger only for what is drawn at random
    seconds    for all calls together
    summary    summary(cases, values) gives a sentence that goes before the message of a wrong
               answer; a value is None where the call raised
    """

    number: str
    returns: str
    reference: Callable
    cases: Callable[[np.random.Generator], Iterable[Case]]
    mistakes: tuple[Mistake, ...]
    trial: Callable = call
    tolerance: float = 1e-9
    seconds: float = 5.0
    summary: Callable[[list[Case], list], str] | None = None

    @property
    def name(self) -> str:
        return self.reference.__name__


@dataclass(frozen=True)
class Question:
    """A predict-first question.

    number   "1.2": lesson 1, question 2
    answer   the letter of the right choice, or a number (a float is good to 1 %)
    because  why, in a sentence or two
    replies  what to say to a particular wrong choice or number (each points on, none scolds)
    choices  the letters on offer; empty for a number
    """

    number: str
    answer: str | float
    because: str
    replies: dict
    choices: str = ""
