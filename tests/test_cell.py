"""Lesson 1: the cell, the readout and the parameters."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given

from tests.strategies import assert_close, one_hot, problem, problems, refused, sizes, tensor
from utils.cell import RNNParams, cell_forward, count_parameters, init_params, readout


@given(problems())
def test_one_step_is_the_formula_number_by_number(p):
    U, V, b, _, _ = p.params
    x_t, h_t = one_hot(p.x[0], len(U)), cell_forward(p.x[0], p.h0, U, V, b)
    for row in range(len(x_t)):
        for unit in range(len(b)):
            a = b[unit]
            a += sum(x_t[row, i] * U[i, unit] for i in range(len(U)))
            a += sum(p.h0[row, i] * V[i, unit] for i in range(len(V)))
            assert h_t[row, unit] == pytest.approx(math.tanh(a), rel=1e-12, abs=1e-14)


def test_one_step_is_that_of_pytorch():
    p = problem()
    U, V, b, _, _ = p.params
    cell = torch.nn.RNNCell(*U.shape, dtype=torch.float64)
    state = {"weight_ih": U.T, "weight_hh": V.T, "bias_ih": b, "bias_hh": 0 * b}
    cell.load_state_dict({name: tensor(value) for name, value in state.items()})
    expected = cell(tensor(p.x[0]), tensor(p.h0)).detach().numpy()
    assert_close(cell_forward(p.x[0], p.h0, U, V, b), expected)


def test_the_readout_takes_any_axes_before_the_last():
    W, c = problem().params[3:]
    h = np.random.default_rng(0).standard_normal((5, 3, 6))
    assert_close(readout(h, W, c), h @ W + c)
    assert_close(readout(h[0], W, c), h[0] @ W + c)
    assert_close(readout(h[0, 0], W, c), h[0, 0] @ W + c)


def test_float32_stays_and_complex_numbers_pass():
    p = problem(dtype=np.float32)
    assert cell_forward(p.x[0], p.h0, *p.params[:3]).dtype == np.float32
    assert readout(p.h0, *p.params[3:]).dtype == np.float32
    assert cell_forward(p.x[0].astype(complex), p.h0, *p.params[:3]).dtype == np.complex128


@given(sizes, sizes, sizes)
def test_the_count_is_that_of_the_parameters(D, H, K):
    params = init_params(D, H, K, np.random.default_rng(0))
    assert count_parameters(D, H, K) == sum(p.size for p in params)
    assert {p.dtype for p in params} == {np.dtype(float)}


def test_initial_weights():
    params = init_params(20, 25, 30, np.random.default_rng(1))
    assert not params.b.any()
    assert not params.c.any()
    for weight in (params.U, params.V, params.W):
        assert 0.19 < np.abs(weight).max() <= 1 / np.sqrt(25)
        assert abs(weight.mean()) < 0.02
    again = init_params(20, 25, 30, np.random.default_rng(1))
    assert_close(again, params, 0)


def test_bad_arguments_are_named():
    p = problem()
    U, V, b, W, c = p.params
    x_t = p.x[0]
    refused(ValueError, r"h_prev: expected .* \(B=3, H\), got", cell_forward, x_t, b, U, V, b)
    refused(ValueError, r"U: expected .* \(D=4, H=6\)", cell_forward, x_t, p.h0, U.T, V, b)
    refused(ValueError, "b: expected", cell_forward, x_t, p.h0, U, V, c)
    refused(TypeError, "x_t: expected", cell_forward, x_t.astype(int), p.h0, U, V, b)
    refused(ValueError, "x_t: .* from 0 to 3", cell_forward, [0, 1, 4], p.h0, U, V, b)
    refused(ValueError, r"W: expected .* \(H=6, K\)", readout, p.h0, W.T, c)
    refused(ValueError, r"c: expected .* \(K=2,\)", readout, p.h0, W, b)
    refused(TypeError, "V: .* got float16", cell_forward, x_t, p.h0, U, V.astype("f2"), b)
    refused(ValueError, "H: expected at least 1, got 0", count_parameters, 1, 0, 1)
    refused(TypeError, "D: expected a whole number", init_params, 1.5, 1, 1, p.rng)
    refused(TypeError, "rng: expected", init_params, 1, 1, 1, 0)
    assert isinstance(RNNParams(*p.params), tuple)
