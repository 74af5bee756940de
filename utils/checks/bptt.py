"""Lesson 3, backpropagation through time: exercises 3.1 to 3.8 and their known mistakes.

The ways to get `bptt` wrong are in bptt_zoo.py; 3.4 to 3.6 are in bptt_tools.py and 3.8, the bug
hunt, in bptt_hunt.py.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from utils.bptt import bptt, cell_backward, truncated_bptt
from utils.cell import RNNParams, cell_forward
from utils.loss import sequence_cross_entropy_backward
from utils.unroll import unroll

from . import bptt_zoo as zoo
from .bptt_hunt import CATCHES_BUGS
from .bptt_tools import CLIP_GRADIENTS, GRADIENT_FLOW, NUMERICAL_GRADIENT
from .cell import cell_cases
from .exercise import SEVEN_DIGITS, Case, Exercise, Mistake, Question, written_into

# 3.1 sequence_cross_entropy_backward -------------------------------------------------------------


def _loss_cases(rng):
    for label, T, B, K, lengths in [
        ("", 4, 3, 5, [4, 1, 3]),
        ("With as many steps as sequences (T = B)", 3, 3, 5, [2, 3, 1]),
        ("With as many sequences as outputs (B = K)", 4, 3, 3, [1, 4, 2]),
        ("With T = B = K", 4, 4, 4, [3, 4, 1, 2]),
        ("With all steps real", 3, 2, 4, [3, 3]),
        ("With one step (T=1)", 1, 3, 5, [1, 1, 1]),
        ("With one sequence (B=1)", 4, 1, 5, [3]),
        ("With one output (K=1)", 4, 3, 1, [2, 4, 3]),
        ("With T = B = K = 1", 1, 1, 1, [1]),
        ("With many steps and outputs", 30, 2, 40, [30, 11]),
        ("With other numbers of the same shapes", 4, 3, 5, [2, 4, 4]),
    ]:
        yield Case(label, (2 * rng.normal(size=(T, B, K)), *_marks(rng, T, K, lengths)))
    marks = _marks(rng, 4, 5, [4, 2, 3])
    o = rng.normal(size=(4, 3, 5))
    yield Case("With logits near 1000", (o + 1000, *marks))
    yield Case("With logits near -1000", (o - 1000, *marks))
    rows = rng.choice([-1e3, 0.0, 1e3], (4, 3, 1))
    yield Case("With some steps near 1000 and some near -1000", (o + rows, *marks))
    entries = rng.choice([-1e3, 998.0, 1e3], o.shape)
    yield Case("With logits of 1000 and -1000 at one step", (entries, *marks))


def _marks(rng, T, K, lengths):
    """Targets (T,B), padding included, and the ragged mask (T,B)."""
    return rng.integers(K, size=(T, len(lengths))), np.arange(T)[:, None] < np.array(lengths)


def _p(o, axis=-1):
    e = np.exp(o - o.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _hot(targets, K):
    return np.eye(K)[targets]


def _error(o, targets, p=_p):
    return p(o) - _hot(targets, o.shape[-1])


def _mean(values, mask):
    """Over the real steps, 0 at padding."""
    return values * mask[..., None] / mask.sum()


def _loss_with(p):
    """Right, but for the probabilities p(o)."""
    return lambda o, targets, mask: _mean(_error(o, targets, p), mask)


def _loss_over(count):
    """Divided by count(mask) in place of the number of real steps."""
    return lambda o, targets, mask: _error(o, targets) * mask[..., None] / count(mask)


def _naive(o):
    return np.exp(o) / np.exp(o).sum(-1, keepdims=True)


def _shifted(o, by):
    return _naive(o - by)


def _one_off_every_target(o, targets, mask):
    do = _p(o)
    do[:, :, targets] -= 1
    return _mean(do, mask)


def _one_off_the_first_axis(o, targets, mask):
    do = _p(o)
    do[targets] -= 1
    return _mean(do, mask)


def _loss_and_gradient(o, targets, mask):
    picked = np.take_along_axis(_p(o), targets[..., None], -1)[..., 0]
    loss = (-np.log(np.maximum(picked, 1e-300)) * mask).sum() / mask.sum()
    return loss, _mean(_error(o, targets), mask)


def _writes_into_o(o, targets, mask):
    o -= o.max(-1, keepdims=True)
    return _mean(_error(o, targets), mask)


class _KeepsGradient:
    """Adds the gradient to those of earlier calls of the same shape."""

    def __init__(self):
        self.kept = {}

    def __call__(self, o, targets, mask):
        do = _mean(_error(o, targets), mask)
        self.kept[o.shape] = self.kept.get(o.shape, 0) + do
        return self.kept[o.shape]


SEQUENCE_CROSS_ENTROPY_BACKWARD = Exercise(
    number="3.1",
    returns="do (T,B,K)",
    reference=sequence_cross_entropy_backward,
    cases=_loss_cases,
    mistakes=(
        Mistake(
            "sign",
            "Look at the sign: raising the target's logit lowers the loss, so which sign has its "
            "gradient?",
            lambda o, targets, mask: -_mean(_error(o, targets), mask),
        ),
        Mistake(
            "target forgotten",
            "These are the probabilities alone. Where does it matter which output was the target?",
            lambda o, targets, mask: _mean(_p(o), mask),
        ),
        Mistake(
            "only the target",
            "The gradient is zero everywhere but at the target. The other logits matter too: all "
            "of them are in the softmax.",
            lambda o, targets, mask: _mean(-_hot(targets, o.shape[-1]), mask),
        ),
        Mistake(
            "1 taken off everywhere",
            "1 was taken off at every output. At which one only?",
            lambda o, targets, mask: _mean(_p(o) - 1, mask),
        ),
        Mistake(
            "1 taken off at every target of the batch",
            "`do[:, :, targets]` takes each step's row at the targets of all the others too. How "
            "do you pick one entry per row?",
            _one_off_every_target,
        ),
        Mistake(
            "targets index the first axis",
            "`do[targets]` takes whole steps: the first axis is time, and the targets number "
            "outputs.",
            _one_off_the_first_axis,
        ),
        Mistake(
            "ids for one-hot",
            "The target's number was taken off every output. Is that number an amount, or does it "
            "say which output is meant?",
            lambda o, targets, mask: _mean(_p(o) - targets[..., None], mask),
        ),
        Mistake(
            "ids for one-hot, neither mean nor mask",
            "The target's number was taken off every output. Is that number an amount, or does it "
            "say which output is meant? Mean and mask are missing, too.",
            lambda o, targets, mask: _p(o) - targets[..., None],
        ),
        Mistake(
            "most likely output in place of the target",
            "1 was taken off at the output that got the largest logit. What did `targets` say?",
            lambda o, targets, mask: _mean(_error(o, o.argmax(-1)), mask),
        ),
        Mistake(
            "target of the next step",
            "The targets are shifted by a step. `targets[t]` belongs to `o[t]` as it is.",
            lambda o, targets, mask: _mean(_error(o, np.roll(targets, -1, axis=0)), mask),
        ),
        Mistake(
            "targets transposed",
            "The targets lie on their side: they are (T,B), time first, as the logits are.",
            lambda o, targets, mask: _mean(_error(o, targets.T), mask),
        ),
        Mistake(
            "logits for probabilities",
            "The logits went in as they are. Softmax comes first.",
            _loss_with(lambda o: o),
        ),
        Mistake(
            "logarithms for probabilities",
            "Those are logarithms of the probabilities.",
            _loss_with(lambda o: o - np.logaddexp.reduce(o, axis=-1, keepdims=True)),
        ),
        Mistake(
            "not normalised",
            "The exponentials of a step don't sum to 1: what are they to be divided by?",
            _loss_with(lambda o: np.exp(o - o.max(-1, keepdims=True))),
        ),
        Mistake(
            "softmax twice",
            "Softmax was taken twice.",
            _loss_with(lambda o: _p(_p(o))),
        ),
        Mistake(
            "sigmoid",
            "Each output was treated by itself (a sigmoid). The outputs of a step compete.",
            _loss_with(lambda o: np.exp(-np.logaddexp(0, -o))),
        ),
        Mistake(
            "slope of the softmax once more",
            "There is a factor p (1 - p) too many: p minus the target has it in it already.",
            lambda o, targets, mask: _mean(_error(o, targets) * _p(o) * (1 - _p(o)), mask),
        ),
        Mistake(
            "gradient by the probability",
            "That is the gradient by the probability p, -1/p at the target. By the logit is asked.",
            lambda o, targets, mask: _mean(-_hot(targets, o.shape[-1]) / _p(o), mask),
        ),
        Mistake(
            "twice too large",
            "There is a factor 2 too many. That belongs to squared errors.",
            lambda o, targets, mask: 2 * _mean(_error(o, targets), mask),
        ),
        Mistake(
            "softmax over the sequences",
            "The sequences sum to 1. It is the last axis, the K outputs, that should.",
            _loss_with(lambda o: _p(o, 1)),
        ),
        Mistake(
            "softmax over the steps",
            "The steps sum to 1. It is the last axis, the K outputs, that should.",
            _loss_with(lambda o: _p(o, 0)),
        ),
        Mistake(
            "softmax over everything",
            "All entries together sum to 1. Each step of each sequence should, by itself.",
            _loss_with(lambda o: _p(o, (0, 1, 2))),
        ),
        Mistake(
            "overflows",
            "With logits near 1000, exp gives infinity. What may you subtract from a whole row "
            "without changing its probabilities?",
            _loss_with(_naive),
        ),
        Mistake(
            "shifted by the largest of all",
            "The number you subtract is the largest of more than one row. A row far below it "
            "underflows to 0/0: which number suits each row?",
            _loss_with(lambda o: _shifted(o, o.max())),
        ),
        Mistake(
            "shifted by the mean",
            "Subtracting the mean helps, but a logit far above it still overflows. Which number "
            "of the row makes the largest exponent 0?",
            _loss_with(lambda o: _shifted(o, o.mean(-1, keepdims=True))),
        ),
        Mistake(
            "shifted by the smallest",
            "You subtract the smallest logit, which leaves the others large and positive. "
            "Which number of the row makes the largest exponent 0?",
            _loss_with(lambda o: _shifted(o, o.min(-1, keepdims=True))),
        ),
        Mistake(
            "clipped",
            "The logits are cut off before exp. That keeps it finite but changes the answer.",
            _loss_with(lambda o: _naive(np.clip(o, -500, 500))),
        ),
        Mistake(
            "sum for mean",
            "Nothing was divided. The loss is a mean over the real steps: how many are there?",
            _loss_over(lambda mask: 1),
        ),
        Mistake(
            "divided by T·B",
            "The sum is divided by all steps, padding included. The loss is a mean over the real "
            "ones.",
            _loss_over(lambda mask: mask.size),
        ),
        Mistake(
            "divided by T",
            "The sum is divided by the number of steps alone. The loss is a mean over all real "
            "steps of all sequences.",
            _loss_over(len),
        ),
        Mistake(
            "divided by B",
            "The sum is divided by the number of sequences. The loss is a mean over real steps.",
            _loss_over(lambda mask: mask.shape[1]),
        ),
        Mistake(
            "divided by T·B·K",
            "The sum is divided by the number of all entries of o. Over what is the loss a mean?",
            lambda o, targets, mask: _error(o, targets) * mask[..., None] / o.size,
        ),
        Mistake(
            "divided twice",
            "The number of real steps divides it twice.",
            _loss_over(lambda mask: mask.sum() ** 2),
        ),
        Mistake(
            "divided by K as well",
            "It is divided by the number of outputs too, as a mean over all entries would be.",
            lambda o, targets, mask: _mean(_error(o, targets), mask) / o.shape[-1],
        ),
        Mistake(
            "mean of the sequences' means",
            "Each sequence is divided by its own length. Then a step of a short one counts more: "
            "in this loss all real steps count the same.",
            _loss_over(lambda mask: (mask.shape[1] * mask.sum(0))[:, None]),
        ),
        Mistake(
            "mean of the steps' means",
            "Each step is divided by the number of sequences that are still real there. In this "
            "loss all real steps count the same.",
            _loss_over(lambda mask: (len(mask) * np.maximum(mask.sum(1), 1))[:, None, None]),
        ),
        Mistake(
            "mask ignored",
            "The mask makes no difference in your function. Padding is no part of the loss.",
            lambda o, targets, mask: _error(o, targets) / mask.size,
        ),
        Mistake(
            "neither mean nor mask",
            "That is each step's error. What is missing: the mean, and the mask.",
            lambda o, targets, mask: _error(o, targets),
        ),
        Mistake(
            "divided by T·B·K, no mask",
            "It is divided by the number of all entries of o, and padding has a gradient. Over "
            "what is the loss a mean?",
            lambda o, targets, mask: _error(o, targets) / o.size,
        ),
        Mistake(
            "divided by T, no mask",
            "It is divided by the number of steps alone, and padding has a gradient. Over what is "
            "the loss a mean?",
            lambda o, targets, mask: _error(o, targets) / len(o),
        ),
        Mistake(
            "divided by B, no mask",
            "It is divided by the number of sequences, and padding has a gradient. Over what is "
            "the loss a mean?",
            lambda o, targets, mask: _error(o, targets) / mask.shape[1],
        ),
        Mistake(
            "gradient at padding",
            "There is a gradient at padding. Changing a logit there can't change the loss.",
            lambda o, targets, mask: _error(o, targets) / mask.sum(),
        ),
        Mistake(
            "only the padding",
            "The mask is the wrong way round: it is True at real steps.",
            lambda o, targets, mask: _error(o, targets) * ~mask[..., None] / mask.sum(),
        ),
        Mistake(
            "mask on the logits",
            "The logits were masked. Zero logits still give probabilities: what has to be zero at "
            "padding?",
            lambda o, targets, mask: _error(o * mask[..., None], targets) / mask.sum(),
        ),
        Mistake(
            "mask on the probabilities only",
            "The mask took away one half at padding, the probabilities. The 1 is still taken off.",
            lambda o, targets, mask: (
                (_p(o) * mask[..., None] - _hot(targets, o.shape[-1])) / mask.sum()
            ),
        ),
        Mistake(
            "mask without an axis for the outputs",
            "The mask is (T,B) and what it multiplies is (T,B,K): NumPy lines up the last axes. "
            "Which axis does the mask lack?",
            lambda o, targets, mask: _error(o, targets) * mask / mask.sum(),
        ),
        Mistake(
            "mask transposed",
            "The mask lies on its side: it is (T,B), time first, as the logits are.",
            lambda o, targets, mask: _mean(_error(o, targets), mask.T),
        ),
        Mistake(
            "padding dropped",
            "The padded steps were taken out. They stay in, with a gradient that says that they "
            "do not matter.",
            lambda o, targets, mask: _error(o, targets)[mask] / mask.sum(),
        ),
        Mistake(
            "only at the target",
            "One number per step came back. Each of the K logits has a gradient.",
            lambda o, targets, mask: np.take_along_axis(
                _mean(_error(o, targets), mask), targets[..., None], -1
            )[..., 0],
        ),
        Mistake(
            "summed over the batch",
            "The sequences were added together. Each logit has a gradient of its own.",
            lambda o, targets, mask: _mean(_error(o, targets), mask).sum(1),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single step, sequence or output an axis is missing: what removes it?",
            lambda o, targets, mask: np.squeeze(_mean(_error(o, targets), mask)),
        ),
        Mistake(
            "returns the loss as well",
            "Only the gradient is asked for.",
            _loss_and_gradient,
        ),
        Mistake(
            "writes into o",
            written_into("o", "-="),
            _writes_into_o,
        ),
        Mistake(
            "adds up over calls",
            "The gradients of earlier calls are still in there: each call starts from nothing.",
            _KeepsGradient(),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            lambda o, targets, mask: _mean(_error(o, targets), mask).astype(np.float32),
        ),
        Mistake(
            "rounds",
            "The result is rounded. Round for printing only.",
            lambda o, targets, mask: _mean(_error(o, targets), mask).round(4),
        ),
    ),
)

# 3.2 cell_backward -------------------------------------------------------------------------------


def _cell_cases(rng):
    cases = []
    for case in cell_cases(rng):
        x_t, h_prev, U, V, _ = case.args
        h_t = cell_forward(*case.args)
        cases.append(Case(case.label, (rng.normal(size=h_t.shape), x_t, h_prev, h_t, U, V)))
    dh_t, *rest = cases[0].args
    cases.append(Case("With large errors", (1000 * dh_t, *rest)))
    cases.append(Case("With an error of zero in one sequence", (dh_t * [[0], [1], [1]], *rest)))
    return cases


class _Step(NamedTuple):
    """What a right `cell_backward` works with."""

    dh: np.ndarray
    x: np.ndarray
    h_prev: np.ndarray
    h: np.ndarray
    U: np.ndarray
    V: np.ndarray
    da: np.ndarray


def _stepped(new=lambda s: {}, slope=lambda h_prev, h: 1 - h**2):
    """Right but for what new(step) says, or with another slope."""

    def cell_backward(dh_t, x_t, h_prev, h_t, U, V):
        s = _Step(dh_t, x_t, h_prev, h_t, U, V, dh_t * slope(h_prev, h_t))
        made = {
            "dx": s.da @ U.T,
            "dh": s.da @ V.T,
            "dU": x_t.T @ s.da,
            "dV": h_prev.T @ s.da,
            "db": s.da.sum(0),
        }
        return tuple((made | new(s)).values())

    return cell_backward


_step = _stepped()


def _step_returned(change):
    """Returns change(dx_t, dh_prev, dU, dV, db)."""
    return lambda *args: change(*_step(*args))


def _writes_into_dh_t(dh_t, x_t, h_prev, h_t, U, V):
    dh_t *= 1 - h_t**2
    return dh_t @ U.T, dh_t @ V.T, x_t.T @ dh_t, h_prev.T @ dh_t, dh_t.sum(0)


def _writes_into_h_t(dh_t, x_t, h_prev, h_t, U, V):
    back = _step(dh_t, x_t, h_prev, h_t, U, V)
    np.subtract(1, h_t * h_t, out=h_t)
    return back


class _StepAddsUp:
    """Adds dU, dV and db to those of earlier calls with the same shapes."""

    def __init__(self):
        self.sums = {}

    def __call__(self, *args):
        dx, dh, *new = _step(*args)
        key = tuple(a.shape for a in args)
        kept = self.sums.get(key, [0, 0, 0])
        self.sums[key] = [old + a for old, a in zip(kept, new, strict=True)]
        return dx, dh, *self.sums[key]


class _StepKeepsBuffers:
    """Writes all results of the same shapes into the same arrays."""

    def __init__(self):
        self.kept = {}

    def __call__(self, *args):
        new = _step(*args)
        kept = self.kept.setdefault(tuple(a.shape for a in args), [a.copy() for a in new])
        for old, a in zip(kept, new, strict=True):
            old[...] = a
        return tuple(kept)


CELL_BACKWARD = Exercise(
    number="3.2",
    returns="dx_t (B,D), dh_prev (B,H), dU (D,H), dV (H,H), db (H,)",
    reference=cell_backward,
    cases=_cell_cases,
    mistakes=(
        # The slope of tanh
        Mistake(
            "no slope",
            "tanh is missing on the way back. How much does h_t move when a_t does?",
            _stepped(slope=lambda h_prev, h: 1),
        ),
        Mistake(
            "slope of the state before",
            "The slope of tanh is taken at h_prev. Which state came out of this tanh?",
            _stepped(slope=lambda h_prev, h: 1 - h_prev**2),
        ),
        Mistake(
            "slope not squared",
            "The slope of tanh lacks its square: look at the formula again.",
            _stepped(slope=lambda h_prev, h: 1 - h),
        ),
        Mistake(
            "slope squared as a whole",
            "The square is around the whole bracket: which part of it is squared in the formula?",
            _stepped(slope=lambda h_prev, h: (1 - h) ** 2),
        ),
        Mistake(
            "slope of the sigmoid",
            "That is the slope of the sigmoid. Which function made h_t?",
            _stepped(slope=lambda h_prev, h: h * (1 - h)),
        ),
        Mistake(
            "slope with a plus",
            "Look at the sign in the slope of tanh: where is the curve steepest?",
            _stepped(slope=lambda h_prev, h: 1 + h**2),
        ),
        Mistake(
            "slope without the 1",
            "The slope of tanh is 0 where h_t is 0 in your function. Is the curve flat there?",
            _stepped(slope=lambda h_prev, h: h**2),
        ),
        Mistake(
            "tanh taken again",
            "h_t went through tanh once more before its slope was taken. It is past tanh already.",
            _stepped(slope=lambda h_prev, h: 1 - np.tanh(h) ** 2),
        ),
        Mistake(
            "slope of the ReLU",
            "The error passes where h_t is positive and is lost elsewhere: that is a ReLU's slope. "
            "Which function made h_t?",
            _stepped(slope=lambda h_prev, h: h > 0),
        ),
        Mistake(
            "slope twice",
            "The slope of tanh is in there twice.",
            _stepped(slope=lambda h_prev, h: (1 - h**2) ** 2),
        ),
        Mistake(
            "divided by the slope",
            "The error is divided by the slope of tanh. The chain rule multiplies.",
            _stepped(slope=lambda h_prev, h: 1 / (1 - h**2)),
        ),
        Mistake(
            "bracket missing",
            "A bracket is missing: `dh * 1 - h**2` multiplies by 1 and then subtracts.",
            lambda dh, x, hp, h, U, V: _stepped(slope=lambda h_prev, h: 1)(
                dh * 1 - h**2, x, hp, h, U, V
            ),
        ),
        Mistake(
            "dx without the slope",
            "dx_t is made of the error at h_t. x_t went in before tanh: which error is there?",
            _stepped(lambda s: {"dx": s.dh @ s.U.T}),
        ),
        Mistake(
            "dh_prev without the slope",
            "dh_prev is made of the error at h_t. h_prev went in before tanh: which error is "
            "there?",
            _stepped(lambda s: {"dh": s.dh @ s.V.T}),
        ),
        Mistake(
            "dx and dh_prev without the slope",
            "dx_t and dh_prev are made of the error at h_t. Both x_t and h_prev went in before "
            "tanh: which error is there?",
            _stepped(lambda s: {"dx": s.dh @ s.U.T, "dh": s.dh @ s.V.T}),
        ),
        Mistake(
            "dU without the slope",
            "dU is made of the error at h_t. U acts before tanh: which error is there?",
            _stepped(lambda s: {"dU": s.x.T @ s.dh}),
        ),
        Mistake(
            "dV without the slope",
            "dV is made of the error at h_t. V acts before tanh: which error is there?",
            _stepped(lambda s: {"dV": s.h_prev.T @ s.dh}),
        ),
        Mistake(
            "db without the slope",
            "db is made of the error at h_t. b is added before tanh: which error is there?",
            _stepped(lambda s: {"db": s.dh.sum(0)}),
        ),
        Mistake(
            "only dh_prev with the slope",
            "The weights get the error at h_t. They act before tanh: which error is there?",
            _stepped(
                lambda s: {"dU": s.x.T @ s.dh, "dV": s.h_prev.T @ s.dh, "db": s.dh.sum(0)},
            ),
        ),
        Mistake(
            "slope after V",
            "For dh_prev the slope comes after V. Which of the two did the signal meet last on its "
            "way out?",
            _stepped(lambda s: {"dh": s.dh @ s.V.T * (1 - s.h**2)}),
        ),
        Mistake(
            "slope of h_prev on dh_prev",
            "dh_prev has the slope at h_prev as well. That tanh belongs to the step before.",
            _stepped(lambda s: {"dh": s.da @ s.V.T * (1 - s.h_prev**2)}),
        ),
        # Matrices
        Mistake(
            "V transposed",
            "For dh_prev V is the wrong way round. Row i of V says what unit i sent on: along "
            "which axis does the blame come back to unit i?",
            _stepped(lambda s: {"dh": s.da @ s.V}),
        ),
        Mistake(
            "U transposed",
            "For dx_t U is the wrong way round. U is (D,H): which of its axes meets da, which is "
            "left?",
            _stepped(lambda s: {"dx": s.da @ s.U}),
        ),
        Mistake(
            "both transposed",
            "For dx_t and dh_prev the matrices are the wrong way round: the way back through a "
            "matrix is not the way out.",
            _stepped(lambda s: {"dx": s.da @ s.U, "dh": s.da @ s.V}),
        ),
        Mistake(
            "U and V swapped",
            "U and V have changed places, or dx_t and dh_prev have: by which matrix did the input "
            "come in, by which the memory?",
            _stepped(lambda s: {"dx": s.da @ s.V.T, "dh": s.da @ s.U.T}),
        ),
        Mistake(
            "dx through V",
            "dx_t goes back through V. By which matrix did the input come in?",
            _stepped(lambda s: {"dx": s.da @ s.V.T}),
        ),
        Mistake(
            "dh_prev through U",
            "dh_prev goes back through U. By which matrix did the memory come in?",
            _stepped(lambda s: {"dh": s.da @ s.U.T}),
        ),
        Mistake(
            "V forgotten",
            "dh_prev is the error at a_t. What lies between h_prev and a_t?",
            _stepped(lambda s: {"dh": s.da}),
        ),
        Mistake(
            "dh_prev is dh_t",
            "dh_prev is dh_t unchanged: the error came through the cell without meeting it.",
            _stepped(lambda s: {"dh": +s.dh}),
        ),
        Mistake(
            "dh_prev with dh_t added",
            "dh_t is added to dh_prev once more. Is there a path round the cell?",
            _stepped(lambda s: {"dh": s.dh + s.da @ s.V.T}),
        ),
        Mistake(
            "V entry by entry",
            "Each unit gets its own error back and nothing from the others: is that a matrix "
            "product?",
            _stepped(lambda s: {"dh": s.da * np.diag(s.V)}),
        ),
        Mistake(
            "dh_prev is zero",
            "dh_prev is all zero. h_prev had a part in h_t.",
            _stepped(lambda s: {"dh": 0 * s.dh}),
        ),
        # dU, dV, db
        Mistake(
            "dU transposed",
            "dU lies on its side. Row d of U belongs to input d.",
            _stepped(lambda s: {"dU": s.da.T @ s.x}),
        ),
        Mistake(
            "dV transposed",
            "dV lies on its side. Row i of V belongs to the unit that sends: to h_prev or to da?",
            _stepped(lambda s: {"dV": s.da.T @ s.h_prev}),
        ),
        Mistake(
            "both weights transposed",
            "dU and dV lie on their sides. Row i of V belongs to the unit that sends.",
            _stepped(lambda s: {"dU": s.da.T @ s.x, "dV": s.da.T @ s.h_prev}),
        ),
        Mistake(
            "dV from h_t",
            "dV is made with h_t. Which state did V meet?",
            _stepped(lambda s: {"dV": s.h.T @ s.da}),
        ),
        Mistake(
            "dU from the states",
            "dU is made with h_prev. What does U act on?",
            _stepped(lambda s: {"dU": s.h_prev.T @ s.da}),
        ),
        Mistake(
            "dV from the input",
            "dV is made with x_t. What does V act on?",
            _stepped(lambda s: {"dV": s.x.T @ s.da}),
        ),
        Mistake(
            "dU and dV swapped",
            "dU and dV have changed places.",
            _step_returned(lambda dx, dh, dU, dV, db: (dx, dh, dV, dU, db)),
        ),
        Mistake(
            "dV from the sums",
            "For dV states and errors are summed over the batch first. Each sequence's state goes "
            "with its own error.",
            _stepped(lambda s: {"dV": np.outer(s.h_prev.sum(0), s.da.sum(0))}),
        ),
        Mistake(
            "mean over the batch",
            "dU, dV and db are divided by B. The weights served every sequence: sum or mean?",
            _step_returned(
                lambda dx, dh, dU, dV, db: (dx, dh, *(g / len(dx) for g in (dU, dV, db)))
            ),
        ),
        Mistake(
            "dU averaged over the batch",
            "dU is divided by B. U served every sequence: sum or mean?",
            _stepped(lambda s: {"dU": s.x.T @ s.da / len(s.x)}),
        ),
        Mistake(
            "dV averaged over the batch",
            "dV is divided by B. V served every sequence: sum or mean?",
            _stepped(lambda s: {"dV": s.h_prev.T @ s.da / len(s.x)}),
        ),
        Mistake(
            "dU and dV averaged over the batch",
            "dU and dV are divided by B. U and V served every sequence: sum or mean?",
            _stepped(
                lambda s: {"dU": s.x.T @ s.da / len(s.x), "dV": s.h_prev.T @ s.da / len(s.x)},
            ),
        ),
        Mistake(
            "db averaged over the batch",
            "db is a mean over the sequences. b was added to each of them: sum or mean?",
            _stepped(lambda s: {"db": s.da.mean(0)}),
        ),
        Mistake(
            "db not summed",
            "db still has one row per sequence. b has one entry per unit.",
            _stepped(lambda s: {"db": s.da}),
        ),
        Mistake(
            "db summed over the units",
            "db has one entry per sequence. b has one per unit: over which axis is the sum?",
            _stepped(lambda s: {"db": s.da.sum(1)}),
        ),
        Mistake(
            "db kept as a row",
            "db has an axis of length 1 too many. b is (H,).",
            _stepped(lambda s: {"db": s.da.sum(0, keepdims=True)}),
        ),
        Mistake(
            "db one number",
            "db was summed over everything. b has one entry per unit.",
            _stepped(lambda s: {"db": s.da.sum()}),
        ),
        Mistake(
            "db of the first sequence",
            "Only the first sequence counts in db.",
            _stepped(lambda s: {"db": s.da[0]}),
        ),
        # What comes back
        Mistake(
            "sign",
            "All signs are reversed. The minus belongs to the update, not to the gradient.",
            _step_returned(lambda *back: tuple(-g for g in back)),
        ),
        Mistake(
            "twice too large",
            "Everything is twice too large.",
            _step_returned(lambda *back: tuple(2 * g for g in back)),
        ),
        Mistake(
            "weights first",
            "The gradients of the weights came back first. The order is dx_t, dh_prev, dU, dV, db.",
            _step_returned(lambda dx, dh, dU, dV, db: (dU, dV, db, dx, dh)),
        ),
        Mistake(
            "no dx",
            "dx_t did not come back. What if x_t was itself made by a network?",
            _step_returned(lambda dx, dh, dU, dV, db: (dh, dU, dV, db)),
        ),
        Mistake(
            "no dh_prev",
            "dh_prev did not come back. Without it the error ends at this step.",
            _step_returned(lambda dx, dh, dU, dV, db: (dx, dU, dV, db)),
        ),
        Mistake(
            "returns da as well",
            "Five gradients are asked for: da_t can stay inside.",
            lambda *args: (*_step(*args), args[0] * (1 - args[3] ** 2)),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single sequence, input or unit an axis is missing: what removes it?",
            _step_returned(lambda *back: tuple(map(np.squeeze, back))),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _step_returned(lambda *back: tuple(g.astype(np.float32) for g in back)),
        ),
        Mistake(
            "rounds",
            "The results are rounded. Round for printing only.",
            _step_returned(lambda *back: tuple(g.round(4) for g in back)),
        ),
        Mistake(
            "writes into dh_t",
            written_into("dh_t", "*="),
            _writes_into_dh_t,
        ),
        Mistake(
            "writes into h_t",
            "h_t is not the same afterwards. The caller still needs the states.",
            _writes_into_h_t,
        ),
        Mistake(
            "adds up over calls",
            "The gradients of earlier calls are still in dU, dV and db. The sum over the steps is "
            "the next exercise's: one step is asked for here.",
            _StepAddsUp(),
        ),
        Mistake(
            "overwrites its own result",
            "Your function keeps arrays and writes every result into them, so that an earlier "
            "result changes with a later call. Make new arrays in each call.",
            _StepKeepsBuffers(),
        ),
    ),
)

# 3.3 bptt ----------------------------------------------------------------------------------------


def _run(rng, T, B, D, H, K, scale=0.7, h0=None):
    """do, x, h0, h and params: random, h the unrolled states."""
    params = RNNParams(*(scale * rng.normal(size=s) for s in [(D, H), (H, H), H, (H, K), K]))
    x, h_0 = rng.normal(size=(T, B, D)), np.tanh(rng.normal(size=(B, H)))
    h0 = h_0 if h0 is None else h0
    return rng.normal(size=(T, B, K)), x, h0, unroll(x, h0, *params[:3]), params


def _lasting(rng, *sizes):
    """The same with small states and a V that turns them: errors reach the first step."""
    do, x, h0, _, params = _run(rng, *sizes)
    x, h0 = 0.02 * x, 0.02 * h0
    params = params._replace(V=np.linalg.qr(params.V)[0], b=0.02 * params.b)
    return do, x, h0, unroll(x, h0, *params[:3]), params


def _bptt_cases(rng):
    for label, sizes, scale in [
        ("", (5, 3, 2, 4, 6), 0.7),
        ("With D = H = K", (4, 2, 3, 3, 3), 0.7),
        ("With T = B = D = H = K", (3, 3, 3, 3, 3), 0.7),
        ("With one step (T=1)", (1, 3, 2, 4, 5), 0.7),
        ("With one sequence (B=1)", (4, 1, 2, 3, 5), 0.7),
        ("With one input, unit and output", (4, 2, 1, 1, 1), 0.7),
        ("With all sizes 1", (1, 1, 1, 1, 1), 0.7),
        ("With large weights, where tanh saturates", (4, 3, 5, 2, 6), 2.0),
        ("With other numbers of the same shapes", (5, 3, 2, 4, 6), 0.7),
    ]:
        yield Case(label, _run(rng, *sizes, scale))
    do, *rest = _run(rng, 4, 2, 3, 5, 2)
    yield Case("With large errors", (1000 * do, *rest))
    yield Case("With other errors, all else the same", (do[::-1], *rest))
    do[:-1] = 0
    yield Case("With a loss at the last step only", (do, *rest))
    yield Case("With 40 steps and a memory that lasts", _lasting(rng, 40, 2, 3, 4, 5))
    yield Case("With a large h0", _run(rng, 3, 2, 3, 4, 5, h0=3 * rng.normal(size=(2, 4))))


BPTT = Exercise(
    number="3.3",
    returns="grads RNNParams, dx (T,B,D), dh0 (B,H)",
    reference=bptt,
    cases=_bptt_cases,
    mistakes=tuple(Mistake(b.name, b.hint, b.wrong) for b in (*zoo.BUGS, *zoo.HARMFUL)),
)

# 3.7 truncated_bptt ------------------------------------------------------------------------------


def _truncated_cases(rng):
    for label, T, sizes, chunk in [
        ("With T=6, chunk=2", 6, (3, 2, 4, 5), 2),
        ("With T=7, chunk=3", 7, (3, 2, 4, 5), 3),
        ("With T=7, chunk=3 and other numbers", 7, (3, 2, 4, 5), 3),
        ("With T=7, chunk=4", 7, (3, 2, 4, 5), 4),
        ("With T=5, chunk=1", 5, (2, 3, 4, 2), 1),
        ("With T=4, chunk=4", 4, (2, 3, 5, 2), 4),
        ("With T=4, chunk=9", 4, (2, 3, 5, 2), 9),
        ("With T=6, chunk=3 and B = D = H = K", 6, (3, 3, 3, 3), 3),
        ("With T=1, chunk=1", 1, (3, 2, 4, 5), 1),
        ("With T=3, chunk=2 and all other sizes 1", 3, (1, 1, 1, 1), 2),
        ("With T=5, chunk=2 and one unit (H=1)", 5, (3, 4, 1, 2), 2),
        ("With T=5, chunk=2, one input and one output", 5, (3, 1, 4, 1), 2),
    ]:
        yield Case(label, (*_run(rng, T, *sizes), chunk))
    yield Case("With T=40, chunk=25", (*_lasting(rng, 40, 2, 3, 4, 5), 25))
    yield Case("With saturated states", (*_run(rng, 5, 2, 3, 4, 5, scale=20.0), 3))
    do, *rest = _run(rng, 5, 2, 3, 4, 5, h0=3 * rng.normal(size=(2, 4)))
    yield Case("With a large h0", (do, *rest, 2))
    yield Case("With large errors, all else the same", (1000 * do, *rest, 2))
    yield Case("With another chunk, all else the same", (1000 * do, *rest, 3))


def _pieces(T, chunk):
    return [slice(start, min(start + chunk, T)) for start in range(0, T, chunk)]


def _chunked(pieces=_pieces, one=zoo.right, first=None, join=sum):
    """`one` bptt for each piece, from the state that first(h0, h, start) gives, and their sum."""

    def start_of(h0, h, start):
        return h[start - 1] if start else h0

    def truncated(do, x, h0, h, params, chunk):
        found = []
        for s in pieces(len(x), chunk):
            state = (first or start_of)(h0, h, s.start)
            found.append(one(do[s], x[s], state, h[s], params)[0])
        return RNNParams(*(join(parts) for parts in zip(*found, strict=True)))

    return truncated


def _from_the_end(T, chunk):
    """The first piece is the short one."""
    return [slice(max(0, stop - chunk), stop) for stop in range(T, 0, -chunk)]


def _late(T, chunk):
    """Borders after steps 0, chunk, 2 chunk, …"""
    return [slice(0, 1)] + [slice(s.start + 1, s.stop + 1) for s in _pieces(T - 1, chunk)]


def _split(T, n):
    """n pieces as equal as can be."""
    return [slice(part[0], part[-1] + 1) for part in np.array_split(np.arange(T), min(T, n))]


def _stretched(T, chunk):
    """The leftover steps join the last whole chunk."""
    starts = [s.start for s in _pieces(T, chunk)][: max(1, T // chunk)]
    return [slice(*ends) for ends in pairwise([*starts, T])]


def _overlapping(T, chunk):
    """Each piece has the first step of the next one in it as well."""
    return [slice(s.start, min(s.stop + 1, T)) for s in _pieces(T, chunk)]


def _with_gaps(T, chunk):
    """The last step of each whole chunk is in no piece."""
    return [slice(s.start, min(s.start + chunk - 1, T)) for s in _pieces(T, chunk)]


def _lengths(T, chunk):
    """(T,): the length of the chunk that each step is in."""
    return np.concatenate([np.full(s.stop - s.start, s.stop - s.start) for s in _pieces(T, chunk)])


def _sliding(do, x, h0, h, params, chunk):
    """Every loss goes back through the `chunk` states before it, wherever the borders are."""
    p = zoo.parts(do, x, h0, h, params)
    da = np.zeros_like(h)
    for end in range(len(x)):
        error = p.own[end]
        for t in range(end, max(-1, end - chunk), -1):
            error = error * p.slope[t]
            da[t] += error
            error = error @ p.V.T
    return zoo.finished(p._replace(da=da))[0]


def _leaking(do, x, h0, h, params, chunk):
    """Over each border the error still gets one step far."""
    p = zoo.parts(do, x, h0, h, params)
    pieces = _pieces(len(x), chunk)
    da = np.concatenate([zoo.loop()(p.own[s], p.slope[s], p.V)[1] for s in pieces])
    first = np.array([s.start for s in pieces[1:]], dtype=int)
    da[first - 1] += da[first] @ p.V.T * p.slope[first - 1]
    return zoo.finished(p._replace(da=da))[0]


def _error_for_memory(do, x, h0, h, params, chunk):
    """Each chunk begins with the dh0 of the one before."""
    found, state = [], h0
    for s in _pieces(len(x), chunk):
        grads, _, state = zoo.right(do[s], x[s], state, h[s], params)
        found.append(grads)
    return RNNParams(*(sum(parts) for parts in zip(*found, strict=True)))


def _heard(steps):
    """Only some losses are heard: do is 0 but at steps(T, chunk)."""

    def truncated(do, x, h0, h, params, chunk):
        kept = np.zeros_like(do)
        at = steps(np.arange(len(do)), chunk)
        kept[at] = do[at]
        return _chunked()(kept, x, h0, h, params, chunk)

    return truncated


def _one_per_chunk(do, x, h0, h, params, chunk):
    return [_chunked()(do[s], x[s], h0, h[s], params, chunk) for s in _pieces(len(x), chunk)]


def _chunked_returned(change):
    """Returns change(grads)."""
    return lambda *args: change(_chunked()(*args))


def _chunked_into_do(do, x, h0, h, params, chunk):
    grads = _chunked()(do, x, h0, h, params, chunk)
    do += 1
    return grads


class _ChunkedAddsUp:
    """Adds the gradients to those of earlier calls with the same shapes."""

    def __init__(self):
        self.sums = {}

    def __call__(self, do, x, h0, h, params, chunk):
        grads = _chunked()(do, x, h0, h, params, chunk)
        key = do.shape, x.shape, h0.shape
        before = self.sums.get(key, [0] * len(grads))
        self.sums[key] = RNNParams(*(a + b for a, b in zip(before, grads, strict=True)))
        return self.sums[key]


def _in_each_chunk(*names):
    """Bugs of the zoo, made by the same hand in each chunk."""
    for bug in zoo.BUGS:
        if bug.name in names:
            yield Mistake(bug.name, bug.hint, _chunked(one=bug.wrong))


TRUNCATED_BPTT = Exercise(
    number="3.7",
    returns="grads RNNParams",
    reference=truncated_bptt,
    cases=_truncated_cases,
    mistakes=(
        Mistake(
            "not truncated",
            "The error goes back through all steps: `chunk` makes no difference.",
            _chunked(lambda T, chunk: [slice(0, T)]),
        ),
        Mistake(
            "chunks counted from the end",
            "The chunks are counted from the last step. When chunk doesn't divide T, which one is "
            "the short one?",
            _chunked(_from_the_end),
        ),
        Mistake(
            "a window that slides",
            "Every loss goes back the same number of steps. Here the borders stay where they are: "
            "how far back does the first loss of a chunk reach?",
            _sliding,
        ),
        Mistake(
            "over the border by a step",
            "Over each border the error still gets a step far. What has to happen to the carried "
            "error between two chunks?",
            _leaking,
        ),
        Mistake(
            "border a step late",
            "Every border is a step late, so that step 0 makes a chunk by itself. Is the carried "
            "error dropped before step t or after it?",
            _chunked(_late),
        ),
        Mistake(
            "chunks a step short",
            "The chunks are a step short: count the steps in `h[start : stop]`.",
            _chunked(lambda T, chunk: _pieces(T, max(1, chunk - 1))),
        ),
        Mistake(
            "chunks a step long",
            "The chunks are a step long: count the steps in `h[start : stop]`.",
            _chunked(lambda T, chunk: _pieces(T, chunk + 1)),
        ),
        Mistake(
            "chunks overlap",
            "Each chunk has the first step of the next one in it, so that this step counts twice: "
            "count the steps in `start : stop`.",
            _chunked(_overlapping),
        ),
        Mistake(
            "a gap after each chunk",
            "The last step of each whole chunk is in none of them: count the steps in "
            "`start : stop`.",
            _chunked(_with_gaps),
        ),
        Mistake(
            "a number of chunks",
            "T was split into `chunk` pieces. `chunk` is their length, not their number.",
            _chunked(_split),
        ),
        Mistake(
            "last chunk stretched",
            "The steps that are left over joined the last chunk. They make a shorter one of their "
            "own.",
            _chunked(_stretched),
        ),
        Mistake(
            "last chunk dropped",
            "The steps that are left over at the end don't count, when chunk doesn't divide T.",
            _chunked(lambda T, chunk: _pieces(T, chunk)[: T // chunk] or [slice(0, 0)]),
        ),
        Mistake(
            "last chunk dropped, whole or not",
            "The last chunk doesn't count, be it whole or not: at which start does your loop end?",
            _chunked(lambda T, chunk: _pieces(T, chunk)[:-1] or [slice(0, 0)]),
        ),
        Mistake(
            "only the last chunk",
            "Only the last chunk counts: the loop overwrites (=) where it should add (+=).",
            _chunked(join=lambda found: found[-1]),
        ),
        Mistake(
            "only the first chunk",
            "Only the first chunk counts: does a `return` stand inside the loop?",
            _chunked(join=lambda found: found[0]),
        ),
        Mistake(
            "mean over the chunks",
            "The chunks' gradients were averaged. Truncation cuts paths, it doesn't change the "
            "loss: sum or mean?",
            _chunked(join=lambda found: sum(found) / len(found)),
        ),
        Mistake(
            "divided by the length of the chunk",
            "Each chunk's gradient is divided by its length. do holds the division by the number "
            "of steps already.",
            lambda do, x, h0, h, params, chunk: _chunked()(
                do / _lengths(len(do), chunk)[:, None, None], x, h0, h, params, chunk
            ),
        ),
        Mistake(
            "h0 for every chunk",
            "Every chunk begins with h0. The error stops at a border; the memory goes on.",
            _chunked(first=lambda h0, h, start: h0),
        ),
        Mistake(
            "zero before every chunk but the first",
            "Every chunk but the first begins with a memory of zero. The error stops at a border; "
            "the memory goes on.",
            _chunked(first=lambda h0, h, start: h0 if start == 0 else 0 * h0),
        ),
        Mistake(
            "zero before every chunk",
            "The first step of each chunk adds nothing to dV, as if the memory before it were "
            "zero. The error stops at a border; the memory goes on.",
            _chunked(first=lambda h0, h, start: 0 * h0),
        ),
        Mistake(
            "zero before the first chunk",
            "The first chunk begins with a memory of zero in place of h0.",
            _chunked(first=lambda h0, h, start: h[start - 1] if start else 0 * h0),
        ),
        Mistake(
            "last state before the first chunk",
            "The first chunk begins with the last state of all: an index of -1 is no error in "
            "Python.",
            _chunked(first=lambda h0, h, start: h[start - 1]),
        ),
        Mistake(
            "an error for the memory",
            "A chunk begins with the dh0 that bptt gave for another one. That is an error. Which "
            "memory comes before a chunk?",
            _error_for_memory,
        ),
        Mistake(
            "a chunk's own first state before it",
            "A chunk begins with the state of its own first step. Which one came before that?",
            _chunked(first=lambda h0, h, start: h[start] if start else h0),
        ),
        Mistake(
            "losses at the borders only",
            "Only the last step of each chunk brings an error in. Every step has its own loss.",
            _heard(lambda t, chunk: (t % chunk == chunk - 1) | (t == t[-1])),
        ),
        Mistake(
            "no loss at the borders",
            "The last step of each chunk brings no error in. At which step of a chunk does your "
            "way back begin?",
            _heard(lambda t, chunk: (t % chunk < chunk - 1) & (t < t[-1])),
        ),
        *_in_each_chunk(
            "V transposed",
            "W not transposed",
            "no error through time",
            "only the last loss",
            "forwards through time",
            "carried error piles up",
            "carried error past tanh",
            "own error past tanh",
            "carried before tanh",
            "slope after V",
            "V forgotten",
            "no slope",
            "slope of the state before",
            "slope not squared",
            "slope twice",
            "dV from h_t",
            "last state before the first",
            "dV transposed",
            "dV without the slope",
            "dU transposed",
            "dU without the slope",
            "db without the slope",
            "db not summed over the batch",
            "dW from the state before",
            "dc not summed over the batch",
            "overwritten at each step",
            "mean over the batch",
            "doubled",
            "uphill",
        ),
        Mistake(
            "dx and dh0 as well",
            "Only the gradients of the weights are asked for here.",
            lambda do, x, h0, h, params, chunk: (
                _chunked()(do, x, h0, h, params, chunk),
                *zoo.right(do, x, h0, h, params)[1:],
            ),
        ),
        Mistake(
            "one gradient per chunk",
            "The gradients of each chunk came back one by one. Their sum is asked for.",
            _one_per_chunk,
        ),
        Mistake(
            "Goodfellow's order",
            "V, b and W stand in another order. RNNParams is (U, V, b, W, c).",
            _chunked_returned(lambda g: (g.U, g.V, g.W, g.b, g.c)),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single input, unit or output an axis is missing: what removes it?",
            _chunked_returned(lambda g: RNNParams(*map(np.squeeze, g))),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _chunked_returned(lambda g: RNNParams(*(a.astype(np.float32) for a in g))),
        ),
        Mistake(
            "writes into do",
            "do is not the same afterwards: `+=` on it, or on a view of it, writes into the "
            "caller's array. Work on an array of your own.",
            _chunked_into_do,
        ),
        Mistake(
            "adds up over calls",
            "The gradients of earlier calls are still in there. When do your sums begin anew?",
            _ChunkedAddsUp(),
        ),
    ),
)

EXERCISES = (
    SEQUENCE_CROSS_ENTROPY_BACKWARD,
    CELL_BACKWARD,
    BPTT,
    NUMERICAL_GRADIENT,
    CLIP_GRADIENTS,
    GRADIENT_FLOW,
    TRUNCATED_BPTT,
    CATCHES_BUGS,
)
QUESTIONS = (
    Question(
        "3.1",
        choices="abc",
        answer="b",
        because="On the way back only gradients are computed. Added up over the steps they make "
        "one update.",
        replies={
            "a": "All steps share one V. Were it changed on the way back, the steps before would "
            "be judged by a V that was not at work in them.",
            "c": "The memories are past. What can be made better for the next time?",
        },
    ),
    Question(
        "3.2",
        answer=0.108,
        because="0.036 directly, and 0.2 · 0.36 = 0.072 through the past.",
        replies={
            0.036: "That is the direct part. What about the past?",
            0.072: "That is what comes through the past. What about the direct part?",
            0.396: "What comes from the past is multiplied by w first.",
            0.11: "Nearly. Keep all digits: 0.036 + 0.072.",
            0.216: "The error from the past is counted twice. It is w times the total before.",
            0.0072: "That is h at step 3, not its slope.",
        },
    ),
    Question(
        "3.3",
        answer=0.665,
        because="The slope of log Σ exp(o_j) by o_0 is exp(o_0) / Σ exp(o_j): its probability.",
        replies={
            0.245: "That is the probability of logit 1. Logit 0 is the one that is raised.",
            -0.755: "That is the slope by the target's logit.",
            0.755: "That belongs to the target's logit. Logit 0 is a wrong answer here.",
            0.335: "That is 1 - p. A wrong answer is blamed for the probability it took.",
            -0.665: "A wrong answer becomes likelier: does the surprise at the right one rise or "
            "fall?",
            1: "It would be 1 if logit 0 had all the probability already.",
            0: "o_0 is not the target, but it is in the sum under the logarithm.",
        },
    ),
    Question(
        "3.4",
        choices="abc",
        answer="b",
        because="It makes o_2, and h_3, which makes o_3. L_1 is over when h_2 comes to be.",
        replies={
            "a": "What becomes of h_2 at the next step?",
            "c": "When L_1 is measured, has h_2 been computed yet?",
        },
    ),
    Question(
        "3.5",
        choices="abc",
        answer="b",
        because="Each memory still learns to serve its own step, and old letters leave traces in h "
        "whether or not anybody taught it to keep them.",
        replies={
            "a": "Part of the gradient is right: each memory is still blamed for its own step.",
            "c": "Nothing is multiplied up along the way any more: what should make them run away?",
        },
    ),
    Question(
        "3.6",
        choices="abc",
        answer="b",
        because="The 5 feeds one number into the other before both die away.",
        replies={
            "a": "Multiply V by the column (0, 1). Is the result shorter than 1?",
            "c": "In the long run the eigenvalues decide. Are they above 1?",
        },
    ),
    Question(
        "3.7",
        choices="ab",
        answer="b",
        because="No error crosses the border, but the memory does.",
        replies={
            "a": "No error reaches it, that is true. But the memory that is carried in may hold a "
            "trace of it, and the readout can learn to use what is there.",
        },
    ),
)
