"""Lesson 5: a language model, which gives the next symbol its chances and so can write.

    p(next | all before) = softmax(o_t)        perplexity = exp(mean of -log p)

Text is read as B streams side by side; the state is carried from chunk to chunk along each.
"""

import numpy as np

from ._validate import checked, finite, generator, ids_below, number, positive, whole
from .cell import RNN_SHAPES, affine
from .loss import sequence_cross_entropy
from .unroll import pieces, run


@checked(ids="T<")
def make_streams(ids, B):
    """(T,B): the ids (n,) cut into B streams of T = n // B in a row, one a column; rest dropped.

    Raises ValueError if there are fewer than B ids.
    """
    B = whole("B", B, 1)
    T = len(ids) // B
    if T == 0:
        raise ValueError(f"ids: expected at least B={B} of them, got {len(ids)}")
    return ids[: T * B].reshape(B, T).T


def perplexity(total_nll, n_tokens):
    """exp(total_nll / n_tokens): among how many equally likely symbols the model is left choosing.

    A uniform guess over K symbols has perplexity K; the best is 1. NaN if total_nll is.
    Raises TypeError if total_nll is no number or n_tokens no whole one, ValueError if that is < 1.
    """
    mean = number("total_nll", total_nll) / whole("n_tokens", n_tokens, 1)
    with np.errstate(over="ignore"):  # a hopeless model's is infinite
        return float(np.exp(np.float64(mean)))


@checked(streams="TB<K", params=RNN_SHAPES)
def stream_nll(params, streams, chunk):
    """Total -log p and number of tokens, each id of streams (T,B) predicted from those before it.

    The state starts at zero and is carried along; `chunk` steps are held in memory at a time.
    Raises ValueError if T < 2 or chunk < 1, or if inputs and outputs are not the same symbols.
    """
    chunk = whole("chunk", chunk, 1)
    U, V, b, W, c = _same_in_and_out(params)
    if len(streams) < 2:
        raise ValueError(
            "streams: expected at least 2 steps, one to read and one to predict, got 1"
        )
    x, targets = streams[:-1], streams[1:]
    h, total = np.zeros((x.shape[1], len(b)), b.dtype), 0.0
    for steps in pieces(len(x), chunk):
        states = run(x[steps], h, U, V, b)[1:]
        h, real = states[-1], np.ones(x[steps].shape, dtype=bool)
        total += real.sum() * sequence_cross_entropy(affine(states, W, c), targets[steps], real)
    return float(total), targets.size


def ngram_perplexity(train, held_out, K, n, add=1.0):
    """Perplexity on the ids `held_out` (T,) of counts of n-grams in `train`: the one to beat.

    n = 1 knows how frequent each of the K ids is, n = 2 how frequent it is after each other one.
    `add` is added to each count (1: Laplace), so that nothing is impossible.
    Raises TypeError or ValueError if the ids are none of 0 to K-1, held_out is shorter than n, K or
    n is no whole number of at least 1, add is not above 0, or K**n is beyond 64 bits.
    """
    K, n, add = whole("K", K, 1), whole("n", n, 1), positive("add", add)
    if n * np.log2(K) >= 63:
        raise ValueError(f"n: expected fewer than 2**63 n-grams, got K**n = {K}**{n}")
    train, held_out = ids_below("train", train, K), ids_below("held_out", held_out, K)
    if len(held_out) < n:
        raise ValueError(f"held_out: expected at least n={n} ids, got {len(held_out)}")
    seen, asked = _grams(train, K, n), _grams(held_out, K, n)
    # A number without its last digit is what stands before the last id.
    p = (_counts(asked, seen) + add) / (_counts(asked // K, seen // K) + add * K)
    return perplexity(-np.log(p).sum(), len(p))


@checked(o="K")
def sample_next(o, temperature, rng):
    """The next id (int), drawn from softmax(o / temperature) of logits o (K,); argmax at 0.

    A logit of -inf is an id that never comes. Raises ValueError if the largest logit is not finite
    or one is NaN, TypeError or ValueError if temperature is below 0 or rng no Generator.
    """
    temperature = positive("temperature", temperature, zero_too=True)
    return _draw("o", o, temperature, generator(rng))


@checked(h="H", params=RNN_SHAPES)
def generate(params, h, first_id, n, temperature, rng):
    """n ids (list of int) written from state h (H,): each is fed back in to get the next.

    first_id is fed in first and is not among them. Raises ValueError if there is NaN or infinity in
    h or in the weights (but c may hold -inf: an id that never comes).
    """
    finite("h", h)
    for name, weights in params._asdict().items():
        finite(f"params.{name}", weights[~(weights < np.inf)] if name == "c" else weights)
    temperature, n = positive("temperature", temperature, zero_too=True), whole("n", n, 0)
    U, V, b, W, c = _same_in_and_out(params)
    (symbol,), written = ids_below("first_id", [first_id], len(U)), []
    for _ in range(n):
        h = np.tanh(U[symbol] + h @ V + b)
        symbol = _draw("params", h @ W + c, temperature, generator(rng))
        written.append(symbol)
    return written


def _draw(name, o, temperature, rng):
    largest = o.max()  # NaN if there is one
    finite(name, largest)
    z = o.astype(float) - largest  # the likeliest at 0: no temperature is too low to divide by
    if temperature == 0:
        return int(z.argmax())
    with np.errstate(over="ignore", invalid="ignore"):  # -inf over inf: it never comes all the same
        e = np.exp(np.where(z > -np.inf, z / temperature, z))
    return int(rng.choice(len(e), p=e / e.sum()))


def _same_in_and_out(params):
    D, K = len(params[0]), len(params[-1])
    if D != K:
        raise ValueError(f"params: expected as many inputs as outputs, got D={D}, K={K}")
    return params


def _grams(ids, K, n):
    """The runs of n ids in a row, each as one number whose n digits, in base K, they are."""
    runs = max(0, len(ids) - n + 1)
    return sum(ids[i : i + runs] * K ** (n - 1 - i) for i in range(n))


def _counts(asked, seen):
    """How often each number of `asked` occurs among `seen`."""
    seen = np.sort(seen)
    return np.searchsorted(seen, asked, "right") - np.searchsorted(seen, asked, "left")
