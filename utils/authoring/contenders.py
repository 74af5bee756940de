"""What `make bench` lets run against each other: the same training step, computed in many ways.

A contender is made from weights and a `Batch`, and is then a function without arguments: one step
(forward, loss, gradients of all weights), which gives the loss.
"""

from functools import partial

import numpy as np

from utils.accumulation import Batch
from utils.bptt import loss_and_gradients
from utils.cell import RNNParams, init_params
from utils.gates import LSTMParams, init_gru, init_lstm, sequence_gradients

SIZES = {  # B, T, D, H, K
    "toy": (1, 25, 64, 100, 64),
    "class": (32, 50, 64, 128, 64),
    "heavy": (64, 200, 128, 256, 128),
}
NETWORKS = {"plain": init_params, "LSTM": init_lstm, "GRU": init_gru}


def make_problem(B, T, D, H, K, dtype, ids=False, network="plain"):
    """Weights and a batch of random sequences without padding, from an empty memory."""
    rng = np.random.default_rng(0)
    params = NETWORKS[network](D, H, K, rng)
    params = type(params)(*(p.astype(dtype) for p in params))
    x = rng.integers(0, D, (T, B)) if ids else rng.standard_normal((T, B, D)).astype(dtype)
    targets, mask = rng.integers(0, K, (T, B)), np.ones((T, B), dtype=bool)
    return params, Batch(x, targets, mask, np.zeros((B, H), dtype))


def as_floats(x, D, dtype):
    return np.eye(D, dtype=dtype)[x] if x.ndim == 2 else x


def make_utils(params, batch):
    if isinstance(params, RNNParams):
        return partial(loss_and_gradients, params, *batch)
    return partial(sequence_gradients, params, *batch[:3])


def textbook(params, batch):
    """A step of the plain network as textbooks write it: one loop forward, one back, a product for
    each sum."""
    U, V, b, W, c = params
    x, targets, _, h_t = batch
    x, (T, B), rows = as_floats(x, len(U), b.dtype), targets.shape, np.arange(targets.shape[1])
    h, p, loss = [h_t], [], 0.0
    for t in range(T):
        h.append(np.tanh(x[t] @ U + h[-1] @ V + b))
        o = h[-1] @ W + c
        e = np.exp(o - o.max(axis=1, keepdims=True))
        p.append(e / e.sum(axis=1, keepdims=True))
        loss -= np.log(p[t][rows, targets[t]]).sum()
    dU, dV, db, dW, dc = (np.zeros_like(w) for w in params)
    dh_next = np.zeros_like(h_t)
    for t in reversed(range(T)):
        do = p[t].copy()
        do[rows, targets[t]] -= 1
        do /= T * B
        dW += h[t + 1].T @ do
        dc += do.sum(axis=0)
        da = (do @ W.T + dh_next) * (1 - h[t + 1] ** 2)
        dU += x[t].T @ da
        dV += h[t].T @ da
        db += da.sum(axis=0)
        dh_next = da @ V.T
    return loss / (T * B), RNNParams(dU, dV, db, dW, dc)


def make_torch(params, batch, compiled=False):
    """`torch.nn.RNN`, `LSTM` or `GRU`, `Linear`, `cross_entropy` and autograd."""
    import torch

    from utils.torch_bridge import to_tensors, to_torch

    model, D = to_torch(params), len(params.U)
    forward = torch.compile(model) if compiled else model
    x, targets, _, h0 = to_tensors(batch._replace(x=as_floats(batch.x, D, params.V.dtype)))
    first = (h0, h0) if isinstance(params, LSTMParams) else h0

    def step():
        model.zero_grad()
        logits = forward(x, first)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        return loss.item()

    return step


def make_jax(params, batch):
    """`jax.jit` of a loss with `lax.scan`, and of its gradient."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", params.V.dtype == np.float64)
    kind = type(params)

    def next_state(V, b_rec, state, a_t):
        if kind is RNNParams:
            h = jnp.tanh(a_t + state @ V)
            return h, h
        if kind is LSTMParams:
            h, c = state
            i, f, g, o = jnp.split(a_t + h @ V, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h
        a_rz, a_n = jnp.split(a_t, [2 * len(V)], axis=-1)
        s_rz, s_n = jnp.split(state @ V + b_rec, [2 * len(V)], axis=-1)
        r, z = jnp.split(jax.nn.sigmoid(a_rz + s_rz), 2, axis=-1)
        n = jnp.tanh(a_n + r * s_n)
        h = (1 - z) * n + z * state
        return h, h

    def loss(params, x, targets, h0):
        U, V, b, *b_rec, W, c = params
        first = (h0, h0) if kind is LSTMParams else h0
        _, h = jax.lax.scan(partial(next_state, V, b_rec[0] if b_rec else None), first, x @ U + b)
        log_p = jax.nn.log_softmax(h @ W + c)
        return -jnp.take_along_axis(log_p, targets[..., None], -1).mean()

    x, targets, _, h0 = batch
    x = as_floats(x, len(params.U), params.V.dtype)
    arguments = jax.device_put((params, x, targets, h0))
    gradients = jax.jit(jax.value_and_grad(loss))
    return lambda: jax.block_until_ready(gradients(*arguments))[0].item()


def make_bound(params, batch):
    """Only what no implementation can leave out: the matrix products, into arrays that exist, and
    one pass of tanh; of gates one of exp, and of tanh for what is no gate. Nothing is allocated,
    added up, or turned into a loss."""
    (T, B), D, K, dtype = batch.targets.shape, len(params.U), len(params.c), params.V.dtype
    H, G = len(params.V), params.V.shape[1] // len(params.V)
    N, V_back, W_back = T * B, params.V.T, params.W.T
    x = as_floats(batch.x, D, dtype).reshape(N, D)
    rng = np.random.default_rng(1)
    a, h, do = (rng.standard_normal((N, n)).astype(dtype) for n in (G * H, H, K))
    da, squeezed, o, dh = a.copy(), a.copy(), np.empty_like(do), np.empty_like(h)
    sums, carried = np.empty((B, G * H), dtype), np.empty((B, H), dtype)
    dU, dV, dW = (np.empty_like(w) for w in (params.U, params.V, params.W))
    h_steps, da_steps, gates = h.reshape(T, B, H), da.reshape(T, B, -1), (G - 1) * N * H
    cell = np.empty_like(h)

    def step():
        if batch.x.ndim == 3:  # for ids, rows of U are looked up
            np.dot(x, params.U, a)
        for h_t in h_steps:
            h_t.dot(params.V, sums)
        np.exp(a.ravel()[:gates], squeezed.ravel()[:gates])
        np.tanh(a.ravel()[gates:], squeezed.ravel()[gates:])
        if isinstance(params, LSTMParams):
            np.tanh(h, cell)
        np.dot(h, params.W, o)
        np.dot(do, W_back, dh)
        for da_t in da_steps:
            da_t.dot(V_back, carried)
        np.dot(x.T, da, dU)
        np.dot(h.T, da, dV)
        np.dot(h.T, do, dW)

    return step


# Not needed by the workbook: they run where they are installed.
RIVALS = {"JAX": make_jax, "torch.compile": partial(make_torch, compiled=True)}
