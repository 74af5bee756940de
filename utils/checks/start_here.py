"""Lesson 0: one warm-up exercise, to meet the check."""

import numpy as np

from .exercise import SEVEN_DIGITS, Case, Exercise, Mistake, Question


def add_bias(z, b):
    """z (B,H) with the bias b (H,) added to every row."""
    return z + b


def _add_bias_cases(rng):
    for label, B, H in [
        ("", 3, 4),
        ("With as many sequences as units (B = H)", 3, 3),
        ("With one sequence (B=1)", 1, 4),
        ("With one unit (H=1)", 3, 1),
        ("With B = H = 1", 1, 1),
        ("With other numbers of the same shapes", 3, 4),
    ]:
        yield Case(label, (rng.normal(size=(B, H)), rng.normal(size=H)))
    z, b = 30 * rng.normal(size=(10, 4)), 30 * rng.normal(size=4)
    yield Case("With ten sequences and larger numbers", (z, b))
    yield Case("With z = 0", (np.zeros_like(z), b))
    yield Case("With b = 0", (z, np.zeros_like(b)))


def _in_place(z, b):
    z += b
    return z


def _first_row_only(z, b):
    out = z.copy()
    out[0] += b
    return out


class _KeepsBuffer:
    """Writes every result of one shape into one array."""

    def __init__(self):
        self.kept = {}

    def __call__(self, z, b):
        return np.add(z, b, out=self.kept.setdefault(z.shape, np.empty(z.shape)))


EXERCISES = (
    Exercise(
        number="0.1",
        returns="result (B,H)",
        reference=add_bias,
        cases=_add_bias_cases,
        mistakes=(
            Mistake(
                "adds in place",
                "Your code writes into the caller's z, as `z += b` and `z[...] = ` do. Make a new "
                "array for the sum.",
                _in_place,
            ),
            Mistake(
                "bias as a column",
                "You gave b one entry per sequence. It has one entry per unit: which axis of z "
                "counts the units?",
                lambda z, b: z + b[:, None],
            ),
            Mistake(
                "no bias",
                "What came back is z itself: where does b come in?",
                lambda z, b: z.copy(),
            ),
            Mistake(
                "only the bias",
                "What came back is b in every row: where does z come in?",
                lambda z, b: np.tile(b, (len(z), 1)),
            ),
            Mistake(
                "subtracts",
                "Look at the sign: the bias is to be added.",
                lambda z, b: z - b,
            ),
            Mistake(
                "multiplies",
                "Look at the operation between z and b: it should be a sum.",
                lambda z, b: z * b,
            ),
            Mistake(
                "adds the sum of b",
                "Every entry got the same number added. Each unit has its own bias.",
                lambda z, b: z + b.sum(),
            ),
            Mistake(
                "adds the mean of b",
                "Every entry got the mean of b added. Each unit has its own bias.",
                lambda z, b: z + b.mean(),
            ),
            Mistake(
                "adds twice",
                "The bias is in there twice.",
                lambda z, b: z + 2 * b,
            ),
            Mistake(
                "first row only",
                "Only the first sequence got its bias. All rows of z are treated alike.",
                _first_row_only,
            ),
            Mistake(
                "sums over the rows",
                "The sequences were added together: the result keeps one row per sequence.",
                lambda z, b: (z + b).sum(axis=0),
            ),
            Mistake(
                "drops an axis of length 1",
                "With a single sequence the result still has two axes: what removes one?",
                lambda z, b: np.squeeze(z + b),
            ),
            Mistake(
                "works in float32",
                SEVEN_DIGITS,
                lambda z, b: (z + b).astype(np.float32),
            ),
            Mistake(
                "overwrites its own result",
                "Your function keeps one array and writes every result into it. "
                "Make a new array in each call.",
                _KeepsBuffer(),
            ),
        ),
    ),
)

QUESTIONS = (
    Question(
        "0.1",
        choices="abc",
        answer="b",
        because="NumPy lines shapes up from the right: (3,4) and (4,) agree in the last axis, so b "
        "is added to each of the 3 rows.",
        replies={
            "a": "The shapes need not be equal: NumPy lines them up from the right, (4,) under the "
            "4 of (3,4). Run the next cell and look.",
            "c": "Nothing is repeated by hand: NumPy lines the shapes up from the right. "
            "Run the next cell and look.",
        },
    ),
    Question(
        "0.2",
        answer=10,
        because="One step reads one letter of every sequence in the batch, so 10 steps read all "
        "30 letters.",
        replies={
            30: "There are 30 letters, but a batch is read side by side: one step reads 3 of them.",
            3: "3 is the size of the batch, B. How often does the loop take the next letter?",
        },
    ),
)
