"""Lesson 6: the LSTM, long short-term memory.

    i, f, g, o = σ, σ, tanh, σ of (x_t U + h_{t-1} V + b)        U (D,4H)  V (H,4H)  b (4H,)
    c_t = f c_{t-1} + i g        h_t = o tanh(c_t)

Each gate has its own columns of the weights, in PyTorch's order. Back, with dc_t from step t+1:

    dc = dc_t + dh_t o (1 - tanh² c_t)        dc_{t-1} = dc f        dh_{t-1} = da Vᵀ
    da = dc g i (1 - i), dc c_{t-1} f (1 - f), dc i (1 - g²), dh_t tanh(c_t) o (1 - o)

Hochreiter & Schmidhuber (1997), with the forget gate of Gers, Schmidhuber & Cummins (2000).
"""

from typing import NamedTuple

import numpy as np

from ._stacked import ROOM, initial_weights, planes, product_into, rows, sigmoid, squeeze
from ._validate import checked
from .bptt import back_to_input, input_weights, one_step_back, times, without_bad_padding
from .cell import affine, flat
from .loss import step_weights, weighted_cross_entropy
from .unroll import pieces


class LSTMParams(NamedTuple):
    """Weights or gradients: U (D,4H), V (H,4H), b (4H,), W (H,K), c (K,)."""

    U: np.ndarray
    V: np.ndarray
    b: np.ndarray
    W: np.ndarray
    c: np.ndarray


LSTM_SHAPES = LSTMParams("D4H", "H4H", "4H", "HK", "K")
OIFG = (3, 0, 1, 2)  # planes: first those that the sigmoid squeezes, last those that c hears


def init_lstm(D, H, K, rng):
    """Random `LSTMParams`, uniform in ±1/√H; biases zero, but 1 at the forget gate.

    So it keeps what it has until it learns better: Jozefowicz, Zaremba & Sutskever (2015).
    """
    U, V, W = initial_weights(D, H, K, 4, rng)
    b = np.zeros(4 * H)
    b[H : 2 * H] = 1
    return LSTMParams(U, V, b, W, np.zeros(K))


@checked(x_t="BD|B<D", h_prev="BH", c_prev="BH", U="D4H", V="H4H", b="4H")
def lstm_cell_forward(x_t, h_prev, c_prev, U, V, b):
    """h_t (B,H) and c_t (B,H) from input x_t (B,D), or ids (B,), and the state before."""
    i, f, g, o = _gates(x_t, h_prev, U, V, b)
    c_t = f * c_prev + i * g
    return o * np.tanh(c_t), c_t


@checked(x_t="BD|B<D", h_prev="BH", c_prev="BH", U="D4H", V="H4H", b="4H", dh_t="BH", dc_t="BH")
def lstm_cell_backward(dh_t, dc_t, x_t, h_prev, c_prev, U, V, b):
    """Back through one step: dx_t, dh_prev, dc_prev, dU, dV, db.

    dh_t and dc_t are the gradients by the two results of the step.
    """
    i, f, g, o = _gates(x_t, h_prev, U, V, b)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f = dc * g * i * (1 - i), dc * c_prev * f * (1 - f)
    da_g, da_o = dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=-1)
    dx_t, dU = back_to_input(da, x_t, U), input_weights(x_t, da, len(U))
    return dx_t, da @ V.T, dc * f, dU, h_prev.T @ da, da.sum(0)


@checked(x="TBD|TB<D", h0="BH", c0="BH", U="D4H", V="H4H", b="4H")
def lstm_unroll(x, h0, c0, U, V, b):
    """All h (T,B,H) and c (T,B,H) for x (T,B,D), or ids (T,B), from h0 and c0 (B,H)."""
    read, c, _, _ = _run(x, h0, c0, U, V, b)
    return read[1:, :, len(U) + 1 :].copy(), c[1:].copy()


@checked(x="TBD|TB<D", h0="BH", c0="BH", params=LSTM_SHAPES, h="TBH", c="TBH", do="TBK")
def lstm_bptt(do, x, h0, c0, h, c, params):
    """Gradients through all steps: grads (LSTMParams), dx (None for ids), dh0, dc0.

    do (T,B,K) is the gradient by the logits; h, c (T,B,H) are the unrolled states. The gates are
    computed again from them, all steps at once.
    """
    U, V, b, W, _ = params
    read, c_before = rows(x, h0, len(U))[:-1], one_step_back(c, c0)
    read[1:, :, len(U) + 1 :] = h[:-1]
    gates = np.matmul(read[:, None], _weights(U, V, b))
    with np.errstate(over="ignore"):
        squeeze(gates[:, :3], np.ones((), h.dtype))
    np.tanh(gates[:, 3], gates[:, 3])
    da, dh0, dc0 = _errors_through_time(do, W, gates, c_before, h, np.tanh(c), V)
    return _sum_over_steps(do, da, read, h, len(U)), back_to_input(da, x, U), dh0, dc0


@checked(params=LSTM_SHAPES, x="TBD|TB<D", targets="TB<K", mask="TB?")
def lstm_gradients(params, x, targets, mask):
    """Loss and grads (LSTMParams) of a network that starts with an empty memory.

    The same as lstm_unroll, readout, cross-entropy and lstm_bptt in turn, but the gates are kept.
    """
    x, _ = without_bad_padding(x, mask)
    U, V, b, W, bias = params
    weight, zeros = step_weights(mask, V.dtype), np.zeros((x.shape[1], len(V)), V.dtype)
    read, c, gates, tanh_c = _run(x, zeros, zeros, U, V, b)
    h = read[1:, :, len(U) + 1 :].copy()
    do = affine(h, W, bias)
    loss = weighted_cross_entropy(do, targets, weight)
    da, _, _ = _errors_through_time(do, W, gates, c[:-1], h, tanh_c, V)
    return loss, _sum_over_steps(do, da, read[:-1], h, len(U))


def _gates(x_t, h_prev, U, V, b):
    i, f, g, o = np.split(affine(x_t, U, b) + h_prev @ V, 4, axis=-1)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def _weights(U, V, b):
    """Planes (4,D+1+H,H) of U, b and V; those of the gates give -a, as `squeeze` wants it."""
    weights = planes(OIFG, U, b, V)
    np.negative(weights[:3], weights[:3])
    return weights


def _run(x, h0, c0, U, V, b):
    """The rows with all h, c (T+1,B,H), and for the way back o, i, f, g (T,4,B,H) and tanh(c)."""
    read, shape, dtype = rows(x, h0, len(U)), h0.shape, h0.dtype
    T, written, one = len(x), np.empty(shape, dtype), np.ones((), dtype)
    # One large array is kept by the allocator for the next call, where several are given back.
    c, tanh_c, gates = np.split(np.empty((6 * T + 1, *shape), dtype), [T + 1, 2 * T + 1])
    gates = gates.reshape(T, 4, *shape)
    c[0], h_next = c0, read[1:, :, len(U) + 1 :]
    product, weights, sums = product_into(gates, _weights(U, V, b))
    add, multiply, tanh = np.add, np.multiply, np.tanh
    with np.errstate(over="ignore"):
        for read_t, h_t, c_prev, c_t, tanh_c_t, a_t, oif_t, o_t, i_t, f_t, g_t in zip(
            read, h_next, c, c[1:], tanh_c, sums, gates[:, :3], *gates.swapaxes(0, 1), strict=False
        ):
            product(read_t, weights, a_t)
            squeeze(oif_t, one)
            tanh(g_t, g_t)
            multiply(f_t, c_prev, c_t)
            multiply(i_t, g_t, written)
            add(c_t, written, c_t)
            tanh(c_t, tanh_c_t)
            multiply(o_t, tanh_c_t, h_t)
    return read, c, gates, tanh_c


def _errors_through_time(do, W, gates, c_before, h, tanh_c, V):
    """da (T,B,4H), dh0 and dc0 from do (T,B,K), the gradient by the logits.

    The gates are written over, da goes where they were: they are the largest array.
    """
    T, B, H = h.shape
    da, by_h = gates.reshape(T, B, 4, H), np.empty((B, H), h.dtype)
    carried, dc, dc_prev = np.zeros_like(by_h), np.zeros_like(by_h), np.empty_like(by_h)
    add, multiply, V_back = np.add, np.multiply, V.T
    for steps in reversed(pieces(T, max(1, ROOM // (4 * B * H)))):
        factors = _factors(gates[steps], c_before[steps], h[steps], tanh_c[steps])
        dh, at = times(do[steps], W.T), da[steps]
        per_step = (
            *(dh, gates[steps, 2], factors[:, 0], factors[:, 1], factors[:, 2:]),
            *(at[:, :, 3], at[:, :, :3].swapaxes(1, 2), at.reshape(-1, B, 4 * H)),
        )
        for dh_t, f_t, to_c, to_o, to_ifg, da_o, da_ifg, da_t in zip(
            *(array[::-1] for array in per_step), strict=True
        ):
            add(dh_t, carried, dh_t)
            multiply(dh_t, to_c, by_h)
            add(dc, by_h, dc)
            multiply(dc, f_t, dc_prev)
            multiply(dh_t, to_o, da_o)
            multiply(dc, to_ifg, da_ifg)
            da_t.dot(V_back, carried)
            dc, dc_prev = dc_prev, dc
    return da.reshape(T, B, 4 * H), carried, dc


def _factors(gates, c_before, h, tanh_c):
    """(T,5,B,H): what dh is multiplied by for c and for da of o, and dc for da of i, f and g."""
    factors = np.empty((len(h), 5, *h.shape[1:]), h.dtype)
    to_c, to_o, to_i, to_f, to_g = factors.swapaxes(0, 1)
    o, i, f, g = gates.swapaxes(0, 1)
    written = i * g
    np.subtract(1, gates[:, :3], factors[:, 1:4])
    to_o *= h  # tanh(c) o (1 - o), for h = o tanh(c)
    to_i *= written  # g i (1 - i)
    to_f *= f
    to_f *= c_before
    np.subtract(i, np.multiply(written, g, to_g), to_g)  # i (1 - g²)
    np.subtract(o, np.multiply(h, tanh_c, to_c), to_c)  # o (1 - tanh²)
    return factors


def _sum_over_steps(do, da, read, h, D):
    """The gradients of the weights, each one product over all steps."""
    do, d_stacked = flat(do), flat(read).T.dot(flat(da))
    dW, dc = flat(h).T.dot(do), np.ones(len(do), do.dtype).dot(do)
    return LSTMParams(d_stacked[:D], d_stacked[D + 1 :], d_stacked[D], dW, dc)
