"""Lesson 6: the GRU, gated recurrent unit.

    r, z = σ(x_t U + b_in + h_{t-1} V + b_rec)             U (D,3H)  V (H,3H)  b_in, b_rec (3H,)
    n = tanh(x_t U + b_in + r (h_{t-1} V + b_rec))         h_t = (1 - z) n + z h_{t-1}

Each gate has its own columns of the weights, in PyTorch's order. Back, where the sums of the input,
a, and those of the memory, s, differ in the part of n only:

    da_n = dh_t (1 - z) (1 - n²)        ds_n = da_n r      dh_{t-1} = dh_t z + ds Vᵀ
    da_r = da_n s_n r (1 - r)           da_z = dh_t (h_{t-1} - n) z (1 - z)

Cho et al. (2014), but r multiplies after the product with V, as in PyTorch.
"""

from typing import NamedTuple

import numpy as np

from ._stacked import ROOM, initial_weights, planes, rows, sigmoid, squeeze
from ._validate import checked
from .bptt import back_to_input, input_weights, times, without_bad_padding
from .cell import affine, flat
from .loss import step_weights, weighted_cross_entropy
from .unroll import pieces


class GRUParams(NamedTuple):
    """Weights or gradients: U (D,3H), V (H,3H), b_in (3H,), b_rec (3H,), W (H,K), c (K,)."""

    U: np.ndarray
    V: np.ndarray
    b_in: np.ndarray
    b_rec: np.ndarray
    W: np.ndarray
    c: np.ndarray


GRU_SHAPES = GRUParams("D3H", "H3H", "3H", "3H", "HK", "K")


def init_gru(D, H, K, rng):
    """Random `GRUParams`, uniform in ±1/√H, biases zero."""
    U, V, W = initial_weights(D, H, K, 3, rng)
    return GRUParams(U, V, np.zeros(3 * H), np.zeros(3 * H), W, np.zeros(K))


@checked(x_t="BD|B<D", h_prev="BH", U="D3H", V="H3H", b_in="3H", b_rec="3H")
def gru_cell_forward(x_t, h_prev, U, V, b_in, b_rec):
    """h_t (B,H) from input x_t (B,D), or ids (B,), and the state before."""
    _, z, n, _ = _gates(x_t, h_prev, U, V, b_in, b_rec)
    return (1 - z) * n + z * h_prev


@checked(x_t="BD|B<D", h_prev="BH", U="D3H", V="H3H", b_in="3H", b_rec="3H", dh_t="BH")
def gru_cell_backward(dh_t, x_t, h_prev, U, V, b_in, b_rec):
    """Back through one step: dx_t, dh_prev, dU, dV, db_in, db_rec."""
    r, z, n, s_n = _gates(x_t, h_prev, U, V, b_in, b_rec)
    da_n = dh_t * (1 - z) * (1 - n**2)
    da_r, da_z = da_n * s_n * r * (1 - r), dh_t * (h_prev - n) * z * (1 - z)
    da = np.concatenate([da_r, da_z, da_n], axis=-1)
    ds = np.concatenate([da_r, da_z, da_n * r], axis=-1)
    dx_t, dU = back_to_input(da, x_t, U), input_weights(x_t, da, len(U))
    return dx_t, dh_t * z + ds @ V.T, dU, h_prev.T @ ds, da.sum(0), ds.sum(0)


@checked(x="TBD|TB<D", h0="BH", U="D3H", V="H3H", b_in="3H", b_rec="3H")
def gru_unroll(x, h0, U, V, b_in, b_rec):
    """All h (T,B,H) for x (T,B,D), or ids (T,B), from h0 (B,H)."""
    return _run(x, h0, U, V, b_in, b_rec)[0][1:, :, len(U) + 1 :].copy()


@checked(x="TBD|TB<D", h0="BH", params=GRU_SHAPES, h="TBH", do="TBK")
def gru_bptt(do, x, h0, h, params):
    """Gradients through all steps: grads (GRUParams), dx (None for ids), dh0.

    do (T,B,K) is the gradient by the logits, h (T,B,H) the unrolled states. The gates are computed
    again from them, all steps at once.
    """
    U, V, b_in, b_rec, W, _ = params
    D, H, read = len(U), len(V), rows(x, h0, len(U))[:-1]
    read[1:, :, D + 1 :] = h[:-1]
    to_rz, to_n, to_s_n = _weights(U, V, b_in, b_rec)
    gates = np.empty((len(x), 4, *h0.shape), h.dtype)
    np.matmul(read[:, None], to_rz, gates[:, :2])
    with np.errstate(over="ignore"):
        squeeze(gates[:, :2], np.ones((), h.dtype))
    r, _, n, s_n = gates.swapaxes(0, 1)
    np.matmul(read[:, :, D:], to_s_n, s_n)
    np.tanh(np.matmul(read[:, :, : D + 1], to_n) + r * s_n, n)
    da_n, ds, dh0 = _errors_through_time(times(do, W.T), gates, h, V)
    da = np.concatenate([ds[:, :, : 2 * H], da_n], axis=-1)
    return _sum_over_steps(do, da_n, ds, read, h, D), back_to_input(da, x, U), dh0


@checked(params=GRU_SHAPES, x="TBD|TB<D", targets="TB<K", mask="TB?")
def gru_gradients(params, x, targets, mask):
    """Loss and grads (GRUParams) of a network that starts with an empty memory.

    The same as gru_unroll, readout, cross-entropy and gru_bptt in turn, but the gates are kept.
    """
    x, _ = without_bad_padding(x, mask)
    U, V, b_in, b_rec, W, c = params
    weight, zeros = step_weights(mask, V.dtype), np.zeros((x.shape[1], len(V)), V.dtype)
    read, gates = _run(x, zeros, U, V, b_in, b_rec)
    h = read[1:, :, len(U) + 1 :].copy()
    do = affine(h, W, c)
    loss = weighted_cross_entropy(do, targets, weight)
    da_n, ds, _ = _errors_through_time(times(do, W.T), gates, h, V)
    return loss, _sum_over_steps(do, da_n, ds, read[:-1], h, len(U))


def _gates(x_t, h_prev, U, V, b_in, b_rec):
    a_r, a_z, a_n = np.split(affine(x_t, U, b_in), 3, axis=-1)
    s_r, s_z, s_n = np.split(affine(h_prev, V, b_rec), 3, axis=-1)
    r, z = sigmoid(a_r + s_r), sigmoid(a_z + s_z)
    return r, z, np.tanh(a_n + r * s_n), s_n


def _weights(U, V, b_in, b_rec):
    """What [x_t, 1, h_{t-1}] is multiplied by for r and z, as -a: planes (2,D+1+H,H); then what
    [x_t, 1] is multiplied by for n, and [1, h_{t-1}] for s_n."""
    rz, n = slice(2 * len(V)), slice(2 * len(V), None)
    to_rz = planes((0, 1), U[:, rz], (b_in + b_rec)[rz], V[:, rz])
    np.negative(to_rz, to_rz)
    (to_n,), (to_s_n,) = planes((0,), U[:, n], b_in[n]), planes((0,), b_rec[n], V[:, n])
    return to_rz, to_n, to_s_n


def _run(x, h0, U, V, b_in, b_rec):
    """The rows with all h, and for the way back r, z, n and s_n: planes (T,4,B,H)."""
    D, shape, dtype, read = len(U), h0.shape, h0.dtype, rows(x, h0, len(U))
    to_rz, to_n, to_s_n = _weights(U, V, b_in, b_rec)
    gates, room = np.empty((len(x), 4, *shape), dtype), np.empty(shape, dtype)
    one, matmul, add, multiply = np.ones((), dtype), np.matmul, np.add, np.multiply
    from_x, from_h, h = read[:, :, : D + 1], read[:, :, D:], read[:, :, D + 1 :]
    with np.errstate(over="ignore"):
        for both, x_t, memory, h_prev, h_t, rz_t, r_t, z_t, n_t, s_n_t in zip(
            read, from_x, from_h, h, h[1:], gates[:, :2], *gates.swapaxes(0, 1), strict=False
        ):
            matmul(both, to_rz, rz_t)
            squeeze(rz_t, one)
            matmul(x_t, to_n, n_t)
            matmul(memory, to_s_n, s_n_t)
            multiply(r_t, s_n_t, room)
            add(n_t, room, n_t)
            np.tanh(n_t, n_t)
            np.subtract(h_prev, n_t, room)  # (1 - z) n + z h_prev = n + z (h_prev - n)
            multiply(z_t, room, room)
            add(n_t, room, h_t)
    return read, gates


def _errors_through_time(dh, gates, h, V):
    """da_n (T,B,H), ds (T,B,3H) and dh0 from dh (T,B,H), what each step's own loss says; in place
    of dh. Of r and z, da is ds."""
    T, B, H = dh.shape
    da_n, ds, carried = np.empty_like(h), np.empty((T, B, 3, H), dh.dtype), np.zeros_like(dh[0])
    add, multiply, V_back = np.add, np.multiply, V.T
    for steps in reversed(pieces(T, max(1, ROOM // (4 * B * H)))):
        factors, ds_steps = _factors(gates[steps], h[steps]), ds[steps]
        per_step = (
            *(dh[steps], gates[steps, 1], factors[:, :3], factors[:, 3]),
            *(da_n[steps], ds_steps.swapaxes(1, 2), ds_steps.reshape(-1, B, 3 * H)),
        )
        for dh_t, z_t, to_s, to_n, da_n_t, ds_planes, ds_t in zip(
            *(array[::-1] for array in per_step), strict=True
        ):
            add(dh_t, carried, dh_t)
            multiply(dh_t, to_n, da_n_t)
            multiply(dh_t, to_s, ds_planes)
            ds_t.dot(V_back, carried)
            multiply(dh_t, z_t, dh_t)
            add(carried, dh_t, carried)
    return da_n, ds.reshape(T, B, 3 * H), carried


def _factors(gates, h):
    """(T,4,B,H): what dh is multiplied by for ds of r, z and n, and for da_n."""
    r, z, n, s_n = gates.swapaxes(0, 1)
    factors, written = np.empty_like(gates), 1 - z
    to_r, to_z, to_s_n, to_n = factors.swapaxes(0, 1)
    np.subtract(1, np.multiply(n, n, to_n), to_n)
    to_n *= written  # (1 - z) (1 - n²)
    np.multiply(to_n, r, to_s_n)
    np.multiply(np.subtract(1, r, to_r), s_n, to_r)
    to_r *= to_s_n  # (1 - z) (1 - n²) s_n r (1 - r)
    np.multiply(np.subtract(h, n, to_z), written, to_z)  # (h_prev - n) z (1 - z), as h is above
    return factors


def _sum_over_steps(do, da_n, ds, read, h, D):
    """The gradients of the weights, each one product over all steps."""
    do, ds, read = flat(do), flat(ds), flat(read).T
    rz = ds[:, : 2 * h.shape[-1]]
    from_x = np.hstack([np.matmul(read[: D + 1], rz), np.matmul(read[: D + 1], flat(da_n))])
    from_h = np.matmul(read[D:], ds)
    dW, dc = flat(h).T.dot(do), np.ones(len(do), do.dtype).dot(do)
    return GRUParams(from_x[:D], from_h[1:], from_x[D], from_h[0], dW, dc)
