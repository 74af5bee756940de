"""Arguments checked once, at the door, so that the loops behind it need not.

A line above a function says what its arrays must be, in the letters of the lessons:

    @checked(x="TBD|TB<D", h0="BH", U="DH", V="HH", b="H")
    def unroll(x, h0, U, V, b):

"DH"    floats of shape (D, H)            "TB<K"  whole numbers of shape (T, B), each in [0, K)
"D4H"   floats of shape (D, 4 H)          "TB<"   whole numbers of shape (T, B)
"...H"  floats, last axis H               "TB?"   booleans of shape (T, B)
"A|B"   one or the other, by the dtype    A letter has one size in all arguments, at least 1.
"""

import inspect
import re
from functools import lru_cache, wraps
from itertools import islice
from operator import index, is_not
from typing import NamedTuple

import numpy as np

FLOATS = {np.float32, np.float64, np.complex128}  # complex: for the complex-step check
KINDS = {"float": "float32 or float64", "ids": "integers", "bool": "booleans"}


class Form(NamedTuple):
    """What an argument may be: kind of numbers, axes (times, letter), the limit of ids."""

    kind: str
    axes: list
    below: str
    any_lead: bool


def checked(**specs):
    """Decorator: the function gets the arguments named in `specs` as arrays, the floats in one
    common dtype, or an error that names the first bad one.

    The spec of a NamedTuple of weights is a NamedTuple of specs.
    """
    names, flat_specs = [], []
    for name, spec in specs.items():
        fields = getattr(spec, "_fields", None)
        names += [f"{name}.{field}" for field in fields] if fields else [name]
        flat_specs += spec if fields else [spec]
    names, flat_specs = tuple(names), tuple(flat_specs)

    def decorate(function):
        signature = inspect.signature(function)
        order = list(signature.parameters)
        plan = [(order.index(name), spec) for name, spec in specs.items()]
        groups = [(place, type(spec)) for place, spec in plan if type(spec) is not str]

        @wraps(function)
        def with_checked_arguments(*args, **kwargs):
            if kwargs or len(args) != len(order):
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                args = bound.args
            values = []
            for place, spec in plan:
                if type(spec) is str:
                    values.append(args[place])
                else:
                    values += _fields_of(args[place], spec)
            found = _check(names, flat_specs, values)
            changed = any(map(is_not, found, values))
            for place, group in groups:
                changed = changed or type(args[place]) is not group
            if changed:
                args, found = list(args), iter(found)
                for place, spec in plan:
                    one = type(spec) is str
                    args[place] = next(found) if one else type(spec)(*islice(found, len(spec)))
            return function(*args)

        return with_checked_arguments

    return decorate


def arrays(**named):
    """The same for a single call: arrays(x=(x, "TBD"), U=(U, "DH")) gives the list [x, U]."""
    values, specs = zip(*named.values(), strict=True)
    return _check(tuple(named), specs, values)


def ids_below(name, value, size):
    """`value` as a vector (T,) of whole numbers in [0, size)."""
    (ids,) = arrays(**{name: (value, "T<")})
    _check_range(name, ids, size)
    return ids


def whole(name, value, least=None):
    """`value` as an int, at least `least` if that is given."""
    try:
        number = index(None if isinstance(value, bool | np.bool_) else value)
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{name}: expected a whole number, got {kind} {value!r}") from None
    if least is not None and number < least:
        raise ValueError(f"{name}: expected at least {least}, got {number}")
    return number


def positive(name, value, zero_too=False):
    """`value` as a float above 0, or from 0 on."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise TypeError(f"{name}: expected a number, got {kind} {value!r}") from None
    if not (number > 0 or (zero_too and number == 0)):  # said so that NaN is refused
        raise ValueError(
            f"{name}: expected {'at least' if zero_too else 'more than'} 0, got {number}"
        )
    return number


def generator(rng):
    """`rng`, which must be a NumPy Generator: whoever calls decides on the seed."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a np.random.Generator, got {type(rng).__name__}")
    return rng


def _check(names, specs, values):
    try:
        found = list(map(np.asarray, values))
    except ValueError:
        found = [_as_array(name, value) for name, value in zip(names, values, strict=True)]
    limits, casts = _check_forms(names, specs, tuple([(a.dtype, a.shape) for a in found]))
    for name, place, size in limits:
        _check_range(name, found[place], size)
    for place, dtype in casts:
        found[place] = found[place].astype(dtype)
    return found


def _as_array(name, value):
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected a rectangular array, got rows that differ") from None


@lru_cache(maxsize=512)
def _check_forms(names, specs, forms):
    """Dtypes and shapes, without the values: the same ones, met again, are known to be right.

    Gives the limits of ids, (name, place, size), and (place, dtype) of what has to be cast.
    """
    sizes, limited, floats, casts = {}, [], [], []
    for place, (name, spec, (dtype, shape)) in enumerate(zip(names, specs, forms, strict=True)):
        form = _pick_form(name, spec, dtype, shape)
        _match_shape(name, form, shape, sizes)
        if form.kind == "float":
            floats.append((place, dtype))
        if dtype.kind == "u":  # unsigned ids do not add up with others
            casts.append((place, np.dtype(np.int64)))
        if form.below:
            limited.append((name, place, form.below))
    if floats:
        common = np.result_type(*(dtype for _, dtype in floats))
        casts += [(place, common) for place, dtype in floats if dtype != common]
    return [(name, place, sizes[letter]) for name, place, letter in limited], casts


def _pick_form(name, spec, dtype, shape):
    kind = {"i": "ids", "u": "ids", "b": "bool"}.get(dtype.kind)
    if dtype.type in FLOATS:
        kind = "float"
    forms = _forms(spec)
    for form in forms:
        if form.kind == kind and (len(forms) == 1 or len(shape) == len(form.axes)):
            return form
    expected = " or ".join(f"{KINDS[form.kind]} {_words(form, {})}" for form in forms)
    right_kind = any(form.kind == kind for form in forms)
    fits_another = any(len(shape) == len(form.axes) for form in forms)
    error = ValueError if right_kind and not fits_another else TypeError
    raise error(f"{name}: expected {expected}, got {dtype} of shape {shape}")


def _forms(spec):
    forms = []
    for text in spec.split("|"):
        letters, limited, below = text.partition("<")
        kind = "ids" if limited else "bool" if "?" in text else "float"
        axes = [(int(n or 1), letter) for n, letter in re.findall(r"(\d*)([A-Z])", letters)]
        forms.append(Form(kind, axes, below, letters.startswith("...")))
    return forms


def _match_shape(name, form, shape, sizes):
    last = shape[max(0, len(shape) - len(form.axes)) :] if form.any_lead else shape
    fits = len(last) == len(form.axes) and 0 not in shape
    if fits:
        for (times, letter), size in zip(form.axes, last, strict=True):
            fits = fits and times * sizes.setdefault(letter, size // times) == size
    if not fits:
        expected = f"{KINDS[form.kind]} of shape {_words(form, sizes)}"
        at_least = ", each at least 1" if 0 in shape else ""
        raise ValueError(f"{name}: expected {expected}{at_least}, got shape {shape}")


def _words(form, sizes):
    """The shape as in the docstrings, sizes put in where they are known: (T, B=3)."""
    axes = ["..."] if form.any_lead else []
    for times, letter in form.axes:
        axis = letter if times == 1 else f"{times}{letter}"
        axes.append(f"{axis}={times * sizes[letter]}" if letter in sizes else axis)
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def _check_range(name, ids, size):
    unsigned = ids.astype(np.uint64)  # one look at the largest: what is negative is huge now
    if unsigned.item(unsigned.argmax()) >= size:
        low, high = ids.min(), ids.max()
        raise ValueError(f"{name}: expected ids from 0 to {size - 1}, got {min(low, 0) or high}")


def _fields_of(value, specs):
    if not isinstance(value, tuple | list) or len(value) != len(specs):
        names = ", ".join(specs._fields)
        raise TypeError(f"params: expected the arrays {names}, got {type(value).__name__}")
    return value
