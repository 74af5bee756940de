"""Lesson 6: LSTM and GRU, against PyTorch and the complex step."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given

from tests.strategies import (
    assert_close,
    one_hot,
    problem,
    problems,
    random_like,
    refused,
    tensor,
    torch_loss_and_gradients,
)
from utils import gru, lstm
from utils.cell import RNNParams, readout
from utils.gates import (
    GRUParams,
    LSTMParams,
    gru_bptt,
    gru_cell_backward,
    gru_cell_forward,
    gru_unroll,
    init_gru,
    init_lstm,
    lstm_bptt,
    lstm_cell_backward,
    lstm_cell_forward,
    lstm_unroll,
    sequence_gradients,
    sigmoid,
)
from utils.gradcheck import complex_step_gradient
from utils.loss import sequence_cross_entropy, sequence_cross_entropy_backward
from utils.torch_bridge import to_torch


def with_gates(p, kind):
    """The problem with random weights of an LSTM or a GRU, and c0."""
    (D, H), K = p.params.U.shape, p.params.W.shape[1]
    lstm = LSTMParams((D, 4 * H), (H, 4 * H), (4 * H,), (H, K), (K,))
    gru = GRUParams((D, 3 * H), (H, 3 * H), (3 * H,), (3 * H,), (H, K), (K,))
    p.params = random_like(lstm if kind is LSTMParams else gru, p.rng, p.h0.dtype)
    p.c0 = p.rng.standard_normal(p.h0.shape).astype(p.h0.dtype)
    for array in (*p.params, p.c0):
        array.flags.writeable = False
    return p


@given(problems())
def test_the_lstm_cell_is_that_of_pytorch(p):
    p = with_gates(p, LSTMParams)
    U, V, b, _, _ = p.params
    cell = torch.nn.LSTMCell(len(U), len(V), dtype=torch.float64)
    load(cell, U, V, b, 0 * b)
    x, h0, c0 = (tensor(a, requires_grad=True) for a in (one_hot(p.x[0], len(U)), p.h0, p.c0))
    h_t, c_t = cell(x, (h0, c0))
    got = lstm_cell_forward(p.x[0], p.h0, p.c0, U, V, b)
    assert_close(got, (h_t.detach().numpy(), c_t.detach().numpy()), 1e-13)

    dh_t, dc_t = p.c0 - 1, p.h0 + 1
    torch.autograd.backward((h_t, c_t), (tensor(dh_t), tensor(dc_t)))
    expected = (*inputs(p, x, h0, c0), *weights(cell)[:3])
    assert_close(lstm_cell_backward(dh_t, dc_t, p.x[0], p.h0, p.c0, U, V, b), expected)


@given(problems())
def test_the_gru_cell_is_that_of_pytorch(p):
    p = with_gates(p, GRUParams)
    U, V, b_in, b_rec, _, _ = p.params
    cell = torch.nn.GRUCell(len(U), len(V), dtype=torch.float64)
    load(cell, U, V, b_in, b_rec)
    x, h0 = (tensor(a, requires_grad=True) for a in (one_hot(p.x[0], len(U)), p.h0))
    h_t = cell(x, h0)
    got = gru_cell_forward(p.x[0], p.h0, U, V, b_in, b_rec)
    assert_close(got, h_t.detach().numpy(), 1e-13)

    h_t.backward(tensor(p.c0))
    expected = (*inputs(p, x, h0), *weights(cell))
    assert_close(gru_cell_backward(p.c0, p.x[0], p.h0, U, V, b_in, b_rec), expected)


def load(cell, U, V, b_in, b_rec):
    arrays = {"weight_ih": U.T, "weight_hh": V.T, "bias_ih": b_in, "bias_hh": b_rec}
    cell.load_state_dict({name: tensor(array) for name, array in arrays.items()})


def inputs(p, x, *states):
    """dx, None for ids, and the gradients of the states before."""
    return None if p.x.ndim == 2 else x.grad.numpy(), *(s.grad.numpy() for s in states)


def weights(cell):
    return tuple(t.grad.numpy().T for t in cell.parameters())


def lstm_loss(p, params=None):
    U, V, b, W, c = params or p.params
    h, _ = lstm_unroll(p.x, p.h0, p.c0, U, V, b)
    return sequence_cross_entropy(readout(h, W, c), p.targets, p.mask)


def gru_loss(p, params=None):
    *recurrent, W, c = params or p.params
    o = readout(gru_unroll(p.x, p.h0, *recurrent), W, c)
    return sequence_cross_entropy(o, p.targets, p.mask)


def error_of(h, p):
    o = readout(h, *p.params[-2:])
    return sequence_cross_entropy_backward(o, p.targets, p.mask)


@given(problems())
def test_every_gradient_of_the_lstm_is_that_of_autograd_and_of_the_complex_step(p):
    p = with_gates(p, LSTMParams)
    h, c = lstm_unroll(p.x, p.h0, p.c0, *p.params[:3])
    got = lstm_bptt(error_of(h, p), p.x, p.h0, p.c0, h, c, p.params)
    loss, grads, dx, (dh0, dc0) = torch_loss_and_gradients(p, (p.h0, p.c0))
    assert lstm_loss(p) == pytest.approx(loss, rel=1e-12)
    assert_close(got, (grads, None if p.x.ndim == 2 else dx, dh0, dc0))
    compare_to_complex_step(lambda params: lstm_loss(p, params), p.params, got[0])


@given(problems())
def test_every_gradient_of_the_gru_is_that_of_autograd_and_of_the_complex_step(p):
    p = with_gates(p, GRUParams)
    h = gru_unroll(p.x, p.h0, *p.params[:4])
    got = gru_bptt(error_of(h, p), p.x, p.h0, h, p.params)
    loss, grads, dx, (dh0,) = torch_loss_and_gradients(p)
    assert gru_loss(p) == pytest.approx(loss, rel=1e-12)
    assert_close(got, (grads, None if p.x.ndim == 2 else dx, dh0))
    compare_to_complex_step(lambda params: gru_loss(p, params), p.params, got[0])


def compare_to_complex_step(loss, params, grads):
    for name in params._fields:
        numeric = complex_step_gradient(
            lambda w, name=name: loss(params._replace(**{name: w})), getattr(params, name)
        )
        assert_close(getattr(grads, name), numeric, 1e-12)


@given(problems())
def test_the_unrolled_lstm_states_are_those_of_pytorch(p):
    p = with_gates(p, LSTMParams)
    h, c = lstm_unroll(p.x, p.h0, p.c0, *p.params[:3])
    x, state = tensor(one_hot(p.x, len(p.params.U))), (tensor(p.h0)[None], tensor(p.c0)[None])
    expected, (_, last) = to_torch(p.params).recurrent(x, state)
    assert_close(h, expected.detach().numpy(), 1e-13)
    assert_close(c[-1], last[0].detach().numpy(), 1e-13)


@given(problems())
def test_the_unrolled_gru_states_are_those_of_pytorch(p):
    p = with_gates(p, GRUParams)
    x, state = tensor(one_hot(p.x, len(p.params.U))), tensor(p.h0)[None]
    expected, _ = to_torch(p.params).recurrent(x, state)
    assert_close(gru_unroll(p.x, p.h0, *p.params[:4]), expected.detach().numpy(), 1e-13)


@pytest.mark.parametrize("kind", [RNNParams, LSTMParams, GRUParams])
def test_loss_and_gradients_of_any_network_from_an_empty_memory(kind):
    p = problem()
    p = p if kind is RNNParams else with_gates(p, kind)
    p.h0 = np.zeros_like(p.h0)
    loss, grads = sequence_gradients(p.params, p.x, p.targets, p.mask)
    start = (p.h0, p.h0) if kind is LSTMParams else (p.h0,)
    expected_loss, expected, _, _ = torch_loss_and_gradients(p, start)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert type(grads) is kind
    assert_close(grads, expected)


@pytest.mark.parametrize("kind", [LSTMParams, GRUParams])
@given(problems())
def test_loss_and_gradients_are_those_of_the_functions_in_turn(kind, p):
    p = with_gates(p, kind)
    x, h0, (*recurrent, W, c) = p.x, np.zeros_like(p.h0), p.params
    if kind is LSTMParams:
        states, first = lstm_unroll(x, h0, h0, *recurrent), (h0, h0)
    else:
        states, first = (gru_unroll(x, h0, *recurrent),), (h0,)
    o = readout(states[0], W, c)
    do = sequence_cross_entropy_backward(o, p.targets, p.mask)
    backward = lstm_bptt if kind is LSTMParams else gru_bptt
    expected = backward(do, x, *first, *states, p.params)[0]
    loss, grads = sequence_gradients(p.params, x, p.targets, p.mask)
    assert loss == pytest.approx(sequence_cross_entropy(o, p.targets, p.mask), rel=1e-12)
    assert_close(grads, expected, 1e-12)


@pytest.mark.parametrize("kind", [RNNParams, LSTMParams, GRUParams])
@given(problems(ids=False))
def test_what_padding_holds_does_not_matter_be_it_nan(kind, p):
    p = p if kind is RNNParams else with_gates(p, kind)
    real = p.mask[..., None]
    loss, grads = sequence_gradients(p.params, np.where(real, p.x, np.nan), p.targets, p.mask)
    right = sequence_gradients(p.params, np.where(real, p.x, 0), p.targets, p.mask)
    assert loss == pytest.approx(right[0], rel=1e-12)
    assert_close(grads, right[1], 1e-12)


def unrolled(kind, x, h0, c0, recurrent):
    """All h, and c of an LSTM, by the loop of `utils` and by one cell after another."""
    if kind is GRUParams:
        cells = [h0]
        for x_t in x:
            cells.append(gru_cell_forward(x_t, cells[-1], *recurrent))
        return (gru_unroll(x, h0, *recurrent),), (np.array(cells[1:]),)
    cells = [(h0, c0)]
    for x_t in x:
        cells.append(lstm_cell_forward(x_t, *cells[-1], *recurrent))
    return lstm_unroll(x, h0, c0, *recurrent), tuple(map(np.array, zip(*cells[1:], strict=True)))


@pytest.mark.parametrize("kind", [LSTMParams, GRUParams])
@given(problems())
def test_unrolling_is_the_cell_at_each_step(kind, p):
    p = with_gates(p, kind)
    assert_close(*unrolled(kind, p.x, p.h0, p.c0, p.params[:-2]), 1e-12)


@pytest.mark.parametrize("kind", [LSTMParams, GRUParams])
@given(problems())
def test_the_gradient_does_not_depend_on_how_many_steps_are_prepared_at_a_time(kind, p):
    p = with_gates(p, kind)
    batch = p.params, p.x, p.targets, p.mask
    whole = sequence_gradients(*batch)
    for steps in (1, 2):
        room = steps * 4 * p.h0.size
        with mock.patch.object(lstm, "ROOM", room), mock.patch.object(gru, "ROOM", room):
            assert_close(sequence_gradients(*batch)[1], whole[1], 1e-12)


@pytest.mark.parametrize("kind", [LSTMParams, GRUParams])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("size", [1e3, 1e-3])
def test_large_and_tiny_sums(kind, dtype, size):
    """Shut gates are 0, without a warning; what is tiny keeps its digits, in float32 too."""
    p = with_gates(problem(dtype=dtype), kind)
    x, h0, c0 = size * p.x, size * p.h0, size * p.c0
    recurrent = [w if w.ndim == 2 else dtype(size) * w for w in p.params[:-2]]
    with np.errstate(all="raise", under="ignore"):
        by_loop, by_cells = unrolled(kind, x, h0, c0, recurrent)
    for got, expected in zip(by_loop, by_cells, strict=True):
        assert got.dtype == dtype
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(got, expected, rtol=1e4 * eps, atol=10 * size * eps)


def test_sequence_gradients_name_what_is_wrong():
    p = problem()
    batch = p.x, p.targets, p.mask
    for kind in (RNNParams, LSTMParams, GRUParams):
        params = p.params if kind is RNNParams else with_gates(problem(), kind).params
        assert_close(
            sequence_gradients(params, *(a.tolist() for a in batch)),
            sequence_gradients(params, *batch),
        )
        for place, bad, error, message in [
            (0, None, TypeError, "x: expected"),
            (0, p.x[:, :, :2], ValueError, r"x: expected .*D"),
            (1, p.targets + 9, ValueError, "targets: expected ids from 0 to 1"),
            (2, p.mask.astype(float), TypeError, "mask: expected booleans"),
            (2, p.mask & False, ValueError, "mask: expected at least one True"),
        ]:
            args = [*batch]
            args[place] = bad
            refused(error, message, sequence_gradients, params, *args)
        refused(ValueError, r"params\.|b: ", sequence_gradients, params._replace(c=p.h0[0]), *batch)
    refused(
        TypeError,
        "params: expected RNNParams, LSTMParams or GRUParams, got tuple",
        sequence_gradients,
        tuple(p.params),
        *batch,
    )


def test_gates_do_not_overflow():
    with np.errstate(over="raise", invalid="raise"):
        assert sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0, 0.5, 1]


def test_an_open_forget_gate_keeps_the_cell_and_a_closed_one_drops_it():
    D, H = 2, 3
    b = np.zeros(4 * H)
    b[:H], c = -1000, np.array([[0.3, -2, 5]])
    for gate, kept in ((1000, c), (-1000, 0 * c)):
        b[H : 2 * H] = gate
        args = np.ones((1, D)), np.zeros((1, H)), c, np.zeros((D, 4 * H)), np.zeros((H, 4 * H)), b
        assert lstm_cell_forward(*args)[1].tolist() == kept.tolist()


def test_initial_weights():
    lstm, gru = (init(3, 5, 2, np.random.default_rng(0)) for init in (init_lstm, init_gru))
    assert [a.shape for a in lstm] == [(3, 20), (5, 20), (20,), (5, 2), (2,)]
    assert [a.shape for a in gru] == [(3, 15), (5, 15), (15,), (15,), (5, 2), (2,)]
    assert lstm.b.tolist() == [0] * 5 + [1] * 5 + [0] * 10
    for weight in (*lstm[:2], *gru[:2]):
        assert 0 < np.abs(weight).max() <= 1 / np.sqrt(5)


def test_float32_stays():
    p = with_gates(problem(dtype=np.float32), LSTMParams)
    h, c = lstm_unroll(p.x, p.h0, p.c0, *p.params[:3])
    grads, *others = lstm_bptt(p.do, p.x, p.h0, p.c0, h, c, p.params)
    assert {a.dtype for a in (h, c, *grads, *others)} == {np.dtype(np.float32)}
    p = with_gates(problem(dtype=np.float32), GRUParams)
    h = gru_unroll(p.x, p.h0, *p.params[:4])
    grads, *others = gru_bptt(p.do, p.x, p.h0, h, p.params)
    assert {a.dtype for a in (h, *grads, *others)} == {np.dtype(np.float32)}


def test_bad_arguments_are_named():
    p, q = with_gates(problem(), LSTMParams), with_gates(problem(), GRUParams)
    (U, V, b, _, _), x, h0, c0 = p.params, p.x, p.h0, p.c0
    h, c = lstm_unroll(x, h0, c0, U, V, b)
    gru = q.params[:4]
    refused(
        ValueError,
        r"U: expected .* \(D=4, 4H=24\), got",
        lstm_cell_forward,
        x[0],
        h0,
        c0,
        U.T,
        V,
        b,
    )
    refused(ValueError, r"b: .* \(4H=24,\)", lstm_unroll, x, h0, c0, U, V, b[:6])
    refused(ValueError, "c_prev: ", lstm_cell_backward, h0, h0, x[0], h0, c0[1:], U, V, b)
    refused(ValueError, "dc_t: ", lstm_cell_backward, h0, h0[1:], x[0], h0, c0, U, V, b)
    refused(ValueError, "c0: ", lstm_unroll, x, h0, c0[:2], U, V, b)
    refused(
        ValueError,
        r"params\.U: .* \(D=4, 4H=24\)",
        lstm_bptt,
        p.do,
        x,
        h0,
        c0,
        h,
        c,
        p.params._replace(U=V[:5]),
    )
    refused(
        TypeError,
        "params: expected the arrays U, V, b, W, c",
        lstm_bptt,
        p.do,
        x,
        h0,
        c0,
        h,
        c,
        q.params,
    )
    refused(
        TypeError,
        "params: expected the arrays U, V, b_in, b_rec, W, c",
        gru_bptt,
        p.do,
        x,
        h0,
        h,
        p.params,
    )
    refused(ValueError, r"V: expected .* \(H=6, 3H=18\)", gru_unroll, x, h0, gru[0], V, *gru[2:])
    refused(ValueError, "b_rec: ", gru_cell_forward, x[0], h0, *gru[:3], b)
    refused(ValueError, "dh_t: ", gru_cell_backward, h, x[0], h0, *gru)
    refused(TypeError, "h_prev: .* got int64", gru_cell_forward, x[0], h0.astype(int), *gru)
    refused(ValueError, "x: .* ids from 0 to 3", gru_unroll, p.targets + 3, h0, *gru)
    refused(ValueError, "K: expected at least 1", init_lstm, 1, 1, 0, p.rng)
    refused(TypeError, "rng", init_gru, 1, 1, 1, None)
