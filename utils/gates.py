"""Lesson 6: gates, which let a network keep what it has learned to keep.

The LSTM is in `lstm.py`, the GRU in `gru.py`; here they meet, and the plain network with them.
"""

import numpy as np

from ._stacked import sigmoid
from ._validate import checked
from .bptt import loss_and_gradients
from .cell import RNN_SHAPES, RNNParams
from .gru import (
    GRU_SHAPES,
    GRUParams,
    gru_bptt,
    gru_cell_backward,
    gru_cell_forward,
    gru_gradients,
    gru_unroll,
    init_gru,
)
from .lstm import (
    LSTM_SHAPES,
    LSTMParams,
    init_lstm,
    lstm_bptt,
    lstm_cell_backward,
    lstm_cell_forward,
    lstm_gradients,
    lstm_unroll,
)

__all__ = [
    "GRU_SHAPES",
    "LSTM_SHAPES",
    "GRUParams",
    "LSTMParams",
    "gru_bptt",
    "gru_cell_backward",
    "gru_cell_forward",
    "gru_unroll",
    "init_gru",
    "init_lstm",
    "lstm_bptt",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_unroll",
    "sequence_gradients",
    "sigmoid",
]


def sequence_gradients(params, x, targets, mask):
    """Loss and grads of any of the three networks that starts with an empty memory.

    params: RNNParams, LSTMParams or GRUParams; x (T,B,D), or ids (T,B); targets, mask (T,B).
    Raises TypeError for params of another kind: they do not say what network is meant.
    """
    for kind, gradients in GRADIENTS.items():
        if isinstance(params, kind):
            return gradients(params, x, targets, mask)
    kinds = "RNNParams, LSTMParams or GRUParams"
    raise TypeError(f"params: expected {kinds}, got {type(params).__name__}")


@checked(params=RNN_SHAPES, x="TBD|TB<D", targets="TB<K", mask="TB?")
def _plain_gradients(params, x, targets, mask):
    zeros = np.zeros((x.shape[1], len(params.V)), params.V.dtype)
    return loss_and_gradients(params, x, targets, mask, zeros)[:2]


GRADIENTS = {RNNParams: _plain_gradients, LSTMParams: lstm_gradients, GRUParams: gru_gradients}
