"""Lesson 5: streams, perplexity, sampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import problem, random_like, refused
from utils.cell import RNNParams, readout
from utils.language_model import (
    generate,
    make_streams,
    ngram_perplexity,
    perplexity,
    sample_next,
    stream_nll,
)
from utils.loss import sequence_cross_entropy, softmax
from utils.unroll import unroll


def writer(D=5, H=6, seed=0):
    shapes = RNNParams((D, H), (H, H), (H,), (H, D), (D,))
    return random_like(shapes, np.random.default_rng(seed))


@given(st.integers(1, 60), st.integers(1, 60))
def test_streams_are_the_text_in_columns(n, B):
    B = min(B, n)
    streams = make_streams(np.arange(n), B)
    assert streams.shape == (n // B, B)
    assert streams.T.ravel().tolist() == list(range(n // B * B))


@given(st.integers(1, 20), st.integers(1, 50))
def test_a_uniform_guess_has_the_perplexity_of_its_choices(K, n):
    assert perplexity(n * np.log(K), n) == pytest.approx(K)


def test_perplexity_of_the_best_and_of_the_worst():
    assert perplexity(0, 7) == 1
    assert perplexity(1e6, 1) == np.inf
    assert type(perplexity(np.float32(3), np.int64(2))) is float


def test_samples_are_as_likely_as_the_softmax_says():
    rng, o = np.random.default_rng(0), np.array([1.0, -0.5, 0.3, 2.0])
    for temperature in (0.5, 1, 3):
        counts = np.bincount([sample_next(o, temperature, rng) for _ in range(4000)], minlength=4)
        assert np.abs(counts / 4000 - softmax(o / temperature)).max() < 0.02


def test_no_temperature_is_too_low_and_no_logit_too_high():
    rng = np.random.default_rng(0)
    for o in ([0.0, 3.0, 1.0], [-1000.0, 1000.0, 0.0]):
        for temperature in (0, 5e-324, 1e-9):
            assert sample_next(o, temperature, rng) == 1
    assert type(sample_next(np.zeros(3, np.float32), 1.0, rng)) is int
    assert {sample_next([-1000.0, 1000.0], np.inf, rng) for _ in range(50)} == {0, 1}


def test_writing_feeds_each_symbol_back():
    params, h = writer(), np.random.default_rng(1).standard_normal(6)
    written = generate(params, h, 2, 12, 0.8, np.random.default_rng(7))
    rng, h_t, expected = np.random.default_rng(7), h[None], [2]
    for _ in range(12):
        h_t = unroll([[expected[-1]]], h_t, *params[:3])[0]
        expected.append(sample_next(readout(h_t[0], params.W, params.c), 0.8, rng))
    assert written == expected[1:]
    assert all(type(i) is int for i in written)
    assert generate(params, h, 2, 0, 0.8, rng) == []
    assert generate(params, h, 2, 5, 0, rng) == generate(params, h, 2, 5, 0, rng)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_the_loss_of_streams_does_not_depend_on_the_chunks(chunk):
    params, streams = writer(), np.random.default_rng(0).integers(0, 5, (11, 3))
    h = unroll(streams[:-1], np.zeros((3, 6)), *params[:3])
    mean = sequence_cross_entropy(
        readout(h, params.W, params.c), streams[1:], np.ones((10, 3), bool)
    )
    total, n_tokens = stream_nll(params, streams, chunk)
    assert total == pytest.approx(30 * mean, rel=1e-13)
    assert n_tokens == 30


def test_counting_baselines():
    train = [0, 1] * 50
    assert ngram_perplexity(train, [0, 1, 0, 1], 2, 1) == pytest.approx(2)
    # After 0 came 1 in all 50 cases, after 1 came 0 in 49; one is added to each count.
    expected = (52 / 51 * 51 / 50 * 52 / 51) ** (1 / 3)
    assert ngram_perplexity(train, [0, 1, 0, 1], 2, 2) == pytest.approx(expected)
    assert ngram_perplexity([0, 0], [1], 4, 1) == pytest.approx(6)
    assert ngram_perplexity([0, 0], [1], 4, 1, add=0.5) == pytest.approx(8)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 40), st.integers(0, 9))
def test_counting_is_the_same_in_a_table_of_all_n_grams(K, n, length, seed):
    rng = np.random.default_rng(seed)
    train, held_out = rng.integers(0, K, length), rng.integers(0, K, n + 5)
    table = np.full((K,) * n, 0.3)
    for t in range(length - n + 1):
        table[tuple(train[t : t + n])] += 1
    p = table / table.sum(-1, keepdims=True)
    nll = [-np.log(p[tuple(held_out[t : t + n])]) for t in range(6)]
    expected = np.exp(np.mean(nll))
    assert ngram_perplexity(train, held_out, K, n, add=0.3) == pytest.approx(expected)


@given(
    st.sampled_from([kind + n for kind in ("int", "uint") for n in ("8", "16", "32", "64")]),
    st.integers(1, 4),
    st.integers(0, 9),
)
def test_counting_does_not_depend_on_the_kind_of_integer(dtype, n, seed):
    ids = np.random.default_rng(seed).integers(0, 100, 400)
    narrow = ids.astype(dtype)
    assert ngram_perplexity(narrow, narrow, 100, n) == ngram_perplexity(ids, ids, 100, n)
    assert make_streams(narrow, 3).dtype == np.int64


@given(st.integers(0, 4), st.sampled_from([np.nan, np.inf]), st.sampled_from([0, 1e-9, 1, np.inf]))
def test_what_is_not_finite_is_not_sampled_but_minus_infinity_never_comes(place, bad, temperature):
    rng, o, params = np.random.default_rng(0), np.linspace(-1, 1, 5), writer()
    banned = o.copy()
    o[place], banned[place] = bad, -np.inf
    refused(ValueError, f"^o: expected finite .* got {bad}", sample_next, o, temperature, rng)
    assert all(sample_next(banned, temperature, rng) != place for _ in range(30))
    refused(ValueError, "^o: expected finite", sample_next, [-np.inf] * 2, temperature, rng)
    h = np.zeros(6)
    for name, weights in params._asdict().items():
        worse = weights.copy()
        worse.flat[place] = bad
        args = h, 0, 3, temperature, rng
        message = rf"^params\.{name}: expected finite numbers, got {bad}; .* diverged"
        refused(ValueError, message, generate, params._replace(**{name: worse}), *args)
    refused(ValueError, "^h: expected finite", generate, params, h + bad, 0, 3, temperature, rng)
    without = params._replace(c=np.where(np.arange(5) == place, -np.inf, params.c))
    assert place not in generate(without, h, 0, 30, temperature, rng)
    huge = params._replace(W=np.full_like(params.W, 1e308))
    with np.errstate(all="ignore"):
        refused(ValueError, "^params: expected finite", generate, huge, h + 0.9, 0, 3, 1, rng)


def test_perplexity_of_nan_is_nan_and_of_what_is_no_number_is_refused():
    assert np.isnan(perplexity(np.nan, 3))
    for wrong in (None, "1.9", [1.9], np.ma.masked):
        refused(TypeError, "^total_nll: expected a number, got", perplexity, wrong, 3)
    refused(TypeError, "n_tokens: expected a whole number, got NoneType", perplexity, 1.9, None)


def test_bad_arguments_are_named():
    params, h, rng = writer(), np.zeros(6), np.random.default_rng(0)
    different = problem(D=4, K=2).params
    refused(ValueError, "ids: expected at least B=4", make_streams, [1, 2, 3], 4)
    refused(ValueError, "B: expected at least 1", make_streams, [1, 2, 3], 0)
    refused(TypeError, "ids: expected integers", make_streams, [1.0, 2.0], 1)
    refused(ValueError, "ids: .* each at least 1, got shape", make_streams, [], 1)
    refused(ValueError, "train: .* each at least 1, got shape", ngram_perplexity, [], [1], 2, 1)
    refused(TypeError, "held_out: .* got str", ngram_perplexity, [1], "text", 2, 1)
    refused(ValueError, "n_tokens: expected at least 1, got 0", perplexity, 1.0, 0)
    refused(ValueError, "temperature: expected at least 0", sample_next, [1.0, 2.0], -1, rng)
    refused(
        ValueError, "temperature: expected at least 0, got nan", sample_next, [1.0], np.nan, rng
    )
    refused(ValueError, r"o: expected .* \(K,\)", sample_next, [[1.0]], 1, rng)
    refused(TypeError, "rng: expected", sample_next, [1.0, 2.0], 1, 0)
    refused(TypeError, "rng: expected", generate, params, h, 0, 3, 1, np.random)
    refused(
        ValueError, "first_id: expected ids from 0 to 4, got 5", generate, params, h, 5, 3, 1, rng
    )
    refused(ValueError, r"params\.U: expected .*H=2", generate, params, h[:2], 0, 3, 1, rng)
    refused(
        ValueError, "as many inputs as outputs, got D=4, K=2", generate, different, h, 0, 3, 1, rng
    )
    refused(ValueError, "n: expected at least 0", generate, params, h, 0, -1, 1, rng)
    refused(ValueError, "chunk: expected at least 1", stream_nll, params, [[1], [2]], 0)
    refused(ValueError, "streams: expected at least 2 steps", stream_nll, params, [[1]], 1)
    refused(ValueError, "streams: expected ids from 0 to 4", stream_nll, params, [[1], [5]], 1)
    refused(ValueError, "held_out: expected ids from 0 to 1", ngram_perplexity, [1], [2], 2, 1)
    refused(ValueError, "held_out: expected at least n=2", ngram_perplexity, [1], [1], 2, 2)
    refused(ValueError, "n: expected at least 1", ngram_perplexity, [1], [1], 2, 0)
    refused(ValueError, r"n: expected fewer .* 77\*\*11", ngram_perplexity, [1], [1], 77, 11)
    refused(ValueError, "add: expected", ngram_perplexity, [1], [1], 2, 1, 0)
