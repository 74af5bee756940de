"""Lesson 4: gradient accumulation, a large batch in the memory of a small one.

The loss is a mean over real steps. With S_i the summed loss of micro-batch i, N_i its real steps
and g_i = ∇S_i / N_i the gradient of its own mean, the gradient of all is

    g = Σ_i ∇S_i / Σ_i N_i = Σ_i (N_i / N) g_i        N = Σ_i N_i

Each g_i counts by its share of the steps; to divide by the number of micro-batches instead is right
only if all the N_i are equal. The weights change once, after the whole sum.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ._validate import positive, rows_of_state, tensor, whole
from .bptt import loss_and_gradients
from .cell import RNNParams
from .optim import clip_gradients, sgd


class Batch(NamedTuple):
    """B sequences: x (T,B,D) or ids (T,B), targets (T,B), mask (T,B), first state h0 (B,H)."""

    x: np.ndarray
    targets: np.ndarray
    mask: np.ndarray
    h0: np.ndarray


def accumulate_gradients(params, micro_batches):
    """The loss and grads of all micro-batches as if of one batch; T and B may differ.

    Raises TypeError if they are no list of `Batch`, ValueError if there is none, and what
    `loss_and_gradients` raises.
    """
    batches = _checked(micro_batches)
    if not batches:
        raise ValueError("micro_batches: expected at least one, got none")
    real = [int(np.count_nonzero(batch.mask)) for batch in batches]
    loss, grads = 0.0, [0] * len(params)
    for batch, n in zip(batches, real, strict=True):
        own_loss, own_grads, *_ = loss_and_gradients(params, *batch)
        share = n / sum(real)
        loss += share * own_loss
        grads = [g + share * own for g, own in zip(grads, own_grads, strict=True)]
    return loss, RNNParams(*grads)


def update_after(n_micro, k):
    """The indices of the micro-batches after which to update: each k-th, and the last of all.

    Raises TypeError or ValueError if n_micro (from 0) or k (from 1) is no such whole number.
    """
    n_micro, k = whole("n_micro", n_micro, 0), whole("k", k, 1)
    return [min(start + k, n_micro) - 1 for start in range(0, n_micro, k)]


def train_epoch(params, micro_batches, k, lr, max_norm):
    """params after one epoch of SGD, one update for each k micro-batches (fewer at the end).

    Gradients are clipped to max_norm, or not at all if it is None; one NaN among them and all the
    weights are NaN. Raises TypeError or ValueError if k is no whole number of at least 1, lr is
    negative, max_norm not above 0, or micro_batches no list of `Batch`.
    """
    for window in _windows(micro_batches, k):
        _, grads = accumulate_gradients(params, window)
        if max_norm is not None:
            grads, _ = clip_gradients(grads, max_norm)  # once an update: the sum, not its parts
        params = sgd(params, grads, lr)
    return params


def train_epoch_torch(model, micro_batches, optimizer, k, max_norm):
    """The same in PyTorch: model(x, h0) gives logits (T,B,K); trained in place, None returned.

    The batches are of tensors, as `to_tensors` makes them. Raises what `train_epoch` raises, and
    TypeError for arrays, before the model is touched.
    """
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_

    if max_norm is not None:
        max_norm = positive("max_norm", max_norm)
    windows = list(_windows(micro_batches, k))
    counts = [_count_real(window) for window in windows]
    model.zero_grad()  # gradients add up in .grad, those of an earlier run too
    for window, n_real in zip(windows, counts, strict=True):
        for x, targets, mask, h0 in window:
            nll = cross_entropy(model(x, h0)[mask], targets[mask].long(), reduction="sum")
            (nll / n_real).backward()
        if max_norm is not None:
            clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        model.zero_grad()


def activation_bytes(T, B, H, k, itemsize=8):
    """Bytes of the states, h0 included, that one of k micro-batches of a batch keeps for BPTT.

    Raises TypeError or ValueError if an argument is not a whole number of at least 1.
    """
    T, B, H = whole("T", T, 1), whole("B", B, 1), whole("H", H, 1)
    k, itemsize = whole("k", k, 1), whole("itemsize", itemsize, 1)
    rows = -(-B // k)  # B / k, rounded up
    return (T + 1) * rows * H * itemsize


def _windows(micro_batches, k):
    """The micro-batches of each update: k of them, fewer in the last."""
    batches, start = _checked(micro_batches), 0
    for last in update_after(len(batches), k):
        yield batches[start : last + 1]
        start = last + 1


def _checked(micro_batches):
    expected = "micro_batches: expected a list of Batch(x, targets, mask, h0), got"
    if isinstance(micro_batches, Batch | str) or not isinstance(micro_batches, Iterable):
        raise TypeError(f"{expected} {type(micro_batches).__name__}")
    batches = list(micro_batches)
    for i, batch in enumerate(batches):
        if not isinstance(batch, tuple | list) or len(batch) != len(Batch._fields):
            raise TypeError(f"{expected} {type(batch).__name__} at place {i}")
    return [Batch(*batch) for batch in batches]


def _count_real(window):
    """The real steps of batches of tensors, which are checked here: PyTorch names no argument."""
    for x, targets, mask, h0 in window:
        tensor("x", x)
        tensor("targets", targets, "integers")
        tensor("mask", mask, "booleans")
        if targets.ndim != 2 or targets.shape != mask.shape:
            wanted, got = tuple(targets.shape), tuple(mask.shape)
            raise ValueError(f"mask: expected shape (T, B), that of targets {wanted}, got {got}")
        for state in h0 if isinstance(h0, tuple) else (h0,):  # an LSTM starts from a pair
            tensor("h0", state)
            rows_of_state("h0", tuple(state.shape), targets.shape[1])
    n_real = sum(int(batch.mask.sum()) for batch in window)
    if n_real == 0:
        raise ValueError("mask: expected at least one True, got none")
    return n_real
