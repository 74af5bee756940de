"""Lesson 3, the bug hunt: exercise 3.8. The learner's test is let loose on the zoo."""

import contextlib
import copy
import ctypes
import functools
import threading

import numpy as np

from utils.cell import RNNParams
from utils.unroll import unroll

from . import bptt_zoo as zoo
from .compare import same
from .exercise import Case, Exercise, Mistake
from .sandbox import OutOfTime

WRONG, RIGHT, HARMFUL = "With a wrong bptt", "With a right bptt", "With a harmful bptt"
SECONDS_EACH = 10  # for one call of the learner's test
RIDDLES = {bug.wrong: bug.riddle for bug in zoo.BUGS if bug.riddle}


def catches_bugs(bptt):
    """Whether `bptt` is wrong: gives another value than it should, or does harm beside."""
    given, other = _data(), _data(seed=8)
    args = copy.deepcopy(given)
    first = bptt(*args)
    kept = copy.deepcopy(first)
    bptt(*other)
    unharmed = same(args, given) and same(first, kept) and same(bptt(*args), kept)
    return not unharmed or _right_tester(bptt)


# The hunt ----------------------------------------------------------------------------------------


def _hunt(rng):
    """Right ones here and there among the wrong ones; at the end those that do harm."""
    cases = [Case(WRONG, (fn,)) for fn in RIDDLES]
    for place, fn in enumerate(zoo.RIGHT):
        cases.insert(1 + 12 * place, Case(RIGHT, (fn,)))
    return cases + [Case(HARMFUL, (bug.wrong,)) for bug in zoo.HARMFUL]


def _question(catches_bugs, suspect):
    """The learner's verdict on one suspect. All suspects look the same."""
    lent = []

    def bptt(do, x, h0, h, params):
        lent.extend((a, np.copy(a)) for a in (do, x, h0, h, *params))
        return suspect(do, x, h0, h, params)

    bptt.__qualname__ = "bptt"
    if suspect in RIDDLES or suspect in zoo.RIGHT:
        with _limit(SECONDS_EACH):
            return _plain(catches_bugs(bptt))
    caught = False
    with contextlib.suppress(Exception), _limit(SECONDS_EACH):
        caught = _plain(catches_bugs(bptt)) is True
    _put_back(lent)
    return _bonus(caught)


def _put_back(lent):
    """Undo what a harmful one wrote into arrays that may serve the test again."""
    for array, before in reversed(lent):
        if isinstance(array, np.ndarray) and array.flags.writeable:
            array[...] = before


def _plain(verdict):
    """A NumPy bool is as good as a bool."""
    is_bool = isinstance(verdict, np.bool_ | np.ndarray) and verdict.dtype == bool
    return bool(verdict) if is_bool and verdict.ndim == 0 else verdict


def _bonus(caught):
    """True whatever the verdict was, for it does not decide; the verdict is a note on the dtype."""
    return np.array(True, dtype=np.dtype(bool, metadata={"caught": caught}))


@contextlib.contextmanager
def _limit(seconds):
    """Raise OutOfTime in this thread after so many seconds. Our own testers need no limit."""
    if threading.current_thread() is threading.main_thread():
        yield
        return
    thread = ctypes.c_ulong(threading.get_ident())
    stop = ctypes.pythonapi.PyThreadState_SetAsyncExc
    timer = threading.Timer(seconds, stop, (thread, ctypes.py_object(OutOfTime)))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tally(cases, values):
    """How many were caught and how many accused, the bonus, and the riddle of a survivor."""
    of = {WRONG: [], RIGHT: [], HARMFUL: []}
    for case, value in zip(cases, values, strict=True):
        of[case.label].append((value, case.args[0]))
    caught = sum(value is True for value, _ in of[WRONG])
    accused = sum(value is True for value, _ in of[RIGHT])
    text = f"Your test caught {caught} of {len(of[WRONG])} wrong functions and accused "
    text += f"{accused or 'none'} of {len(of[RIGHT])} right ones."
    if accused:
        text += " Try it on your own bptt first: which tensor does it accuse there?"
    bonus = sum(value.dtype.metadata["caught"] for value, _ in of[HARMFUL] if value is not None)
    if bonus and accused < len(of[RIGHT]):  # who accuses everybody gets no bonus
        text += f" As a bonus it caught {bonus} of {len(of[HARMFUL])} that give the right values "
        text += "but change their inputs or remember earlier calls."
    survivors = [RIDDLES[fn] for value, fn in of[WRONG] if value is False]
    return f"{text} A riddle about one that got away: “{survivors[0]}”" if survivors else text


# Testers, most of them poor ----------------------------------------------------------------------

SIZES = {"T": 4, "B": 3, "D": 2, "H": 5, "K": 6}
NAMES = (*RNNParams._fields, "dx", "dh0")


def _data(change=lambda **parts: {}, seed=7, **sizes):
    """Random arguments for a bptt; change(do, x, h0, params) gives some of them anew."""
    T, B, D, H, K = (SIZES | sizes).values()
    rng = np.random.default_rng(seed)
    params = RNNParams(*(0.6 * rng.normal(size=s) for s in [(D, H), (H, H), H, (H, K), K]))
    x, h0, do = (rng.normal(size=s) for s in [(T, B, D), (B, H), (T, B, K)])
    args = {"do": do, "x": x, "h0": np.tanh(h0), "params": params}
    do, x, h0, params = (args | change(**args)).values()
    return do, x, h0, unroll(x, h0, *params[:3]), params


def _by(tolerance):
    def differ(got, expected):
        allowed = tolerance * (np.abs(expected) + np.abs(expected).max())
        return not (np.abs(got - expected) <= allowed).all()

    return differ


ALMOST = _by(1e-6)


def _flat(back):
    grads, dx, dh0 = back
    return [*grads, dx, dh0]


def _tester(names=NAMES, differ=ALMOST, verdict=any, change=lambda **parts: {}, **sizes):
    """verdict(of what differs among the tensors of these names), on data changed so."""

    @functools.cache
    def known():
        data = _data(change, **sizes)
        return data, _flat(zoo.right(*data))

    def catches_bugs(bptt):
        data, expected = known()
        got = _flat(bptt(*copy.deepcopy(data)))
        found = [differ(g, e) for n, g, e in zip(NAMES, got, expected, strict=True) if n in names]
        return verdict(map(bool, found))

    return catches_bugs


_right_tester = _tester()


def _all_but(*names):
    return _tester([n for n in NAMES if n not in names])


def _symmetric(params, **parts):
    return {"params": params._replace(V=params.V + params.V.T)}


def _alike(do, x, h0, **parts):
    return {"do": do[:, :1] + 0 * do, "x": x[:, :1] + 0 * x, "h0": h0[:1] + 0 * h0}


def _last_loss(do, **parts):
    return {"do": do * (np.arange(len(do)) == len(do) - 1)[:, None, None]}


def _asserts(bptt):
    if _right_tester(bptt):
        raise AssertionError("this bptt is wrong")
    return False


def _says_nothing(bptt):
    _right_tester(bptt)


def _loss_falls(bptt):
    """One step downhill on sum(do * o), and a look whether it fell."""
    do, x, h0, h, params = _data()

    def loss(params):
        state, total = h0, 0
        for x_t, do_t in zip(x, do, strict=True):
            state = np.tanh(x_t @ params.U + state @ params.V + params.b)
            total += (do_t * (state @ params.W + params.c)).sum()
        return total

    grads, _, _ = bptt(do, x, h0, h, params)
    moved = RNNParams(*(p - 1e-4 * g for p, g in zip(params, grads, strict=True)))
    return not loss(moved) < loss(params)


def _cosine(got, expected):
    lengths = np.linalg.norm(got) * np.linalg.norm(expected)
    return not (got * expected).sum() > 0.95 * lengths


# The first ones also speak to a test that fails in their way now and then.
CATCHES_BUGS = Exercise(
    number="3.8",
    returns="verdict bool",
    reference=catches_bugs,
    cases=_hunt,
    trial=_question,
    seconds=60.0,
    summary=_tally,
    mistakes=(
        Mistake(
            "few are caught",
            "Wrong ones get away. Ask of each of the seven tensors that come back how your test "
            "would notice if its values were wrong, and what in your numbers could hide it: zeros, "
            "ones, symmetry, a size of 1.",
            lambda bptt: bool(0 * SECONDS_EACH),
        ),
        Mistake(
            "always says wrong",
            "Right ones are accused. Look at one tensor and at what your test compares it with: do "
            "both belong to the same loss (same do, a sum or a mean), and how closely must they "
            "agree?",
            lambda bptt: bool(1 * SECONDS_EACH),
        ),
        Mistake(
            "the wrong way round",
            "Right ones are accused and wrong ones get away. Which answer means that a bptt is "
            "wrong, True or False?",
            lambda bptt: not _right_tester(bptt),
        ),
        Mistake(
            "a do of ones",
            "With a do of all ones the steps can't be told apart, nor the sequences, nor the "
            "outputs. What sort of numbers hides nothing?",
            _tester(change=lambda do, **parts: {"do": np.ones_like(do)}),
        ),
        Mistake(
            "a loss at the last step only",
            "In your test only the last step has a loss, so what becomes of the other steps' do "
            "goes unseen.",
            _tester(change=_last_loss),
        ),
        Mistake(
            "h0 of zeros",
            "In your test h0 is zero, so what is done with it goes unseen.",
            _tester(change=lambda h0, **parts: {"h0": 0 * h0}),
        ),
        Mistake(
            "an x of ones",
            "What is done with x goes unseen: is your x all ones or zeros, or does your test not "
            "look at dU?",
            _tester(change=lambda x, **parts: {"x": np.ones_like(x)}),
        ),
        Mistake(
            "V of zeros",
            "In your test V is zero, so nothing goes back through time at all.",
            _tester(change=lambda params, **parts: {"params": params._replace(V=0 * params.V)}),
        ),
        Mistake(
            "a symmetric V",
            "In your test V equals its transpose. Which mistake does that hide?",
            _tester(change=_symmetric),
        ),
        Mistake(
            "a single step",
            "With T=1 there is no going back through time.",
            _tester(T=1),
        ),
        Mistake(
            "a single sequence",
            "With B=1 the sequences can't be mixed up, and a mean is a sum.",
            _tester(B=1),
        ),
        Mistake(
            "a single unit",
            "With H=1 a matrix is a number, which is its own transpose.",
            _tester(H=1),
        ),
        Mistake(
            "all sequences alike",
            "In your test all sequences are the same, so it goes unseen when one stands in for "
            "another.",
            _tester(change=_alike),
        ),
        Mistake(
            "only dV",
            "Your test looks at dV only. Seven tensors come back.",
            _tester(["V"]),
        ),
        Mistake(
            "only dU",
            "Your test looks at dU only: does a `return False` stand inside the loop? Seven "
            "tensors come back.",
            _tester(["U"]),
        ),
        Mistake(
            "only the recurrent weights",
            "Your test looks at dU, dV and db only. Seven tensors come back.",
            _tester(["U", "V", "b"]),
        ),
        Mistake(
            "only the weights",
            "Your test looks at the gradients of the weights only. Two more tensors come back.",
            _all_but("dx", "dh0"),
        ),
        Mistake(
            "no dx",
            "A wrong dx gets away: does your test look at dx, and is U anything but zero?",
            _all_but("dx"),
        ),
        Mistake(
            "no dh0",
            "Your test doesn't look at dh0.",
            _all_but("dh0"),
        ),
        Mistake(
            "no biases",
            "Your test doesn't look at db and dc.",
            _all_but("b", "c"),
        ),
        Mistake(
            "only dx and dh0",
            "Your test doesn't look at the gradients of the weights.",
            _tester(["dx", "dh0"]),
        ),
        Mistake(
            "only the last tensor",
            "Only the last comparison decides: does each overwrite what the one before had found?",
            _tester(["dh0"]),
        ),
        Mistake(
            "too loose",
            "Your test lets differences of a tenth pass. How exact are two right ways to compute "
            "the same?",
            _tester(differ=_by(0.1)),
        ),
        Mistake(
            "blind to NaN",
            "A gradient of NaN gets away: NaN is neither above nor below any number. Ask whether "
            "the error is `not ... <= tolerance`, and beware of Python's own `max()`, which may "
            "pass over it.",
            _tester(differ=lambda got, expected: np.abs(got - expected).max() > 1e-6),  # on purpose
        ),
        Mistake(
            "equal to the last bit",
            "Right ones are accused: two right ways to add up differ in the last digits.",
            _tester(differ=lambda got, expected: not np.array_equal(got, expected)),
        ),
        Mistake(
            "only finite or not",
            "Your test looks whether there are NaNs or zeros. A wrong gradient can look healthy.",
            _tester(differ=lambda got, expected: not np.isfinite(got).all() or not got.any()),
        ),
        Mistake(
            "only the sums",
            "Your test compares sums of tensors. What can be wrong without changing a sum?",
            _tester(differ=lambda got, expected: ALMOST(got.sum(), expected.sum())),
        ),
        Mistake(
            "only the lengths",
            "Your test compares norms, or sizes without signs. What can be wrong without changing "
            "these?",
            _tester(differ=lambda *pair: ALMOST(*map(np.linalg.norm, pair))),
        ),
        Mistake(
            "only the directions",
            "Your test compares directions, and not closely. What can be wrong without changing "
            "these?",
            _tester(differ=_cosine),
        ),
        Mistake(
            "only the first entries",
            "Your test looks at one entry of each tensor. The others may be wrong.",
            _tester(differ=lambda got, expected: ALMOST(got.flat[0], expected.flat[0])),
        ),
        Mistake(
            "a look at the loss",
            "Your test looks whether the loss falls. It does with most wrong gradients: a falling "
            "loss proves nothing.",
            _loss_falls,
        ),
        Mistake(
            "raises an error",
            "Your test raises an error at a wrong one. It should say so: True.",
            _asserts,
        ),
        Mistake(
            "says nothing",
            "Your test gives no verdict back: is there a `return`? Printing it is not enough.",
            _says_nothing,
        ),
        Mistake(
            "counts the wrong tensors",
            "A count came back. True or False is asked for.",
            _tester(verdict=sum),
        ),
    ),
)
