"""Judge what is drawn at random: draw often, count, and hold the counts against the right chances.

Any method of sampling is right, so that draws cannot be compared one by one. Counts that the right
chances may well give are seen as the right chances, without any noise; counts that a known mistake
may well give as the chances of that mistake; all others as the shares counted.
"""

import copy
import functools
import math
import numbers
import pickle
from collections.abc import Callable

import numpy as np

from .compare import is_whole

REPEATS = 30  # draws made twice from one state of the generator
DRAWS = 300  # in each situation
MANY = 2000  # where there are more than 50 ids, to see a temperature that is off by 1/10
LUCK = math.log(1e9)  # what a right answer meets by chance once in a thousand million looks
DOUBT = math.log(1e5)  # a mistake is named only if the counts are no stranger than this under it


def known(wrong: Callable) -> Callable:
    """Marks a wrong sampler that draws by `rng.choice(K, p=…)` alone: its chances can be known.

    Nothing has to be counted then, and a whole bank of them takes no time.
    """
    wrong.chances_are_known = True
    return wrong


def certain(fn: Callable, args: tuple, rng, n: int | None = None) -> tuple:
    """(same_when_repeated, only_the_likeliest_drawn, ids) where nothing is left to chance.

    `ids` is what fn(*args, rng) gives: one id, or a list of n.
    """
    kept, again = pickle.loads(pickle.dumps(args)), copy.deepcopy(rng)
    result = fn(*args, rng)
    try:
        times = REPEATS if n is None else 1 + 12 // max(n, 1)
        draws = [_ids(result, n), *(_ids(fn(*_copies(kept), rng), n) for _ in range(times))]
        if len(set(draws)) > 1:
            same = draws == [_ids(fn(*_copies(kept), again), n) for _ in draws]
            return same, not same, _fine(n)  # one reason is enough
    except Odd as odd:
        return True, True, _bland(odd.result, int)
    if n is None:
        return True, True, draws[0][0]
    plain = isinstance(result, list) and all(isinstance(r, numbers.Integral) for r in result)
    return True, True, result if plain else list(draws[0])


def at_length(fn: Callable, right: Callable, args: tuple, rng, K: int, n: int) -> tuple:
    """(chances_right_to_the_end, ids) of texts of n ids, each with the same chances at every step.

    `right` gives one id with these chances; `ids` is as in `drawn`.
    """
    kept = pickle.dumps(args)
    results = [fn(*args, rng), *(fn(*_copies(pickle.loads(kept)), rng) for _ in range(2))]
    try:
        ids = [(symbol,) for result in results for symbol in _ids(result, n)]
    except Odd as odd:
        return True, _bland(odd.result)
    return _may_give(_law(right, kept, K, 1), _counted(ids, K, 1)), _fine(n)


def drawn(fn: Callable, right: Callable, mistakes: tuple, situations: list, rng, n=None) -> tuple:
    """(same_when_repeated, rng_moves_on, ids, chances, …): what many draws show.

    situations          of each K and args, `rng` being the last argument
    same_when_repeated  the same state of `rng` gives the same draws
    rng_moves_on        not all draws are the same as long as nobody else draws from `rng`
    ids                 0s, or a result of the wrong kind if there was one
    chances             of each id below K, or for lists of n ids an array with n axes
    """
    situations = [(K, args, pickle.dumps(args)) for K, args in situations]
    bank = [m.wrong for m in mistakes if hasattr(m.wrong, "chances_are_known")]

    def laws_of(draw):
        return [_law(draw, pickled, K, n) for K, _, pickled in situations]

    def shaped(laws):
        axes = n or 1
        return [x[:-1].reshape([s[0]] * axes) for x, s in zip(laws, situations, strict=True)]

    if hasattr(fn, "chances_are_known"):
        for _, args, _ in situations:
            fn(*args, rng)  # for its errors, and for what it does to its arguments
        return True, True, _fine(n), *shaped(laws_of(fn))
    laws = laws_of(right)
    try:
        counts = [_counts(fn, *situation, rng, n) for situation in situations]
    except Odd as odd:
        return True, True, _bland(odd.result), *shaped(laws)
    except Differs:
        return False, True, _fine(n), *shaped(laws)
    if all(map(_never_vary, counts)) and any(_vary_if_moved_on(fn, s, rng, n) for s in situations):
        return True, False, _fine(n), *shaped(laws)
    if not _fit(laws, counts):
        pairs = zip(laws, counts, strict=True)
        shares = [law if _may_give(law, c) else c / c.sum() for law, c in pairs]
        fitting = [laws for laws in map(laws_of, bank) if _fit(laws, counts, DOUBT)]
        laws = max(fitting, key=lambda laws: _likelihood(laws, counts), default=shares)
    return True, True, _fine(n), *shaped(laws)


def _counts(fn, K, args, pickled, rng, n):
    """How often each result comes. Raises Odd or Differs."""
    kept, again = pickle.loads(pickled), copy.deepcopy(rng)

    def draw(rng, times):
        return [_ids(fn(*_copies(kept), rng), n) for _ in range(times)]

    first = fn(*args, rng)  # with the caller's own arrays, where a change is noticed
    draws = [_ids(first, n), *draw(rng, REPEATS - 1)]
    if draws != draw(again, REPEATS):
        raise Differs
    draws += draw(rng, (MANY if K > 50 else DRAWS) - REPEATS)
    return _counted(draws, K, n)


def _never_vary(counts):
    return np.count_nonzero(counts) == 1


def _vary_if_moved_on(fn, situation, rng, n):
    """Whether draws that never vary do so once the generator is moved on between them."""
    kept, rng = pickle.loads(situation[-1]), copy.deepcopy(rng)
    draws = set()
    for _ in range(REPEATS):
        rng.random()
        draws.add(_ids(fn(*_copies(kept), rng), n))
    return len(draws) > 1


# What comes back ---------------------------------------------------------------------------------


class Odd(Exception):
    """A result that is not of the kind asked for."""

    def __init__(self, result):
        super().__init__()
        self.result = result


class Differs(Exception):
    """Other draws from the same state of the generator."""


def _fine(n):
    return 0 if n is None else [0] * n


def _bland(result, id_of=lambda symbol: 0):
    """Of which type and shape a result is, without what luck put into it."""
    if isinstance(result, np.ndarray):
        return np.zeros_like(result)
    if isinstance(result, list | tuple):
        kind = list if isinstance(result, list) else tuple
        return kind(id_of(r) if is_whole(r) else type(r).__name__ for r in result)
    if isinstance(result, bool | np.bool_):
        return True
    if isinstance(result, float | str):
        return type(result)()
    return id_of(result) if is_whole(result) else result


def _ids(result, n):
    """A result as a tuple of ints: n ids in a list, or a single one if n is None."""
    listed = isinstance(result, list | tuple) or (isinstance(result, np.ndarray) and result.ndim)
    ids = list(result) if listed else [result]
    length = 1 if n is None else n
    if bool(listed) != (n is not None) or len(ids) != length or not all(map(is_whole, ids)):
        raise Odd(result)
    return tuple(map(int, ids))


def _copies(args):
    """Fresh arrays for each draw, so that a change of one spoils only that one."""
    return [type(a)(*map(np.copy, a)) if isinstance(a, tuple) else copy.copy(a) for a in args]


# Chances -----------------------------------------------------------------------------------------
# A law is the chance of every result, in one row, and last that of anything which is no id below K.


class _Fork(Exception):
    """The script has come to its end; it may go on with any symbol, with these chances."""

    def __init__(self, chances):
        super().__init__()
        self.chances = chances


class _Script:
    """Stands in for a random generator: what `choice` gives is written down beforehand."""

    def __init__(self, symbols):
        self.symbols = iter(symbols)
        self.chance = 1.0

    def choice(self, K, p):
        for symbol in self.symbols:
            self.chance *= p[symbol]
            return symbol
        raise _Fork(p)


@functools.cache
def _law(draw, pickled_args, K, n):
    """The law of draw(*args, rng), exactly: every way that it can go is tried."""
    law, ways = np.zeros(_n_cells(K, n)), [()]
    while ways:
        way = ways.pop()
        rng = _Script(way)
        try:
            law[_cell(_ids(draw(*pickle.loads(pickled_args), rng), n), K)] += rng.chance
        except _Fork as fork:
            ways += [(*way, symbol) for symbol, p in enumerate(fork.chances) if p > 0]
        except Exception:
            break  # it has no law
    law.setflags(write=False)
    return law


def _counted(draws, K, n):
    """How often each result came, in the order of a law."""
    cells = _n_cells(K, n)
    return np.bincount([_cell(ids, K) % cells for ids in draws], minlength=cells)


def _n_cells(K, n):
    return K ** (n or 1) + 1


def _cell(ids, K):
    """Where in a law these ids are counted."""
    if not all(0 <= symbol < K for symbol in ids):
        return -1
    return functools.reduce(lambda cell, symbol: cell * K + symbol, ids)


def _fit(laws, counts, luck=None):
    return all(_may_give(law, c, luck) for law, c in zip(laws, counts, strict=True))


def _likelihood(laws, counts):
    with np.errstate(divide="ignore"):
        return sum(np.log(law[c > 0]) @ c[c > 0] for law, c in zip(laws, counts, strict=True))


def _may_give(law, counts, luck=None):
    """Whether the law gives such counts, unless by more luck than `luck` (LUCK).

    Looked at are all results at once, each by itself, and the likeliest ones together. The bounds:
    a share of f or further from p has a chance below 2 exp(-n kl(f, p)) (Chernoff); that a whole
    law's relative entropy reaches x / n, of k + 1 results, one below exp(k - x) (x / k)^k (Agrawal,
    Finite-sample concentration of the multinomial in relative entropy, 2020).
    """
    luck = LUCK if luck is None else luck
    some, n, k = counts > 0, counts.sum(), max(1, np.count_nonzero(law) - 1)
    if (law[some] == 0).any():
        return False
    x = (counts[some] * np.log(counts[some] / n / law[some])).sum()
    if x > k and x - k - k * math.log(x / k) > luck:
        return False
    likeliest_first = np.argsort(-law)
    k, p = (np.concatenate([v, v[likeliest_first].cumsum()]) for v in (counts, law))
    return bool((n * _kl(k / n, p.clip(0, 1)) <= luck).all())


def _kl(f, p):
    """How far a coin of chance f is from one of chance p, in nats."""
    with np.errstate(divide="ignore", invalid="ignore"):
        heads, tails = f * np.log(f / p), (1 - f) * np.log((1 - f) / (1 - p))
    return np.where(f > 0, heads, 0) + np.where(f < 1, tails, 0)
