"""Lesson 2, unrolling: exercises 2.1 to 2.5 and their known mistakes."""

import numpy as np

from utils.loss import sequence_cross_entropy
from utils.unroll import last_states, pad_sequences, unroll, unroll_in_chunks

from .cell import around_20
from .exercise import SEVEN_DIGITS, Case, Exercise, Mistake, Question, written_into

# 2.1 unroll --------------------------------------------------------------------------------------


def _numbers(rng, T, B, D, H, scale=1.0):
    """x, h0, U, V, b, with all of them non-zero."""
    shapes = (T, B, D), (B, H), (D, H), (H, H), (H,)
    x, h0, U, V, b = (scale * rng.normal(size=s) for s in shapes)
    return x, np.tanh(h0), U, V, b


def _unusual(rng, T, B, D, H):
    """Labels and numbers that random ones never are."""
    x, h0, U, V, b = _numbers(rng, T, B, D, H)
    some = x * (rng.random((T, B, 1)) < 0.6)
    zeros = some, np.zeros_like(h0), U, V, np.zeros_like(b)
    yield "With h0 = 0, b = 0 and some zero rows in x", zeros
    yield "With x = 0", (np.zeros_like(x), h0, U, V, b)
    yield "With numbers around 20", around_20(x, h0, U, V, b)


def _far_back(rng, T, B, D, H):
    """x, h0, U, V, b with which the last state still depends on h0: V only turns the memory."""
    x, h0, U, V, b = _numbers(rng, T, B, D, H)
    return x / 10, h0, U, np.linalg.qr(V)[0], b / 10


def _unroll_cases(rng):
    for label, T, B, D, H, scale in [
        ("", 6, 3, 4, 5, 1.0),
        ("With as many inputs as units (D = H)", 6, 3, 4, 4, 1.0),
        ("With as many steps as sequences (T = B)", 4, 4, 3, 5, 1.0),
        ("With as many sequences as units (B = H)", 5, 4, 3, 4, 1.0),
        ("With T = B = D = H", 3, 3, 3, 3, 1.0),
        ("With one step (T=1)", 1, 3, 4, 5, 1.0),
        ("With one sequence (B=1)", 6, 1, 4, 5, 1.0),
        ("With one input (D=1)", 6, 3, 1, 5, 1.0),
        ("With one unit (H=1)", 6, 3, 4, 1, 1.0),
        ("With T = B = D = H = 1", 1, 1, 1, 1, 1.0),
        ("With large numbers, where tanh saturates", 6, 3, 4, 5, 4.0),
        ("With other numbers of the same shapes", 6, 3, 4, 5, 1.0),
    ]:
        yield Case(label, _numbers(rng, T, B, D, H, scale))
    yield Case("With 40 steps", _far_back(rng, 40, 2, 4, 3))
    for label, numbers in _unusual(rng, 6, 3, 4, 5):
        yield Case(label, numbers)


def _cell(x_t, h, U, V, b):
    return np.tanh(x_t @ U + h @ V + b)


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _states(x, h0, U, V, b, cell=_cell):
    h, states = h0, []
    for x_t in x:
        h = cell(x_t, h, U, V, b)
        states.append(h)
    return np.array(states)


def _with(cell):
    """An unroll that is right but for its cell."""
    return lambda x, h0, U, V, b: _states(x, h0, U, V, b, cell)


def _after(change):
    """The right states, changed."""
    return lambda x, h0, U, V, b: change(_states(x, h0, U, V, b))


def _one_array_for_all(x, h0, U, V, b):
    h, states = h0.copy(), []
    for x_t in x:
        h[...] = _cell(x_t, h, U, V, b)
        states.append(h)
    return np.array(states)


def _into_h0(x, h0, U, V, b):
    states = []
    for x_t in x:
        h0[...] = _cell(x_t, h0, U, V, b)
        states.append(h0.copy())
    return np.array(states)


def _into_h0_only(x, h0, U, V, b):
    states = []
    for x_t in x:
        h0[...] = _cell(x_t, h0, U, V, b)
        states.append(h0)
    return np.array(states)


def _into_x(x, h0, U, V, b):
    for t, h in enumerate(_states(x, h0, U, V, b)):
        x[t, :, :1] = h[:, :1]
    return _states(x, h0, U, V, b)


def _starts_at_one(x, h0, U, V, b):
    h = np.zeros((len(x), *h0.shape))
    h[0] = h0
    h[1:] = _states(x[1:], h0, U, V, b).reshape(h[1:].shape)
    return h


def _two_steps_before(x, h0, U, V, b):
    states = [h0, h0]
    for x_t in x:
        states.append(_cell(x_t, states[-2], U, V, b))
    return np.array(states[2:])


def _twice_a_step(x_t, h, U, V, b):
    return _cell(x_t, _cell(x_t, h, U, V, b), U, V, b)


def _carries_the_sum(x, h0, U, V, b):
    return np.tanh(_states(x, h0, U, V, b, lambda x_t, h, U, V, b: x_t @ U + h @ V + b))


def _keeps_the_sum(x, h0, U, V, b):
    before = np.concatenate([h0[None], _states(x, h0, U, V, b)])[:-1]
    return x @ U + before @ V + b


def _h0_unweighted(x, h0, U, V, b):
    h = np.tanh(x[:1] @ U + h0 + b)
    return np.concatenate([h, _states(x[1:], h[0], U, V, b).reshape(-1, *h0.shape)])


def _over_sequences(x, h0, U, V, b):
    return _states(x.swapaxes(0, 1), h0, U, V, b)


def _without_last_step(x, h0, U, V, b):
    h = _states(x, h0, U, V, b)
    h[-1] = 0
    return h


class _KeepsMemory:
    """Goes on from its own last state whatever h0 it is given."""

    def __init__(self):
        self.h = None

    def __call__(self, x, h0, U, V, b):
        if self.h is None or self.h.shape != h0.shape:
            self.h = h0
        states = _states(x, self.h, U, V, b)
        self.h = states[-1]
        return states


class _KeepsBuffer:
    """Writes every result of one shape into one array."""

    def __init__(self, right):
        self.right = right
        self.kept = {}

    def __call__(self, *args):
        result = self.right(*args)
        out = self.kept.setdefault(result.shape, np.empty_like(result))
        out[...] = result
        return out


UNROLL = Exercise(
    number="2.1",
    returns="h (T,B,H)",
    reference=unroll,
    cases=_unroll_cases,
    mistakes=(
        Mistake(
            "h0 ignored",
            "h0 makes no difference to your states. Which memory does the first step start from?",
            lambda x, h0, U, V, b: _states(x, np.zeros_like(h0), U, V, b),
        ),
        Mistake(
            "every step starts from h0",
            "Each step starts from h0 again, so nothing is remembered from one step to the next. "
            "Follow the variable that holds the memory through two turns of your loop.",
            lambda x, h0, U, V, b: np.tanh(x @ U + h0 @ V + b),
        ),
        Mistake(
            "no memory",
            "Every step is computed from its input alone: without the state of the step before, "
            "this is no recurrent network.",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U + b + 0 * h)),
        ),
        Mistake(
            "no input",
            "The states don't depend on x: what does the cell see at each step?",
            _with(lambda x_t, h, U, V, b: np.tanh(h @ V + b)),
        ),
        Mistake(
            "always the first input",
            "Every step sees x[0]. Which index moves with the loop?",
            lambda x, h0, U, V, b: _states(np.repeat(x[:1], len(x), axis=0), h0, U, V, b),
        ),
        Mistake(
            "input of the step before",
            "Step t sees the input of step t-1. Line up your indices of x and of h on paper.",
            lambda x, h0, U, V, b: _states(np.roll(x, 1, axis=0), h0, U, V, b),
        ),
        Mistake(
            "input of the next step",
            "Step t sees the input of step t+1. Line up your indices of x and of h on paper.",
            lambda x, h0, U, V, b: _states(np.roll(x, -1, axis=0), h0, U, V, b),
        ),
        Mistake(
            "memory of two steps before",
            "Each step uses the memory from two steps before. Which state is the latest?",
            _two_steps_before,
        ),
        Mistake(
            "h0 as the first state",
            "Your h[0] is h0 itself and x[0] is never read. The first step has an input too, and "
            "h0 is what comes before it.",
            _starts_at_one,
        ),
        Mistake(
            "states one step late",
            "Your states are shifted by one: h[t] should already know x[t]. Look at whether you "
            "store the memory before or after updating it.",
            lambda x, h0, U, V, b: np.concatenate([h0[None], _states(x, h0, U, V, b)[:-1]]),
        ),
        Mistake(
            "h0 among the states",
            "There is one state too many, h0 in front. The result has one state for each input.",
            lambda x, h0, U, V, b: np.concatenate([h0[None], _states(x, h0, U, V, b)]),
        ),
        Mistake(
            "last state only",
            "Only the last state came back. All T of them are asked for.",
            _after(lambda h: h[-1]),
        ),
        Mistake(
            "last step left out",
            "The last state was never filled in. How far does your loop run?",
            _without_last_step,
        ),
        Mistake(
            "one step too few",
            "The last step is missing. How far does your loop run?",
            _after(lambda h: h[:-1]),
        ),
        Mistake(
            "one array for all steps",
            "All your states are the last one: the same array was put in the list T times, and "
            "each step wrote into it. Make a new array at each step.",
            _one_array_for_all,
        ),
        Mistake(
            "reads backwards",
            "The sequence is read from its end to its beginning.",
            lambda x, h0, U, V, b: _states(x[::-1], h0, U, V, b),
        ),
        Mistake(
            "memory from the future",
            "Each state is computed from the state after it. Memory flows from step t-1 to step t.",
            lambda x, h0, U, V, b: _states(x[::-1], h0, U, V, b)[::-1],
        ),
        Mistake(
            "last state first",
            "The states are right, but they come in the opposite order.",
            _after(lambda h: h[::-1]),
        ),
        Mistake(
            "loops over the sequences",
            "The loop runs over the sequences, as if x were (B,T,D). Time is the first axis.",
            _over_sequences,
        ),
        Mistake(
            "batch first",
            "The result is (B,T,H). Time is the first axis.",
            _after(lambda h: h.swapaxes(0, 1)),
        ),
        Mistake(
            "units before sequences",
            "The last two axes of the result have changed places: (T,H,B) in place of (T,B,H).",
            _after(lambda h: h.swapaxes(1, 2)),
        ),
        Mistake(
            "V transposed",
            "You used V transposed: row i of V says what unit i sends on, and h is a row.",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U + h @ V.T + b)),
        ),
        Mistake(
            "U transposed",
            "You used U transposed. U is (D,H): which of its axes has to meet x_t (B,D)?",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U.T + h @ V + b)),
        ),
        Mistake(
            "U and V swapped",
            "U and V have changed places: which one carries the input in, which the memory on?",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ V + h @ U + b)),
        ),
        Mistake(
            "elementwise with V",
            "`*` multiplies entry by entry. Which operator is the matrix product?",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U + h * V + b)),
        ),
        Mistake(
            "memory not weighted",
            "The memory goes in as it is at every step. What does V do?",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U + h + b)),
        ),
        Mistake(
            "h0 not weighted",
            "h0 goes into the first step as it is. V carries on every memory, h0 too.",
            _h0_unweighted,
        ),
        Mistake(
            "h0 squeezed again",
            "h0 went through tanh before the first step. It is a memory already.",
            lambda x, h0, U, V, b: _states(x, np.tanh(h0), U, V, b),
        ),
        Mistake(
            "memory subtracted",
            "Look at the sign of the memory's part.",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U - h @ V + b)),
        ),
        Mistake(
            "no bias",
            "The states are what you get without b: where does the bias come in?",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U + h @ V)),
        ),
        Mistake(
            "bias twice",
            "The bias is in there twice. (PyTorch has two biases; here there is one.)",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U + h @ V + 2 * b)),
        ),
        Mistake(
            "bias outside tanh",
            "The bias is added after tanh. It belongs to a_t, which tanh then squeezes as a whole.",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U + h @ V) + b),
        ),
        Mistake(
            "bias at the first step only",
            "The bias comes in at the first step only. Every step uses the same U, V and b.",
            lambda x, h0, U, V, b: np.concatenate(
                [
                    h := _states(x[:1], h0, U, V, b),
                    _states(x[1:], h[0], U, V, 0 * b).reshape(-1, *h0.shape),
                ]
            ),
        ),
        Mistake(
            "no tanh",
            "tanh is missing, so the states can grow without end.",
            _with(lambda x_t, h, U, V, b: x_t @ U + h @ V + b),
        ),
        Mistake(
            "carries a_t on",
            "What goes on to the next step is a_t, before tanh; tanh comes only at the end. "
            "The memory that V meets is h.",
            _carries_the_sum,
        ),
        Mistake(
            "keeps a_t",
            "The memory is carried on as it should be, but what you store is a_t, before tanh.",
            _keeps_the_sum,
        ),
        Mistake(
            "sigmoid",
            "That is a sigmoid: its values lie between 0 and 1. The memory lies between -1 and 1.",
            _with(lambda x_t, h, U, V, b: _sigmoid(x_t @ U + h @ V + b)),
        ),
        Mistake(
            "relu",
            "That is a ReLU: negative values are cut off. Which function does the formula name?",
            _with(lambda x_t, h, U, V, b: np.maximum(x_t @ U + h @ V + b, 0)),
        ),
        Mistake(
            "tanh of each product",
            "tanh is taken of each product by itself. First add everything up, then squeeze once.",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U) + np.tanh(h @ V) + b),
        ),
        Mistake(
            "tanh twice",
            "tanh is applied twice at each step.",
            _with(lambda x_t, h, U, V, b: np.tanh(_cell(x_t, h, U, V, b))),
        ),
        Mistake(
            "cell used twice a step",
            "The memory is updated twice at every step. Count the updates in one turn of the loop.",
            _with(_twice_a_step),
        ),
        Mistake(
            "adds to the old memory",
            "The old memory is added once more outside tanh. The new one takes its place.",
            _with(lambda x_t, h, U, V, b: h + _cell(x_t, h, U, V, b)),
        ),
        Mistake(
            "adds up the inputs",
            "Step t sees the sum of all inputs so far. The memory alone carries the past.",
            lambda x, h0, U, V, b: _states(x.cumsum(axis=0), h0, U, V, b),
        ),
        Mistake(
            "one memory for all",
            "Every sequence starts from the h0 of the first one. Row by row, each has its own.",
            lambda x, h0, U, V, b: _states(x, np.repeat(h0[:1], len(h0), axis=0), U, V, b),
        ),
        Mistake(
            "sequences mixed",
            "The memories of all sequences are averaged at each step. Each row has its own.",
            _with(lambda x_t, h, U, V, b: np.tanh(x_t @ U + h.mean(0) @ V + b)),
        ),
        Mistake(
            "first sequence only",
            "Only the first sequence came back: the result keeps one row per sequence.",
            _after(lambda h: h[:, 0]),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single step, sequence or unit the result still has three axes: what removes "
            "one?",
            _after(np.squeeze),
        ),
        Mistake(
            "last state as well",
            "Two values came back, as PyTorch gives them. Only the states h are asked for.",
            _after(lambda h: (h, h[-1])),
        ),
        Mistake(
            "a list",
            "The states came back in a list. Which function of NumPy makes one array of them?",
            _after(list),
        ),
        Mistake(
            "writes into h0",
            written_into("h0", "+="),
            _into_h0,
        ),
        Mistake(
            "writes every state into h0",
            "Each step writes into h0, which is spoilt for the caller, and your list holds that "
            "one array T times. Make a new array at each step.",
            _into_h0_only,
        ),
        Mistake(
            "remembers by itself",
            "Your function goes on from where its last call ended. All it knows of the past "
            "comes in as h0.",
            _KeepsMemory(),
        ),
        Mistake(
            "overwrites its own result",
            "Your function keeps one array and writes every result into it. "
            "Make a new array in each call.",
            _KeepsBuffer(_states),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _after(lambda h: h.astype(np.float32)),
        ),
        Mistake(
            "rounds",
            "The result is rounded. Round for printing only.",
            _after(lambda h: np.round(h, 4)),
        ),
    ),
)

# 2.2 pad_sequences -------------------------------------------------------------------------------


def _ragged(rng, lengths, low=1, high=10):
    return [rng.integers(low, high, size=n).tolist() for n in lengths]


def _pad_cases(rng):
    yield Case("", (_ragged(rng, (3, 2, 5, 1)),))
    yield Case("With pad=77", (_ragged(rng, (2, 4, 1, 5, 3)), 77))
    yield Case("With ids 0, which are real though pad is 0", (_ragged(rng, (3, 5, 2, 4), 0, 2),))
    yield Case("With real ids that equal pad=3", (_ragged(rng, (4, 2, 3, 6, 1), 2, 5), 3))
    yield Case("With pad=-1", (_ragged(rng, (1, 4, 2), 0), -1))
    yield Case("With as many sequences as steps (T = B)", (_ragged(rng, (2, 4, 1, 3)), 55))
    yield Case("With the longest first", (_ragged(rng, (6, 3, 3, 1)), 20))
    yield Case("With the longest last", (_ragged(rng, (1, 2, 2, 4, 5, 6)),))
    yield Case("With sequences of one length", (_ragged(rng, (3, 3, 3, 3)), 11))
    yield Case("With one sequence (B=1)", (_ragged(rng, (4,)), 11))
    yield Case("With one step (T=1)", (_ragged(rng, (1, 1, 1)),))
    yield Case("With T = B = 1", (_ragged(rng, (1,)),))
    as_arrays = [np.array(ids) for ids in _ragged(rng, (3, 1, 5, 2), 2, 5)]
    yield Case("With sequences that are arrays", (as_arrays, 3))  # a real id here and there
    as_tuples = [tuple(ids) for ids in _ragged(rng, (2, 5, 3))]
    yield Case("With sequences that are tuples", (as_tuples, 13))
    yield Case("With large ids", (_ragged(rng, (7, 12, 3), 40_000, 100_000), 200))
    yield Case("With other ids in sequences of the same lengths", (_ragged(rng, (3, 2, 5, 1)),))


def _padded(sequences, pad=0, length=max):
    """ids and mask, both (T,B)."""
    T = length(len(ids) for ids in sequences)
    rows = [[*ids, *[pad] * (T - len(ids))][:T] for ids in sequences]
    mask = [[t < len(ids) for t in range(T)] for ids in sequences]
    return np.array(rows).T, np.array(mask).T


def _after_padding(change):
    """The right ids and mask, changed: change(ids, mask)."""
    return lambda sequences, pad=0: change(*_padded(sequences, pad))


def _in_front(sequences, pad):
    ids, mask = _padded([ids[::-1] for ids in sequences], pad)
    return ids[::-1], mask[::-1]


def _repeats_the_end(sequences, pad=0):
    T = max(len(ids) for ids in sequences)
    rows = [[*ids, *[ids[-1]] * (T - len(ids))] for ids in sequences]
    return np.array(rows).T, _padded(sequences)[1]


def _starts_again(sequences, pad=0):
    T = max(len(ids) for ids in sequences)
    return np.array([np.resize(ids, T) for ids in sequences]).T, _padded(sequences)[1]


def _into_the_lists(sequences, pad=0):
    ids, mask = _padded(sequences, pad)
    for sequence in sequences:
        sequence.extend([pad] * (len(ids) - len(sequence)))
    return ids, mask


def _sorted_by_length(sequences, pad=0):
    return _padded(sorted(sequences, key=len, reverse=True), pad)


def _last_id_lost(sequences, pad=0):
    ids, mask = _padded(sequences, pad)
    last = mask & ~np.vstack([mask[1:], np.zeros_like(mask[:1])])
    return np.where(last, pad, ids), mask & ~last


def _one_step_more(sequences, pad=0):
    ids, mask = _padded(sequences, pad)
    below = np.full_like(ids[:1], pad)
    return np.vstack([ids, below]), np.vstack([mask, np.zeros_like(mask[:1])])


def _mask_too_long(ids, mask):
    return ids, np.vstack([np.ones_like(mask[:1]), mask[:-1]])


def _lists_only(sequences, pad=0):
    T = max(len(ids) for ids in sequences)
    rows = [ids + [pad] * (T - len(ids)) for ids in sequences]
    return np.array(rows).T, _padded(sequences)[1]


class _KeepsLongest:
    """Fills up to the longest length it has ever seen."""

    def __init__(self):
        self.T = 0

    def __call__(self, sequences, pad=0):
        self.T = max(self.T, *map(len, sequences))
        ids, mask = _padded([*sequences, [pad] * self.T], pad)
        return ids[:, :-1], mask[:, :-1]


PAD_SEQUENCES = Exercise(
    number="2.2",
    returns="ids (T,B) int, mask (T,B) bool",
    reference=pad_sequences,
    cases=_pad_cases,
    mistakes=(
        Mistake(
            "batch first",
            "ids and mask are (B,T), one sequence a row. Time is the first axis: one sequence a "
            "column.",
            _after_padding(lambda ids, mask: (ids.T, mask.T)),
        ),
        Mistake(
            "mask on its side",
            "ids is right but the mask is (B,T). Both have time first.",
            _after_padding(lambda ids, mask: (ids, mask.T)),
        ),
        Mistake(
            "ids on their side",
            "The mask is right but ids is (B,T). Both have time first.",
            _after_padding(lambda ids, mask: (ids.T, mask)),
        ),
        Mistake(
            "reshaped instead of transposed",
            "The shapes are right, but the sequences are torn apart: `reshape` keeps the order of "
            "the entries. What turns rows into columns?",
            _after_padding(
                lambda ids, mask: (ids.T.reshape(ids.shape), mask.T.reshape(mask.shape))
            ),
        ),
        Mistake(
            "mask inverted",
            "The mask is the wrong way round: it is True where a step is real.",
            _after_padding(lambda ids, mask: (ids, ~mask)),
        ),
        Mistake(
            "mask from the pad value",
            "The mask was worked out from which ids differ from pad. A real id may be equal to "
            "pad: what else tells where a sequence ends?",
            lambda sequences, pad=0: (
                _padded(sequences, pad)[0],
                _padded(sequences, pad)[0] != pad,
            ),
        ),
        Mistake(
            "mask from zeros",
            "The mask was worked out from which ids are not 0. 0 may be a real id, and pad may be "
            "another number: what else tells where a sequence ends?",
            _after_padding(lambda ids, mask: (ids, ids != 0)),
        ),
        Mistake(
            "mask all True",
            "The mask is True everywhere. At padding it is False.",
            _after_padding(lambda ids, mask: (ids, np.ones_like(mask))),
        ),
        Mistake(
            "mask one step too long",
            "The mask is True one step beyond the end of each sequence. Steps count from 0.",
            _after_padding(_mask_too_long),
        ),
        Mistake(
            "mask one step too short",
            "The mask is False at the last real step of each sequence. Steps count from 0.",
            lambda sequences, pad=0: (
                _padded(sequences, pad)[0],
                _last_id_lost(sequences, pad)[1],
            ),
        ),
        Mistake(
            "mask of numbers",
            "The mask holds numbers. Which dtype holds True and False?",
            _after_padding(lambda ids, mask: (ids, mask.astype(int))),
        ),
        Mistake(
            "mask of floats",
            "The mask holds floats. Which dtype holds True and False?",
            _after_padding(lambda ids, mask: (ids, mask.astype(float))),
        ),
        Mistake(
            "ids as floats",
            "ids became floats, which cannot index an array. Look up `dtype` at the function that "
            "makes the array.",
            _after_padding(lambda ids, mask: (ids.astype(float), mask)),
        ),
        Mistake(
            "pad ignored",
            "The padding is always 0. What is the argument pad for?",
            lambda sequences, pad=0: _padded(sequences, 0),
        ),
        Mistake(
            "pad not accepted",
            "Your function takes no second argument. The caller may choose pad.",
            lambda sequences: _padded(sequences, 0),
        ),
        Mistake(
            "padded in front",
            "The padding stands before the sequences. It belongs after them.",
            lambda sequences, pad=0: _in_front(sequences, pad),
        ),
        Mistake(
            "ids in front, mask behind",
            "The mask marks the beginning of each column, but your ids stand at its end.",
            lambda sequences, pad=0: (_in_front(sequences, pad)[0], _padded(sequences, pad)[1]),
        ),
        Mistake(
            "cut to the shortest",
            "Longer sequences are cut off. T is the longest length, so that nothing is lost.",
            lambda sequences, pad=0: _padded(sequences, pad, min),
        ),
        Mistake(
            "length of the first",
            "T is taken from the first sequence. Another one may be longer or shorter.",
            lambda sequences, pad=0: _padded(sequences, pad, next),
        ),
        Mistake(
            "one step too many",
            "There is a step at the end that is padding in every sequence. T is the longest "
            "length.",
            _one_step_more,
        ),
        Mistake(
            "last id lost",
            "The last id of every sequence is missing. Look at where your slices end.",
            _last_id_lost,
        ),
        Mistake(
            "last id repeated",
            "The sequences are filled up with their own last id. What is the argument pad for?",
            _repeats_the_end,
        ),
        Mistake(
            "starts again",
            "A short sequence starts again from its beginning. What is the argument pad for?",
            _starts_again,
        ),
        Mistake(
            "sorted by length",
            "The sequences come back sorted by length. They keep their order.",
            _sorted_by_length,
        ),
        Mistake(
            "mask first",
            "ids and mask have changed places: ids comes first.",
            _after_padding(lambda ids, mask: (mask, ids)),
        ),
        Mistake(
            "ids only",
            "Only one array came back. The mask is asked for too.",
            _after_padding(lambda ids, mask: ids),
        ),
        Mistake(
            "mask only",
            "Only the mask came back. The ids are asked for too.",
            _after_padding(lambda ids, mask: mask),
        ),
        Mistake(
            "lengths for the mask",
            "The second value holds the lengths. The mask has an entry for every step of every "
            "sequence.",
            _after_padding(lambda ids, mask: (ids, mask.sum(axis=0))),
        ),
        Mistake(
            "lists",
            "ids and mask came back as lists of lists. Arrays are asked for.",
            _after_padding(lambda ids, mask: (ids.tolist(), mask.tolist())),
        ),
        Mistake(
            "lists in, lists only",
            "Your function works when the sequences are lists, but they may be arrays or tuples "
            "too: `+` puts only lists together.",
            _lists_only,
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single sequence or step the results still have two axes: what removes one?",
            _after_padding(lambda ids, mask: (np.squeeze(ids), np.squeeze(mask))),
        ),
        Mistake(
            "pads the caller's lists",
            "The padding was appended to the caller's own lists. Fill up a copy.",
            _into_the_lists,
        ),
        Mistake(
            "remembers the longest",
            "T is the longest length of all calls so far. It depends on these sequences only.",
            _KeepsLongest(),
        ),
    ),
)

# 2.3 sequence_cross_entropy ----------------------------------------------------------------------


def _ends(T, lengths):
    """A mask (T,B) of sequences of these lengths, padded at the end."""
    return np.arange(T)[:, None] < np.array(lengths)


def _holes(rng, T, B):
    """A mask (T,B) with padding anywhere, and at least one real step in each sequence."""
    mask = rng.random((T, B)) < 0.5
    mask[rng.integers(T, size=B), np.arange(B)] = True
    return mask


def _loss_cases(rng):
    def case(label, K, mask, o=None, targets=None):
        o = rng.normal(size=(*mask.shape, K)) if o is None else o
        targets = rng.integers(K, size=mask.shape) if targets is None else targets
        return Case(label, (o, targets, mask))

    yield case("", 5, _ends(6, (3, 6, 1)))
    yield case("With as many steps as sequences (T = B)", 5, _ends(4, (4, 1, 3, 2)))
    yield case("With as many sequences as outputs (B = K)", 4, _ends(6, (2, 6, 5, 1)))
    yield case("With T = B = K", 4, _ends(4, (1, 4, 2, 2)))
    yield case("With padding anywhere", 5, _holes(rng, 7, 4))
    yield case("With padding anywhere and T = B = K", 4, _holes(rng, 4, 4))
    yield case("With a step that is padding in every sequence", 4, _ends(6, (2, 4, 1)))
    yield case("Without padding", 5, _ends(6, (6, 6, 6)))
    yield case("With one step (T=1)", 5, _ends(1, (1, 1, 1)))
    yield case("With one sequence (B=1)", 5, _ends(6, (4,)))
    yield case("With one output (K=1)", 1, _ends(6, (3, 6, 1)))
    yield case("With T = B = K = 1", 1, _ends(1, (1,)))
    mask = _holes(rng, 6, 3)
    yield case("With logits near 1000", 5, mask, 1000 + rng.normal(size=(6, 3, 5)))
    rows = rng.normal(size=(6, 3, 5)) - [1000, 1000, 2000, 1000, 1000]
    yield case("With logits near -1000 and -2000", 5, mask, rows)
    rows = rng.choice([-1000.0, 0.0, 1000.0], (6, 3, 1)) + rng.normal(size=(6, 3, 5))
    yield case("With steps near 1000 and steps near -1000", 5, mask, rows)
    o = rng.choice([-1000.0, 998.0, 1000.0], (6, 3, 5))
    o[0, 0], targets = (-1000, 1000, 998, 1000, -1000), rng.integers(5, size=(6, 3))
    targets[0, 0], mask[0, 0] = 0, True  # at least here a real step is all but impossible
    yield case("With logits of 1000 and -1000 in one step", 5, mask, o, targets)
    o = rng.choice([-1000.0, 900.0], (6, 3, 5))
    targets = rng.integers(5, size=(6, 3))
    np.put_along_axis(o, targets[..., None], 1000, -1)
    yield case("With the target's logit far above the others", 5, mask, o, targets)
    rows = np.resize([1000.0, -1000.0, 0.0], (6, 1, 1)) + rng.normal(size=(6, 1, 5))
    yield case("With one sequence (B=1) and steps near 1000 and -1000", 5, _ends(6, (5,)), rows)
    rows = rows[:3].swapaxes(0, 1)
    yield case("With one step (T=1) near 1000 and -1000", 5, _ends(1, (1, 1, 1)), rows)
    o, targets = rng.normal(size=(6, 3, 5)), rng.integers(5, size=(6, 3))
    o[2, 1, targets[2, 1]] = 1000  # the loss of this step is 0
    yield case("With one step that is certain and right", 5, _ends(6, (3, 6, 1)), o, targets)
    mask = _ends(6, (3, 6, 1))
    o = np.where(mask[..., None], 1, 1000) * rng.normal(size=(6, 3, 5))
    yield case("With huge logits at padding", 5, mask, o)
    yield case("With other numbers of the same shapes", 5, _ends(6, (3, 6, 1)))


def _picked(z, targets):
    return np.take_along_axis(z, targets[..., None], -1)[..., 0]


def _shifted(o):
    return o - o.max(-1, keepdims=True)


def _log_softmax(o):
    return _shifted(o) - np.log(np.exp(_shifted(o)).sum(-1, keepdims=True))


def _softmax(o):
    return np.exp(_log_softmax(o))


def _nll(o, targets):
    return -_picked(_log_softmax(o), targets)


def _mean(values, mask):
    return (mask * values).sum() / mask.sum()


def _of_nll(change):
    """A loss that goes wrong after the nll (T,B) of every step: change(nll, mask)."""
    return lambda o, targets, mask: change(_nll(o, targets), mask)


def _of_steps(nll):
    """A loss that goes wrong at the single steps: nll(o, targets) (T,B)."""
    return lambda o, targets, mask: _mean(nll(o, targets), mask)


def _shifted_by(number):
    def nll(o, targets):
        z = o - number(o, axis=-1, keepdims=True)
        return np.log(np.exp(z).sum(-1)) - _picked(z, targets)

    return nll


def _bernoulli(o, targets):
    hot = np.eye(o.shape[-1])[targets]
    return (np.logaddexp(0, o) - hot * o).sum(-1)


def _logits_in_place(o, targets, mask):
    o -= o.max(-1, keepdims=True)
    return _mean(_nll(o, targets), mask)


def _targets_in_place(o, targets, mask):
    targets[~mask] = 0
    return _mean(_nll(o, targets), mask)


def _next_targets(o, targets, mask):
    return _mean(_nll(o[:-1], targets[1:]), mask[1:])


def _lengths_only(nll, mask):
    return _mean(nll, _ends(len(mask), mask.sum(axis=0)))


def _last_steps(nll, mask):
    last = len(mask) - 1 - mask[::-1].argmax(axis=0)
    return nll[last, np.arange(mask.shape[1])].mean()


class _AddsUp:
    """The mean over all calls so far."""

    def __init__(self):
        self.total = self.steps = 0

    def __call__(self, o, targets, mask):
        self.total += (mask * _nll(o, targets)).sum()
        self.steps += mask.sum()
        return self.total / self.steps


SEQUENCE_CROSS_ENTROPY = Exercise(
    number="2.3",
    returns="loss float",
    reference=sequence_cross_entropy,
    cases=_loss_cases,
    mistakes=(
        Mistake(
            "mask ignored",
            "Padding is counted like real steps: the mask makes no difference.",
            _of_nll(lambda nll, mask: nll.mean()),
        ),
        Mistake(
            "divided by all steps",
            "Padding is left out of the sum but not out of what you divide by.",
            _of_nll(lambda nll, mask: (mask * nll).mean()),
        ),
        Mistake(
            "padding in the sum",
            "You divide by the number of real steps, but padding is still in the sum.",
            _of_nll(lambda nll, mask: nll.sum() / mask.sum()),
        ),
        Mistake(
            "mask inverted",
            "The mask is used the wrong way round: this is the loss of the padding.",
            _of_nll(lambda nll, mask: _mean(nll, ~mask)),
        ),
        Mistake(
            "sum",
            "That is the sum over the real steps. What turns it into their mean?",
            _of_nll(lambda nll, mask: (mask * nll).sum()),
        ),
        Mistake(
            "sum of everything",
            "That is the sum over all steps, padding included: neither left out nor a mean.",
            _of_nll(lambda nll, mask: nll.sum()),
        ),
        Mistake(
            "mean of the sequences' means",
            "You took the mean of each sequence first. A step of a short sequence then weighs "
            "more than one of a long sequence: all real steps should weigh the same.",
            _of_nll(lambda nll, mask: ((mask * nll).sum(axis=0) / mask.sum(axis=0)).mean()),
        ),
        Mistake(
            "mean of the steps' means",
            "You took the mean at each step t first. Late steps, where few sequences go on, then "
            "weigh more: all real steps should weigh the same.",
            _of_nll(lambda nll, mask: ((mask * nll).sum(axis=1) / mask.sum(axis=1)).mean()),
        ),
        Mistake(
            "mean of the steps' means, empty ones as 0",
            "You took the mean at each step t first and then the mean of those. All real steps "
            "should weigh the same, in whatever row they stand.",
            _of_nll(
                lambda nll, mask: (
                    (mask * nll).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
                ).mean()
            ),
        ),
        Mistake(
            "divided by the sequences",
            "You divide by the number of sequences. How many things were added up?",
            _of_nll(lambda nll, mask: (mask * nll).sum() / mask.shape[1]),
        ),
        Mistake(
            "divided by the steps",
            "You divide by T. How many things were added up?",
            _of_nll(lambda nll, mask: (mask * nll).sum() / mask.shape[0]),
        ),
        Mistake(
            "only lengths",
            "You count the real steps of each sequence and take that many from its beginning. "
            "The mask says for every single step whether it is real.",
            _of_nll(_lengths_only),
        ),
        Mistake(
            "steps with a loss counted",
            "You count the steps whose loss is not 0. A real step that is certain and right has "
            "the loss 0 too: what says which steps are real?",
            _of_nll(lambda nll, mask: (mask * nll).sum() / np.count_nonzero(mask * nll)),
        ),
        Mistake(
            "steps with a loss counted, none as one",
            "You count the steps whose loss is not 0, and one where there is none. A real step may "
            "have the loss 0: what says which steps are real?",
            _of_nll(lambda nll, mask: (mask * nll).sum() / max(np.count_nonzero(mask * nll), 1)),
        ),
        Mistake(
            "last steps only",
            "Only the last real step of each sequence is counted. Every step has a target.",
            _of_nll(_last_steps),
        ),
        Mistake(
            "mask on the logits",
            "The mask was multiplied with the logits. A step of zeros still has a loss, log K: "
            "where should padding be taken out?",
            lambda o, targets, mask: _nll(o * mask[..., None], targets).mean(),
        ),
        Mistake(
            "mask on the logits, then divided by the real steps",
            "You divide by the number of real steps, but the mask was multiplied with the logits. "
            "A step of zeros still has a loss, log K, and it is in your sum.",
            lambda o, targets, mask: _nll(o * mask[..., None], targets).sum() / mask.sum(),
        ),
        Mistake(
            "mask transposed",
            "The mask was transposed. It is (T,B), as targets is.",
            _of_nll(lambda nll, mask: _mean(nll, mask.T)),
        ),
        Mistake(
            "mask from the targets",
            "Steps whose target is 0 were taken for padding. 0 may be a real target: what says "
            "which steps are real?",
            lambda o, targets, mask: _mean(_nll(o, targets), targets != 0),
        ),
        Mistake(
            "overflows",
            "With logits near 1000, exp gives infinity, and near -1000 only zeros. What may you "
            "subtract from all logits of a step without changing the probabilities?",
            _of_steps(
                lambda o, targets: (
                    -np.log(_picked(np.exp(o) / np.exp(o).sum(-1, keepdims=True), targets))
                )
            ),
        ),
        Mistake(
            "exp of the logits as they are",
            "The sum inside the logarithm is not safe: with logits near 1000 exp gives infinity, "
            "near -1000 zero. What may you subtract from all logits of a step first?",
            _of_steps(lambda o, targets: np.log(np.exp(o).sum(-1)) - _picked(o, targets)),
        ),
        Mistake(
            "shifted by the largest of all",
            "One number was subtracted from everything. A step far below it underflows to 0: "
            "which number suits each step?",
            _of_steps(
                lambda o, targets: (
                    np.log(np.exp(o - o.max()).sum(-1)) - _picked(o - o.max(), targets)
                )
            ),
        ),
        Mistake(
            "shifted by the mean",
            "A number was subtracted from each step, but a logit far above it, as above the mean, "
            "still overflows. Which number of a step makes its largest exponent 0?",
            _of_steps(_shifted_by(np.mean)),
        ),
        Mistake(
            "shifted by the smallest",
            "You subtract the smallest logit of a step, which leaves the others large and "
            "positive. Which number makes the largest exponent 0?",
            _of_steps(_shifted_by(np.min)),
        ),
        Mistake(
            "log of a probability that became 0",
            "A probability can be too small for a float and become 0, and log(0) is minus "
            "infinity. Write log(softmax) out on paper: the logarithm undoes an exp.",
            _of_steps(lambda o, targets: -np.log(_picked(_softmax(o), targets))),
        ),
        Mistake(
            "1e-12 inside the logarithm",
            "A small number, 1e-12, inside the logarithm keeps it finite but changes the answer. "
            "Write log(softmax) out on paper: the logarithm undoes an exp.",
            _of_steps(lambda o, targets: -np.log(_picked(_softmax(o), targets) + 1e-12)),
        ),
        Mistake(
            "clipped at 1e-12",
            "Probabilities below 1e-12 were raised to it. That keeps the logarithm finite but "
            "changes the answer: the logarithm undoes an exp, so no probability is needed.",
            _of_steps(lambda o, targets: -np.log(np.maximum(_picked(_softmax(o), targets), 1e-12))),
        ),
        Mistake(
            "logits clipped",
            "The logits were cut off before exp. That keeps it finite but changes the answer.",
            _of_steps(lambda o, targets: _nll(np.clip(o, -500, 500), targets)),
        ),
        Mistake(
            "sign forgotten",
            "Look at the sign: the logarithm of a probability is never above 0, the loss never "
            "below.",
            _of_steps(lambda o, targets: -_nll(o, targets)),
        ),
        Mistake(
            "probability, no logarithm",
            "That is the mean probability of the targets. The logarithm is missing.",
            _of_steps(lambda o, targets: _picked(_softmax(o), targets)),
        ),
        Mistake(
            "one minus the probability",
            "That is the mean of 1 - p. The loss of a step is -log p.",
            _of_steps(lambda o, targets: 1 - _picked(_softmax(o), targets)),
        ),
        Mistake(
            "logarithm of base 2",
            "The logarithm has base 2. Which base does `np.log` have?",
            _of_steps(lambda o, targets: _nll(o, targets) / np.log(2)),
        ),
        Mistake(
            "logarithm of base 10",
            "The logarithm has base 10. Which base does `np.log` have?",
            _of_steps(lambda o, targets: _nll(o, targets) / np.log(10)),
        ),
        Mistake(
            "perplexity",
            "exp was taken of the loss: that is the perplexity, which comes in lesson 5.",
            _of_nll(lambda nll, mask: np.exp(_mean(nll, mask))),
        ),
        Mistake(
            "no softmax",
            "That is minus the target's logit. The other logits count too: softmax compares them.",
            _of_steps(lambda o, targets: -_picked(o, targets)),
        ),
        Mistake(
            "logarithm of the logits",
            "The logarithm was taken of the logits themselves, which may be negative. "
            "What turns logits into probabilities?",
            _of_steps(lambda o, targets: -np.log(_picked(o, targets))),
        ),
        Mistake(
            "targets ignored",
            "That is the logarithm of the sum alone. Where does the target's logit come in?",
            _of_steps(lambda o, targets: _nll(o, targets) + _picked(o, targets)),
        ),
        Mistake(
            "likeliest output for the target",
            "The loss is taken at the likeliest output instead of at the target.",
            _of_steps(lambda o, targets: _nll(o, o.argmax(-1))),
        ),
        Mistake(
            "all outputs",
            "-log p of all K outputs was added up. Only the target's counts.",
            _of_steps(lambda o, targets: -_log_softmax(o).sum(-1)),
        ),
        Mistake(
            "mean over the outputs",
            "The result is K times too small: the mean runs over the outputs too. "
            "How many things were added up?",
            _of_steps(lambda o, targets: _nll(o, targets) / o.shape[-1]),
        ),
        Mistake(
            "entropy",
            "That is the entropy of the model's own probabilities. The target decides which "
            "logarithm counts.",
            _of_steps(
                lambda o, targets: -(_softmax(o) * np.maximum(_log_softmax(o), -1e9)).sum(-1)
            ),
        ),
        Mistake(
            "squared error",
            "That is the squared distance to the target. The loss of a step is -log p.",
            _of_steps(
                lambda o, targets: ((_softmax(o) - np.eye(o.shape[-1])[targets]) ** 2).sum(-1)
            ),
        ),
        Mistake(
            "a sigmoid for each output",
            "Each output was judged by itself, with a sigmoid. The outputs compete: which function "
            "makes them sum to 1?",
            _of_steps(_bernoulli),
        ),
        Mistake(
            "softmax over the steps",
            "The probabilities of one output sum to 1 over time. Those of one step should, over "
            "the K outputs.",
            _of_steps(
                lambda o, targets: (
                    -_picked(np.moveaxis(_log_softmax(np.moveaxis(o, 0, -1)), -1, 0), targets)
                )
            ),
        ),
        Mistake(
            "softmax over the sequences",
            "The probabilities of one output sum to 1 over the batch. Those of one step should, "
            "over the K outputs.",
            _of_steps(
                lambda o, targets: -_picked(_log_softmax(o.swapaxes(1, 2)).swapaxes(1, 2), targets)
            ),
        ),
        Mistake(
            "softmax over everything",
            "The probabilities of all steps together sum to 1. Those of each step should.",
            _of_steps(
                lambda o, targets: (
                    -_picked(_log_softmax(o.reshape(1, -1)).reshape(o.shape), targets)
                )
            ),
        ),
        Mistake(
            "softmax twice",
            "softmax was applied twice. (PyTorch's cross_entropy takes logits for this reason.)",
            _of_steps(lambda o, targets: _nll(_softmax(o), targets)),
        ),
        Mistake(
            "targets one step later",
            "The logits of step t are compared with the target of step t+1. The targets are "
            "shifted already.",
            _next_targets,
        ),
        Mistake(
            "steps and sequences mixed",
            "Logits and targets were flattened in different orders. Both have time first.",
            lambda o, targets, mask: _mean(_nll(o, targets.T.reshape(targets.shape)), mask),
        ),
        Mistake(
            "a loss for each sequence",
            "One number per sequence came back. One number for all is asked for.",
            _of_nll(lambda nll, mask: (mask * nll).sum(axis=0) / mask.sum(axis=0)),
        ),
        Mistake(
            "a loss for each step",
            "The losses of all steps came back. Their mean over the real steps is asked for.",
            _of_nll(lambda nll, mask: mask * nll),
        ),
        Mistake(
            "array of one number",
            "The loss came back inside an array. A plain number is asked for.",
            _of_nll(lambda nll, mask: np.array([_mean(nll, mask)])),
        ),
        Mistake(
            "number of steps as well",
            "Two values came back. Only the loss is asked for.",
            _of_nll(lambda nll, mask: (_mean(nll, mask), mask.sum())),
        ),
        Mistake(
            "changes the logits",
            written_into("o", "-="),
            _logits_in_place,
        ),
        Mistake(
            "changes the targets",
            "The targets at padding were overwritten in the caller's own array.",
            _targets_in_place,
        ),
        Mistake(
            "adds up over calls",
            "Your function remembers the steps of earlier calls. The loss is of these steps only.",
            _AddsUp(),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            lambda o, targets, mask: float(_mean(_nll(o.astype(np.float32), targets), mask)),
        ),
        Mistake(
            "float32 at the end",
            "The loss is right to about 7 digits only. Does float32 come in at the end, a "
            "rounding, or a small number that was added?",
            _of_nll(lambda nll, mask: np.float32(_mean(nll, mask))),
        ),
        Mistake(
            "rounds",
            "The result is rounded. Round for printing only.",
            _of_nll(lambda nll, mask: round(float(_mean(nll, mask)), 4)),
        ),
    ),
)

# 2.4 unroll_in_chunks ----------------------------------------------------------------------------


def _chunk_cases(rng):
    for label, T, B, D, H, chunk in [
        ("", 6, 3, 4, 5, 2),
        ("With a shorter last chunk", 7, 3, 4, 5, 3),
        ("With a last chunk of one step", 7, 2, 4, 5, 2),
        ("With chunks of one step", 7, 3, 2, 5, 1),
        ("With one chunk (chunk = T)", 5, 3, 4, 2, 5),
        ("With a chunk longer than T", 4, 3, 5, 2, 6),
        ("With D = H", 8, 3, 4, 4, 3),
        ("With B = H", 8, 4, 3, 4, 4),
        ("With T = B = D = H", 4, 4, 4, 4, 2),
        ("With as many steps in a chunk as sequences", 9, 3, 2, 4, 3),
        ("With as many steps as sequences (T = B)", 5, 5, 2, 3, 2),
        ("With one step (T=1)", 1, 3, 4, 5, 2),
        ("With one sequence (B=1)", 7, 1, 4, 5, 3),
        ("With one unit (H=1)", 7, 3, 4, 1, 3),
        ("With T = B = D = H = 1", 1, 1, 1, 1, 1),
        ("With other numbers of the same shapes", 7, 3, 4, 5, 3),
    ]:
        yield Case(label, (*_numbers(rng, T, B, D, H), chunk))
    yield Case("With 30 steps", (*_far_back(rng, 30, 2, 4, 3), 4))
    for label, numbers in _unusual(rng, 7, 3, 4, 5):
        yield Case(label, (*numbers, 3))


def _chunks(x, h, U, V, b, chunk, carry=lambda h, h0: h[-1]):
    """The states of each chunk; `carry` picks what the next one starts from."""
    h0, chunks = h, []
    for start in range(0, len(x), chunk):
        chunks.append(_states(x[start : start + chunk], h, U, V, b))
        h = carry(chunks[-1], h0)
    return chunks


def _carrying(carry):
    """An unroll_in_chunks that is right but for what it carries: carry(h, h0)."""
    return lambda *args: np.concatenate(_chunks(*args, carry))


def _join(join):
    """The right states of each chunk, put together in another way."""
    return lambda *args: join(_chunks(*args))


def _tail_dropped(x, h0, U, V, b, chunk):
    return _states(x[: len(x) // chunk * chunk], h0, U, V, b)


def _tail_of_zeros(x, h0, U, V, b, chunk):
    h = _states(x, h0, U, V, b)
    h[len(x) // chunk * chunk :] = 0
    return h


def _tail_filled_up(x, h0, U, V, b, chunk):
    return _states(np.pad(x, ((0, -len(x) % chunk), (0, 0), (0, 0))), h0, U, V, b)


def _tail_from_the_end(x, h0, U, V, b, chunk):
    whole = len(x) // chunk * chunk
    h = _states(x[:whole], h0, U, V, b).reshape(-1, *h0.shape)
    if whole == len(x):
        return h
    tail = _states(x[-chunk:], h[-1] if whole else h0, U, V, b)
    return np.concatenate([h, tail[whole - len(x) :]])


def _tail_from_h0(x, h0, U, V, b, chunk):
    whole = len(x) // chunk * chunk
    parts = [_states(part, h0, U, V, b).reshape(-1, *h0.shape) for part in (x[:whole], x[whole:])]
    return np.concatenate(parts)


def _step_twice(x, h, U, V, b, chunk):
    chunks = []
    for start in range(0, len(x), chunk):
        chunks.append(_states(x[max(0, start - 1) : start + chunk], h, U, V, b))
        h = chunks[-1][-1]
    return np.concatenate(chunks)


def _step_left_out(x, h, U, V, b, chunk):
    chunks = []
    for start in range(0, len(x), chunk + 1):
        chunks.append(_states(x[start : start + chunk], h, U, V, b))
        h = chunks[-1][-1]
    return np.concatenate(chunks)


def _same_chunk(x, h, U, V, b, chunk):
    chunks = []
    for start in range(0, len(x), chunk):
        chunks.append(_states(x[: min(chunk, len(x) - start)], h, U, V, b))
        h = chunks[-1][-1]
    return np.concatenate(chunks)


def _chunks_backwards(x, h, U, V, b, chunk):
    chunks = []
    for start in reversed(range(0, len(x), chunk)):
        chunks.append(_states(x[start : start + chunk], h, U, V, b))
        h = chunks[-1][-1]
    return np.concatenate(chunks[::-1])


def _chunks_into_h0(x, h0, U, V, b, chunk):
    chunks = []
    for start in range(0, len(x), chunk):
        chunks.append(_states(x[start : start + chunk], h0, U, V, b))
        h0[...] = chunks[-1][-1]
    return np.concatenate(chunks)


def _whole_chunks_only(x, h0, U, V, b, chunk):
    h = _states(x, h0, U, V, b)
    return np.concatenate(h.reshape(-1, chunk, *h0.shape))


class _CarriesOverCalls:
    """Starts from where the last call with such a batch ended."""

    def __init__(self):
        self.h = {}

    def __call__(self, x, h0, U, V, b, chunk):
        h = _states(x, self.h.get(h0.shape, h0), U, V, b)
        self.h[h0.shape] = h[-1]
        return h


UNROLL_IN_CHUNKS = Exercise(
    number="2.4",
    returns="h (T,B,H)",
    reference=unroll_in_chunks,
    cases=_chunk_cases,
    mistakes=(
        Mistake(
            "every chunk starts from h0",
            "Each chunk starts from h0 again. What does the second chunk have to know of the "
            "first?",
            _carrying(lambda h, h0: h0),
        ),
        Mistake(
            "every chunk starts from zero",
            "The memory is set to zero at the start of each chunk, the first included.",
            lambda x, h0, U, V, b, chunk: np.concatenate(
                _chunks(x, 0 * h0, U, V, b, chunk, lambda h, h0: h0)
            ),
        ),
        Mistake(
            "later chunks start from zero",
            "The first chunk starts from h0, but the later ones start from zero. What does the "
            "second chunk have to know of the first?",
            _carrying(lambda h, h0: 0 * h0),
        ),
        Mistake(
            "h0 ignored",
            "h0 makes no difference to your states. Which memory does the first chunk start from?",
            lambda x, h0, U, V, b, chunk: _states(x, 0 * h0, U, V, b),
        ),
        Mistake(
            "first state carried",
            "Each chunk starts from the first state of the chunk before. Which of its states is "
            "the latest?",
            _carrying(lambda h, h0: h[0]),
        ),
        Mistake(
            "last state but one carried",
            "Each chunk starts from the last state but one. Which of its states is the latest?",
            _carrying(lambda h, h0: h[-2:][0]),
        ),
        Mistake(
            "mean state carried",
            "Each chunk starts from the mean of the states before. Only the latest is carried on.",
            _carrying(lambda h, h0: h.mean(axis=0)),
        ),
        Mistake(
            "one memory for all",
            "All sequences go on from the memory of the first one. Row by row, each has its own.",
            _carrying(lambda h, h0: np.repeat(h[-1, :1], len(h0), axis=0)),
        ),
        Mistake(
            "sequences change places",
            "The memories reach the next chunk in another order: sequence 0 should go on from "
            "its own memory.",
            _carrying(lambda h, h0: h[-1, ::-1]),
        ),
        Mistake(
            "h0 added at each chunk",
            "h0 is added to the memory at each border. It is only what comes before the first "
            "step.",
            _carrying(lambda h, h0: h[-1] + h0),
        ),
        Mistake(
            "carried through tanh",
            "The memory went through tanh once more at each border. It is a memory already.",
            _carrying(lambda h, h0: np.tanh(h[-1])),
        ),
        Mistake(
            "tail dropped",
            "The last, shorter chunk is missing. The chunk need not divide T.",
            _tail_dropped,
        ),
        Mistake(
            "tail left at zero",
            "The states of the last, shorter chunk were never filled in. The chunk need not "
            "divide T.",
            _tail_of_zeros,
        ),
        Mistake(
            "tail filled up",
            "The last chunk was filled up to the full length, and so is your result. "
            "The chunk need not divide T.",
            _tail_filled_up,
        ),
        Mistake(
            "tail reads steps twice",
            "The last chunk reaches back over steps that were read before, with a memory that "
            "knows them already.",
            _tail_from_the_end,
        ),
        Mistake(
            "tail starts from h0",
            "The last, shorter chunk starts from h0. It goes on from the chunk before, as all do.",
            _tail_from_h0,
        ),
        Mistake(
            "whole chunks only",
            "It only works if chunk divides T. The last chunk may be shorter: what does a slice "
            "beyond the end give?",
            _whole_chunks_only,
        ),
        Mistake(
            "step read twice at each border",
            "The last step of each chunk is read again by the next one. Where does a chunk begin?",
            _step_twice,
        ),
        Mistake(
            "step left out at each border",
            "A step is missing between two chunks. Where does one end and the next begin?",
            _step_left_out,
        ),
        Mistake(
            "same chunk again",
            "Every chunk reads the first steps of x again. Which part of x belongs to a chunk?",
            _same_chunk,
        ),
        Mistake(
            "chunks from the end",
            "The chunks are worked through from the last to the first. Memory flows forwards.",
            _chunks_backwards,
        ),
        Mistake(
            "last chunk only",
            "Only the states of the last chunk came back. All T are asked for.",
            _join(lambda chunks: chunks[-1]),
        ),
        Mistake(
            "first chunk only",
            "Only the states of the first chunk came back. Where does your `return` stand?",
            _join(lambda chunks: chunks[0]),
        ),
        Mistake(
            "one state a chunk",
            "Only the last state of each chunk came back. All T are asked for.",
            _join(lambda chunks: np.array([h[-1] for h in chunks])),
        ),
        Mistake(
            "last state only",
            "Only the last state came back. All T of them are asked for.",
            _join(lambda chunks: chunks[-1][-1]),
        ),
        Mistake(
            "stacked",
            "The chunks were stacked along a new axis. They follow one another in time: which "
            "function puts arrays end to end?",
            _join(np.stack),
        ),
        Mistake(
            "side by side",
            "The chunks were put together along the sequences. They follow one another in time, "
            "which is the first axis.",
            _join(lambda chunks: np.concatenate(chunks, axis=1)),
        ),
        Mistake(
            "in the wrong order",
            "The states of the chunks are right, but the last chunk comes first.",
            _join(lambda chunks: np.concatenate(chunks[::-1])),
        ),
        Mistake(
            "border states twice",
            "Each chunk brings along the state that it started from, so those at the borders are "
            "in your result too often.",
            lambda x, h0, U, V, b, chunk: np.concatenate(
                [
                    part
                    for h in _chunks(x, h0, U, V, b, chunk, lambda h, h0: h[-1])
                    for part in (h[:1], h)
                ]
            ),
        ),
        Mistake(
            "list of chunks",
            "The chunks came back in a list. One array of all T states is asked for.",
            _join(lambda chunks: chunks),
        ),
        Mistake(
            "last state as well",
            "Two values came back. Only the states h are asked for.",
            _join(lambda chunks: (np.concatenate(chunks), chunks[-1][-1])),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single step, sequence or unit the result still has three axes: what removes "
            "one?",
            _join(lambda chunks: np.squeeze(np.concatenate(chunks))),
        ),
        Mistake(
            "V transposed",
            "You used V transposed: row i of V says what unit i sends on, and h is a row.",
            lambda x, h0, U, V, b, chunk: _states(x, h0, U, V.T, b),
        ),
        Mistake(
            "no bias",
            "The states are what you get without b: where does the bias come in?",
            lambda x, h0, U, V, b, chunk: _states(x, h0, U, V, 0 * b),
        ),
        Mistake(
            "writes into h0",
            written_into("h0", "+="),
            _chunks_into_h0,
        ),
        Mistake(
            "carries over calls",
            "Your function goes on from where its last call ended. Memory is carried from chunk "
            "to chunk, but each call starts from its own h0.",
            _CarriesOverCalls(),
        ),
        Mistake(
            "overwrites its own result",
            "Your function keeps one array and writes every result into it. "
            "Make a new array in each call.",
            _KeepsBuffer(_join(np.concatenate)),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _join(lambda chunks: np.concatenate(chunks).astype(np.float32)),
        ),
    ),
)

# 2.5 last_states ---------------------------------------------------------------------------------


def _last_cases(rng):
    for label, T, H, lengths in [
        ("", 6, 5, (3, 5, 2)),
        ("With lengths from 1 to T", 6, 5, (4, 6, 1)),
        ("With repeated lengths", 7, 3, (2, 5, 5, 2)),
        ("With T = B = H", 4, 4, (3, 1, 2, 2)),
        ("With T = B = H, and lengths up to T", 4, 4, (2, 4, 1, 3)),
        ("With as many steps as sequences (T = B)", 4, 3, (1, 3, 2, 3)),
        ("With as many sequences as units (B = H)", 6, 4, (5, 1, 3, 2)),
        ("With lengths in falling order", 6, 5, (6, 4, 3, 1)),
        ("With more sequences than steps", 3, 4, (2, 1, 3, 2, 1, 3, 2)),
        ("With all as long as can be", 5, 4, (5, 5, 5)),
        ("With all of length 1", 5, 4, (1, 1, 1)),
        ("With one step (T=1)", 1, 5, (1, 1, 1)),
        ("With one sequence (B=1)", 6, 5, (4,)),
        ("With one unit (H=1)", 6, 1, (4, 6, 1)),
        ("With T = B = H = 1", 1, 1, (1,)),
        ("With other numbers of the same shapes", 6, 5, (3, 5, 2)),
    ]:
        h = np.tanh(rng.normal(size=(T, len(lengths), H)))
        yield Case(label, (h, np.array(lengths)))
    lengths = np.array([7, 12, 2, 9, 11, 1, 8, 10, 4, 6])
    yield Case("With ten longer sequences", (30 * rng.normal(size=(12, 10, 3)), lengths))


def _at(h, steps):
    return h[steps, np.arange(h.shape[1])]


def _real(h, lengths):
    return _ends(len(h), lengths)[..., None]


def _lengths_in_place(h, lengths):
    lengths -= 1
    return _at(h, lengths)


def _states_in_place(h, lengths):
    h *= _real(h, lengths)
    return _at(h, lengths - 1)


LAST_STATES = Exercise(
    number="2.5",
    returns="h_last (B,H)",
    reference=last_states,
    cases=_last_cases,
    mistakes=(
        Mistake(
            "last step of all",
            "These are the states at step T-1, which is padding for a shorter sequence. "
            "What are the lengths for?",
            lambda h, lengths: h[-1],
        ),
        Mistake(
            "one step too late",
            "You take the state one step after the end. Steps count from 0: where does a sequence "
            "of length 1 end?",
            _at,
        ),
        Mistake(
            "one step too late, cut off at T-1",
            "You take the state one step after the end, or T-1 where there is none. Steps count "
            "from 0: where does a sequence of length 1 end?",
            lambda h, lengths: _at(h, np.minimum(lengths, len(h) - 1)),
        ),
        Mistake(
            "one step too early",
            "You take the state one step before the last real one. Steps count from 0.",
            lambda h, lengths: _at(h, lengths - 2),
        ),
        Mistake(
            "first step",
            "These are the states after the first step. Each sequence has been read to its end.",
            lambda h, lengths: h[0],
        ),
        Mistake(
            "counted from the end",
            "The steps are counted back from T. A length counts from the beginning.",
            lambda h, lengths: _at(h, -lengths),
        ),
        Mistake(
            "every sequence at every length",
            "An index of B steps without one of B sequences gives all pairs of them: (B,B,H). "
            "Each sequence has one length.",
            lambda h, lengths: h[lengths - 1],
        ),
        Mistake(
            "steps and sequences swapped",
            "The two indices have changed places: which axis of h is time?",
            lambda h, lengths: h[np.arange(h.shape[1]), lengths - 1],
        ),
        Mistake(
            "longest for all",
            "Every sequence is taken at the end of the longest. Each has its own length.",
            lambda h, lengths: h[lengths.max() - 1],
        ),
        Mistake(
            "shortest for all",
            "Every sequence is taken at the end of the shortest. Each has its own length.",
            lambda h, lengths: h[lengths.min() - 1],
        ),
        Mistake(
            "length of the first for all",
            "Every sequence is taken at the end of the first one. Each has its own length.",
            lambda h, lengths: h[lengths[0] - 1],
        ),
        Mistake(
            "lengths sorted",
            "The lengths were sorted, so that they no longer belong to their sequences.",
            lambda h, lengths: _at(h, np.sort(lengths) - 1),
        ),
        Mistake(
            "sequences sorted",
            "The states are the right ones, but they come back sorted by length. "
            "The sequences keep their order.",
            lambda h, lengths: _at(h, lengths - 1)[np.argsort(-lengths, kind="stable")],
        ),
        Mistake(
            "sequences sorted, shortest first",
            "The states are the right ones, but the shortest sequence comes first. "
            "The sequences keep their order.",
            lambda h, lengths: _at(h, lengths - 1)[np.argsort(lengths, kind="stable")],
        ),
        Mistake(
            "lengths in the opposite order",
            "The last length is used for the first sequence. They come in the same order.",
            lambda h, lengths: _at(h, lengths[::-1] - 1),
        ),
        Mistake(
            "mean",
            "That is the mean of the real states. The last of them is asked for.",
            lambda h, lengths: (h * _real(h, lengths)).sum(axis=0) / lengths[:, None],
        ),
        Mistake(
            "sum",
            "That is the sum of the real states. The last of them is asked for.",
            lambda h, lengths: (h * _real(h, lengths)).sum(axis=0),
        ),
        Mistake(
            "largest",
            "That is the largest value each unit ever had. The last real state is asked for.",
            lambda h, lengths: np.where(_real(h, lengths), h, -np.inf).max(axis=0),
        ),
        Mistake(
            "mean of everything",
            "That is the mean over all steps, padding included. The last real state is asked for.",
            lambda h, lengths: h.mean(axis=0),
        ),
        Mistake(
            "padding set to zero, last step taken",
            "Padding became zero, and then step T-1 was taken, which is padding for a shorter "
            "sequence.",
            lambda h, lengths: (h * _real(h, lengths))[-1],
        ),
        Mistake(
            "result transposed",
            "The result lies on its side: rows are sequences, columns are units.",
            lambda h, lengths: _at(h, lengths - 1).T,
        ),
        Mistake(
            "first sequence only",
            "Only the first sequence came back: the result keeps one row per sequence.",
            lambda h, lengths: _at(h, lengths - 1)[0],
        ),
        Mistake(
            "axis of length 1 left over",
            "There is an axis of length 1 in front. The result is (B,H).",
            lambda h, lengths: _at(h, lengths - 1)[None],
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single sequence or unit the result still has two axes: what removes one?",
            lambda h, lengths: np.squeeze(_at(h, lengths - 1)),
        ),
        Mistake(
            "list of states",
            "The states came back in a list. Which function of NumPy makes one array of them?",
            lambda h, lengths: list(_at(h, lengths - 1)),
        ),
        Mistake(
            "lists of all states",
            "Each sequence came back with all its real states. Only the last is asked for.",
            lambda h, lengths: [h[:n, i] for i, n in enumerate(lengths)],
        ),
        Mistake(
            "changes the lengths",
            written_into("lengths", "-="),
            _lengths_in_place,
        ),
        Mistake(
            "changes the states",
            "The states at padding were overwritten in the caller's own array.",
            _states_in_place,
        ),
        Mistake(
            "overwrites its own result",
            "Your function keeps one array and writes every result into it. "
            "Make a new array in each call.",
            _KeepsBuffer(lambda h, lengths: _at(h, lengths - 1)),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            lambda h, lengths: _at(h, lengths - 1).astype(np.float32),
        ),
    ),
)

EXERCISES = (UNROLL, PAD_SEQUENCES, SEQUENCE_CROSS_ENTROPY, UNROLL_IN_CHUNKS, LAST_STATES)

QUESTIONS = (
    Question(
        "2.1",
        answer=0.725,
        because="1·1 from the letter, and -0.55·0.5 = -0.275 from the memory: 0.725.",
        replies={
            1: "That is the letter's part. The memory after step 2 is not 0.",
            -0.275: "That is the memory's part. The letter's part is missing.",
            0.275: "That is the memory's part, and without its sign.",
            0.62: "That is h at step 3, after tanh. Asked is a, before it.",
            0.45: "V halves the memory before it is added.",
        },
    ),
    Question(
        "2.2",
        choices="abc",
        answer="c",
        because="Every step uses the same U, V and b, but each step takes its time.",
        replies={
            "a": "Look at the shapes of U, V and b: is there a T in one of them?",
            "b": "It is the other way round. Look at the shapes of U, V and b: is there a T?",
        },
    ),
    Question(
        "2.3",
        choices="abc",
        answer="a",
        because="Most of the steps it is measured on are padding, and there it is certain and "
        "right.",
        replies={
            "b": "On the padding steps it is certain and right: do they push the mean up or down?",
            "c": "The mean would then be over all steps, and most of them are padding, on which it "
            "is right.",
        },
    ),
    Question(
        "2.4",
        choices="abc",
        answer="a",
        because="All that a step needs from the past is the memory before it, and that is handed "
        "over whole.",
        replies={
            "b": "What would be lost? A step needs x_t and the memory before it, nothing else.",
            "c": "That happens when the memory is not carried over. Here it is.",
        },
    ),
)
