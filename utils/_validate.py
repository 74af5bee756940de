"""Arguments checked once, at the door, so that the loops behind it need not.

One line a function says what every argument must be, in the letters of the lessons:

    x, h0, U = arrays(x=(x, "TBD|TB<D"), h0=(h0, "BH"), U=(U, "DH"))

"DH"    floats of shape (D, H)            "TB<K"  whole numbers of shape (T, B), each in [0, K)
"TB?"   booleans of shape (T, B)          "TB<"   whole numbers without that limit
"...H"  floats, last axis H, any axes before it
"A|B"   one or the other, by the dtype    A letter has one size in all arguments.
"""

from functools import cache
from math import isfinite
from operator import index
from typing import NamedTuple

import numpy as np

FLOATS = (np.float32, np.float64, np.complex128)  # complex: for the complex-step check


class Form(NamedTuple):
    """What one argument may be: kind of numbers, a letter an axis, the limit of ids."""

    kind: str
    letters: str
    below: str | None
    any_lead: bool


def arrays(**named):
    """The arguments as arrays, the floats in one common dtype; an error names the first bad one."""
    sizes, found, ids = {}, [], []
    for name, (value, spec) in named.items():
        array = _as_array(name, value)
        form = _pick_form(name, array, spec)
        _match_shape(name, array, form, sizes)
        found.append(array)
        if form.below:
            ids.append((name, array, form.below))
    for name, array, letter in ids:
        _check_range(name, array, letter, sizes)
    return _in_common_dtype(found)


def ids_below(name, value, size):
    """`value` as a vector (T,) of whole numbers in [0, size)."""
    (ids,) = arrays(**{name: (value, f"T<{size}")})
    return ids


def whole(name, value, least=None):
    """`value` as an int, at least `least` if that is given."""
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {_what(value)}") from None
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected a whole number, got {_what(value)}")
    if least is not None and number < least:
        raise ValueError(f"{name}: expected at least {least}, got {number}")
    return number


def number(name, value, above=None, least=None):
    """`value` as a finite float, greater than `above` or at least `least`."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected a number, got {_what(value)}") from None
    if not isfinite(result):
        raise ValueError(f"{name}: expected a finite number, got {result}")
    if above is not None and result <= above:
        raise ValueError(f"{name}: expected a number above {above}, got {result}")
    if least is not None and result < least:
        raise ValueError(f"{name}: expected at least {least}, got {result}")
    return result


def generator(rng):
    """`rng`, which must be a NumPy Generator: all randomness here has a known seed."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a np.random.Generator, got {type(rng).__name__}")
    return rng


def _as_array(name, value):
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected a rectangular array, got rows that differ") from None


@cache
def _forms(spec):
    forms = []
    for text in spec.split("|"):
        letters, limited, below = text.partition("<")
        kind = "ids" if limited else "bool" if text.endswith("?") else "float"
        letters = letters.rstrip("?")
        forms.append(Form(kind, letters.lstrip("."), below or None, text.startswith("...")))
    return forms


def _pick_form(name, array, spec):
    kind = {"i": "ids", "u": "ids", "b": "bool"}.get(array.dtype.kind)
    if array.dtype.type in FLOATS:
        kind = "float"
    forms = _forms(spec)
    for form in forms:
        if form.kind == kind and (len(forms) == 1 or array.ndim == len(form.letters)):
            return form
    expected = " or ".join(f"{_KINDS[form.kind]} {_shape(form, {})}" for form in forms)
    error = ValueError if kind == "float" else TypeError
    raise error(f"{name}: expected {expected}, got {array.dtype} of shape {array.shape}")


_KINDS = {"float": "float32 or float64", "ids": "integers", "bool": "booleans"}


def _match_shape(name, array, form, sizes):
    letters, shape = form.letters, array.shape
    if form.any_lead:
        shape = shape[max(0, len(shape) - len(letters)) :]
    fits = len(shape) == len(letters) and 0 not in array.shape
    if fits:
        for letter, size in zip(letters, shape, strict=True):
            fits = fits and sizes.setdefault(letter, size) == size
    if not fits:
        empty = ", each at least 1" if 0 in array.shape else ""
        expected = f"{_KINDS[form.kind]} of shape {_shape(form, sizes)}{empty}"
        raise ValueError(f"{name}: expected {expected}, got shape {array.shape}")


def _check_range(name, ids, limit, sizes):
    size = int(limit) if limit.isdigit() else sizes[limit]
    low, high = ids.min(), ids.max()
    if low < 0 or high >= size:
        raise ValueError(f"{name}: expected ids from 0 to {size - 1}, got {min(low, 0) or high}")


def _in_common_dtype(found):
    floats = [array for array in found if array.dtype.kind in "fc"]
    if len({array.dtype for array in floats}) < 2:
        return found
    dtype = np.result_type(*floats)
    return [a.astype(dtype, copy=False) if a.dtype.kind in "fc" else a for a in found]


def _shape(form, sizes):
    axes = [f"{letter}={sizes[letter]}" if letter in sizes else letter for letter in form.letters]
    axes = (["..."] if form.any_lead else []) + axes
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def _what(value):
    return f"{type(value).__name__} {value!r}"
