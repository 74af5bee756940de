"""Lesson 3: every gradient, against autograd, the complex step and RTRL."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import (
    assert_close,
    one_hot,
    problem,
    problems,
    refused,
    seeds,
    tensor,
    torch_loss_and_gradients,
)
from utils import bptt as lesson
from utils.bptt import (
    bptt,
    cell_backward,
    checkpointed_gradients,
    gradient_flow,
    loss_and_gradients,
    step_jacobian,
    truncated_bptt,
)
from utils.cell import RNNParams, cell_forward, readout
from utils.gradcheck import complex_step_gradient, rtrl
from utils.loss import sequence_cross_entropy, sequence_cross_entropy_backward
from utils.unroll import unroll


def states(p):
    return unroll(p.x, p.h0, *p.params[:3])


def loss_of(p, params=None, x=None, h0=None):
    U, V, b, W, c = params or p.params
    h = unroll(p.x if x is None else x, p.h0 if h0 is None else h0, U, V, b)
    return sequence_cross_entropy(readout(h, W, c), p.targets, p.mask)


def step_by_step(p):
    """loss, grads, dx, dh0 by the functions of the lessons."""
    h = states(p)
    o = readout(h, p.params.W, p.params.c)
    do = sequence_cross_entropy_backward(o, p.targets, p.mask)
    return sequence_cross_entropy(o, p.targets, p.mask), *bptt(do, p.x, p.h0, h, p.params)


@given(problems())
def test_every_gradient_is_that_of_autograd(p):
    loss, grads, dx, (dh0,) = torch_loss_and_gradients(p)
    expected = (loss, grads, None if p.x.ndim == 2 else dx, dh0)
    assert_close(step_by_step(p), expected)


@given(problems())
def test_every_gradient_is_that_of_the_complex_step(p):
    _, grads, dx, dh0 = step_by_step(p)
    for name, grad in grads._asdict().items():
        numeric = complex_step_gradient(
            lambda w, name=name: loss_of(p, p.params._replace(**{name: w})), getattr(p.params, name)
        )
        assert_close(grad, numeric, 1e-12)
    assert_close(dh0, complex_step_gradient(lambda h0: loss_of(p, h0=h0), p.h0), 1e-12)
    if dx is not None:
        assert_close(dx, complex_step_gradient(lambda x: loss_of(p, x=x), p.x), 1e-12)


@given(problems())
def test_every_gradient_is_that_of_rtrl(p):
    h = states(p)
    grads, _, _ = bptt(p.do, p.x, p.h0, h, p.params)
    assert_close(grads, rtrl(p.do, p.x, p.h0, h, p.params), 1e-12)


@given(problems())
def test_one_step_back_is_that_of_autograd(p):
    U, V, b, _, _ = p.params
    h_t = cell_forward(p.x[0], p.h0, U, V, b)
    given_arrays = one_hot(p.x[0], len(U)), p.h0, U, V, b
    x, h_prev, *weights = tensors = [tensor(a, requires_grad=True) for a in given_arrays]
    torch.tanh(x @ weights[0] + h_prev @ weights[1] + weights[2]).backward(tensor(p.h0))
    dx, *expected = (t.grad.numpy() for t in tensors)
    got = cell_backward(p.h0, p.x[0], p.h0, h_t, U, V)
    assert_close(got, (None if p.x.ndim == 2 else dx, *expected), 1e-12)


@given(problems(ids=False), st.data())
def test_no_error_reaches_a_step_after_the_last_loss(p, data):
    t = data.draw(st.integers(1, len(p.x)))
    do = p.do.copy()
    do[t:] = 0
    _, dx, _ = bptt(do, p.x, p.h0, states(p), p.params)
    assert not dx[t:].any()
    assert dx[:t].any()


@given(problems(ids=False))
def test_the_order_of_the_batch_changes_nothing_but_the_order(p):
    order = np.random.default_rng(0).permutation(len(p.h0))
    grads, dx, dh0 = bptt(p.do, p.x, p.h0, states(p), p.params)
    shuffled = p.do[:, order], p.x[:, order], p.h0[order], states(p)[:, order], p.params
    assert_close(bptt(*shuffled), (grads, dx[:, order], dh0[order]), 1e-12)


@given(problems())
def test_a_training_step_is_the_lessons_in_turn(p):
    loss, grads, _, dh0 = step_by_step(p)
    for rows in (1, 6, lesson.ROWS):  # one step at a time, a few, all
        with mock.patch.object(lesson, "ROWS", rows):
            got = loss_and_gradients(p.params, *p.batch)
        assert_close(got, (loss, grads, dh0, states(p)[-1]), 1e-12)


@given(problems())
def test_checkpoints_change_nothing(p):
    expected = loss_and_gradients(p.params, *p.batch)
    assert_close(checkpointed_gradients(p.params, *p.batch), expected, 1e-12)


def test_checkpoints_change_nothing_over_many_stretches():
    p = problem(T=90, seed=5)
    p.params = RNNParams(*(0.4 * w for w in p.params))
    expected = loss_and_gradients(p.params, *p.batch)
    assert_close(checkpointed_gradients(p.params, *p.batch), expected, 1e-12)


@given(problems(), st.integers(1, 9))
def test_truncation_cuts_the_error_and_carries_the_state(p, chunk):
    U, V, b, W, _ = weights = [tensor(w, requires_grad=True) for w in p.params]
    h_t, total = tensor(p.h0), 0
    for t, x_t in enumerate(tensor(one_hot(p.x, len(U)))):
        if t % chunk == 0:
            h_t = h_t.detach()
        h_t = torch.tanh(x_t @ U + h_t @ V + b)
        total = total + ((h_t @ W + weights[4]) * tensor(p.do[t])).sum()
    total.backward()
    expected = RNNParams(*(w.grad.numpy() for w in weights))
    assert_close(truncated_bptt(p.do, p.x, p.h0, states(p), p.params, chunk), expected)


@given(problems())
def test_one_chunk_of_all_steps_truncates_nothing(p):
    grads, _, _ = bptt(p.do, p.x, p.h0, states(p), p.params)
    assert_close(truncated_bptt(p.do, p.x, p.h0, states(p), p.params, len(p.x)), grads, 0)


@given(problems())
def test_the_gradient_flow_is_the_norm_of_the_jacobian(p):
    h, (U, V, b) = states(p)[:, 0], p.params[:3]
    x = one_hot(p.x, len(U))[:, 0]
    flow = gradient_flow(h, V)
    assert flow[-1] == 1

    def last_state(h_t, t):
        for x_t in x[t + 1 :]:
            h_t = torch.tanh(tensor(x_t @ U + b) + h_t @ tensor(V))
        return h_t

    for t in range(len(h)):
        exact = torch.autograd.functional.jacobian(
            lambda h_t, t=t: last_state(h_t, t), tensor(h[t])
        )
        assert flow[t] == pytest.approx(torch.linalg.matrix_norm(exact, 2).item(), rel=1e-10)


@given(st.floats(-1e3, 1e3), st.integers(1, 1500), st.sampled_from([np.float32, np.float64]))
def test_the_gradient_flow_of_one_unit_is_a_power_for_any_number_of_steps(v, T, dtype):
    h, V = np.zeros((T, 1), dtype), np.array([[v]], dtype)
    with np.errstate(all="raise"):
        flow = gradient_flow(h, V)
    assert flow.dtype == dtype
    with np.errstate(all="ignore"):
        exact = np.abs(V[0, 0].astype(np.longdouble)) ** np.arange(T)[::-1]
        rtol, atol = 8 * T * np.finfo(dtype).eps, 8 * np.finfo(dtype).smallest_subnormal
        np.testing.assert_allclose(flow, exact.astype(dtype), rtol, atol)


@settings(max_examples=5)
@given(st.integers(2, 20), st.floats(3, 10), seeds)
def test_a_flow_that_explodes_is_infinite_and_comes_back(H, size, seed):
    rng = np.random.default_rng(seed)
    h, V = rng.uniform(-0.5, 0.5, (1000, H)), size * np.linalg.qr(rng.standard_normal((H, H)))[0]
    with np.errstate(all="raise"):
        flow = gradient_flow(h, V)
    assert flow[0] == np.inf
    assert not np.isnan(flow).any()
    finite = np.flatnonzero(np.isfinite(flow))
    assert (np.diff(finite) == 1).all()
    product = np.eye(H)
    for t in range(999, finite[0], -1):
        assert flow[t] == pytest.approx(np.linalg.norm(product, 2), rel=1e-9)
        product = step_jacobian(h[t], V) @ product
    saturated = np.full((1000, H), 0.999)  # on the way back there the error shrinks again
    flow = gradient_flow(np.vstack([saturated, h]), V)
    assert flow[0] == 0
    assert flow[1000] == np.inf
    assert ((flow > 0) & (flow < 1)).any()


@given(problems(ids=False), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_what_padding_holds_does_not_matter_be_it_nan(p, bad):
    dirty = np.where(p.mask[..., None], p.x, bad)
    padded = ~p.mask[-1]
    for function in (loss_and_gradients, checkpointed_gradients):
        right = function(p.params, np.where(p.mask[..., None], p.x, 0), *p.batch[1:])
        for rows in (1, lesson.ROWS):
            with mock.patch.object(lesson, "ROWS", rows), np.errstate(all="raise"):
                *got, last = function(p.params, dirty, *p.batch[1:])
            assert_close(tuple(got), right[:3], 1e-12)
            assert np.isnan(last[padded]).all()
            assert_close(last[~padded], right[3][~padded], 1e-12) if not padded.all() else None


@given(problems(ids=False), st.data())
def test_nan_that_a_real_step_reads_is_the_loss(p, data):
    t, b = data.draw(st.sampled_from(list(zip(*p.mask.nonzero(), strict=True))))
    mask = p.mask.copy()
    mask[: len(mask) - 1, b] &= data.draw(st.booleans())  # NaN may stand before the one real step
    mask[-1, b] = True
    x = p.x.copy()
    x[t, b] = np.nan
    for function in (loss_and_gradients, checkpointed_gradients):
        loss, grads, _, last = function(p.params, x, p.targets, mask, p.h0)
        assert np.isnan(loss)
        assert all(np.isnan(g).any() for g in grads)
        assert np.isnan(last[b]).all()


def test_one_jacobian():
    p = problem()
    U, V, b = p.params[:3]
    columns = [
        complex_step_gradient(
            lambda h, j=j: cell_forward(p.x[0, :1], h[None], U, V, b)[0, j], p.h0[0]
        )
        for j in range(len(b))
    ]
    assert_close(step_jacobian(states(p)[0, 0], V), np.stack(columns, axis=1), 1e-14)


@pytest.mark.parametrize("ids", [False, True])
def test_float32_stays_and_is_about_right(ids):
    exact, p = problem(ids=ids), problem(ids=ids, dtype=np.float32)
    for function in (loss_and_gradients, checkpointed_gradients):
        loss, grads, dh0, last = function(p.params, *p.batch)
        assert {a.dtype for a in (*grads, dh0, last)} == {np.dtype(np.float32)}
        _, expected, _, _ = function(exact.params, *exact.batch)
        assert_close(grads, RNNParams(*(g.astype(np.float32) for g in expected)), 1e-5)
        assert type(loss) is float
    grads, _, dh0 = bptt(p.do, p.x, p.h0, states(p), p.params)
    assert {a.dtype for a in (*grads, dh0)} == {np.dtype(np.float32)}
    assert truncated_bptt(p.do, p.x, p.h0, states(p), p.params, 2).V.dtype == np.float32
    assert gradient_flow(states(p)[:, 0], p.params.V).dtype == np.float32


def test_views_and_lists_are_as_good():
    p = problem()
    h = states(p)
    args = p.do, p.x, p.h0, h, p.params
    turned = *(np.asfortranarray(a) for a in args[:4]), RNNParams(*map(np.asfortranarray, p.params))
    assert_close(bptt(*turned), bptt(*args), 1e-14)
    lists = *(a.tolist() for a in args[:4]), [w.tolist() for w in p.params]
    assert_close(bptt(*lists), bptt(*args), 1e-14)


def test_the_last_state_keeps_no_others_alive():
    p = problem()
    for function in (loss_and_gradients, checkpointed_gradients):
        assert function(p.params, *p.batch)[-1].base is None


def test_bad_arguments_are_named():
    p = problem()
    x, targets, mask, h0 = p.batch
    U, V = p.params[:2]
    h = states(p)
    worse = p.params._replace(V=V[:, :5])
    refused(ValueError, r"do: expected .* \(T=5, B=3, K=2\)", bptt, p.do[:2], x, h0, h, p.params)
    refused(ValueError, r"h: expected .* \(T=5, B=3, H=6\)", bptt, p.do, x, h0, h[1:], p.params)
    refused(ValueError, r"params\.V: expected .* \(H=6, H=6\)", bptt, p.do, x, h0, h, worse)
    refused(
        TypeError, "params: expected the arrays U, V, b, W, c", bptt, p.do, x, h0, h, p.params[:4]
    )
    refused(TypeError, "do: .* got int64", bptt, p.do.astype(int), x, h0, h, p.params)
    refused(ValueError, "chunk: .* 1, got 0", truncated_bptt, p.do, x, h0, h, p.params, 0)
    refused(ValueError, "mask: .* True", loss_and_gradients, p.params, x, targets, mask & False, h0)
    refused(
        ValueError, "targets: .* 0 to 1", checkpointed_gradients, p.params, x, targets + 2, mask, h0
    )
    refused(
        ValueError,
        "x: .* ids from 0 to 3",
        loss_and_gradients,
        p.params,
        targets + 3,
        targets,
        mask,
        h0,
    )
    refused(ValueError, r"h: expected .* \(T, H\)", gradient_flow, h, V)
    for bad in (np.nan, np.inf):
        refused(ValueError, f"h: expected finite numbers, got {bad}", gradient_flow, h[0] * bad, V)
        refused(ValueError, f"V: expected finite numbers, got {bad}", gradient_flow, h[0], V + bad)
    smaller = targets[:, :2], mask[:, :2], h0
    for function in (loss_and_gradients, checkpointed_gradients):
        refused(
            ValueError,
            r"h0: .* \(B=2, H\), got shape \(3, 6\); .* smaller, .* np\.zeros\(\(2, 6\)\)",
            function,
            p.params,
            x[:, :2],
            *smaller,
        )
    refused(ValueError, r"V: expected .* \(H=6, H=6\)", step_jacobian, h[0, 0], U)
    refused(ValueError, r"h_t: expected .* \(B=3, H=6\)", cell_backward, h0, x[0], h0, h0[:2], U, V)
    refused(TypeError, "dh_t: .* got float16", cell_backward, h0.astype("f2"), x[0], h0, h0, U, V)
