"""Lesson 3: backpropagation through time (BPTT).

A state h_t is blamed twice: by the loss of its own step, and by the state after it.

    dh_t = do_t Wᵀ + da_{t+1} Vᵀ        da_t = dh_t * (1 - h_t²)

The weights are the same at all steps, so their gradients are sums over the steps, and a sum of
products is one matrix product: dU = Σ x_tᵀ da_t, dV = Σ h_{t-1}ᵀ da_t, db = Σ da_t,
dW = Σ h_tᵀ do_t, dc = Σ do_t. Werbos (1990); Goodfellow et al. (2016), equations (10.17)-(10.28).
"""

import numpy as np

from ._validate import arrays, whole
from .cell import RNNParams, affine, flat, weights
from .loss import step_weights, weighted_cross_entropy
from .unroll import pieces, run

BLOCK = 2**20  # bytes of states worked on at a time, few enough for the processor's cache


def cell_backward(dh_t, x_t, h_prev, h_t, U, V):
    """Back through one step: dx_t (B,D), dh_prev (B,H), dU (D,H), dV (H,H), db (H,).

    For ids x_t (B,) dx_t is None: a whole number has no derivative.
    """
    dh_t, x_t, h_prev, h_t, U, V = arrays(
        dh_t=(dh_t, "BH"),
        x_t=(x_t, "BD|B<D"),
        h_prev=(h_prev, "BH"),
        h_t=(h_t, "BH"),
        U=(U, "DH"),
        V=(V, "HH"),
    )
    da_t = dh_t * (1 - h_t**2)
    dx_t, dU = back_to_input(da_t, x_t, U), input_weights(x_t, da_t, len(U))
    return dx_t, da_t @ V.T, dU, h_prev.T @ da_t, da_t.sum(0)


def bptt(do, x, h0, h, params):
    """Gradients of a loss through all T steps: grads (RNNParams), dx (T,B,D), dh0 (B,H).

    do (T,B,K) is its gradient by the logits, h (T,B,H) the unrolled states of x and h0.
    For ids x (T,B) dx is None.
    """
    do, x, states, params = _checked(do, x, h0, h, params)
    da, dh0 = errors_through_time(times(do, params.W.T), states[1:], params.V)
    return sum_over_steps(do, da, x, states, params), back_to_input(da, x, params.U), dh0


def truncated_bptt(do, x, h0, h, params, chunk):
    """grads, with the error cut off at each border between chunks of `chunk` steps.

    States are carried over the borders, errors are not: Williams & Peng (1990). What a state owes
    to the losses beyond its chunk is missing, so the gradient is biased.
    """
    chunk = whole("chunk", chunk, 1)
    do, x, states, params = _checked(do, x, h0, h, params)
    da = times(do, params.W.T)
    for steps in pieces(len(x), chunk):
        errors_through_time(da[steps], states[1:][steps], params.V)
    return sum_over_steps(do, da, x, states, params)


def gradient_flow(h, V):
    """(T,): the spectral norm of ∂h_T/∂h_t for the states h (T,H) of one sequence; the last is 1.

    How much the last step feels of step t: the product of the Jacobians between, which vanishes or
    explodes. Bengio, Simard & Frasconi (1994); Pascanu, Mikolov & Bengio (2013), equation (5).
    """
    h, V = arrays(h=(h, "TH"), V=(V, "HH"))
    product, norms = np.eye(len(V), dtype=h.dtype), []
    for h_t in h[::-1]:
        norms.append(np.linalg.norm(product, 2))
        product = step_jacobian(h_t, V) @ product
    return np.array(norms[::-1], dtype=h.dtype)


def step_jacobian(h_t, V):
    """∂h_t/∂h_{t-1} (H,H) for one h_t (H,): row i, column j is how h_t[j] follows h_{t-1}[i]."""
    h_t, V = arrays(h_t=(h_t, "H"), V=(V, "HH"))
    return V * (1 - h_t**2)


def loss_and_gradients(params, x, targets, mask, h0):
    """What a training step needs: the loss, grads, dh0 (B,H), and the last state (B,H).

    The same as unroll, readout, cross-entropy and bptt in turn, but the logits and errors of only
    a block of steps exist at a time: nearly all the memory it takes is that of the states.
    """
    params, x, targets, weight, h0 = _checked_batch(params, x, targets, mask, h0)
    states = run(x, h0, *params[:3])
    blocks = pieces(len(x), _steps_in_a_block(h0, params))
    stored = ((steps, states[steps.start : steps.stop + 1]) for steps in blocks[::-1])
    return *_back_through(stored, params, x, targets, weight), states[-1].copy()


def checkpointed_gradients(params, x, targets, mask, h0):
    """The same as `loss_and_gradients`, with about 2 √T states stored in place of T.

    On the way forward only each √T-th state is kept; on the way back each stretch of √T steps is
    run again from there. Chen et al. (2016); for recurrent networks Gruslys et al. (2016).
    """
    params, x, targets, weight, h0 = _checked_batch(params, x, targets, mask, h0)
    stretches = pieces(len(x), round(len(x) ** 0.5))
    starts = [h0]
    for steps in stretches:
        starts.append(run(x[steps], starts[-1], *params[:3])[-1].copy())
    last = starts.pop()
    again = (
        (steps, run(x[steps], start, *params[:3]))
        for steps, start in zip(stretches[::-1], starts[::-1], strict=True)
    )
    return *_back_through(again, params, x, targets, weight), last


def errors_through_time(dh, h, V, carried=None):
    """da (T,B,H) and dh0 (B,H) from dh (T,B,H), what each step's own loss says; in place of dh.

    `carried` (B,H) is the error that arrives from the steps after these.
    """
    carried = np.zeros(h.shape[1:], h.dtype) if carried is None else carried
    V_back, slope = V.T, h * h
    np.subtract(1, slope, slope)  # tanh' = 1 - tanh²
    for dh_t, slope_t in zip(dh[::-1], slope[::-1], strict=True):
        dh_t += carried
        dh_t *= slope_t
        dh_t.dot(V_back, carried)
    return dh, carried


def sum_over_steps(do, da, x, states, params):
    """The gradients of the weights, each one product over all steps; states (T+1,B,H) with h0."""
    dU, dV = input_weights(x, da, len(params.U)), flat(states[:-1]).T @ flat(da)
    return RNNParams(dU, dV, total(da), flat(states[1:]).T @ flat(do), total(do))


def total(z):
    """The sum of z (T,B,N) over steps and sequences: as a product with ones it is faster."""
    z = flat(z)
    return np.ones(len(z), z.dtype) @ z


def input_weights(x, da, D):
    """dU (D,H) = xᵀ da. Ids are made one-hot for it: faster than adding row by row."""
    if x.dtype.kind in "iu":
        x = np.eye(D, dtype=da.dtype).take(x, axis=0)
    return flat(x).T @ flat(da)


def back_to_input(da, x, U):
    """dx = da Uᵀ, of the shape of x (...,D); None for ids."""
    return None if x.dtype.kind in "iu" else times(da, U.T)


def times(z, W):
    """z W for z (...,M) and W (M,N), as one matrix product."""
    return (flat(z) @ W).reshape(*z.shape[:-1], W.shape[1])


def _back_through(stretches, params, x, targets, weight):
    """Loss, grads and dh0 from stretches of steps with their states, the last stretch first.

    Each stretch hands the error that is left at its start to the one before.
    """
    loss, grads, carried = 0.0, None, None
    for steps, states in stretches:
        do = affine(states[1:], params.W, params.c)
        loss += weighted_cross_entropy(do, targets[steps], weight[steps])
        dh = times(do, params.W.T)
        da, carried = errors_through_time(dh, states[1:], params.V, carried)
        part = sum_over_steps(do, da, x[steps], states, params)
        grads = part if grads is None else RNNParams(*map(np.add, grads, part, grads))  # in place
    return loss, grads, carried


def _steps_in_a_block(h0, params):
    """How many steps' states, or logits if those are larger, fill a block."""
    return max(1, BLOCK // (len(h0) * max(params.W.shape) * h0.itemsize))


def _checked(do, x, h0, h, params):
    x, h0, *params, h, do = arrays(
        x=(x, "TBD|TB<D"), h0=(h0, "BH"), **weights(params), h=(h, "TBH"), do=(do, "TBK")
    )
    return do, x, np.concatenate([h0[None], h]), RNNParams(*params)


def _checked_batch(params, x, targets, mask, h0):
    x, h0, *params, targets, mask = arrays(
        x=(x, "TBD|TB<D"),
        h0=(h0, "BH"),
        **weights(params),
        targets=(targets, "TB<K"),
        mask=(mask, "TB?"),
    )
    return RNNParams(*params), x, targets, step_weights(mask, h0.dtype), h0
