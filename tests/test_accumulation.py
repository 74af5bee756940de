"""Lesson 4: many small batches are one large one."""

from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import assert_close, problem, refused, seeds, tensor
from utils import accumulation as lesson
from utils.accumulation import (
    Batch,
    accumulate_gradients,
    activation_bytes,
    train_epoch,
    train_epoch_torch,
    update_after,
)
from utils.bptt import loss_and_gradients
from utils.cell import RNNParams, init_params
from utils.gradcheck import relative_error
from utils.optim import clip_gradients, sgd
from utils.torch_bridge import from_torch, to_tensors, to_torch
from utils.unroll import unroll


def cut(p, rows):
    """The problem's batch in micro-batches of so many rows, each no longer than it need be."""
    for start, stop in pairwise(np.cumsum([0, *rows])):
        at = slice(p.lengths[start:stop].max()), slice(start, stop)
        yield Batch(p.x[at], p.targets[at], p.mask[at], p.h0[start:stop])


@st.composite
def cut_problems(draw):
    rows = draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
    T, ids = draw(st.integers(1, 7)), draw(st.booleans())
    p = problem(T, sum(rows), 3, 4, 3, draw(seeds), ids=ids)
    return p, rows


@given(cut_problems())
def test_accumulated_is_the_full_batch(cut_problem):
    p, rows = cut_problem
    loss, grads, _, _ = loss_and_gradients(p.params, *p.batch)
    micro_batches = list(cut(p, rows))
    assert_close(accumulate_gradients(p.params, micro_batches), (loss, grads), 1e-12)
    assert_close(accumulate_gradients(p.params, micro_batches[::-1]), (loss, grads), 1e-12)


@pytest.mark.parametrize(
    ("rows", "lengths", "harmless"),
    [
        ((2, 2, 2, 2), [12] * 8, True),
        ((3, 3, 2), [12] * 8, False),
        ((7, 1), [12] * 8, False),
        ((2, 2, 2, 2), [12, 2, 12, 3, 1, 2, 12, 1], False),
    ],
)
def test_to_divide_by_the_number_of_micro_batches_needs_equal_ones(rows, lengths, harmless):
    p = problem(T=12, B=8, D=6, H=16, K=6, seed=3)
    p.lengths = np.array(lengths)
    p.mask = np.arange(12)[:, None] < p.lengths
    _, full, _, _ = loss_and_gradients(p.params, p.x, p.targets, p.mask, p.h0)
    micro_batches = list(cut(p, rows))
    _, grads = accumulate_gradients(p.params, micro_batches)
    assert_close(grads, full, 1e-14)
    each = [loss_and_gradients(p.params, *batch)[1] for batch in micro_batches]
    naive = RNNParams(*(sum(parts) / len(rows) for parts in zip(*each, strict=True)))
    error = np.max([relative_error(n, f) for n, f in zip(naive, full, strict=True)])
    assert error < 1e-14 if harmless else error > 0.05


@given(st.integers(0, 40), st.integers(1, 12))
def test_updates_come_after_each_k_and_after_the_last(n_micro, k):
    after = update_after(n_micro, k)
    assert after == [i for i in range(n_micro) if (i + 1) % k == 0 or i == n_micro - 1]
    assert all(type(i) is int for i in after)


@given(cut_problems(), st.integers(1, 6), st.sampled_from([None, 0.05, 1e3]))
def test_an_epoch_is_one_clipped_step_a_window(cut_problem, k, max_norm):
    p, rows = cut_problem
    micro_batches, params = list(cut(p, rows)), p.params
    for start in range(0, len(rows), k):
        _, grads = accumulate_gradients(params, micro_batches[start : start + k])
        grads = grads if max_norm is None else clip_gradients(grads, max_norm)[0]
        params = sgd(params, grads, 0.3)
    assert_close(train_epoch(p.params, micro_batches, k, 0.3, max_norm), params, 0)


@pytest.mark.parametrize("max_norm", [None, 0.2, 1e3])
@pytest.mark.parametrize("k", [1, 3, 9])
def test_an_epoch_in_pytorch_gives_the_same_weights(k, max_norm):
    p = problem(T=6, B=9, D=3, H=4, K=3, ids=True)
    micro_batches = list(cut(p, [2, 1, 3, 1, 2]))
    model = to_torch(p.params)
    for stale in model.parameters():
        stale.grad = torch.ones_like(stale)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    tensors = [Batch(*map(tensor, batch)) for batch in micro_batches]
    assert train_epoch_torch(model, tensors, optimizer, k, max_norm) is None
    expected = train_epoch(p.params, micro_batches, k, 0.3, max_norm)
    assert_close(from_torch(model), expected, 1e-5 if max_norm == 0.2 else 1e-12)
    assert all(t.grad is None for t in model.parameters())


def test_training_lowers_the_loss():
    p = problem(T=6, B=9, D=3, H=4, K=3)
    micro_batches, params = list(cut(p, [3, 3, 3])), init_params(3, 4, 3, p.rng)
    before, _ = accumulate_gradients(params, micro_batches)
    for _ in range(20):
        params = train_epoch(params, micro_batches, 2, 0.5, 5.0)
    after, _ = accumulate_gradients(params, micro_batches)
    assert after < before - 0.1


def test_activation_bytes_are_those_of_the_states():
    p = problem(T=5, B=7, H=6)
    h = unroll(p.x, p.h0, *p.params[:3])
    assert activation_bytes(5, 7, 6, 1) == h.nbytes + p.h0.nbytes
    assert activation_bytes(5, 7, 6, 2) == h[:, :4].nbytes + p.h0[:4].nbytes
    assert activation_bytes(5, 7, 6, 3, itemsize=4) == 6 * 3 * 6 * 4
    assert activation_bytes(np.int64(5), 7, 6, 100) == 6 * 1 * 6 * 8
    assert type(activation_bytes(np.int64(5), 7, 6, 1)) is int


def test_float32_stays_and_plain_tuples_will_do():
    p = problem(B=4, dtype=np.float32)
    micro_batches = [tuple(batch) for batch in cut(p, [3, 1])]
    loss, grads = accumulate_gradients(list(p.params), micro_batches)
    assert type(loss) is float
    assert isinstance(grads, RNNParams)
    after = train_epoch(p.params, micro_batches, 1, 0.1, 1.0)
    assert {a.dtype for a in (*grads, *after)} == {np.dtype(np.float32)}


def test_no_micro_batches_no_update():
    p = problem()
    assert train_epoch(p.params, [], 2, 0.1, None) is p.params


def test_bad_arguments_are_named():
    p = problem()
    batch, model = Batch(*p.batch), to_torch(p.params)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    no_steps = batch._replace(mask=p.mask & False)
    refused(ValueError, "micro_batches: expected at least one", accumulate_gradients, p.params, [])
    refused(TypeError, "micro_batches: expected a list", accumulate_gradients, p.params, 3)
    refused(TypeError, "micro_batches: expected a list", accumulate_gradients, p.params, p.batch)
    refused(
        ValueError, "mask: expected at least one True", accumulate_gradients, p.params, [no_steps]
    )
    refused(ValueError, "k: expected at least 1, got 0", update_after, 3, 0)
    refused(ValueError, "n_micro: expected at least 0", update_after, -1, 1)
    refused(ValueError, "k: expected at least 1", train_epoch, p.params, [batch], 0, 0.1, None)
    refused(ValueError, "max_norm: expected more than 0", train_epoch, p.params, [batch], 1, 0.1, 0)
    refused(ValueError, "lr: expected at least 0", train_epoch, p.params, [batch], 1, -0.1, None)
    refused(ValueError, "max_norm", train_epoch_torch, model, [to_tensors(batch)], optimizer, 1, 0)
    refused(TypeError, "list of Batch.*, got NoneType", accumulate_gradients, p.params, None)
    refused(TypeError, "list of Batch.*, got Batch$", accumulate_gradients, p.params, batch)
    refused(TypeError, "list of Batch.*, got str$", train_epoch, p.params, "text", 1, 0.1, None)
    refused(TypeError, "got NoneType at place 1", accumulate_gradients, p.params, [batch, None])
    refused(TypeError, "got tuple at place 0", accumulate_gradients, p.params, [p.batch[:3]])
    refused(ValueError, "k: expected at least 1", activation_bytes, 1, 1, 1, 0)
    refused(ValueError, "B: expected at least 1", activation_bytes, 1, 0, 1, 1)


def test_pytorch_gets_tensors_and_names_what_is_none_before_it_touches_the_model():
    p = problem()
    arrays, model = Batch(*p.batch), to_torch(p.params)
    good, optimizer = to_tensors(arrays), torch.optim.SGD(model.parameters(), lr=0.1)
    for error, message, changes in [
        (TypeError, "x: expected a tensor of numbers, got ndarray: to_tensors", {"x": arrays.x}),
        (TypeError, "h0: .* got ndarray: to_tensors", {"h0": arrays.h0}),
        (TypeError, "h0: .* got NoneType", {"h0": None}),
        (TypeError, "h0: .* got ndarray", {"h0": (good.h0, arrays.h0)}),
        (TypeError, "targets: .* got list", {"targets": arrays.targets.tolist()}),
        (TypeError, "targets: .* integers, got torch.float", {"targets": good.targets * 1.0}),
        (TypeError, "mask: .* booleans, got torch.int64", {"mask": good.mask * 1}),
        (ValueError, r"mask: .* targets \(5, 3\), got \(4, 3\)", {"mask": good.mask[1:]}),
        (ValueError, "mask: expected at least one True", {"mask": good.mask & False}),
        (ValueError, r"h0: .* smaller, .* np.zeros\(\(3, 6\)\)", {"h0": good.h0[:2]}),
    ]:
        batches = [good, good, good._replace(**changes)]
        refused(error, message, train_epoch_torch, model, batches, optimizer, 1, None)
    refused(TypeError, "list of Batch", train_epoch_torch, model, good, optimizer, 1, None)
    assert_close(from_torch(model), p.params, 0)


def test_in_pytorch_too_ids_of_any_integer_will_do_and_a_batch_without_real_steps_adds_nothing():
    p = problem(ids=True)
    batch = to_tensors(Batch(*p.batch))
    narrow = batch._replace(x=batch.x.to(torch.uint8), targets=batch.targets.to(torch.int16))
    empty = batch._replace(mask=batch.mask & False)
    after = []
    for batches in ([batch], [narrow], [narrow, empty]):
        model = to_torch(p.params)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train_epoch_torch(model, batches, optimizer, 2, None)
        after.append(from_torch(model))
    assert_close(after[1], after[0], 0)
    assert_close(after[2], after[0], 1e-14)


def test_only_one_micro_batch_is_unrolled_at_a_time():
    p = problem(B=6)
    seen = []

    def spy(params, x, *rest):
        seen.append(x.shape[1])
        return loss_and_gradients(params, x, *rest)

    with mock.patch.object(lesson, "loss_and_gradients", spy):
        accumulate_gradients(p.params, list(cut(p, [2, 3, 1])))
    assert seen == [2, 3, 1]
