"""Every bad argument is refused by name, with what was expected and what was got."""

from typing import NamedTuple

import numpy as np
import pytest

from tests.strategies import refused
from utils._validate import arrays, checked, generator, ids_below, positive, whole

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
    assert example.__doc__ == "What it does."


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
    for wrong in (1.0, "1", None, True, np.True_, np.array([1, 2])):
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


def test_randomness_comes_from_a_generator():
    rng = np.random.default_rng(0)
    assert generator(rng) is rng
    for wrong in (0, None, np.random):
        with pytest.raises(TypeError, match=r"rng: expected a np\.random\.Generator, got"):
            generator(wrong)
