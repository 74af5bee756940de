"""Softmax and cross-entropy over time."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import assert_close, problem, problems, tensor
from utils.gradcheck import complex_step_gradient
from utils.loss import (
    sequence_cross_entropy,
    sequence_cross_entropy_backward,
    softmax,
    step_weights,
)


@given(problems())
def test_the_loss_and_its_gradient_are_those_of_pytorch(p):
    o = tensor(p.do, requires_grad=True)
    mask = tensor(p.mask)
    expected = torch.nn.functional.cross_entropy(o[mask], tensor(p.targets)[mask])
    expected.backward()
    assert_close(sequence_cross_entropy(p.do, p.targets, p.mask), expected.item())
    assert_close(sequence_cross_entropy_backward(p.do, p.targets, p.mask), o.grad.numpy())


@given(problems())
def test_the_gradient_is_that_of_the_complex_step(p):
    numeric = complex_step_gradient(lambda o: sequence_cross_entropy(o, p.targets, p.mask), p.do)
    assert_close(sequence_cross_entropy_backward(p.do, p.targets, p.mask), numeric, 1e-13)


@given(problems())
def test_padding_does_not_count(p):
    elsewhere = np.where(p.mask[..., None], p.do, 7.0)
    same = sequence_cross_entropy(elsewhere, p.targets, p.mask)
    assert same == pytest.approx(sequence_cross_entropy(p.do, p.targets, p.mask), rel=1e-14)
    do = sequence_cross_entropy_backward(p.do, p.targets, p.mask)
    assert not do[~p.mask].any()
    assert_close(do.sum(-1), np.zeros(p.mask.shape) + do.sum(-1))
    assert np.abs(do.sum(-1)).max() < 1e-15


@given(problems(), st.sampled_from([np.nan, np.inf, -np.inf]), st.sampled_from([1, 30]))
def test_what_padding_holds_does_not_matter_be_it_nan(p, bad, size):
    o = size * p.do  # small enough for exp(), and not
    dirty = np.where(p.mask[..., None], o, bad)
    with np.errstate(all="raise"):
        loss = sequence_cross_entropy(dirty, p.targets, p.mask)
        do = sequence_cross_entropy_backward(dirty, p.targets, p.mask)
    assert loss == sequence_cross_entropy(o, p.targets, p.mask)
    assert_close(do, sequence_cross_entropy_backward(o, p.targets, p.mask), 1e-15)
    assert not do[~p.mask].any()


@given(problems(), st.data())
def test_nan_at_a_real_step_is_the_loss(p, data):
    o, (t, b) = p.do.copy(), data.draw(st.sampled_from(list(zip(*p.mask.nonzero(), strict=True))))
    o[t, b, data.draw(st.integers(0, o.shape[-1] - 1))] = np.nan
    assert np.isnan(sequence_cross_entropy(o, p.targets, p.mask))
    do = sequence_cross_entropy_backward(o, p.targets, p.mask)
    assert np.isnan(do[t, b]).all()


def test_the_softmax():
    o = np.random.default_rng(0).standard_normal((4, 3, 5))
    p = softmax(o)
    assert_close(p, torch.softmax(tensor(o), -1).numpy())
    assert_close(p.sum(-1), np.ones((4, 3)), 1e-15)
    assert_close(softmax(o + 123), p, 1e-12)
    assert_close(softmax(o[0, 0]), p[0, 0], 1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_a_thousand_neither_overflow_nor_lose_the_loss(dtype):
    o = np.array([[[1000, -1000, 0]], [[-1000, 1000, 999]]], dtype=dtype)
    targets, mask = np.array([[1], [1]]), np.ones((2, 1), dtype=bool)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        p = softmax(o)
        loss = sequence_cross_entropy(o, targets, mask)
        do = sequence_cross_entropy_backward(o, targets, mask)
    assert p[0, 0].tolist() == [1, 0, 0]
    assert loss == pytest.approx((2000 + np.log1p(np.exp(-1))) / 2, rel=1e-6)
    assert do[0, 0].tolist() == [0.5, -0.5, 0]
    assert p.dtype == do.dtype == dtype


def test_any_order_in_memory_and_any_kind_of_integer_will_do():
    p = problem(K=3)
    expected = sequence_cross_entropy_backward(p.do, p.targets, p.mask)
    for targets in (p.targets.astype(np.uint64), p.targets.astype(np.int8), p.targets.tolist()):
        o = np.asfortranarray(p.do)
        assert_close(sequence_cross_entropy_backward(o, targets, p.mask), expected, 1e-15)
        assert sequence_cross_entropy(o, targets, p.mask) == pytest.approx(
            sequence_cross_entropy(p.do, p.targets, p.mask), rel=1e-14
        )


def test_one_output_has_nothing_to_lose():
    o, targets, mask = np.full((2, 3, 1), 5.0), np.zeros((2, 3), int), np.ones((2, 3), bool)
    assert sequence_cross_entropy(o, targets, mask) == 0
    assert not sequence_cross_entropy_backward(o, targets, mask).any()


def test_results_are_plain():
    p = problem(dtype=np.float32)
    assert type(sequence_cross_entropy(p.do, p.targets, p.mask)) is float
    assert sequence_cross_entropy_backward(p.do, p.targets, p.mask).dtype == np.float32
    assert type(sequence_cross_entropy(p.do.astype(complex), p.targets, p.mask)) is complex
    assert step_weights(p.mask, np.float32).dtype == np.float32  # else float64 spreads from here


@pytest.mark.parametrize("function", [sequence_cross_entropy, sequence_cross_entropy_backward])
def test_bad_arguments_are_named(function):
    p = problem()
    for error, message, args in [
        (ValueError, "mask: expected at least one True", (p.do, p.targets, p.mask & False)),
        (TypeError, r"mask: expected booleans \(T, B\)", (p.do, p.targets, p.mask * 1)),
        (ValueError, r"mask: .* \(T=5, B=3\)", (p.do, p.targets, p.mask.T)),
        (ValueError, "targets: expected ids from 0 to 1, got 2", (p.do, p.targets + 1, p.mask)),
        (ValueError, "targets: expected ids from 0 to 1, got -1", (p.do, p.targets - 1, p.mask)),
        (TypeError, "targets: expected integers", (p.do, p.targets * 1.0, p.mask)),
        (TypeError, "o: .* got float16", (p.do.astype(np.float16), p.targets, p.mask)),
        (ValueError, r"o: .* \(T, B, K\), got shape \(3, 2\)", (p.do[0], p.targets, p.mask)),
    ]:
        with pytest.raises(error, match=message):
            function(*args)
