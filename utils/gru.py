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

from ._stacked import ROOM, initial_weights, planes, product_into, rows, sigmoid, squeeze
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
    return _run(x, h0, U, V, b_in, b_rec)[0][1:]


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
    gates, n = np.empty((len(x), 3, *h0.shape), h.dtype), times(read[:, :, : D + 1], to_n)
    np.matmul(read[:, None], to_rz, gates[:, :2])
    with np.errstate(over="ignore"):
        squeeze(gates[:, :2], np.ones((), h.dtype))
    r, _, s_n = gates.swapaxes(0, 1)
    np.matmul(read[:, :, D:], to_s_n, s_n)
    np.tanh(n + r * s_n, n)
    ds, da_n, dh0 = _errors_through_time(do, W, gates, n, h, V)
    da = np.concatenate([ds[:, :, : 2 * H], da_n], axis=-1)
    return _sum_over_steps(do, ds, da_n, read, h, D), back_to_input(da, x, U), dh0


@checked(params=GRU_SHAPES, x="TBD|TB<D", targets="TB<K", mask="TB?")
def gru_gradients(params, x, targets, mask):
    """Loss and grads (GRUParams) of a network that starts with an empty memory.

    The same as gru_unroll, readout, cross-entropy and gru_bptt in turn, but the gates are kept.
    """
    x, _ = without_bad_padding(x, mask)
    U, V, b_in, b_rec, W, c = params
    weight, zeros = step_weights(mask, V.dtype), np.zeros((x.shape[1], len(V)), V.dtype)
    h, read, gates, n = _run(x, zeros, U, V, b_in, b_rec)
    h = h[1:]
    do = affine(h, W, c)
    loss = weighted_cross_entropy(do, targets, weight)
    ds, da_n, _ = _errors_through_time(do, W, gates, n, h, V)
    return loss, _sum_over_steps(do, ds, da_n, read[:-1], h, len(U))


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
    return to_rz, np.vstack([U[:, n], b_in[n]]), np.vstack([b_rec[n], V[:, n]])


def _run(x, h0, U, V, b_in, b_rec):
    """h (T+1,B,H), and for the way back the rows, r, z and s_n, planes (T,3,B,H), and n (T,B,H)."""
    D, shape, dtype, read = len(U), h0.shape, h0.dtype, rows(x, h0, len(U))
    to_rz, to_n, to_s_n = _weights(U, V, b_in, b_rec)
    gates, n = np.empty((len(x), 3, *shape), dtype), times(read[:-1, :, : D + 1], to_n)
    product, to_rz, sums = product_into(gates[:, :2], to_rz)
    h, room = np.empty((len(read), *shape), dtype), np.empty(shape, dtype)
    h[0], one, add, multiply = h0, np.ones((), dtype), np.add, np.multiply
    from_h, read_next = read[:, :, D:], read[1:, :, D + 1 :]
    with np.errstate(over="ignore"):
        for both, memory, h_next, h_prev, h_t, a_t, rz_t, r_t, z_t, s_n_t, n_t in zip(
            *(read, from_h, read_next, h, h[1:], sums, gates[:, :2], *gates.swapaxes(0, 1), n),
            strict=False,
        ):
            product(both, to_rz, a_t)
            squeeze(rz_t, one)
            memory.dot(to_s_n, s_n_t)
            multiply(r_t, s_n_t, room)
            add(n_t, room, n_t)
            np.tanh(n_t, n_t)
            np.subtract(h_prev, n_t, room)  # (1 - z) n + z h_prev = n + z (h_prev - n)
            multiply(z_t, room, room)
            add(n_t, room, h_t)
            h_next[...] = h_t
    return h, read, gates, n


def _errors_through_time(do, W, gates, n, h, V):
    """ds (T,B,3H), da_n (T,B,H) and dh0 from do (T,B,K), the gradient by the logits; of r and z,
    da is ds.

    The gates and n are written over: ds goes where the gates were, da_n where n was.
    """
    T, B, H = h.shape
    ds, ds_planes = gates.reshape(T, B, 3 * H), gates.reshape(T, B, 3, H).swapaxes(1, 2)
    carried, kept = np.zeros((2, B, H), h.dtype)
    add, multiply, V_back = np.add, np.multiply, V.T.copy()
    for steps in reversed(pieces(T, max(1, ROOM // (4 * B * H)))):
        dh, (to_s, to_n) = times(do[steps], W.T), _factors(gates[steps], n[steps], h[steps])
        per_step = dh, gates[steps, 1], to_s, to_n, ds_planes[steps], ds[steps], n[steps]
        for dh_t, z_t, to_s_t, to_n_t, ds_planes_t, ds_t, da_n_t in zip(
            *(array[::-1] for array in per_step), strict=True
        ):
            add(dh_t, carried, dh_t)
            multiply(dh_t, z_t, kept)
            multiply(dh_t, to_n_t, da_n_t)
            multiply(dh_t, to_s_t, ds_planes_t)
            ds_t.dot(V_back, carried)
            add(carried, kept, carried)
    return ds, n, carried


def _factors(gates, n, h):
    """(T,3,B,H) and (T,B,H): what dh is multiplied by for ds of r, z and n, and for da_n."""
    r, s_n, to_s = gates[:, 0], gates[:, 2], np.empty_like(gates)
    to_r, to_z, to_s_n = to_s.swapaxes(0, 1)
    np.subtract(1, gates[:, :2], to_s[:, :2])
    to_n = n * n
    np.subtract(1, to_n, to_n)
    to_n *= to_z  # (1 - z) (1 - n²)
    np.multiply(to_n, r, to_s_n)
    to_r *= s_n
    to_r *= to_s_n  # (1 - z) (1 - n²) s_n r (1 - r)
    to_z *= h - n  # (h_prev - n) z (1 - z), as h is above
    return to_s, to_n


def _sum_over_steps(do, ds, da_n, read, h, D):
    """The gradients of the weights, each one product over all steps."""
    do, ds, read = flat(do), flat(ds), flat(read).T
    rz = ds[:, : 2 * h.shape[-1]]
    from_x = np.hstack([np.matmul(read[: D + 1], rz), np.matmul(read[: D + 1], flat(da_n))])
    from_h = np.matmul(read[D:], ds)
    dW, dc = flat(h).T.dot(do), np.ones(len(do), do.dtype).dot(do)
    return GRUParams(from_x[:D], from_h[1:], from_x[D], from_h[0], dW, dc)
