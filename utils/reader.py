"""The network that reads a colour name and paints its guess after every letter.

Its readout has K = 3 outputs; a sigmoid makes them red, green and blue between 0 and 1. The loss
is the cross-entropy between painted and true colour at every letter, whose gradient by the logits
is as simple as that of the softmax: painted - true.
"""

import numpy as np

from ._validate import checked, positive, whole
from .bptt import bptt
from .cell import RNN_SHAPES, init_params, readout
from .data import encode
from .gates import sigmoid
from .loss import step_weights
from .optim import adam, adam_start, clip_gradients
from .unroll import pad_sequences, unroll


@checked(params=RNN_SHAPES, ids="TB<D")
def paint(params, ids):
    """The colours (T,B,3) guessed after each letter of ids (T,B), and the memories h (T,B,H)."""
    h = unroll(ids, np.zeros((ids.shape[1], len(params.b))), *params[:3])
    return sigmoid(readout(h, params.W, params.c)), h


@checked(painted="TBK", rgb="BK", mask="TB?")
def colour_gradient(painted, rgb, mask):
    """do (T,B,3): painted colours (T,B,3) less the true ones (B,3), averaged over real steps.

    0 at the other steps, whatever they hold. Raises ValueError if no step is real.
    """
    weight = step_weights(mask, painted.dtype)
    return weight[..., None] * np.where(mask[..., None], painted - rgb, 0)


def train_reader(colours, letters, H, epochs, rng, lr=0.01, B=16, progress=iter):
    """RNNParams of a reader trained on `Colours`; `progress` wraps the epochs (tqdm, say).

    Raises TypeError or ValueError if H, epochs, lr or B is no number or below 1 (epochs, lr: 0).
    """
    epochs, B, lr = whole("epochs", epochs, 0), whole("B", B, 1), positive("lr", lr, zero_too=True)
    texts = [encode(name, letters) for name in colours.names]
    params = init_params(len(letters), H, 3, rng)
    state = adam_start(params)
    for epoch in progress(range(epochs)):
        for rows in np.array_split(rng.permutation(len(texts)), -(-len(texts) // B)):
            ids, mask = pad_sequences([texts[row] for row in rows])
            painted, h = paint(params, ids)
            do = colour_gradient(painted, colours.rgb[rows], mask)
            grads, _, _ = bptt(do, ids, np.zeros(h.shape[1:]), h, params)
            grads, _ = clip_gradients(grads, 1.0)
            params, state = adam(params, grads, state, lr * (1 - epoch / epochs))
    return params


def colour_error(params, colours, letters):
    """Mean distance, from 0 to 1, of the colour painted after the last letter to the true one."""
    ids, mask = pad_sequences([encode(name, letters) for name in colours.names])
    painted, _ = paint(params, ids)
    last = painted[mask.sum(0) - 1, np.arange(len(colours.rgb))]
    return float(np.abs(last - colours.rgb).mean())
