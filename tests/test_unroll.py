"""Lesson 2: unrolling."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import assert_close, one_hot, problem, problems, refused, tensor
from utils.cell import cell_forward
from utils.torch_bridge import to_torch
from utils.unroll import last_states, pad_sequences, unroll, unroll_in_chunks


@given(problems())
def test_it_is_the_cell_at_each_step(p):
    U, V, b = p.params[:3]
    h, h_t = unroll(p.x, p.h0, U, V, b), p.h0
    for t, x_t in enumerate(p.x):
        h_t = cell_forward(x_t, h_t, U, V, b)
        assert_close(h[t], h_t, 1e-14)


@given(problems())
def test_it_is_that_of_pytorch(p):
    x = tensor(one_hot(p.x, len(p.params.U)))
    expected, _ = to_torch(p.params).recurrent(x, tensor(p.h0)[None])
    assert_close(unroll(p.x, p.h0, *p.params[:3]), expected.detach().numpy(), 1e-13)


@given(problems(ids=False), st.data())
def test_causality_a_step_depends_on_no_later_one(p, data):
    t = data.draw(st.integers(0, len(p.x) - 1))
    h = unroll(p.x, p.h0, *p.params[:3])
    changed = p.x.copy()
    changed[t] += 1
    h_changed = unroll(changed, p.h0, *p.params[:3])
    assert_close(h_changed[:t], h[:t], 0) if t else None
    assert np.abs(h_changed[t] - h[t]).max() > 0


@given(problems(), st.integers(1, 9))
def test_split_invariance_chunks_change_nothing(p, chunk):
    h = unroll(p.x, p.h0, *p.params[:3])
    assert_close(unroll_in_chunks(p.x, p.h0, *p.params[:3], chunk), h, 1e-14)


@given(problems())
def test_sequences_in_a_batch_do_not_meet(p):
    order = np.random.default_rng(0).permutation(len(p.h0))
    h = unroll(p.x, p.h0, *p.params[:3])
    assert_close(unroll(p.x[:, order], p.h0[order], *p.params[:3]), h[:, order], 1e-14)
    assert_close(unroll(p.x[:, :1], p.h0[:1], *p.params[:3]), h[:, :1], 1e-14)


@given(problems())
def test_last_states_are_those_of_the_unpadded_sequences(p):
    last = last_states(unroll(p.x, p.h0, *p.params[:3]), p.lengths)
    for b, length in enumerate(p.lengths):
        alone = unroll(p.x[:length, b : b + 1], p.h0[b : b + 1], *p.params[:3])
        assert_close(last[b], alone[-1, 0], 1e-14)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=5))
def test_padding_can_be_undone(sequences):
    ids, mask = pad_sequences(sequences, pad=7)
    assert ids.shape == mask.shape == (max(map(len, sequences)), len(sequences))
    assert [ids[mask[:, b], b].tolist() for b in range(len(sequences))] == sequences
    assert (ids[~mask] == 7).all()
    assert mask.sum() == sum(map(len, sequences))


def test_padding_takes_arrays_and_pads_with_zero():
    ids, mask = pad_sequences((np.array([3, 1]), [2]))
    assert ids.tolist() == [[3, 2], [1, 0]]
    assert mask.tolist() == [[True, True], [True, False]]
    assert ids.dtype == np.int64


def test_float32_stays():
    p = problem(dtype=np.float32)
    assert unroll(p.x, p.h0, *p.params[:3]).dtype == np.float32
    assert unroll_in_chunks(p.x, p.h0, *p.params[:3], 2).dtype == np.float32


def test_views_and_lists_are_as_good():
    p = problem()
    U, V, b = p.params[:3]
    h = unroll(p.x, p.h0, U, V, b)
    turned = np.asfortranarray(p.x), np.asfortranarray(p.h0), U.T.copy().T, V.T.copy().T, b
    assert_close(unroll(*turned), h, 1e-14)
    assert_close(unroll(*(a.tolist() for a in (p.x, p.h0, U, V, b))), h, 1e-14)


def test_ids_of_any_kind_of_integer_will_do():
    p = problem(ids=True)
    h = unroll(p.x, p.h0, *p.params[:3])
    for kind in (np.uint64, np.uint8, np.int16):
        assert_close(unroll(p.x.astype(kind), p.h0, *p.params[:3]), h, 0)
        lengths = p.lengths.astype(kind)
        assert_close(last_states(h, lengths), last_states(h, p.lengths), 0)


def test_bad_arguments_are_named():
    p = problem()
    U, V, b = p.params[:3]
    h = unroll(p.x, p.h0, U, V, b)
    refused(ValueError, r"h0: expected .* \(B=3, H\)", unroll, p.x, p.h0[:2], U, V, b)
    refused(ValueError, r"x: expected .* \(T, B, D\) or", unroll, p.x[0, 0], p.h0, U, V, b)
    refused(ValueError, r"V: expected .* \(H=6, H=6\)", unroll, p.x, p.h0, U, V[:5], b)
    refused(ValueError, "each at least 1", unroll, p.x[:0], p.h0, U, V, b)
    refused(ValueError, "chunk: .* 1, got 0", unroll_in_chunks, p.x, p.h0, U, V, b, 0)
    refused(TypeError, "chunk: .* whole", unroll_in_chunks, p.x, p.h0, U, V, b, 2.0)
    refused(ValueError, "lengths: .* T=5, got .*6", last_states, h, [1, 6, 2])
    refused(ValueError, "lengths: .* T=5, got .*0", last_states, h, [1, 0, 2])
    refused(ValueError, r"lengths: .* \(B=3,\)", last_states, h, [1, 2])
    refused(ValueError, "sequences: expected at least one", pad_sequences, [])
    refused(ValueError, r"sequences\[1\]: .* at least 1", pad_sequences, [[1], np.zeros(0, int)])
    refused(TypeError, r"sequences\[0\]: expected integers", pad_sequences, [[0.5]])
    refused(ValueError, r"sequences\[1\]: .* got shape \(0,\)", pad_sequences, [[1], []])
    refused(TypeError, "sequences: expected a list .* got NoneType", pad_sequences, None)
    refused(TypeError, r"sequences\[0\]: expected integers .*, got str", pad_sequences, "text")
    refused(TypeError, r"sequences\[0\]: .* masked", pad_sequences, [np.ma.masked_array([1])])
    refused(
        ValueError, r"h0: .*; a carried state fits batches of 2", unroll, p.x, p.h0[:2], U, V, b
    )
    refused(TypeError, "pad: expected a whole", pad_sequences, [[1]], 0.5)
