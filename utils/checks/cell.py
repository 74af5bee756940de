"""Lesson 1, the RNN cell: exercises 1.1 to 1.4 and their known mistakes."""

import numpy as np

from utils.cell import cell_forward, count_parameters, readout
from utils.loss import softmax

from .exercise import SEVEN_DIGITS, Case, Exercise, Mistake, Question, written_into

# 1.1 cell_forward --------------------------------------------------------------------------------


def _numbers(rng, B, D, H, scale=1.0):
    """x_t, h_prev, U, V, b, with all of them non-zero."""
    shapes = (B, D), (B, H), (D, H), (H, H), (H,)
    x_t, h_prev, U, V, b = (scale * rng.normal(size=s) for s in shapes)
    return x_t, np.tanh(h_prev), U, V, b


def cell_cases(rng):
    for label, B, D, H, scale in [
        ("", 3, 4, 5, 1.0),
        ("With as many inputs as units (D = H)", 3, 4, 4, 1.0),
        ("With as many sequences as units (B = H)", 4, 3, 4, 1.0),
        ("With B = D = H", 3, 3, 3, 1.0),
        ("With more inputs than units", 2, 6, 3, 1.0),
        ("With one sequence (B=1)", 1, 4, 5, 1.0),
        ("With one input (D=1)", 3, 1, 5, 1.0),
        ("With one unit (H=1)", 3, 4, 1, 1.0),
        ("With B = D = H = 1", 1, 1, 1, 1.0),
        ("With large numbers, where tanh saturates", 3, 4, 5, 3.0),
        ("With small numbers", 3, 4, 5, 0.01),
        ("With other numbers of the same shapes", 3, 4, 5, 1.0),
    ]:
        yield Case(label, _numbers(rng, B, D, H, scale))
    x_t, h_prev, U, V, b = _numbers(rng, 10, 4, 5)
    yield Case("With x_t = 0", (np.zeros_like(x_t), h_prev, U, V, b))
    yield Case("With h_prev = 0 and b = 0", (x_t, np.zeros_like(h_prev), U, V, np.zeros_like(b)))
    yield Case("With ten sequences and numbers around 20", around_20(x_t, h_prev, U, V, b))


def around_20(x, h, U, V, b):
    """Large inputs, but b takes off what the 20 in x adds, so that tanh does not saturate."""
    return x + 20, h + 20, U, V / 10, b - 20 * U.sum(axis=0)


def _cell_in_place(x_t, h_prev, U, V, b):
    h_prev[...] = np.tanh(x_t @ U + h_prev @ V + b)
    return h_prev


def _cell_first_memory_for_all(x_t, h_prev, U, V, b):
    return np.tanh(x_t @ U + h_prev[:1] @ V + b)


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


class _KeepsMemory:
    """Goes on from its own last result whatever memory it is given."""

    def __init__(self):
        self.h = None

    def __call__(self, x_t, h_prev, U, V, b):
        if self.h is None or self.h.shape != h_prev.shape:
            self.h = h_prev
        self.h = np.tanh(x_t @ U + self.h @ V + b)
        return self.h


class _KeepsBuffer:
    """Writes every result of one shape into one array."""

    def __init__(self):
        self.kept = {}

    def __call__(self, x_t, h_prev, U, V, b):
        out = self.kept.setdefault(h_prev.shape, np.empty(h_prev.shape))
        return np.tanh(x_t @ U + h_prev @ V + b, out=out)


CELL_FORWARD = Exercise(
    number="1.1",
    returns="h_t (B,H)",
    reference=cell_forward,
    cases=cell_cases,
    mistakes=(
        Mistake(
            "V transposed",
            "You used V transposed: row i of V says what unit i sends on, and h_prev is a row.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V.T + b),
        ),
        Mistake(
            "U transposed",
            "You used U transposed. U is (D,H): which of its axes has to meet x_t (B,D)?",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U.T + h_prev @ V + b),
        ),
        Mistake(
            "U and V swapped",
            "U and V have changed places: which one carries the input in, which the memory on?",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ V + h_prev @ U + b),
        ),
        Mistake(
            "both transposed",
            "Both U and V are used transposed (`.T`, or a product from the left). They have the "
            "right shape as they are: U (D,H), V (H,H).",
            lambda x_t, h_prev, U, V, b: np.tanh((U @ x_t.T).T + (V @ h_prev.T).T + b),
        ),
        Mistake(
            "matrix first",
            "You multiply matrix @ row. With rows for vectors the row comes first: which axes "
            "have to meet?",
            lambda x_t, h_prev, U, V, b: np.tanh(U @ x_t + V @ h_prev + b),
        ),
        Mistake(
            "no bias",
            "The result is what you get without b: where does the bias come in?",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V),
        ),
        Mistake(
            "bias outside tanh",
            "The bias is added after tanh. It belongs to a_t, which tanh then squeezes as a whole.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V) + b,
        ),
        Mistake(
            "bias twice",
            "The bias is in there twice. (PyTorch has two biases; here there is one.)",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V + 2 * b),
        ),
        Mistake(
            "bias subtracted",
            "Look at the sign of the bias.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V - b),
        ),
        Mistake(
            "bias as a column",
            "You gave b one entry per sequence. It has one per unit: no reshaping is needed.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V + b[:, None]),
        ),
        Mistake(
            "no input",
            "The result doesn't depend on x_t: what does the cell see at this step?",
            lambda x_t, h_prev, U, V, b: np.tanh(h_prev @ V + b),
        ),
        Mistake(
            "no memory",
            "The result doesn't depend on h_prev: without it this is no recurrent network.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + b),
        ),
        Mistake(
            "memory not weighted",
            "h_prev goes in as it is. What does V do?",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev + b),
        ),
        Mistake(
            "elementwise with V",
            "`*` multiplies entry by entry. Which operator is the matrix product?",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev * V + b),
        ),
        Mistake(
            "elementwise everywhere",
            "Both products are taken entry by entry (`*`). Which operator is the matrix product?",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t * U + h_prev * V + b),
        ),
        Mistake(
            "only the diagonal of V",
            "Each unit hears only itself, as if V had nothing off its diagonal.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev * np.diag(V) + b),
        ),
        Mistake(
            "no tanh",
            "What came back is a_t itself. One function is still missing around it.",
            lambda x_t, h_prev, U, V, b: x_t @ U + h_prev @ V + b,
        ),
        Mistake(
            "sigmoid",
            "That is a sigmoid: its values lie between 0 and 1. The memory lies between -1 and 1.",
            lambda x_t, h_prev, U, V, b: _sigmoid(x_t @ U + h_prev @ V + b),
        ),
        Mistake(
            "relu",
            "That is a ReLU: negative values are cut off. Which function does the formula name?",
            lambda x_t, h_prev, U, V, b: np.maximum(x_t @ U + h_prev @ V + b, 0),
        ),
        Mistake(
            "arctan",
            "That is the arc tangent (`np.arctan`). The formula asks for the hyperbolic tangent.",
            lambda x_t, h_prev, U, V, b: np.arctan(x_t @ U + h_prev @ V + b),
        ),
        Mistake(
            "tan",
            "That is the tangent of the angle (`np.tan`). One letter is missing.",
            lambda x_t, h_prev, U, V, b: np.tan(x_t @ U + h_prev @ V + b),
        ),
        Mistake(
            "arctanh",
            "That is the inverse function (`np.arctanh`), which has no value outside -1 to 1.",
            lambda x_t, h_prev, U, V, b: np.arctanh(x_t @ U + h_prev @ V + b),
        ),
        Mistake(
            "clipped instead of squeezed",
            "a_t is cut off at -1 and 1. tanh bends it smoothly.",
            lambda x_t, h_prev, U, V, b: np.clip(x_t @ U + h_prev @ V + b, -1, 1),
        ),
        Mistake(
            "tanh of each part",
            "tanh is taken of each part by itself. First add everything up, then squeeze once.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U) + np.tanh(h_prev @ V) + np.tanh(b),
        ),
        Mistake(
            "tanh of each product",
            "tanh is taken of each product by itself. First add everything up, then squeeze once.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U) + np.tanh(h_prev @ V) + b,
        ),
        Mistake(
            "tanh of the memory only",
            "Only the memory's part goes through tanh. a_t is the whole sum.",
            lambda x_t, h_prev, U, V, b: x_t @ U + np.tanh(h_prev @ V + b),
        ),
        Mistake(
            "tanh of the input only",
            "Only the input's part goes through tanh. a_t is the whole sum.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U) + h_prev @ V + b,
        ),
        Mistake(
            "tanh twice",
            "tanh was applied twice.",
            lambda x_t, h_prev, U, V, b: np.tanh(np.tanh(x_t @ U + h_prev @ V + b)),
        ),
        Mistake(
            "squeezes the old memory again",
            "h_prev went through tanh once more before V. It is a memory already.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + np.tanh(h_prev) @ V + b),
        ),
        Mistake(
            "adds to the old memory",
            "The old memory is added once more outside tanh. The new one takes its place.",
            lambda x_t, h_prev, U, V, b: h_prev + np.tanh(x_t @ U + h_prev @ V + b),
        ),
        Mistake(
            "memory subtracted",
            "Look at the sign of the memory's part.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U - h_prev @ V + b),
        ),
        Mistake(
            "multiplies the parts",
            "Input and memory are multiplied. The formula adds them.",
            lambda x_t, h_prev, U, V, b: np.tanh((x_t @ U) * (h_prev @ V) + b),
        ),
        Mistake(
            "one memory for all",
            "Every sequence was given the memory of the first one. Row by row, each has its own.",
            _cell_first_memory_for_all,
        ),
        Mistake(
            "sequences mixed",
            "The memories of all sequences were averaged. Each row has its own.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev.mean(0) @ V + b),
        ),
        Mistake(
            "sums over the batch",
            "The sequences were added together: the result keeps one row per sequence.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V + b).sum(axis=0),
        ),
        Mistake(
            "first sequence only",
            "Only the first sequence came back: the result keeps one row per sequence.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V + b)[0],
        ),
        Mistake(
            "result transposed",
            "The result lies on its side: rows are sequences, columns are units.",
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V + b).T,
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single sequence or unit the result still has two axes: what removes one?",
            lambda x_t, h_prev, U, V, b: np.squeeze(np.tanh(x_t @ U + h_prev @ V + b)),
        ),
        Mistake(
            "returns a_t as well",
            "Only h_t is asked for: a_t can stay inside.",
            lambda x_t, h_prev, U, V, b: (
                np.tanh(x_t @ U + h_prev @ V + b),
                x_t @ U + h_prev @ V + b,
            ),
        ),
        Mistake(
            "writes into h_prev",
            written_into("h_prev", "+="),
            _cell_in_place,
        ),
        Mistake(
            "remembers by itself",
            "Your function keeps a memory of its own between calls. The cell has none: "
            "all it knows of the past comes in as h_prev.",
            _KeepsMemory(),
        ),
        Mistake(
            "overwrites its own result",
            "Your function keeps one array and writes every result into it, so that all memories "
            "become the last one. Make a new array in each call.",
            _KeepsBuffer(),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            lambda x_t, h_prev, U, V, b: np.tanh(x_t @ U + h_prev @ V + b).astype(np.float32),
        ),
        Mistake(
            "rounds",
            "The result is rounded. Round for printing only.",
            lambda x_t, h_prev, U, V, b: np.round(np.tanh(x_t @ U + h_prev @ V + b), 4),
        ),
    ),
)

# 1.2 readout -------------------------------------------------------------------------------------


def _readout_cases(rng):
    for label, lead, H, K in [
        ("", (3,), 4, 5),
        ("With as many outputs as units (H = K)", (3,), 4, 4),
        ("With as many sequences as outputs (B = K)", (3,), 4, 3),
        ("With B = H = K", (3,), 3, 3),
        ("With all steps at once, h (T,B,H)", (2, 3), 4, 5),
        ("With all steps at once and T = B = H = K", (3, 3, 3), 3, 3),
        ("With a single memory h (H,)", (), 4, 5),
        ("With one sequence (B=1)", (1,), 4, 5),
        ("With one output (K=1)", (3,), 4, 1),
        ("With one unit (H=1)", (3,), 1, 5),
        ("With other numbers of the same shapes", (3,), 4, 5),
    ]:
        h_t = np.tanh(rng.normal(size=(*lead, H)))
        yield Case(label, (h_t, rng.normal(size=(H, K)), rng.normal(size=K)))
    h_t, W, c = (30 * rng.normal(size=s) for s in [(5, 10, 4), (4, 5), (5,)])
    yield Case("With as many steps as outputs (T = K), and larger numbers", (h_t, W, c))
    yield Case("With h_t = 0", (np.zeros_like(h_t[0]), W, c))
    yield Case("With c = 0", (h_t[0], W, np.zeros_like(c)))


def _softmax(o):
    e = np.exp(o - o.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


READOUT = Exercise(
    number="1.2",
    returns="o_t (...,K)",
    reference=readout,
    cases=_readout_cases,
    mistakes=(
        Mistake(
            "W transposed",
            "You used W transposed. W is (H,K): which of its axes has to meet h_t (B,H)?",
            lambda h_t, W, c: h_t @ W.T + c,
        ),
        Mistake(
            "no bias",
            "The result is what you get without c: where does the bias come in?",
            lambda h_t, W, c: h_t @ W,
        ),
        Mistake(
            "bias subtracted",
            "Look at the sign of the bias.",
            lambda h_t, W, c: h_t @ W - c,
        ),
        Mistake(
            "matrix first",
            "You multiply matrix @ row. With rows for vectors the row comes first: which axes "
            "have to meet?",
            lambda h_t, W, c: W @ h_t + c,
        ),
        Mistake(
            "bias added to W",
            "The bias is added to W before the product. Where do the brackets go?",
            lambda h_t, W, c: h_t @ (W + c),
        ),
        Mistake(
            "bias twice",
            "The bias is in there twice.",
            lambda h_t, W, c: h_t @ W + 2 * c,
        ),
        Mistake(
            "bias as a column",
            "You gave c one entry per sequence. It has one per output: no reshaping is needed.",
            lambda h_t, W, c: h_t @ W + c[:, None],
        ),
        Mistake(
            "only the bias",
            "The result doesn't depend on the memory h_t.",
            lambda h_t, W, c: np.zeros((*h_t.shape[:-1], len(c))) + c,
        ),
        Mistake(
            "softmax applied",
            "These are probabilities. The readout gives logits: softmax is the next exercise.",
            lambda h_t, W, c: _softmax(h_t @ W + c),
        ),
        Mistake(
            "tanh applied",
            "The result went through tanh. Logits may be any number: nothing squeezes them.",
            lambda h_t, W, c: np.tanh(h_t @ W + c),
        ),
        Mistake(
            "sigmoid applied",
            "The result went through a sigmoid. Logits may be any number: nothing squeezes them.",
            lambda h_t, W, c: _sigmoid(h_t @ W + c),
        ),
        Mistake(
            "relu applied",
            "Negative values are cut off. Logits may be any number.",
            lambda h_t, W, c: np.maximum(h_t @ W + c, 0),
        ),
        Mistake(
            "squeezes the memory again",
            "h_t went through tanh once more. It is a memory already.",
            lambda h_t, W, c: np.tanh(h_t) @ W + c,
        ),
        Mistake(
            "elementwise with W",
            "`*` multiplies entry by entry. Which operator is the matrix product?",
            lambda h_t, W, c: h_t * W + c,
        ),
        Mistake(
            "rows only",
            "It works for h_t (B,H) but not for the memories of all steps, (T,B,H): something "
            "counts on exactly two axes, as `.T` or a fixed axis number does.",
            lambda h_t, W, c: (W.T @ h_t.T).T + c,
        ),
        Mistake(
            "flattens the steps",
            "The axes before the last one were flattened into one. They belong in the result.",
            lambda h_t, W, c: h_t.reshape(-1, h_t.shape[-1]) @ W + c,
        ),
        Mistake(
            "largest only",
            "Only the largest entry came back. All K logits are asked for.",
            lambda h_t, W, c: (h_t @ W + c).max(-1),
        ),
        Mistake(
            "drops an axis of length 1",
            "An axis of length 1 is missing from the result: what removes it?",
            lambda h_t, W, c: np.squeeze(h_t @ W + c),
        ),
        Mistake(
            "sums over the batch",
            "The sequences were added together: the result keeps one row per sequence.",
            lambda h_t, W, c: (h_t @ W + c).sum(axis=0),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            lambda h_t, W, c: (h_t @ W + c).astype(np.float32),
        ),
    ),
)

# 1.3 softmax -------------------------------------------------------------------------------------


def _softmax_cases(rng):
    yield Case("", (rng.normal(size=(3, 5)),))
    yield Case("With as many rows as outputs", (rng.normal(size=(4, 4)),))
    yield Case("With a single row o (K,)", (rng.normal(size=5),))
    yield Case("With all steps at once, o (T,B,K)", (rng.normal(size=(2, 3, 5)),))
    yield Case("With T = B = K", (rng.normal(size=(3, 3, 3)),))
    yield Case("With one sequence (B=1)", (rng.normal(size=(1, 5)),))
    yield Case("With one output (K=1)", (rng.normal(size=(3, 1)),))
    yield Case("With logits far from each other", (9 * rng.normal(size=(3, 5)),))
    yield Case("With logits near 400", (400 + rng.normal(size=(3, 5)),))
    yield Case("With logits near 1000", (1000 + rng.normal(size=(3, 5)),))
    yield Case("With logits near -1000", (-1000 + rng.normal(size=(3, 5)),))
    rows = np.resize([1000.0, 0.0, -1000.0], (10, 1)) + rng.normal(size=(10, 5))
    yield Case("With rows near 1000 and rows near -1000", (rows,))
    mixed = rng.choice([-1e3, 1e3, 998.0], (4, 6))
    mixed[:2] = (-1e3, 998, 1e3, 998, 1e3, -1e3), (-1e3, -1e3, 1e3, 998, -1e3, -1e3)
    yield Case("With logits of 1000 and -1000 in one row", (mixed,))
    yield Case("With equal logits", (np.full((3, 5), 0.7),))
    yield Case("With o = 0", (np.zeros((3, 5)),))
    yield Case("With a single row o (K,) near 1000", (1000 + rng.normal(size=5),))
    yield Case("With one sequence (B=1) near 1000", (1000 + rng.normal(size=(1, 5)),))
    yield Case("With two outputs (K=2)", (rows[:3, :2],))
    signs = np.array([[1, -1, 0], [-1, 0, 1]])[..., None]  # both among the steps of a sequence too
    steps = 1000 * signs + rng.normal(size=(2, 3, 5))
    yield Case("With all steps at once, some rows near 1000 and some near -1000", (steps,))


def _softmax_in_place(o):
    o -= o.max(-1, keepdims=True)
    e = np.exp(o)
    return e / e.sum(-1, keepdims=True)


def _normalise(e, axis=-1):
    return e / e.sum(axis, keepdims=True)


def _shifted(o, axis=-1):
    return o - o.max(axis, keepdims=True)


SOFTMAX = Exercise(
    number="1.3",
    returns="p (...,K)",
    reference=softmax,
    cases=_softmax_cases,
    mistakes=(
        Mistake(
            "overflows",
            "With logits near 1000, exp gives infinity, and infinity divided by infinity is no "
            "number. What may you subtract from a whole row without changing its probabilities?",
            lambda o: _normalise(np.exp(o)),
        ),
        Mistake(
            "shift added",
            "The largest logit is added where it should be taken off: exp gets even larger "
            "numbers. Look at the sign.",
            lambda o: _normalise(np.exp(o + o.max(-1, keepdims=True))),
        ),
        Mistake(
            "shift above the line only",
            "The shift is in the numerator only. Above and below the line must stand the same exp.",
            lambda o: np.exp(_shifted(o)) / np.exp(o).sum(-1, keepdims=True),
        ),
        Mistake(
            "Python's max and sum",
            "Python's own `max` and `sum` run over the first axis of an array. The methods "
            "`o.max` and `e.sum` can be told which axis to take.",
            lambda o: np.exp(o - max(o)) / sum(np.exp(o - max(o))),
        ),
        Mistake(
            "divided by the sum of everything",
            "Each row is shifted by its own largest logit, but divided by the sum over all rows.",
            lambda o: np.exp(_shifted(o)) / np.exp(_shifted(o)).sum(),
        ),
        Mistake(
            "shifted by the largest of all",
            "One number was subtracted from everything. A row far below it underflows to 0/0: "
            "which number suits each row?",
            lambda o: _normalise(np.exp(o - o.max())),
        ),
        Mistake(
            "shifted by the mean",
            "A number was subtracted from each row, but a logit far above it, as above the mean, "
            "still overflows. Which number of the row makes the largest exponent 0?",
            lambda o: _normalise(np.exp(o - o.mean(-1, keepdims=True))),
        ),
        Mistake(
            "shifted by the smallest",
            "You subtract the smallest logit, which leaves the others large and positive. "
            "Which number of the row makes the largest exponent 0?",
            lambda o: _normalise(np.exp(o - o.min(-1, keepdims=True))),
        ),
        Mistake(
            "clipped",
            "The logits are cut off before exp. That keeps it finite but changes the answer.",
            lambda o: _normalise(np.exp(np.clip(o, -500, 500))),
        ),
        Mistake(
            "sums over the wrong axis",
            "The columns sum to 1. It is the last axis, the K outputs, that should.",
            lambda o: _normalise(np.exp(_shifted(o, 0)), 0),
        ),
        Mistake(
            "sums over everything",
            "All entries together sum to 1. Each row should, by itself.",
            lambda o: np.exp(o - o.max()) / np.exp(o - o.max()).sum(),
        ),
        Mistake(
            "always axis 1",
            "It works for o (B,K) only. The outputs are the last axis however many there are.",
            lambda o: _normalise(np.exp(_shifted(o, 1)), 1),
        ),
        Mistake(
            "not normalised",
            "The rows do not sum to 1: something is still to be divided by.",
            lambda o: np.exp(_shifted(o)),
        ),
        Mistake(
            "keepdims forgotten",
            "A maximum or sum over the last axis has one axis less, so it does not line up with "
            "the rows. Look up `keepdims`.",
            lambda o: np.exp(o - o.max(-1)) / np.exp(o - o.max(-1)).sum(-1),
        ),
        Mistake(
            "keepdims forgotten in the sum",
            "The sum over the last axis has one axis less, so it does not line up with the rows. "
            "Look up `keepdims`.",
            lambda o: np.exp(_shifted(o)) / np.exp(_shifted(o)).sum(-1),
        ),
        Mistake(
            "no shift and no keepdims",
            "The sum over the last axis has one axis less, so it does not line up with the rows: "
            "look up `keepdims`. And logits near 1000 overflow.",
            lambda o: np.exp(o) / np.exp(o).sum(-1),
        ),
        Mistake(
            "logarithm of the softmax",
            "That is the logarithm of the probabilities.",
            lambda o: _shifted(o) - np.log(np.exp(_shifted(o)).sum(-1, keepdims=True)),
        ),
        Mistake(
            "softmax of -o",
            "The largest logit got the smallest probability: look at the sign.",
            lambda o: _normalise(np.exp(o.min(-1, keepdims=True) - o)),
        ),
        Mistake(
            "sigmoid",
            "Each entry was treated by itself (a sigmoid). The entries of a row compete.",
            _sigmoid,
        ),
        Mistake(
            "no exponential",
            "The logits were divided by their sum, without exp: they may be negative.",
            lambda o: o / o.sum(-1, keepdims=True),
        ),
        Mistake(
            "power of 2",
            "The base is 2. It should be e.",
            lambda o: _normalise(np.exp2(_shifted(o))),
        ),
        Mistake(
            "one for the largest",
            "All the probability went to the largest logit. The others have a share too.",
            lambda o: np.eye(o.shape[-1])[o.argmax(-1)],
        ),
        Mistake(
            "uniform",
            "All outputs got the same probability: where do the logits come in?",
            lambda o: np.full(o.shape, 1 / o.shape[-1]),
        ),
        Mistake(
            "a small number added",
            "The rows sum to a little less than 1: what was added below the line is not needed "
            "once the largest exponent is 0.",
            lambda o: np.exp(_shifted(o)) / (np.exp(_shifted(o)).sum(-1, keepdims=True) + 1e-6),
        ),
        Mistake(
            "writes into o",
            written_into("o", "-="),
            _softmax_in_place,
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            lambda o: _normalise(np.exp(_shifted(o))).astype(np.float32),
        ),
    ),
)

# 1.4 count_parameters ----------------------------------------------------------------------------


def _count_cases(rng):
    for label, D, H, K in [
        ("For D=3, H=5, K=7", 3, 5, 7),
        ("For D=28, H=64, K=3", 28, 64, 3),
        ("For D=2, H=1, K=9", 2, 1, 9),
        ("For D=1, H=1, K=1", 1, 1, 1),
        ("For D=10, H=4, K=10", 10, 4, 10),
        # few enough for those who make the arrays or count one by one
        ("For D=700, H=700, K=9", 700, 700, 9),
    ]:
        yield Case(label, (D, H, K))


def _weights(D, H, K):
    return D * H + H * H + H * K


COUNT_PARAMETERS = Exercise(
    number="1.4",
    returns="n int",
    reference=count_parameters,
    cases=_count_cases,
    mistakes=(
        Mistake(
            "no biases",
            "The two biases are missing.",
            _weights,
        ),
        Mistake(
            "no b",
            "The bias of the cell is missing.",
            lambda D, H, K: _weights(D, H, K) + K,
        ),
        Mistake(
            "no c",
            "The bias of the readout is missing.",
            lambda D, H, K: _weights(D, H, K) + H,
        ),
        Mistake(
            "two cell biases",
            "The cell's bias is counted twice. (PyTorch has two; here there is one.)",
            lambda D, H, K: _weights(D, H, K) + 2 * H + K,
        ),
        Mistake(
            "no V",
            "One matrix is missing: the one that carries the memory on.",
            lambda D, H, K: D * H + H + H * K + K,
        ),
        Mistake(
            "no U",
            "One matrix is missing: the one that carries the input in.",
            lambda D, H, K: H * H + H + H * K + K,
        ),
        Mistake(
            "no readout",
            "Only the cell is counted. The readout, W and c, learns too.",
            lambda D, H, K: D * H + H * H + H,
        ),
        Mistake(
            "V counted as H",
            "V is counted with H entries. What is its shape?",
            lambda D, H, K: D * H + H + H + H * K + K,
        ),
        Mistake(
            "V counted as 2H",
            "H² is not 2H: V has a row and a column for every unit.",
            lambda D, H, K: D * H + 2 * H + H + H * K + K,
        ),
        Mistake(
            "biases multiplied",
            "A bias adds its length to the count; it does not multiply.",
            lambda D, H, K: (D * H + H * H) * H + H * K * K,
        ),
        Mistake(
            "readout from the input",
            "W reads out the memory (H entries), not the input (D entries).",
            lambda D, H, K: D * H + H * H + H + D * K + K,
        ),
        Mistake(
            "biases swapped lengths",
            "One bias has the wrong length: to which row is each of them added?",
            lambda D, H, K: _weights(D, H, K) + D + K,
        ),
        Mistake(
            "H for K",
            "The bias of the readout has one entry per output, not per unit.",
            lambda D, H, K: _weights(D, H, K) + H + H,
        ),
        Mistake(
            "everything multiplied",
            "The sizes are multiplied all together. Count each tensor by itself, then add.",
            lambda D, H, K: D * H * K,
        ),
        Mistake(
            "sizes added",
            "The sizes are added. A matrix has rows times columns entries.",
            lambda D, H, K: (D + H) + (H + H) + H + (H + K) + K,
        ),
        Mistake(
            "a decimal number",
            "A count is a whole number: where does the decimal point come from (`/` makes one)?",
            lambda D, H, K: float(_weights(D, H, K) + H + K),
        ),
        Mistake(
            "separate counts",
            "The counts came back one by one. Their sum is asked for.",
            lambda D, H, K: (D * H, H * H, H, H * K, K),
        ),
    ),
)

EXERCISES = (CELL_FORWARD, READOUT, SOFTMAX, COUNT_PARAMETERS)
QUESTIONS = (
    Question(
        "1.1",
        choices="abc",
        answer="b",
        because="The two counts are the same input, and the same input gives the same output.",
        replies={
            "a": "Count again, letter by letter. The next cell does it too.",
            "c": "Size doesn't help here: what differs between the two inputs? "
            "The next cell shows them.",
        },
    ),
    Question(
        "1.2",
        answer=1.3,
        because="0.5 from the letter, 0.5·0.4 + (-0.5)·(-1) = 0.7 from the memory, 0.1 from b.",
        replies={
            0.5: "That is the letter's part alone. Add the memory's part and the bias.",
            0.6: "That leaves the memory out: the row h_prev times the first column of V.",
            1.2: "The bias is still missing.",
            0.8: "That is memory and bias. The letter's part is missing.",
            0.3: "You took the first row of V. A row times a matrix takes its columns.",
            1.8: "You took the first row of U. The letter's 1 stands at the second place.",
            0.2: "That is the second entry. Asked is the first.",
            0.86: "That is h_t already. Asked is a_t, before tanh.",
        },
    ),
    Question(
        "1.3",
        choices="abc",
        answer="b",
        because="Each memory is made from the one before it, so the first letters live on in the "
        "last memory.",
        replies={
            "a": "That would be so if the network only counted. Here each letter meets the memory "
            "that the letters before it left. Look at the heat maps.",
            "c": "Both end in `on`, but the memories that `o` meets are not the same. "
            "Look at the heat maps.",
        },
    ),
    Question(
        "1.4",
        choices="abc",
        answer="c",
        because="With a small V the difference fades from step to step, with a large V it stays.",
        replies={
            "a": "For one of the two matrices that is so. Look at both curves.",
            "b": "For one of the two matrices that is so. Look at both curves.",
        },
    ),
    Question(
        "1.5",
        choices="abc",
        answer="b",
        because="e to the 1000 is about 10 to the 434, which doesn't fit: NumPy gives infinity.",
        replies={
            "a": "It is about 10 to the 434. Does that fit? Run the next cell.",
            "c": "NumPy only warns, and goes on with a special value. Run the next cell.",
        },
    ),
    Question(
        "1.6",
        answer=0,
        because="The same U, V and b serve at every step. Only the computation gets longer.",
        replies={
            10: "One for each further letter? Look for a t in U, V and b of the formula.",
            20: "One for each letter? Look for a t in U, V and b of the formula.",
            2: "Twice as many? Look for a t in U, V and b of the formula.",
        },
    ),
)
