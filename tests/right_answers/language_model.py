import math

import numpy as np

# 5.1 make_streams


def streams_reshaped(ids, B):
    T = len(ids) // B
    return ids[: T * B].reshape(B, T).T


def streams_stacked(ids, B):
    T = len(ids) // B
    return np.stack([ids[k * T : (k + 1) * T] for k in range(B)], axis=1)


def streams_by_index(ids, B):
    T = len(ids) // B
    return ids[np.arange(B) * T + np.arange(T)[:, None]]


def streams_filled(ids, B):
    T = ids.size // B
    streams = np.zeros((T, B), dtype=ids.dtype)
    for k in range(B):
        streams[:, k] = ids[k * T : k * T + T]
    return streams


def streams_through_lists(ids, B):
    ids = ids.tolist()
    T = len(ids) // B
    return np.array([[ids[k * T + t] for k in range(B)] for t in range(T)])


def streams_in_columns(ids, B):
    T = math.floor(len(ids) / B)
    return np.reshape(ids[: len(ids) - len(ids) % B], (T, B), order="F").astype(np.int32)


def streams_split(ids, B):
    streams = np.column_stack(np.split(ids[: len(ids) // B * B], B))
    streams.setflags(write=False)
    return streams


# 5.3 sample_next


def chances(o, temperature):
    e = np.exp((o - o.max()) / temperature)
    return e / e.sum()


def sample_choice(o, temperature, rng):
    if temperature == 0:
        return int(np.argmax(o))
    return int(rng.choice(len(o), p=chances(o, temperature)))


def sample_inverse_cdf(o, temperature, rng):
    if temperature == 0:
        return o.argmax()
    return np.searchsorted(np.cumsum(chances(o, temperature)), rng.random(), side="right")


def sample_gumbel(o, temperature, rng):
    return int(np.argmax(o + temperature * rng.gumbel(size=len(o))))


def sample_exponential_race(o, temperature, rng):
    if not temperature:
        return np.array(o.argmax())
    log_time = np.log(rng.exponential(size=o.shape)) - o / temperature
    return log_time.argmin()


def sample_loop(o, temperature, rng):
    o = o.tolist()
    if temperature == 0:
        return o.index(max(o))
    weights = [math.exp((value - max(o)) / temperature) for value in o]
    left = rng.uniform(0, sum(weights))
    for symbol, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return symbol
    return len(o) - 1


def sample_multinomial(o, temperature, rng):
    if temperature > 0:
        return int(np.flatnonzero(rng.multinomial(1, chances(o, temperature)))[0])
    return int(o.argmax())


def sample_likeliest_first(o, temperature, rng):
    """Draws even where nothing is left to chance."""
    order = np.argsort(-o)
    p = chances(o[order], temperature) if temperature else np.eye(len(o))[0]
    return int(order[(p.cumsum() > rng.random()).argmax()])


def sample_by_rejection(o, temperature, rng):
    p = chances(o, temperature) if temperature else np.eye(len(o))[o.argmax()]
    while True:
        symbol = int(rng.integers(len(o)))
        if rng.random() * p.max() < p[symbol]:
            return symbol


def sample_with_a_generator_of_its_own(o, temperature, rng):
    return sample_choice(o, temperature, np.random.default_rng(rng.integers(2**62)))


def sample_without_a_case_for_0(o, temperature, rng):
    p = chances(o, max(temperature, 1e-9))
    return int(rng.choice(len(o), p=p)) if p.max() < 1 else int(o.argmax())


def sample_read_only(o, temperature, rng):
    o.setflags(write=False)
    return sample_choice(o, temperature, rng)


# 5.4 generate


def generate_rows(params, h, first_id, n, temperature, rng):
    ids, symbol = [], first_id
    for _ in range(n):
        h = np.tanh(params.U[symbol] + h @ params.V + params.b)
        symbol = sample_choice(h @ params.W + params.c, temperature, rng)
        ids.append(symbol)
    return ids


def generate_one_hot(params, h, first_id, n, temperature, rng):
    U, V, b, W, c = params
    x = np.zeros(len(U))
    x[first_id] = 1
    ids = []
    while len(ids) < n:
        h = np.tanh(x @ U + h @ V + b)
        symbol = sample_gumbel(h @ W + c, temperature, rng)
        x = np.eye(len(U))[symbol]
        ids.append(symbol)
    return ids


def generate_with_batch_of_one(params, h, first_id, n, temperature, rng):
    h = h[None].copy()
    symbols = [first_id]
    for _ in range(n):
        h[...] = np.tanh(params.U[symbols[-1:]] + h @ params.V + params.b)
        o = h @ params.W + params.c
        symbols.append(sample_inverse_cdf(o[0], temperature, rng))
    return symbols[1:]


def generate_array(params, h, first_id, n, temperature, rng):
    ids = np.empty(n, dtype=int)
    for t in range(n):
        fed = first_id if t == 0 else ids[t - 1]
        h = np.tanh(np.concatenate([params.U[fed], h, params.b]) @ stacked(params))
        ids[t] = sample_exponential_race(h @ params.W + params.c, temperature, rng)
    return ids


def stacked(params):
    I = np.eye(len(params.b))
    return np.concatenate([I, params.V, I])


def generate_recursive(params, h, first_id, n, temperature, rng):
    if n == 0:
        return []
    h = np.tanh(params.U[first_id] + np.dot(h, params.V) + params.b)
    symbol = sample_loop(np.dot(h, params.W) + params.c, temperature, rng)
    return [symbol, *generate_recursive(params, h, symbol, n - 1, temperature, rng)]


def generate_draws_first(params, h, first_id, n, temperature, rng):
    u = rng.random(n)
    ids = ()
    for t in range(n):
        h = np.tanh(params.U[first_id] + h @ params.V + params.b)
        o = h @ params.W + params.c
        if temperature:
            first_id = int((chances(o, temperature).cumsum() > u[t]).argmax())
        else:
            first_id = int(o.argmax())
        ids += (first_id,)
    return ids


def generate_lazily(params, h, first_id, n, temperature, rng):
    def write(h, symbol):
        while True:
            h = np.tanh(params.U[symbol] + h @ params.V + params.b)
            symbol = sample_multinomial(h @ params.W + params.c, temperature, rng)
            yield symbol

    return [symbol for symbol, _ in zip(write(h, first_id), range(n), strict=False)]


def generate_as_an_array(*args):
    """Where n is 0 the array is one of floats."""
    return np.array(generate_rows(*args))


RIGHT = {
    "make_streams": (
        streams_reshaped,
        streams_stacked,
        streams_by_index,
        streams_filled,
        streams_through_lists,
        streams_in_columns,
        streams_split,
    ),
    "perplexity": (
        lambda total_nll, n_tokens: np.exp(total_nll / n_tokens),
        lambda total_nll, n_tokens: math.exp(total_nll / n_tokens),
        lambda total_nll, n_tokens: np.array(math.e ** (total_nll / n_tokens)),
        lambda total_nll, n_tokens: 1 / math.exp(-total_nll / n_tokens),
        lambda total_nll, n_tokens: 2 ** (total_nll / n_tokens / math.log(2)),
        lambda nll, tokens: math.prod([math.exp(nll / tokens / 4)] * 4),
    ),
    "sample_next": (
        sample_choice,
        sample_inverse_cdf,
        sample_gumbel,
        sample_exponential_race,
        sample_loop,
        sample_multinomial,
        sample_likeliest_first,
        sample_by_rejection,
        sample_with_a_generator_of_its_own,
        sample_without_a_case_for_0,
        sample_read_only,
    ),
    "generate": (
        generate_rows,
        generate_one_hot,
        generate_with_batch_of_one,
        generate_array,
        generate_as_an_array,
        generate_recursive,
        generate_draws_first,
        generate_lazily,
    ),
}
