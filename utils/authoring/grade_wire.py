"""Values on their way out of a submission's process: JSON that holds data and nothing that acts.

Arrays and numbers arrive bit for bit. What a check never compares (a function, a model, a file)
arrives as an empty object whose type has the same name, so that a report can say what it was.
"""

import base64
import builtins
import contextlib
import functools
import itertools
import linecache
import math
from types import GeneratorType
from typing import Any

import numpy as np

MOST_VALUES, DEEPEST = 20_000, 12
MOST_BYTES = 2**24  # of one array
LONGEST_TEXT = 2_000

KNOWN_ERRORS = {
    name: kind
    for module in (np.exceptions, np.linalg, builtins)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
}
PLAIN = {kind.__name__: kind for kind in (dict, set, frozenset, bytes, bytearray)}
PLAIN |= {"function": lambda: _error, "module": lambda: np}
_lines = itertools.count()


class Malformed(Exception):
    """A message that `encode` would not have written."""


# Out --------------------------------------------------------------------------------------------


def encode(value: Any) -> list:
    """A value, however nested, as lists, numbers and text."""
    try:
        return _encode(value, iter(range(MOST_VALUES)), DEEPEST)
    except (StopIteration, RuntimeError):
        return ["other", "value too large to look at"]


def _encode(value, left, depth):
    next(left)  # ends with StopIteration, as a comprehension does with RuntimeError
    if depth == 0:
        raise StopIteration
    if value is None or value is Ellipsis:
        return ["none" if value is None else "ellipsis"]
    if isinstance(value, np.generic | np.ndarray):
        return _encode_array(value)
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", hex(value)] if value.bit_length() < LONGEST_TEXT else ["other", "huge int"]
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, complex):
        return ["complex", value.real.hex(), value.imag.hex()]
    if isinstance(value, str):
        return ["str", value[:LONGEST_TEXT].encode("utf-8", "replace").decode()]
    if isinstance(value, tuple):
        items = [_encode(v, left, depth - 1) for v in value]
        more = {k: _encode(v, left, depth - 1) for k, v in getattr(value, "__dict__", {}).items()}
        return ["tuple", type(value).__name__, items, more]
    if isinstance(value, list):
        return ["list", [_encode(v, left, depth - 1) for v in value]]
    return ["generator"] if isinstance(value, GeneratorType) else ["other", type(value).__name__]


def _encode_array(value):
    kind = "scalar" if isinstance(value, np.generic) else "array"
    if value.dtype.kind not in "biufc":
        return ["odd array", list(value.shape), value.dtype.kind]
    if value.nbytes > MOST_BYTES:
        return ["other", f"array of {value.nbytes / 2**20:.0f} MB"]
    notes = {k: v for k, v in (value.dtype.metadata or {}).items() if isinstance(v, bool)}
    data = base64.b64encode(value.tobytes()).decode()
    return [kind, value.dtype.str, list(value.shape), data, notes]


def encode_error(error: BaseException, line: str) -> dict:
    """An exception, with the line of code that raised it."""
    try:
        text = str(error)
    except Exception:
        text = ""
    name = getattr(error, "name", None)
    return {
        "type": type(error).__name__,
        "text": text[:LONGEST_TEXT].encode("utf-8", "replace").decode(),
        "line": line[:LONGEST_TEXT].encode("utf-8", "replace").decode(),
        "name": name if isinstance(name, str) else None,
    }


# In: what comes may have been written by anybody -------------------------------------------------


def decode(data: Any, kinds: dict | None = None) -> Any:
    """The value again. `kinds` gives the tuple types that are wanted as themselves, by name.

    Raises Malformed.
    """
    try:
        return _decode(data, kinds or {})
    except Malformed:
        raise
    except Exception as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None


def _decode(data, kinds):
    match data:
        case ["none"]:
            return None
        case ["ellipsis"]:
            return ...
        case ["array" | "scalar" as kind, str(dtype), list(shape), str(text), dict(notes)]:
            return _decode_array(kind, dtype, shape, text, notes)
        case ["odd array", list(shape), str(kind)]:
            if math.prod(shape) > MOST_VALUES:
                return _decode(["other", "array"], kinds)
            return np.empty(shape, dtype={"U": "U1", "S": "S1"}.get(kind, object))
        case ["bool", bool(value)]:
            return value
        case ["int", str(text)]:
            return int(text, 16)
        case ["float", str(text)]:
            return float.fromhex(text)
        case ["complex", str(real), str(imag)]:
            return complex(float.fromhex(real), float.fromhex(imag))
        case ["str", str(text)]:
            return text
        case ["tuple", str(name), list(items), dict(more)]:
            return _decode_tuple(name, [_decode(i, kinds) for i in items], more, kinds)
        case ["list", list(items)]:
            return [_decode(i, kinds) for i in items]
        case ["generator"]:
            return (x for x in ())
        case ["other", str(name)]:
            return PLAIN[name]() if name in PLAIN else _kind(name)()
    raise Malformed(f"not a value: {str(data)[:60]}")


def _decode_array(kind, dtype, shape, text, notes):
    dtype = np.dtype(dtype)
    if dtype.kind not in "biufc" or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise Malformed("not an array of numbers")
    plain = {str(k): bool(v) for k, v in notes.items()}
    if plain:
        dtype = np.dtype(dtype, metadata=plain)
    array = np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy()
    return array[()] if kind == "scalar" else array


def _decode_tuple(name, items, more, kinds):
    if name == "tuple":
        return tuple(items)
    value = (kinds.get(name) or _kind(name, tuple))(items)
    for key, item in more.items():
        if key.isidentifier() and not key.startswith("_"):
            setattr(value, key, _decode(item, kinds))
    return value


@functools.lru_cache(1000)
def _kind(name: str, base: type = object) -> type:
    """A type of that name, the same one each time."""
    return type(name.replace("\0", "") or "object", (base,), {})


class _Text(str):
    """Text that is shown as it is even by an exception that shows the repr of its argument."""

    def __repr__(self):
        return str(self)


def _error(kind, text):
    with contextlib.suppress(Exception):
        error = kind(_Text(text)) if text else kind()
        if str(error) == text:
            return error
    with contextlib.suppress(Exception):  # one that wants other arguments
        error = kind.__new__(kind)
        error.args = (_Text(text),)
        str(error)
        return error
    return _kind(kind.__name__, Exception)(text)


def decode_error(data: Any) -> BaseException:
    """The exception again, with a traceback that leads to the line that raised it.

    Raises Malformed.
    """
    match data:
        case {"type": str(name), "text": str(text), "line": str(line), "name": nameless}:
            pass
        case _:
            raise Malformed("not an error")
    error = _error(KNOWN_ERRORS.get(name) or _kind(name, Exception), text)
    if isinstance(error, NameError) and isinstance(nameless, str):
        error.name = nameless
    if not line:
        return error
    file = f"<a submission, line {next(_lines)}>"
    linecache.cache[file] = (len(line), None, [" ".join(line.split()) + "\n"], file)
    try:
        exec(compile("raise error", file, "exec"), {"__name__": "submission", "error": error})
    except BaseException as raised:
        return raised
