"""Answers that are wrong on some allowed inputs only: name of the exercise -> functions.

Each once passed, for the cases lacked such an input. They are too odd to have a hint of their own.
"""

import numpy as np

from utils.bptt import bptt, cell_backward, gradient_flow, truncated_bptt
from utils.cell import RNNParams
from utils.gradcheck import numerical_gradient
from utils.optim import clip_gradients

# Clipped on the way, cut off after some steps -----------------------------------------------------


def errors_clipped(dh_t, x_t, h_prev, h_t, U, V):
    return cell_backward(dh_t.clip(-50, 50), x_t, h_prev, h_t, U, V)


def losses_clipped(do, x, h0, h, params):
    return bptt(do.clip(-50, 50), x, h0, h, params)


def h0_clipped(do, x, h0, h, params):
    return bptt(do, x, h0.clip(-1, 1), h, params)


def twenty_steps(do, x, h0, h, params):
    _, dx, dh0 = bptt(do, x, h0, h, params)
    return truncated_bptt(do, x, h0, h, params, 20), dx, dh0


def chunks_of_six_at_most(do, x, h0, h, params, chunk):
    return truncated_bptt(do, x, h0, h, params, min(chunk, 6))


def squeezed(*args):
    return RNNParams(*(np.atleast_1d(g.squeeze()) for g in truncated_bptt(*args)))


def flow_of_twenty_steps(h, V):
    norms = gradient_flow(h, V)
    norms[:-20] = 0
    return norms


def slope_never_zero(h, V):
    return gradient_flow(h.clip(-0.9999, 0.9999), V)


def signed_for_one_unit(h, V):
    norms = gradient_flow(h, V)
    return norms * np.sign(V[0, 0]) ** np.arange(len(h))[::-1] if len(V) == 1 else norms


# Differences --------------------------------------------------------------------------------------


def through_a_view_that_may_be_a_copy(loss, w, eps=1e-5):
    row, gradient = w.reshape(-1), np.zeros(w.size)
    for i, old in enumerate(row.copy()):
        row[i] = old + eps
        up = loss(w)
        row[i] = old - eps
        gradient[i] = (up - loss(w)) / (2 * eps)
        row[i] = old
    return gradient.reshape(w.shape)


def in_proportion(loss, w, eps=1e-5):
    gradient = np.zeros(w.shape)
    for i in np.ndindex(w.shape):
        step = np.zeros(w.shape)
        step[i] = eps * np.maximum(1, abs(w[i]))
        gradient[i] = (loss(w + step) - loss(w - step)) / (2 * step[i])
    return gradient


def gradient_clipped(loss, w, eps=1e-5):
    return numerical_gradient(loss, w, eps).clip(-100, 100)


class RemembersByW:
    def __init__(self):
        self.known = {}

    def __call__(self, loss, w, eps=1e-5):
        key = w.tobytes(), eps
        self.known.setdefault(key, numerical_gradient(loss, w, eps))
        return self.known[key].copy()


# Norms --------------------------------------------------------------------------------------------


def norm_rounded(grads, max_norm):
    clipped, norm = clip_gradients(grads, max_norm)
    return clipped, round(float(norm), 4)


def never_above_five(grads, max_norm):
    return clip_gradients(grads, min(max_norm, 5.0))


def whole_max_norm(grads, max_norm):
    return clip_gradients(grads, int(max_norm) or max_norm)


WRONG = {
    "cell_backward": (errors_clipped,),
    "bptt": (losses_clipped, h0_clipped, twenty_steps),
    "truncated_bptt": (chunks_of_six_at_most, squeezed),
    "numerical_gradient": (
        through_a_view_that_may_be_a_copy,
        in_proportion,
        gradient_clipped,
        RemembersByW(),
    ),
    "clip_gradients": (norm_rounded, never_above_five, whole_max_norm),
    "gradient_flow": (flow_of_twenty_steps, slope_never_zero, signed_for_one_unit),
}
