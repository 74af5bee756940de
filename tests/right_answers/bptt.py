import math

import numpy as np

from utils.bptt import bptt as workbooks_bptt
from utils.cell import RNNParams
from utils.gradcheck import complex_step_gradient, numerical_gradient, relative_error, rtrl

# 3.1 sequence_cross_entropy_backward -------------------------------------------------------------


def loss_loops(o, targets, mask):
    do = np.zeros(o.shape)
    for t in range(o.shape[0]):
        for n in range(o.shape[1]):
            if mask[t, n]:
                e = [math.exp(v - max(o[t, n])) for v in o[t, n]]
                for k in range(o.shape[2]):
                    do[t, n, k] = e[k] / sum(e) - (k == targets[t, n])
    return do / mask.sum()


def loss_one_hot(o, targets, mask):
    e = np.exp(o - o.max(axis=2, keepdims=True))
    p = e / e.sum(axis=2, keepdims=True)
    return (p - np.eye(o.shape[2])[targets]) * mask[:, :, None] / mask.sum()


def loss_indexed(o, targets, mask):
    T, B, _ = o.shape
    do = np.exp(o - np.logaddexp.reduce(o, axis=-1, keepdims=True))
    do[np.arange(T)[:, None], np.arange(B), targets] -= 1
    do[~mask] = 0
    do /= np.count_nonzero(mask)
    return do


def loss_real_steps_only(o, targets, mask):
    real, wanted = o[mask], targets[mask]
    e = np.exp(real - real.max(1, keepdims=True))
    e /= e.sum(1, keepdims=True)
    e[range(len(e)), wanted] -= 1
    do = np.zeros_like(o)
    do[mask] = e / len(e)
    return do


def loss_put_along_axis(o, targets, mask):
    z = np.moveaxis(o, -1, 0) - o.max(-1)
    p = np.exp(z) / np.exp(z).sum(0)
    hot = np.zeros(p.shape)
    np.put_along_axis(hot, targets[None], 1.0, axis=0)
    return np.moveaxis(np.where(mask, (p - hot) / mask.sum(), 0.0), 0, -1)  # a view


def loss_sequence_by_sequence(o, targets, mask):
    mask.setflags(write=False)
    total, columns = sum(int(m.sum()) for m in mask.T), []
    for o_n, t_n, length in zip(o.swapaxes(0, 1), targets.T, mask.sum(0), strict=True):
        p = np.exp(o_n - o_n.max(-1)[:, None])
        p = p / p.sum(-1)[:, None] - (t_n[:, None] == np.arange(o.shape[-1]))
        p[length:] = 0
        columns.append(p / total)
    return np.stack(columns, axis=1)


# 3.2 cell_backward -------------------------------------------------------------------------------


def step_einsum(dh_t, x_t, h_prev, h_t, U, V):
    da = np.einsum("bh,bh->bh", dh_t, 1 - np.square(h_t))
    return (
        np.einsum("bh,dh->bd", da, U),
        np.einsum("bj,ij->bi", da, V),
        np.einsum("bd,bh->dh", x_t, da),
        np.einsum("bi,bj->ij", h_prev, da),
        np.einsum("bh->h", da),
    )


def step_loops(dh_t, x_t, h_prev, h_t, U, V):
    (B, D), H = x_t.shape, len(V)
    dx, dh = np.zeros((B, D)), np.zeros((B, H))
    dU, dV, db = np.zeros((D, H)), np.zeros((H, H)), np.zeros(H)
    for n in range(B):
        for j in range(H):
            da = dh_t[n, j] * (1 - h_t[n, j] ** 2)
            db[j] += da
            for d in range(D):
                dx[n, d] += U[d, j] * da
                dU[d, j] += x_t[n, d] * da
            for i in range(H):
                dh[n, i] += V[i, j] * da
                dV[i, j] += h_prev[n, i] * da
    return [dx, dh, dU, dV, db]


def step_stacked(dh_t, x_t, h_prev, h_t, U, V):
    D = len(U)
    da = dh_t * (1 - h_t) * (1 + h_t)
    inputs = np.hstack([x_t, h_prev, np.ones((len(x_t), 1))])
    weights, back = inputs.T @ da, da @ np.vstack([U, V]).T
    return back[:, :D], back[:, D:], weights[:D], weights[D:-1], weights[-1]  # views


def step_columns(dh_t, x_t, h_prev, h_t, U, V):
    da = ((1 - h_t**2) * dh_t).T
    return (U @ da).T, (V @ da).T, (da @ x_t).T, (da @ h_prev).T, da.sum(axis=1)


def step_in_place(dh_t, x_t, h_prev, h_t, U, V):
    for array in (dh_t, x_t, h_prev, h_t, U, V):
        array.setflags(write=False)
    da = h_t * h_t
    np.subtract(1, da, out=da)
    da *= dh_t
    db = np.ones(len(da)) @ da
    return da.dot(U.T), da.dot(V.T), x_t.T.dot(da), h_prev.T.dot(da), db


def step_sequence_by_sequence(dh_t, x_t, h_prev, h_t, U, V):
    dx, dh, dU, dV, db = [], [], 0 * U, 0 * V, np.zeros(len(V))
    for e, x, m, h in zip(dh_t, x_t, h_prev, h_t, strict=True):
        J = np.diag(1 - h**2)
        dx.append(U @ J @ e)
        dh.append(V @ J @ e)
        dU, dV, db = dU + np.outer(x, J @ e), dV + np.outer(m, J @ e), db + J @ e
    return np.array(dx), np.array(dh), dU, dV, db


# 3.3 bptt ----------------------------------------------------------------------------------------


def bptt_accumulating(do, x, h0, h, params):
    U, V, b, W, c = params
    dU, dV, db = np.zeros_like(U), np.zeros_like(V), np.zeros_like(b)
    dW, dc, dx = np.zeros_like(W), np.zeros_like(c), np.zeros_like(x)
    dh_next = np.zeros_like(h0)
    for t in reversed(range(x.shape[0])):
        dW += h[t].T @ do[t]
        dc += do[t].sum(axis=0)
        dh = do[t] @ W.T + dh_next
        da = dh * (1 - h[t] ** 2)
        h_prev = h[t - 1] if t > 0 else h0
        dx[t] = da @ U.T
        dU += x[t].T @ da
        dV += h_prev.T @ da
        db += da.sum(axis=0)
        dh_next = da @ V.T
    return RNNParams(dU, dV, db, dW, dc), dx, dh_next


def bptt_recomputing(do, x, h0, h, params):
    """Takes its own states, steps by cells, and returns a plain tuple and lists of values."""
    states = [h0]
    for x_t in x:
        states.append(np.tanh(x_t @ params.U + states[-1] @ params.V + params.b))
    dx, carried, sums = [], 0 * h0, (0, 0, 0, 0, 0)
    for t in range(len(x), 0, -1):
        new = step_einsum(
            do[t - 1] @ params.W.T + carried, x[t - 1], states[t - 1], states[t], *params[:2]
        )
        carried = new[1]
        dx.insert(0, new[0])
        new = (*new[2:], states[t].T @ do[t - 1], do[t - 1].sum(0))
        sums = tuple(a + b for a, b in zip(sums, new, strict=True))
    return sums, np.array(dx), carried


def bptt_einsum(do, x, h0, h, params):
    U, V, W = params.U, params.V, params.W
    before, da = np.concatenate([h0[None], h])[:-1], np.einsum("tbk,hk->tbh", do, W)
    e = np.zeros(h0.shape)
    for t in range(len(h) - 1, -1, -1):
        da[t] = (da[t] + e) * (1 - h[t] ** 2)
        e = np.einsum("bj,ij->bi", da[t], V)
    grads = RNNParams(
        U=np.einsum("tbd,tbh->dh", x, da),
        V=np.einsum("tbi,tbj->ij", before, da),
        b=np.einsum("tbh->h", da),
        W=np.einsum("tbh,tbk->hk", h, do),
        c=np.einsum("tbk->k", do),
    )
    return grads, np.einsum("tbh,dh->tbd", da, U), e


def bptt_one_system(do, x, h0, h, params):
    """All errors at once: da = (do Wᵀ + da_next Vᵀ) slope is one system of linear equations."""
    U, V, _, W, _ = params
    T, B, H = h.shape
    own, slope = do @ W.T, 1 - h**2
    da = np.zeros(h.shape)
    for n in range(B):
        M = np.eye(T * H)
        for t in range(T - 1):
            rows, columns = slice(t * H, (t + 1) * H), slice((t + 1) * H, (t + 2) * H)
            M[rows, columns] -= slope[t, n][:, None] * V
        da[:, n] = np.linalg.solve(M, (own[:, n] * slope[:, n]).ravel()).reshape(T, H)
    before = np.vstack([h0[None], h[:-1]])
    flat = (z.reshape(T * B, -1) for z in (x, before, h, da, do))
    x_, before, h_, da_, do_ = flat
    grads = [x_.T @ da_, before.T @ da_, da_.sum(0), h_.T @ do_, do_.sum(0)]
    return [grads, (da_ @ U.T).reshape(x.shape), da[0] @ V.T]


def bptt_recursive(do, x, h0, h, params):
    if len(x) == 0:
        zeros = RNNParams(*(np.zeros(w.shape) for w in params))
        return zeros, np.zeros(x.shape), np.zeros(h0.shape)
    later, dx, error = bptt_recursive(do[1:], x[1:], h[0], h[1:], params)
    error = (do[0] @ params.W.T + error) * (1 - h[0] ** 2)
    own = x[0].T @ error, h0.T @ error, error.sum(0), h[0].T @ do[0], do[0].sum(0)
    grads = RNNParams(*(a + g for a, g in zip(own, later, strict=True)))
    return grads, np.concatenate([(error @ params.U.T)[None], dx]), error @ params.V.T


def bptt_read_only(do, x, h0, h, params):
    for array in (do, x, h0, h, *params):
        array.setflags(write=False)
    grads, dx, dh0 = workbooks_bptt(do, x, h0, h, params)
    for array in (*grads, dx, dh0):
        array.setflags(write=False)
    return grads, dx, dh0


def bptt_by_rtrl(do, x, h0, h, params):
    U, V, _, W, _ = params
    dx, error = np.empty(x.shape), np.zeros(h0.shape)
    for t in range(len(x) - 1, -1, -1):
        error = (error + do[t] @ W.T) * (1 - h[t] ** 2)
        dx[t], error = error @ U.T, error @ V.T
    return rtrl(do, x, h0, h, params), dx, error


# 3.4 numerical_gradient --------------------------------------------------------------------------


def differences_in_place(loss, w, eps=1e-5):
    grad = np.zeros_like(w)
    it = np.nditer(w, flags=["multi_index"], op_flags=["readwrite"])
    while not it.finished:
        i = it.multi_index
        old = w[i]
        w[i] = old + eps
        above = loss(w)
        w[i] = old - eps
        below = loss(w)
        w[i] = old
        grad[i] = (above - below) / (2 * eps)
        it.iternext()
    return grad


def differences_by_copies(loss, w, eps=1e-5):
    grad = np.empty(w.shape)
    for i in range(w.size):
        above, below = w.copy(), w.copy()
        above.flat[i] += eps
        below.flat[i] -= eps
        grad.flat[i] = (loss(above) - loss(below)) / eps / 2
    return grad


def differences_by_unit_steps(loss, w, eps=1e-5):
    steps = eps * np.eye(w.size).reshape(w.size, *w.shape)
    return np.array([loss(w + s) - loss(w - s) for s in steps]).reshape(w.shape) / (2 * eps)


def differences_flat(f, w, eps=1e-5):
    flat, found = w.ravel().tolist(), []
    for i, middle in enumerate(flat):
        two = []
        for moved in (middle + eps, middle - eps):
            flat[i] = moved
            two.append(float(f(np.array(flat).reshape(w.shape))))
        flat[i] = middle
        found.append(0.5 * (two[0] - two[1]) / eps)
    return np.array(found).reshape(w.shape)


def differences_read_only(loss, w, eps=1e-5):
    w.setflags(write=False)
    grad = np.zeros(w.shape)
    for i in np.ndindex(*w.shape):
        e = np.zeros(w.shape)
        e[i] = eps
        grad[i] = loss(w + e) / (2 * eps) - loss(w - e) / (2 * eps)
    grad.setflags(write=False)
    return grad


def differences_of_a_number_too(loss, w, eps=1e-5):
    if w.ndim == 0:
        return (loss(w + eps) - loss(w - eps)) / (2 * eps)  # no array: a number
    return differences_by_copies(loss, w, eps)


# 3.5 clip_gradients ------------------------------------------------------------------------------


def clip_concatenated(grads, max_norm):
    norm = np.linalg.norm(np.concatenate([g.ravel() for g in grads]))
    if norm > max_norm:
        grads = RNNParams(*[g * (max_norm / norm) for g in grads])
    return grads, norm


def clip_as_pytorch(grads, max_norm):
    norm = np.linalg.norm([np.linalg.norm(g) for g in grads])
    scale = min(1.0, max_norm / (norm + 1e-6))
    return tuple(g * scale for g in grads), norm


def clip_half_as_pytorch(grads, max_norm):
    norm = math.sqrt(sum(float((g * g).sum()) for g in grads))
    scale = max_norm / (norm + 1e-6) if norm > max_norm else 1
    return RNNParams._make(scale * g for g in grads), norm


def clip_with_a_smaller_constant(grads, max_norm):
    norm = math.hypot(*(v for g in grads for v in g.ravel()))
    return RNNParams(*(g * np.minimum(1, max_norm / (norm + 1e-8)) for g in grads)), np.array(norm)


def clip_in_place_on_its_own(grads, max_norm):
    for g in grads:
        g.setflags(write=False)
    norm = sum(np.vdot(g, g) for g in grads) ** 0.5
    clipped = [g.copy() for g in grads]
    for g in clipped:
        g /= max(1, norm / max_norm)
    return [clipped, norm]


def clip_numpy_division(grads, max_norm):
    norm = np.sqrt(np.sum([np.sum(np.square(g)) for g in grads]))
    with np.errstate(divide="ignore"):
        scale = np.minimum(1.0, np.float64(max_norm) / norm)
    return grads._replace(**{n: g * scale for n, g in grads._asdict().items()}), norm


# 3.6 gradient_flow -------------------------------------------------------------------------------


def flow_by_svd(h, V):
    T, H = h.shape
    flow = np.zeros(T)
    for t in range(T):
        J = np.eye(H)
        for s in range(t + 1, T):
            J = J @ V @ np.diag(1 - h[s] ** 2)
        flow[t] = np.linalg.svd(J, compute_uv=False)[0]
    return flow


def flow_columns(h, V):
    J, flow = np.eye(len(V)), [1.0]
    for h_t in h[:0:-1]:
        J = J @ np.diag(1 - h_t**2) @ V.T
        flow.insert(0, np.linalg.norm(J, ord=2))
    return np.array(flow)


def flow_by_eigenvalues(h, V):
    J, flow = np.eye(len(V)), np.ones(len(h))
    for t in range(len(h) - 2, -1, -1):
        J = (V * (1 - h[t + 1] ** 2)).dot(J)
        flow[t] = math.sqrt(max(0.0, np.linalg.eigvalsh(J.T @ J)[-1]))
    return flow


def flow_all_at_once(h, V):
    h.setflags(write=False)
    steps = V * (1 - h[:, None] ** 2)
    products = [np.eye(len(V))]
    for J in steps[:0:-1]:
        products.append(J @ products[-1])
    return np.linalg.norm(np.stack(products), 2, axis=(1, 2))[::-1]  # a view


def flow_by_errors_sent_back(h, V):
    """Each unit vector at the last state is sent back, as bptt does it."""
    errors, flow = np.eye(len(V)), []
    for h_t in reversed(h):
        flow.append(np.sqrt(np.linalg.eigvalsh(errors @ errors.T).clip(0).max()))
        errors = (errors * (1 - h_t**2)) @ V.T
    flow.reverse()
    return np.asarray(flow)


# 3.7 truncated_bptt ------------------------------------------------------------------------------


def truncated_by_chunks(do, x, h0, h, params, chunk):
    total, state = None, h0
    for start in range(0, len(x), chunk):
        s = slice(start, start + chunk)
        grads, _, _ = workbooks_bptt(do[s], x[s], state, h[s], params)
        total = grads if total is None else [a + b for a, b in zip(total, grads, strict=True)]
        state = h[s][-1]
    return RNNParams(*total)


def truncated_in_one_loop(do, x, h0, h, params, chunk):
    _, V, _, W, _ = params
    grads, carried = [np.zeros(w.shape) for w in params], np.zeros(h0.shape)
    for t in range(len(x) - 1, -1, -1):
        if (t + 1) % chunk == 0:
            carried = 0 * carried
        da = (do[t] @ W.T + carried) * (1 - h[t] ** 2)
        before = h0 if t == 0 else h[t - 1]
        terms = x[t].T @ da, before.T @ da, da.sum(0), h[t].T @ do[t], do[t].sum(0)
        for g, term in zip(grads, terms, strict=True):
            g += term
        carried = da @ V.T
    return grads


def truncated_einsum(do, x, h0, h, params, chunk):
    for array in (do, x, h0, h, *params):
        array.setflags(write=False)
    da, before = do @ params.W.T, np.concatenate([h0[None], h[:-1]])
    for t in reversed(range(len(x))):
        last = t == len(x) - 1 or t % chunk == chunk - 1
        if not last:
            da[t] += np.einsum("bj,ij->bi", da[t + 1], params.V)
        da[t] *= 1 - h[t] ** 2
    return (
        np.einsum("tbd,tbh->dh", x, da),
        np.einsum("tbi,tbj->ij", before, da),
        da.sum(axis=(0, 1)),
        np.einsum("tbh,tbk->hk", h, do),
        do.sum(axis=(0, 1)),
    )


def truncated_path_by_path(do, x, h0, h, params, chunk):
    _, V, _, W, _ = params
    da = np.zeros(h.shape)
    for end in range(len(x)):
        error = do[end] @ W.T
        for t in range(end, end // chunk * chunk - 1, -1):
            error = error * (1 - h[t] ** 2)
            da[t] += error
            error = error @ V.T
    before = np.stack([h0, *h[:-1]])
    steps = range(len(x))
    return RNNParams(
        sum(x[t].T @ da[t] for t in steps),
        sum(before[t].T @ da[t] for t in steps),
        sum(da[t].sum(0) for t in steps),
        sum(h[t].T @ do[t] for t in steps),
        sum(do[t].sum(0) for t in steps),
    )


def truncated_chunks_from_the_back(do, x, h0, h, params, chunk):
    states = np.concatenate([h0[None], h])
    parts = []
    for start in reversed(range(0, len(x), chunk)):
        s = slice(start, min(start + chunk, len(x)))
        parts.append(bptt_recursive(do[s], x[s], states[start], h[s], params))
    return RNNParams(*(np.sum([p[0][k] for p in parts], axis=0) for k in range(5)))


# 3.8 catches_bugs --------------------------------------------------------------------------------


def _random(T=4, B=3, D=2, H=5, K=6, seed=0):
    rng = np.random.default_rng(seed)
    params = RNNParams(*(0.5 * rng.normal(size=s) for s in [(D, H), (H, H), H, (H, K), K]))
    x, h0, do = (rng.normal(size=s) for s in [(T, B, D), (B, H), (T, B, K)])
    return do, x, h0, _states(x, h0, params), params


def _states(x, h0, params):
    h = [h0]
    for x_t in x:
        h.append(np.tanh(x_t @ params.U + h[-1] @ params.V + params.b))
    return np.array(h[1:])


def _loss(do, x, h0, params):
    return (do * (_states(x, h0, params) @ params.W + params.c)).sum()


def _losses(do, x, h0, params):
    """For each tensor its value and the loss as a function of it."""
    for name in params._fields:
        yield (
            getattr(params, name),
            lambda w, name=name: _loss(do, x, h0, params._replace(**{name: w})),
        )
    yield x, lambda x: _loss(do, x, h0, params)
    yield h0, lambda h0: _loss(do, x, h0, params)


def hunts_by_comparison(bptt):
    args = _random()
    got, expected = bptt(*args), bptt_accumulating(*args)
    pairs = zip((*got[0], *got[1:]), (*expected[0], *expected[1:]), strict=True)
    return any(g.shape != e.shape or not np.allclose(g, e) for g, e in pairs)


DATA = None  # made at the first call and used again, as a learner's own arrays would be


def hunts_with_the_same_arrays(bptt):
    global DATA
    args, expected = DATA = DATA or (_random(), bptt_accumulating(*_random()))
    got = bptt(*args)
    pairs = zip((*got[0], *got[1:]), (*expected[0], *expected[1:]), strict=True)
    return not all(np.allclose(g, e) for g, e in pairs)


def hunts_by_differences(bptt):
    do, x, h0, h, params = _random(T=3, B=2, D=3, H=2, K=2)
    grads, dx, dh0 = bptt(do, x, h0, h, params)
    for got, (w, loss) in zip([*grads, dx, dh0], _losses(do, x, h0, params), strict=True):
        if not relative_error(got, numerical_gradient(loss, w)) <= 1e-6:
            return True
    return False


def hunts_by_complex_steps(bptt):
    do, x, h0, h, params = _random(T=2, B=2, D=3, H=2, K=3)
    grads, dx, dh0 = bptt(do, x, h0, h, params)
    expected = [complex_step_gradient(loss, w) for w, loss in _losses(do, x, h0, params)]
    return not all(map(np.allclose, [*grads, dx, dh0], expected))


def hunts_in_random_directions(bptt):
    rng = np.random.default_rng()  # other numbers each time
    do, x, h0, h, params = _random(seed=rng.integers(10**6))
    grads, dx, dh0 = bptt(do, x, h0, h, params)
    worst = 0.0
    for got, (w, loss) in zip([*grads, dx, dh0], _losses(do, x, h0, params), strict=True):
        for _ in range(3):
            v = rng.normal(size=w.shape)
            slope = (loss(w + 1e-5 * v) - loss(w - 1e-5 * v)) / 2e-5
            worst = np.maximum(worst, abs((got * v).sum() - slope))
    return ~(worst <= 1e-6)  # a NumPy bool


def hunts_with_several_sizes(bptt):
    verdicts = []
    for T, B, D, H, K in [(1, 1, 1, 1, 1), (3, 2, 4, 3, 5), (5, 3, 2, 4, 1), (2, 4, 3, 3, 3)]:
        args = _random(T, B, D, H, K, seed=T)
        (dU, dV, db, dW, dc), dx, dh0 = bptt(*args)
        expected, *others = workbooks_bptt(*args)
        pairs = zip([dU, dV, db, dW, dc, dx, dh0], [*expected, *others], strict=True)
        verdicts += [not np.abs(g - e).max() <= 1e-8 * np.abs(e).max() for g, e in pairs]
    return np.array(verdicts).any()


def hunts_harm_too(bptt):
    args, others = _random(seed=1), _random(seed=2)
    before = [a.copy() for a in args[:4]]
    grads, dx, dh0 = bptt(*args)
    first = [*grads, dx, dh0]
    kept = [g.copy() for g in first]
    bptt(*others)
    unchanged = all(map(np.array_equal, args[:4], before)) and all(map(np.array_equal, first, kept))
    grads, dx, dh0 = bptt(*args)
    again = [*grads, dx, dh0]
    grads, dx, dh0 = bptt_einsum(*args)
    right = map(np.allclose, (*kept, *again), 2 * (*grads, dx, dh0))
    return not (unchanged and all(right))


RIGHT = {
    "sequence_cross_entropy_backward": (
        loss_loops,
        loss_one_hot,
        loss_indexed,
        loss_real_steps_only,
        loss_put_along_axis,
        loss_sequence_by_sequence,
    ),
    "cell_backward": (
        step_einsum,
        step_loops,
        step_stacked,
        step_columns,
        step_in_place,
        step_sequence_by_sequence,
    ),
    "bptt": (
        bptt_accumulating,
        bptt_recomputing,
        bptt_einsum,
        bptt_one_system,
        bptt_recursive,
        bptt_read_only,
        bptt_by_rtrl,
    ),
    "numerical_gradient": (
        differences_in_place,
        differences_by_copies,
        differences_by_unit_steps,
        differences_flat,
        differences_read_only,
        differences_of_a_number_too,
    ),
    "clip_gradients": (
        clip_concatenated,
        clip_as_pytorch,
        clip_half_as_pytorch,
        clip_with_a_smaller_constant,
        clip_in_place_on_its_own,
        clip_numpy_division,
    ),
    "gradient_flow": (
        flow_by_svd,
        flow_columns,
        flow_by_eigenvalues,
        flow_all_at_once,
        flow_by_errors_sent_back,
    ),
    "truncated_bptt": (
        truncated_by_chunks,
        truncated_in_one_loop,
        truncated_einsum,
        truncated_path_by_path,
        truncated_chunks_from_the_back,
    ),
    "catches_bugs": (
        hunts_by_comparison,
        hunts_with_the_same_arrays,
        hunts_by_differences,
        hunts_by_complex_steps,
        hunts_in_random_directions,
        hunts_with_several_sizes,
        hunts_harm_too,
    ),
}
