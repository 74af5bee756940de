"""The data sets: what is in them, and the losses their makers promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import refused
from utils.data import (
    END,
    alphabet,
    colour_names,
    copy_task,
    decode,
    encode,
    lagged_bits,
    lagged_bits_floors,
    load_text,
    markov2,
    markov2_perplexities,
    python_docs,
    same_bag,
)
from utils.language_model import ngram_perplexity


def test_the_colour_names():
    train, held_out = colour_names()
    assert (len(train.names), len(held_out.names)) == (828, 92)
    names = train.names + held_out.names
    assert len(set(names)) == 920
    for part in (train, held_out):
        assert part.rgb.shape == (len(part.names), 3)
        assert 0 <= part.rgb.min() < part.rgb.max() <= 1
    assert train.rgb[train.names.index("light blue")] == pytest.approx(
        [0.584, 0.816, 0.988], abs=1e-3
    )
    again, _ = colour_names()
    assert again.names == train.names


def test_no_colour_name_would_be_giggled_at():
    names = " ".join(sum((part.names for part in colour_names()), ()))
    for crude in (
        "shit",
        "piss",
        "poo",
        "puke",
        "vomit",
        "barf",
        "snot",
        "booger",
        "diarrhea",
        "bile",
    ):
        assert crude not in names


def test_letters_become_ids_and_come_back():
    letters = alphabet(["ab c", "cd"])
    assert letters == END + " abcd"
    assert alphabet("dcba c\n") == END + " abcd"
    ids = encode("bad" + END, letters)
    assert ids.tolist() == [3, 2, 5, 0]
    assert ids.dtype == encode("", letters).dtype == np.int64
    assert decode(ids, letters) == "bad" + END
    assert decode([3, 2], letters) == "ba"
    assert decode([], letters) == ""
    refused(ValueError, r"text: expected only the letters .* got 'xz'", encode, "zax", letters)
    refused(ValueError, r"ids: expected ids from 0 to 5, got 6", decode, [6], letters)
    refused(TypeError, r"ids: expected integers", decode, [0.5], letters)


@given(st.text("abü /\n∂", max_size=30))
def test_any_text_comes_back(text):
    letters = alphabet(text)
    assert decode(encode(text, letters), letters) == text


def test_the_python_docs_are_english_prose():
    text = python_docs()
    assert len(text) > 300_000
    assert " the " in text
    assert python_docs() == text


def test_a_text_of_your_own(tmp_path):
    path = tmp_path / "mine.txt"
    text = "Grüße.\n" * 200
    for newline in ("\n", "\r\n"):
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", newline).encode())
        assert load_text(path) == load_text(str(path)) == text


def test_a_text_that_will_not_do(tmp_path):
    for name, content, message in [
        ("empty.txt", b"", "at least 1000 characters to learn from, got 0 in empty.txt"),
        ("tiny.txt", b"  a bit  ", "got 5 in tiny.txt"),
        ("image.png", b"\x89PNG\0" * 500, "got a binary file: image.png"),
        ("latin.txt", "Grüße".encode("latin-1") * 500, "latin.txt, whose byte 2 is not UTF-8"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_text(path)
    for missing in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(FileNotFoundError, match="path: expected a text file, got"):
            load_text(missing)


def test_lagged_bits_follow_the_bits_they_should():
    x, y = lagged_bits(2000, 20, np.random.default_rng(0))
    assert x.shape == y.shape == (2000, 20)
    assert set(np.unique(x)) == set(np.unique(y)) == {0, 1}
    for near in (0, 1):
        for far in (0, 1):
            seen = y[8:][(x[5:-3] == near) & (x[:-8] == far)]
            assert seen.mean() == pytest.approx(0.5 + 0.5 * near - 0.25 * far, abs=0.02)
    assert y[:3].mean() == pytest.approx(0.625, abs=0.15)  # what lies before the first step counts


def test_lagged_bits_floors():
    assert lagged_bits_floors() == pytest.approx((0.6616, 0.5192, 0.4544), abs=1e-4)


def test_the_copy_task():
    x, targets, mask = copy_task(5, 3, 50, np.random.default_rng(0))
    assert x.shape == targets.shape == mask.shape == (7, 50)
    assert set(x[0]) == {1, 2, 3}
    assert set(x[1:-1].ravel()) == {4, 5, 6}
    assert not x[-1].any()
    assert targets[-1].tolist() == x[0].tolist()
    assert mask[-1].all()
    assert not mask[:-1].any()


def test_the_markov_language_is_as_hard_as_it_says():
    unigram, bigram, floor = markov2_perplexities()
    assert (unigram, bigram, floor) == pytest.approx((5.79, 5.38, 3.20), abs=0.005)
    train, held_out = (markov2(60_000, np.random.default_rng(seed)) for seed in (0, 1))
    assert set(train) == set(range(6))
    for n, expected in ((1, unigram), (2, bigram), (3, floor)):
        assert ngram_perplexity(train, held_out, 6, n) == pytest.approx(expected, rel=0.01)


def test_bad_arguments_are_named():
    rng = np.random.default_rng(0)
    refused(ValueError, "T: expected at least 1, got 0", lagged_bits, 0, 1, rng)
    refused(TypeError, "rng: expected", lagged_bits, 1, 1, 0)
    refused(ValueError, "symbols: expected at least 2", copy_task, 1, 1, 1, rng)
    refused(ValueError, "delay: expected at least 1", copy_task, 0, 2, 1, rng)
    refused(TypeError, "n: expected a whole number", markov2, 1.5, rng)
    refused(TypeError, "rng: expected", markov2, 5, None)
    refused(TypeError, "n: expected a whole number, got float nan", markov2, np.nan, rng)
    refused(TypeError, "text: expected a string, got NoneType", encode, None, "ab")
    refused(TypeError, "letters: expected a string, got list", encode, "a", ["a"])
    refused(TypeError, "letters: expected a string, got NoneType", decode, [0], None)
    refused(TypeError, "ids: expected integers .* got NoneType", decode, None, "ab")
    refused(TypeError, "texts: expected strings, got NoneType", alphabet, None)
    refused(TypeError, r"texts\[1\]: expected a string, got int", alphabet, ["a", 1])


def test_same_bag_finds_anagrams_the_most_different_colours_first():
    names = ("ab c", "melon", "c ab", "lemon", "x", "lmeon")
    rgb = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0.1], [0, 1, 1], [0, 0, 0], [1, 0, 0.5]])
    assert same_bag(names, rgb) == [(1, 3), (3, 5), (1, 5), (0, 2)]
