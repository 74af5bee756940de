"""SGD, Adam, clipping."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import assert_close, random_like, refused, seeds, tensor
from utils.cell import RNNParams
from utils.gates import GRUParams
from utils.optim import adam, adam_start, clip_gradients, global_norm, sgd

SHAPES = RNNParams((4, 6), (6, 6), (6,), (6, 2), (2,))


def weights_and_gradients(seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    params, grads = random_like(SHAPES, rng, dtype), random_like(SHAPES, rng, dtype)
    for array in (*params, *grads):
        array.flags.writeable = False
    return params, grads


@given(seeds, st.floats(0.01, 100))
def test_clipping_is_that_of_pytorch(seed, max_norm):
    params, grads = weights_and_gradients(seed)
    tensors = [tensor(p, requires_grad=True) for p in params]
    for t, g in zip(tensors, grads, strict=True):
        t.grad = tensor(g)
    expected_norm = torch.nn.utils.clip_grad_norm_(tensors, max_norm).item()
    clipped, norm = clip_gradients(grads, max_norm)
    assert norm == pytest.approx(expected_norm, rel=1e-13)
    assert_close(clipped, RNNParams(*(t.grad.numpy() for t in tensors)), 1e-5)  # its 1e-6
    assert global_norm(clipped) == pytest.approx(np.minimum(norm, max_norm), rel=1e-13)


def test_clipping_leaves_small_gradients_alone():
    _, grads = weights_and_gradients()
    clipped, norm = clip_gradients(grads, 1e6)
    assert_close(clipped, grads, 0)
    assert clip_gradients(grads, np.inf)[1] == clip_gradients(grads, norm)[1] == norm
    zeros = RNNParams(*(0 * g for g in grads))
    clipped, norm = clip_gradients(zeros, 1.0)
    assert norm == 0
    assert_close(clipped, zeros, 0)


def test_exploded_gradients_are_clipped_too():
    for dtype, size in ((np.float64, 1e200), (np.float32, 1e30)):
        grads = RNNParams(*(np.full(shape, size, dtype) for shape in SHAPES))
        clipped, norm = clip_gradients(grads, 5.0)
        assert norm == pytest.approx(size * sum(g.size for g in grads) ** 0.5, rel=1e-6)
        assert global_norm(clipped) == pytest.approx(5, rel=1e-6)
        assert clipped.V.dtype == dtype
    assert global_norm([np.array([1.0, np.inf])]) == np.inf
    assert np.isnan(global_norm([np.array([1.0, np.nan])]))


@given(seeds, st.floats(0, 1))
def test_sgd_is_that_of_pytorch(seed, lr):
    params, grads = weights_and_gradients(seed)
    assert_close(sgd(params, grads, lr), torch_steps(torch.optim.SGD, params, [grads], lr), 1e-14)


@given(seeds, st.floats(1e-4, 1))
def test_adam_is_that_of_pytorch(seed, lr):
    params, grads = weights_and_gradients(seed)
    several = [RNNParams(*(scale * g for g in grads)) for scale in (1, -0.3, 0, 7)]
    expected = torch_steps(torch.optim.Adam, params, several, lr)
    got, state = params, adam_start(params)
    for one in several:
        got, state = adam(got, one, state, lr)
    assert_close(got, expected, 1e-12)
    assert state.step == 4


def torch_steps(kind, params, several, lr):
    tensors = [tensor(p, requires_grad=True) for p in params]
    optimizer = kind(tensors, lr=lr)
    for grads in several:
        for t, g in zip(tensors, grads, strict=True):
            t.grad = tensor(g)
        optimizer.step()
    return RNNParams(*(t.detach().numpy() for t in tensors))


def test_adam_hides_a_forgotten_division_and_sgd_does_not():
    params, grads = weights_and_gradients()
    eightfold = RNNParams(*(8 * g for g in grads))
    right, _ = adam(params, grads, adam_start(params), 0.1)
    wrong, _ = adam(params, eightfold, adam_start(params), 0.1)
    assert_close(wrong, right, 1e-5)
    assert np.abs(sgd(params, eightfold, 0.1).V - sgd(params, grads, 0.1).V).max() > 0.1


@pytest.mark.parametrize("kind", [tuple, list])
def test_any_tuple_or_list_of_arrays_will_do_and_float32_stays(kind):
    params, grads = (kind(part) for part in weights_and_gradients(dtype=np.float32))
    moved, state = adam(params, grads, adam_start(params), 0.1)
    for result in (clip_gradients(grads, 1.0)[0], sgd(params, grads, 0.1), moved, state.mean):
        assert type(result) is kind
        assert {a.dtype for a in result} == {np.dtype(np.float32)}
    assert isinstance(sgd(GRUParams(*params, params[0]), [*grads, grads[0]], 0.1), GRUParams)


@given(seeds, st.permutations(["nan", "inf", "zeros", "numbers"]))
def test_nan_is_the_norm_wherever_it_stands(seed, order):
    rng = np.random.default_rng(seed)
    kinds = {"nan": np.full(2, np.nan), "inf": np.full(3, np.inf), "zeros": np.zeros(2)}
    kinds["numbers"] = rng.standard_normal((2, 3))
    grads = [kinds[kind] for kind in order]
    tensors = [tensor(g, requires_grad=True) for g in grads]
    for t, g in zip(tensors, grads, strict=True):
        t.grad = tensor(g)
    assert np.isnan(torch.nn.utils.clip_grad_norm_(tensors, 1.0).item())
    clipped, norm = clip_gradients(grads, 1.0)
    assert np.isnan(norm)
    assert all(np.isnan(g).all() for g in clipped)
    assert all(t.grad.isnan().all() for t in tensors)
    without = [g for g, kind in zip(grads, order, strict=True) if kind != "nan"]
    assert global_norm(without) == np.inf


def test_bad_arguments_are_named():
    params, grads = weights_and_gradients()
    state = adam_start(params)
    masked = grads._replace(b=np.ma.masked_array(grads.b))
    refused(TypeError, r"grads\.b: .* got a masked array", global_norm, masked)
    refused(TypeError, r"grads\.1: .* got NoneType", global_norm, [np.ones(2), None])
    refused(TypeError, r"grads\.0: .* got Tensor", global_norm, [torch.ones(2).requires_grad_()])
    refused(TypeError, "grads: expected a tuple of arrays, got str", global_norm, "text")
    refused(TypeError, "grads: .*, got tuple, an empty one", global_norm, ())
    refused(TypeError, "lr: expected a number, got str '0.1'", sgd, params, grads, "0.1")
    refused(ValueError, "lr: expected at least 0, got nan", adam, params, grads, state, np.nan)
    refused(TypeError, "state: expected an AdamState, as adam_start", adam, params, grads, None, 1)
    refused(TypeError, "params: expected a tuple of arrays, got NoneType", adam_start, None)
    refused(TypeError, "params: expected a tuple", adam, None, grads, state, 0.1)
    refused(TypeError, r"state\.mean: expected a tuple", adam, params, grads,
            state._replace(mean=None), 0.1)  # fmt: skip
    refused(ValueError, r"state\.mean: expected the shapes", adam, params, grads,
            state._replace(mean=state.mean._replace(V=params.b)), 0.1)  # fmt: skip
    refused(ValueError, r"state\.square: expected the shapes", adam, params, grads,
            state._replace(square=state.square[:4]), 0.1)  # fmt: skip
    refused(TypeError, r"state\.step: .* whole", adam, params, grads, state._replace(step=0.5), 1)
    refused(ValueError, r"max_norm: .* more than 0, got 0\.0", clip_gradients, grads, 0)
    refused(ValueError, "max_norm: .* more than 0, got -1", clip_gradients, grads, -1)
    refused(TypeError, "max_norm: expected a number", clip_gradients, grads, None)
    refused(TypeError, "grads: expected a tuple", clip_gradients, grads.U, 1)
    refused(TypeError, "grads: expected a tuple", clip_gradients, (), 1)
    refused(
        TypeError,
        r"grads\.b: .* got float16",
        clip_gradients,
        grads._replace(b=grads.b.astype("f2")),
        1,
    )
    refused(TypeError, r"grads\.0: .* got int64", clip_gradients, [np.ones(2, int)], 1)
    refused(ValueError, "lr: expected at least 0", sgd, params, grads, -0.1)
    refused(ValueError, "grads: expected the shapes", sgd, params, grads._replace(V=grads.U), 0.1)
    refused(
        ValueError, "grads: expected the shapes", adam, params, grads[:4], adam_start(params), 0.1
    )
