"""Compare what came back with what was expected, and say in words where they differ."""

import copy
import inspect
import numbers
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

AXES = {"T": "step t=", "B": "sequence ", "D": "input ", "H": "unit ", "K": "output "}
RETURNED = "Your function returned"
PARAMETERS = (("U", "DH"), ("V", "HH"), ("b", "H"), ("W", "HK"), ("c", "K"))


@dataclass(frozen=True)
class Slot:
    """One returned value: its name, its kind (float, int, bool, list of ints) and its axes."""

    name: str
    kind: str
    axes: tuple[str, ...] | None  # None: not an array

    def __str__(self):
        return f"{self.name} {_axes(self)}" if self.axes is not None else self.name


@dataclass(frozen=True)
class Row:
    """One returned tensor beside the expected one, for the table of a report."""

    name: str
    shape: str
    verdict: str  # exact, close, wrong, shape, type
    difference: float | None = None
    where: str = ""


@dataclass(frozen=True)
class Difference:
    """Why a returned value is not the expected one; `is_value`: its type and shape are right."""

    text: str
    is_value: bool = False
    picture: "Picture | None" = None


@dataclass(frozen=True)
class Picture:
    """Two matrices to be drawn side by side, the wrong entries marked, and what they show."""

    title: str
    expected: np.ndarray
    got: np.ndarray
    wrong: np.ndarray


def parse(returns: str) -> tuple[Slot | tuple[Slot, ...], ...]:
    """The slots in a description such as "grads RNNParams, dx (T,B,D), n int, mask (T,B) bool"."""
    found = re.findall(r"(\w+) ?(?:\(([^)]*)\))? ?(float|int|bool|list|RNNParams)?", returns)
    return tuple(_slot(*parts) for parts in found)


def _slot(name, axes, kind):
    if kind == "RNNParams":
        prefix = "d" if name == "grads" else ""
        return tuple(Slot(prefix + n, "float", tuple(a)) for n, a in PARAMETERS)
    if kind == "list":
        return Slot(name, kind, ("N",))
    if not axes:
        return Slot(name, kind or "float", None)
    return Slot(name, kind or "float", tuple(a for a in axes.split(",") if a))


def _axes(slot):
    """(T,B) or (H,) as the lessons write shapes; (...) where they are those of an argument."""
    return "(...)" if slot.axes == ("...",) else shape(slot.axes)


def table(
    slots: tuple, expected: Any, got: Any, tolerance: float
) -> tuple[list[Row], Difference | None]:
    """A row for every slot, and the first difference in words (None where all is well).

    A difference counts beyond `tolerance` times the expected entry plus the array's largest.
    """
    alone = len(slots) == 1
    if alone:
        expected, got = (expected,), (got,)
    problem = _check_count(slots, got)
    if problem:
        return [], problem
    rows, first = [], None
    for slot, e, g in zip(slots, expected, got, strict=True):
        if isinstance(slot, tuple):
            more, problem = table(slot, e, g, tolerance)
            rows += more
        else:
            row, problem = _compare(slot, e, g, tolerance, alone)
            rows.append(row)
        first = first or problem
    return rows, first


def _check_count(slots, got):
    names = ", ".join(str(s) if isinstance(s, Slot) else "RNNParams" for s in slots)
    if not isinstance(got, tuple | list):
        returned = f"{RETURNED} {_described(got)}"
        return Difference(f"{returned}; expected {len(slots)} values: {names}.")
    if len(got) != len(slots):
        returned = f"{RETURNED} {len(got)} values"
        return Difference(f"{returned}; expected {len(slots)}: {names}.")
    return None


def _compare(
    slot: Slot, expected: Any, got: Any, tolerance: float, alone: bool
) -> tuple[Row, Difference | None]:
    expected = np.asarray(expected)
    subject = RETURNED if alone else f"{slot.name} is"
    problem = _check_type(slot, got, subject) or _check_shape(slot, expected, np.asarray(got))
    if problem:
        return Row(slot.name, _shape_of(got), "type" if slot.axes is None else "shape"), problem
    got = np.asarray(got)
    difference = np.abs(_float(got) - _float(expected))
    allowed = tolerance * (np.abs(_float(expected)) + np.abs(_float(expected)).max(initial=0))
    allowed = allowed + 1e-12  # where all is 0, rounding still is not
    wrong = ~(difference <= allowed)  # so that NaN is wrong
    row = Row(slot.name, _shape_of(got), "exact" if np.array_equal(got, expected) else "close")
    if not wrong.any():
        return row, None
    at = np.unravel_index(np.argmax(np.where(np.isnan(difference), np.inf, difference)), got.shape)
    where = place(slot, at)
    row = Row(slot.name, _shape_of(got), "wrong", float(difference[at]), where)
    return row, _value_difference(slot, expected, got, wrong, at, where)


def _value_difference(slot, expected, got, wrong, at, where):
    bad = ~np.isfinite(_float(got))
    if bad.any():
        kind = "NaN" if np.isnan(_float(got)).any() else "infinity"
        count = f"{bad.sum()} of {bad.size} entries" if bad.size > 1 else "It"
        return Difference(
            f"{slot.name} is not finite: {count} came out as NaN or infinity (here {kind})."
            if bad.size > 1
            else f"{slot.name} is not finite: it came out as {kind}."
        )
    pair = f"expected {number(expected[at])}, got {number(got[at])}."
    if number(expected[at]) == number(got[at]):
        pair = f"{pair[:-1]}, {abs(got[at] - expected[at]):.1g} off (float32 on the way?)."
    if not slot.axes:
        return Difference(f"{slot.name} is wrong: {pair}", is_value=True)
    text = (
        f"{slot.name} has the right shape but wrong values at {wrong.sum()} of {wrong.size} "
        f"entries; the largest difference is at {where}: {pair}"
    )
    picture = _picture(slot, expected, got, wrong, at)
    return Difference(text + _first_wrong_step(slot, wrong), is_value=True, picture=picture)


def _picture(slot, expected, got, wrong, at):
    """A drawing, where it shows a pattern: some entries right, some wrong, and not too many."""
    title = slot.name
    if wrong.ndim == 3:  # (T,B,.): one sequence, its steps as rows
        title += f" of sequence {at[1]}, a row for each step"
        expected, got, wrong = expected[:, at[1]], got[:, at[1]], wrong[:, at[1]]
    if wrong.ndim != 2 or wrong.all() or not wrong.any() or max(wrong.shape) > 16:
        return None
    return Picture(title, _float(expected), _float(got), wrong)


def _first_wrong_step(slot, wrong):
    if not slot.axes or slot.axes[0] != "T" or wrong.shape[0] < 2:
        return ""
    steps = wrong.reshape(wrong.shape[0], -1).any(axis=1)
    if steps.all():
        return ""
    first, last = np.flatnonzero(steps)[[0, -1]]
    if first == last:
        return f" Only step t={first} is wrong."
    return f" The first wrong step is t={first}, the last t={last}."


def _check_type(slot: Slot, got: Any, subject: str) -> Difference | None:
    if slot.axes is None:
        return _check_number(slot, got, subject)
    if slot.kind == "list":
        return _check_list(got, subject)
    if not isinstance(got, np.ndarray):
        expected = f"the NumPy array {slot}"
        return Difference(f"{subject} {_described(got, subject)}; expected {expected}.")
    if got.dtype.kind not in {"float": "f", "int": "iu", "bool": "b"}[slot.kind]:
        return Difference(f"{slot.name} holds {got.dtype} numbers; expected {slot.kind}.")
    if slot.kind == "float" and got.dtype.itemsize < 8:
        digits = {2: "3", 4: "7"}[got.dtype.itemsize]
        return Difference(
            f"{slot.name} is {got.dtype}, which keeps only {digits} digits; expected float64."
        )
    return None


def _check_number(slot: Slot, got: Any, subject: str) -> Difference | None:
    got = _unpacked(got)
    wanted = {"int": numbers.Integral, "float": numbers.Real, "bool": bool | np.bool_}[slot.kind]
    is_bool = isinstance(got, bool | np.bool_)
    if isinstance(got, wanted) and (slot.kind == "bool" or not is_bool):
        return None
    kind = {"int": "a whole number (int)", "float": "one number", "bool": "True or False"}
    return Difference(f"{subject} {_described(got, subject)}; expected {kind[slot.kind]}.")


def _unpacked(value):
    """A number, out of the array without axes that it may be in."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def is_whole(value: Any) -> bool:
    """Whether it is an int, of Python or NumPy; a bool is none."""
    value = _unpacked(value)
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _check_list(got: Any, subject: str) -> Difference | None:
    flat = isinstance(got, tuple | list) or (isinstance(got, np.ndarray) and got.ndim == 1)
    if flat and all(map(is_whole, got)):
        return None
    shown = f": {str(got)[:60]}" if isinstance(got, tuple | list) else ""
    found = f"{_described(got, subject)}{shown}"
    return Difference(f"{subject} {found}; expected a list of whole numbers.")


def _check_shape(slot: Slot, expected: np.ndarray, got: np.ndarray) -> Difference | None:
    if got.shape == expected.shape:
        return None
    if slot.kind == "list":
        return Difference(f"{slot.name} has {got.size} entries; expected {expected.size}.")
    axes = f"{_axes(slot)} = " if slot.axes else ""
    return Difference(
        f"{slot.name} has the shape {shape(got.shape)}; expected {axes}{shape(expected.shape)}."
    )


def _float(array):
    return array.astype(float) if array.dtype.kind in "biu" else array


def _shape_of(value):
    return shape(np.shape(value)) if isinstance(value, np.ndarray) else ""


def shape(sizes: tuple) -> str:
    """(3,4) as the lessons write shapes, without spaces."""
    return "(" + ",".join(map(str, sizes)) + ("," if len(sizes) == 1 else "") + ")"


def number(value: Any) -> str:
    """A number short enough to read."""
    return f"{value:.6g}" if isinstance(value, numbers.Real) and value == value else str(value)


def place(slot: Slot, at: tuple) -> str:
    """Where in an array, in the words of the lessons: "step t=2, sequence 0, unit 3"."""
    axes = slot.axes or ()
    named = len(axes) == len(at) and all(a in AXES for a in axes) and len(set(axes)) == len(axes)
    if named:
        return ", ".join(AXES[a] + str(i) for a, i in zip(axes, at, strict=True))
    return "[" + ",".join(map(str, at)) + "]"


def describe(value: Any) -> str:
    """What a value is, in a few plain words."""
    if value is None:
        return "None"
    if inspect.isgenerator(value):
        return "a generator (use `return`, not `yield`)"
    if isinstance(value, np.ndarray):
        return f"an array of shape {shape(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, numbers.Real):
        return f"the {type(value).__name__} {value}"
    return f"a {type(value).__name__}"


def _described(value, subject=RETURNED):
    """The same; of nothing at all it asks after the `return`, which an entry has not lost."""
    hint = " (did you forget `return`?)" if value is None and subject == RETURNED else ""
    return describe(value) + hint


def same(a: Any, b: Any, rtol: float = 0.0) -> bool:
    """Whether two values, however nested, are alike in type, shape and, within rtol, in value."""
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(same(x, y, rtol) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if type(a) is not type(b) or a.shape != b.shape or a.dtype.kind != b.dtype.kind:
            return False
        return _close(a, b, rtol)
    number = numbers.Number | np.bool_
    if isinstance(a, number) and isinstance(b, number):
        return np.iscomplexobj(a) == np.iscomplexobj(b) and _close(
            np.asarray(a), np.asarray(b), rtol
        )
    if isinstance(a, str | bytes | None.__class__):
        return a == b
    return type(a) is type(b)  # functions, generators, modules: their insides are not compared


def _close(a, b, rtol):
    if a.dtype.kind not in "biufc" or b.dtype.kind not in "biufc":
        return a.dtype == b.dtype and bool(np.all(a == b))
    if a.dtype == b.dtype and a.tobytes() == b.tobytes():
        return True  # the usual case, and quicker
    if rtol == 0:
        return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc" and b.dtype.kind in "fc")
    a, b = _float(a), _float(b)
    with np.errstate(all="ignore"):
        largest = np.abs(b).max(initial=0.0)
        if np.isfinite(largest):  # NaN and infinity in a differ by more than any amount
            return bool((np.abs(a - b) <= rtol * (np.abs(b) + largest)).all())
    largest = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    return np.allclose(a, b, rtol=rtol, atol=rtol * largest, equal_nan=True)


def snapshot(value: Any) -> Any:
    """A copy that later changes cannot reach; what cannot be copied is kept as it is."""
    try:
        return copy.deepcopy(value)
    except Exception:
        return value
