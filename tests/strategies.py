"""Shared by the tests of the maths: random problems of any sizes, and how close is close."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st

from utils.cell import RNNParams
from utils.torch_bridge import to_torch

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("repeatable")

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def problems(draw, ids=None):
    """Sizes from 1 up, ragged masks, h0 and biases not zero; x as floats or as ids."""
    T, B, D, H, K, seed = (draw(s) for s in (st.integers(1, 8), sizes, sizes, sizes, sizes, seeds))
    return problem(T, B, D, H, K, seed, ids=draw(st.booleans()) if ids is None else ids)


def problem(T=5, B=3, D=4, H=6, K=2, seed=0, ids=False, dtype=float):
    """One random problem. Its arrays are read-only, so whoever writes to them fails the test."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, T + 1, B)
    lengths[rng.integers(B)] = T
    p = SimpleNamespace(
        x=rng.integers(0, D, (T, B)) if ids else rng.standard_normal((T, B, D)).astype(dtype),
        h0=rng.standard_normal((B, H)).astype(dtype),
        params=random_like(RNNParams((D, H), (H, H), (H,), (H, K), (K,)), rng, dtype),
        targets=rng.integers(0, K, (T, B)),
        mask=np.arange(T)[:, None] < lengths,
        do=rng.standard_normal((T, B, K)).astype(dtype),
        lengths=lengths,
        rng=rng,
    )
    p.batch = p.x, p.targets, p.mask, p.h0
    for array in (*p.batch, *p.params, p.do, lengths):
        array.flags.writeable = False
    return p


def random_like(shapes, rng, dtype=float):
    """Random weights of these shapes, in a NamedTuple of the kind of `shapes`."""
    return type(shapes)(*(0.7 * rng.standard_normal(shape).astype(dtype) for shape in shapes))


def one_hot(x, D):
    """x as floats (...,D), whichever way it is given."""
    return np.eye(D)[x] if x.dtype.kind == "i" else x


def tensor(array, **options):
    return torch.tensor(np.array(array), **options)


def torch_loss_and_gradients(p, state=None):
    """Autograd's loss, grads, dx and the gradients of the first state, for the network p.params."""
    model = to_torch(p.params)
    x = tensor(one_hot(p.x, len(p.params.U)), requires_grad=True)
    first = [tensor(s, requires_grad=True) for s in state or (p.h0,)]
    logits = model(x, tuple(first) if len(first) > 1 else first[0])
    mask = tensor(p.mask)
    loss = torch.nn.functional.cross_entropy(logits[mask], tensor(p.targets)[mask])
    loss.backward()
    parts = [*model.recurrent.parameters(), *model.readout.parameters()]
    grads = type(p.params)(*(t.grad.numpy().T for t in parts if t.requires_grad))
    return loss.item(), grads, x.grad.numpy(), tuple(s.grad.numpy() for s in first)


def refused(error, message, function, *args):
    """The call raises this error, and its message matches."""
    with pytest.raises(error, match=message):
        function(*args)


def assert_close(got, expected, tolerance=1e-10):
    """Each array within `tolerance` of the largest entry of it, and of the same shape and dtype.

    Arrays that are all but zero, such as the gradients if K is 1, are held to a thousandth of it.
    """
    if isinstance(expected, tuple):
        assert isinstance(got, tuple)
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_close(one, other, tolerance)
    elif expected is None:
        assert got is None
    else:
        got, expected = np.asarray(got), np.asarray(expected)
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        difference, largest = np.abs(got - expected).max(), np.abs(expected).max()
        assert difference <= tolerance * max(largest, 1e-3)
