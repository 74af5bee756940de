import math
from itertools import zip_longest

import numpy as np

# 2.1 unroll


def unroll_hoisted(x, h0, U, V, b):
    a = x @ U + b
    h = np.empty_like(a)
    h_t = h0
    for t in range(len(x)):
        h_t = h[t] = np.tanh(a[t] + h_t @ V)
    return h


def unroll_einsum(x, h0, U, V, b):
    states = [h0]
    for x_t in x:
        a = np.einsum("bd,dh->bh", x_t, U) + np.einsum("bi,ij->bj", states[-1], V) + b
        states.append(np.tanh(a))
    return np.stack(states[1:])


def unroll_view(x, h0, U, V, b):
    h = np.zeros((len(x) + 1, *h0.shape))
    h[-1] = h0  # before step 0 comes index -1
    for t in range(len(x)):
        h[t] = np.tanh(x[t] @ U + h[t - 1] @ V + b)
    return h[:-1]


def unroll_sequence_by_sequence(x, h0, U, V, b):
    h = np.zeros((x.shape[0], *h0.shape))
    for n in range(x.shape[1]):
        state = h0[n]
        for t in range(x.shape[0]):
            state = np.tanh(x[t, n] @ U + state @ V + b)
            h[t, n] = state
    return h


def unroll_recursive(x, h0, U, V, b):
    h_t = np.tanh(x[0] @ U + h0 @ V + b)
    if len(x) == 1:
        return h_t[None]
    return np.concatenate([h_t[None], unroll_recursive(x[1:], h_t, U, V, b)])


def unroll_concatenated(x, h0, U, V, b):
    weights, h_t, states = np.vstack([U, V, b]), h0, []
    for x_t in x:
        h_t = np.tanh(np.hstack([x_t, h_t, np.ones((len(x_t), 1))]) @ weights)
        states.append(h_t[None])
    return np.concatenate(states)


def unroll_in_place(x, h0, U, V, b):
    h = np.matmul(x, U)
    h += b
    h[0] += h0 @ V
    np.tanh(h[0], out=h[0])
    for t in range(1, len(h)):
        h[t] += h[t - 1] @ V
        np.tanh(h[t], out=h[t])
    return h


def unroll_batch_first_inside(x, h0, U, V, b):
    h_t, states = h0.copy(), []
    for t in range(x.shape[0]):
        h_t = np.tanh(x.transpose(1, 0, 2)[:, t] @ U + h_t @ V + b)
        states.append(h_t)
    return np.stack(states, axis=1).swapaxes(0, 1)  # a view, not in C order


def unroll_through_lists(x, h0, U, V, b):
    states, h = [], h0.tolist()
    U, V, b = U.tolist(), V.tolist(), b.tolist()
    for x_t in x.tolist():
        h = [
            [
                math.tanh(
                    b[j]
                    + sum(row[d] * U[d][j] for d in range(len(U)))
                    + sum(old[i] * V[i][j] for i in range(len(V)))
                )
                for j in range(len(b))
            ]
            for row, old in zip(x_t, h, strict=True)
        ]
        states.append(h)
    return np.array(states)


def unroll_read_only(x, h0, U, V, b):
    for array in (x, h0, U, V, b):
        array.setflags(write=False)
    h = unroll_hoisted(x, h0, U, V, b)
    h.setflags(write=False)
    return h


def unroll_grown(x, h0, U, V, b):
    h = np.empty((0, *h0.shape))
    for x_t in x:
        last = h[-1] if len(h) else h0
        h = np.append(h, [np.tanh(x_t @ U + last @ V + b)], axis=0)
    return h


# 2.2 pad_sequences


def pad_filled(sequences, pad=0):
    lengths = [len(s) for s in sequences]
    ids = np.full((max(lengths), len(sequences)), pad)
    mask = np.zeros(ids.shape, dtype=bool)
    for n, s in enumerate(sequences):
        ids[: len(s), n] = s
        mask[: len(s), n] = True
    return ids, mask


def pad_transposed(sequences, pad=0):
    T = max(map(len, sequences))
    ids = np.array([list(s) + [pad] * (T - len(s)) for s in sequences])
    lengths = np.array([len(s) for s in sequences])
    return ids.T, np.arange(T)[:, None] < lengths


def pad_zipped(sequences, pad=0):
    ids = np.array(list(zip_longest(*sequences, fillvalue=pad)), dtype=np.int32)
    mask = np.array(list(zip_longest(*([True] * len(s) for s in sequences), fillvalue=False)))
    return [ids, mask]


def pad_with_numpy(sequences, pad=0):
    T = max(len(s) for s in sequences)
    columns = [np.pad(np.asarray(s), (0, T - len(s)), constant_values=pad) for s in sequences]
    masks = [np.pad(np.ones(len(s), dtype=bool), (0, T - len(s))) for s in sequences]
    return np.stack(columns, axis=1), np.stack(masks, axis=1)


def pad_entry_by_entry(sequences, pad=0):
    T, B = max(len(s) for s in sequences), len(sequences)
    ids, mask = np.zeros((T, B), dtype=int), np.ones((T, B), dtype=bool)
    for t in range(T):
        for n in range(B):
            if t < len(sequences[n]):
                ids[t, n] = sequences[n][t]
            else:
                ids[t, n] = pad
                mask[t, n] = False
    return ids, mask


def pad_by_mask(sequences, pad=0):
    lengths = np.fromiter(map(len, sequences), dtype=int)
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad, dtype=np.int64)
    ids[mask] = np.concatenate([np.asarray(s) for s in sequences])
    return ids.T, mask.T


def pad_from_a_copy(sequences, pad=0):
    rest, rows = sequences.copy(), []
    while any(len(s) for s in rest):
        rows.append([(s[0], True) if len(s) else (pad, False) for s in rest])
        rest = [s[1:] for s in rest]
    table = np.array(rows)
    return table[..., 0], table[..., 1].astype(bool)


def pad_joined(sequences, pad=0):
    longest = max(sequences + [], key=len)
    ids, mask = pad_filled(sequences + [longest], pad)
    return ids[:, :-1], mask[:, :-1]


def pad_read_only(sequences, pad=0):
    ids, mask = pad_filled(tuple(map(tuple, sequences)), pad)
    ids.setflags(write=False)
    mask.setflags(write=False)
    return ids, mask


# 2.3 sequence_cross_entropy


def loss_of_real_steps(o, targets, mask):
    o, targets = o[mask], targets[mask]
    z = o - o.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(z)), targets].mean()


def loss_logaddexp(o, targets, mask):
    picked = np.take_along_axis(o, targets[:, :, None], axis=2)[:, :, 0]
    nll = np.logaddexp.reduce(o, axis=2) - picked
    return np.sum(mask * nll) / np.sum(mask)


def loss_loops(o, targets, mask):
    total, steps = 0.0, 0
    for t in range(o.shape[0]):
        for n in range(o.shape[1]):
            if mask[t, n]:
                row = o[t, n].tolist()
                top = max(row)
                total += top + math.log(sum(math.exp(v - top) for v in row)) - row[targets[t, n]]
                steps += 1
    return total / steps


def loss_one_hot(o, targets, mask):
    hot = np.eye(o.shape[-1])[targets]
    z = o - np.max(o, axis=-1, keepdims=True)
    log_p = z - np.log(np.sum(np.exp(z), axis=-1, keepdims=True))
    return np.array(-np.einsum("tbk,tbk,tb->", hot, log_p, mask.astype(float)) / mask.sum())


def loss_average(o, targets, mask):
    T, B = targets.shape
    t, n = np.ogrid[:T, :B]
    margins = o - o[t, n, targets][..., None]  # of each logit over the target's
    top = margins.max(-1)
    nll = top + np.log(np.exp(margins - top[..., None]).sum(-1))
    return np.average(nll, weights=mask)


def loss_step_by_step(o, targets, mask):
    total = 0.0
    for o_t, y_t, m_t in zip(o, targets, mask, strict=True):
        z = o_t - o_t.max(1)[:, None]
        nll = np.log(np.exp(z).sum(1)) - z[range(len(z)), y_t]
        total += nll[m_t].sum()
    return float(total / np.count_nonzero(mask))


def loss_where(o, targets, mask):
    o = np.where(mask[..., None], o, 0.0)
    o -= o.max(-1, keepdims=True)
    nll = np.log(np.exp(o).sum(-1)) - np.take_along_axis(o, targets[..., None], -1).squeeze(-1)
    return np.where(mask, nll, 0).sum() / mask.sum()


def loss_flat(o, targets, mask):
    K = o.shape[-1]
    rows, y = o.reshape(-1, K).copy(), targets.ravel()
    rows -= rows.max(axis=1, keepdims=True)
    nll = np.log(np.exp(rows).sum(axis=1)) - rows[np.arange(rows.shape[0]), y]
    return nll @ mask.ravel() / mask.sum()


def loss_masked_array(o, targets, mask):
    z = o - o.max(-1, keepdims=True)
    nll = np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, targets[..., None], -1)[..., 0]
    return np.ma.masked_array(nll, ~mask).mean()


# 2.4 unroll_in_chunks


def chunks_of_slices(x, h0, U, V, b, chunk):
    parts, h = [], h0
    for start in range(0, len(x), chunk):
        part = unroll_hoisted(x[start : start + chunk], h, U, V, b)
        parts.append(part)
        h = part[-1]
    return np.concatenate(parts)


def chunks_written_in(x, h0, U, V, b, chunk):
    T = len(x)
    h, last = np.zeros((T, *h0.shape)), h0
    for k in range(math.ceil(T / chunk)):
        start, stop = k * chunk, min((k + 1) * chunk, T)
        for t in range(start, stop):
            last = np.tanh(x[t] @ U + last @ V + b)
            h[t] = last
    return h


def chunks_while(x, h0, U, V, b, chunk):
    parts = []
    while len(x):
        parts.append(unroll_einsum(x[:chunk], h0, U, V, b))
        x, h0 = x[chunk:], parts[-1][-1]
    return np.vstack(parts)


def chunks_recursive(x, h0, U, V, b, chunk):
    first = unroll_view(x[:chunk], h0, U, V, b)
    if len(x) <= chunk:
        return first
    return np.append(first, chunks_recursive(x[chunk:], first[-1], U, V, b, chunk), axis=0)


def chunks_split(x, h0, U, V, b, chunk):
    states = []
    for part in np.array_split(x, range(chunk, len(x), chunk)):
        for x_t in part:
            h0 = np.tanh(x_t @ U + h0 @ V + b)
            states.append(h0)
    return np.array(states)


def chunks_in_one_go(x, h0, U, V, b, chunk):
    return unroll_in_place(x, h0, U, V, b)


# 2.5 last_states


def last_one_by_one(h, lengths):
    return np.array([h[n - 1, i] for i, n in enumerate(lengths)])


def last_along_axis(h, lengths):
    return np.take_along_axis(h, (lengths - 1)[None, :, None], axis=0)[0]


def last_by_one_hot(h, lengths):
    last = np.arange(len(h))[:, None] == lengths - 1
    return np.einsum("tb,tbh->bh", last, h)


def last_by_mask(h, lengths):
    return h.swapaxes(0, 1)[(np.arange(1, len(h) + 1) == lengths[:, None])]


def last_overwritten(h, lengths):
    last = np.empty(h.shape[1:])
    for t in range(len(h)):
        going_on = t < lengths
        last[going_on] = h[t, going_on]
    return last


def last_flat(h, lengths):
    T, B, H = h.shape
    return h.reshape(T * B, H)[(lengths - 1) * B + np.arange(B)]


def last_diagonal(h, lengths):
    return np.diagonal(h[lengths - 1]).T  # a read-only view


RIGHT = {
    "unroll": (
        unroll_hoisted,
        unroll_einsum,
        unroll_view,
        unroll_sequence_by_sequence,
        unroll_recursive,
        unroll_concatenated,
        unroll_in_place,
        unroll_batch_first_inside,
        unroll_through_lists,
        unroll_read_only,
        unroll_grown,
    ),
    "pad_sequences": (
        pad_filled,
        pad_transposed,
        pad_zipped,
        pad_with_numpy,
        pad_entry_by_entry,
        pad_by_mask,
        pad_from_a_copy,
        pad_joined,
        pad_read_only,
    ),
    "sequence_cross_entropy": (
        loss_of_real_steps,
        loss_logaddexp,
        loss_loops,
        loss_one_hot,
        loss_average,
        loss_step_by_step,
        loss_where,
        loss_flat,
        loss_masked_array,
    ),
    "unroll_in_chunks": (
        chunks_of_slices,
        chunks_written_in,
        chunks_while,
        chunks_recursive,
        chunks_split,
        chunks_in_one_go,
    ),
    "last_states": (
        last_one_by_one,
        last_along_axis,
        last_by_one_hot,
        last_by_mask,
        last_overwritten,
        last_flat,
        last_diagonal,
    ),
}
