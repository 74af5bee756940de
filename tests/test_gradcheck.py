"""The gradient checks check out."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import assert_close, problem, problems, refused, seeds
from utils.bptt import bptt
from utils.cell import readout
from utils.gradcheck import complex_step_gradient, numerical_gradient, relative_error, rtrl
from utils.loss import sequence_cross_entropy
from utils.unroll import unroll


def cubic(w):
    return (w**3).sum() + w.ravel()[0] * w.ravel()[-1]


def gradient_of_cubic(w):
    grad = np.array(3 * w**2)
    grad.ravel()[0] += w.ravel()[-1]
    grad.ravel()[-1] += w.ravel()[0]
    return grad


@given(seeds)
def test_both_find_a_gradient_known_by_hand(seed):
    w = np.random.default_rng(seed).standard_normal((3, 2))
    w.flags.writeable = False
    assert_close(numerical_gradient(cubic, w), gradient_of_cubic(w), 1e-8)
    assert_close(complex_step_gradient(cubic, w), gradient_of_cubic(w), 1e-15)


def test_any_shape():
    for shape in [(), (1,), (2, 3, 2)]:
        w = np.full(shape, 0.5)
        assert_close(numerical_gradient(cubic, w), gradient_of_cubic(w), 1e-8)
        assert_close(complex_step_gradient(cubic, w), gradient_of_cubic(w), 1e-15)


def test_the_complex_step_is_exact_and_differences_are_not():
    p = problem(T=8, B=3, D=4, H=5, K=3)
    U, _, b, W, c = p.params

    def loss(V):
        h = unroll(p.x, p.h0, U, V, b)
        return sequence_cross_entropy(readout(h, W, c), p.targets, p.mask)

    exact = complex_step_gradient(loss, p.params.V)
    assert_close(complex_step_gradient(loss, p.params.V, 1e-30), exact, 1e-15)
    errors = {eps: relative_error(numerical_gradient(loss, p.params.V, eps), exact)
              for eps in (1e-1, 1e-3, 1e-5, 1e-8, 1e-11)}  # fmt: skip
    assert min(errors, key=errors.get) == 1e-5
    assert 1e-13 < errors[1e-5] < 1e-8
    assert np.max([errors[1e-1], errors[1e-11]]) > 1e-5


@given(seeds)
def test_float32_weights_are_moved_in_float64(seed):
    w = np.random.default_rng(seed).standard_normal((3, 2)).astype(np.float32)
    exact = gradient_of_cubic(w.astype(float))
    assert_close(numerical_gradient(cubic, w), exact, 1e-8)
    assert_close(complex_step_gradient(cubic, w), exact, 1e-15)


@given(problems())
def test_rtrl_is_bptt(p):
    h = unroll(p.x, p.h0, *p.params[:3])
    expected, _, _ = bptt(p.do, p.x, p.h0, h, p.params)
    assert_close(rtrl(p.do, p.x, p.h0, h, p.params), expected, 1e-12)


@given(seeds, st.sampled_from([float, np.float64, np.array]))
def test_a_loss_may_write_into_its_w_and_give_a_number_in_any_form(seed, form):
    w = np.random.default_rng(seed).standard_normal((3, 2))

    def doubled(w):
        w *= 2
        return cubic(w) if np.iscomplexobj(w) else form(cubic(w))

    exact = gradient_of_cubic(2 * w) * 2
    assert_close(numerical_gradient(doubled, w), exact, 1e-8)
    assert_close(complex_step_gradient(doubled, w), exact, 1e-15)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda w: None, "^loss: expected a number, got NoneType$"),
        (lambda w: w**2, r"^loss: expected a number, got ndarray of shape \(2,\)$"),
        (lambda w: np.array([w.sum()]), r"^loss: expected a number, got ndarray of shape \(1,\)$"),
        (lambda w: "0.5", "^loss: expected a number, got str '0.5'$"),
        (lambda w: w.sum() + 0j, "^loss: expected a number, got complex128"),
        (
            lambda w: np.float32(w.sum()),
            "^loss: expected a number of float64, got float32, in whose",
        ),
        (lambda w: w.sum().astype(np.float16), "^loss: expected a number of float64, got float16"),
        (lambda w: torch.tensor(w.sum(), dtype=torch.float32), "float64, got torch.float32, in"),
    ],
)
def test_a_loss_that_is_no_number_of_float64_is_refused(loss, message):
    refused(TypeError, message, numerical_gradient, loss, np.ones(2))


def test_a_loss_that_is_no_complex_number_is_refused():
    for loss in (lambda w: None, lambda w: w, lambda w: w.sum().real):
        refused(TypeError, "loss: expected a complex number", complex_step_gradient, loss, [1.0, 2])


@given(seeds)
def test_a_loss_of_nan_is_a_gradient_of_nan(seed):
    w = np.random.default_rng(seed).standard_normal(3)
    assert np.isnan(numerical_gradient(lambda w: np.nan * w.sum(), w)).all()
    assert np.isnan(complex_step_gradient(lambda w: np.nan * w.sum(), w)).all()


def test_relative_error():
    assert relative_error([1.0, 2.0], [1.0, 2.0]) == 0
    assert relative_error([1.0, 3.0], [1.0, 4.0]) == 0.25
    assert relative_error([0.0, 0.0], [0.0, 0.0]) == 0
    assert relative_error([True, False], [1, 3]) == 1
    assert relative_error(np.array([200], np.uint8), np.array([100], np.uint8)) == 0.5
    assert relative_error(np.array([1e308]), np.array([-1e308])) >= 2  # the difference overflows
    with pytest.raises(ValueError, match=r"got: expected shape \(2,\), got shape \(1,\)"):
        relative_error([1.0], [1.0, 2.0])
    refused(TypeError, "expected: expected numbers, got NoneType", relative_error, [1.0], None)
    refused(TypeError, "got: expected numbers, got text", relative_error, ["1.0"], [1.0])
    refused(TypeError, "got: expected numbers, got a masked", relative_error, np.ma.ones(1), [1.0])
    refused(ValueError, "got: expected at least one number", relative_error, [], [])
    wants_gradient = torch.ones(1, requires_grad=True)
    refused(TypeError, "expected: .*detach", relative_error, [1.0], wants_gradient)


def test_bad_arguments_are_named():
    w = np.ones(2)
    for check in (numerical_gradient, complex_step_gradient):
        refused(ValueError, "eps: expected more than 0, got 0", check, cubic, w, 0)
        refused(
            TypeError, r"w: expected float32 or float64 .* got int64", check, cubic, w.astype(int)
        )
        refused(TypeError, "w: expected float32 or float64, got complex128", check, cubic, 1j * w)
        refused(TypeError, "w: .* got a masked array", check, cubic, np.ma.masked_array(w))
        refused(TypeError, "w: .* got NoneType", check, cubic, None)
        refused(ValueError, "w: expected .* each at least 1", check, cubic, w[:0])
        refused(ValueError, "eps: expected more than 0, got nan", check, cubic, w, np.nan)
    refused(TypeError, "loss: expected a complex", complex_step_gradient, lambda w: abs(w).sum(), w)
    p = problem()
    h = unroll(p.x, p.h0, *p.params[:3])
    refused(ValueError, "do: expected", rtrl, p.do[1:], p.x, p.h0, h, p.params)
