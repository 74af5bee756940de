"""Softmax and cross-entropy over time, shared by lessons 2 to 6.

    p = softmax(o)        nll_t = -log p_t[target_t]        loss = sum(mask * nll) / sum(mask)

Goodfellow et al. (2016): the softmax is (4.1) there, made stable as in its section 4.1 by taking
the largest logit off first; the gradient by the logits, p - 1 at the target, is (10.18).
"""

import numpy as np

from ._validate import checked
from .cell import flat

SAFE = 16  # up to logits of this size exp() needs no help, and a pass over them is saved


@checked(o="...K")
def softmax(o):
    """Probabilities of the shape of the logits o (...,K); the last axis sums to 1."""
    e = np.exp(o - _largest(o))
    return e / e.sum(-1, keepdims=True)


@checked(o="TBK", targets="TB<K", mask="TB?")
def sequence_cross_entropy(o, targets, mask):
    """Mean of -log p[target] over the real steps: o (T,B,K) logits, targets (T,B), mask (T,B).

    A float, or a complex number if the logits are complex (the complex-step check).
    What the other steps hold does not matter, be it NaN: they are left out, not multiplied by 0.
    Raises ValueError if no step is real: there is nothing to take the mean of.
    """
    weight = step_weights(mask, o.real.dtype)[mask]
    o, targets = o[mask], targets[mask]  # (N,K) and (N,): the real steps
    z = o - _largest(o)
    picked = np.take_along_axis(z, targets[:, None], -1)[:, 0]
    nll = np.log(np.exp(z).sum(-1)) - picked
    return (weight * nll).sum().item()


@checked(o="TBK", targets="TB<K", mask="TB?")
def sequence_cross_entropy_backward(o, targets, mask):
    """do (T,B,K), the gradient of `sequence_cross_entropy` by its logits: (p - one_hot) / N.

    0 at the steps that are not real, whatever they hold. Raises ValueError if no step is real.
    """
    o = np.where(mask[..., None], o, 0)
    do = np.subtract(o, _largest(o), order="C")
    weighted_cross_entropy(do, targets, step_weights(mask, o.dtype))
    return do


def step_weights(mask, dtype):
    """(T,B): 1/N at each of the N real steps, 0 at padding."""
    real = np.count_nonzero(mask)
    if real == 0:
        raise ValueError("mask: expected at least one True, got none")
    return np.multiply(mask, 1 / real, dtype=dtype)


def weighted_cross_entropy(o, targets, weight):
    """sum(weight * nll), and in place of the logits o (T,B,K) its gradient by them.

    Forward and backward share the exponentials; in place, for there may be many of them.
    """
    rows, o, weight = flat(o), o.ravel(), weight.ravel()
    if np.count_nonzero(weight) < weight.size:
        rows[weight == 0] = 0  # left out: 0 times NaN would be NaN
    at_target = np.arange(0, o.size, rows.shape[1]) + targets.ravel()
    if max(o[o.argmax()], -o[o.argmin()]) > SAFE:  # sooner found than with max() and min()
        rows -= _largest(rows)
    picked = o[at_target]
    np.exp(o, o)
    total = rows.dot(np.ones(rows.shape[1], o.dtype))  # the fastest sum
    rows *= (weight / total)[:, None]
    o[at_target] -= weight
    return float(weight.dot(np.log(total) - picked))


def _largest(o):
    """The largest logit of each row. Taken off, it leaves exp() nothing above 1 to overflow."""
    return o.real.max(-1, keepdims=True)
