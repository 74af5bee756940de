import math

import numpy as np


def cell_einsum(x_t, h_prev, U, V, b):
    return np.tanh(np.einsum("bd,dh->bh", x_t, U) + np.einsum("bi,ij->bj", h_prev, V) + b)


def cell_concatenated(x_t, h_prev, U, V, b):
    weights = np.concatenate([U, V, b[None]])
    return np.tanh(np.concatenate([x_t, h_prev, np.ones((len(x_t), 1))], axis=1) @ weights)


def cell_loops(x_t, h_prev, U, V, b):
    h_t = np.zeros(h_prev.shape)
    for n in range(len(x_t)):
        for j in range(len(b)):
            a = b[j]
            for d in range(x_t.shape[1]):
                a += x_t[n, d] * U[d, j]
            for i in range(len(b)):
                a += h_prev[n, i] * V[i, j]
            h_t[n, j] = math.tanh(a)
    return h_t


def cell_columns(x_t, h_prev, U, V, b):
    return np.tanh(U.T @ x_t.T + V.T @ h_prev.T + b[:, None]).T  # a view


def cell_in_place(x_t, h_prev, U, V, b):
    a = x_t @ U
    a += h_prev @ V
    a += b
    return np.tanh(a, out=a)


def cell_row_by_row(x, h, w, v, bias):
    return np.array([np.tanh(p @ w + q @ v + bias) for p, q in zip(x, h, strict=True)])


def cell_through_lists(x_t, h_prev, U, V, b):
    x_t, h_prev, U, V = (np.asarray(m.tolist(), dtype=np.float64) for m in (x_t, h_prev, U, V))
    return np.tanh(x_t.dot(U) + h_prev.dot(V) + b)


def cell_read_only(x_t, h_prev, U, V, b):
    for array in (x_t, h_prev, U, V, b):
        array.setflags(write=False)
    h_t = np.tanh(x_t @ U + h_prev @ V + b)
    h_t.setflags(write=False)
    return h_t


def cell_by_sigmoid(x_t, h_prev, U, V, b):
    return 2 / (1 + np.exp(-2 * (x_t @ U + h_prev @ V + b))) - 1


def cell_by_exponentials(x_t, h_prev, U, V, b):
    e = np.exp(2 * (x_t @ U + h_prev @ V + b))
    return (e - 1) / (e + 1)


def readout_flattened(h_t, W, c):
    return (h_t.reshape(-1, h_t.shape[-1]) @ W + c).reshape(*h_t.shape[:-1], len(c))


def readout_over_columns(h_t, W, c):
    return np.stack([(h_t * W[:, k]).sum(-1) + c[k] for k in range(len(c))], axis=-1)


def readout_in_place(h_t, W, c):
    o = np.matmul(h_t, W)
    o += c
    return o


def softmax_by_logarithm(o):
    z = o - o.max(-1, keepdims=True)
    return np.exp(z - np.log(np.exp(z).sum(-1, keepdims=True)))


def softmax_by_logaddexp(o):
    return np.exp(o - np.logaddexp.reduce(o, axis=-1, keepdims=True))


def softmax_by_differences(o):
    with np.errstate(over="ignore"):
        return 1 / np.exp(o[..., None, :] - o[..., :, None]).sum(-1)


def softmax_row_by_row(o):
    rows = []
    for row in o.reshape(-1, o.shape[-1]):
        e = [math.exp(value - max(row)) for value in row]
        rows.append([value / sum(e) for value in e])
    return np.array(rows).reshape(o.shape)


def softmax_moved(o):
    z = np.moveaxis(o, -1, 0)
    e = np.exp(z - z.max(axis=0))
    return np.moveaxis(e / e.sum(axis=0), 0, -1)


RIGHT = {
    "cell_forward": (
        cell_einsum,
        cell_concatenated,
        cell_loops,
        cell_columns,
        cell_in_place,
        cell_row_by_row,
        cell_through_lists,
        cell_read_only,
        cell_by_sigmoid,
        cell_by_exponentials,
    ),
    "readout": (
        readout_flattened,
        readout_over_columns,
        readout_in_place,
        lambda h_t, W, c: np.einsum("...h,hk->...k", h_t, W) + c,
        lambda h_t, W, c: np.tensordot(h_t, W, axes=1) + c,
        lambda h_t, W, c: np.dot(h_t, W) + c,
    ),
    "softmax": (
        softmax_by_logarithm,
        softmax_by_logaddexp,
        softmax_by_differences,
        softmax_row_by_row,
        softmax_moved,
    ),
    "count_parameters": (
        lambda D, H, K: np.int64((D + H + 1) * H + (H + 1) * K),
        lambda D, H, K: np.array((D + H + 1) * H + (H + 1) * K),
        lambda D, H, K: sum(np.empty(s).size for s in [(D, H), (H, H), (H,), (H, K), (K,)]),
        lambda inputs, units, outputs: (inputs + units + 1) * units + (units + 1) * outputs,
    ),
}
