import math

import numpy as np
import torch

from .accumulation import on_one_thread


def sigmoid(a):
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)


def lstm_blocks(x_t, h_prev, c_prev, U, V, b):
    H = V.shape[0]
    a = x_t @ U + h_prev @ V + b
    i, f, g, o = (a[:, k * H : (k + 1) * H] for k in range(4))
    c_t = sigmoid(f) * c_prev + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c_t), c_t


def lstm_four_matrices(x_t, h_prev, c_prev, U, V, b):
    pre = [
        x_t @ u + h_prev @ v + c
        for u, v, c in zip(np.hsplit(U, 4), np.hsplit(V, 4), np.split(b, 4), strict=True)
    ]
    i, f, o = (0.5 * np.tanh(0.5 * pre[k]) + 0.5 for k in (0, 1, 3))
    c_t = i * np.tanh(pre[2])
    c_t += f * c_prev
    return [o * np.tanh(c_t), c_t]


def lstm_loops(x_t, h_prev, c_prev, U, V, b):
    def squash(a):
        return 1 / (1 + math.exp(-a)) if a > -700 else 0.0

    B, H = h_prev.shape
    h_t, c_t = np.zeros((B, H)), np.zeros((B, H))
    for n in range(B):
        for j in range(H):
            a = []
            for gate in range(4):
                column = gate * H + j
                total = b[column]
                total += sum(x_t[n, d] * U[d, column] for d in range(x_t.shape[1]))
                total += sum(h_prev[n, m] * V[m, column] for m in range(H))
                a.append(total)
            c_t[n, j] = squash(a[1]) * c_prev[n, j] + squash(a[0]) * math.tanh(a[2])
            h_t[n, j] = squash(a[3]) * math.tanh(c_t[n, j])
    return h_t, c_t


def lstm_columns(x_t, h_prev, c_prev, U, V, b):
    a = (np.vstack([U, V, b[None]]).T @ np.vstack([x_t.T, h_prev.T, np.ones(len(x_t))])).T
    i, f, g, o = a.reshape(len(x_t), 4, -1).transpose(1, 0, 2)
    with np.errstate(over="ignore"):
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
    c_t = np.add(f * c_prev, i * np.tanh(g))
    return o * np.tanh(c_t), c_t


@on_one_thread
def lstm_torch(x_t, h_prev, c_prev, U, V, b):
    cell = torch.nn.LSTMCell(len(U), len(V), dtype=torch.float64)
    with torch.no_grad():
        for tensor, array in zip(cell.parameters(), [U.T, V.T, b, 0 * b], strict=True):
            tensor.copy_(torch.tensor(array))
        h_t, c_t = cell(torch.tensor(x_t), (torch.tensor(h_prev), torch.tensor(c_prev)))
    return h_t.numpy(), c_t.numpy()


def lstm_back_gates(dh_t, dc_t, x_t, h_prev, c_prev, U, V, b):
    H = len(V)
    a = x_t @ U + h_prev @ V + b
    i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), sigmoid(a[:, 3 * H :])
    g = np.tanh(a[:, 2 * H : 3 * H])
    out = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o / np.cosh(f * c_prev + i * g) ** 2
    da = np.empty_like(a)
    da[:, :H] = dc * g * (i - i * i)
    da[:, H : 2 * H] = dc * c_prev * (f - f * f)
    da[:, 2 * H : 3 * H] = dc * i * (1 - g) * (1 + g)
    da[:, 3 * H :] = dh_t * out * (o - o * o)
    weights = np.concatenate([x_t, h_prev, np.ones((len(x_t), 1))], axis=1).T @ da
    D = x_t.shape[1]
    return da @ U.T, da @ V.T, dc * f, weights[:D], weights[D:-1], weights[-1]


def lstm_back_gate_by_gate(dh_t, dc_t, x_t, h_prev, c_prev, U, V, b):
    Us, Vs, bs = np.split(U, 4, axis=1), np.split(V, 4, axis=1), np.split(b, 4)
    i, f, g, o = (
        (np.tanh if k == 2 else sigmoid)(x_t @ Us[k] + h_prev @ Vs[k] + bs[k]) for k in range(4)
    )
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = np.array(dc_t)
    dc += dh_t * o * (1 - tanh_c * tanh_c)
    slopes = i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)
    das = [d * s for d, s in zip((dc * g, dc * c_prev, dc * i, dh_t * tanh_c), slopes, strict=True)]
    return (
        sum(d @ u.T for d, u in zip(das, Us, strict=True)),
        sum(d @ v.T for d, v in zip(das, Vs, strict=True)),
        dc * f,
        np.hstack([x_t.T @ d for d in das]),
        np.hstack([h_prev.T @ d for d in das]),
        np.hstack([d.sum(axis=0) for d in das]),
    )


def lstm_back_row_by_row(dh_t, dc_t, x_t, h_prev, c_prev, U, V, b):
    dx, dh, dc = np.zeros_like(x_t), np.zeros_like(h_prev), np.zeros_like(c_prev)
    dU, dV, db = np.zeros_like(U), np.zeros_like(V), np.zeros_like(b)
    for n in range(len(x_t)):
        one = slice(n, n + 1)
        parts = lstm_back_gate_by_gate(
            dh_t[one], dc_t[one], x_t[one], h_prev[one], c_prev[one], U, V, b
        )
        dx[n], dh[n], dc[n] = (p[0] for p in parts[:3])
        dU += parts[3]
        dV += parts[4]
        db += parts[5]
    return [dx, dh, dc, dU, dV, db]


def lstm_back_complex_step(dh_t, dc_t, *inputs):
    """Exact to the last digits: no difference is taken."""
    gradients = []
    for k, array in enumerate(inputs):
        gradient = np.zeros(array.shape)
        for at in np.ndindex(array.shape):
            moved = [a.astype(complex) for a in inputs]
            moved[k][at] += 1e-20j
            h_t, c_t = lstm_for_complex(*moved)
            gradient[at] = ((dh_t * h_t.imag).sum() + (dc_t * c_t.imag).sum()) / 1e-20
        gradients.append(gradient)
    return tuple(gradients)


def lstm_for_complex(x_t, h_prev, c_prev, U, V, b):
    i, f, g, o = np.split(x_t @ U + h_prev @ V + b, 4, axis=1)
    i, f, o = (0.5 * (1 + np.tanh(0.5 * gate)) for gate in (i, f, o))
    c_t = f * c_prev + i * np.tanh(g)
    return o * np.tanh(c_t), c_t


@on_one_thread
def lstm_back_torch(dh_t, dc_t, *inputs):
    leaves = [torch.tensor(a, requires_grad=True) for a in inputs]
    x_t, h_prev, c_prev, U, V, b = leaves
    i, f, g, o = (x_t @ U + h_prev @ V + b).chunk(4, dim=1)
    c_t = f.sigmoid() * c_prev + i.sigmoid() * g.tanh()
    h_t = o.sigmoid() * c_t.tanh()
    torch.autograd.backward([h_t, c_t], [torch.tensor(dh_t), torch.tensor(dc_t)])
    return tuple(leaf.grad.numpy() for leaf in leaves)


def lstm_back_einsum(dh_t, dc_t, x_t, h_prev, c_prev, U, V, b):
    H = len(V)
    U4, V4 = U.reshape(-1, 4, H), V.reshape(H, 4, H)
    a = np.einsum("bd,dgh->bgh", x_t, U4) + np.einsum("bi,igh->bgh", h_prev, V4)
    a += b.reshape(4, H)
    squashed = sigmoid(a)
    squashed[:, 2] = np.tanh(a[:, 2])
    i, f, g, o = squashed.swapaxes(0, 1)
    c_t = f * c_prev + i * g
    through_h = dh_t * o
    dc = dc_t + through_h - through_h * np.tanh(c_t) ** 2
    da = np.stack([dc * g, dc * c_prev, dc * i, dh_t * np.tanh(c_t)], axis=1)
    slope = squashed * (1 - squashed)
    slope[:, 2] = 1 - g * g
    da *= slope
    return (
        np.einsum("bgh,dgh->bd", da, U4),
        np.einsum("bgh,igh->bi", da, V4),
        dc * f,
        np.einsum("bd,bgh->dgh", x_t, da).reshape(U.shape),
        np.einsum("bi,bgh->igh", h_prev, da).reshape(V.shape),
        da.sum(0).ravel(),
    )


def gru_blocks(x_t, h_prev, U, V, b_in, b_rec):
    H = h_prev.shape[1]
    x, h = x_t @ U + b_in, h_prev @ V + b_rec
    r = sigmoid(x[:, :H] + h[:, :H])
    z = sigmoid(x[:, H : 2 * H] + h[:, H : 2 * H])
    n = np.tanh(x[:, 2 * H :] + r * h[:, 2 * H :])
    return n + z * (h_prev - n)


def gru_three_matrices(x_t, h_prev, U, V, b_in, b_rec):
    parts = zip(
        np.hsplit(U, 3), np.hsplit(V, 3), np.split(b_in, 3), np.split(b_rec, 3), strict=True
    )
    (Ur, Vr, br, cr), (Uz, Vz, bz, cz), (Un, Vn, bn, cn) = parts
    r = 0.5 * (1 + np.tanh((x_t @ Ur + br + h_prev @ Vr + cr) / 2))
    z = 0.5 * (1 + np.tanh((x_t @ Uz + bz + h_prev @ Vz + cz) / 2))
    n = np.tanh(x_t @ Un + bn + r * (h_prev @ Vn) + r * cn)
    return (1 - z) * n + z * h_prev


def gru_loops(x_t, h_prev, U, V, b_in, b_rec):
    def squash(a):
        return 1 / (1 + math.exp(-a)) if a > -700 else 0.0

    B, H = h_prev.shape
    h_t = np.zeros((B, H))
    for n in range(B):
        for j in range(H):
            x = [b_in[c] + sum(x_t[n] * U[:, c]) for c in (j, H + j, 2 * H + j)]
            h = [b_rec[c] + sum(h_prev[n] * V[:, c]) for c in (j, H + j, 2 * H + j)]
            r, z = squash(x[0] + h[0]), squash(x[1] + h[1])
            h_t[n, j] = (1 - z) * math.tanh(x[2] + r * h[2]) + z * h_prev[n, j]
    return h_t


@on_one_thread
def gru_torch(x_t, h_prev, U, V, b_in, b_rec):
    D, H = len(U), len(V)
    cell = torch.nn.GRUCell(D, H, dtype=torch.float64)
    with torch.no_grad():
        for tensor, array in zip(cell.parameters(), [U.T, V.T, b_in, b_rec], strict=True):
            tensor.copy_(torch.tensor(array))
        return cell(torch.tensor(x_t), torch.tensor(h_prev)).numpy()


def gru_einsum(x_t, h_prev, U, V, b_in, b_rec):
    H = len(V)
    x = np.einsum("bd,dgh->gbh", x_t, U.reshape(-1, 3, H)) + b_in.reshape(3, 1, H)
    h = np.einsum("bi,igh->gbh", h_prev, V.reshape(H, 3, H)) + b_rec.reshape(3, 1, H)
    with np.errstate(over="ignore"):
        r, z = 1 / (1 + np.exp(-x[:2] - h[:2]))
    new = np.tanh(x[2] + r * h[2])
    new *= 1 - z
    new += z * h_prev
    return new


RIGHT = {
    "lstm_cell_forward": (
        lstm_blocks,
        lstm_four_matrices,
        lstm_loops,
        lstm_columns,
        lstm_torch,
        lstm_for_complex,
    ),
    "lstm_cell_backward": (
        lstm_back_gates,
        lstm_back_gate_by_gate,
        lstm_back_row_by_row,
        lstm_back_complex_step,
        lstm_back_torch,
        lstm_back_einsum,
    ),
    "gru_cell_forward": (
        gru_blocks,
        gru_three_matrices,
        gru_loops,
        gru_torch,
        gru_einsum,
        lambda x_t, h_prev, *weights: np.concatenate(
            [gru_blocks(x_t[n : n + 1], h_prev[n : n + 1], *weights) for n in range(len(x_t))]
        ),
    ),
}
