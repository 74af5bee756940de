"""Three ways to check a gradient that share nothing with backpropagation (lesson 3).

Central differences   (loss(w + ε) - loss(w - ε)) / 2ε   right to about 1e-10: too small an ε and
                      rounding wins, too large a one and curvature does.
Complex step          Im loss(w + iε) / ε   right to the last digits, for nothing is subtracted.
                      Squire & Trapp (1998).
RTRL                  real-time recurrent learning: forward only, it carries ∂h_t/∂weights along.
                      Williams & Zipser (1989). Exact and slow.
"""

import numpy as np

from ._validate import checked, positive
from .bptt import times
from .cell import RNN_SHAPES, RNNParams, flat


@checked(w="...")
def numerical_gradient(loss, w, eps=1e-5):
    """The gradient of loss(w), of the shape of w, by central differences: two losses an entry."""
    eps = positive("eps", eps)
    gradient, w = np.empty_like(w), w.copy()
    for i in np.ndindex(w.shape):
        middle = w[i]
        w[i] = middle + eps
        above = loss(w)
        w[i] = middle - eps
        gradient[i] = (above - loss(w)) / (2 * eps)
        w[i] = middle
    return gradient


@checked(w="...")
def complex_step_gradient(loss, w, eps=1e-20):
    """The gradient of loss(w), of the shape of w, from one complex loss an entry; float64.

    Raises TypeError if loss(w) is not complex: it took an absolute value or a float on the way.
    """
    eps = positive("eps", eps)
    gradient, w = np.empty(w.shape), w.astype(np.complex128)
    for i in np.ndindex(w.shape):
        middle = w[i]
        w[i] = middle + 1j * eps
        value = loss(w)
        if not np.iscomplexobj(value):
            raise TypeError(f"loss: expected a complex number for a complex w, got {value!r}")
        gradient[i] = value.imag / eps
        w[i] = middle
    return gradient


def relative_error(got, expected):
    """The largest difference over the largest entry of either; 0 if both are all zero."""
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        raise ValueError(f"got: expected shape {expected.shape}, got shape {got.shape}")
    largest = max(np.abs(got).max(), np.abs(expected).max())
    return float(np.abs(got - expected).max() / largest) if largest > 0 else 0.0


@checked(x="TBD|TB<D", h0="BH", params=RNN_SHAPES, h="TBH", do="TBK")
def rtrl(do, x, h0, h, params):
    """The grads of `bptt`, found forwards: S holds ∂h_t/∂θ, and do_t is all it meets of the loss.

    θ is U, V and b stacked; S is (B,H, D+H+1,H).

        a_t = [x_t, h_{t-1}, 1] θ        S_t = (1 - h_t²) (S_{t-1} V + ∂a_t/∂θ)
    """
    U, V, _, W, _ = params
    D, H = U.shape
    x = np.eye(D, dtype=h.dtype)[x] if x.ndim == 2 else x
    dh = times(do, W.T)
    S, grad, unit = np.zeros((len(h0), H, D + H + 1, H), h.dtype), 0, np.arange(H)
    for x_t, h_prev, h_t, dh_t in zip(x, [h0, *h], h, dh, strict=False):
        S = np.einsum("blpk,lj->bjpk", S, V)
        S[:, unit, :, unit] += np.hstack([x_t, h_prev, np.ones_like(h_t[:, :1])])
        S *= (1 - h_t**2)[:, :, None, None]
        grad = grad + np.einsum("bj,bjpk->pk", dh_t, S)
    dW, dc = flat(h).T @ flat(do), flat(do).sum(0)
    return RNNParams(grad[:D], grad[D:-1], grad[-1], dW, dc)
