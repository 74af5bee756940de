"""Wrong ways back through time: one list, used twice.

Its bugs are the known mistakes of 3.3 `bptt`; those with a riddle also run loose in the bug hunt of
3.8 `catches_bugs`. There a bug is one of values: at T = B = 2, on random numbers, it is wrong by a
lot, while the shapes and types are right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from utils.cell import RNNParams

from .exercise import SEVEN_DIGITS


@dataclass(frozen=True)
class Bug:
    """A wrong `bptt`. The hint is for its author, the riddle for the author of a test it escaped.

    Without a riddle it stays out of the hunt: a type gives it away, or few inputs show it.
    """

    name: str
    hint: str
    wrong: Callable
    riddle: str = ""


class Parts(NamedTuple):
    """What a right `bptt` works with."""

    do: np.ndarray
    x: np.ndarray
    h: np.ndarray
    h_prev: np.ndarray  # (T,B,H): h0, then all of h but the last
    U: np.ndarray
    V: np.ndarray
    own: np.ndarray  # (T,B,H): what the loss of each step says of its h_t
    slope: np.ndarray  # (T,B,H): that of tanh
    dh: np.ndarray  # (T,B,H): the error at h_t, with what is carried back to it
    da: np.ndarray  # (T,B,H): the error at a_t
    dh0: np.ndarray


def right(do, x, h0, h, params):
    """The plain way."""
    return finished(parts(do, x, h0, h, params))


def parts(do, x, h0, h, params, back=None, slope=None):
    """The `Parts`, found by back(own, slope, V) and with another slope of tanh if so wanted."""
    U, V, _, W, _ = params
    h_prev = np.concatenate([h0[None], h])[:-1]  # right for no steps, too
    slope = 1 - h * h if slope is None else slope(h_prev, h)
    own = do @ W.T
    return Parts(do, x, h, h_prev, U, V, own, slope, *(back or loop())(own, slope, V))


def finished(p, **new):
    """What comes back, some of it replaced: U, V, b, W, c, dx or dh0."""
    made = {
        "U": product(p.x, p.da),
        "V": product(p.h_prev, p.da),
        "b": p.da.sum((0, 1)),
        "W": product(p.h, p.do),
        "c": p.do.sum((0, 1)),
        "dx": p.da @ p.U.T,
        "dh0": p.dh0,
    }
    *grads, dx, dh0 = (made | new).values()
    return RNNParams(*grads), dx, dh0


def product(left, right):
    """Σ leftᵀ right over all steps and sequences."""
    return left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])


# Ways to break it: a wrong loop, wrong sums, wrong arguments, a wrong return value ----------------


def loop(onward=lambda dh, da, slope, V: da @ V.T, join=np.add):
    """A way back: dh, da and dh0 from what each step's own loss says, own (T,B,H).

    onward(dh_t, da_t, slope_t, V) is carried to the step before, join(own_t, carried) is dh_t.
    """

    def back(own, slope, V):
        dh, da, carried = np.empty_like(own), np.empty_like(own), np.zeros(own.shape[1:])
        for t in reversed(range(len(own))):
            dh[t] = join(own[t], carried)
            da[t] = dh[t] * slope[t]
            carried = onward(dh[t], da[t], slope[t], V)
        return dh, da, carried

    return back


def _backwards(back):
    return lambda do, x, h0, h, params: finished(parts(do, x, h0, h, params, back))


def _sloped(slope):
    return lambda do, x, h0, h, params: finished(parts(do, x, h0, h, params, slope=slope))


def _replaced(new):
    """new(parts) gives what is wrong; the rest is right."""

    def bptt(do, x, h0, h, params):
        p = parts(do, x, h0, h, params)
        return finished(p, **new(p))

    return bptt


def _fed(change):
    """Works with change(do, V, W) in place of these."""

    def bptt(do, x, h0, h, params):
        U, V, b, W, c = params
        do, V, W = change(do, V, W)
        return right(do, x, h0, h, RNNParams(U, V, b, W, c))

    return bptt


def _returned(change):
    """Returns change(grads, dx, dh0)."""
    return lambda *args: change(*right(*args))


def _each(change):
    """change(array) of every array that comes back."""
    return _returned(
        lambda grads, dx, dh0: (RNNParams(*map(change, grads)), change(dx), change(dh0))
    )


def _scaled(factor):
    """The gradients of the weights times factor(T, B)."""

    def bptt(do, x, h0, h, params):
        grads, dx, dh0 = right(do, x, h0, h, params)
        return RNNParams(*(g * factor(*do.shape[:2]) for g in grads)), dx, dh0

    return bptt


# Wrong loops -----------------------------------------------------------------------------------


def _each_step_alone(own, slope, V):
    da = own * slope
    return own, da, da[0] @ V.T


def _only(steps):
    """Only these steps' losses are heard."""

    def back(own, slope, V):
        heard = np.zeros_like(own)
        heard[steps] = own[steps]
        return loop()(heard, slope, V)

    return back


def _one_step_back(own, slope, V):
    dh, local = own.copy(), own * slope
    dh[:-1] += local[1:] @ V.T
    return dh, dh * slope, local[0] @ V.T


def _forwards(own, slope, V):
    dh, da, dh0 = loop()(own[::-1], slope[::-1], V)
    return dh[::-1], da[::-1], dh0


def _never_emptied(own, slope, V):
    da, carried = np.empty_like(own), np.zeros(own.shape[1:])
    for t in reversed(range(len(own))):
        da[t] = (own[t] + carried) * slope[t]
        carried = carried + da[t] @ V.T
    return da, da, carried


def _through_V_twice(own, slope, V):
    dh, da, _ = loop(lambda dh, da, slope, V: da @ V.T @ V.T)(own, slope, V)
    return dh, da, da[0] @ V.T


def _begins_with_h0(do, x, h0, h, params):
    def back(own, slope, V):
        return loop()(np.concatenate([own[:-1], own[-1:] + h0]), slope, V)

    return finished(parts(do, x, h0, h, params, back))


def _stops_before_the_first_step(do, x, h0, h, params):
    grads, dx, dh0 = right(do[1:], x[1:], h[0], h[1:], params)
    return grads, np.concatenate([0 * x[:1], dx]), dh0


def _starts_before_the_last_step(do, x, h0, h, params):
    grads, dx, dh0 = right(do[:-1], x[:-1], h0, h[:-1], params)
    return grads, np.concatenate([dx, 0 * x[-1:]]), dh0


def _states_swapped(do, x, h0, h, params):
    p = parts(do, x, h0, h, params, slope=lambda h_prev, h: 1 - h_prev**2)
    return finished(p, V=product(p.h, p.da))


def _past_tanh(own_slope, carried_slope):
    """One of the two parts of dh_t gets round tanh."""

    def back(own, slope, V):
        da, carried = np.empty_like(own), np.zeros(own.shape[1:])
        for t in reversed(range(len(own))):
            da[t] = own[t] * own_slope(slope[t]) + carried * carried_slope(slope[t])
            carried = da[t] @ V.T
        return da, da, carried

    return back


def _kept(slope):
    return slope


def _dropped(slope):
    return 1.0


def _earlier(z):
    """z of the step before; at the first step there is none."""
    return np.concatenate([np.zeros_like(z[:1]), z[:-1]])


# Other right ones -------------------------------------------------------------------------------


def _one_sequence_at_a_time(do, x, h0, h, params):
    U, V, b, W, c = params
    grads = RNNParams(*(np.zeros(w.shape) for w in (U, V, b, W, c)))
    dx, dh0 = np.zeros(x.shape), np.zeros(h0.shape)
    for n in range(len(h0)):
        states, error = [h0[n], *h[:, n]], np.zeros(len(b))
        for t in range(len(x) - 1, -1, -1):
            error = (W @ do[t, n] + error) * (1 - states[t + 1] ** 2)
            more = np.outer(x[t, n], error), np.outer(states[t], error), error
            for grad, term in zip(grads[:3], more, strict=True):
                grad += term
            dx[t, n] = U @ error
            error = V @ error
        dh0[n] = error
        for o, state in zip(do[:, n], states[1:], strict=True):
            grads.W[...] += np.outer(state, o)
            grads.c[...] += o
    return grads, dx, dh0


def _path_by_path(do, x, h0, h, params):
    """The loss of each step goes back by itself, all the way."""
    U, V, _, W, _ = params
    da, dh0 = np.zeros(h.shape), np.zeros(h0.shape)
    for end in range(len(h)):
        error = do[end] @ W.T
        for t in range(end, -1, -1):
            error = error * (1 - h[t]) * (1 + h[t])
            da[t] += error
            error = np.einsum("bj,ij->bi", error, V)
        dh0 += error
    h_prev = np.stack([h0, *h[:-1]])
    grads = RNNParams(
        np.einsum("tbd,tbh->dh", x, da),
        np.einsum("tbi,tbj->ij", h_prev, da),
        np.einsum("tbh->h", da),
        np.einsum("tbh,tbk->hk", h, do),
        np.einsum("tbk->k", do),
    )
    return grads, np.einsum("tbh,dh->tbd", da, U), dh0


def _forwards_in_time(do, x, h0, h, params):
    """No way back: at each step it knows how h_t follows h0 and every a_s before it."""
    U, V, _, W, _ = params
    (T, B, _), unit, dh = x.shape, np.eye(len(V)), do @ W.T
    da, dh0 = np.zeros((T, B, len(V))), np.zeros((B, len(V)))
    by_h0, by_a = unit, np.zeros((T, B, *V.shape))
    for t, h_t in enumerate(h):
        slope = (1 - h_t**2)[:, None]
        by_h0, by_a = by_h0 @ V * slope, by_a @ V * slope
        by_a[t] = unit * slope
        dh0 += (by_h0 @ dh[t][..., None])[..., 0]
        da += (by_a @ dh[t][..., None])[..., 0]
    grads = RNNParams(
        np.tensordot(x, da, ((0, 1), (0, 1))),
        h0.T @ da[0] + np.tensordot(h[:-1], da[1:], ((0, 1), (0, 1))),
        np.ones(T * B) @ da.reshape(T * B, -1),
        np.tensordot(h, do, ((0, 1), (0, 1))),
        np.ones(T * B) @ do.reshape(T * B, -1),
    )
    return grads, np.stack([da_t @ U.T for da_t in da]), dh0


RIGHT = (right, _one_sequence_at_a_time, _path_by_path, _forwards_in_time)


# Damage -----------------------------------------------------------------------------------------


def _writes_into_do(do, x, h0, h, params):
    back = right(do, x, h0, h, params)
    do += 1
    return back


def _writes_into_h(do, x, h0, h, params):
    back = right(do, x, h0, h, params)
    np.subtract(1, h * h, out=h)
    return back


def _writes_into_h0(do, x, h0, h, params):
    grads, dx, h0[...] = right(do, x, h0, h, params)
    return grads, dx, h0


def _writes_into_weights(do, x, h0, h, params):
    back = right(do, x, h0, h, params)
    for w, g in zip(params, back[0], strict=True):
        w -= 0.1 * g
    return back


class _AddsUp:
    """Adds the gradients to those of earlier calls with the same shapes."""

    def __init__(self):
        self.sums = {}

    def __call__(self, do, x, h0, h, params):
        grads, dx, dh0 = right(do, x, h0, h, params)
        key = do.shape, x.shape, h0.shape
        before = self.sums.get(key, [0] * len(grads))
        self.sums[key] = RNNParams(*(a + b for a, b in zip(before, grads, strict=True)))
        return self.sums[key], dx, dh0


class _KeepsTheError:
    """Begins with the error that the call before, of the same shapes, ended with."""

    def __init__(self):
        self.left = {}

    def __call__(self, do, x, h0, h, params):
        def back(own, slope, V):
            own = own.copy()
            own[-1] += self.left.get(own.shape, 0)
            dh, da, self.left[own.shape] = loop()(own, slope, V)
            return dh, da, self.left[own.shape].copy()

        return finished(parts(do, x, h0, h, params, back))


class _KeepsBuffers:
    """Writes all results of the same shapes into the same arrays."""

    def __init__(self):
        self.kept = {}

    def __call__(self, do, x, h0, h, params):
        grads, dx, dh0 = right(do, x, h0, h, params)
        new = [*grads, dx, dh0]
        kept = self.kept.setdefault((do.shape, x.shape, h0.shape), [a.copy() for a in new])
        for old, a in zip(kept, new, strict=True):
            old[...] = a
        return RNNParams(*kept[:5]), *kept[5:]


# The list: the way back, the sums for the weights, dx and dh0, types and shapes -------------------

BUGS = (
    Bug(
        "V transposed",
        "On its way back the error goes through V the wrong way round. Row i of V says what unit i "
        "sent on: along which axis does the blame come back to unit i?",
        _fed(lambda do, V, W: (do, V.T, W)),
        "It walks home over the bridges it came by, but reads every signpost from the wrong side.",
    ),
    Bug(
        "W not transposed",
        "do goes back through W the wrong way round. W is (H,K): which of its axes meets do, which "
        "is left?",
        _fed(lambda do, V, W: (do, V, W.T)),
    ),
    Bug(
        "no error through time",
        "Each step hears only its own loss. In which later losses does a state have a part?",
        _backwards(_each_step_alone),
        "It thinks that what is done is done: no step answers for what came of it later.",
    ),
    Bug(
        "only the last loss",
        "The error enters at the last step only. Every step has a loss of its own.",
        _backwards(_only(slice(-1, None))),
        "It hears the complaint at the journey's end and is deaf to those on the way.",
    ),
    Bug(
        "last step left out",
        "The error of the last step never enters. At which step does your way back begin?",
        _backwards(_only(slice(0, -1))),
        "It sets out on the way home one stop too early.",
    ),
    Bug(
        "first step left out",
        "The error of the first step's own loss never enters. At which step does your loop end?",
        _backwards(_only(slice(1, None))),
    ),
    Bug(
        "loop ends before step 0",
        "The first step adds nothing to any gradient, and its dx is zero. At which t does your "
        "loop end?",
        _stops_before_the_first_step,
    ),
    Bug(
        "loop begins after the last step",
        "The last step adds nothing to any gradient, and its dx is zero. At which t does your "
        "loop begin?",
        _starts_before_the_last_step,
    ),
    Bug(
        "begins with h0",
        "The way back begins with h0 as the carried error. How much comes from steps after the "
        "last?",
        _begins_with_h0,
    ),
    Bug(
        "same do at every step",
        "Every step gets the do of the last one. Look at the index of do inside the loop.",
        _backwards(lambda own, slope, V: loop()(np.broadcast_to(own[-1], own.shape), slope, V)),
        "It asks for an opinion once and repeats it at every step.",
    ),
    Bug(
        "do in the wrong order",
        "The losses enter in the wrong order: the first step gets the last one's do.",
        _backwards(lambda own, slope, V: loop()(own[::-1], slope, V)),
    ),
    Bug(
        "one step back only",
        "An error goes back one step and stops. What reaches a state is handed on in its turn.",
        _backwards(_one_step_back),
        "It blames yesterday, but never the day before.",
    ),
    Bug(
        "forwards through time",
        "The loop goes from the first step to the last. Which way does the error travel?",
        _backwards(_forwards),
        "It tells the story from the beginning, where one should tell it from the end.",
    ),
    Bug(
        "carried error piles up",
        "What is carried to a step is kept and carried on beside the new error. Once a step has "
        "taken it in, has it not been dealt with?",
        _backwards(_never_emptied),
        "It carries a bag from door to door, delivers what is in it and never takes it out.",
    ),
    Bug(
        "carried error past tanh",
        "The error from the next step is added after the slope of tanh. It arrives at h_t, as the "
        "step's own does: through what must it go to get to a_t?",
        _backwards(_past_tanh(_kept, _dropped)),
        "Visitors from the next house walk in without passing the narrow door.",
    ),
    Bug(
        "own error past tanh",
        "The slope of tanh is on the carried error only. Both parts of dh_t arrive at h_t: through "
        "what must they go to get to a_t?",
        _backwards(_past_tanh(_dropped, _kept)),
    ),
    Bug(
        "carried before tanh",
        "What is carried back is made of dh_t. V met h_prev inside a_t, before tanh: which error "
        "goes back through it?",
        _backwards(loop(lambda dh, da, slope, V: dh @ V.T)),
        "Its messengers leave the house before they have been through the narrow door.",
    ),
    Bug(
        "slope after V",
        "The slope of tanh comes after V on the way to the step before. Which of the two did the "
        "signal meet last on its way out?",
        _backwards(loop(lambda dh, da, slope, V: dh @ V.T * slope)),
        "Two gates in a row: it passes both, but in the wrong order.",
    ),
    Bug(
        "V twice",
        "The error goes through V twice on its way to the step before. Which line does it already: "
        "what comes back from `cell_backward`?",
        _backwards(_through_V_twice),
    ),
    Bug(
        "V forgotten",
        "The error goes from step to step without V. What did the state meet on its way out?",
        _backwards(loop(lambda dh, da, slope, V: da)),
        "It goes back in time by magic carpet, over the weights.",
    ),
    Bug(
        "V entry by entry",
        "Each unit gets its own error back and nothing from the others: is that a matrix product?",
        _backwards(loop(lambda dh, da, slope, V: da * np.diag(V))),
        "In it every unit minds its own business.",
    ),
    Bug(
        "carried error subtracted",
        "Look at the sign with which the carried error joins the step's own.",
        _backwards(loop(join=np.subtract)),
    ),
    Bug(
        "errors averaged",
        "A step's own error and the carried one are averaged. The chain rule adds the paths up.",
        _backwards(loop(join=lambda own, carried: (own + carried) / 2)),
    ),
    Bug(
        "errors fade",
        "The carried error is a little too small at each step, as if by a discount.",
        _backwards(loop(lambda dh, da, slope, V: 0.99 * da @ V.T)),
        "It forgives, one part in a hundred, at each step.",
    ),
    Bug(
        "one error for all sequences",
        "The carried error is the same for all sequences: each should hand back its own.",
        _backwards(
            loop(lambda dh, da, slope, V: np.broadcast_to((da @ V.T).mean(0), dh.shape).copy())
        ),
        "All the travellers share one suitcase.",
    ),
    Bug(
        "errors cut off",
        "Large errors are cut off at 1 on their way. Nothing in the chain rule limits them.",
        _backwards(loop(lambda dh, da, slope, V: np.clip(da @ V.T, -1, 1))),
    ),
    # The slope of tanh
    Bug(
        "no slope",
        "tanh is missing on the way back. How much does h_t move when a_t does?",
        _sloped(lambda h_prev, h: np.ones_like(h)),
        "It takes a bent road for a straight one.",
    ),
    Bug(
        "slope of the state before",
        "The slope of tanh is taken at h_prev. Which state came out of this tanh?",
        _sloped(lambda h_prev, h: 1 - h_prev**2),
        "It looks up today's weather in yesterday's paper.",
    ),
    Bug(
        "slope not squared",
        "The slope of tanh lacks its square: look at the formula again.",
        _sloped(lambda h_prev, h: 1 - h),
        "It is one small number short, and the number stands high up.",
    ),
    Bug(
        "slope squared as a whole",
        "The square is around the whole bracket: which part of it is squared in the formula?",
        _sloped(lambda h_prev, h: (1 - h) ** 2),
    ),
    Bug(
        "slope of the sigmoid",
        "That is the slope of the sigmoid. Which function made h_t?",
        _sloped(lambda h_prev, h: h * (1 - h)),
        "It mistakes one S-shaped curve for another.",
    ),
    Bug(
        "slope with a plus",
        "Look at the sign in the slope of tanh: where is the curve steepest?",
        _sloped(lambda h_prev, h: 1 + h**2),
    ),
    Bug(
        "slope without the 1",
        "The slope of tanh is 0 where h_t is 0 in your function. Is the curve flat there?",
        _sloped(lambda h_prev, h: h**2),
    ),
    Bug(
        "tanh taken again",
        "h_t went through tanh once more before its slope was taken. It is past tanh already.",
        _sloped(lambda h_prev, h: 1 - np.tanh(h) ** 2),
    ),
    Bug(
        "slope twice",
        "The slope of tanh is in there twice.",
        _sloped(lambda h_prev, h: (1 - h**2) ** 2),
        "It pays the toll at the same gate twice.",
    ),
    Bug(
        "the two states swapped",
        "The slope of tanh is taken at h_prev, and dV pairs da_t with h_t: have the two states "
        "changed places, perhaps on their way into `cell_backward`?",
        _states_swapped,
    ),
    # dV
    Bug(
        "dV from h_t",
        "dV pairs da_t with h_t. Which state did V meet at step t?",
        _replaced(lambda p: {"V": product(p.h, p.da)}),
        "It thanks the guest who has just come for what the one before him did.",
    ),
    Bug(
        "h0 forgotten",
        "The first step adds nothing to dV. There was a state before it too.",
        _replaced(lambda p: {"V": product(p.h[:-1], p.da[1:])}),
        "It thinks that nothing was before the beginning.",
    ),
    Bug(
        "last state before the first",
        "At t=0 the state before is taken from the end of h: an index of -1 is no error in Python.",
        _replaced(lambda p: {"V": product(np.roll(p.h, 1, axis=0), p.da)}),
        "It takes time for a circle.",
    ),
    Bug(
        "h0 at every step",
        "dV uses h0 at every step. The state before step t is another one each time.",
        _replaced(lambda p: {"V": p.h_prev[0].T @ p.da.sum(0)}),
    ),
    Bug(
        "dV transposed",
        "dV lies on its side. Row i of V belongs to the unit that sends: to h_prev or to da?",
        _replaced(lambda p: {"V": product(p.da, p.h_prev)}),
        "It gets every figure right and writes one table sideways.",
    ),
    Bug(
        "dV without the slope",
        "dV is made of the error at h_t. V acts inside tanh: which error is there?",
        _replaced(lambda p: {"V": product(p.h_prev, p.dh)}),
        "What it tells those who remember has not been through the narrow door.",
    ),
    Bug(
        "dV of the first step only",
        "Only the first step counts in dV: the loop overwrites (=) where it should add (+=).",
        _replaced(lambda p: {"V": p.h_prev[0].T @ p.da[0]}),
    ),
    Bug(
        "dV from the sums",
        "For dV the states and the errors are summed first and multiplied then. Which comes first?",
        _replaced(lambda p: {"V": p.h_prev.sum((0, 1))[:, None] * p.da.sum((0, 1))}),
    ),
    # dU and b
    Bug(
        "dU transposed",
        "dU lies on its side. Row d of U belongs to input d.",
        _replaced(lambda p: {"U": product(p.da, p.x)}),
    ),
    Bug(
        "dU without the slope",
        "dU is made of the error at h_t. U acts inside tanh: which error is there?",
        _replaced(lambda p: {"U": product(p.x, p.dh)}),
    ),
    Bug(
        "dU of the first step only",
        "Only the first step counts in dU: the loop overwrites (=) where it should add (+=).",
        _replaced(lambda p: {"U": p.x[0].T @ p.da[0]}),
    ),
    Bug(
        "dU from the step before",
        "dU pairs da_t with the input of the step before. Only the state comes from there.",
        _replaced(lambda p: {"U": product(np.roll(p.x, 1, axis=0), p.da)}),
        "It reads each letter's marks beside the letter before.",
    ),
    Bug(
        "dU from the states",
        "dU is made with h_prev. What does U act on?",
        _replaced(lambda p: {"U": product(p.h_prev, p.da)}),
    ),
    Bug(
        "db without the slope",
        "db is made of the error at h_t. The bias is added inside tanh: which error is there?",
        _replaced(lambda p: {"b": p.dh.sum((0, 1))}),
    ),
    Bug(
        "db averaged over the batch",
        "db is a mean over the sequences. b was added to each of them: sum or mean?",
        _replaced(lambda p: {"b": p.da.mean(1).sum(0)}),
        "In one short vector it shares among the many what each of them owes.",
    ),
    Bug(
        "db of the first step only",
        "Only the first step counts in db: the loop overwrites (=) where it should add (+=).",
        _replaced(lambda p: {"b": p.da[0].sum(0)}),
    ),
    Bug(
        "db not summed over the batch",
        "db still has one row per sequence. b has one entry per unit.",
        _replaced(lambda p: {"b": p.da.sum(0)}),
    ),
    Bug(
        "db kept as a row",
        "db has an axis of length 1 too many. b is (H,).",
        _replaced(lambda p: {"b": p.da.sum(0).sum(0, keepdims=True)}),
    ),
    # W and c
    Bug(
        "dW from the state before",
        "dW pairs do_t with h_prev. Which state did W read out at step t?",
        _replaced(lambda p: {"W": product(p.h_prev, p.do)}),
        "It grades today's reader by yesterday's book.",
    ),
    Bug(
        "dW transposed",
        "dW lies on its side. Row i of W belongs to unit i.",
        _replaced(lambda p: {"W": product(p.do, p.h)}),
    ),
    Bug(
        "dW with the slope",
        "dW holds the slope of tanh. W acts after tanh: is there any between it and the loss?",
        _replaced(lambda p: {"W": product(p.h * (1 - p.h**2), p.do)}),
    ),
    Bug(
        "dW of the last step only",
        "Only the last step counts in dW. W read out every state.",
        _replaced(lambda p: {"W": p.h[-1].T @ p.do[-1]}),
        "Of all that it said, it regrets the last word alone.",
    ),
    Bug(
        "dW of the first step only",
        "Only the first step counts in dW: the loop overwrites (=) where it should add (+=).",
        _replaced(lambda p: {"W": p.h[0].T @ p.do[0]}),
    ),
    Bug(
        "dc averaged",
        "dc is a mean over steps and sequences. c was added at each of them: sum or mean?",
        _replaced(lambda p: {"c": p.do.mean((0, 1))}),
    ),
    Bug(
        "dc of the last step only",
        "Only the last step counts in dc. c was added at every step.",
        _replaced(lambda p: {"c": p.do[-1].sum(0)}),
        "The smallest of the five has a short memory.",
    ),
    Bug(
        "dc of the first step only",
        "Only the first step counts in dc: the loop overwrites (=) where it should add (+=).",
        _replaced(lambda p: {"c": p.do[0].sum(0)}),
    ),
    Bug(
        "dc not summed over the batch",
        "dc still has one row per sequence. c has one entry per output.",
        _replaced(lambda p: {"c": p.do.sum(0)}),
    ),
    Bug(
        "dc of one sequence",
        "Only the first sequence counts in dc.",
        _replaced(lambda p: {"c": p.do[:, 0].sum(0)}),
    ),
    Bug(
        "biases forgotten",
        "db and dc are all zero. The biases learn too.",
        _replaced(lambda p: {"b": 0 * p.da[0, 0], "c": 0 * p.do[0, 0]}),
        "Two of its pupils never hear a word.",
    ),
    # All weights
    Bug(
        "overwritten at each step",
        "The gradients are those of the first step: the loop overwrites them (=) where it should "
        "add (+=). One set of weights served at all steps.",
        _replaced(
            lambda p: {
                "U": p.x[0].T @ p.da[0],
                "V": p.h_prev[0].T @ p.da[0],
                "b": p.da[0].sum(0),
                "W": p.h[0].T @ p.do[0],
                "c": p.do[0].sum(0),
            }
        ),
        "Whatever it learns on the way, it comes home knowing the last thing only.",
    ),
    Bug(
        "dU, dV and db of the first step only",
        "Only the first step counts in dU, dV and db: the loop overwrites (=) where it should add "
        "(+=).",
        _replaced(
            lambda p: {
                "U": p.x[0].T @ p.da[0],
                "V": p.h_prev[0].T @ p.da[0],
                "b": p.da[0].sum(0),
            }
        ),
    ),
    Bug(
        "dW and dc of the first step only",
        "Only the first step counts in dW and dc: the loop overwrites (=) where it should add "
        "(+=).",
        _replaced(lambda p: {"W": p.h[0].T @ p.do[0], "c": p.do[0].sum(0)}),
    ),
    Bug(
        "mean over the batch",
        "The gradients are divided by B. do holds the division by the number of steps already.",
        _scaled(lambda T, B: 1 / B),
        "The more of them there are, the less each of them counts.",
    ),
    Bug(
        "mean over time",
        "The gradients are divided by T. Shared weights: is it a sum over the steps or a mean?",
        _scaled(lambda T, B: 1 / T),
        "The longer the story, the less it makes of each page.",
    ),
    Bug(
        "mean over time and batch",
        "The gradients are divided by T·B. do holds the division by the real steps already.",
        _scaled(lambda T, B: 1 / (T * B)),
    ),
    Bug(
        "doubled",
        "The gradients of the weights are twice too large: is something added up two times?",
        _scaled(lambda T, B: 2),
    ),
    Bug(
        "uphill",
        "The gradients of the weights have the wrong sign. The minus belongs to the update.",
        _scaled(lambda T, B: -1),
        "Follow it, and you climb.",
    ),
    Bug(
        "one sequence only",
        "Only the first sequence counts in the gradients of the weights. They add up all of them.",
        _replaced(
            lambda p: {
                "U": product(p.x[:, 0], p.da[:, 0]),
                "V": product(p.h_prev[:, 0], p.da[:, 0]),
                "b": p.da[:, 0].sum(0),
                "W": product(p.h[:, 0], p.do[:, 0]),
                "c": p.do[:, 0].sum(0),
            }
        ),
        "It asks the first in line and sends the others home.",
    ),
    # dx
    Bug(
        "dx without the slope",
        "dx is made of the error at h_t. x_t went in before tanh: which error is there?",
        _replaced(lambda p: {"dx": p.dh @ p.U.T}),
        "What it tells those who came in has not been through the narrow door.",
    ),
    Bug(
        "dx back to front",
        "The steps of dx are in the wrong order: a list filled on the way back has the last step "
        "first.",
        _replaced(lambda p: {"dx": (p.da @ p.U.T)[::-1]}),
        "It hands the letters back in the order in which it picked them up again.",
    ),
    Bug(
        "dx a step late",
        "Each step of dx belongs to the step before it: look at the index where you store it.",
        _replaced(lambda p: {"dx": _earlier(p.da) @ p.U.T}),
    ),
    Bug(
        "dx from its own loss only",
        "dx holds only what the loss of its own step says. An input lives on in all later states.",
        _replaced(lambda p: {"dx": (p.own * p.slope) @ p.U.T}),
        "It tells each guest what was said that evening, and nothing of the days after.",
    ),
    Bug(
        "dx through V",
        "dx goes back through V. By which matrix did the input come in?",
        _replaced(lambda p: {"dx": p.da @ p.V.T}),
    ),
    Bug(
        "dx with U not transposed",
        "dx goes back through U the wrong way round. U is (D,H): which axis meets da, which is "
        "left?",
        _replaced(lambda p: {"dx": p.da @ p.U}),
    ),
    Bug(
        "dx without the first step",
        "dx is zero at the first step. Each x_t has a gradient of its own: where does the loop "
        "end?",
        _replaced(lambda p: {"dx": np.concatenate([0 * p.x[:1], p.da[1:] @ p.U.T])}),
        "It thanks every guest but the one who came first.",
    ),
    Bug(
        "dx without the last step",
        "dx is zero at the last step. Each x_t has a gradient of its own: where does the loop "
        "start?",
        _replaced(lambda p: {"dx": np.concatenate([p.da[:-1] @ p.U.T, 0 * p.x[-1:]])}),
        "Whoever comes last is never told what came of it.",
    ),
    Bug(
        "dx of the first step only",
        "dx is zero but for the first step. Each x_t has a gradient of its own.",
        _replaced(lambda p: {"dx": np.concatenate([p.da[:1] @ p.U.T, 0 * p.x[1:]])}),
    ),
    Bug(
        "dx summed over the steps",
        "dx has lost its steps. Each x_t has a gradient of its own.",
        _replaced(lambda p: {"dx": (p.da @ p.U.T).sum(0)}),
    ),
    Bug(
        "dx averaged over the batch",
        "dx is divided by B.",
        _replaced(lambda p: {"dx": p.da @ p.U.T / p.x.shape[1]}),
    ),
    # dh0
    Bug(
        "dh0 is dh_1",
        "dh0 is the error at the first step's own state. h0 is one step further back.",
        _replaced(lambda p: {"dh0": p.dh[0]}),
        "It stops on the doorstep, one pace from where it all began.",
    ),
    Bug(
        "dh0 is da_1",
        "dh0 is the error inside the first step. One more thing lies between it and h0.",
        _replaced(lambda p: {"dh0": p.da[0]}),
        "It is as good as home, with only the last bridge left to cross.",
    ),
    Bug(
        "dh0 without the slope",
        "dh0 did not go through the first step's tanh.",
        _replaced(lambda p: {"dh0": p.dh[0] @ p.V.T}),
    ),
    Bug(
        "dh0 with V transposed",
        "At the last stretch, to h0, the error goes through V the wrong way round.",
        _replaced(lambda p: {"dh0": p.da[0] @ p.V}),
        "It finds its way through every step and takes the last bridge in the wrong direction.",
    ),
    Bug(
        "dh0 is zero",
        "dh0 is all zero. h0 had a part in everything that came after.",
        _replaced(lambda p: {"dh0": 0 * p.dh0}),
    ),
    Bug(
        "dh0 averaged over the batch",
        "dh0 is divided by B.",
        _replaced(lambda p: {"dh0": p.dh0 / len(p.dh0)}),
    ),
    Bug(
        "dh0 summed over the batch",
        "dh0 has lost its sequences. Each has a first state of its own.",
        _replaced(lambda p: {"dh0": p.dh0.sum(0)}),
    ),
    Bug(
        "dh0 for every step",
        "dh0 came back with an error for every step. Only the first state's is asked for.",
        _replaced(lambda p: {"dh0": p.da @ p.V.T}),
    ),
    Bug(
        "NaN everywhere",
        "All that came back is NaN. It is born of 0 / 0, 0 · inf or inf - inf, and in what "
        "`np.empty` made and nobody filled: which line makes the first one?",
        _each(lambda a: a * np.nan),
        "It is neither too large nor too small, and not even equal to itself.",
    ),
    # Types and shapes
    Bug(
        "Goodfellow's order",
        "V, b and W stand in another order. RNNParams is (U, V, b, W, c).",
        _returned(lambda g, dx, dh0: ((g.U, g.V, g.W, g.b, g.c), dx, dh0)),
    ),
    Bug(
        "dx and dh0 swapped",
        "dx and dh0 have changed places.",
        _returned(lambda grads, dx, dh0: (grads, dh0, dx)),
    ),
    Bug(
        "seven values",
        "The five gradients of the weights belong together in one RNNParams.",
        _returned(lambda grads, dx, dh0: (*grads, dx, dh0)),
    ),
    Bug(
        "gradients only",
        "dx and dh0 did not come back. What if x, or h0, was itself made by a network?",
        _returned(lambda grads, dx, dh0: grads),
    ),
    Bug(
        "dh0 missing",
        "dh0 did not come back.",
        _returned(lambda grads, dx, dh0: (grads, dx)),
    ),
    Bug(
        "a dictionary",
        "The gradients came back in a dictionary. RNNParams holds them in order.",
        _returned(lambda grads, dx, dh0: (grads._asdict(), dx, dh0)),
    ),
    Bug(
        "a list of steps",
        "dx is a list with one array per step. `np.stack` or `np.array` makes an array of it.",
        _returned(lambda grads, dx, dh0: (grads, list(dx), dh0)),
    ),
    Bug(
        "sequences first",
        "dx has its first two axes swapped. Time comes first.",
        _returned(lambda grads, dx, dh0: (grads, dx.swapaxes(0, 1), dh0)),
    ),
    Bug(
        "drops an axis of length 1",
        "With a single step, sequence or unit an axis is missing: what removes it?",
        _each(np.squeeze),
    ),
    Bug(
        "works in float32",
        SEVEN_DIGITS,
        _each(lambda a: a.astype(np.float32)),
    ),
    Bug(
        "rounds",
        "The results are rounded. Round for printing only.",
        _each(lambda a: a.round(4)),
    ),
)

# Right values at the first call, and yet a caller will be sorry. In the hunt they are a bonus.
HARMFUL = (
    Bug(
        "writes into do",
        "do is not the same afterwards: `+=` or `*=` on it, or on a view of it, writes into the "
        "caller's array. Work on an array of your own.",
        _writes_into_do,
    ),
    Bug(
        "writes into h",
        "The states are not the same afterwards: an operation wrote into h, or into a view of it.",
        _writes_into_h,
    ),
    Bug(
        "writes into h0",
        "The error was written into h0, which belongs to the caller.",
        _writes_into_h0,
    ),
    Bug(
        "updates the weights",
        "The weights are not the same afterwards. The update comes later, and elsewhere.",
        _writes_into_weights,
    ),
    Bug(
        "adds up over calls",
        "The gradients of earlier calls are still in there. Where do your sums begin, and when?",
        _AddsUp(),
    ),
    Bug(
        "keeps the error between calls",
        "The error left over at the end of one call comes in at the start of the next.",
        _KeepsTheError(),
    ),
    Bug(
        "overwrites its own result",
        "Your function keeps arrays and writes every result into them, so that an earlier result "
        "changes with a later call. Make new arrays in each call.",
        _KeepsBuffers(),
    ),
)


def named(name):
    """The wrong `bptt` of that name."""
    return next(bug.wrong for bug in BUGS if bug.name == name)
