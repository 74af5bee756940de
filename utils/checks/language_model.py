"""Lesson 5, a language model: exercises 5.1 to 5.4 and their known mistakes."""

import copy
import itertools
import math

import numpy as np

from utils.cell import RNNParams
from utils.language_model import generate, make_streams, perplexity, sample_next

from . import sampling
from .exercise import SEVEN_DIGITS, Case, Exercise, Mistake, Question
from .sampling import known

# 5.1 make_streams --------------------------------------------------------------------------------


def _streams_cases(rng):
    for label, n, B in [
        ("", 23, 4),
        ("Without a tail", 21, 3),
        ("With the longest tail there can be", 19, 5),
        ("With as many steps as streams (T = B)", 18, 4),
        ("With T = B and no tail", 9, 3),
        ("With more streams than steps", 17, 7),
        ("With one stream (B=1)", 6, 1),
        ("With one step (T=1)", 5, 3),
        ("With as many ids as streams", 4, 4),
        ("With T = B = 1", 1, 1),
        ("With other ids, as many", 23, 4),
    ]:
        yield Case(label, (rng.permutation(100)[:n], B))
    yield Case("With ids of the type int32", (rng.permutation(100)[:23].astype(np.int32), 4))
    yield Case("For a long text with ids up to 100000", (rng.integers(100_000, size=1500), 36))


def _cut(ids, B):
    """The streams as rows (B,T)."""
    T = len(ids) // B
    return ids[: T * B].reshape(B, T)


def _after_cut(change):
    """The right streams (T,B), changed."""
    return lambda ids, B: change(_cut(ids, B).T)


def _shorter(ids, B):
    T = (len(ids) - 1) // B
    return ids[: T * B].reshape(B, T).T


def _tail_of_zeros(ids, B):
    return np.pad(ids, (0, -len(ids) % B)).reshape(B, -1).T


def _tail_from_the_start(ids, B):
    T = math.ceil(len(ids) / B)
    return np.resize(ids, (B, T)).T


def _tail_spread(ids, B):
    T = len(ids) // B
    return np.array([part[:T] for part in np.array_split(ids, B)]).T


def _overlapping(ids, B):
    T = len(ids) // B
    return np.array([ids[i * (T - 1) :][:T] for i in range(B)]).T


class _KeepsIds:
    """Puts the ids behind those of earlier calls."""

    def __init__(self):
        self.ids = np.zeros(0, dtype=int)

    def __call__(self, ids, B):
        self.ids = np.concatenate([self.ids, ids])
        return _cut(self.ids, B).T


MAKE_STREAMS = Exercise(
    number="5.1",
    returns="streams (T,B) int",
    reference=make_streams,
    cases=_streams_cases,
    mistakes=(
        Mistake(
            "batch first",
            "The streams are the rows, (B,T). Time is the first axis: one stream a column.",
            _cut,
        ),
        Mistake(
            "neighbours side by side",
            "Neighbouring ids stand side by side, in different streams. Read down a column: it "
            "should be a piece of the text.",
            lambda ids, B: ids[: len(ids) // B * B].reshape(-1, B),
        ),
        Mistake(
            "neighbours apart, batch first",
            "The result is (B,T), and in each row the ids stand B apart. Read down a column of "
            "(T,B): it should be a piece of the text.",
            lambda ids, B: ids[: len(ids) // B * B].reshape(-1, B).T,
        ),
        Mistake(
            "beginning dropped",
            "The ids left over were dropped at the beginning. They belong to the end.",
            lambda ids, B: ids[len(ids) % B :].reshape(B, -1).T,
        ),
        Mistake(
            "leftovers dropped between the streams",
            "The ids left over were spread over the streams and then cut off there, so the "
            "streams don't follow one another. Only the end of the text is dropped.",
            _tail_spread,
        ),
        Mistake(
            "tail filled up with zeros",
            "The tail was filled up with zeros to make whole streams. It is to be dropped.",
            _tail_of_zeros,
        ),
        Mistake(
            "tail filled up from the start",
            "The tail was filled up with ids from the start of the text. It is to be dropped.",
            _tail_from_the_start,
        ),
        Mistake(
            "no tail allowed",
            "It only works if B divides the number of ids. What is to happen to the rest?",
            lambda ids, B: ids.reshape(B, -1).T,
        ),
        Mistake(
            "one step too few",
            "There is a step too few where B divides the number of ids, though nothing is left "
            "over. (The targets, one step later, are not made here.)",
            _shorter,
        ),
        Mistake(
            "last step cut off",
            "The last step is missing. (The targets, one step later, are not made here.)",
            _after_cut(lambda streams: streams[:-1]),
        ),
        Mistake(
            "first id left out",
            "The text starts with its second id. Where does the first stream begin?",
            lambda ids, B: _cut(np.append(ids[1:], ids[:1]), B).T,
        ),
        Mistake(
            "overlapping streams",
            "Each stream begins with the last id of the one before. No id is used twice.",
            _overlapping,
        ),
        Mistake(
            "last stream first",
            "The streams come in the opposite order.",
            _after_cut(lambda streams: streams[:, ::-1]),
        ),
        Mistake(
            "backwards in time",
            "The streams run from their end to their beginning.",
            _after_cut(lambda streams: streams[::-1]),
        ),
        Mistake(
            "same stream B times",
            "All streams are the first one. Each is another piece of the text.",
            _after_cut(lambda streams: np.repeat(streams[:, :1], streams.shape[1], axis=1)),
        ),
        Mistake(
            "first stream only",
            "Only the first stream came back. All B of them are asked for.",
            _after_cut(lambda streams: streams[:, 0]),
        ),
        Mistake(
            "inputs and targets",
            "Two values came back. Only the streams are asked for: inputs and targets are cut "
            "from them later.",
            _after_cut(lambda streams: (streams[:-1], streams[1:])),
        ),
        Mistake(
            "floats",
            "The ids became floats, which cannot index an array.",
            _after_cut(lambda streams: streams.astype(float)),
        ),
        Mistake(
            "list of streams",
            "The streams came back in a list. Which function of NumPy makes one array of them?",
            _after_cut(lambda streams: list(streams.T)),
        ),
        Mistake(
            "list of steps",
            "The steps came back as a list of lists. An array is asked for.",
            _after_cut(lambda streams: streams.tolist()),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single stream or step the result still has two axes: what removes one?",
            _after_cut(np.squeeze),
        ),
        Mistake(
            "remembers earlier ids",
            "The ids of earlier calls are in there too. Each call starts anew.",
            _KeepsIds(),
        ),
    ),
)

# 5.2 perplexity ----------------------------------------------------------------------------------


def _perplexity_cases(rng):
    yield Case("", (12.5, 7))
    yield Case("For one token", (1.75, 1))
    yield Case("For a model that is always sure and right (total 0)", (0.0, 5))
    yield Case("For a model that is nearly sure", (0.02, 8))
    yield Case("For a whole number as the total", (17, 4))
    yield Case("For a model that is far off", (66.0, 3))
    yield Case("For many tokens", (1_100_000.5, 465_000))
    yield Case("For a hopeless model", (705.0, 5))  # exp of this total is still a number
    yield Case("For a uniform guess over 27 symbols", (600 * math.log(27), 600))
    yield Case("For other numbers", tuple(rng.uniform(20, 30, size=1).tolist() + [11]))


def _of_mean(change):
    """change(mean of the nll)."""
    return lambda total_nll, n_tokens: change(total_nll / n_tokens)


class _AddsUp:
    """The perplexity of all calls so far."""

    def __init__(self):
        self.total = self.tokens = 0

    def __call__(self, total_nll, n_tokens):
        self.total += total_nll
        self.tokens += n_tokens
        return math.exp(self.total / self.tokens)


def _exp(value):
    return float(np.exp(np.float64(value)))


PERPLEXITY = Exercise(
    number="5.2",
    returns="perplexity float",
    reference=perplexity,
    cases=_perplexity_cases,
    mistakes=(
        Mistake(
            "no exp",
            "That is the mean loss of a token, in nats. One function is missing around it.",
            _of_mean(lambda mean: mean),
        ),
        Mistake(
            "no mean",
            "exp was taken of the total. A longer text would always be worse: what makes it the "
            "loss of one token?",
            lambda total_nll, n_tokens: _exp(total_nll),
        ),
        Mistake(
            "divided after exp",
            "exp was taken of the total, and then you divided. The order matters.",
            lambda total_nll, n_tokens: _exp(total_nll) / n_tokens,
        ),
        Mistake(
            "mean of the perplexity",
            "You divide by the number of tokens twice, before exp and after.",
            lambda total_nll, n_tokens: _exp(total_nll / n_tokens) / n_tokens,
        ),
        Mistake(
            "reciprocal",
            "That is the typical probability of a token. The perplexity is never below 1: look at "
            "the sign.",
            _of_mean(lambda mean: _exp(-mean)),
        ),
        Mistake(
            "base 2",
            "2 to the power of the mean fits logarithms of base 2. The loss is in nats, from "
            "`np.log`.",
            _of_mean(lambda mean: 2.0**mean),
        ),
        Mistake(
            "base 10",
            "10 to the power of the mean fits logarithms of base 10. The loss is in nats, from "
            "`np.log`.",
            _of_mean(lambda mean: 10.0**mean),
        ),
        Mistake(
            "bits",
            "That is the mean loss in bits. The perplexity is a number of choices.",
            _of_mean(lambda mean: mean / math.log(2)),
        ),
        Mistake(
            "upside down",
            "The fraction stands on its head: the mean is the loss of one token.",
            lambda total_nll, n_tokens: _exp(np.float64(n_tokens) / total_nll),
        ),
        Mistake(
            "multiplied",
            "The total was multiplied by the number of tokens. What gives a mean?",
            lambda total_nll, n_tokens: _exp(total_nll * n_tokens),
        ),
        Mistake(
            "whole division",
            "`//` drops what comes after the point.",
            lambda total_nll, n_tokens: _exp(total_nll // n_tokens),
        ),
        Mistake(
            "one token too few",
            "You divide by one less than the number of tokens. Each of them was predicted.",
            lambda total_nll, n_tokens: _exp(np.float64(total_nll) / (n_tokens - 1)),
        ),
        Mistake(
            "one token too many",
            "You divide by one more than the number of tokens. Count those that were predicted.",
            lambda total_nll, n_tokens: _exp(total_nll / (n_tokens + 1)),
        ),
        Mistake(
            "root of exp",
            "Where the total is large it comes out infinite. Is exp taken of the total, and a root "
            "after it? What can be done to the total before exp?",
            lambda total_nll, n_tokens: _exp(total_nll) ** (1 / n_tokens),
        ),
        Mistake(
            "root of exp, stopped by the overflow",
            "With many tokens, exp of the total is too large for a float, and `math.exp` stops "
            "with an OverflowError. What can be done to the total before exp?",
            lambda total_nll, n_tokens: math.exp(total_nll) ** (1 / n_tokens),
        ),
        Mistake(
            "less 1",
            "The result is 1 too small. (`expm1` is exp(x) - 1.)",
            _of_mean(math.expm1),
        ),
        Mistake(
            "exp twice",
            "exp was taken twice.",
            _of_mean(lambda mean: _exp(_exp(mean))),
        ),
        Mistake(
            "logarithm",
            "That is a logarithm of the mean. The mean is made of logarithms already: what undoes "
            "them?",
            _of_mean(lambda mean: float(np.log(mean))),
        ),
        Mistake(
            "logarithm taken again",
            "`total_nll` is a sum of -log p already: no logarithm is taken again.",
            lambda total_nll, n_tokens: _exp(-np.log(np.float64(total_nll)) / n_tokens),
        ),
        Mistake(
            "rounds",
            "The result is rounded. Round for printing only.",
            _of_mean(lambda mean: round(_exp(mean), 2)),
        ),
        Mistake(
            "whole number",
            "The result was made a whole number. The perplexity is a mean and seldom one.",
            _of_mean(lambda mean: int(_exp(mean))),
        ),
        Mistake(
            "text",
            "A text came back. Return the number; an f-string is for printing it.",
            _of_mean(lambda mean: f"{_exp(mean):.2f}"),
        ),
        Mistake(
            "array of one number",
            "The perplexity came back inside an array. A plain number is asked for.",
            _of_mean(lambda mean: np.array([_exp(mean)])),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _of_mean(lambda mean: np.exp(np.float32(mean))),
        ),
        Mistake(
            "adds up over calls",
            "Your function remembers the tokens of earlier calls. Each call is for its own text.",
            _AddsUp(),
        ),
    ),
)

# 5.3 sample_next ---------------------------------------------------------------------------------


def _softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def _likeliest(o):
    return np.eye(len(o))[o.argmax()]


def _tempered(o, temperature):
    """The right chances of the next id."""
    return _softmax((o - o.max()) / temperature) if temperature else _likeliest(o)


def _drawer(chances):
    """A sampler with these chances(o, temperature)."""
    return lambda o, temperature, rng: int(rng.choice(len(o), p=chances(o, temperature)))


def _next_id(o, temperature, rng):
    if temperature == 0:
        return int(o.argmax())
    return int(rng.choice(len(o), p=_tempered(o, temperature)))


def _sample_cases(rng):
    for label, o, temperature in [
        ("At temperature 0", [0.3, -0.7, 1.1, 0.8, -0.2, 0.1], 0.0),
        ("At temperature 0, with two logits close to each other", [-2.0, -1.0, -3.0, -0.999], 0),
        ("At temperature 0, with logits of 1000 and -1000", [-1000, 0, 998, -1000, 1000, 990], 0.0),
        ("At temperature 0.000001", [0.5, 0.51, 0.49, 0.52, 0.48], 1e-6),
        ("At temperature 1, with one logit far above the others", [-1000, 0, 900, 1000], 1.0),
        ("At temperature 1, with all logits far below 0", [-1100, -1000, -1300, -1200], 1.0),
        ("With one id only (K=1)", [-0.4], 0.7),
    ]:
        yield Case(label, (np.array(o, dtype=float), temperature, rng.spawn(1)[0]))
    logits = (
        np.where(np.arange(26) == 20, 4.5, 0.01 * rng.normal(size=26)),
        np.array([18.0, -7.0, 9.0, 2.0, -14.0, 14.5]),
        _one_against_many(rng, 5e-5),
        np.array([1000.0, -1000.0, 890.0]),
    )
    label = f"Drawn {sampling.DRAWS} to {sampling.MANY} times"
    yield Case(label, (logits, (1.0, 9.0, 5e-5, 50.0), rng.spawn(1)[0]))


def _one_against_many(rng, temperature, K=104):
    """Logits of one id as likely as all others together: so it is at no other temperature.

    A quarter of the ids, 0 among them, never come.
    """
    o = 0.01 * rng.normal(size=K)
    o[::4] = -100
    o[K // 3] = np.log(K - K // 4)
    return temperature * o


def _sample_trial(fn, o, temperature, rng):
    if not isinstance(o, tuple):
        same, only, drawn = sampling.certain(fn, (o, temperature), rng)
        if isinstance(drawn, float):
            drawn += 0.5  # not to be taken for id 0
        return same, True, only, drawn, *[np.zeros(0)] * 4
    situations = [(len(logits), (logits, t)) for logits, t in zip(o, temperature, strict=True)]
    same, moves, *rest = sampling.drawn(fn, _next_id, SAMPLE_NEXT.mistakes, situations, rng)
    return same, moves, True, *rest


def _drawing(chances):
    return known(_drawer(chances))


def _unless_zero(chances):
    """A sampler with these chances(o, temperature), but right at temperature 0."""
    return _drawing(lambda o, t: chances(o, t) if t else _likeliest(o))


def _shifted_in_place(o, temperature, rng):
    o -= o.max()
    return _next_id(o, temperature, rng)


def _divided_in_place(o, temperature, rng):
    if temperature:
        o /= temperature
        return _next_id(o, 1, rng)
    return int(o.argmax())


def _power_of_chances(o, t):
    powers = _softmax(o) ** (1 / t)
    return powers / powers.sum()


def _two_likeliest(o, t):
    return _tempered(np.where(o >= np.sort(o)[-2:][0], o, -np.inf), t)


class _SeedsOnce:
    """Has a generator of its own."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, *args):
        return _next_id(*args[:-1], self.rng)


SAMPLE_NEXT = Exercise(
    number="5.3",
    returns="same_when_repeated bool, rng_moves_on bool, only_the_likeliest_drawn bool, id int, "
    "chances_at_temperature_1 (K), chances_at_temperature_9 (K), "
    "chances_at_a_low_temperature (K), chances_at_temperature_50 (K)",
    reference=sample_next,
    cases=_sample_cases,
    trial=_sample_trial,
    seconds=10.0,  # enough for draws of a millisecond
    mistakes=(
        Mistake(
            "temperature ignored",
            "The chances are those of temperature 1 whatever the temperature is, unless it is 0. "
            "Where does it come in?",
            _unless_zero(lambda o, t: _softmax(o)),
        ),
        Mistake(
            "temperature ignored, 0 too",
            "The chances are those of temperature 1 whatever the temperature is, even at 0. "
            "Where does it come in?",
            _drawing(lambda o, t: _softmax(o)),
        ),
        Mistake(
            "temperature multiplied",
            "A higher temperature makes your draws surer. It should make them freer: look at how "
            "it meets the logits.",
            _unless_zero(lambda o, t: _softmax(o * t)),
        ),
        Mistake(
            "temperature multiplied, 0 too",
            "A higher temperature makes your draws surer, and 0 makes all ids alike. It should be "
            "the other way round: look at how it meets the logits.",
            _drawing(lambda o, t: _softmax(o * t)),
        ),
        Mistake(
            "temperature divides the probabilities",
            "The probabilities were divided by the temperature, after which they no longer sum to "
            "1. It belongs to the logits.",
            _unless_zero(lambda o, t: _softmax(o) / t),
        ),
        Mistake(
            "temperature on the probabilities",
            "softmax was taken of probabilities divided by the temperature. It is the logits that "
            "are divided.",
            _unless_zero(lambda o, t: _softmax(_softmax(o) / t)),
        ),
        Mistake(
            "softmax twice",
            "softmax was applied twice, which makes the chances more alike.",
            _unless_zero(lambda o, t: _softmax(_tempered(o, t))),
        ),
        Mistake(
            "square of the temperature",
            "The temperature is in there twice: the logits are divided by its square.",
            _unless_zero(lambda o, t: _tempered(o, t * t)),
        ),
        Mistake(
            "root of the temperature",
            "The logits are divided by the square root of the temperature.",
            _unless_zero(lambda o, t: _tempered(o, t**0.5)),
        ),
        Mistake(
            "1 added to the temperature",
            "The logits are divided by 1 + temperature. It keeps off a division by 0 but changes "
            "every other draw.",
            _unless_zero(lambda o, t: _tempered(o, 1 + t)),
        ),
        Mistake(
            "no case for temperature 0",
            "At temperature 0 you divide by 0, and the chances are no numbers. What do the chances "
            "become as the temperature falls towards 0?",
            _drawing(lambda o, t: _softmax(o / np.float64(t))),
        ),
        Mistake(
            "largest logit at temperature 0",
            "At temperature 0 a float came back, such as the largest logit itself. The id is its "
            "place among the logits.",
            lambda o, t, rng: _next_id(o, t, rng) if t else o.max(),
        ),
        Mistake(
            "id 0 at temperature 0",
            "At temperature 0 it is always id 0, which comes of a division by 0. What do the "
            "chances become as the temperature falls towards 0?",
            _drawing(lambda o, t: _tempered(o, t) if t else np.eye(len(o))[0]),
        ),
        Mistake(
            "random at temperature 0",
            "At temperature 0 you still draw at random. What do the chances become as the "
            "temperature falls towards 0?",
            _drawing(lambda o, t: _tempered(o, t or 1)),
        ),
        Mistake(
            "least likely at temperature 0",
            "At temperature 0 the least likely id comes back. Which one has the largest logit?",
            _drawing(lambda o, t: _tempered(o, t) if t else _likeliest(-o)),
        ),
        Mistake(
            "low temperatures as 0",
            "A low temperature is treated like 0. There are still draws then.",
            _unless_zero(lambda o, t: _tempered(o, t if t > 0.1 else 0)),
        ),
        Mistake(
            "always the likeliest",
            "It is always the likeliest id. At temperatures above 0 the others have a chance too.",
            _drawing(lambda o, t: _likeliest(o)),
        ),
        Mistake(
            "all ids alike unless 0",
            "Above temperature 0 all ids have the same chance: where do the logits come in?",
            _unless_zero(lambda o, t: np.full(len(o), 1 / len(o))),
        ),
        Mistake(
            "all ids alike",
            "All ids have the same chance: where do the logits come in?",
            _drawing(lambda o, t: np.full(len(o), 1 / len(o))),
        ),
        Mistake(
            "overflows",
            "With large logits, or at a low temperature, exp gives infinity. What may you subtract "
            "from all logits without changing the probabilities?",
            _unless_zero(lambda o, t: np.exp(o / t) / np.exp(o / t).sum()),
        ),
        Mistake(
            "power of the chances",
            "At a very low temperature the powers of the chances all become 0, and 0 / 0 is no "
            "number. Let the temperature meet the logits, before softmax.",
            _unless_zero(_power_of_chances),
        ),
        Mistake(
            "logits clipped",
            "The logits were cut off before exp. That keeps it finite but changes the chances.",
            _unless_zero(lambda o, t: _tempered(np.clip(o, -700, 700), t)),
        ),
        Mistake(
            "no exp",
            "The logits were divided by their sum, without exp. They may be negative.",
            _unless_zero(lambda o, t: o / t / (o / t).sum()),
        ),
        Mistake(
            "base 2",
            "The chances are powers of 2. softmax has powers of e.",
            _unless_zero(lambda o, t: _tempered(o * np.log(2), t)),
        ),
        Mistake(
            "sign",
            "The largest logit has the smallest chance: look at the sign.",
            _unless_zero(lambda o, t: _tempered(-o, t)),
        ),
        Mistake(
            "one too high",
            "The id is one too high. Ids count from 0.",
            known(lambda *args: _next_id(*args) + 1),
        ),
        Mistake(
            "one too low",
            "The id is one too low. Ids count from 0.",
            known(lambda *args: _next_id(*args) - 1),
        ),
        Mistake(
            "last id never",
            "The last id is never drawn. How many ids are there, and does your range reach the "
            "last one?",
            _drawing(lambda o, t: np.append(_tempered(o[:-1], t), 0) if len(o) > 1 else np.ones(1)),
        ),
        Mistake(
            "first id never",
            "Id 0 is never drawn. Ids count from 0.",
            _drawing(lambda o, t: np.append(0, _tempered(o[1:], t)) if len(o) > 1 else np.ones(1)),
        ),
        Mistake(
            "only the two likeliest",
            "Only the two likeliest ids are ever drawn. All K have a chance.",
            _unless_zero(_two_likeliest),
        ),
        Mistake(
            "another generator",
            "Started twice from the same state of `rng`, your function draws different ids: "
            "something besides `rng` decides. All that is random comes from it, and nothing is "
            "kept from call to call.",
            _SeedsOnce(),
        ),
        Mistake(
            "a new generator of the same seed each time",
            "The draw is the same each time: a new generator with a fixed seed begins anew. "
            "All that is random comes from `rng`.",
            known(lambda o, t, rng: _next_id(o, t, np.random.default_rng(0))),
        ),
        Mistake(
            "rng does not move on",
            "The draw is the same each time, for `rng` itself never moves on. Do you draw from a "
            "copy of it, or from a generator that you make of its state?",
            lambda o, t, rng: _next_id(o, t, copy.deepcopy(rng)),
        ),
        Mistake(
            "the chances",
            "An array of K floats came back. One id, drawn with these chances, is asked for.",
            lambda o, t, rng: _tempered(o, t),
        ),
        Mistake(
            "one-hot",
            "An array of K whole numbers came back. The place of its 1 is the id.",
            lambda o, t, rng: np.eye(len(o), dtype=int)[_next_id(o, t, rng)],
        ),
        Mistake(
            "array of one id",
            "The id came back inside an array. One plain whole number is asked for.",
            lambda o, t, rng: np.array([_next_id(o, t, rng)]),
        ),
        Mistake(
            "list of one id",
            "The id came back inside a list. One plain whole number is asked for.",
            lambda o, t, rng: [_next_id(o, t, rng)],
        ),
        Mistake(
            "a float",
            "A float came back, which cannot index an array. The id is a whole number; "
            "is it the id that you return?",
            lambda o, t, rng: float(_next_id(o, t, rng)),
        ),
        Mistake(
            "a float above temperature 0",
            "Above temperature 0 a float came back: a logit or a chance. The id is its place, a "
            "whole number.",
            lambda o, t, rng: float(_next_id(o, t, rng)) if t else _next_id(o, t, rng),
        ),
        Mistake(
            "changes the logits",
            "The logits are shifted in the caller's own array, which it still needs.",
            known(_shifted_in_place),
        ),
        Mistake(
            "divides the caller's logits",
            "`o /= …` divides the caller's own logits. At the next draw they are divided again.",
            known(_divided_in_place),
        ),
    ),
)

# 5.4 generate ------------------------------------------------------------------------------------

LENGTH = 300  # of the texts whose chances are looked at to their end


def _step(h, symbol, params):
    return np.tanh(params.U[symbol] + h @ params.V + params.b)


def _write(params, h, first_id, n, temperature, rng, step=_step, pick=_next_id):
    symbol, ids = first_id, []
    for _ in range(n):
        h = step(h, symbol, params)
        symbol = pick(h @ params.W + params.c, temperature, rng)
        ids.append(symbol)
    return ids


def _model(rng, K, H, scale):
    """Weights, a state and a first id that is not 0."""
    shapes = (K, H), (H, H), (H,), (H, K), (K,)
    U, V, b, W, c = (rng.normal(size=shape) for shape in shapes)
    params = RNNParams(1.5 * U, 2 * V, b, scale * W, 0.5 * scale * c)
    return params, np.tanh(rng.normal(size=H)), int(rng.integers(1, K)) if K > 1 else 0


def _generate_cases(rng):
    for label, K, H, n, temperature, scale in [
        ("At temperature 0", 7, 5, 12, 0.0, 0.5),
        ("At temperature 0, with as many units as symbols", 5, 5, 12, 0.0, 0.5),
        ("At temperature 0, for a single id", 6, 4, 1, 0.0, 0.1),
        ("At temperature 0, with one unit (H=1)", 4, 1, 6, 0.0, 0.5),
        ("At temperature 0, with other numbers of the same shapes", 7, 5, 12, 0, 0.5),
        ("At temperature 0, for 150 ids", 12, 10, 150, 0.0, 0.5),
        ("At temperature 1, with logits that leave no choice", 7, 5, 12, 1.0, 1e4),
        ("With one symbol (K=1)", 1, 3, 4, 1.0, 1.0),
        ("For no id at all (n=0)", 4, 3, 0, 0.0, 0.5),
    ]:
        args = _model(rng, K, H, scale)
        while K > 1 and n and not _is_telling(*args, n, 0.005 * scale):
            args = _model(rng, K, H, scale)
        yield Case(label, (*args, n, temperature, rng.spawn(1)[0]))
    drawn = []
    for K, H, temperature in (4, 3, 4.0), (5, 4, 0.25):
        args = _model(rng, K, H, 2 * temperature)
        while not _depends_on_the_draw(*args, temperature):
            args = _model(rng, K, H, 2 * temperature)
        drawn.append((*args, 2, temperature))
    yield Case(f"Drawn {sampling.DRAWS} times", (*zip(*drawn, strict=True), rng.spawn(1)[0]))
    for temperature in 6.0, 0.05:
        c = _one_against_many(rng, temperature)  # id 0 never comes: who stops there goes on
        params, h, first_id = _model(rng, len(c), 3, 0.0)
        args = params._replace(c=c), h, first_id, LENGTH, temperature, rng.spawn(1)[0]
        yield Case(f"In texts of {LENGTH} ids at temperature {temperature:g}", args)


def _is_telling(params, h, first_id, n, lead):
    """Whether each id is the likeliest by more than `lead`, and a long text is easily changed.

    That is by other numbers in `h` and in all of the weights, but for one at most.
    """
    states, ids = [h], _write(params, h, first_id, n, 0, None)
    for symbol in [first_id, *ids[:-1]]:
        states.append(_step(states[-1], symbol, params))
    second, first = np.sort(np.array(states[1:]) @ params.W + params.c)[:, -2:].T
    if (first - second).min() <= lead:
        return False
    if n < 12:
        return True
    if n > 50 and not _goes_on(ids, params, h, first_id):
        return False
    others = [(params, 0.8 * h)]
    others += [(params._replace(**{name: 0.8 * w}), h) for name, w in params._asdict().items()]
    changed = [_write(*other, first_id, n, 0, None) != ids for other in others]
    return changed[0] and sum(changed) >= 5 and len(set(ids)) >= 3


def _goes_on(ids, params, h, first_id):
    """Whether a long text is no short round, is safe from rounding, and shows a loss of h in it."""
    if any(ids[50:-round_] == ids[50 + round_ :] for round_ in range(1, 12)):
        return False
    steps = itertools.count(1)

    def forgets(h, symbol, params):
        return _step(h * (next(steps) % 50 > 0), symbol, params)

    safe = _write(params, h * (1 + 1e-9), first_id, len(ids), 0, None) == ids
    return safe and _write(params, h, first_id, len(ids), 0, None, forgets) != ids


def _depends_on_the_draw(params, h, first_id, temperature):
    """Whether no id is much likelier than others, and the second depends on which came first.

    The likeliest is id 0, which no generator draws by chance each time.
    """
    h = _step(h, first_id, params)
    p = _tempered(h @ params.W + params.c, temperature)
    after = [_step(h, symbol, params) @ params.W + params.c for symbol in range(len(p))]
    rows = np.array([_tempered(o, temperature) for o in after])
    fair = p.argmax() == 0 and max(p.max(), (p @ rows).max()) < 0.6
    return fair and np.abs(rows - p @ rows).sum(axis=1).min() > 0.5


def _generate_trial(fn, params, h, first_id, n, temperature, rng):
    if not isinstance(h, tuple):
        args, nothing = (params, h, first_id, n, temperature), [np.zeros((0, 0))] * 2
        if n == LENGTH:
            written = sampling.at_length(fn, _first_written, args, rng, len(params.c), n)
            return True, True, True, *written, *nothing
        same, only, ids = sampling.certain(fn, args, rng, n)
        return same, True, only, True, ids, *nothing
    drawn = list(zip(params, h, first_id, n, temperature, strict=True))
    situations = [(len(args[0].c), args) for args in drawn]
    same, moves, *rest = sampling.drawn(fn, _write, GENERATE.mistakes, situations, rng, n[0])
    return same, moves, True, True, *rest


def _first_written(params, h, first_id, n, temperature, rng):
    return _write(params, h, first_id, 1, temperature, rng)


def _writing(**other):
    """A generate that is right but for its `step` or its `pick`."""
    return known(lambda *args: _write(*args, **other))


def _stepping(a):
    """A generate that is right but for what goes into tanh: a(x U, h, params)."""
    return _writing(step=lambda h, symbol, params: np.tanh(a(params.U[symbol], h, params)))


def _stepping_anyhow(a):
    """A generate that is right but for a(id, h, params), whose shape may be wrong."""

    def step(h, symbol, params):
        return np.tanh(a(symbol, h, params) + params.b)

    return lambda *args: _write(*args, step=step)


def _picking(chances):
    """A generate that is right but for the chances(o, temperature)."""
    return _writing(pick=_drawer(chances))


def _temperature_once(params, h, first_id, n, temperature, rng):
    temperatures = iter([temperature])

    def pick(o, temperature, rng):
        return _next_id(o, next(temperatures, 1), rng)

    return _write(params, h, first_id, n, temperature, rng, pick=pick)


def _state_not_carried(params, h, first_id, n, temperature, rng):
    symbol, ids = first_id, []
    for _ in range(n):
        symbol = _next_id(_step(h, symbol, params) @ params.W + params.c, temperature, rng)
        ids.append(symbol)
    return ids


def _feeding(feed):
    """A generate that feeds feed(drawn id, logits, first_id, temperature, rng) back in."""

    def write(params, h, first_id, n, temperature, rng):
        symbol, ids = first_id, []
        for _ in range(n):
            h = _step(h, symbol, params)
            o = h @ params.W + params.c
            ids.append(_next_id(o, temperature, rng))
            symbol = feed(ids[-1], o, first_id, temperature, rng)
        return ids

    return known(write)


def _one_state_for_all(params, h, first_id, n, temperature, rng):
    o = _step(h, first_id, params) @ params.W + params.c
    return [_next_id(o, temperature, rng) for _ in range(n)]


def _draws_before_feeding(params, h, first_id, n, temperature, rng):
    symbol, ids = first_id, []
    for _ in range(n):
        ids.append(_next_id(h @ params.W + params.c, temperature, rng))
        h, symbol = _step(h, symbol, params), ids[-1]
    return ids


def _first_id_not_fed(params, h, first_id, n, temperature, rng):
    ids = []
    for _ in range(n):
        ids.append(_next_id(h @ params.W + params.c, temperature, rng))
        h = _step(h, ids[-1], params)
    return ids


def _stops_at_0(*args):
    ids = _write(*args)
    return ids[: ids.index(0) + 1] if 0 in ids else ids


def _into_h(params, h, first_id, n, temperature, rng):
    symbol, ids = first_id, []
    for _ in range(n):
        h[...] = _step(h, symbol, params)
        symbol = _next_id(h @ params.W + params.c, temperature, rng)
        ids.append(symbol)
    return ids


class _KeepsState:
    """Goes on writing from the state in which the last call ended."""

    def __init__(self):
        self.h = None

    def __call__(self, params, h, first_id, n, temperature, rng):
        if self.h is None or self.h.shape != h.shape:
            self.h = h

        def step(h, symbol, params):
            self.h = _step(self.h, symbol, params)
            return self.h

        return _write(params, h, first_id, n, temperature, rng, step)


class _KeepsList:
    """Appends to one list for ever, as a list among the default arguments is."""

    def __init__(self):
        self.ids = []

    def __call__(self, *args):
        self.ids += _write(*args)
        return self.ids


class _OverwritesList:
    """Empties one list and fills it again."""

    def __init__(self):
        self.ids = []

    def __call__(self, *args):
        self.ids[:] = _write(*args)
        return self.ids


class _OwnGenerator:
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, *args):
        return _write(*args[:-1], self.rng)


GENERATE = Exercise(
    number="5.4",
    returns="same_when_repeated bool, rng_moves_on bool, only_the_likeliest_drawn bool, "
    "chances_right_to_the_end bool, ids list, chances_at_temperature_4 (K,K), "
    "chances_at_a_quarter (K,K)",
    reference=generate,
    cases=_generate_cases,
    trial=_generate_trial,
    seconds=10.0,  # enough for steps of a millisecond
    mistakes=(
        Mistake(
            "state not carried",
            "Every step starts from the h that was given, so the network forgets what it wrote. "
            "Follow h through two turns of your loop.",
            known(_state_not_carried),
        ),
        Mistake(
            "h ignored",
            "h makes no difference: the text starts from a memory of zeros. Which memory does the "
            "first step start from?",
            known(lambda params, h, *args: _write(params, 0 * h, *args)),
        ),
        Mistake(
            "first id fed at every step",
            "It is first_id that is fed in at every step. What does the network have to read next?",
            _feeding(lambda drawn, o, first_id, *_: first_id),
        ),
        Mistake(
            "first id never fed",
            "The first id is drawn from h as it was given, so first_id makes no difference. "
            "The network has to read it first.",
            known(_first_id_not_fed),
        ),
        Mistake(
            "draws before feeding",
            "Each id is drawn from the state before the latest id was read. Read first, then draw.",
            known(_draws_before_feeding),
        ),
        Mistake(
            "one state for all",
            "All ids are drawn from the same state: none of them is fed back in.",
            known(_one_state_for_all),
        ),
        Mistake(
            "starts with id 0",
            "The first step reads id 0 whatever first_id is.",
            known(lambda params, h, first_id, *args: _write(params, h, 0, *args)),
        ),
        Mistake(
            "feeds the likeliest",
            "What is fed back in is the likeliest id, not the one drawn.",
            _feeding(lambda drawn, o, *_: int(o.argmax())),
        ),
        Mistake(
            "feeds another draw",
            "What is fed back in is drawn anew. The network has to read the very id that you "
            "write down.",
            _feeding(lambda drawn, o, first_id, *rest: _next_id(o, *rest)),
        ),
        Mistake(
            "first id among the ids",
            "first_id came back in front of the n ids. It is fed in, but it was not written.",
            lambda params, h, first_id, *args: [first_id, *_write(params, h, first_id, *args)],
        ),
        Mistake(
            "first id in place of the last",
            "first_id came back in front, and the last id is missing. It is fed in, but it was "
            "not written.",
            known(
                lambda params, h, first_id, *args: [first_id, *_write(params, h, first_id, *args)][
                    :-1
                ]
            ),
        ),
        Mistake(
            "one id too few",
            "There is one id too few. How often does your loop run?",
            lambda *args: _write(*args)[:-1],
        ),
        Mistake(
            "one id too many",
            "There is one id too many at the end. How often does your loop run?",
            lambda params, h, first_id, n, *args: _write(params, h, first_id, n + 1, *args),
        ),
        Mistake(
            "last id only",
            "Only the last id came back. All n of them are asked for.",
            lambda *args: _write(*args)[-1],
        ),
        Mistake(
            "last id first",
            "The ids come in the opposite order.",
            known(lambda *args: _write(*args)[::-1]),
        ),
        Mistake(
            "stops at id 0",
            "The text ends at the first id 0. n ids are asked for, whatever they are.",
            _stops_at_0,
        ),
        Mistake(
            "temperature ignored",
            "The chances are those of temperature 1 whatever the temperature is, unless it is 0. "
            "Is the temperature handed on?",
            _picking(lambda o, t: _tempered(o, 1 if t else 0)),
        ),
        Mistake(
            "temperature ignored, 0 too",
            "The chances are those of temperature 1 whatever the temperature is, even at 0. "
            "Is the temperature handed on?",
            _picking(lambda o, t: _tempered(o, 1)),
        ),
        Mistake(
            "temperature multiplied",
            "A higher temperature makes the text surer. It should make it freer: look at how it "
            "meets the logits.",
            _picking(lambda o, t: _tempered(o, 1 / t if t else 0)),
        ),
        Mistake(
            "temperature at the first id only",
            "Only the first id is drawn at this temperature, the others at 1. "
            "Is the temperature handed on at every step?",
            known(_temperature_once),
        ),
        Mistake(
            "always the likeliest",
            "It is always the likeliest id, as at temperature 0. Above it the others have a "
            "chance too.",
            _picking(lambda o, t: _likeliest(o)),
        ),
        Mistake(
            "softmax before sample_next",
            "softmax was applied twice: `sample_next` does it by itself. Hand it the logits.",
            _picking(lambda o, t: _tempered(_softmax(o), t)),
        ),
        Mistake(
            "all ids alike",
            "All ids have the same chance: where do the logits come in?",
            _picking(lambda o, t: np.full(len(o), 1 / len(o))),
        ),
        Mistake(
            "overflows",
            "With large logits exp gives infinity, and the chances are no numbers. What may you "
            "subtract from all logits without changing the probabilities?",
            _picking(lambda o, t: np.exp(o / t) / np.exp(o / t).sum() if t else _likeliest(o)),
        ),
        Mistake(
            "U transposed",
            "An id picks a row of U, what its one input sends in. You took a column.",
            known(lambda params, *args: _write(params._replace(U=params.U.T), *args)),
        ),
        Mistake(
            "id times U",
            "The id was used as a number, times U. It is the number of a row of U.",
            _stepping_anyhow(lambda symbol, h, params: symbol * params.U + h @ params.V),
        ),
        Mistake(
            "id in double brackets",
            "The memory became a batch of one, (1,H), and the logits (1,K), of which nothing can "
            "be drawn. h is a vector (H,): what has a pair of brackets too many?",
            _stepping_anyhow(lambda symbol, h, params: params.U[[symbol]] + h @ params.V),
        ),
        Mistake(
            "V without @",
            "With `*` the memory becomes a matrix. A vector times V is `@`.",
            _stepping_anyhow(lambda symbol, h, params: params.U[symbol] + h * params.V),
        ),
        Mistake(
            "V transposed",
            "You used V transposed: row i of V says what unit i sends on, and h is a row.",
            _stepping(lambda x, h, params: x + h @ params.V.T + params.b),
        ),
        Mistake(
            "no memory",
            "Each id depends on the one before it alone: where does the memory come in?",
            _stepping(lambda x, h, params: x + params.b),
        ),
        Mistake(
            "memory not weighted",
            "The memory goes in as it is. What does V do?",
            _stepping(lambda x, h, params: x + h + params.b),
        ),
        Mistake(
            "no input",
            "The ids written make no difference to what comes next: where does U come in?",
            _stepping(lambda x, h, params: h @ params.V + params.b),
        ),
        Mistake(
            "no bias in the cell",
            "The result is what you get without b.",
            _stepping(lambda x, h, params: x + h @ params.V),
        ),
        Mistake(
            "no bias in the readout",
            "The result is what you get without c.",
            known(lambda params, *args: _write(params._replace(c=np.zeros_like(params.c)), *args)),
        ),
        Mistake(
            "no tanh",
            "tanh is missing in the cell.",
            _writing(step=lambda h, symbol, params: params.U[symbol] + h @ params.V + params.b),
        ),
        Mistake(
            "read twice",
            "Each id is read twice, so that the state goes two steps at a time.",
            _writing(
                step=lambda h, symbol, params: _step(_step(h, symbol, params), symbol, params)
            ),
        ),
        Mistake(
            "state as well",
            "Two values came back. Only the list of ids is asked for.",
            lambda params, h, *args: (_write(params, h, *args), h),
        ),
        Mistake(
            "one-hot vectors",
            "The list holds arrays. It should hold whole numbers, the ids.",
            lambda params, *args: [np.eye(len(params.c))[i] for i in _write(params, *args)],
        ),
        Mistake(
            "floats",
            "The list holds floats. Ids are whole numbers.",
            lambda *args: list(map(float, _write(*args))),
        ),
        Mistake(
            "another generator",
            "Started twice from the same state of `rng`, your function writes different texts: "
            "something besides `rng` decides. All that is random comes from it.",
            _OwnGenerator(),
        ),
        Mistake(
            "a new generator of the same seed each time",
            "The text is the same each time: a new generator with a fixed seed begins anew. "
            "All that is random comes from `rng`.",
            known(lambda *args: _write(*args[:-1], np.random.default_rng(0))),
        ),
        Mistake(
            "rng does not move on",
            "The text is the same each time, for `rng` itself never moves on. Do you draw from a "
            "copy of it, or from a generator that you make of its state?",
            lambda *args: _write(*args[:-1], copy.deepcopy(args[-1])),
        ),
        Mistake(
            "writes into h",
            "h is overwritten step by step. The caller may still need it, to write another text "
            "from there.",
            known(_into_h),
        ),
        Mistake(
            "goes on from the last text",
            "Your function goes on from the state in which its last call ended. All it knows of "
            "the past comes in as h.",
            _KeepsState(),
        ),
        Mistake(
            "goes on with the last list",
            "The ids of earlier calls are still in the list. (A list among the default arguments "
            "is made once only.) Make a new list in each call.",
            _KeepsList(),
        ),
        Mistake(
            "overwrites its own list",
            "Your function keeps one list and writes every text into it. "
            "Make a new list in each call.",
            known(_OverwritesList()),
        ),
    ),
)

EXERCISES = (MAKE_STREAMS, PERPLEXITY, SAMPLE_NEXT, GENERATE)

QUESTIONS = (
    Question(
        "5.1",
        answer=math.log(30),
        because="Each letter gets 1/30, and -log(1/30) = log 30 = 3.40.",
        replies={
            30: "Among 30 letters it chooses: that is the number of choices. The loss is the "
            "surprise at one that had the chance 1/30.",
            **dict.fromkeys(
                (-3.4, -math.log(30)),
                "A loss is never below 0: mind the minus in front of the logarithm.",
            ),
            **dict.fromkeys(
                (1.48, math.log10(30)),
                "That is the logarithm of base 10. nats have the base e: `np.log`.",
            ),
            **dict.fromkeys(
                (4.9, 4.91, math.log2(30)),
                "That is in bits, with the logarithm of base 2. nats: `np.log`.",
            ),
            **dict.fromkeys(
                (0.03, 0.033, 1 / 30),
                "That is the chance of the letter that comes. The loss is minus its logarithm.",
            ),
            0: "A loss of 0 is that of somebody who is certain, and right.",
        },
    ),
    Question(
        "5.2",
        answer=4,
        because="The fourth root of 256 is 4: as unsure as choosing among 4 all the time.",
        replies={
            5: "That is the plain mean of 2, 2, 8 and 8. It is their logarithms that are averaged.",
            256: "The product is right. The mean of four logarithms makes a fourth root of it.",
            64: "256 divided by 4. A mean of logarithms is a root, not a fraction.",
            16: "That is the square root of 256. There are four letters.",
            3.2: "That is 1 divided by the mean chance. It is the logarithms that are averaged.",
            **dict.fromkeys(
                (1.39, 1.386),
                "That is the mean of the logarithms. It still has to be taken back, by exp.",
            ),
            0.25: "That is the typical chance. The perplexity is the number of choices: 1 / 0.25.",
        },
    ),
    Question(
        "5.3",
        choices="abc",
        answer="b",
        because="A is left with 4 choices at each of 6 letters, 4·4·4·4·4·4 = 4096 for a word. "
        "B has 1000.",
        replies={
            "a": "4 choices for a letter, 1000 for a word. How many for the six letters of a word?",
            "c": "The texts are the same, so they can, once both are about the same piece of it. "
            "How many choices does A have for the six letters of a word?",
        },
    ),
    Question(
        "5.4",
        choices="abc",
        answer="c",
        because="Dividing by ½ doubles the logits, and exp(2·1) = exp(1)²: 2.7 squared is 7.4.",
        replies={
            "a": "The logits 2 and 1 become 4 and 2. What is exp(4) / exp(2)?",
            "b": "It is the logits that double: 4 and 2. What is exp(4) / exp(2)?",
        },
    ),
    Question(
        "5.5",
        choices="abc",
        answer="a",
        because="At low temperature it takes the likeliest letters, and those it has seen most "
        "surely follow the names it was trained on.",
        replies={
            "b": "At 1 it often draws a letter that is not the likeliest. Does that lead back to a "
            "name it knows, or away from it?",
            "c": "At 0.3 it nearly always takes the likeliest letter. On which names were these "
            "letters made the likeliest?",
        },
    ),
    Question(
        "5.6",
        choices="abc",
        answer="b",
        because="The first guess of each chunk is made after one symbol, so it is a bigram's at "
        "best. The other four can be as good as can be.",
        replies={
            "a": "Look at the first guess in a chunk: how many symbols has the network read since "
            "the reset?",
            "c": "Look at the third guess in a chunk: how many symbols has the network read since "
            "the reset?",
        },
    ),
)
