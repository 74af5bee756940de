"""The bridge to PyTorch and back."""

import numpy as np
import pytest
import torch

from tests.strategies import assert_close, one_hot, problem, tensor
from utils.accumulation import Batch
from utils.cell import init_params, readout
from utils.gates import init_gru, init_lstm
from utils.torch_bridge import TorchNetwork, from_torch, to_tensors, to_torch
from utils.unroll import unroll

KINDS = [(init_params, torch.nn.RNN), (init_lstm, torch.nn.LSTM), (init_gru, torch.nn.GRU)]


@pytest.mark.parametrize(("init", "layer"), KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_come_back_as_they_went(init, layer, dtype):
    params = init(4, 6, 3, np.random.default_rng(0))
    params = type(params)(*(p.astype(dtype) for p in params))
    model = to_torch(params)
    assert type(model.recurrent) is layer
    assert_close(from_torch(model), params, 0)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 1
    assert params.V.max() < 1, "the weights are copies"


@pytest.mark.parametrize("ids", [False, True])
def test_the_model_gives_our_logits(ids):
    p = problem(ids=ids)
    expected = readout(unroll(p.x, p.h0, *p.params[:3]), *p.params[3:])
    logits = to_torch(p.params)(tensor(p.x), tensor(p.h0))
    assert_close(logits.detach().numpy(), expected, 1e-13)


def test_two_trained_biases_come_back_as_their_sum():
    model = TorchNetwork(torch.nn.RNN(4, 6).double(), torch.nn.Linear(6, 2).double())
    p = problem()
    params = from_torch(model)
    expected = model(tensor(p.x), tensor(p.h0)).detach().numpy()
    assert_close(readout(unroll(p.x, p.h0, *params[:3]), *params[3:]), expected, 1e-13)


def test_only_one_bias_learns():
    model = to_torch(problem().params)
    assert [name for name, t in model.named_parameters() if not t.requires_grad] == [
        "recurrent.bias_hh_l0"
    ]


def test_a_batch_of_tensors():
    p = problem(ids=True)
    batch = to_tensors(Batch(*(np.array(a) for a in p.batch)))
    assert isinstance(batch, Batch)
    assert [t.dtype for t in batch] == [torch.int64, torch.int64, torch.bool, torch.float64]
    assert torch.equal(batch.x, tensor(one_hot(p.x, 4)).argmax(-1))


def test_other_networks_are_refused():
    with pytest.raises(
        TypeError, match="params: expected RNNParams, LSTMParams or GRUParams, got tuple"
    ):
        to_torch(tuple(problem().params))
    with pytest.raises(TypeError, match="recurrent: expected RNN, LSTM or GRU, got Linear"):
        from_torch(TorchNetwork(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="model: expected one layer and biases, 6 tensors, got 10"):
        from_torch(TorchNetwork(torch.nn.RNN(2, 2, num_layers=2), torch.nn.Linear(2, 2)))
    wrong = problem().params
    with pytest.raises(ValueError, match=r"params\.V: expected"):
        to_torch(wrong._replace(V=wrong.U))
