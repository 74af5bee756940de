"""Lesson 1: the RNN cell, one step of a recurrent network.

    a_t = x_t U + h_{t-1} V + b        what comes in + what is remembered
    h_t = tanh(a_t)                    the new memory
    o_t = h_t W + c                    what is read out of it: logits

The network is Elman's (1990); the equations are (10.8)-(10.10) of Goodfellow, Bengio and
Courville, Deep Learning (2016), chapter 10, with rows for vectors and the letters V and W swapped.
"""

from typing import NamedTuple

import numpy as np

from ._validate import checked, generator, whole


class RNNParams(NamedTuple):
    """The weights, or their gradients: U (D,H), V (H,H), b (H,), W (H,K), c (K,)."""

    U: np.ndarray
    V: np.ndarray
    b: np.ndarray
    W: np.ndarray
    c: np.ndarray


RNN_SHAPES = RNNParams("DH", "HH", "H", "HK", "K")


def init_params(D, H, K, rng):
    """Random weights, uniform in ±1/√H as in PyTorch, and biases of zero; float64.

    Raises TypeError or ValueError if D, H or K is not a whole number of at least 1.
    """
    D, H, K = whole("D", D, 1), whole("H", H, 1), whole("K", K, 1)
    bound = 1 / np.sqrt(H)
    U, V, W = (generator(rng).uniform(-bound, bound, shape) for shape in [(D, H), (H, H), (H, K)])
    return RNNParams(U, V, np.zeros(H), W, np.zeros(K))


@checked(x_t="BD|B<D", h_prev="BH", U="DH", V="HH", b="H")
def cell_forward(x_t, h_prev, U, V, b):
    """The next memory h_t (B,H) from input x_t and memory h_prev (B,H).

    x_t is (B,D), or (B,) ids: the number of the one input that is 1, the others being 0.
    """
    return np.tanh(affine(x_t, U, b) + h_prev @ V)


@checked(h_t="...H", W="HK", c="K")
def readout(h_t, W, c):
    """The logits o_t (...,K) read out of the memory h_t (...,H)."""
    return affine(h_t, W, c)


def count_parameters(D, H, K):
    """How many numbers the network learns: those of U, V, b, W and c. T is not among them.

    Raises TypeError or ValueError if D, H or K is not a whole number of at least 1.
    """
    D, H, K = whole("D", D, 1), whole("H", H, 1), whole("K", K, 1)
    return D * H + H * H + H + H * K + K


def affine(x, U, b, out=None):
    """x U + b for x (...,D), or for ids x (...), where x U is a row of U (D,H) for each id."""
    if x.dtype.kind in "iu":
        return (U + b).take(x, axis=0, out=out, mode="clip")  # a mode that writes straight to out
    z = np.dot(flat(x), U, out=None if out is None else flat(out))
    z += b
    return z.reshape(*x.shape[:-1], len(b))


def flat(z):
    """z (T,B,N) as a matrix (T·B,N): one matrix product for all steps, where `@` makes T."""
    return z.reshape(-1, z.shape[-1])
