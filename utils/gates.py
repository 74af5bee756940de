"""Lesson 6: gates, which let a network keep what it has learned to keep.

LSTM  i, f, g, o = σ, σ, tanh, σ of (x_t U + h_{t-1} V + b)        U (D,4H)  V (H,4H)  b (4H,)
      c_t = f c_{t-1} + i g        h_t = o tanh(c_t)
      Hochreiter & Schmidhuber (1997), with the forget gate of Gers, Schmidhuber & Cummins (2000).

GRU   r, z = σ(x_t U + b_in + h_{t-1} V + b_rec)        U (D,3H)  V (H,3H)  b_in, b_rec (3H,)
      n = tanh(x_t U + b_in + r (h_{t-1} V + b_rec))        h_t = (1 - z) n + z h_{t-1}
      Cho et al. (2014), but r multiplies after the product with V, as in PyTorch.

Each gate has its own columns of the weights, in PyTorch's order.
"""

from typing import NamedTuple

import numpy as np

from ._validate import checked, generator, whole
from .bptt import back_to_input, bptt, input_weights, one_step_back, times
from .cell import RNNParams, affine, flat, readout
from .loss import sequence_cross_entropy, sequence_cross_entropy_backward
from .unroll import unroll


class LSTMParams(NamedTuple):
    """Weights or gradients: U (D,4H), V (H,4H), b (4H,), W (H,K), c (K,)."""

    U: np.ndarray
    V: np.ndarray
    b: np.ndarray
    W: np.ndarray
    c: np.ndarray


class GRUParams(NamedTuple):
    """Weights or gradients: U (D,3H), V (H,3H), b_in (3H,), b_rec (3H,), W (H,K), c (K,)."""

    U: np.ndarray
    V: np.ndarray
    b_in: np.ndarray
    b_rec: np.ndarray
    W: np.ndarray
    c: np.ndarray


LSTM_SHAPES = LSTMParams("D4H", "H4H", "4H", "HK", "K")
GRU_SHAPES = GRUParams("D3H", "H3H", "3H", "3H", "HK", "K")


def init_lstm(D, H, K, rng):
    """Random `LSTMParams`, uniform in ±1/√H; biases zero, but 1 at the forget gate.

    So it keeps what it has until it learns better: Jozefowicz, Zaremba & Sutskever (2015).
    """
    U, V, W = _uniform(D, H, K, 4, rng)
    b = np.zeros(4 * H)
    b[H : 2 * H] = 1
    return LSTMParams(U, V, b, W, np.zeros(K))


def init_gru(D, H, K, rng):
    """Random `GRUParams`, uniform in ±1/√H, biases zero."""
    U, V, W = _uniform(D, H, K, 3, rng)
    return GRUParams(U, V, np.zeros(3 * H), np.zeros(3 * H), W, np.zeros(K))


@checked(x_t="BD|B<D", h_prev="BH", c_prev="BH", U="D4H", V="H4H", b="4H")
def lstm_cell_forward(x_t, h_prev, c_prev, U, V, b):
    """h_t (B,H) and c_t (B,H) from input x_t (B,D), or ids (B,), and the state before."""
    return _lstm_step(affine(x_t, U, b) + h_prev @ V, c_prev)


@checked(x_t="BD|B<D", h_prev="BH", c_prev="BH", U="D4H", V="H4H", b="4H", dh_t="BH", dc_t="BH")
def lstm_cell_backward(dh_t, dc_t, x_t, h_prev, c_prev, U, V, b):
    """Back through one step: dx_t, dh_prev, dc_prev, dU, dV, db.

    dh_t and dc_t are the gradients by the two results of the step.
    """
    gates = _lstm_gates(affine(x_t, U, b) + h_prev @ V)
    c_t = gates[1] * c_prev + gates[0] * gates[2]
    da, dc_prev = _lstm_step_back(dh_t, dc_t, gates, c_prev, c_t)
    dx_t, dU = back_to_input(da, x_t, U), input_weights(x_t, da, len(U))
    return dx_t, da @ V.T, dc_prev, dU, h_prev.T @ da, da.sum(0)


@checked(x="TBD|TB<D", h0="BH", c0="BH", U="D4H", V="H4H", b="4H")
def lstm_unroll(x, h0, c0, U, V, b):
    """All h (T,B,H) and c (T,B,H) for x (T,B,D), or ids (T,B), from h0 and c0 (B,H)."""
    states, h_t, c_t = [], h0, c0
    for a_t in affine(x, U, b):
        h_t, c_t = _lstm_step(a_t + h_t @ V, c_t)
        states.append((h_t, c_t))
    h, c = zip(*states, strict=True)
    return np.stack(h), np.stack(c)


@checked(x="TBD|TB<D", h0="BH", c0="BH", params=LSTM_SHAPES, h="TBH", c="TBH", do="TBK")
def lstm_bptt(do, x, h0, c0, h, c, params):
    """Gradients through all steps: grads (LSTMParams), dx (None for ids), dh0, dc0.

    do (T,B,K) is the gradient by the logits; h, c (T,B,H) are the unrolled states.
    """
    U, V, b, W, _ = params
    before, c_before = one_step_back(h, h0), one_step_back(c, c0)
    gates = _lstm_gates(affine(x, U, b) + times(before, V))  # all states are known: all at once
    dh, da = times(do, W.T), np.empty((*h.shape[:2], len(b)), h.dtype)
    dh_next, dc = np.zeros_like(h0), np.zeros_like(c0)
    for t in reversed(range(len(h))):
        now = [gate[t] for gate in gates]
        da[t], dc = _lstm_step_back(dh[t] + dh_next, dc, now, c_before[t], c[t])
        dh_next = da[t] @ V.T
    dU, dV = input_weights(x, flat(da), len(U)), flat(before).T @ flat(da)
    grads = LSTMParams(dU, dV, flat(da).sum(0), flat(h).T @ flat(do), flat(do).sum(0))
    return grads, back_to_input(da, x, U), dh_next, dc


@checked(x_t="BD|B<D", h_prev="BH", U="D3H", V="H3H", b_in="3H", b_rec="3H")
def gru_cell_forward(x_t, h_prev, U, V, b_in, b_rec):
    """h_t (B,H) from input x_t (B,D), or ids (B,), and the state before."""
    return _gru_step(affine(x_t, U, b_in), h_prev, V, b_rec)


@checked(x_t="BD|B<D", h_prev="BH", U="D3H", V="H3H", b_in="3H", b_rec="3H", dh_t="BH")
def gru_cell_backward(dh_t, x_t, h_prev, U, V, b_in, b_rec):
    """Back through one step: dx_t, dh_prev, dU, dV, db_in, db_rec."""
    gates = _gru_gates(affine(x_t, U, b_in), affine(h_prev, V, b_rec))
    da, ds, kept = _gru_step_back(dh_t, gates, h_prev)
    dx_t, dU = back_to_input(da, x_t, U), input_weights(x_t, da, len(U))
    return dx_t, kept + ds @ V.T, dU, h_prev.T @ ds, da.sum(0), ds.sum(0)


@checked(x="TBD|TB<D", h0="BH", U="D3H", V="H3H", b_in="3H", b_rec="3H")
def gru_unroll(x, h0, U, V, b_in, b_rec):
    """All h (T,B,H) for x (T,B,D), or ids (T,B), from h0 (B,H)."""
    states = [h0]
    for a_t in affine(x, U, b_in):
        states.append(_gru_step(a_t, states[-1], V, b_rec))
    return np.stack(states[1:])


@checked(x="TBD|TB<D", h0="BH", params=GRU_SHAPES, h="TBH", do="TBK")
def gru_bptt(do, x, h0, h, params):
    """Gradients through all steps: grads (GRUParams), dx (None for ids), dh0."""
    U, V, b_in, b_rec, W, _ = params
    before = one_step_back(h, h0)
    gates = _gru_gates(affine(x, U, b_in), affine(before, V, b_rec))
    dh, da = times(do, W.T), np.empty((*h.shape[:2], len(b_in)), h.dtype)
    ds, dh_next = np.empty_like(da), np.zeros_like(h0)
    for t in reversed(range(len(h))):
        now = [gate[t] for gate in gates]
        da[t], ds[t], kept = _gru_step_back(dh[t] + dh_next, now, before[t])
        dh_next = kept + ds[t] @ V.T
    dU, dV = input_weights(x, flat(da), len(U)), flat(before).T @ flat(ds)
    dW, dbias = flat(h).T @ flat(do), flat(do).sum(0)
    grads = GRUParams(dU, dV, flat(da).sum(0), flat(ds).sum(0), dW, dbias)
    return grads, back_to_input(da, x, U), dh_next


def sequence_gradients(params, x, targets, mask):
    """Loss and grads of any of the three networks that starts with an empty memory.

    params: RNNParams, LSTMParams or GRUParams; x (T,B,D), or ids (T,B); targets, mask (T,B).
    """
    *recurrent, W, c = params
    zeros = np.zeros((x.shape[1], len(params.V)), params.V.dtype)
    if isinstance(params, LSTMParams):
        first, backward = (zeros, zeros), lstm_bptt
        states = lstm_unroll(x, *first, *recurrent)
    else:
        plain = isinstance(params, RNNParams)
        first, backward = (zeros,), bptt if plain else gru_bptt
        states = ((unroll if plain else gru_unroll)(x, zeros, *recurrent),)
    o = readout(states[0], W, c)
    do = sequence_cross_entropy_backward(o, targets, mask)
    grads = backward(do, x, *first, *states, params)[0]
    return sequence_cross_entropy(o, targets, mask), grads


def sigmoid(a):
    """1 / (1 + exp(-a)), written with tanh, which does not overflow."""
    return 0.5 * (1 + np.tanh(0.5 * a))


def _lstm_gates(a):
    """i, f, g, o from pre-activations (...,4H)."""
    i, f, g, o = _parts(a, 4)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def _lstm_step(a, c_prev):
    i, f, g, o = _lstm_gates(a)
    c_t = f * c_prev + i * g
    return o * np.tanh(c_t), c_t


def _lstm_step_back(dh_t, dc_t, gates, c_prev, c_t):
    """da (B,4H) and dc_prev: c_t is blamed through h_t and by the step after."""
    i, f, g, o = gates
    tanh_c = np.tanh(c_t)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da = (
        dc * g * i * (1 - i),
        dc * c_prev * f * (1 - f),
        dc * i * (1 - g**2),
        dh_t * tanh_c * o * (1 - o),
    )
    return np.concatenate(da, axis=-1), dc * f


def _gru_gates(a, s):
    """r, z, n and s_n from a = x U + b_in and s = h V + b_rec, each (...,3H)."""
    (a_r, a_z, a_n), (s_r, s_z, s_n) = _parts(a, 3), _parts(s, 3)
    r, z = sigmoid(a_r + s_r), sigmoid(a_z + s_z)
    return r, z, np.tanh(a_n + r * s_n), s_n


def _gru_step(a, h_prev, V, b_rec):
    _, z, n, _ = _gru_gates(a, h_prev @ V + b_rec)
    return (1 - z) * n + z * h_prev


def _gru_step_back(dh_t, gates, h_prev):
    """da and ds (B,3H), of the input's and of the memory's sums, and what z keeps of dh_t."""
    r, z, n, s_n = gates
    da_n = dh_t * (1 - z) * (1 - n**2)
    da_r, da_z = da_n * s_n * r * (1 - r), dh_t * (h_prev - n) * z * (1 - z)
    da, ds = (np.concatenate([da_r, da_z, last], axis=-1) for last in (da_n, da_n * r))
    return da, ds, dh_t * z


def _parts(a, gates):
    """The columns of each gate: views of a (...,gates·H). Quicker than np.split, at every step."""
    H = a.shape[-1] // gates
    return [a[..., k * H : (k + 1) * H] for k in range(gates)]


def _uniform(D, H, K, gates, rng):
    D, H, K = whole("D", D, 1), whole("H", H, 1), whole("K", K, 1)
    bound = 1 / np.sqrt(H)
    shapes = (D, gates * H), (H, gates * H), (H, K)
    return [generator(rng).uniform(-bound, bound, shape) for shape in shapes]
