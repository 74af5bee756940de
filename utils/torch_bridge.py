"""The bridge to PyTorch: the same network there, so that two libraries can be compared (lesson 4).

`torch.nn.RNN`, `LSTM` and `GRU` store our U and V transposed, as weight_ih_l0 and weight_hh_l0. RNN
and LSTM have two biases that are only ever added up: b becomes the first, and the second stays zero
and is not trained, for else their sum would learn twice as fast as b does here.
"""

import numpy as np
import torch
from torch import nn

from ._validate import arrays
from .accumulation import Batch
from .cell import RNN_SHAPES, RNNParams
from .gates import GRU_SHAPES, LSTM_SHAPES, GRUParams, LSTMParams

LAYERS = [
    (nn.RNN, RNNParams, RNN_SHAPES),
    (nn.LSTM, LSTMParams, LSTM_SHAPES),
    (nn.GRU, GRUParams, GRU_SHAPES),
]


class TorchNetwork(nn.Module):
    """A recurrent layer and a linear readout: model(x, h0) gives logits (T,B,K).

    x is (T,B,D), or ids (T,B); h0 is (B,H), for an LSTM a pair (h0, c0).
    """

    def __init__(self, recurrent, readout):
        super().__init__()
        self.recurrent, self.readout = recurrent, readout

    def forward(self, x, h0):
        if not x.is_floating_point():
            x = nn.functional.one_hot(x, self.recurrent.input_size).to(self.readout.weight.dtype)
        first = tuple(s[None] for s in h0) if isinstance(h0, tuple) else h0[None]  # one layer
        return self.readout(self.recurrent(x, first)[0])


def to_torch(params):
    """A `TorchNetwork` with copies of the weights of RNNParams, LSTMParams or GRUParams."""
    found = [(layer, shapes) for layer, kind, shapes in LAYERS if isinstance(params, kind)]
    if not found:
        raise TypeError(
            f"params: expected RNNParams, LSTMParams or GRUParams, got {type(params).__name__}"
        )
    layer, shapes = found[0]
    specs = {
        f"params.{name}": spec for name, *spec in zip(params._fields, params, shapes, strict=True)
    }
    U, V, *biases, W, c = arrays(**specs)
    dtype = torch.float32 if U.dtype == np.float32 else torch.float64
    recurrent, readout = layer(*U.shape[:1], len(V), dtype=dtype), nn.Linear(*W.shape, dtype=dtype)
    if len(biases) == 1:
        biases.append(np.zeros_like(biases[0]))
        recurrent.bias_hh_l0.requires_grad_(False)
    with torch.no_grad():
        for tensor, array in zip(
            _tensors(recurrent, readout), [U.T, V.T, *biases, W.T, c], strict=True
        ):
            tensor.copy_(torch.tensor(array))
    return TorchNetwork(recurrent, readout)


def from_torch(model):
    """The weights of a `TorchNetwork` as RNNParams, LSTMParams or GRUParams: copies, as arrays."""
    recurrent, readout = model.recurrent, model.readout
    found = [kind for layer, kind, _ in LAYERS if isinstance(recurrent, layer)]
    if not found:
        raise TypeError(
            f"model.recurrent: expected RNN, LSTM or GRU, got {type(recurrent).__name__}"
        )
    U, V, b_in, b_rec, W, c = (t.detach().numpy().T.copy() for t in _tensors(recurrent, readout))
    biases = [b_in, b_rec] if found[0] is GRUParams else [b_in + b_rec]
    return found[0](U, V, *biases, W, c)


def to_tensors(batch):
    """The `Batch` with tensors for arrays, copied."""
    return Batch(*(torch.from_numpy(np.array(array)) for array in batch))


def _tensors(recurrent, readout):
    """In the order of our params; of one layer there are four, more are another network."""
    tensors = [*recurrent.parameters(), *readout.parameters()]
    if len(tensors) != 6:
        raise ValueError(f"model: expected one layer and biases, 6 tensors, got {len(tensors)}")
    return tensors
