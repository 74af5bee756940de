"""Lesson 6, gates: exercises 6.1 to 6.3 and their known mistakes."""

import itertools
from types import SimpleNamespace

import numpy as np

from utils.gates import gru_cell_forward, lstm_cell_backward, lstm_cell_forward, sigmoid

from .exercise import SEVEN_DIGITS, Case, Exercise, Mistake, Question

# What the exercises share -------------------------------------------------------------------------


def _sizes(gates):
    """Labels, B, D, H, how large the weights are and how large what is remembered."""
    yield from [
        ("", 3, 4, 5, 1.0, 1.0),
        ("With as many inputs as units (D = H)", 2, 3, 3, 1.0, 1.0),
        ("With as many sequences as units (B = H)", 3, 2, 3, 1.0, 1.0),
        ("With B = D = H", 3, 3, 3, 1.0, 1.0),
        (f"With D = {gates}H", 3, 2 * gates, 2, 1.0, 1.0),
        (f"With B = {gates}H", 2 * gates, 3, 2, 1.0, 1.0),
        ("With one sequence (B=1)", 1, 4, 5, 1.0, 1.0),
        ("With one unit (H=1)", 3, 4, 1, 1.0, 1.0),
        ("With one input (D=1)", 3, 1, 4, 1.0, 1.0),
        ("With B = D = H = 1", 1, 1, 1, 1.0, 1.0),
        ("With numbers of about 1000 in the gates", 3, 4, 5, 300.0, 1.0),
        ("With nothing remembered yet", 3, 4, 5, 1.0, 0.0),
        ("With memories of about 10", 3, 4, 5, 1.0, 10.0),
        ("With other numbers of the same shapes", 3, 4, 5, 1.0, 1.0),
    ]


def _follow(formulas, changes, start):
    """Work out one formula after the other, of which some may be changed; all by name."""
    s = SimpleNamespace(**start)
    for name, formula in (formulas | changes).items():
        setattr(s, name, formula(s))
    return s


def _blocks(a, n):
    return np.split(a, n, axis=-1)


def _wrong_orders(right, wrong):
    """A mistake for every other order of the gates; `wrong(order)` is the function."""
    for order in map("".join, itertools.permutations(right)):
        if order != right:
            said = ", ".join(order)
            yield Mistake(
                f"order {said}",
                f"It comes out as if the gates were stacked in the order {said}. "
                "In which are they, and which of them is for what?",
                wrong(order),
            )


def _transposed_blocks(V):
    """Each gate's own square matrix transposed."""
    return np.concatenate([block.T for block in _blocks(V, V.shape[1] // len(V))], axis=1)


def _unstable(a):
    return np.exp(a) / (1 + np.exp(a))


def _hard_sigmoid(a):
    return np.clip(a / 6 + 0.5, 0, 1)


def _written(array, value):
    array[...] = value
    return array


def _with_rows_mixed(h):
    return np.broadcast_to(h.mean(0), h.shape)


class _KeepsState:
    """Goes on from its own last state whatever state it is given."""

    def __init__(self, right, states):
        self.right, self.states, self.state = right, states, None

    def __call__(self, x_t, *rest):
        given, weights = rest[: self.states], rest[self.states :]
        if self.state is None or self.state[0].shape != given[0].shape:
            self.state = given
        result = self.right(x_t, *self.state, *weights)
        self.state = result if isinstance(result, tuple) else (result,)
        return result


class _KeepsBuffer:
    """Writes all results of one shape into the same arrays."""

    def __init__(self, right):
        self.right, self.kept = right, {}

    def __call__(self, *args):
        result = self.right(*args)
        several = isinstance(result, tuple)
        arrays = result if several else (result,)
        shapes = tuple(a.shape for a in arrays)
        kept = self.kept.setdefault(shapes, [np.empty_like(a) for a in arrays])
        for mine, new in zip(kept, arrays, strict=True):
            mine[...] = new
        return tuple(kept) if several else kept[0]


# 6.1 lstm_cell_forward ----------------------------------------------------------------------------


def _lstm_cases(rng):
    for label, B, D, H, scale, memory in _sizes(4):
        U, V, b = (rng.normal(size=s) for s in [(D, 4 * H), (H, 4 * H), 4 * H])
        x_t, h_prev, c_prev = (rng.normal(size=s) for s in [(B, D), (B, H), (B, H)])
        states = memory * np.tanh(h_prev), memory * c_prev
        yield Case(label, (x_t, *states, scale * U, scale * V, scale * b))


LSTM = {
    "a": lambda s: s.x_t @ s.U + s.h_prev @ s.V + s.b,
    "parts": lambda s: _blocks(s.a, 4),
    "i": lambda s: sigmoid(s.parts[0]),
    "f": lambda s: sigmoid(s.parts[1]),
    "g": lambda s: np.tanh(s.parts[2]),
    "o": lambda s: sigmoid(s.parts[3]),
    "c_t": lambda s: s.f * s.c_prev + s.i * s.g,
    "h_t": lambda s: s.o * np.tanh(s.c_t),
    "result": lambda s: (s.h_t, s.c_t),
}


def _lstm(**changes):
    """`lstm_cell_forward` with some of its formulas changed."""

    def forward(x_t, h_prev, c_prev, U, V, b):
        start = {"x_t": x_t, "h_prev": h_prev, "c_prev": c_prev, "U": U, "V": V, "b": b}
        return _follow(LSTM, changes, start).result

    return forward


def _ordered(order):
    """The parts of a for i, f, g, o, where they are taken to stand in this order."""
    return lambda s: [_blocks(s.a, 4)[order.index(gate)] for gate in "ifgo"]


def _interleaved(n):
    return lambda s: [s.a[:, k::n] for k in range(n)]


LSTM_CELL_FORWARD = Exercise(
    number="6.1",
    returns="h_t (B,H), c_t (B,H)",
    reference=lstm_cell_forward,
    cases=_lstm_cases,
    mistakes=(
        *_wrong_orders("ifgo", lambda order: _lstm(parts=_ordered(order))),
        Mistake(
            "gates interleaved",
            "Every fourth column was given to a gate. Each gate has H columns side by side.",
            _lstm(parts=_interleaved(4)),
        ),
        Mistake(
            "cut across the sequences",
            "The gates are cut out by `reshape` in such a way that the sequences are mixed up. "
            "Along which axis do the gates lie side by side?",
            _lstm(parts=lambda s: s.a.reshape(4, *s.h_prev.shape)),
        ),
        Mistake(
            "sigmoid for g",
            "g lies between 0 and 1 here. It is what may be written, positive or negative: "
            "which function is it made with?",
            _lstm(g=lambda s: sigmoid(s.parts[2])),
        ),
        Mistake(
            "tanh for the gates",
            "The gates i, f and o lie between -1 and 1 here. A gate is shut at 0 and open at 1: "
            "which function does that?",
            _lstm(
                i=lambda s: np.tanh(s.parts[0]),
                f=lambda s: np.tanh(s.parts[1]),
                o=lambda s: np.tanh(s.parts[3]),
            ),
        ),
        Mistake(
            "sigmoid and tanh swapped",
            "The gates are made with tanh and g with the sigmoid. Which of them are to lie "
            "between 0 and 1?",
            _lstm(
                i=lambda s: np.tanh(s.parts[0]),
                f=lambda s: np.tanh(s.parts[1]),
                g=lambda s: sigmoid(s.parts[2]),
                o=lambda s: np.tanh(s.parts[3]),
            ),
        ),
        Mistake(
            "tanh for o",
            "The output gate lies between -1 and 1 here. A gate is shut at 0 and open at 1.",
            _lstm(o=lambda s: np.tanh(s.parts[3])),
        ),
        Mistake(
            "gates not squeezed",
            "i, f and o are the plain sums. Which function makes gates of them?",
            _lstm(i=lambda s: s.parts[0], f=lambda s: s.parts[1], o=lambda s: s.parts[3]),
        ),
        *(
            Mistake(
                f"{gate} not squeezed",
                f"{gate} is the plain sum. Which function makes a gate of it?",
                _lstm(**{gate: lambda s, k=k: s.parts[k]}),
            )
            for k, gate in [(0, "i"), (1, "f"), (3, "o")]
        ),
        Mistake(
            "g through both",
            "g went through the sigmoid before tanh. Only the gates i, f and o need the sigmoid.",
            _lstm(g=lambda s: np.tanh(sigmoid(s.parts[2]))),
        ),
        Mistake(
            "gates through both",
            "i, f and o went through tanh before the sigmoid. Only g needs tanh.",
            _lstm(
                i=lambda s: sigmoid(np.tanh(s.parts[0])),
                f=lambda s: sigmoid(np.tanh(s.parts[1])),
                o=lambda s: sigmoid(np.tanh(s.parts[3])),
            ),
        ),
        Mistake(
            "g not squeezed",
            "g is the plain sum. Which function belongs around it?",
            _lstm(g=lambda s: s.parts[2]),
        ),
        Mistake(
            "nothing squeezed",
            "i, f, g and o are the plain sums. Which function belongs around each of them?",
            _lstm(
                i=lambda s: s.parts[0],
                f=lambda s: s.parts[1],
                g=lambda s: s.parts[2],
                o=lambda s: s.parts[3],
            ),
        ),
        Mistake(
            "hard sigmoid",
            "The gates are straight lines, cut off at 0 and 1. The sigmoid bends smoothly.",
            _lstm(
                i=lambda s: _hard_sigmoid(s.parts[0]),
                f=lambda s: _hard_sigmoid(s.parts[1]),
                o=lambda s: _hard_sigmoid(s.parts[3]),
            ),
        ),
        Mistake(
            "overflows",
            "With large numbers the sigmoid becomes infinity divided by infinity. "
            "In which form does exp only get numbers that it can bear?",
            _lstm(
                i=lambda s: _unstable(s.parts[0]),
                f=lambda s: _unstable(s.parts[1]),
                o=lambda s: _unstable(s.parts[3]),
            ),
        ),
        Mistake(
            "no tanh around c_t",
            "h_t lets out the cell's content as it is. One function is missing on its way out.",
            _lstm(h_t=lambda s: s.o * s.c_t),
        ),
        Mistake(
            "tanh around the whole",
            "tanh is taken of the product with o. What does the gate multiply?",
            _lstm(h_t=lambda s: np.tanh(s.o * s.c_t)),
        ),
        Mistake(
            "sigmoid around c_t",
            "c_t goes through a sigmoid on its way out, so h_t can't be negative.",
            _lstm(h_t=lambda s: s.o * sigmoid(s.c_t)),
        ),
        Mistake(
            "c_t for h_t",
            "What came back as h_t is c_t. How much of it is shown?",
            _lstm(h_t=lambda s: s.c_t.copy()),
        ),
        Mistake(
            "added to the old memory",
            "The old memory is added to h_t. Only the cell is carried on by adding.",
            _lstm(h_t=lambda s: s.h_prev + s.o * np.tanh(s.c_t)),
        ),
        Mistake(
            "no output gate",
            "h_t doesn't depend on o: what decides how much of the cell is shown?",
            _lstm(h_t=lambda s: np.tanh(s.c_t)),
        ),
        Mistake(
            "old cell let out",
            "h_t is made from c_prev. What has this step written?",
            _lstm(h_t=lambda s: s.o * np.tanh(s.c_prev)),
        ),
        Mistake(
            "candidate let out",
            "h_t is made from g alone. What does the cell hold besides?",
            _lstm(h_t=lambda s: s.o * s.g),
        ),
        Mistake(
            "c_t squeezed",
            "c_t itself went through tanh. It is carried on as it is: "
            "squeezed at every step it would fade.",
            _lstm(c_t=lambda s: np.tanh(s.f * s.c_prev + s.i * s.g), h_t=lambda s: s.o * s.c_t),
        ),
        Mistake(
            "c_t squeezed twice",
            "c_t went through tanh before it is carried on, and again on its way out.",
            _lstm(c_t=lambda s: np.tanh(s.f * s.c_prev + s.i * s.g)),
        ),
        Mistake(
            "c_prev ignored",
            "The cell's old content is lost. What does the forget gate keep?",
            _lstm(c_t=lambda s: s.i * s.g),
        ),
        Mistake(
            "nothing written",
            "Nothing new comes into the cell: what are i and g for?",
            _lstm(c_t=lambda s: s.f * s.c_prev),
        ),
        Mistake(
            "no forget gate",
            "The old content is kept whole, whatever f is.",
            _lstm(c_t=lambda s: s.c_prev + s.i * s.g),
        ),
        Mistake(
            "no input gate",
            "g is written whole, whatever i is.",
            _lstm(c_t=lambda s: s.f * s.c_prev + s.g),
        ),
        Mistake(
            "f upside down",
            "f = 1 clears the cell here. Does an open forget gate keep or lose?",
            _lstm(c_t=lambda s: (1 - s.f) * s.c_prev + s.i * s.g),
        ),
        Mistake(
            "i instead of f",
            "The input gate decides what is kept. Which gate is meant to?",
            _lstm(c_t=lambda s: s.i * s.c_prev + s.i * s.g),
        ),
        Mistake(
            "f coupled to i",
            "What is not written over is kept, as in the GRU. Here f is a gate of its own.",
            _lstm(c_t=lambda s: (1 - s.i) * s.c_prev + s.i * s.g),
        ),
        Mistake(
            "i coupled to f",
            "What is forgotten is written over, as in the GRU. Here i is a gate of its own.",
            _lstm(c_t=lambda s: s.f * s.c_prev + (1 - s.f) * s.g),
        ),
        Mistake(
            "h_prev kept instead of c_prev",
            "The forget gate keeps h_prev. There are two states: which one is the cell's?",
            _lstm(c_t=lambda s: s.f * s.h_prev + s.i * s.g),
        ),
        Mistake(
            "gates read c_prev",
            "The gates are computed from c_prev. Which state do they read?",
            _lstm(a=lambda s: s.x_t @ s.U + s.c_prev @ s.V + s.b),
        ),
        Mistake(
            "states swapped",
            "h_prev and c_prev have changed places: look at the order of the arguments.",
            lambda x_t, h_prev, c_prev, *weights: _lstm()(x_t, c_prev, h_prev, *weights),
        ),
        Mistake(
            "gates peep into the cell",
            "c_prev is added to the gates' sums. Here they see only x_t and h_prev.",
            _lstm(a=lambda s: s.x_t @ s.U + s.h_prev @ s.V + s.b + np.tile(s.c_prev, 4)),
        ),
        Mistake(
            "no memory",
            "The gates don't depend on h_prev.",
            _lstm(a=lambda s: s.x_t @ s.U + s.b),
        ),
        Mistake(
            "no input",
            "The gates don't depend on x_t.",
            _lstm(a=lambda s: s.h_prev @ s.V + s.b),
        ),
        Mistake(
            "no bias",
            "The result is what you get without b: where does the bias come in?",
            _lstm(a=lambda s: s.x_t @ s.U + s.h_prev @ s.V),
        ),
        Mistake(
            "bias twice",
            "The bias is in there twice. (PyTorch has two biases; here there is one.)",
            _lstm(a=lambda s: s.x_t @ s.U + s.h_prev @ s.V + 2 * s.b),
        ),
        Mistake(
            "forget gate helped",
            "1 is added to the forget gate's sum. That is a good way to begin training, "
            "but it belongs into b.",
            _lstm(f=lambda s: sigmoid(s.parts[1] + 1)),
        ),
        Mistake(
            "bias outside",
            "The bias is added to the gates after they were squeezed.",
            _lstm(
                a=lambda s: s.x_t @ s.U + s.h_prev @ s.V,
                i=lambda s: sigmoid(s.parts[0]) + _blocks(s.b, 4)[0],
                f=lambda s: sigmoid(s.parts[1]) + _blocks(s.b, 4)[1],
                g=lambda s: np.tanh(s.parts[2]) + _blocks(s.b, 4)[2],
                o=lambda s: sigmoid(s.parts[3]) + _blocks(s.b, 4)[3],
            ),
        ),
        Mistake(
            "U and V swapped",
            "U and V have changed places: which one carries the input in, which the memory on?",
            _lstm(a=lambda s: s.x_t @ s.V + s.h_prev @ s.U + s.b),
        ),
        Mistake(
            "V's blocks transposed",
            "Each gate's part of V is transposed: row i of V says what unit i sends on.",
            _lstm(a=lambda s: s.x_t @ s.U + s.h_prev @ _transposed_blocks(s.V) + s.b),
        ),
        Mistake(
            "U transposed",
            "You used U transposed. U is (D,4H): which of its axes has to meet x_t (B,D)?",
            _lstm(a=lambda s: s.x_t @ s.U.T + s.h_prev @ s.V + s.b),
        ),
        Mistake(
            "sequences mixed",
            "The memories of all sequences were averaged. Each row has its own.",
            _lstm(a=lambda s: s.x_t @ s.U + _with_rows_mixed(s.h_prev) @ s.V + s.b),
        ),
        Mistake(
            "order of the results",
            "h_t comes first, then c_t.",
            _lstm(result=lambda s: (s.c_t, s.h_t)),
        ),
        Mistake(
            "h_t only",
            "c_t is asked for as well: the next step needs both.",
            _lstm(result=lambda s: s.h_t),
        ),
        Mistake(
            "h_t twice",
            "What came back as c_t is h_t again.",
            _lstm(result=lambda s: (s.h_t, s.h_t)),
        ),
        Mistake(
            "old cell returned",
            "What came back as c_t is c_prev.",
            _lstm(result=lambda s: (s.h_t, s.c_prev.copy())),
        ),
        Mistake(
            "states stacked",
            "h_t and c_t came back as one array. Two are asked for.",
            _lstm(result=lambda s: np.concatenate([s.h_t, s.c_t], axis=-1)),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single sequence or unit the results still have two axes: what removes one?",
            _lstm(result=lambda s: (np.squeeze(s.h_t), np.squeeze(s.c_t))),
        ),
        Mistake(
            "writes into c_prev",
            "The new content was written over the caller's c_prev (`*=` and `+=` do). "
            "Make a new array.",
            _lstm(result=lambda s: (s.h_t, _written(s.c_prev, s.c_t))),
        ),
        Mistake(
            "writes into h_prev",
            "The new memory was written over the caller's h_prev. Make a new array.",
            _lstm(result=lambda s: (_written(s.h_prev, s.h_t), s.c_t)),
        ),
        Mistake(
            "remembers by itself",
            "Your function keeps a state of its own between calls. All it knows of the past comes "
            "in as h_prev and c_prev.",
            _KeepsState(_lstm(), states=2),
        ),
        Mistake(
            "overwrites its own results",
            "Your function keeps its arrays and writes every result into them. "
            "Make new ones in each call.",
            _KeepsBuffer(_lstm()),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _lstm(result=lambda s: (s.h_t.astype(np.float32), s.c_t.astype(np.float32))),
        ),
    ),
)

# 6.2 lstm_cell_backward ---------------------------------------------------------------------------


def _lstm_back_cases(rng):
    for case in _lstm_cases(rng):
        shape = case.args[1].shape
        yield Case(case.label, (rng.normal(size=shape), rng.normal(size=shape), *case.args))
    for label, dh_size, dc_size in [
        ("At the last step (dc_t = 0)", 1, 0),
        ("With dh_t = 0", 0, 1),
        ("With errors of about 1000", 1000, 1000),
    ]:
        errors = dh_size * rng.normal(size=shape), dc_size * rng.normal(size=shape)
        yield Case(label, (*errors, *case.args))


LSTM_BACK = {
    **{name: LSTM[name] for name in ["a", "parts", "i", "f", "g", "o", "c_t"]},
    "tanh_c": lambda s: np.tanh(s.c_t),
    "dc": lambda s: s.dc_t + s.dh_t * s.o * (1 - s.tanh_c**2),
    "di": lambda s: s.dc * s.g * s.i * (1 - s.i),
    "df": lambda s: s.dc * s.c_prev * s.f * (1 - s.f),
    "dg": lambda s: s.dc * s.i * (1 - s.g**2),
    "do": lambda s: s.dh_t * s.tanh_c * s.o * (1 - s.o),
    "da": lambda s: np.concatenate([s.di, s.df, s.dg, s.do], axis=-1),
    "dx_t": lambda s: s.da @ s.U.T,
    "dh_prev": lambda s: s.da @ s.V.T,
    "dc_prev": lambda s: s.dc * s.f,
    "dU": lambda s: s.x_t.T @ s.da,
    "dV": lambda s: s.h_prev.T @ s.da,
    "db": lambda s: s.da.sum(0),
    "result": lambda s: (s.dx_t, s.dh_prev, s.dc_prev, s.dU, s.dV, s.db),
}


def _lstm_back(**changes):
    """`lstm_cell_backward` with some of its formulas changed."""

    def backward(dh_t, dc_t, x_t, h_prev, c_prev, U, V, b):
        start = {"x_t": x_t, "h_prev": h_prev, "c_prev": c_prev, "U": U, "V": V, "b": b}
        start |= {"dh_t": dh_t, "dc_t": dc_t}
        return _follow(LSTM_BACK, changes, start).result

    return backward


SUMS = {gate: lambda s, k=k: s.parts[k] for k, gate in enumerate("ifgo")}
# what the lesson's example by hand leaves behind in the notebook
EXAMPLE = _follow(
    {name: formula for name, formula in LSTM.items() if name not in ("a", "parts")},
    {},
    {"parts": (0, 2, 1, -1), "c_prev": 2},
)


def _lstm_back_order(order):
    """The gates, and their gradients as well, in this order."""

    def stacked(s):
        return np.concatenate([getattr(s, "d" + gate) for gate in order], axis=-1)

    return _lstm_back(parts=_ordered(order), da=stacked)


LSTM_CELL_BACKWARD = Exercise(
    number="6.2",
    returns="dx_t (B,D), dh_prev (B,H), dc_prev (B,H), dU (D,4H), dV (H,4H), db (4H)",
    reference=lstm_cell_backward,
    cases=_lstm_back_cases,
    mistakes=(
        Mistake(
            "dc_t ignored",
            "What the next step says about c_t, dc_t, is not used. By how many ways does c_t "
            "reach the loss?",
            _lstm_back(dc=lambda s: s.dh_t * s.o * (1 - s.tanh_c**2)),
        ),
        Mistake(
            "dc without h_t",
            "c_t is blamed only by the next step. h_t is made from it as well.",
            _lstm_back(dc=lambda s: s.dc_t),
        ),
        Mistake(
            "dc_prev without h_t",
            "dc_prev passes on dc_t alone. What h_t says about the cell goes back too.",
            _lstm_back(dc_prev=lambda s: s.dc_t * s.f),
        ),
        Mistake(
            "gates without h_t",
            "i, f and g are blamed by dc_t alone. They act on h_t too.",
            _lstm_back(
                di=lambda s: s.dc_t * s.g * s.i * (1 - s.i),
                df=lambda s: s.dc_t * s.c_prev * s.f * (1 - s.f),
                dg=lambda s: s.dc_t * s.i * (1 - s.g**2),
            ),
        ),
        Mistake(
            "no output gate in dc",
            "On the way from h_t back to c_t the output gate is missing.",
            _lstm_back(dc=lambda s: s.dc_t + s.dh_t * (1 - s.tanh_c**2)),
        ),
        Mistake(
            "no slope of tanh(c_t)",
            "On the way from h_t back to c_t the slope of tanh is missing.",
            _lstm_back(dc=lambda s: s.dc_t + s.dh_t * s.o),
        ),
        Mistake(
            "slope from c_t itself",
            "The slope of tanh is 1 minus its own value squared. Which value is that here?",
            _lstm_back(dc=lambda s: s.dc_t + s.dh_t * s.o * (1 - s.c_t**2)),
        ),
        Mistake(
            "slope from h_t",
            "The slope of tanh is 1 minus its own value squared. h_t is that value times o.",
            _lstm_back(dc=lambda s: s.dc_t + s.dh_t * s.o * (1 - (s.o * s.tanh_c) ** 2)),
        ),
        Mistake(
            "square forgotten in tanh(c_t)",
            "Look at the slope of tanh(c_t): something in it is squared.",
            _lstm_back(dc=lambda s: s.dc_t + s.dh_t * s.o * (1 - s.tanh_c)),
        ),
        Mistake(
            "tanh(c_t) for its slope",
            "On the way from h_t back to c_t the value of tanh stands where its slope should.",
            _lstm_back(dc=lambda s: s.dc_t + s.dh_t * s.o * s.tanh_c),
        ),
        Mistake(
            "dc_t through h_t",
            "dc_t goes through o and tanh as well. It arrives at c_t directly.",
            _lstm_back(dc=lambda s: (s.dc_t + s.dh_t) * s.o * (1 - s.tanh_c**2)),
        ),
        Mistake(
            "dc_t twice",
            "dc_t is counted twice.",
            _lstm_back(dc=lambda s: 2 * s.dc_t + s.dh_t * s.o * (1 - s.tanh_c**2)),
        ),
        Mistake(
            "dc_prev without f",
            "The blame goes back to c_prev undiminished. What was c_prev multiplied with?",
            _lstm_back(dc_prev=lambda s: s.dc),
        ),
        Mistake(
            "dc_prev through i",
            "On its way back to c_prev the blame goes through i. What was c_prev multiplied with?",
            _lstm_back(dc_prev=lambda s: s.dc * s.i),
        ),
        Mistake(
            "dc_prev with dc_t added",
            "dc_t is added to dc_prev once more.",
            _lstm_back(dc_prev=lambda s: s.dc * s.f + s.dc_t),
        ),
        Mistake(
            "dc_prev with a slope",
            "dc_prev goes through f's slope. Is c_prev squeezed on its way into c_t?",
            _lstm_back(dc_prev=lambda s: s.dc * s.f * (1 - s.f)),
        ),
        Mistake(
            "dc_prev times c_prev",
            "dc_prev is multiplied with c_prev itself. Where two things were multiplied, each gets "
            "the other.",
            _lstm_back(dc_prev=lambda s: s.dc * s.f * s.c_prev),
        ),
        Mistake(
            "dc_prev is zero",
            "Nothing goes back to c_prev: does c_t depend on it?",
            _lstm_back(dc_prev=lambda s: 0 * s.dc),
        ),
        Mistake(
            "i's slope missing",
            "The slope of the sigmoid is missing for i.",
            _lstm_back(di=lambda s: s.dc * s.g),
        ),
        Mistake(
            "f's slope missing",
            "The slope of the sigmoid is missing for f.",
            _lstm_back(df=lambda s: s.dc * s.c_prev),
        ),
        Mistake(
            "o's slope missing",
            "The slope of the sigmoid is missing for o.",
            _lstm_back(do=lambda s: s.dh_t * s.tanh_c),
        ),
        Mistake(
            "g's slope missing",
            "The slope of tanh is missing for g.",
            _lstm_back(dg=lambda s: s.dc * s.i),
        ),
        Mistake(
            "all slopes missing",
            "The slopes of the sigmoids and of tanh are missing: these are gradients of the gates, "
            "not yet of the sums they are made from.",
            _lstm_back(
                di=lambda s: s.dc * s.g,
                df=lambda s: s.dc * s.c_prev,
                dg=lambda s: s.dc * s.i,
                do=lambda s: s.dh_t * s.tanh_c,
            ),
        ),
        Mistake(
            "c_t of the example",
            "c_t is a single number, left over from the example by hand. Here it is (B,H): compute "
            "it again from the gates.",
            _lstm_back(tanh_c=lambda s: np.tanh(EXAMPLE.c_t)),
        ),
        Mistake(
            "gates of the example",
            "i, f, g and o are single numbers, left over from the example by hand. Here each is "
            "(B,H): compute them again.",
            _lstm_back(**{gate: lambda s, gate=gate: getattr(EXAMPLE, gate) for gate in "ifgo"}),
        ),
        Mistake(
            "gates and c_t of the example",
            "i, f, g, o and c_t are single numbers, left over from the example by hand. Here each "
            "is (B,H): compute them again.",
            _lstm_back(
                **{gate: lambda s, gate=gate: getattr(EXAMPLE, gate) for gate in "ifgo"},
                tanh_c=lambda s: np.tanh(EXAMPLE.c_t),
            ),
        ),
        Mistake(
            "gates not squeezed",
            "i, f, g and o are still the plain sums. They have to be what they were on the way "
            "forward.",
            _lstm_back(**SUMS),
        ),
        Mistake(
            "sigmoid for g",
            "g is made with the sigmoid. It has to be what it was on the way forward.",
            _lstm_back(g=lambda s: sigmoid(s.parts[2])),
        ),
        Mistake(
            "squeezed again in g's slope",
            "In g's slope g goes through tanh once more. g is a value of tanh already.",
            _lstm_back(dg=lambda s: s.dc * s.i * (1 - np.tanh(s.g) ** 2)),
        ),
        Mistake(
            "squeezed again in the gates' slopes",
            "In their slopes the gates go through the sigmoid once more. They are values of it "
            "already.",
            _lstm_back(
                di=lambda s: s.dc * s.g * sigmoid(s.i) * (1 - sigmoid(s.i)),
                df=lambda s: s.dc * s.c_prev * sigmoid(s.f) * (1 - sigmoid(s.f)),
                do=lambda s: s.dh_t * s.tanh_c * sigmoid(s.o) * (1 - sigmoid(s.o)),
            ),
        ),
        Mistake(
            "sigmoid's slope for g",
            "g was made with tanh, but its slope is that of the sigmoid.",
            _lstm_back(dg=lambda s: s.dc * s.i * s.g * (1 - s.g)),
        ),
        Mistake(
            "tanh's slope for the gates",
            "i, f and o were made with the sigmoid, but their slopes are those of tanh.",
            _lstm_back(
                di=lambda s: s.dc * s.g * (1 - s.i**2),
                df=lambda s: s.dc * s.c_prev * (1 - s.f**2),
                do=lambda s: s.dh_t * s.tanh_c * (1 - s.o**2),
            ),
        ),
        Mistake(
            "square forgotten in g's slope",
            "Look at the slope of tanh for g: something in it is squared.",
            _lstm_back(dg=lambda s: s.dc * s.i * (1 - s.g)),
        ),
        Mistake(
            "slope of half a sigmoid",
            "The gates' slopes are 1 minus the gate. One factor is missing.",
            _lstm_back(
                di=lambda s: s.dc * s.g * (1 - s.i),
                df=lambda s: s.dc * s.c_prev * (1 - s.f),
                do=lambda s: s.dh_t * s.tanh_c * (1 - s.o),
            ),
        ),
        Mistake(
            "i's partner missing",
            "In c_t the gate i is multiplied with something, which is missing from its gradient.",
            _lstm_back(di=lambda s: s.dc * s.i * (1 - s.i)),
        ),
        Mistake(
            "f's partner missing",
            "In c_t the gate f is multiplied with something, which is missing from its gradient.",
            _lstm_back(df=lambda s: s.dc * s.f * (1 - s.f)),
        ),
        Mistake(
            "g's partner missing",
            "In c_t g is multiplied with something, which is missing from its gradient.",
            _lstm_back(dg=lambda s: s.dc * (1 - s.g**2)),
        ),
        Mistake(
            "o's partner missing",
            "In h_t the gate o is multiplied with something, which is missing from its gradient.",
            _lstm_back(do=lambda s: s.dh_t * s.o * (1 - s.o)),
        ),
        Mistake(
            "f with c_t",
            "f was multiplied with the old content of the cell. Here stands the new one.",
            _lstm_back(df=lambda s: s.dc * s.c_t * s.f * (1 - s.f)),
        ),
        Mistake(
            "f with h_prev",
            "f was multiplied with the cell's old content. Here stands the other state.",
            _lstm_back(df=lambda s: s.dc * s.h_prev * s.f * (1 - s.f)),
        ),
        Mistake(
            "i and f swapped",
            "i and f have each other's partner: what does each of them multiply in c_t?",
            _lstm_back(
                di=lambda s: s.dc * s.c_prev * s.i * (1 - s.i),
                df=lambda s: s.dc * s.g * s.f * (1 - s.f),
            ),
        ),
        Mistake(
            "g through f",
            "The blame reaches g through f. Which gate does g meet in c_t?",
            _lstm_back(dg=lambda s: s.dc * s.f * (1 - s.g**2)),
        ),
        Mistake(
            "o with c_t",
            "o was multiplied with tanh(c_t), not with c_t.",
            _lstm_back(do=lambda s: s.dh_t * s.c_t * s.o * (1 - s.o)),
        ),
        Mistake(
            "o with c_prev",
            "o was multiplied with what comes of the new content. Here stands the old one.",
            _lstm_back(do=lambda s: s.dh_t * np.tanh(s.c_prev) * s.o * (1 - s.o)),
        ),
        Mistake(
            "o blamed by dc",
            "o is blamed through c_t. Does c_t depend on it?",
            _lstm_back(do=lambda s: s.dc * s.tanh_c * s.o * (1 - s.o)),
        ),
        Mistake(
            "i, f and g blamed by dh_t",
            "i, f and g get dh_t as it is. Through what do they reach h_t?",
            _lstm_back(
                di=lambda s: s.dh_t * s.g * s.i * (1 - s.i),
                df=lambda s: s.dh_t * s.c_prev * s.f * (1 - s.f),
                dg=lambda s: s.dh_t * s.i * (1 - s.g**2),
            ),
        ),
        Mistake(
            "c_prev for c_t",
            "tanh is taken of the old content. It is the new one that h_t was made from.",
            _lstm_back(tanh_c=lambda s: np.tanh(s.c_prev)),
        ),
        *_wrong_orders("ifgo", _lstm_back_order),
        Mistake(
            "gradients stacked i, f, o, g",
            "Only the gradients of g and o have changed places: they are stacked as the gates are.",
            _lstm_back(da=lambda s: np.concatenate([s.di, s.df, s.do, s.dg], axis=-1)),
        ),
        Mistake(
            "gradients stacked f, i, g, o",
            "Only the gradients of i and f have changed places: they are stacked as the gates are.",
            _lstm_back(da=lambda s: np.concatenate([s.df, s.di, s.dg, s.do], axis=-1)),
        ),
        Mistake(
            "gates read without bias",
            "The gates are computed without b. They have to be what they were on the way forward.",
            _lstm_back(a=lambda s: s.x_t @ s.U + s.h_prev @ s.V),
        ),
        Mistake(
            "gates read without memory",
            "The gates are computed without h_prev. They have to be what they were on the way "
            "forward.",
            _lstm_back(a=lambda s: s.x_t @ s.U + s.b),
        ),
        Mistake(
            "dh_prev is zero",
            "Nothing goes back to h_prev: do the gates depend on it?",
            _lstm_back(dh_prev=lambda s: 0 * s.dh_t),
        ),
        Mistake(
            "dh_t added to dh_prev",
            "dh_t is added to dh_prev. Does h_prev reach h_t past the gates?",
            _lstm_back(dh_prev=lambda s: s.da @ s.V.T + s.dh_t),
        ),
        Mistake(
            "V's blocks not transposed",
            "V leads from memory to gates, so the way back needs it the other way round.",
            _lstm_back(dh_prev=lambda s: s.da @ _transposed_blocks(s.V).T),
        ),
        Mistake(
            "dh_prev through U",
            "dh_prev goes back through U. Which matrix carries the memory?",
            _lstm_back(dh_prev=lambda s: s.da @ s.U.T),
        ),
        Mistake(
            "dx_t through V",
            "dx_t goes back through V. Which matrix carries the input?",
            _lstm_back(dx_t=lambda s: s.da @ s.V.T),
        ),
        Mistake(
            "dU from the memory",
            "dU is made with h_prev. What does U multiply?",
            _lstm_back(dU=lambda s: s.h_prev.T @ s.da),
        ),
        Mistake(
            "dV from the input",
            "dV is made with x_t. What does V multiply?",
            _lstm_back(dV=lambda s: s.x_t.T @ s.da),
        ),
        Mistake(
            "dV from h_t",
            "dV is made with the new memory. Which one did V meet in this step?",
            _lstm_back(dV=lambda s: (s.o * s.tanh_c).T @ s.da),
        ),
        Mistake(
            "dV from c_prev",
            "dV is made with c_prev. Which state did V meet?",
            _lstm_back(dV=lambda s: s.c_prev.T @ s.da),
        ),
        Mistake(
            "dU on its side",
            "dU has to have the shape of U.",
            _lstm_back(dU=lambda s: s.da.T @ s.x_t),
        ),
        Mistake(
            "dV on its side",
            "dV has to have the shape of V.",
            _lstm_back(dV=lambda s: s.da.T @ s.h_prev),
        ),
        Mistake(
            "db not summed",
            "db still has a row per sequence. b is shared by all of them.",
            _lstm_back(db=lambda s: s.da),
        ),
        Mistake(
            "db of the first sequence",
            "db is that of the first sequence. b is shared by all of them.",
            _lstm_back(db=lambda s: s.da[0]),
        ),
        Mistake(
            "db as a mean",
            "db is the mean over the sequences. What does one weight owe that acts on them all?",
            _lstm_back(db=lambda s: s.da.mean(0)),
        ),
        Mistake(
            "weights' gradients as means",
            "dU, dV and db are divided by the number of sequences. The loss has seen to that.",
            _lstm_back(
                dU=lambda s: s.x_t.T @ s.da / len(s.x_t),
                dV=lambda s: s.h_prev.T @ s.da / len(s.x_t),
                db=lambda s: s.da.mean(0),
            ),
        ),
        Mistake(
            "db is zero",
            "The bias gets no gradient.",
            _lstm_back(db=lambda s: 0 * s.b),
        ),
        Mistake(
            "dh_prev and dc_prev swapped",
            "dh_prev comes before dc_prev.",
            _lstm_back(result=lambda s: (s.dx_t, s.dc_prev, s.dh_prev, s.dU, s.dV, s.db)),
        ),
        Mistake(
            "dU and dV swapped",
            "dU comes before dV.",
            _lstm_back(result=lambda s: (s.dx_t, s.dh_prev, s.dc_prev, s.dV, s.dU, s.db)),
        ),
        Mistake(
            "dx_t not returned",
            "Six gradients are asked for; dx_t is missing.",
            _lstm_back(result=lambda s: (s.dh_prev, s.dc_prev, s.dU, s.dV, s.db)),
        ),
        Mistake(
            "sign turned",
            "All gradients have the wrong sign.",
            _lstm_back(
                result=lambda s: tuple(-d for d in (s.dx_t, s.dh_prev, s.dc_prev, s.dU, s.dV, s.db))
            ),
        ),
        Mistake(
            "overflows",
            "With large numbers the sigmoid becomes infinity divided by infinity. "
            "In which form does exp only get numbers that it can bear?",
            _lstm_back(
                i=lambda s: _unstable(s.parts[0]),
                f=lambda s: _unstable(s.parts[1]),
                o=lambda s: _unstable(s.parts[3]),
            ),
        ),
        Mistake(
            "writes into dc_t",
            "The blame through h_t was added into the caller's dc_t (`+=` does). Make a new array.",
            _lstm_back(
                dc=lambda s: _written(s.dc_t, s.dc_t + s.dh_t * s.o * (1 - s.tanh_c**2)),
            ),
        ),
        Mistake(
            "overwrites its own results",
            "Your function keeps its arrays and writes every result into them. "
            "Make new ones in each call.",
            _KeepsBuffer(_lstm_back()),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _lstm_back(da=lambda s: LSTM_BACK["da"](s).astype(np.float32)),
        ),
    ),
)

# 6.3 gru_cell_forward -----------------------------------------------------------------------------


def _gru_cases(rng):
    for label, B, D, H, scale, memory in _sizes(3):
        shapes = (D, 3 * H), (H, 3 * H), 3 * H, 3 * H
        weights = [scale * rng.normal(size=s) for s in shapes]
        x_t, h_prev = rng.normal(size=(B, D)), np.tanh(rng.normal(size=(B, H)))
        yield Case(label, (x_t, memory * h_prev, *weights))


GRU = {
    "in_": lambda s: s.x_t @ s.U + s.b_in,
    "rec": lambda s: s.h_prev @ s.V + s.b_rec,
    "ins": lambda s: _blocks(s.in_, 3),
    "recs": lambda s: _blocks(s.rec, 3),
    "r": lambda s: sigmoid(s.ins[0] + s.recs[0]),
    "z": lambda s: sigmoid(s.ins[1] + s.recs[1]),
    "n": lambda s: np.tanh(s.ins[2] + s.r * s.recs[2]),
    "h_t": lambda s: (1 - s.z) * s.n + s.z * s.h_prev,
    "result": lambda s: s.h_t,
}


def _gru(**changes):
    """`gru_cell_forward` with some of its formulas changed."""

    def forward(x_t, h_prev, U, V, b_in, b_rec):
        start = {"x_t": x_t, "h_prev": h_prev, "U": U, "V": V, "b_in": b_in, "b_rec": b_rec}
        return _follow(GRU, changes, start).result

    return forward


def _gru_order(order):
    """The parts for r, z, n, where they are taken to stand in this order."""

    def pick(name):
        return lambda s: [_blocks(getattr(s, name), 3)[order.index(gate)] for gate in "rzn"]

    return _gru(ins=pick("in_"), recs=pick("rec"))


def _last(array):
    """The part of n."""
    return _blocks(array, 3)[2]


GRU_CELL_FORWARD = Exercise(
    number="6.3",
    returns="h_t (B,H)",
    reference=gru_cell_forward,
    cases=_gru_cases,
    mistakes=(
        Mistake(
            "r before the product",
            "r multiplies h_prev before V does. In this variant, PyTorch's, r comes after "
            "the product.",
            _gru(n=lambda s: np.tanh(s.ins[2] + (s.r * s.h_prev) @ _last(s.V) + _last(s.b_rec))),
        ),
        Mistake(
            "r before the product, no bias",
            "r multiplies h_prev before V does, and n goes without b_rec. In this variant, "
            "PyTorch's, r comes after the product.",
            _gru(n=lambda s: np.tanh(s.ins[2] + (s.r * s.h_prev) @ _last(s.V))),
        ),
        Mistake(
            "no b_rec in n",
            "n goes without b_rec.",
            _gru(n=lambda s: np.tanh(s.ins[2] + s.r * (s.h_prev @ _last(s.V)))),
        ),
        Mistake(
            "no b_in in n",
            "n goes without b_in.",
            _gru(n=lambda s: np.tanh(s.x_t @ _last(s.U) + s.r * s.recs[2])),
        ),
        Mistake(
            "no memory in n",
            "n doesn't depend on h_prev. What does r let through?",
            _gru(n=lambda s: np.tanh(s.ins[2])),
        ),
        Mistake(
            "r without the bias",
            "b_rec is added after r has multiplied. What does r multiply as a whole?",
            _gru(
                n=lambda s: np.tanh(s.ins[2] + s.r * (s.h_prev @ _last(s.V)) + _last(s.b_rec)),
            ),
        ),
        Mistake(
            "biases merged in r",
            "Both biases of n are multiplied by r. Which of them belongs to the memory's part?",
            _gru(
                n=lambda s: np.tanh(
                    s.x_t @ _last(s.U) + s.r * (s.recs[2] + _last(s.b_in)),
                ),
            ),
        ),
        Mistake(
            "biases of n swapped",
            "In n the two biases have changed places.",
            _gru(
                n=lambda s: np.tanh(
                    s.x_t @ _last(s.U)
                    + _last(s.b_rec)
                    + s.r * (s.h_prev @ _last(s.V) + _last(s.b_in))
                ),
            ),
        ),
        Mistake(
            "r on everything",
            "r multiplies the input's part as well. Of what is r to let through only a part?",
            _gru(n=lambda s: np.tanh(s.r * (s.ins[2] + s.recs[2]))),
        ),
        Mistake(
            "r on the input",
            "r multiplies the input's part. Of what is r to let through only a part?",
            _gru(n=lambda s: np.tanh(s.r * s.ins[2] + s.recs[2])),
        ),
        Mistake(
            "r not used",
            "n doesn't depend on r.",
            _gru(n=lambda s: np.tanh(s.ins[2] + s.recs[2])),
        ),
        Mistake(
            "r outside tanh",
            "r multiplies after tanh. It belongs to the memory's part inside.",
            _gru(n=lambda s: s.r * np.tanh(s.ins[2] + s.recs[2])),
        ),
        Mistake(
            "1 - r",
            "r is turned round: does an open reset gate let the memory through or shut it out?",
            _gru(n=lambda s: np.tanh(s.ins[2] + (1 - s.r) * s.recs[2])),
        ),
        Mistake(
            "z in n",
            "z is used in n too. Which gate is for the memory's part?",
            _gru(n=lambda s: np.tanh(s.ins[2] + s.z * s.recs[2])),
        ),
        Mistake(
            "r mixes",
            "r mixes old and new. Which gate is meant to?",
            _gru(h_t=lambda s: (1 - s.r) * s.n + s.r * s.h_prev),
        ),
        *_wrong_orders("rzn", _gru_order),
        Mistake(
            "gates interleaved",
            "Every third column was given to a gate. Each one has H columns side by side.",
            _gru(
                ins=lambda s: [s.in_[:, k::3] for k in range(3)],
                recs=lambda s: [s.rec[:, k::3] for k in range(3)],
            ),
        ),
        Mistake(
            "cut across the sequences",
            "The gates are cut out by `reshape` in such a way that the sequences are mixed up. "
            "Along which axis do the gates lie side by side?",
            _gru(
                ins=lambda s: s.in_.reshape(3, *s.h_prev.shape),
                recs=lambda s: s.rec.reshape(3, *s.h_prev.shape),
            ),
        ),
        Mistake(
            "z upside down",
            "z = 1 takes the new here. In this notation, PyTorch's, does an open z keep or renew?",
            _gru(h_t=lambda s: s.z * s.n + (1 - s.z) * s.h_prev),
        ),
        Mistake(
            "new added whole",
            "The new is added whole, whatever z is. How are the two shares to add up?",
            _gru(h_t=lambda s: s.n + s.z * s.h_prev),
        ),
        Mistake(
            "old added whole",
            "The old memory is added whole, whatever z is. How are the two shares to add up?",
            _gru(h_t=lambda s: (1 - s.z) * s.n + s.h_prev),
        ),
        Mistake(
            "z for both",
            "Old and new both get the share z. How are the two shares to add up?",
            _gru(h_t=lambda s: s.z * s.n + s.z * s.h_prev),
        ),
        Mistake(
            "1 - z for both",
            "Old and new both get the share 1 - z. How are the two shares to add up?",
            _gru(h_t=lambda s: (1 - s.z) * s.n + (1 - s.z) * s.h_prev),
        ),
        Mistake(
            "r for z",
            "The old memory gets the share r. How are the two shares to add up?",
            _gru(h_t=lambda s: (1 - s.z) * s.n + s.r * s.h_prev),
        ),
        Mistake(
            "nothing kept",
            "Nothing of the old memory is kept as it is.",
            _gru(h_t=lambda s: (1 - s.z) * s.n),
        ),
        Mistake(
            "n returned",
            "What came back is n. How does it come together with the old memory?",
            _gru(h_t=lambda s: s.n),
        ),
        Mistake(
            "squeezed at the end",
            "h_t went through tanh once more.",
            _gru(h_t=lambda s: np.tanh((1 - s.z) * s.n + s.z * s.h_prev)),
        ),
        Mistake(
            "sigmoid for n",
            "n lies between 0 and 1 here. It is a new memory: which function is it made with?",
            _gru(n=lambda s: sigmoid(s.ins[2] + s.r * s.recs[2])),
        ),
        Mistake(
            "n not squeezed",
            "n is the plain sum. Which function belongs around it?",
            _gru(n=lambda s: s.ins[2] + s.r * s.recs[2]),
        ),
        Mistake(
            "tanh for the gates",
            "r and z lie between -1 and 1 here. A gate is shut at 0 and open at 1: "
            "which function does that?",
            _gru(
                r=lambda s: np.tanh(s.ins[0] + s.recs[0]),
                z=lambda s: np.tanh(s.ins[1] + s.recs[1]),
            ),
        ),
        Mistake(
            "sigmoid and tanh swapped",
            "The gates are made with tanh and n with the sigmoid. Which of them are to lie "
            "between 0 and 1?",
            _gru(
                r=lambda s: np.tanh(s.ins[0] + s.recs[0]),
                z=lambda s: np.tanh(s.ins[1] + s.recs[1]),
                n=lambda s: sigmoid(s.ins[2] + s.r * s.recs[2]),
            ),
        ),
        Mistake(
            "gates not squeezed",
            "r and z are the plain sums. Which function makes gates of them?",
            _gru(r=lambda s: s.ins[0] + s.recs[0], z=lambda s: s.ins[1] + s.recs[1]),
        ),
        Mistake(
            "hard sigmoid",
            "The gates are straight lines, cut off at 0 and 1. The sigmoid bends smoothly.",
            _gru(
                r=lambda s: _hard_sigmoid(s.ins[0] + s.recs[0]),
                z=lambda s: _hard_sigmoid(s.ins[1] + s.recs[1]),
            ),
        ),
        Mistake(
            "overflows",
            "With large numbers the sigmoid becomes infinity divided by infinity. "
            "In which form does exp only get numbers that it can bear?",
            _gru(
                r=lambda s: _unstable(s.ins[0] + s.recs[0]),
                z=lambda s: _unstable(s.ins[1] + s.recs[1]),
            ),
        ),
        Mistake(
            "no b_in",
            "The result is what you get without b_in.",
            _gru(in_=lambda s: s.x_t @ s.U),
        ),
        Mistake(
            "no b_rec",
            "The result is what you get without b_rec.",
            _gru(rec=lambda s: s.h_prev @ s.V),
        ),
        Mistake(
            "no bias",
            "The result is what you get without b_in and b_rec.",
            _gru(in_=lambda s: s.x_t @ s.U, rec=lambda s: s.h_prev @ s.V),
        ),
        Mistake(
            "b_in twice",
            "b_in stands where b_rec should as well.",
            _gru(rec=lambda s: s.h_prev @ s.V + s.b_in),
        ),
        Mistake(
            "b_rec twice",
            "b_rec stands where b_in should as well.",
            _gru(in_=lambda s: s.x_t @ s.U + s.b_rec),
        ),
        Mistake(
            "no input",
            "The result doesn't depend on x_t.",
            _gru(in_=lambda s: s.b_in + np.zeros((len(s.x_t), 1))),
        ),
        Mistake(
            "no memory in the gates",
            "Gates and n don't depend on h_prev.",
            _gru(rec=lambda s: s.b_rec + np.zeros((len(s.x_t), 1))),
        ),
        *(
            Mistake(
                f"{gate} not squeezed",
                f"{gate} is the plain sum. Which function makes a gate of it?",
                _gru(**{gate: lambda s, k=k: s.ins[k] + s.recs[k]}),
            )
            for k, gate in enumerate("rz")
        ),
        Mistake(
            "one sigmoid for all",
            "n is made like r and z, with the sigmoid and without r. What is different about it?",
            _gru(n=lambda s: sigmoid(s.ins[2] + s.recs[2])),
        ),
        Mistake(
            "gates read the input only",
            "r and z are made from x_t alone. What else do they look at?",
            _gru(r=lambda s: sigmoid(s.ins[0]), z=lambda s: sigmoid(s.ins[1])),
        ),
        Mistake(
            "gates' parts squeezed apart",
            "For r and z the input's and the memory's part went through a sigmoid each. "
            "Which comes first, adding or squeezing?",
            _gru(
                r=lambda s: sigmoid(s.ins[0]) + sigmoid(s.recs[0]),
                z=lambda s: sigmoid(s.ins[1]) + sigmoid(s.recs[1]),
            ),
        ),
        Mistake(
            "n's parts squeezed apart",
            "In n the input's and the memory's part went through a tanh each. "
            "Which comes first, adding or squeezing?",
            _gru(n=lambda s: np.tanh(s.ins[2]) + s.r * np.tanh(s.recs[2])),
        ),
        Mistake(
            "h_prev itself in n",
            "In n stands h_prev itself. The memory's part is made from it with V and b_rec.",
            _gru(n=lambda s: np.tanh(s.ins[2] + s.r * s.h_prev)),
        ),
        Mistake(
            "memory not weighted in n",
            "In n the memory goes in as it is. What does V do?",
            _gru(n=lambda s: np.tanh(s.ins[2] + s.r * (s.h_prev + _last(s.b_rec)))),
        ),
        Mistake(
            "U and V swapped",
            "U and V have changed places: which one carries the input in, which the memory on?",
            _gru(in_=lambda s: s.x_t @ s.V + s.b_in, rec=lambda s: s.h_prev @ s.U + s.b_rec),
        ),
        Mistake(
            "V's blocks transposed",
            "Each part of V is transposed: row i of V says what unit i sends on.",
            _gru(rec=lambda s: s.h_prev @ _transposed_blocks(s.V) + s.b_rec),
        ),
        Mistake(
            "U transposed",
            "You used U transposed. U is (D,3H): which of its axes has to meet x_t (B,D)?",
            _gru(in_=lambda s: s.x_t @ s.U.T + s.b_in),
        ),
        Mistake(
            "sequences mixed",
            "The memories of all sequences were averaged. Each row has its own.",
            _gru(rec=lambda s: _with_rows_mixed(s.h_prev) @ s.V + s.b_rec),
        ),
        Mistake(
            "returns the gates as well",
            "Only h_t is asked for: the gates can stay inside.",
            _gru(result=lambda s: (s.h_t, s.r, s.z, s.n)),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single sequence or unit the result still has two axes: what removes one?",
            _gru(result=lambda s: np.squeeze(s.h_t)),
        ),
        Mistake(
            "writes into h_prev",
            "The new memory was written over the caller's h_prev. Make a new array.",
            _gru(result=lambda s: _written(s.h_prev, s.h_t)),
        ),
        Mistake(
            "remembers by itself",
            "Your function keeps a memory of its own between calls. All it knows of the past comes "
            "in as h_prev.",
            _KeepsState(_gru(), states=1),
        ),
        Mistake(
            "overwrites its own result",
            "Your function keeps one array and writes every result into it. "
            "Make a new array in each call.",
            _KeepsBuffer(_gru()),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _gru(result=lambda s: s.h_t.astype(np.float32)),
        ),
    ),
)

EXERCISES = (LSTM_CELL_FORWARD, LSTM_CELL_BACKWARD, GRU_CELL_FORWARD)

QUESTIONS = (
    Question(
        "6.1",
        choices="abc",
        answer="c",
        because="The unit settles near 0.86 from either start: it holds the sign, and loses "
        "the difference.",
        replies={
            "a": "That takes a step that multiplies by exactly 1. V is 1.5 here, and tanh bends.",
            "b": "V = 1.5 makes it grow at first. What does tanh do to large numbers?",
        },
    ),
    Question(
        "6.2",
        answer=0.368,  # between 0.99^100 = 0.366 and 0.37, its two digits
        because="0.99 multiplied by itself 100 times is 0.366, close to 1/e.",
        replies={
            0: "It is less than 1, and multiplied 100 times, but so near to 1 that a part stays.",
            0.99: "That is left after one step.",
            1: "It is not quite 1, and 100 steps add up.",
            0.01: "That is what one step takes away.",
            0.4: "Near. It is 0.366, so 0.37.",
            0.36: "Near. It is 0.366, so 0.37.",
            0.9: "That is after ten steps or so. There are 90 more.",
            99: "Multiply 0.99 by itself 100 times; the result is less than 1.",
            37: "Right, as a percentage. As a number between 0 and 1?",
            0.5: "That is left after about 70 steps. There are 30 more.",
        },
    ),
    Question(
        "6.3",
        answer=2.142,
        because="0.88·2 = 1.76 is kept and 0.50·0.76 = 0.38 is written: 2.14 together.",
        replies={
            1.76: "That is what is kept. What is written?",
            0.38: "That is what is written. What is kept of the old 2?",
            2.52: "You wrote g whole. How much does i let in?",
            2.38: "You kept the old 2 whole. What does f say?",
            0.26: "That is h_t. Asked is c_t, before tanh and o.",
            0.97: "That is tanh of it. Asked is c_t itself.",
            2.1: "Near. To two digits after the point it is 2.14.",
            2.76: "You kept the old 2 whole and wrote g whole. What do f and i say?",
            2.26: "You wrote the sum of g. It is squeezed first: 0.76.",
            4: "These are the sums. The last column says what becomes of them.",
            1.38: "i multiplies both here. Which gate decides what is kept?",
            1.67: "i and f have changed places: which of them keeps the old 2?",
        },
    ),
    Question(
        "6.4",
        answer=0.881,
        because="c_t is f times c_prev plus something that c_prev has no part in: the slope is f.",
        replies={
            1: "c_prev was multiplied by something on its way into c_t.",
            0.9: "Near. f is 0.88.",
            0.12: "That is what f takes away. How much does it keep?",
            0: "c_t is made from c_prev, so some of it goes back.",
            2: "That is c_prev itself. By what was it multiplied?",
            1.76: "That is the part of c_t that was kept. Asked is how it changes with c_prev.",
            0.5: "That is i, which has to do with what is written. What was c_prev multiplied by?",
            0.27: "That is o, which has to do with what is shown. dh_t is 0 here.",
            0.105: "That is the slope of the sigmoid. c_prev does not go through one.",
        },
    ),
    Question(
        "6.5",
        choices="abc",
        answer="c",
        because="A gate whose sum is near 0 stands half open, and half of a half of a half is soon "
        "nothing.",
        replies={
            "a": "Its forget gate is σ of a sum near 0. What is that, and to the power of 99?",
            "b": "What is σ of a sum near 0, and that to the power of 99?",
        },
    ),
    Question(
        "6.6",
        choices="abc",
        answer="a",
        because="All that it can do is to give each of the 8 the same chance, and -log(1/8) = "
        "log 8 = 2.08.",
        replies={
            "b": "That is the loss of who remembers. Without the symbol, who can be certain?",
            "c": "That is the surprise if it had two to choose from. How many symbols are there?",
        },
    ),
)
