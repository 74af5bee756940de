"""The four functions a notebook uses: check, answer, grade, progress."""

import contextlib
import difflib
import numbers
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from . import compare, store
from .engine import grade_exercise
from .registry import EXERCISES, LESSONS, QUESTIONS
from .report import Message, Progress, Report


def grade(name: str, fn: Callable) -> Report:
    """The report on `fn` as an answer to the exercise `name`. Shows nothing, keeps nothing.

    Raises ValueError for a name that is no exercise.
    """
    if name not in EXERCISES:
        raise ValueError(f"{name!r} is no exercise; expected one of {', '.join(EXERCISES)}")
    return grade_exercise(EXERCISES[name], fn)


def check(fn: Callable) -> Callable:
    """Check your answer to the exercise that has the name of `fn`, and show the report.

    Returns `fn` when it passes and a correct function otherwise, so that the notebook goes on
    either way: write `name = check(name)`.
    """
    name = getattr(fn, "__name__", None)
    if name not in EXERCISES:
        _show(_no_such_exercise(fn, name))
        return fn
    exercise = EXERCISES[name]
    if fn is exercise.reference:
        _show(_not_yours(exercise))
        return fn
    report = grade_exercise(exercise, fn)
    remark = store.record(name, report.status)
    _show(replace(report, closing=" ".join(t for t in (_closing(report), remark) if t)))
    return fn if report.status == "passed" else exercise.reference


def answer(number: str, value: Any) -> None:
    """Check your answer to a predict-first question (a letter or a number), and show the report.

    Your first thought is what counts: nothing is graded, and the next cells settle it.
    """
    if number not in QUESTIONS:
        _show(Message("not yet", f"There is no question {number!r}", "Is the number right?"))
        return
    question = QUESTIONS[number]
    _show(_reply(question, value))


def progress() -> Progress:
    """A table of all exercises and how far you are, kept between sessions."""
    known, remark = store.load()
    rows = [
        (title, exercise.number, exercise.name, known.get(exercise.name, "not attempted"))
        for title, lesson in LESSONS.items()
        for exercise in lesson.EXERCISES
    ]
    return Progress(tuple(rows), remark)


def _closing(report):
    if report.status == "passed":
        return "The rest of the notebook runs on your function."
    if report.status == "not attempted":
        return "Put your code in place of `...` and press Shift+Enter. Until then " + _ours(report)
    return "Change it and press Shift+Enter again. Until then " + _ours(report)


def _ours(report):
    return f"the notebook goes on with the workbook's own `{report.exercise}`."


def _not_yours(exercise):
    return Message(
        "not attempted",
        f"{exercise.number} `{exercise.name}`",
        "This is the workbook's own function, which stands in until yours passes. "
        "Run the cell that defines yours.",
    )


def _no_such_exercise(fn, name):
    if name is None:
        text = f"It got {compare.describe(fn)}. Give it the function itself, without parentheses."
    else:
        near = difflib.get_close_matches(name, EXERCISES, n=1)
        text = f"Did you mean `{near[0]}`?" if near else "Keep the name the exercise gives it."
    title = f"`{name}` is no exercise" if name else "check expects a function"
    return Message("not yet", title, text)


def _reply(question, value):
    title = f"Question {question.number}"
    if value is Ellipsis or value is None:
        how = 'letter in quotes, as in `"a"`' if question.choices else "number in place of `...`"
        text = f"Write your {how}: a guess is fine, it is not graded."
        return Message("not attempted", title, text, ("question", question.number))
    given, problem = _read_answer(question, value)
    if problem:
        return Message("not yet", title, problem, ("question", question.number))
    if _is_right(question, given):
        return Message("passed", title, question.because, ("question", question.number))
    text = question.replies.get(given, "That is not what comes out. Run the next cells and look.")
    guess = f"{title}, {given}"
    return Message("not yet", guess, text, ("question", question.number), look="your guess")


def _read_answer(question, value):
    """The letter or number given, and what is wrong with it ("" if nothing)."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    text = str(value).strip().lower() if isinstance(value, str | numbers.Real) else ""
    if question.choices:
        if text in list(question.choices):
            return text, ""
        kinds = f"one of {', '.join(question.choices)}, in quotes"
    else:
        with contextlib.suppress(ValueError):
            if not isinstance(value, bool | np.bool_):
                return float(text), ""
        kinds = "a number"
    got = repr(value) if text else compare.describe(value)
    return None, f"Expected {kinds}; got {got}."


def _is_right(question, given):
    if question.choices:
        return given == question.answer
    near = 0 if isinstance(question.answer, int) else 0.01 * abs(question.answer)
    return abs(given - question.answer) <= near


def _show(message):
    """In a notebook as HTML, with the verdict in the output's metadata; elsewhere as text."""
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        from IPython.display import display

        kind, name = message.identity
        verdict = {"kind": kind, "id": name, "status": message.status}
        display(message, metadata={"workbook": verdict})
    else:
        print(message)
