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
ARRAYS_ONLY = {np.ndarray}
CARRIED = {"h0", "c0", "h_prev", "c_prev"}  # states that may come from another batch
LIMIT = 2**63  # of unsigned ids, which become int64
RAISES = "Raises TypeError or ValueError for an argument of another dtype, shape or range."


class Form(NamedTuple):
    """What an argument may be: kind of numbers, axes (times, letter), the limit of ids."""

    kind: str
    axes: list
    below: str
    any_lead: bool


def checked(**specs):
    """Decorator: the function gets the arguments named in `specs` as arrays, the floats in one
    common dtype and the ids as int64, or an error that names the first bad one.

    The spec of a NamedTuple of weights is a NamedTuple of specs. The docstring says what is raised.
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

        says = inspect.cleandoc(function.__doc__ or "")  # python -OO takes it away
        with_checked_arguments.__doc__ = f"{says}\n\n{RAISES}"
        return with_checked_arguments

    return decorate


def arrays(**named):
    """The same for a single call: arrays(x=(x, "TBD"), U=(U, "DH")) gives the list [x, U]."""
    values, specs = zip(*named.values(), strict=True)
    return _check(tuple(named), specs, values)


def network(params, kinds, **others):
    """params, which must be of one of these kinds, and others as arrays: one tuple.

    `kinds` are NamedTuples of specs; the others as for `arrays`.
    """
    for specs in kinds:
        if isinstance(params, type(specs)):
            parts = zip(params._fields, params, specs, strict=True)
            named = {f"params.{field}": (value, spec) for field, value, spec in parts}
            found = arrays(**named, **others)
            return type(specs)(*found[: len(specs)]), *found[len(specs) :]
    *names, last = (type(specs).__name__ for specs in kinds)
    got = type(params).__name__
    raise TypeError(f"params: expected {', '.join(names)} or {last}, got {got}")


def ids_below(name, value, size):
    """`value` as a vector (T,) of whole numbers in [0, size)."""
    (ids,) = arrays(**{name: (value, "T<")})
    _check_range(name, ids, size)
    return ids


def whole(name, value, least=None):
    """`value` as an int, at least `least` if that is given."""
    try:
        found = index(None if isinstance(value, bool | np.bool_) or _is_masked(value) else value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {_described(value)}") from None
    if least is not None and found < least:
        raise ValueError(f"{name}: expected at least {least}, got {found}")
    return found


def number(name, value):
    """`value` as a float: one real number, or an array or tensor without axes that holds one.

    Not a masked one, nor a tensor that requires a gradient: what they know beside would be lost.
    """
    wrong = isinstance(value, str | bytes | bool | np.bool_ | np.complexfloating)
    try:
        if wrong or np.ndim(value) or _is_masked(value) or getattr(value, "requires_grad", False):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise TypeError(f"{name}: expected a number, got {_described(value)}") from None


def positive(name, value, zero_too=False):
    """`value` as a float above 0, or from 0 on."""
    value = number(name, value)
    if not (value > 0 or (zero_too and value == 0)):  # said so that NaN is refused
        raise ValueError(
            f"{name}: expected {'at least' if zero_too else 'more than'} 0, got {value}"
        )
    return value


def numbers(name, value):
    """`value` as an array of numbers of any kind and shape, at least one of them."""
    found = _as_array(name, "numbers", value)
    if found.dtype.kind not in "biufc":
        raise TypeError(f"{name}: expected numbers, got {_kind(found.dtype)}")
    if found.size == 0:
        raise ValueError(f"{name}: expected at least one number, got shape {found.shape}")
    return found


def finite(name, value):
    """Raises ValueError if a number in the array `value` is NaN or infinite."""
    bad = ~np.isfinite(value)
    if bad.any():
        raise ValueError(
            f"{name}: expected finite numbers, got {value[bad][0]}; if a training has diverged, "
            "try a smaller lr, or clip the gradients"
        )


def tensor(name, value, kind="numbers"):
    """Raises TypeError if `value` is no PyTorch tensor of "numbers", "integers" or "booleans"."""
    import torch  # where there are tensors, it is loaded already

    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name}: expected a tensor of {kind}, got {type(value).__name__}: "
            "to_tensors(batch) turns the arrays of a batch into tensors"
        )
    truth, fraction = value.dtype == torch.bool, value.is_floating_point() or value.is_complex()
    fits = {"numbers": True, "integers": not (truth or fraction), "booleans": truth}
    if not fits[kind]:
        raise TypeError(f"{name}: expected a tensor of {kind}, got {value.dtype}")


def rows_of_state(name, shape, B):
    """Raises ValueError if the shape of a state is (rows,H) and there are not B rows."""
    hint = _hint(shape, {"B": B})
    if hint:
        raise ValueError(f"{name}: expected shape (B={B}, H), got shape {shape}{hint}")


def generator(rng):
    """`rng`, which must be a NumPy Generator: whoever calls decides on the seed."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a np.random.Generator, got {type(rng).__name__}")
    return rng


def _check(names, specs, values):
    found = list(values)
    if set(map(type, found)) != ARRAYS_ONLY:
        found = [
            value if type(value) is np.ndarray else _as_array(name, _expected(spec), value)
            for name, spec, value in zip(names, specs, values, strict=True)
        ]
    limits, casts = _check_forms(names, specs, tuple([(a.dtype, a.shape) for a in found]))
    for name, place, size in limits:
        _check_range(name, found[place], size)
    for place, dtype in casts:
        found[place] = found[place].astype(dtype)
    return found


def _as_array(name, expected, value):
    """`value` as an array, or an error that says what NumPy would lose of it or cannot read."""
    if _is_masked(value):
        raise TypeError(
            f"{name}: expected {expected}, got a masked array, whose mask would be lost: "
            "give its .data or .filled(value)"
        )
    try:
        found = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected a rectangular array, got rows that differ") from None
    except (TypeError, RuntimeError) as error:  # a tensor that requires a gradient, say
        kind = type(value).__name__
        raise TypeError(f"{name}: expected {expected}, got {kind}: {error}") from None
    if found.ndim == 0 and found.dtype.kind not in "biufc":
        raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")
    return found


def _is_masked(value):
    if isinstance(value, tuple | list):
        return any(map(_is_masked, value))
    return isinstance(value, np.ma.MaskedArray)


def _described(value):
    kind = type(value).__name__
    if isinstance(value, np.ndarray):
        return f"{kind} of shape {value.shape}"
    shown = repr(value)
    return kind if value is None else f"{kind} {shown[:57] + '...' if len(shown) > 60 else shown}"


def _kind(dtype):
    return {"U": "text", "S": "bytes"}.get(dtype.kind, dtype)


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
        if dtype.kind in "iu" and dtype != np.int64:  # narrow ids would overflow unseen
            casts.append((place, np.dtype(np.int64)))
        if form.below or dtype == np.uint64:
            limited.append((name, place, form.below))
    if floats:
        common = np.result_type(*(dtype for _, dtype in floats))
        casts += [(place, common) for place, dtype in floats if dtype != common]
    return [(name, place, sizes.get(letter, LIMIT)) for name, place, letter in limited], casts


def _pick_form(name, spec, dtype, shape):
    kind = {"i": "ids", "u": "ids", "b": "bool"}.get(dtype.kind)
    if dtype.type in FLOATS:
        kind = "float"
    forms = _forms(spec)
    for form in forms:
        if form.kind == kind and (len(forms) == 1 or len(shape) == len(form.axes)):
            return form
    expected = _expected(spec)
    if 0 in shape:  # an empty list has no kind of its own
        raise ValueError(f"{name}: expected {expected}, each at least 1, got shape {shape}")
    right_kind = any(form.kind == kind for form in forms)
    fits_another = any(len(shape) == len(form.axes) for form in forms)
    error = ValueError if right_kind and not fits_another else TypeError
    raise error(f"{name}: expected {expected}, got {_kind(dtype)} of shape {shape}")


@lru_cache
def _expected(spec):
    return " or ".join(f"{KINDS[form.kind]} {_words(form, {})}" for form in _forms(spec))


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
        hint = _hint(shape, sizes) if name in CARRIED else ""
        raise ValueError(f"{name}: expected {expected}{at_least}, got shape {shape}{hint}")


def _hint(shape, sizes):
    """What to do about a state (B,H) that belongs to a batch of another size."""
    if len(shape) != 2 or shape[0] == sizes.get("B", shape[0]):
        return ""
    return (
        f"; a carried state fits batches of {shape[0]} sequences only: where the last one is "
        f"smaller, leave it out or start it from np.zeros(({sizes['B']}, {shape[1]}))"
    )


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
