"""What the loops of the LSTM and of the GRU share: one row for all that a step reads.

    a_t = x_t U + b + h_{t-1} V = [x_t, 1, h_{t-1}] [U; b; V]

A step is then one product, with nothing to add up. The weights are cut into planes, one a gate, so
that each gate's numbers lie in one piece: columns are short pieces, which take twice as long.
"""

import numpy as np

from ._validate import generator, whole

# Entries of all gates: what the way back prepares at a time, so that it stays in the cache.
ROOM = 131072


def sigmoid(a):
    """1 / (1 + exp(-a)), written with tanh, which does not overflow."""
    return 0.5 * (1 + np.tanh(0.5 * a))


def initial_weights(D, H, K, gates, rng):
    """U (D,gates·H), V (H,gates·H) and W (H,K), uniform in ±1/√H as in PyTorch."""
    D, H, K = whole("D", D, 1), whole("H", H, 1), whole("K", K, 1)
    bound = 1 / np.sqrt(H)
    shapes = (D, gates * H), (H, gates * H), (H, K)
    return [generator(rng).uniform(-bound, bound, shape) for shape in shapes]


def rows(x, h0, D):
    """Rows z (T+1,B,D+1+H): [x_t, 1, h_{t-1}] for each step; of the h only h0 is filled in.

    The last row has no x: it is there for the last h. Ids x (T,B) become one-hot.
    """
    z = np.empty((len(x) + 1, len(h0), D + 1 + h0.shape[1]), h0.dtype)
    z[:-1, :, :D] = x if x.ndim == 3 else np.eye(D, dtype=h0.dtype)[x]
    z[:, :, D], z[0, :, D + 1 :] = 1, h0
    return z


def planes(order, *parts):
    """U (D,G·H), b (G·H,) and V (H,G·H) below one another: (G,D+1+H,H), the gates in this order."""
    parts = [part if part.ndim == 2 else part[None] for part in parts]
    H = parts[0].shape[1] // len(order)
    found = np.empty((len(order), sum(map(len, parts)), H), parts[0].dtype)
    for plane, k in zip(found, order, strict=True):
        np.concatenate([part[:, k * H : (k + 1) * H] for part in parts], out=plane)
    return found


def product_into(sums, weights):
    """What makes the sums (T,G,B,H) of a step: a product, its weights and where the results go.

    Of one sequence the planes of a step are one row: one product in place of G.
    """
    (T, G, B, H), N = sums.shape, weights.shape[1]
    if B > 1:
        return np.matmul, weights, sums
    return np.dot, weights.swapaxes(0, 1).reshape(N, G * H), sums.reshape(T, 1, G * H)


def squeeze(a, one):
    """In place of -a the sigmoid of a; `one` is 1 as an array, which need not be made each time.

    The exp may overflow: 1 / (1 + inf) is the 0 that is meant. It takes half the time of tanh.
    Complex numbers go by tanh, for their infinity has no such inverse.
    """
    if a.dtype.kind == "c":
        a[...] = sigmoid(-a)
        return
    np.exp(a, a)
    np.add(a, one, a)
    np.divide(one, a, a)
