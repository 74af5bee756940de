"""Steps downhill: SGD, Adam, and clipping, shared by lessons 3 to 6.

`params` and `grads` are tuples of arrays, of `RNNParams` or of any other network. Each function
gives new ones and leaves its arguments as they are.
"""

from typing import NamedTuple

import numpy as np

from ._validate import arrays, positive, whole


class AdamState(NamedTuple):
    """What Adam remembers: means of the gradients and of their squares, and the steps taken."""

    mean: tuple
    square: tuple
    step: int


def clip_gradients(grads, max_norm):
    """grads scaled by min(1, max_norm / norm), and their norm before that.

    The norm is of all tensors together, so the direction stays. Pascanu, Mikolov & Bengio (2013),
    algorithm 1. One NaN makes the norm and all tensors NaN, as in PyTorch.
    Raises TypeError or ValueError if max_norm is not above 0 or grads is no tuple of arrays.
    """
    max_norm = positive("max_norm", max_norm)
    norm = global_norm(grads)
    scale = 1.0 if norm <= max_norm else max_norm / norm
    return _like(grads, (g * scale for g in _checked("grads", grads))), norm


def global_norm(grads):
    """The Euclidean norm of all tensors together, as a float. Huge gradients do not overflow it.

    NaN wherever it stands, also beside infinity. Raises TypeError if grads is no tuple of arrays.
    """
    grads = _checked("grads", grads)
    peaks = [float(np.abs(g).max()) for g in grads]
    largest = max(peaks, key=lambda peak: (peak != peak, peak))  # NaN, the only one unlike itself
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * sum(float(np.square(g / largest).sum(dtype=float)) for g in grads) ** 0.5


def sgd(params, grads, lr):
    """params - lr * grads.

    Raises TypeError or ValueError if lr is negative or no number, or if the shapes differ.
    """
    lr = positive("lr", lr, zero_too=True)
    pairs = zip(_checked("params", params), _checked("grads", grads, params), strict=True)
    return _like(params, (p - lr * g for p, g in pairs))


def adam_start(params):
    """The `AdamState` before the first step: zeros."""
    zeros = _like(params, (np.zeros_like(p) for p in _checked("params", params)))
    return AdamState(zeros, zeros, 0)


def adam(params, grads, state, lr):
    """New params and new state. Kingma & Ba (2015), algorithm 1 and its constants.

    The step is the mean over the root of the mean square, so its size hardly depends on that of
    the gradients: a factor forgotten in all of them goes unnoticed.
    Raises TypeError or ValueError if lr is negative or no number, if state is no `AdamState`, or
    if the shapes of grads or state are not those of params.
    """
    if not isinstance(state, AdamState):
        kind = type(state).__name__
        raise TypeError(f"state: expected an AdamState, as adam_start(params) gives, got {kind}")
    _check_kind("params", params)
    lr, step = positive("lr", lr, zero_too=True), whole("state.step", state.step, 0) + 1
    grads = _checked("grads", grads, params)
    _check_shapes("state.mean", state.mean, params)
    _check_shapes("state.square", state.square, params)
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    mean = [beta1 * m + (1 - beta1) * g for m, g in zip(state.mean, grads, strict=True)]
    square = [beta2 * v + (1 - beta2) * g * g for v, g in zip(state.square, grads, strict=True)]
    # Both start at 0 and are too small at first; dividing makes up for that.
    lr, root = lr / (1 - beta1**step), (1 - beta2**step) ** 0.5
    moved = [
        p - lr * m / (np.sqrt(v) / root + eps) for p, m, v in zip(params, mean, square, strict=True)
    ]
    return _like(params, moved), AdamState(_like(params, mean), _like(params, square), step)


def _checked(name, tensors, like=None):
    """The tensors as float arrays; of the shapes of `like` if that is given."""
    _check_kind(name, tensors)
    labels = getattr(tensors, "_fields", range(len(tensors)))
    found = arrays(**{f"{name}.{i}": (t, "...") for i, t in zip(labels, tensors, strict=True)})
    if like is not None:
        _check_shapes(name, found, like)
    return found


def _check_kind(name, tensors):
    if not isinstance(tensors, tuple | list) or not tensors:
        kind = type(tensors).__name__
        empty = ", an empty one" if isinstance(tensors, tuple | list) else ""
        raise TypeError(f"{name}: expected a tuple of arrays, got {kind}{empty}")


def _check_shapes(name, tensors, like):
    _check_kind(name, tensors)
    expected, got = ([np.shape(t) for t in part] for part in (like, tensors))
    if got != expected:
        raise ValueError(f"{name}: expected the shapes of params, {expected}, got {got}")


def _like(tensors, new):
    """The `new` arrays in a tuple or list of the kind of `tensors`."""
    return type(tensors)(*new) if hasattr(tensors, "_fields") else type(tensors)(new)
