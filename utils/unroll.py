"""Lesson 2: unrolling, one cell used at T steps.

    h_t = tanh(x_t U + h_{t-1} V + b)        t = 1 … T, with the same U, V, b at each

Only the product with V has to wait for the step before. x U does not, so it is one matrix product
for all steps. Equations (10.8) and (10.9) of Goodfellow et al. (2016); Elman (1990).
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from ._validate import arrays, checked, whole
from .cell import affine


@checked(x="TBD|TB<D", h0="BH", U="DH", V="HH", b="H")
def unroll(x, h0, U, V, b):
    """All states h (T,B,H) of the cell fed with x (T,B,D), or ids x (T,B), from state h0 (B,H)."""
    return run(x, h0, U, V, b)[1:]


@checked(x="TBD|TB<D", h0="BH", U="DH", V="HH", b="H")
def unroll_in_chunks(x, h0, U, V, b, chunk):
    """The same as `unroll`, `chunk` steps at a time: the last state is carried to the next chunk.

    Raises ValueError if chunk < 1. It need not divide T: the last chunk may be shorter.
    """
    chunk = whole("chunk", chunk, 1)
    chunks = []
    for steps in pieces(len(x), chunk):
        chunks.append(run(x[steps], h0, U, V, b)[1:])
        h0 = chunks[-1][-1]
    return np.concatenate(chunks)


def pad_sequences(sequences, pad=0):
    """B sequences of ids, of any lengths, as ids (T,B) filled up with `pad`, and mask (T,B).

    The mask is True at real steps. T is the longest length.
    Raises TypeError if something in `sequences` is no sequence of ids, ValueError if one is empty.
    """
    pad = whole("pad", pad)
    if not isinstance(sequences, Iterable):
        kind = type(sequences).__name__
        raise TypeError(f"sequences: expected a list of sequences of ids, got {kind}")
    columns = [arrays(**{f"sequences[{i}]": (s, "T<")})[0] for i, s in enumerate(sequences)]
    if not columns:
        raise ValueError("sequences: expected at least one sequence, got none")
    shape = max(map(len, columns)), len(columns)
    ids, mask = np.full(shape, pad, dtype=np.int64), np.zeros(shape, dtype=bool)
    for b, column in enumerate(columns):
        ids[: len(column), b] = column
        mask[: len(column), b] = True
    return ids, mask


@checked(h="TBH", lengths="B<")
def last_states(h, lengths):
    """(B,H): of states h (T,B,H) each sequence's last real one; lengths (B,) are 1 … T.

    Raises ValueError if one of the lengths is not.
    """
    if lengths.min() < 1 or lengths.max() > len(h):
        raise ValueError(f"lengths: expected each in 1 … T={len(h)}, got {lengths.tolist()}")
    return h[lengths - 1, np.arange(h.shape[1])]


def run(x, h0, U, V, b):
    """`unroll` without the checks, and with h0 in front: states (T+1,B,H)."""
    states = np.empty((len(x) + 1, *h0.shape), h0.dtype)
    states[0] = h0
    affine(x, U, b, out=states[1:])
    carried, add, tanh = np.empty(h0.shape, h0.dtype), np.add, np.tanh
    for h_prev, h_t in pairwise(states):
        h_prev.dot(V, carried)  # into the same room at each step: allocating costs time
        add(h_t, carried, h_t)
        tanh(h_t, h_t)
    return states


def pieces(T, size):
    """Slices of `size` steps that cover T steps, the last one shorter if need be."""
    return [slice(start, min(start + size, T)) for start in range(0, T, size)]
