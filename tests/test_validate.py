"""Every bad argument is refused by name, with what was expected and what was got."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from tests.strategies import refused
from utils._validate import (
    arrays,
    checked,
    finite,
    generator,
    ids_below,
    network,
    number,
    numbers,
    positive,
    rows_of_state,
    tensor,
    whole,
)

X, IDS = np.zeros((4, 3, 5)), np.zeros((4, 3), dtype=int)


def test_good_arguments_come_back_as_arrays():
    x, targets, mask = arrays(
        x=(X, "TBD|TB<D"), targets=(IDS.tolist(), "TB<"), mask=(IDS == 0, "TB?")
    )
    assert x is X
    assert targets.shape == (4, 3)
    assert mask.all()


def test_any_axes_may_come_before_the_last_where_the_spec_says_so():
    for h in (np.zeros(6), np.zeros((2, 6)), np.zeros((3, 2, 6))):
        assert arrays(h=(h, "...H"))[0] is h
    assert arrays(w=(np.float64(2), "..."))[0] == 2


def test_floats_get_one_dtype_and_float32_stays():
    half, full = np.zeros(3, np.float32), np.zeros(3)
    assert arrays(a=(half, "H"), b=(half, "H"))[0] is half
    mixed = arrays(a=(half, "H"), ids=(IDS, "TB<"), b=(full, "H"))
    assert [m.dtype for m in mixed] == [np.float64, int, np.float64]
    assert arrays(a=(full, "H"), b=(full.astype(complex), "H"))[0].dtype == np.complex128


@pytest.mark.parametrize(
    ("value", "spec", "message"),
    [
        (X, "TB", r"^z: expected float32 or float64 of shape \(T, B\), got shape \(4, 3, 5\)$"),
        (X, "BH", r"float64 of shape \(B, H\), got"),
        (X[0], "HH", r"of shape \(H=3, H=3\), got shape \(3, 5\)"),
        (np.zeros((2, 9)), "D4H", r"of shape \(D=2, 4H=8\), got shape \(2, 9\)"),
        (np.zeros(()), "...H", r"of shape \(\.\.\., H\), got shape \(\)"),
        (np.zeros((0, 3)), "TH", r"of shape \(T, H\), each at least 1, got shape \(0, 3\)"),
        ([[1.0], [2.0, 3.0]], "TH", "z: expected a rectangular array"),
        (X[0, 0], "TBD|TB<", r"\(T, B, D\) or integers \(T, B\), got float64 of shape \(5,\)"),
        ([], "T<", r"^z: expected integers \(T,\), each at least 1, got shape \(0,\)$"),
        ([], "TB?", r"^z: expected booleans \(T, B\), each at least 1, got shape \(0,\)$"),
        ([[]], "TBD|TB<", r"integers \(T, B\), each at least 1, got shape \(1, 0\)"),
    ],
)
def test_a_bad_shape_is_a_value_error(value, spec, message):
    refused(ValueError, message, lambda: arrays(z=(value, spec)))


@pytest.mark.parametrize(
    ("value", "spec", "message"),
    [
        (IDS, "TH", r"z: expected float32 or float64 \(T, H\), got int64 of shape \(4, 3\)"),
        (X.astype(np.float16), "TBD", r"z: expected float32 or float64 \(T, B, D\), got float16"),
        (X.astype(object), "TBD", "got object"),
        (IDS == 0, "TB<", r"expected integers \(T, B\), got bool"),
        (IDS, "TB?", r"expected booleans \(T, B\), got int64"),
        (IDS * 1.0, "TB<", r"expected integers \(T, B\), got float64"),
        (IDS * 1.0, "TBD|TB<", r"float64 \(T, B, D\) or integers \(T, B\), got float64 of shape"),
        (X.astype(int), "TBD|TB<", r"\(T, B, D\) or integers \(T, B\), got int64 of shape"),
        (None, "BH", r"^z: expected float32 or float64 \(B, H\), got NoneType$"),
        ("text", "T<", r"^z: expected integers \(T,\), got str$"),
        (["a", "b"], "T<", r"integers \(T,\), got text of shape \(2,\)"),
        ([b"a"], "T<", r"integers \(T,\), got bytes of shape \(1,\)"),
        ({"z": X}, "TBD", "got dict"),
        ([None, None], "T<", r"got object of shape \(2,\)"),
        (np.ma.masked_array(X, X > 0), "TBD", "float64 .*, got a masked array, whose mask would"),
        ([np.ma.masked_array(X[0])], "TBD", "got a masked array, .*: give its .data"),
        (np.ma.masked_array(IDS), "TB<", "z: expected integers .*, got a masked array"),
        (torch.ones(3, 2, requires_grad=True), "BH", r"^z: .*, got Tensor: .*detach\(\)"),
        ([torch.ones(2, requires_grad=True)], "BH", "^z: .*, got list: "),
        (torch.ones(3, 2, dtype=torch.bfloat16), "BH", "^z: expected float32 .*, got Tensor: "),
    ],
)
def test_a_bad_dtype_is_a_type_error(value, spec, message):
    refused(TypeError, message, lambda: arrays(z=(value, spec)))


class Pair(NamedTuple):
    V: str
    b: str


@checked(x="TBD", pair=Pair("HH", "H"))
def example(pair, x, again=1):
    """What it does."""
    return pair, x, again


def test_a_checked_function_is_called_like_any_other():
    V, b, x = np.zeros((2, 2), np.float32), np.zeros(2), X.tolist()
    for pair, found, again in (
        example(Pair(V, b), x),
        example([V, b], x, 1),
        example(x=x, pair=(V, b)),
        example((V, b), again=1, x=x),
    ):
        assert isinstance(pair, Pair)
        assert pair.V.dtype == pair.b.dtype == np.float64
        assert found.shape == X.shape
        assert again == 1
    assert example.__name__ == "example"
    assert example.__doc__.startswith("What it does.\n\nRaises TypeError or ValueError")


def test_a_checked_function_is_called_wrongly_like_any_other():
    V, b = np.zeros((2, 2)), np.zeros(2)
    refused(TypeError, "missing a required argument: 'x'", example, (V, b))
    refused(TypeError, "too many positional arguments", example, (V, b), X, 1, 2)
    refused(ValueError, r"pair\.b: expected .* \(H=2,\), got shape \(2, 2\)", example, (V, V), X)
    refused(TypeError, "params: expected the arrays V, b, got ndarray", example, V, X)
    refused(TypeError, "params: expected the arrays V, b, got tuple", example, (V, b, b), X)


def test_sizes_must_agree_between_arguments():
    with pytest.raises(ValueError, match=r"U: expected .* \(D=5, H\), got shape \(6, 2\)"):
        arrays(x=(X, "TBD"), U=(np.zeros((6, 2)), "DH"))


@pytest.mark.parametrize(("wrong", "dtype"), [(-1, np.int8), (5, np.int64), (200, np.uint8)])
def test_ids_must_be_in_range(wrong, dtype):
    ids = np.array([0, 4, wrong], dtype=dtype)
    with pytest.raises(ValueError, match=f"ids: expected ids from 0 to 4, got {wrong}"):
        ids_below("ids", ids, 5)
    with pytest.raises(ValueError, match=f"x: expected ids from 0 to 4, got {wrong}"):
        arrays(x=(ids, "BD|B<D"), U=(np.zeros((5, 2)), "DH"))
    assert ids_below("ids", ids[:2], 5) is not None


def test_whole_numbers():
    assert whole("k", np.int64(3), 1) == 3
    assert whole("k", np.array(3)) == 3
    assert type(whole("k", np.int64(-3))) is int
    with pytest.raises(ValueError, match="k: expected at least 1, got 0"):
        whole("k", 0, 1)
    for wrong in (1.0, "1", None, True, np.True_, np.array([1, 2]), np.ma.masked, [1], np.nan):
        with pytest.raises(TypeError, match="k: expected a whole number, got"):
            whole("k", wrong, 1)


def test_positive_numbers():
    assert positive("eps", np.float32(0.5)) == 0.5
    assert positive("eps", np.inf) == np.inf
    assert positive("lr", 0, zero_too=True) == 0
    for wrong in (0, -1, np.nan):
        with pytest.raises(ValueError, match=f"eps: expected more than 0, got {float(wrong)}"):
            positive("eps", wrong)
    with pytest.raises(ValueError, match=r"lr: expected at least 0, got -1\.0"):
        positive("lr", -1, zero_too=True)
    for wrong in (None, "much", [1, 2]):
        with pytest.raises(TypeError, match="eps: expected a number, got"):
            positive("eps", wrong)


@given(st.floats())
def test_a_number_is_a_number_in_whatever_it_comes(value):
    for given_as in (
        value,
        np.float64(value),
        np.array(value),
        torch.tensor(value, dtype=torch.float64),
    ):
        np.testing.assert_equal(number("x", given_as), value)
    assert number("x", np.float32(0.5)) == number("x", torch.tensor(0.5)) == 0.5
    assert number("x", 3) == 3


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (None, "NoneType"),
        ("1.9", "str '1.9'"),
        (b"1.9", "bytes"),
        (True, "bool True"),
        (np.True_, "bool"),
        (1j, "complex"),
        (np.complex128(1), "complex128"),
        (np.array(1j), "ndarray"),
        (torch.tensor(1j), "Tensor"),
        (torch.tensor(0.5, requires_grad=True), r"Tensor tensor\(0.5000, requires_grad=True\)"),
        ([1.0], "list"),
        ([[1.0], []], "list"),
        (np.ones(1), r"ndarray of shape \(1,\)"),
        (np.ma.masked, "MaskedConstant"),
        (10**400, "int 1000"),
        ("x" * 99, r"str 'x{56}\.\.\.$"),
    ],
)
def test_what_is_no_number_is_refused(wrong, got):
    refused(TypeError, f"^x: expected a number, got {got}", number, "x", wrong)


def test_numbers_of_any_kind():
    for good in (X, IDS, IDS == 0, 1, [1.5, 2], np.float16(1), 1j):
        assert (numbers("x", good) == good).all()
    refused(TypeError, "^x: expected numbers, got text", numbers, "x", ["a"])
    refused(TypeError, "^x: expected numbers, got object", numbers, "x", [None])
    refused(TypeError, "^x: expected numbers, got NoneType", numbers, "x", None)
    refused(TypeError, "^x: expected numbers, got a masked array", numbers, "x", np.ma.ones(3))
    refused(ValueError, r"^x: expected at least one number, got shape \(0,\)", numbers, "x", [])


@given(nps.arrays(float, st.integers(1, 4)))
def test_finite_numbers(values):
    if np.isfinite(values).all():
        finite("x", values)
    else:
        refused(ValueError, "^x: expected finite numbers, got (nan|-?inf); ", finite, "x", values)


@given(
    st.sampled_from([kind + str(n) for kind in ("int", "uint") for n in (8, 16, 32, 64)] + [">i4"]),
    st.lists(st.integers(0, 127), min_size=1),
)
def test_all_ids_become_int64(dtype, ids):
    narrow = np.array(ids, dtype)
    for spec in ("T<", "T<K"):
        wide, _ = arrays(ids=(narrow, spec), b=(np.zeros(128), "K"))
        assert wide.dtype == np.int64
        assert wide.tolist() == ids
    assert ids_below("ids", narrow, 128).tolist() == ids


def test_ids_too_large_for_int64_are_refused_even_where_there_is_no_limit():
    ids = np.array([1, 2**63], np.uint64)
    refused(ValueError, "ids: .* got 9223372036854775808", lambda: arrays(ids=(ids, "T<")))
    refused(ValueError, "ids: .* got 9223372036854775808", ids_below, "ids", ids, 5)


@pytest.mark.parametrize("name", ["h0", "c0", "h_prev", "c_prev"])
def test_a_state_of_another_batch_is_told_what_to_do(name):
    def call(rows, columns=6):
        state = np.zeros((rows, columns))
        return arrays(x=(X, "TBD"), **{name: (state, "BH"), "b": (np.zeros(6), "H")})

    assert call(3)
    advice = r"a carried state fits batches of 4 sequences only: .* np\.zeros\(\(3, 6\)\)$"
    refused(ValueError, rf"^{name}: .* \(B=3, H\), got shape \(4, 6\); {advice}", call, 4)
    refused(ValueError, r"^b: expected .* got shape \(6,\)$", call, 3, 5)


def test_a_state_of_tensors_is_told_the_same():
    rows_of_state("h0", (3, 6), 3)
    rows_of_state("h0", (1, 3, 6), 2)  # not of this form: whoever reads it will say
    refused(ValueError, r"^h0: expected shape \(B=2, H\), got shape \(3, 6\); a carried",
            rows_of_state, "h0", (3, 6), 2)  # fmt: skip


def test_tensors():
    for kind, good in {"numbers": X, "integers": IDS, "booleans": IDS == 0}.items():
        tensor("x", torch.from_numpy(good), kind)
        refused(TypeError, f"^x: .* of {kind}, got ndarray: to_tensors", tensor, "x", good, kind)
    refused(TypeError, "^x: .* of integers, got torch.float64", tensor, "x", torch.from_numpy(X),
            "integers")  # fmt: skip
    refused(TypeError, "^x: .* of booleans, got torch.int64", tensor, "x", torch.from_numpy(IDS),
            "booleans")  # fmt: skip
    for wrong in (torch.tensor([True]), torch.tensor([1j])):
        refused(TypeError, "^x: .* of integers, got torch", tensor, "x", wrong, "integers")


class Single(NamedTuple):
    U: str


def test_a_network_and_its_batch():
    V, b, x = np.zeros((5, 5)), np.zeros(5), X.tolist()
    kinds = Single("DH"), Pair("DD", "D")
    params, found = network(Pair(V.tolist(), b), kinds, x=(x, "TBD"))
    assert isinstance(params, Pair)
    assert params.V.shape == (5, 5)
    assert found.shape == X.shape
    assert isinstance(network(Single(V), kinds)[0], Single)
    refused(TypeError, "^params: expected Single or Pair, got tuple", network, (V, b), kinds)
    refused(ValueError, r"^params\.b: ", network, Pair(V, b[1:]), kinds)
    refused(ValueError, r"^x: .* \(T, B, D=5\)", lambda: network(Single(V), kinds, x=(b, "TBD")))


def test_randomness_comes_from_a_generator():
    rng = np.random.default_rng(0)
    assert generator(rng) is rng
    for wrong in (0, None, np.random):
        with pytest.raises(TypeError, match=r"rng: expected a np\.random\.Generator, got"):
            generator(wrong)
