"""Three ways to check a gradient that share nothing with backpropagation (lesson 3).

Central differences   (loss(w + ε) - loss(w - ε)) / 2ε   right to about 1e-10: too small an ε and
                      rounding wins, too large a one and curvature does.
Complex step          Im loss(w + iε) / ε   right to the last digits, for nothing is subtracted.
                      Squire & Trapp (1998).
RTRL                  real-time recurrent learning: forward only, it carries ∂h_t/∂weights along.
                      Williams & Zipser (1989). Exact and slow.
"""

import numpy as np

from ._validate import checked, number, numbers, positive
from .bptt import times
from .cell import RNN_SHAPES, RNNParams, flat


@checked(w="...")
def numerical_gradient(loss, w, eps=1e-5):
    """The gradient of loss(w), of the shape of w, by central differences: two losses an entry.

    float64, and so is the w that loss gets, a copy at each call: in float32 the differences would
    be off by a thousandth. Raises TypeError if w is no array of real floats, or loss(w) no number
    or one of float32; ValueError if eps is not above 0.
    """
    eps, w = positive("eps", eps), _real(w)
    gradient = np.empty_like(w)
    for i in np.ndindex(w.shape):
        middle = w[i]
        w[i] = middle + eps
        above = _loss_at(loss, w)
        w[i] = middle - eps
        gradient[i] = (above - _loss_at(loss, w)) / (2 * eps)
        w[i] = middle
    return gradient


@checked(w="...")
def complex_step_gradient(loss, w, eps=1e-20):
    """The gradient of loss(w), of the shape of w, from one complex loss an entry; float64.

    Raises TypeError if w is no array of real floats, or loss(w) no complex number: it took an
    absolute value or a float on the way; ValueError if eps is not above 0.
    """
    eps = positive("eps", eps)
    gradient, w = np.empty(w.shape), _real(w).astype(np.complex128)
    for i in np.ndindex(w.shape):
        middle = w[i]
        w[i] = middle + 1j * eps
        value = loss(w.copy())
        if np.ndim(value) or not np.iscomplexobj(value):
            raise TypeError(f"loss: expected a complex number for a complex w, got {value!r}")
        gradient[i] = value.imag / eps
        w[i] = middle
    return gradient


def relative_error(got, expected):
    """The largest difference over the largest entry of either; 0 if both are all zero.

    NaN if NaN or infinity is among them: ask `not error <= tolerance`, never `error > tolerance`.
    Raises ValueError if the shapes differ or hold nothing, TypeError for what is no numbers.
    """
    got, expected = numbers("got", got), numbers("expected", expected)
    if got.shape != expected.shape:
        raise ValueError(f"got: expected shape {expected.shape}, got shape {got.shape}")
    got, expected = (a * 1.0 for a in (got, expected))  # whole numbers would wrap around
    largest = np.maximum(np.abs(got).max(), np.abs(expected).max())  # max() may pass over a NaN
    if largest == 0:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # inf - inf
        return float(np.abs(got - expected).max() / largest)


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


def _real(w):
    """A copy of w in float64."""
    if np.iscomplexobj(w):
        raise TypeError(f"w: expected float32 or float64, got {w.dtype}")
    return w.astype(np.float64)


def _loss_at(loss, w):
    """loss(w) as a float. It gets a copy, lest it writes into w."""
    value = loss(w.copy())
    dtype = str(getattr(value, "dtype", "float64"))
    if dtype.endswith(("float32", "float16")):
        raise TypeError(
            f"loss: expected a number of float64, got {dtype}, in whose few digits the difference "
            "of two losses is off by a thousandth: compute it in float64"
        )
    return number("loss", value)
