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


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_a_batch_with_ids_of_any_kind_of_integer(kind):
    p = problem(ids=True)
    x, targets, mask, h0 = p.batch
    batch = to_tensors((x.astype(kind), targets.astype(kind), mask, h0))
    assert batch.x.dtype == batch.targets.dtype == torch.int64
    assert batch.x.tolist() == x.tolist()
    assert not np.shares_memory(to_tensors(p.batch).x.numpy(), x), "the tensors are copies"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nonlinearity": "relu"}, "nonlinearity='tanh', got 'relu'"),
        ({"num_layers": 2}, "num_layers=1, got 2"),
        ({"bidirectional": True}, "bidirectional=False, got True"),
        ({"bias": False}, "bias=True, got False"),
        ({"batch_first": True}, "batch_first=False, got True"),
    ],
)
def test_what_our_params_cannot_say_is_refused(changes, message):
    kinds = (torch.nn.RNN,) if "nonlinearity" in changes else (torch.nn.RNN, torch.nn.LSTM)
    for layer in (*kinds, *(torch.nn.GRU,) * (len(kinds) - 1)):
        network = TorchNetwork(layer(2, 3, **changes), torch.nn.Linear(3, 4))
        with pytest.raises(ValueError, match=f"^model.recurrent: expected {message}$"):
            from_torch(network)


def test_a_readout_that_our_params_cannot_say_is_refused():
    for layer, readout_, error, message in [
        (torch.nn.LSTM(2, 3, proj_size=1), torch.nn.Linear(1, 4), ValueError, "proj_size=0, got 1"),
        (torch.nn.RNN(2, 3), torch.nn.Linear(3, 4, bias=False), ValueError, "got 3 and no bias"),
        (torch.nn.RNN(2, 3), torch.nn.Linear(5, 4), ValueError, "3 inputs .*, got 5 and a bias"),
        (torch.nn.RNN(2, 3), torch.nn.Identity(), TypeError, "readout: .* Linear, got Identity"),
        (torch.nn.RNN(2, 3).half(), torch.nn.Linear(3, 4), TypeError, "got torch.float16"),
    ]:
        with pytest.raises(error, match=message):
            from_torch(TorchNetwork(layer, readout_))


def test_the_model_names_its_bad_arguments():
    p = problem()
    model, x, h0 = to_torch(p.params), tensor(p.x), tensor(p.h0)
    for error, message, args in [
        (TypeError, "x: expected a tensor of numbers, got ndarray", (p.x, h0)),
        (TypeError, "h0: expected a tensor of numbers, got ndarray", (x, p.h0)),
        (TypeError, "h0: expected a tensor of numbers, got NoneType", (x, None)),
        (ValueError, r"h0: expected shape \(B=2, H\), got shape \(3, 6\); a carr", (x[:, :2], h0)),
    ]:
        with pytest.raises(error, match=message):
            model(*args)


def test_what_is_no_batch_of_arrays_is_refused():
    x, targets, mask, h0 = problem().batch
    for error, message, batch in [
        (TypeError, "mask: expected booleans", (x, targets, mask * 1, h0)),
        (TypeError, "x: .* masked array", (np.ma.masked_array(x), targets, mask, h0)),
        (TypeError, "targets: .* got NoneType", (x, None, mask, h0)),
        (ValueError, r"h0: .* np.zeros\(\(3, 6\)\)", (x, targets, mask, h0[:2])),
    ]:
        with pytest.raises(error, match=message):
            to_tensors(batch)


def test_other_networks_are_refused():
    with pytest.raises(
        TypeError, match="params: expected RNNParams, LSTMParams or GRUParams, got tuple"
    ):
        to_torch(tuple(problem().params))
    with pytest.raises(TypeError, match="recurrent: expected RNN, LSTM or GRU, got Linear"):
        from_torch(TorchNetwork(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)))
    with pytest.raises(TypeError, match="recurrent: expected RNN, LSTM or GRU, got NoneType"):
        from_torch(None)
    with pytest.raises(TypeError, match="params: expected float32 or float64, got complex128"):
        to_torch(type(problem().params)(*(w * 1j for w in problem().params)))
    wrong = problem().params
    with pytest.raises(ValueError, match=r"params\.V: expected"):
        to_torch(wrong._replace(V=wrong.U))
