"""Judge an answer: run it on the exercise's cases, compare, and find the mistake by name.

Everything a function does on the cases is written down first (its transcript): what it returned
or raised, which inputs it changed, whether a second call gave the same. The verdict and the name
of the mistake are then read off the transcripts.
"""

import copy
import dis
import functools
import inspect
import linecache
import math
import re
import sysconfig
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import compare, sandbox
from .exercise import Case, Exercise, Mistake, call
from .report import Report

STANDARD_LIBRARY = sysconfig.get_path("stdlib")
ALIKE = 1e-7  # relative; far above rounding, far below any mistake
TOO_LONG = (
    "Your function was still running after {:.0f} seconds and was stopped. "
    "Look at your loops: does each one end?"
)


@dataclass
class Seen:
    """What a function did with one case."""

    value: Any
    error: BaseException | None
    changed: tuple[str, ...]  # names of the inputs it changed
    again: bool = True  # a second call gave the same
    kept: bool = True  # later calls left the returned value as it was
    printed: str = ""


def grade_exercise(exercise: Exercise, fn: Callable) -> Report:
    """The report on `fn` as an answer to `exercise`. Displays nothing, never raises."""
    if is_stub(fn):
        return Report(exercise.name, exercise.number, "not attempted")
    cases = cases_of(exercise)
    report = Report(exercise.name, exercise.number, "not yet", total=len(cases) + 2)
    try:
        return _grade(exercise, fn, cases, report)
    except Exception as error:  # an answer so strange that it can't even be compared
        strange = f"The check could not make sense of what came back ({type(error).__name__})."
        return replace(report, message=strange)


def _grade(exercise, fn, cases, report):
    problem = wrong_signature(exercise, fn, cases[0])
    if problem:
        return replace(report, message=problem)
    start = time.monotonic()
    seen = observe(exercise, fn, cases, sandbox.run)
    if isinstance(seen[0].error, NotImplementedError) or seen[0].value is Ellipsis:
        return replace(report, status="not attempted")
    if isinstance(seen[-1].error, sandbox.OutOfTime):
        too_long = TOO_LONG.format(time.monotonic() - start)
        return replace(report, message=too_long, printed=seen[0].printed)
    return judge(exercise, cases, seen, report)


def judge(exercise, cases, seen, report):
    """The report on an answer from what was seen of it on the cases; `report` is a blank one."""
    expected = expected_of(exercise)
    judged = [_judge_call(exercise, *three) for three in zip(cases, seen, expected, strict=True)]
    problems = [problem for _, problem in judged] + [_changes_inputs(seen), _remembers(seen)]
    if not any(problems):
        return replace(report, status="passed", passed=len(problems))
    passed = sum(problem is None for problem in problems[: len(cases)])
    first = next(problem for problem in problems if problem)
    rows = next((rows for rows, problem in judged if problem), ())
    mistake = find_mistake(exercise, seen, problems)
    if problems[-1] and not mistake:  # no value says more about a function that remembers
        first = problems[-1]
    message = f"{mistake.hint} What gave it away: {first.text}" if mistake else first.text
    if exercise.summary:
        message = f"{exercise.summary(cases, [s.value for s in seen])} {message}"
    return replace(
        report,
        passed=passed,
        message=message,
        mistake=mistake and mistake.name,
        rows=tuple(rows) if len(rows) > 1 else (),
        picture=first.picture,
        printed=seen[0].printed,
    )


# The same at every check, so worked out once. Learners' code never sees these, only copies.


@functools.cache
def cases_of(exercise: Exercise) -> list[Case]:
    """The cases of an exercise, the same at every call."""
    return list(exercise.cases(np.random.default_rng(zlib.crc32(exercise.name.encode()))))


@functools.cache
def expected_of(exercise: Exercise) -> list["Seen"]:
    """What the reference does on the cases."""
    return observe(exercise, exercise.reference, cases_of(exercise), _run_plainly)


# A known mistake is called on one telling case first, and on the others only if it gives there what
# the learner's function gave.


@functools.cache
def _first_call(exercise: Exercise, mistake: Mistake, k: int) -> "Seen":
    """What a mistake that remembers nothing does with case k."""
    called, changed = _one_call(exercise, mistake.wrong, cases_of(exercise)[k], _run_plainly)
    return Seen(compare.snapshot(called.value), called.error, changed)


@functools.cache
def _transcript(exercise: Exercise, mistake: Mistake) -> list["Seen"]:
    return observe(exercise, copy.deepcopy(mistake.wrong), cases_of(exercise), _run_plainly)


def is_stub(fn: Callable) -> bool:
    """Whether a function's body is empty: a docstring, `...`, `pass`, a bare `return`."""
    code = getattr(fn, "__code__", None)
    if code is None:
        return False
    does = [i for i in dis.get_instructions(code) if i.opname not in ("RESUME", "NOP")]
    returns = ("LOAD_CONST", "RETURN_CONST", "RETURN_VALUE")
    return all(i.opname in returns and i.argval is None for i in does)


def wrong_signature(exercise, fn, case):
    """A sentence if the function cannot be called with the arguments of the exercise, else None."""
    if exercise.trial is not call:
        return None  # the trial decides how to call it
    try:
        inspect.signature(fn).bind(*case.args)
    except TypeError:
        wanted = ", ".join(_inputs(exercise))
        return f"`{exercise.name}({wanted})` cannot be called so: keep the arguments as they were."
    except ValueError:
        return None  # some callables do not tell
    return None


@functools.cache
def _inputs(exercise):
    return list(inspect.signature(exercise.reference).parameters)


# Transcripts ----------------------------------------------------------------------------------


def observe(exercise: Exercise, fn: Callable, cases: list[Case], run: Callable) -> list[Seen]:
    """The transcript of `fn`: two calls a case, the second round in reverse order.

    Ends early when the time is up.
    """
    until = time.monotonic() + exercise.seconds
    seen, held = [], []
    for case in cases:
        called, changed = _one_call(exercise, fn, case, run, until)
        held.append(called.value)
        seen.append(
            Seen(compare.snapshot(called.value), called.error, changed, printed=called.printed)
        )
        if isinstance(called.error, sandbox.OutOfTime):
            return seen
    for case, first in reversed(list(zip(cases, seen, strict=True))):
        called, _ = _one_call(exercise, fn, case, run, until)
        if isinstance(called.error, sandbox.OutOfTime):
            seen[-1].error = called.error
            return seen
        first.again = type(called.error) is type(first.error) and compare.same(
            called.value, first.value, ALIKE
        )
    for value, first in zip(held, seen, strict=True):
        first.kept = compare.same(value, first.value)
    return seen


def _one_call(exercise, fn, case, run, until=math.inf):
    args = copy.deepcopy(case.args)
    called = run(lambda *a: exercise.trial(fn, *a), args, max(0.0, until - time.monotonic()))
    names = _inputs(exercise)[: len(args)]
    pairs = zip(names, args, case.args, strict=True)
    return called, tuple(name for name, after, before in pairs if not compare.same(after, before))


def _run_plainly(fn, args, seconds):
    """For our own functions: no thread, no time limit."""
    with np.errstate(all="ignore"):
        try:
            return sandbox.Called(fn(*args))
        except Exception as error:
            return sandbox.Called(error=error)


# What is wrong ----------------------------------------------------------------------------------


def _judge_call(exercise, case, seen, expected):
    if seen.error is not None:
        rows, difference = (), compare.Difference(raised(seen.error, case))
    else:
        slots = compare.parse(exercise.returns)
        rows, difference = compare.table(slots, expected.value, seen.value, exercise.tolerance)
    if difference and case.label:
        difference = replace(difference, text=f"{case.label}: {difference.text}")
    return rows, difference


def raised(error, case):
    """A sentence about an error that an answer raised on a case, and where it did."""
    if isinstance(error, sandbox.AskedForInput):
        return "Your function calls input(): it must work from its arguments alone."
    if isinstance(error, RecursionError):
        return "Your function calls itself without end (RecursionError)."
    line, text = line_of(error), " ".join(str(error).split())[:200]
    where = f" in the line `{line}`" if line else ""
    said = f": {text}" if text else ""
    if isinstance(error, NameError) and hasattr(np, error.name or ""):
        said += f" (did you mean np.{error.name}?)"
    if re.search(r"\b___\b", line):  # of a hint's skeleton; IPython takes it for an earlier output
        said += " (a blank ___ is still to be filled in)"
    return f"Your code raised {type(error).__name__}{where}{said}. {_shapes(case)}".rstrip()


def line_of(error):
    """The last line of the learner's own code on the way to the error, if it can be had."""
    trace, line = error.__traceback__, ""
    while trace:
        frame = trace.tb_frame
        file, module = frame.f_code.co_filename, frame.f_globals.get("__name__", "")
        library = "site-packages" in file or file.startswith((STANDARD_LIBRARY, "<frozen"))
        if not library and not module.startswith("utils."):
            line = linecache.getline(file, trace.tb_lineno).strip()
        trace = trace.tb_next
    return line


def _shapes(case):
    arrays = [a for a in case.args if isinstance(a, np.ndarray)]
    if not arrays or len(arrays) < len(case.args):
        return ""
    return "The inputs had the shapes " + ", ".join(compare.shape(a.shape) for a in arrays) + "."


def _changes_inputs(seen):
    names = sorted({name for s in seen for name in s.changed})
    if not names:
        return None
    return compare.Difference(
        f"Your function changes its input {' and '.join(names)}, which the caller still needs."
    )


def _remembers(seen):
    if not all(s.kept for s in seen):
        return compare.Difference("A later call overwrites what an earlier call returned.")
    if not all(s.again for s in seen):
        return compare.Difference("A second call with the same inputs gives something else.")
    return None


# Which mistake ----------------------------------------------------------------------------------


def find_mistake(exercise: Exercise, seen: list[Seen], problems: list) -> Mistake | None:
    """The known mistake whose transcript is the learner's.

    Alike in everything comes first. Failing that, alike wherever the learner's values are wrong
    though of the right shape, if those are half the cases or more: on random numbers that is no
    coincidence, whatever else went wrong.
    """
    wrong = [k for k, p in enumerate(problems[: len(seen)]) if p and p.is_value]
    remembers = problems[-1] is not None
    telling = next(iter(wrong or (k for k, s in enumerate(seen) if not s.error)), None)
    if telling is None:
        return None  # that all raise the same says too little
    rtol, expected = max(ALIKE, exercise.tolerance), expected_of(exercise)
    in_part = None
    for mistake in exercise.mistakes:
        if inspect.isfunction(mistake.wrong):
            first = _first_call(exercise, mistake, telling)
            if first.error or not compare.same(seen[telling].value, first.value, rtol):
                continue
        bank = _transcript(exercise, mistake)
        if all(_alike(a, b, rtol) for a, b in zip(seen, bank, strict=True)):
            return mistake
        if (
            not remembers
            and 2 * len(wrong) >= len(seen)
            and all(
                compare.same(seen[k].value, bank[k].value, rtol)
                and not compare.same(expected[k].value, bank[k].value, rtol)
                for k in wrong
            )
        ):
            in_part = in_part or mistake
    return in_part


def _alike(a: Seen, b: Seen, rtol: float) -> bool:
    return (
        type(a.error) is type(b.error)
        and a.changed == b.changed
        and a.again == b.again
        and a.kept == b.kept
        and compare.same(a.value, b.value, rtol)
    )
