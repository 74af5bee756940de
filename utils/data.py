"""The data: what ships with the dependencies, and sequences made here whose answers are known.

Nothing is downloaded. Real: the colour names of the xkcd survey (in matplotlib, public domain) and
Python's own reference text (in CPython). Made: lagged bits, a copy task for long memory, and a
second-order Markov language, each with the best loss that any model can reach.
"""

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ._validate import generator, ids_below, whole

END = "\n"  # the end of a name; as id 0 it also starts one

CRUDE = {
    "barf",
    "bile",
    "booger",
    "diarrhea",
    "piss",
    "poo",
    "poop",
    "puke",
    "shit",
    "snot",
    "vomit",
}


class Colours(NamedTuple):
    """Names (n strings) and what they look like: rgb (n,3), each of red, green, blue in [0,1]."""

    names: tuple
    rgb: np.ndarray


def colour_names():
    """Two `Colours`, training and held-out: of 949 names 920 are left without the crude ones.

    One name in ten is held out, always the same ones.
    """
    from matplotlib.colors import XKCD_COLORS, to_rgb

    every = sorted(name.removeprefix("xkcd:") for name in XKCD_COLORS)
    names = [name for name in every if not CRUDE & set(name.split())]
    rgb = np.array([to_rgb("xkcd:" + name) for name in names])
    order = np.random.default_rng(949).permutation(len(names))
    held_out, train = np.split(order, [len(names) // 10])
    return tuple(Colours(tuple(names[i] for i in part), rgb[part]) for part in (train, held_out))


def same_bag(names, rgb):
    """Pairs (i, j) of names that have the same letters in another order.

    Those whose colours rgb (n,3) differ most come first.
    """
    bags = {}
    for i, name in enumerate(names):
        bags.setdefault("".join(sorted(name)), []).append(i)
    pairs = [pair for bag in bags.values() for pair in combinations(bag, 2)]
    return sorted(pairs, key=lambda pair: -np.abs(rgb[pair[0]] - rgb[pair[1]]).sum())


def python_docs():
    """English prose: the reference that Python's `help()` shows, about 465 000 characters."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def load_text(path, least=1000):
    """The text in a UTF-8 file of your own, of at least `least` characters to learn from.

    Raises FileNotFoundError if there is no such file, ValueError if it is no UTF-8 text or short.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path: expected a text file, got {str(path)!r}, which is not one")
    raw = path.read_bytes()
    if b"\0" in raw:
        raise ValueError(f"path: expected plain text, got a binary file: {path.name}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"path: expected UTF-8 text, got {path.name}, whose byte {error.start} is not UTF-8"
        ) from None
    text = text.replace("\r\n", "\n")
    if len(text.strip()) < least:
        raise ValueError(
            f"path: expected at least {least} characters to learn from, "
            f"got {len(text.strip())} in {path.name}"
        )
    return text


def alphabet(texts):
    """The characters of one string or of several, each once, as a string; END always comes first.

    A character's place in it is its id, so END is id 0. Raises TypeError for what is no text.
    """
    if not isinstance(texts, str):
        if not isinstance(texts, Iterable):
            raise TypeError(f"texts: expected strings, got {type(texts).__name__}")
        texts = [_text(f"texts[{i}]", text) for i, text in enumerate(texts)]
    return END + "".join(sorted(set("".join(texts)) - {END}))


def encode(text, letters):
    """The ids (T,) of the characters of `text`: their places in `letters`.

    Raises TypeError if these are no strings, ValueError if a character is not among the letters.
    """
    text, letters = _text("text", text), _text("letters", letters)
    places = {letter: i for i, letter in enumerate(letters)}
    unknown = sorted(set(text) - set(places))
    if unknown:
        raise ValueError(f"text: expected only the letters {letters!r}, got {''.join(unknown)!r}")
    return np.array([places[letter] for letter in text], dtype=np.int64)


def decode(ids, letters):
    """The text whose characters have these ids (T,); undoes `encode`.

    Raises TypeError if they are no whole numbers, ValueError if one is not the id of a letter.
    """
    letters = _text("letters", letters)
    if np.shape(ids) == (0,):
        return ""
    ids = ids_below("ids", ids, len(letters))
    return "".join(letters[i] for i in ids)


def lagged_bits(T, B, rng):
    """Random bits x (T,B) and bits y (T,B) that depend on x of 3 and of 8 steps before.

    The bits before the first step count too.

        P(y_t = 1) = 0.5 + 0.5 x_{t-3} - 0.25 x_{t-8}

    Raises TypeError or ValueError if T or B is no whole number of at least 1, or rng no Generator.
    """
    T, B = whole("T", T, 1), whole("B", B, 1)
    x = generator(rng).integers(0, 2, size=(T + 8, B))
    p = 0.5 + 0.5 * x[5:-3] - 0.25 * x[:-8]
    return x[8:], (rng.random((T, B)) < p).astype(np.int64)


def lagged_bits_floors():
    """The least loss (nats a step) of who knows neither lag, the lag of 3, and both."""
    p = 0.5 + 0.5 * np.array([[0], [1]]) - 0.25 * np.array([0, 1])  # by x_{t-3}, by x_{t-8}
    return tuple(float(_entropy_of_bit(q).mean()) for q in (p.mean(), p.mean(axis=1), p))


def copy_task(delay, symbols, B, rng):
    """Remember a symbol through `delay` steps of noise, then say it: x, targets, mask (T,B).

    T = delay + 2. Ids: 0 says "now", 1 to `symbols` are the symbols, as many after them are noise.
    Only the last step counts. Who remembers nothing has a loss of log(symbols), who remembers 0.
    In the manner of Bengio, Simard & Frasconi (1994) and Hochreiter & Schmidhuber (1997).
    Raises TypeError or ValueError if delay, symbols (from 2) or B is no such whole number.
    """
    delay, symbols, B = whole("delay", delay, 1), whole("symbols", symbols, 2), whole("B", B, 1)
    first = generator(rng).integers(1, symbols + 1, size=(1, B))
    noise = rng.integers(symbols + 1, 2 * symbols + 1, size=(delay, B))
    x = np.concatenate([first, noise, np.zeros_like(first)])
    targets, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
    targets[-1], mask[-1] = first, True
    return x, targets, mask


def markov2(n, rng):
    """n ids (n,) of a language of 6 symbols in which two symbols decide on the next.

    Raises TypeError or ValueError if n is no whole number of at least 1, or rng no Generator.
    """
    n = whole("n", n, 1)
    cumulative = _markov2_table().cumsum(-1)
    cumulative[..., -1] = 1  # it may be rounded to a little less
    chances = generator(rng).random(n)
    ids, before, last = np.empty(n, dtype=np.int64), 0, 0
    for t in range(n):
        following = int(np.searchsorted(cumulative[before, last], chances[t]))
        ids[t] = following
        before, last = last, following
    return ids


def markov2_perplexities():
    """The best perplexity of who knows the frequencies, the last symbol, and the last two."""
    table = _markov2_table()
    pairs = np.full((6, 6), 1 / 36)
    for _ in range(1000):  # the chances of each pair (before, last), once they have settled
        pairs = np.einsum("ij,ijk->jk", pairs, table)
    singles = pairs.sum(0)
    unigram = _entropy(singles)
    bigram = _entropy(pairs.ravel()) - unigram  # H(next | last) = H(last, next) - H(last)
    floor = (pairs * _entropy(table)).sum()
    return tuple(float(np.exp(entropy)) for entropy in (unigram, bigram, floor))


def _text(name, value):
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string, got {type(value).__name__}")
    return value


def _markov2_table():
    """(6,6,6): the chance of each symbol after each pair."""
    return np.random.default_rng(0).dirichlet(np.full(6, 0.3), size=(6, 6))


def _entropy(p):
    """In nats, along the last axis. 0 log 0 is 0."""
    return -(p * np.log(np.where(p > 0, p, 1))).sum(-1)


def _entropy_of_bit(p):
    return _entropy(np.stack([p, 1 - np.asarray(p)], axis=-1))
