"""Lesson 3: backpropagation through time (BPTT).

A state h_t is blamed twice: by the loss of its own step, and by the state after it.

    dh_t = do_t Wᵀ + da_{t+1} Vᵀ        da_t = dh_t * (1 - h_t²)

The weights are the same at all steps, so their gradients are sums over the steps, and a sum of
products is one matrix product.

    dU = Σ x_tᵀ da_t    dV = Σ h_{t-1}ᵀ da_t    db = Σ da_t    dW = Σ h_tᵀ do_t    dc = Σ do_t

Werbos (1990); Goodfellow et al. (2016), equations (10.17)-(10.28).
"""

import numpy as np

from ._validate import checked, finite, whole
from .cell import RNN_SHAPES, RNNParams, affine, flat
from .loss import step_weights, weighted_cross_entropy
from .unroll import pieces, run

ROWS = 3200  # steps times sequences in a block: matrix products of fewer rows are slower
NO_SEQUENCE = slice(0)


@checked(x_t="BD|B<D", h_prev="BH", U="DH", V="HH", h_t="BH", dh_t="BH")
def cell_backward(dh_t, x_t, h_prev, h_t, U, V):
    """Back through one step: dx_t (B,D), dh_prev (B,H), dU (D,H), dV (H,H), db (H,).

    For ids x_t (B,) dx_t is None: a whole number has no derivative.
    """
    da_t = dh_t * (1 - h_t**2)
    dx_t, dU = back_to_input(da_t, x_t, U), input_weights(x_t, da_t, len(U))
    return dx_t, da_t @ V.T, dU, h_prev.T @ da_t, da_t.sum(0)


@checked(x="TBD|TB<D", h0="BH", params=RNN_SHAPES, h="TBH", do="TBK")
def bptt(do, x, h0, h, params):
    """Gradients of a loss through all T steps: grads (RNNParams), dx (T,B,D), dh0 (B,H).

    do (T,B,K) is its gradient by the logits, h (T,B,H) the unrolled states of x and h0.
    For ids x (T,B) dx is None.
    """
    da, dh0 = errors_through_time(times(do, params.W.T), h, params.V)
    grads = sum_over_steps(do, da, x, one_step_back(h, h0), h, len(params.U))
    return grads, back_to_input(da, x, params.U), dh0


@checked(x="TBD|TB<D", h0="BH", params=RNN_SHAPES, h="TBH", do="TBK")
def truncated_bptt(do, x, h0, h, params, chunk):
    """grads, with the error cut off at each border between chunks of `chunk` steps.

    States are carried over the borders, errors are not: Williams & Peng (1990). What a state owes
    to the losses beyond its chunk is missing, so the gradient is biased. ValueError if chunk < 1.
    """
    chunk = whole("chunk", chunk, 1)
    da = times(do, params.W.T)
    for steps in pieces(len(x), chunk):
        errors_through_time(da[steps], h[steps], params.V)
    return sum_over_steps(do, da, x, one_step_back(h, h0), h, len(params.U))


@checked(h="TH", V="HH")
def gradient_flow(h, V):
    """(T,): the spectral norm of ∂h_T/∂h_t for the states h (T,H) of one sequence; the last is 1.

    How much the last step feels of step t: the product of the Jacobians between, which vanishes or
    explodes: inf and 0 where the dtype ends, for any T. Raises ValueError if h or V is not finite.
    Bengio, Simard & Frasconi (1994); Pascanu, Mikolov & Bengio (2013), equation (5).
    """
    finite("h", h)
    finite("V", V)
    product, power, norms = np.eye(len(V), dtype=h.dtype), 0, []
    for h_t in h[::-1]:  # the product is kept over 2**power, lest it overflows
        norms.append((np.linalg.norm(product, 2), power))
        jacobian, more = _scaled(step_jacobian(h_t, V))
        product, again = _scaled(jacobian @ product)
        power += more + again
    with np.errstate(over="ignore", under="ignore"):
        return np.array([np.ldexp(*norm) for norm in norms[::-1]], dtype=h.dtype)


@checked(h_t="H", V="HH")
def step_jacobian(h_t, V):
    """The Jacobian (H,H) of one h_t (H,): row i, column j is how h_t[j] follows h_prev[i]."""
    return V * (1 - h_t**2)


@checked(x="TBD|TB<D", h0="BH", params=RNN_SHAPES, targets="TB<K", mask="TB?")
def loss_and_gradients(params, x, targets, mask, h0):
    """What a training step needs: the loss, grads, dh0 (B,H), and the last state (B,H).

    The same as unroll, readout, cross-entropy and bptt in turn, but the logits and errors of only
    a block of steps exist at a time: nearly all the memory it takes is that of the states.
    A float x may hold NaN or infinity after a sequence's last real step: no loss depends on that,
    only the last state, which is NaN then. Raises ValueError if no step is real.
    """
    weight = step_weights(mask, h0.dtype)
    x, spoilt = without_bad_padding(x, mask)
    states = run(x, h0, *params[:3])
    blocks = pieces(len(x), max(1, ROWS // len(h0)))
    stored = ((steps, states[steps.start : steps.stop + 1]) for steps in blocks[::-1])
    return _back_through(stored, params, x, targets, weight, spoilt)


@checked(x="TBD|TB<D", h0="BH", params=RNN_SHAPES, targets="TB<K", mask="TB?")
def checkpointed_gradients(params, x, targets, mask, h0):
    """The same as `loss_and_gradients`, with about 2 √T states stored in place of T.

    On the way forward only each √T-th state is kept; on the way back each stretch of √T steps is
    run again from there. Chen et al. (2016); for recurrent networks Gruslys et al. (2016).
    """
    weight = step_weights(mask, h0.dtype)
    x, spoilt = without_bad_padding(x, mask)
    stretches = pieces(len(x), round(len(x) ** 0.5))
    starts = [h0]
    for steps in stretches[:-1]:
        starts.append(run(x[steps], starts[-1], *params[:3])[-1].copy())
    again = (
        (steps, run(x[steps], start, *params[:3]))
        for steps, start in zip(stretches[::-1], starts[::-1], strict=True)
    )
    return _back_through(again, params, x, targets, weight, spoilt)


def errors_through_time(dh, h, V, carried=None):
    """da (T,B,H) and dh0 (B,H) from dh (T,B,H), what each step's own loss says; in place of dh.

    `carried` (B,H) is the error that arrives from the steps after these.
    """
    carried = np.zeros(h.shape[1:], h.dtype) if carried is None else carried
    add, multiply, V_back, slope = np.add, np.multiply, V.T, h * h
    np.subtract(1, slope, slope)  # tanh' = 1 - tanh²
    for dh_t, slope_t in zip(dh[::-1], slope[::-1], strict=True):
        add(dh_t, carried, dh_t)
        multiply(dh_t, slope_t, dh_t)
        dh_t.dot(V_back, carried)
    return dh, carried


def sum_over_steps(do, da, x, before, h, D):
    """The gradients of the weights, each one product over all steps; `before` is h a step back."""
    do, da, ones = flat(do), flat(da), np.ones(do.size // do.shape[-1], do.dtype)
    dU, dV, dW = input_weights(x, da, D), flat(before).T.dot(da), flat(h).T.dot(do)
    return RNNParams(dU, dV, ones.dot(da), dW, ones.dot(do))  # a product with ones: the fastest sum


def one_step_back(h, h0):
    """(T,B,H): at each step the state that it started from."""
    return np.concatenate([h0[None], h[:-1]])


def input_weights(x, da, D):
    """dU (D,H) = xᵀ da, for da of all steps in one axis.

    Ids are made one-hot for it: faster than adding row by row.
    """
    if x.dtype.kind in "iu":
        x = np.eye(D, dtype=da.dtype).take(x, axis=0, mode="clip")  # ids are checked already
    return flat(x).T.dot(da)


def back_to_input(da, x, U):
    """dx = da Uᵀ, of the shape of x (...,D); None for ids."""
    return None if x.dtype.kind in "iu" else times(da, U.T)


def times(z, W):
    """z W for z (...,M) and W (M,N), as one matrix product."""
    return flat(z).dot(W).reshape(*z.shape[:-1], W.shape[1])


def _scaled(M):
    """M over the power of 2 just above its largest entry, which is exact, and that power."""
    power = int(np.frexp(np.abs(M).max())[1])
    return np.ldexp(M, -power), power


def without_bad_padding(x, mask):
    """x, 0 where it is not finite after a sequence's last real step, and which sequences that is.

    On the way back NaN there would meet errors of 0, and 0 times NaN is NaN.
    """
    if x.dtype.kind in "iu" or np.count_nonzero(mask) == mask.size:
        return x, NO_SEQUENCE
    if np.isfinite(np.vdot(x, x)):  # the quickest look at all of them
        return x, NO_SEQUENCE
    bad = ~np.logical_or.accumulate(mask[::-1])[::-1]
    bad[bad] = ~np.isfinite(x[bad]).all(-1)
    return np.where(bad[..., None], 0, x), bad.any(0)


def _back_through(stretches, params, x, targets, weight, spoilt):
    """Loss, grads, dh0 and the last state from stretches of steps, each (steps, states).

    The last stretch comes first; each hands the error that is left at its start to the next.
    """
    loss, grads, carried, last = 0.0, None, None, None
    for steps, states in stretches:
        batch = x[steps], targets[steps], weight[steps]
        part_loss, part, carried = _back_through_one(states, params, *batch, carried)
        loss += part_loss
        if last is None:
            grads, last = part, states[-1].copy()  # a copy, lest it keeps all states alive
        else:
            grads = RNNParams(*map(np.add, grads, part, grads))  # in place
    last[spoilt] = np.nan
    return loss, grads, carried, last


def _back_through_one(states, params, x, targets, weight, carried):
    before, h = states[:-1], states[1:]
    do = affine(h, params.W, params.c)
    loss = weighted_cross_entropy(do, targets, weight)
    da, carried = errors_through_time(times(do, params.W.T), h, params.V, carried)
    return loss, sum_over_steps(do, da, x, before, h, len(params.U)), carried
