"""The bridge to PyTorch: the same network there, so that two libraries can be compared (lesson 4).

`torch.nn.RNN`, `LSTM` and `GRU` store our U and V transposed, as weight_ih_l0 and weight_hh_l0. RNN
and LSTM have two biases that are only ever added up: b becomes the first, and the second stays zero
and is not trained, for else their sum would learn twice as fast as b does here.
"""

import numpy as np
import torch
from torch import nn

from ._validate import arrays, network, rows_of_state, tensor
from .accumulation import Batch
from .cell import RNN_SHAPES, RNNParams
from .gates import GRU_SHAPES, LSTM_SHAPES, GRUParams, LSTMParams

REPRESENTABLE = {  # what our equations say; a layer of other settings is another network
    "nonlinearity": "tanh",
    "num_layers": 1,
    "bidirectional": False,
    "bias": True,
    "proj_size": 0,
    "batch_first": False,
}
LAYERS = {RNNParams: nn.RNN, LSTMParams: nn.LSTM, GRUParams: nn.GRU}


class TorchNetwork(nn.Module):
    """A recurrent layer and a linear readout: model(x, h0) gives logits (T,B,K).

    x is (T,B,D), or ids (T,B); h0 is (B,H), for an LSTM a pair (h0, c0). All are tensors.
    """

    def __init__(self, recurrent, readout):
        super().__init__()
        self.recurrent, self.readout = recurrent, readout

    def forward(self, x, h0):
        tensor("x", x)
        for state in h0 if isinstance(h0, tuple) else (h0,):
            tensor("h0", state)
            rows_of_state("h0", tuple(state.shape), x.shape[1])
        if not x.is_floating_point():
            x = nn.functional.one_hot(x.long(), self.recurrent.input_size)
            x = x.to(self.readout.weight.dtype)
        first = tuple(s[None] for s in h0) if isinstance(h0, tuple) else h0[None]  # one layer
        return self.readout(self.recurrent(x, first)[0])


def to_torch(params):
    """A `TorchNetwork` with copies of the weights of RNNParams, LSTMParams or GRUParams.

    Raises TypeError for another kind of params or numbers, ValueError if shapes do not fit.
    """
    (params,) = network(params, (RNN_SHAPES, LSTM_SHAPES, GRU_SHAPES))
    U, V, *biases, W, c = params
    layer = LAYERS[type(params)]
    if np.iscomplexobj(U):
        raise TypeError(f"params: expected float32 or float64, got {U.dtype}")
    dtype = torch.float32 if U.dtype == np.float32 else torch.float64
    recurrent, readout = layer(*U.shape[:1], len(V), dtype=dtype), nn.Linear(*W.shape, dtype=dtype)
    if len(biases) == 1:
        biases.append(np.zeros_like(biases[0]))
        recurrent.bias_hh_l0.requires_grad_(False)
    with torch.no_grad():
        ours = U.T, V.T, *biases, W.T, c
        for weight, array in zip(_weights(recurrent, readout), ours, strict=True):
            weight.copy_(torch.tensor(array))
    return TorchNetwork(recurrent, readout)


def from_torch(model):
    """The weights of a `TorchNetwork` as RNNParams, LSTMParams or GRUParams: copies, as arrays.

    Raises TypeError for other layers or numbers, and ValueError for what these params cannot say:
    more layers, both directions, another nonlinearity than tanh, no biases, a projection.
    """
    recurrent, readout = getattr(model, "recurrent", None), getattr(model, "readout", None)
    found = [kind for kind, layer in LAYERS.items() if isinstance(recurrent, layer)]
    if not found:
        raise TypeError(
            f"model.recurrent: expected RNN, LSTM or GRU, got {type(recurrent).__name__}"
        )
    if not isinstance(readout, nn.Linear):
        raise TypeError(f"model.readout: expected Linear, got {type(readout).__name__}")
    for setting, meant in REPRESENTABLE.items():
        value = getattr(recurrent, setting, meant)
        if value != meant:
            raise ValueError(f"model.recurrent: expected {setting}={meant!r}, got {value!r}")
    if readout.bias is None or readout.in_features != recurrent.hidden_size:
        raise ValueError(
            f"model.readout: expected {recurrent.hidden_size} inputs and a bias, got "
            f"{readout.in_features} and {'no' if readout.bias is None else 'a'} bias"
        )
    weights = _weights(recurrent, readout)
    for weight in weights:
        if weight.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"model: expected float32 or float64, got {weight.dtype}")
    U, V, b_in, b_rec, W, c = (t.detach().cpu().numpy().T.copy() for t in weights)
    biases = [b_in, b_rec] if found[0] is GRUParams else [b_in + b_rec]
    return found[0](U, V, *biases, W, c)


def to_tensors(batch):
    """The `Batch` with tensors for arrays, copied; the ids int64.

    Raises TypeError or ValueError for what is no batch.
    """
    x, targets, mask, h0 = batch
    found = arrays(x=(x, "TBD|TB<"), h0=(h0, "BH"), targets=(targets, "TB<"), mask=(mask, "TB?"))
    x, h0, targets, mask = (torch.from_numpy(np.array(array)) for array in found)
    return Batch(x, targets, mask, h0)


def _weights(recurrent, readout):
    """In the order of our params."""
    names = "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"
    return [*(getattr(recurrent, name) for name in names), readout.weight, readout.bias]
