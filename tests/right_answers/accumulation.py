import functools
import math

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, nll_loss
from torch.nn.utils import clip_grad_norm_

from utils.accumulation import Batch
from utils.bptt import loss_and_gradients
from utils.cell import RNNParams


def weighted(params, micro_batches):
    real = [batch.mask.sum() for batch in micro_batches]
    loss, grads = 0, RNNParams(*(0 for _ in params))
    for batch, n in zip(micro_batches, real, strict=True):
        own, own_grads, *_ = loss_and_gradients(params, *batch)
        loss += own * n / sum(real)
        grads = RNNParams(*(g + d * n / sum(real) for g, d in zip(grads, own_grads, strict=True)))
    return loss, grads


def divided_at_the_end(params, micro_batches):
    loss, steps, grads = 0.0, 0, {name: np.zeros_like(p) for name, p in params._asdict().items()}
    for batch in micro_batches:
        n = int(batch.mask.sum())
        own, own_grads, *_ = loss_and_gradients(params, *batch)
        loss, steps = loss + n * own, steps + n
        for name in grads:
            grads[name] += n * getattr(own_grads, name)
    return loss / steps, RNNParams(**{name: g / steps for name, g in grads.items()})


def running_mean(params, micro_batches):
    """Right at every moment for the micro-batches so far."""
    loss, steps, grads = np.array(0.0), 0, [np.zeros_like(p) for p in params]
    for x, targets, mask, h0 in micro_batches:
        n = np.count_nonzero(mask)
        steps += n
        own, own_grads, *_ = loss_and_gradients(params, x, targets, mask, h0)
        loss += (own - loss) * (n / steps)
        for g, d in zip(grads, own_grads, strict=True):
            g += (d - g) * (n / steps)
    return loss, grads


def joined(micro_batches):
    """One batch of all sequences, padded to one T."""
    T = max(len(batch.x) for batch in micro_batches)

    def padded(array):
        rest = np.zeros((T - len(array), *array.shape[1:]), array.dtype)
        return np.concatenate([array, rest])

    x, targets, mask = (
        np.concatenate([padded(batch[k]) for batch in micro_batches], axis=1) for k in range(3)
    )
    return Batch(x, targets, mask, np.concatenate([batch.h0 for batch in micro_batches]))


def full_batch(params, micro_batches):
    loss, grads, *_ = loss_and_gradients(params, *joined(micro_batches))
    return loss, tuple(grads)


def by_hand(params, micro_batches):
    """BPTT written out, sequence by sequence, without padding."""
    U, V, b, W, c = params
    total, steps = 0.0, 0
    dU, dV, db, dW, dc = (np.zeros(p.shape) for p in params)
    for batch in micro_batches:
        for s in range(batch.mask.shape[1]):
            T = int(batch.mask[:, s].sum())
            h = [batch.h0[s]]
            for t in range(T):
                h.append(np.tanh(batch.x[t, s] @ U + h[-1] @ V + b))
            dh_next = np.zeros(len(b))
            for t in reversed(range(T)):
                o, target = h[t + 1] @ W + c, batch.targets[t, s]
                p = np.exp(o - o.max())
                total -= (o - o.max())[target] - np.log(p.sum())
                p /= p.sum()
                p[target] -= 1
                dW += np.outer(h[t + 1], p)
                dc += p
                da = (W @ p + dh_next) * (1 - h[t + 1] ** 2)
                dU += np.outer(batch.x[t, s], da)
                dV += np.outer(h[t], da)
                db += da
                dh_next = V @ da
            steps += T
    return total / steps, RNNParams(dU / steps, dV / steps, db / steps, dW / steps, dc / steps)


def on_one_thread(fn):
    """On a busy machine PyTorch's threads wait for each other much longer than they work."""

    @functools.wraps(fn)
    def run(*args):
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return fn(*args)
        finally:
            torch.set_num_threads(threads)

    return run


@on_one_thread
def by_autograd(params, micro_batches):
    U, V, b, W, c = leaves = [torch.tensor(p, requires_grad=True) for p in params]
    loss = 0
    for x, targets, mask, h0 in (map(torch.tensor, batch) for batch in micro_batches):
        h_t, nll = h0, 0
        for x_t, target, real in zip(x, targets, mask, strict=True):
            h_t = torch.tanh(x_t @ U + h_t @ V + b)
            nll += (cross_entropy(h_t @ W + c, target, reduction="none") * real).sum()
        part = nll / sum(batch.mask.sum() for batch in micro_batches)
        part.backward()
        loss += part.item()
    return loss, [leaf.grad.numpy() for leaf in leaves]


def ends_by_counting(n_micro, k):
    ends, seen = [], 0
    for i in range(n_micro):
        seen += 1
        if seen == k or i == n_micro - 1:
            ends.append(i)
            seen = 0
    return ends


def ends_flushed(n_micro, k):
    ends = list(range(k - 1, n_micro, k))
    if n_micro % k:
        ends.append(n_micro - 1)
    return ends


def ends_of_cumulated_sizes(n_micro, k):
    sizes = [k] * (n_micro // k) + [n_micro % k] * (n_micro % k > 0)
    return np.cumsum(sizes, dtype=int) - 1


def norm_of(grads):
    return math.sqrt(sum(float((g * g).sum()) for g in grads))


def epoch_step_by_step(params, micro_batches, k, lr, max_norm):
    waiting = []
    for i, batch in enumerate(micro_batches, start=1):
        waiting.append(batch)
        if i % k == 0 or i == len(micro_batches):
            _, grads = divided_at_the_end(params, waiting)
            norm = norm_of(grads)
            if max_norm is not None and norm > max_norm:
                grads = [g * (max_norm / norm) for g in grads]
            params = RNNParams(*(p - lr * g for p, g in zip(params, grads, strict=True)))
            waiting = []
    return params


def epoch_like_pytorch(params, micro_batches, k, lr, max_norm):
    params = [p.copy() for p in params]
    for start in range(0, len(micro_batches), k):
        _, grads = full_batch(RNNParams(*params), micro_batches[start : start + k])
        scale = 1 if max_norm is None else min(1, max_norm / (norm_of(grads) + 1e-6))
        for p, g in zip(params, grads, strict=True):
            p -= lr * scale * g
    return tuple(params)


def epoch_careful_with_zero(params, micro_batches, k, lr, max_norm):
    for first in range(0, len(micro_batches), k):
        _, grads = weighted(params, micro_batches[first : first + k])
        if max_norm is not None:
            grads = [g / max(1.0, (norm_of(grads) + 1e-8) / max_norm) for g in grads]
        params = RNNParams(*[p - lr * g for p, g in zip(params, grads, strict=True)])
    return params


def epoch_accumulating(params, micro_batches, k, lr, max_norm):
    """Sums and count grow with every micro-batch and are emptied at each update."""
    params = RNNParams(*map(np.array, params))
    total, steps = [np.zeros_like(p) for p in params], 0
    for i, batch in enumerate(micro_batches):
        n = batch.mask.sum()
        _, grads, *_ = loss_and_gradients(params, *batch)
        for t, g in zip(total, grads, strict=True):
            t += n * g
        steps += n
        if (i + 1) % k and i + 1 < len(micro_batches):
            continue
        flat = np.concatenate([t.ravel() for t in total]) / steps
        norm = np.linalg.norm(flat)
        if max_norm is not None and norm > max_norm:
            flat *= max_norm / norm
        for p, t in zip(params, total, strict=True):
            p -= lr * flat[: p.size].reshape(p.shape)
            flat = flat[p.size :]
            t[...] = 0
        steps = 0
    return params


def epoch_recursive(params, micro_batches, k, lr, max_norm):
    if not micro_batches:
        return list(params)
    _, grads = by_hand(params, micro_batches[:k])
    scale = 1.0
    if max_norm is not None:
        scale = np.minimum(1.0, max_norm / np.sqrt(sum(np.vdot(g, g) for g in grads)))
    new = RNNParams(*(p - lr * (scale * g) for p, g in zip(params, grads, strict=True)))
    return epoch_recursive(new, micro_batches[k:], k, lr, max_norm)


def epoch_by_autograd(params, micro_batches, k, lr, max_norm):
    for start in range(0, len(micro_batches), k):
        _, grads = by_autograd(params, micro_batches[start : start + k])
        leaves = [torch.nn.Parameter(torch.tensor(p)) for p in params]
        for leaf, g in zip(leaves, grads, strict=True):
            leaf.grad = torch.from_numpy(g)
        if max_norm:
            clip_grad_norm_(leaves, max_norm)
        params = RNNParams(*((leaf - lr * leaf.grad).detach().numpy() for leaf in leaves))
    return params


def torch_scaled(model, micro_batches, optimizer, k, max_norm):
    optimizer.zero_grad()
    for i, (x, targets, mask, h0) in enumerate(micro_batches):
        start = i - i % k
        n = sum(batch.mask.sum() for batch in micro_batches[start : start + k])
        nll = cross_entropy(model(x, h0).movedim(-1, 1), targets, reduction="none")
        ((nll * mask).sum() / n).backward()
        if (i + 1) % k == 0 or i + 1 == len(micro_batches):
            if max_norm is not None:
                clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            optimizer.zero_grad()


def torch_divided(model, micro_batches, optimizer, k, max_norm):
    """Sums first; the gradients are divided before clipping. They end as zeros, not as None."""
    model.zero_grad(set_to_none=False)
    model.train()
    n, waiting = 0, 0
    for x, targets, mask, h0 in micro_batches:
        o = model(x, h0)
        logp = torch.log_softmax(o, dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        (-logp[mask].sum()).backward()
        n, waiting = n + mask.sum().item(), waiting + 1
        if waiting == k or x is micro_batches[-1].x:
            for parameter in model.parameters():
                parameter.grad.div_(n)
            clip = float("inf") if max_norm is None else max_norm
            clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
            n, waiting = 0, 0
    return model


def torch_one_backward(model, micro_batches, optimizer, k, max_norm):
    losses = []
    for start in range(0, len(micro_batches), k):
        window = micro_batches[start : start + k]
        total, n = torch.tensor(0.0), 0
        for batch in window:
            total = total + cross_entropy(
                model(batch.x, batch.h0)[batch.mask], batch.targets[batch.mask], reduction="sum"
            )
            n += int(batch.mask.sum())
        optimizer.zero_grad()
        (total / n).backward()
        if max_norm is not None:
            clip_grad_norm_(model.parameters(), max_norm=max_norm)
        optimizer.step()
        losses.append(total.item() / n)
    optimizer.zero_grad()
    return losses


def torch_mean_times_share(model, micro_batches, optimizer, k, max_norm):
    criterion = nn.CrossEntropyLoss(ignore_index=-1)
    for parameter in model.parameters():
        parameter.grad = None
    for start in range(0, len(micro_batches), k):
        window = micro_batches[start : start + k]
        real = [batch.mask.sum() for batch in window]
        for (x, targets, mask, h0), n in zip(window, real, strict=True):
            o = model.forward(x, h0=h0)
            mean = criterion(o.reshape(-1, o.shape[-1]), targets.where(mask, -1).reshape(-1))
            (mean * (n / sum(real))).backward()
        if max_norm is not None:
            clip_grad_norm_(list(model.parameters()), max_norm)
        optimizer.step()
        for parameter in model.parameters():
            parameter.grad = None


def torch_own_clipping(model, micro_batches, optimizer, k, max_norm):
    """Gradients by autograd.grad; clipped without PyTorch's small number."""
    parameters = [*model.parameters()]
    for start in range(0, len(micro_batches), k):
        window = micro_batches[start : start + k]
        total = [torch.zeros_like(p) for p in parameters]
        for x, targets, mask, h0 in window:
            nll = cross_entropy(model(x, h0)[mask], targets[mask], reduction="sum")
            for t, g in zip(total, torch.autograd.grad(nll, parameters), strict=True):
                t += g / sum(int(batch.mask.sum()) for batch in window)
        norm = torch.sqrt(sum((t**2).sum() for t in total))
        if max_norm is not None and norm > max_norm:
            total = [t * (max_norm / norm) for t in total]
        for p, t in zip(parameters, total, strict=True):
            p.grad = t
        optimizer.step()
    model.zero_grad()


def torch_closure(model, micro_batches, optimizer, k, max_norm):
    def window_loss(window):
        optimizer.zero_grad()
        n = torch.stack([batch.mask.sum() for batch in window]).sum()
        total = 0.0
        for x, targets, mask, h0 in window:
            logp = model(x, h0).log_softmax(-1)
            loss = nll_loss(logp[mask], targets[mask], reduction="sum") / n
            loss.backward()
            total += loss.detach()
        if max_norm is not None:
            clip_grad_norm_(model.parameters(), max_norm)
        return total

    waiting = [*micro_batches]
    while waiting:
        window, waiting = waiting[:k], waiting[k:]
        optimizer.step(lambda window=window: window_loss(window))
    optimizer.zero_grad()


def torch_clips_all_groups(model, micro_batches, optimizer, k, max_norm):
    """What the optimizer holds, in however many groups; the shares are int tensors' quotients."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.zero_grad()
    for start in range(0, len(micro_batches), k):
        window = micro_batches[start : start + k]
        N = sum(batch.mask.sum() for batch in window)
        for x, targets, mask, h0 in window:
            share = mask.sum() / N
            (share * cross_entropy(model(x, h0)[mask], targets[mask])).backward()
        if max_norm is not None:
            clip_grad_norm_(parameters, max_norm)
        optimizer.step()
        optimizer.zero_grad()


def torch_full_batch(model, micro_batches, optimizer, k, max_norm):
    """Every window as one padded batch: no accumulation at all, the same result."""
    optimizer.zero_grad()
    for start in range(0, len(micro_batches), k):
        arrays = [Batch(*(t.numpy() for t in b)) for b in micro_batches[start : start + k]]
        x, targets, mask, h0 = map(torch.from_numpy, joined(arrays))
        loss = cross_entropy(model(x, h0)[mask], targets[mask])
        loss.backward()
        if max_norm is not None:
            clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()


RIGHT = {
    "accumulate_gradients": (
        weighted,
        divided_at_the_end,
        running_mean,
        full_batch,
        by_hand,
        by_autograd,
        lambda params, micro_batches: weighted(params, micro_batches[::-1]),
    ),
    "update_after": (
        ends_by_counting,
        ends_flushed,
        ends_of_cumulated_sizes,
        lambda n_micro, k: [i for i in range(n_micro) if (i + 1) % k == 0 or i + 1 == n_micro],
        lambda n, k: tuple(min(k * j, n) - 1 for j in range(1, math.ceil(n / k) + 1)),
        lambda n, k: sorted({min(i // k * k + k, n) - 1 for i in range(n)}),
        lambda n, k: np.flatnonzero((np.arange(1, n + 1) % k == 0) | (np.arange(1, n + 1) == n)),
        lambda n, k: [np.int64(min(i, n) - 1) for i in range(k, n + k, k)],
    ),
    "train_epoch": (
        epoch_step_by_step,
        epoch_like_pytorch,
        epoch_careful_with_zero,
        epoch_accumulating,
        epoch_recursive,
        epoch_by_autograd,
    ),
    "train_epoch_torch": (
        torch_scaled,
        torch_divided,
        torch_one_backward,
        torch_mean_times_share,
        torch_own_clipping,
        torch_closure,
        torch_clips_all_groups,
        torch_full_batch,
    ),
    "activation_bytes": (
        lambda T, B, H, k, itemsize=8: (T + 1) * math.ceil(B / k) * H * itemsize,
        lambda T, B, H, k, itemsize=8: np.int64((T + 1) * ((B + k - 1) // k) * H * itemsize),
        lambda T, B, H, k, itemsize=8: (
            T * (rows := -(-B // k)) * H * itemsize + rows * H * itemsize
        ),
        lambda T, B, H, k, itemsize=8: (
            itemsize * np.empty((T + 1, len(np.array_split(range(B), k)[0]), H)).size
        ),
        lambda T, B, H, k, itemsize=8: (
            (T + 1) * H * itemsize * max(len(range(i, B, k)) for i in range(k))
        ),
        lambda T, B, H, k, itemsize=8: np.array((T + 1) * (B // k + (B % k > 0)) * H * itemsize),
    ),
}
