"""Lesson 4, gradient accumulation: exercises 4.1 to 4.5 and their known mistakes."""

import contextlib
import functools

import numpy as np

from utils.accumulation import (
    Batch,
    accumulate_gradients,
    activation_bytes,
    train_epoch,
    train_epoch_torch,
    update_after,
)
from utils.bptt import loss_and_gradients
from utils.cell import RNNParams
from utils.unroll import unroll

from . import compare
from .exercise import SEVEN_DIGITS, Case, Exercise, Mistake, Question

# What the exercises share -------------------------------------------------------------------------

MICRO_BATCHES_CHANGED = (
    "The caller's micro-batches are changed, and they are needed again. Is it the list, or is "
    "something written into a batch?"
)


def _params(rng, D, H, K):
    return RNNParams(*(rng.normal(size=s) for s in [(D, H), (H, H), H, (H, K), K]))


def _batch(rng, lengths, D, H, K, T=None):
    """Sequences of these lengths, padded to T steps with numbers that look like any others."""
    T, B = T or max(lengths), len(lengths)
    mask = np.arange(T)[:, None] < np.array(lengths)
    x, targets = rng.normal(size=(T, B, D)), rng.integers(K, size=(T, B))
    return Batch(x, targets, mask, np.tanh(rng.normal(size=(B, H))))


def _computed_once(compute):
    """`compute`, with its results kept by the contents of its arguments."""
    kept = {}

    @functools.wraps(compute)
    def look_up(*args):
        key = tuple(_contents(args))
        if key not in kept:
            if len(kept) > 10_000:
                kept.clear()
            kept[key] = compute(*args)
        return kept[key]

    return look_up


def _contents(value):
    if isinstance(value, tuple | list):
        for part in value:
            yield from _contents(part)
    else:
        yield value.tobytes() if isinstance(value, np.ndarray) else value


@_computed_once
def _sums(params, batch):
    """The summed loss of a micro-batch, its number of real steps, and the sum's gradients.

    Most mistakes are these same parts put together in another way: each is computed once.
    """
    n = np.count_nonzero(batch.mask)
    loss, grads, *_ = loss_and_gradients(params, *batch)
    return n * loss, n, _scaled(grads, n)


def _scaled(grads, scale):
    return RNNParams(*(scale * g for g in grads))


def _added(parts):
    """The sum of several RNNParams."""
    return RNNParams(*(sum(tensors) for tensors in zip(*parts, strict=True)))


def _moved(params, grads, lr):
    return RNNParams(*(p - lr * g for p, g in zip(params, grads, strict=True)))


def _norm(grads):
    return np.sqrt(sum((g**2).sum() for g in grads))


def _rows(window):
    return np.array([batch.mask.shape[1] for batch in window])


def _steps(window):
    return np.array([batch.mask.shape[0] for batch in window])


def _cells(window):
    return _rows(window) * _steps(window)


def _only(i, n):
    return np.eye(len(n))[i]


def _real(batch):
    return int(batch.mask.sum())


def _right(n, window, k):
    """What the summed loss of each micro-batch is multiplied with, from their real steps n."""
    return np.full(len(n), 1 / n.sum())


# Ways to weight the micro-batches of one update wrongly: name, hint, and the factors of their sums.
WRONG_WEIGHTS = (
    (
        "mean of means",
        "The means of the micro-batches are averaged as if each counted the same. "
        "How many real steps stand behind each of them?",
        lambda n, window, k: 1 / (n * len(n)),
    ),
    (
        "sum of means",
        "The means of the micro-batches are added up, so the result grows with their number. "
        "The full batch has one mean.",
        lambda n, window, k: 1 / n,
    ),
    (
        "sums not divided",
        "These are sums over all real steps. The loss is a mean: what is still to be divided by?",
        lambda n, window, k: np.ones(len(n)),
    ),
    (
        "sums divided by the number of micro-batches",
        "The summed losses are divided by the number of micro-batches. "
        "The loss is a mean over something smaller than a micro-batch.",
        lambda n, window, k: np.full(len(n), 1 / len(n)),
    ),
    (
        "means divided by the steps",
        "The means are divided by the real steps, though each has been divided once already. "
        "How does a mean become a sum again?",
        lambda n, window, k: 1 / (n * n.sum()),
    ),
    (
        "divided by the steps so far",
        "Each part is divided by the real steps counted so far, so that early parts weigh too "
        "much. Count all of them first.",
        lambda n, window, k: 1 / np.cumsum(n),
    ),
    (
        "divided by the steps and by k",
        "It is divided twice, by the real steps and by the number of micro-batches. "
        "One of the two makes a mean already.",
        lambda n, window, k: np.full(len(n), 1 / (n.sum() * k)),
    ),
    (
        "weighted by sequences",
        "Each micro-batch counts by its sequences. They are of different lengths: "
        "over what is the loss a mean?",
        lambda n, window, k: _rows(window) / (_rows(window).sum() * n),
    ),
    (
        "mean over sequences",
        "The summed loss is divided by the number of sequences. Over what is it to be a mean?",
        lambda n, window, k: np.full(len(n), 1 / _rows(window).sum()),
    ),
    (
        "padding counted",
        "Padding is left out of the sum but counted in what you divide by. "
        "Which entries of the mask count?",
        lambda n, window, k: np.full(len(n), 1 / _cells(window).sum()),
    ),
    (
        "weighted by size",
        "Each micro-batch counts by its size, T times B. Some of these entries are padding.",
        lambda n, window, k: _cells(window) / (_cells(window).sum() * n),
    ),
    (
        "weighted by T",
        "Each micro-batch counts by its T. How many real steps does it have in all its sequences?",
        lambda n, window, k: _steps(window) / (_steps(window).sum() * n),
    ),
    (
        "last micro-batch only",
        "Only the last micro-batch counts: is each one added, or does it replace those before?",
        lambda n, window, k: _only(-1, n) / n[-1],
    ),
    (
        "last micro-batch only, divided by all steps",
        "Only the last micro-batch's part is there, though the steps of all are counted: "
        "is each part added, or does it replace those before?",
        lambda n, window, k: _only(-1, n) / n.sum(),
    ),
    (
        "first micro-batch only",
        "Only the first micro-batch counts: does the loop end too early?",
        lambda n, window, k: _only(0, n) / n[0],
    ),
    (
        "first micro-batch only, divided by all steps",
        "Only the first micro-batch's part is there, though the steps of all are counted: "
        "does the loop end too early?",
        lambda n, window, k: _only(0, n) / n.sum(),
    ),
    (
        "first micro-batch forgotten",
        "The first micro-batch's part is missing: with what does the sum begin?",
        lambda n, window, k: (1 - _only(0, n)) / n.sum(),
    ),
    (
        "last micro-batch forgotten",
        "The last micro-batch's part is missing: where does the loop end?",
        lambda n, window, k: (1 - _only(-1, n)) / n.sum(),
    ),
    (
        "steps of the first for all",
        "Every micro-batch is taken to have as many real steps as the first. They differ.",
        lambda n, window, k: np.full(len(n), 1 / (n[0] * len(n))),
    ),
    (
        "steps of the last only",
        "All parts are there, but they are divided by the last micro-batch's real steps: "
        "is the count added up, or replaced?",
        lambda n, window, k: np.full(len(n), 1 / n[-1]),
    ),
    (
        "weighted twice",
        "The summed losses are weighted by their share of the steps. A sum over more steps is "
        "larger already.",
        lambda n, window, k: n / n.sum(),
    ),
    (
        "average of the newest and those before",
        "Each new micro-batch is averaged with the result so far, so the last one counts for half. "
        "The order should not matter.",
        lambda n, window, k: 0.5 ** (len(n) - np.maximum(np.arange(len(n)), 1)) / n,
    ),
)


def _all_real(batch):
    return batch._replace(mask=np.ones_like(batch.mask))


def _from_zero(batch):
    return batch._replace(h0=0 * batch.h0)


def _twelve_from_zeros(rng, sizes):
    """Small micro-batches with h0 all zero; neighbours agree in shape, two by two."""
    lengths = [[2, 1], [1, 2], [1], [1]] * 3
    return [_from_zero(_batch(rng, own, *sizes)) for own in lengths]


def _carried(params, batches):
    """Each micro-batch goes on from the last memory of the one before, where the shapes allow."""
    h_t, result = None, []
    for batch in batches:
        if h_t is not None and h_t.shape == batch.h0.shape:
            batch = batch._replace(h0=h_t)
        h_t = unroll(batch.x, batch.h0, *params[:3])[-1]
        result.append(batch)
    return result


# 4.1 accumulate_gradients -------------------------------------------------------------------------


def _accumulate_cases(rng):
    small = 4, 6, 5  # D, H, K
    for label, sizes, lengths in [
        ("", small, [[3, 3, 3], [3]]),
        ("With sequences of different lengths", small, [[3, 1], [1, 2], [3, 3]]),
        ("With micro-batches of different T", small, [[2, 1], [5, 3, 4], [1]]),
        ("With micro-batches of one size", small, [[3, 3], [3, 3]]),
        ("With a single micro-batch", small, [[3, 1, 2]]),
        ("With five micro-batches", small, [[1, 2], [3], [1, 1], [2, 3], [1]]),
        ("With one sequence in each", small, [[3], [1], [2]]),
        ("With one step (T=1)", small, [[1, 1, 1], [1]]),
        ("With D = H = K", (3, 3, 3), [[3, 1, 2], [2, 2, 3]]),
        ("With other numbers of the same shapes", small, [[3, 1], [1, 2], [3, 3]]),
    ]:
        batches = [_batch(rng, own, *sizes) for own in lengths]
        yield Case(label, (_params(rng, *sizes), batches))
    padded = [_batch(rng, own, *small, T=4) for own in ([4, 1], [2, 1], [1])]
    yield Case("With all padded to one T", (_params(rng, *small), padded))
    steep = _params(rng, *small)
    steep = steep._replace(W=600 * steep.W)
    batches = [_batch(rng, own, *small) for own in ([2, 3], [1])]
    yield Case("With logits near 1000 and -1000", (steep, batches))
    twelve = _twelve_from_zeros(rng, small)
    twelve[5] = twelve[4]  # the same object
    label = "With twelve micro-batches that start from zeros, one of them there twice"
    yield Case(label, (_params(rng, *small), twelve))
    long = [_batch(rng, own, 2, 4, 3) for own in ([30] * 8 + [29, 28], [5, 9])]
    yield Case("With ten long sequences (T=30)", (_params(rng, 2, 4, 3), long))


def _accumulated(weights=_right, loss_weights=None, prepare=lambda params, batches: batches):
    """`accumulate_gradients` with other weights, those of the loss perhaps different again."""

    def accumulate(params, micro_batches):
        batches, k = prepare(params, micro_batches), len(micro_batches)
        losses, n, grads = zip(*(_sums(params, batch) for batch in batches), strict=True)
        w = weights(np.array(n), batches, k)
        w_loss = loss_weights(np.array(n), batches, k) if loss_weights else w
        return float(np.dot(w_loss, losses)), _added(map(_scaled, grads, w))

    return accumulate


def _then(change):
    """`accumulate_gradients` with something done to its results."""
    return lambda params, micro_batches: change(*_accumulated()(params, micro_batches))


def _each(change):
    return lambda params, batches: [change(batch) for batch in batches]


def _single_sequences(params, batches):
    """Every sequence as a batch of its own, without its padding."""
    found = []
    for batch in batches:
        for i, T in enumerate(batch.mask.sum(0)):
            x, targets, mask = (a[:T, i : i + 1] for a in batch[:3])
            found.append(Batch(x, targets, mask, batch.h0[i : i + 1]))
    return found


def _wrong(name):
    return next(weights for title, _, weights in WRONG_WEIGHTS if title == name)


def _with_last_of(fields):
    """The gradients of these tensors are replaced, not added."""

    def accumulate(params, micro_batches):
        loss, grads = _accumulated()(params, micro_batches)
        _, last = _accumulated(_wrong("last micro-batch only, divided by all steps"))(
            params, micro_batches
        )
        return loss, grads._replace(**{f: getattr(last, f) for f in fields})

    return accumulate


def _updates_on_the_way(params, micro_batches):
    """A step downhill between the micro-batches."""
    n, parts = sum(map(_real, micro_batches)), []
    for batch in micro_batches:
        loss, _, grads = _sums(params, batch)
        parts.append((loss / n, _scaled(grads, 1 / n)))
        params = _moved(params, parts[-1][1], 0.1)
    return sum(loss for loss, _ in parts), _added(grads for _, grads in parts)


def _without_the_past(params, micro_batches):
    """The error of each step stays in its step."""
    n, grads = sum(map(_real, micro_batches)), []
    for batch in micro_batches:
        h = unroll(batch.x, batch.h0, *params[:3])
        for x, targets, mask, before in zip(
            batch.x, batch.targets, batch.mask, [batch.h0, *h[:-1]], strict=True
        ):
            if mask.any():
                step = Batch(x[None], targets[None], mask[None], before)
                grads.append(_sums(params, step)[2])
    return _accumulated()(params, micro_batches)[0], _scaled(_added(grads), 1 / n)


def _overflowing(params, micro_batches):
    """The softmax with nothing subtracted."""
    loss, grads = _accumulated()(params, micro_batches)
    for batch in micro_batches:
        o = unroll(batch.x, batch.h0, *params[:3]) @ params.W + params.c
        if np.abs(o).max() > 700:
            return np.nan, _scaled(grads, np.nan)
    return loss, grads


def _empties_the_list(params, micro_batches):
    result = _accumulated()(params, micro_batches)
    micro_batches.clear()
    return result


def _clears_padding(params, micro_batches):
    result = _accumulated()(params, micro_batches)
    for batch in micro_batches:
        batch.x[~batch.mask] = 0
    return result


def _as_float32(arrays):
    return RNNParams(*(a.astype(np.float32).astype(float) for a in arrays))


class _NeverCleared:
    """Adds to the sums of earlier calls."""

    def __init__(self):
        self.loss, self.grads = 0.0, None

    def __call__(self, params, micro_batches):
        loss, grads = _accumulated()(params, micro_batches)
        if self.grads is None or self.grads.W.shape != grads.W.shape:
            self.loss, self.grads = 0.0, _scaled(grads, 0)
        self.loss, self.grads = self.loss + loss, _added([self.grads, grads])
        return self.loss, self.grads


ACCUMULATE_GRADIENTS = Exercise(
    number="4.1",
    returns="loss float, grads RNNParams",
    reference=accumulate_gradients,
    cases=_accumulate_cases,
    mistakes=(
        *(Mistake(name, hint, _accumulated(weights)) for name, hint, weights in WRONG_WEIGHTS),
        Mistake(
            "gradients not divided",
            "The loss is right, but the gradients belong to a sum: what was the loss divided by?",
            _accumulated(_wrong("sums not divided"), _right),
        ),
        Mistake(
            "gradients as a mean of means",
            "The loss is right, but for the gradients every micro-batch counts the same. "
            "They have to be weighted as the losses are.",
            _accumulated(_wrong("mean of means"), _right),
        ),
        Mistake(
            "gradients of the means added up",
            "The loss is right, but the gradients of the means are added as they are. "
            "They have to be weighted as the losses are.",
            _accumulated(_wrong("sum of means"), _right),
        ),
        Mistake(
            "gradients of the last only",
            "The loss is right, but the gradients are those of the last micro-batch alone: "
            "are they added or replaced?",
            _accumulated(_wrong("last micro-batch only"), _right),
        ),
        Mistake(
            "gradients replaced",
            "The loss is right, but of the gradients only the last micro-batch's part is there: "
            "are the parts added or replaced?",
            _accumulated(_wrong("last micro-batch only, divided by all steps"), _right),
        ),
        Mistake(
            "loss not divided",
            "The gradients are right, but the loss is a sum over the steps.",
            _accumulated(_right, _wrong("sums not divided")),
        ),
        Mistake(
            "loss as a mean of means",
            "The gradients are right, but for the loss every micro-batch counts the same. "
            "It has to be weighted as they are.",
            _accumulated(_right, _wrong("mean of means")),
        ),
        Mistake(
            "losses of the means added up",
            "The gradients are right, but the loss grows with the number of micro-batches.",
            _accumulated(_right, _wrong("sum of means")),
        ),
        Mistake(
            "loss of the last only",
            "The gradients are right, but the loss is the last micro-batch's alone.",
            _accumulated(_right, _wrong("last micro-batch only")),
        ),
        Mistake(
            "loss replaced",
            "The gradients are right, but of the loss only the last micro-batch's part is there: "
            "are the parts added or replaced?",
            _accumulated(_right, _wrong("last micro-batch only, divided by all steps")),
        ),
        Mistake(
            "mean of the sequences' means",
            "Each sequence counts the same, however short. Over what is the loss a mean?",
            _accumulated(_wrong("mean of means"), prepare=_single_sequences),
        ),
        Mistake(
            "mask ignored",
            "Padding is treated as if it were real: what does the mask say?",
            _accumulated(prepare=_each(_all_real)),
        ),
        Mistake(
            "h0 ignored",
            "Every micro-batch starts from zeros. Each brings its own first memory.",
            _accumulated(prepare=_each(_from_zero)),
        ),
        Mistake(
            "memory carried over",
            "A micro-batch goes on from the last memory of the one before. These are other "
            "sequences, and each micro-batch brings its own first memory.",
            _accumulated(prepare=_carried),
        ),
        Mistake(
            "h0 of the first for all",
            "Every micro-batch starts from the first memory of the first one. Each brings its own.",
            _accumulated(
                prepare=lambda params, batches: [
                    b._replace(h0=batches[0].h0) if b.h0.shape == batches[0].h0.shape else b
                    for b in batches
                ]
            ),
        ),
        Mistake(
            "biases replaced",
            "The matrices are summed over the micro-batches but the biases are not.",
            _with_last_of("bc"),
        ),
        Mistake(
            "readout replaced",
            "W and c are not summed over the micro-batches as the others are.",
            _with_last_of("Wc"),
        ),
        Mistake(
            "only the readout summed",
            "U, V and b are not summed over the micro-batches as the others are.",
            _with_last_of("UVb"),
        ),
        Mistake(
            "updates on the way",
            "The weights change between the micro-batches. All gradients have to be taken at "
            "the same weights.",
            _updates_on_the_way,
        ),
        Mistake(
            "no gradient through time",
            "The gradients leave out what earlier steps contribute to later losses (lesson 3).",
            _without_the_past,
        ),
        Mistake(
            "overflows",
            "With logits near 1000 the result is no number: look how the softmax is computed.",
            _overflowing,
        ),
        Mistake(
            "downhill already",
            "The gradients have the wrong sign: going uphill is their direction, not downhill.",
            lambda params, micro_batches: (lambda loss, grads: (loss, _scaled(grads, -1)),)[0](
                *_accumulated()(params, micro_batches)
            ),
        ),
        Mistake(
            "order of the results",
            "The loss comes first, then the gradients.",
            _then(lambda loss, grads: (grads, loss)),
        ),
        Mistake(
            "gradients only",
            "The loss is asked for as well.",
            _then(lambda loss, grads: grads),
        ),
        Mistake(
            "changes the micro-batches",
            MICRO_BATCHES_CHANGED,
            _empties_the_list,
        ),
        Mistake(
            "writes into the batches",
            "The caller's batches are written into. Work on copies.",
            _clears_padding,
        ),
        Mistake(
            "never cleared",
            "Your function goes on from the sums of an earlier call. With what must they begin?",
            _NeverCleared(),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _then(lambda loss, grads: (float(np.float32(loss)), _as_float32(grads))),
        ),
    ),
)

# 4.2 update_after ---------------------------------------------------------------------------------


def _update_cases(rng):
    usual = [(6, 3), (7, 3), (8, 3), (8, 4), (10, 4), (3, 5), (5, 5), (4, 1)]
    for n_micro, k in [*usual, (1, 1), (1, 3), (700, 300)]:
        yield Case(f"For n_micro={n_micro}, k={k}", (n_micro, k))
    yield Case("With no micro-batch (n_micro=0, k=3)", (0, 3))
    n_micro, k = int(rng.integers(40, 60)), 7
    n_micro += n_micro % k == 0
    yield Case(f"For n_micro={n_micro}, k={k}", (n_micro, k))


def _ends(n, k):
    return [min(i + k, n) - 1 for i in range(0, n, k)]


# Ways to place the updates of an epoch wrongly: name, hint, and the indices (n, k) -> list.
WRONG_ENDS = (
    (
        "leftovers dropped",
        "The micro-batches that don't fill a last window are never used: "
        "what happens at the end of the epoch?",
        lambda n, k: [*range(k - 1, n, k)],
    ),
    (
        "fires at the first one",
        "An update comes after the very first micro-batch, and what is left at the end is "
        "dropped. What is 0 % k?",
        lambda n, k: [*range(0, n, k)],
    ),
    (
        "fires at the first one, leftovers used",
        "An update comes after the very first micro-batch, so that all windows are shifted. "
        "What is 0 % k?",
        lambda n, k: sorted({*range(0, n, k), *range(n)[-1:]}),
    ),
    (
        "first window too long",
        "The first window has one micro-batch too many, and what is left at the end is dropped. "
        "Counting from 0, which index does the k-th micro-batch have?",
        lambda n, k: [*range(k, n, k)],
    ),
    (
        "first window too long, leftovers used",
        "The first window has one micro-batch too many, so that all windows are shifted. "
        "Counting from 0, which index does the k-th micro-batch have?",
        lambda n, k: sorted({*range(k, n, k), *range(n)[-1:]}),
    ),
    (
        "an update after every micro-batch",
        "There is an update after each micro-batch, whatever k is.",
        lambda n, k: [*range(n)],
    ),
    (
        "one update an epoch",
        "There is one update for the whole epoch, whatever k is.",
        lambda n, k: [*range(n)[-1:]],
    ),
    (
        "k windows",
        "There are k updates an epoch. k is the number of micro-batches in one window.",
        lambda n, k: [int(w[-1]) for w in np.array_split(np.arange(n), k) if len(w)],
    ),
    (
        "leftovers with the last window",
        "The micro-batches left at the end are put into the last full window. "
        "They make a shorter one of their own.",
        lambda n, k: [*range(k - 1, n - n % k - 1, k), *range(n)[-1:]],
    ),
    (
        "short window first",
        "The first window is the shorter one. Where do the leftovers stand?",
        lambda n, k: [*range(n - 1, -1, -k)][::-1],
    ),
    (
        "leftovers one by one",
        "The micro-batches left at the end get an update each. They make one window.",
        lambda n, k: [*range(k - 1, n, k), *range(n - n % k, n)],
    ),
    (
        "first window only",
        "There is only the first update: does the loop end too early?",
        lambda n, k: _ends(n, k)[:1],
    ),
    (
        "nothing if fewer than k",
        "With fewer than k micro-batches there is no update at all. They make a shorter window.",
        lambda n, k: _ends(n, k) if n >= k else [],
    ),
)


def _wrong_ends(name):
    return next(ends for title, _, ends in WRONG_ENDS if title == name)


UPDATE_AFTER = Exercise(
    number="4.2",
    returns="indices list",
    reference=update_after,
    cases=_update_cases,
    mistakes=(
        *(Mistake(name, hint, ends) for name, hint, ends in WRONG_ENDS),
        Mistake(
            "counted from 1",
            "The micro-batches are counted from 1. Indices begin with 0.",
            lambda n, k: [i + 1 for i in _ends(n, k)],
        ),
        Mistake(
            "last one too high",
            "The leftovers' update comes after an index that doesn't exist. "
            "Which index does the last of n_micro have?",
            lambda n, k: [*range(k - 1, n, k), *([n] if n % k else [])],
        ),
        Mistake(
            "last window always full",
            "The last window is taken to be full, so that its index lies beyond the last "
            "micro-batch.",
            lambda n, k: [i + k - 1 for i in range(0, n, k)],
        ),
        Mistake(
            "1 % k first",
            "`i + 1 % k` means i + (1 % k): what is to come first needs brackets.",
            lambda n, k: [i for i in range(n) if i + 1 % k == 0 or i == n - 1],
        ),
        Mistake(
            "both conditions at once",
            "Only an index that ends a full window and is the last as well is there. "
            "Is one of the two not enough?",
            lambda n, k: [] if n % k else [*range(n)[-1:]],
        ),
        Mistake(
            "last one twice",
            "The last index is there twice when k divides n_micro. When are there leftovers?",
            lambda n, k: [*range(k - 1, n, k), *range(n)[-1:]],
        ),
        Mistake(
            "last one twice, also of none",
            "The last index is added always: look what comes out when k divides n_micro, "
            "and for no micro-batch at all.",
            lambda n, k: [*range(k - 1, n, k), n - 1],
        ),
        Mistake(
            "an update of nothing",
            "With no micro-batch at all there is still an update. Where does that index come from?",
            lambda n, k: _ends(n, k) or [-1],
        ),
        Mistake(
            "shorter by one",
            "Each window lacks its last micro-batch: counting from 0, which index does the k-th "
            "micro-batch have?",
            lambda n, k: [max(i - 1, 0) for i in _ends(n, k)],
        ),
        Mistake(
            "sizes of the windows",
            "These are the numbers of micro-batches in each window. "
            "Asked for is where each window ends.",
            lambda n, k: [min(k, n - i) for i in range(0, n, k)],
        ),
        Mistake(
            "number of updates",
            "That is how many updates there are. Asked for is after which micro-batches.",
            lambda n, k: -(-n // k),
        ),
        Mistake(
            "yes or no for each",
            "That says for each micro-batch whether an update follows. Asked for are the indices "
            "of those where one does.",
            lambda n, k: [i in _ends(n, k) for i in range(n)],
        ),
        Mistake(
            "beginning and end of each window",
            "These are pairs, where each window begins and where it ends. "
            "Asked for are whole numbers: after which micro-batches does an update come?",
            lambda n, k: [(i, min(i + k, n) - 1) for i in range(0, n, k)],
        ),
        Mistake(
            "last first",
            "The indices are in falling order. In which order does the loop meet them?",
            lambda n, k: _ends(n, k)[::-1],
        ),
    ),
)

# 4.3 train_epoch ----------------------------------------------------------------------------------


def _gradient(params, window, k, weights=_right):
    """The gradient of one window, its micro-batches weighted in one way or another."""
    parts = [_sums(params, batch) for batch in window]
    n = np.array([own for _, own, _ in parts])
    return _added(_scaled(g, w) for (*_, g), w in zip(parts, weights(n, window, k), strict=True))


def _clipped(grads, max_norm, epsilon=0.0):
    if max_norm is None:
        return grads
    return _scaled(grads, min(1.0, max_norm / (_norm(grads) + epsilon)))


def _cut(batches, ends):
    """The windows that end after these indices; what is left over is dropped."""
    starts = [0, *(i + 1 for i in ends)]
    return [batches[start : end + 1] for start, end in zip(starts, ends, strict=False)]


def _windows(batches, k):
    return _cut(batches, _ends(len(batches), k))


def _epoch(ends=_ends, gradient=_gradient, clip=_clipped, step=_moved):
    """`train_epoch` put together from parts of which one may be wrong."""

    def train(params, micro_batches, k, lr, max_norm):
        for window in _cut(micro_batches, ends(len(micro_batches), k)):
            params = step(params, clip(gradient(params, window, k), max_norm), lr)
        return params

    return train


_plain_epoch = _epoch()


def _epoch_cases(rng):
    sizes = 4, 6, 5  # D, H, K
    for label, epochs, k, lr, max_norm in [
        ("", [[[3, 3, 1], [2], [1, 3], [3, 2, 2]]], 2, 0.5, None),
        ("With a leftover micro-batch", [[[1, 3], [2, 2, 1], [3]]], 2, 0.5, None),
        ("With clipping", [[[3, 1], [1], [2, 3, 1], [1, 2]]], 2, 0.5, 0.2),
        ("With gradients too small to be clipped", [[[3, 1], [2], [2, 3, 1]]], 2, 0.5, 1000.0),
        ("With an update after each (k=1)", [[[2, 1], [3, 2, 1], [2]]], 1, 0.5, 0.2),
        ("With fewer micro-batches than k", [[[3, 1, 1], [2]]], 4, 0.5, None),
        ("With windows of three", [[[1], [3, 2], [2], [1, 1], [3]]], 3, 0.25, 0.3),
        ("After two epochs", [[[3, 1], [1], [2, 1, 1]]] * 2, 2, 0.5, None),
        ("With other numbers of the same shapes", [[[1, 3], [2, 2, 1], [3]]], 2, 0.5, None),
    ]:
        epochs = [[_batch(rng, lengths, *sizes) for lengths in epoch] for epoch in epochs]
        yield Case(label, (_params(rng, *sizes), epochs, k, lr, max_norm))
    steep = _params(rng, *sizes)
    steep = steep._replace(W=300 * steep.W)
    batches = [_batch(rng, lengths, *sizes) for lengths in ([2, 1], [3], [1, 1])]
    yield Case("With large gradients and no clipping", (steep, [batches], 2, 0.01, None))
    params = _params(rng, *sizes)
    batches = [_batch(rng, lengths, *sizes) for lengths in ([3, 1], [2], [1, 2, 3], [2, 2])]
    first = _norm(_gradient(params, batches[:2], 2))
    second = _norm(_gradient(_plain_epoch(params, batches[:2], 2, 0.1, None), batches[2:], 2))
    between = (first + second) / 2
    yield Case("With one window clipped and one not", (params, [batches], 2, 0.1, between))
    label = "With twelve micro-batches that start from zeros"
    yield Case(label, (_params(rng, *sizes), [_twelve_from_zeros(rng, sizes)], 2, 0.5, None))
    batches = [_batch(rng, lengths, *sizes) for lengths in ([2, 1], [3])]
    yield Case("With lr=0", (_params(rng, *sizes), [batches], 2, 0.0, None))


def _train_some_epochs(train, params, epochs, k, lr, max_norm):
    """What is returned by the last epoch; each goes on from what the one before returned.

    Clipping with a small number added to the norm, as PyTorch does it, is as good as without.
    """
    for batches in epochs:
        alike = max_norm is not None and _right_with_clipping(params, batches, k, lr, max_norm)
        params = train(params, batches, k, lr, max_norm)
        if not isinstance(params, tuple | list) or len(params) != 5:
            return params
        params = RNNParams(*params)
        if alike and any(compare.same(params, other, 1e-10) for other in alike):
            params = alike[0]
    return params


@_computed_once
def _right_with_clipping(params, batches, k, lr, max_norm):
    """The right weights: without and with a small number below the fraction."""
    return [
        _epoch(clip=functools.partial(_clipped, epsilon=epsilon))(params, batches, k, lr, max_norm)
        for epsilon in (0.0, 1e-6, 1e-8)
    ]


def _overlapping(batches, ends, k):
    return [batches[start : end + 1] for start, end in zip([0, *ends], ends, strict=False)]


def _last_left_out(batches, ends, k):
    return [window[:-1] for window in _cut(batches, ends)]


def _one_too_few(batches, ends, k):
    return [batches[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _reaching_back(batches, ends, k):
    return [batches[max(end - k + 1, 0) : end + 1] for end in ends]


# Ways to slice the windows wrongly: name, hint, and the windows (micro-batches, ends, k) -> list.
WRONG_SLICES = (
    (
        "every window from the beginning",
        "Every window begins with the first micro-batch of the epoch. Where does the next one "
        "begin?",
        lambda batches, ends, k: [batches[: end + 1] for end in ends],
    ),
    (
        "windows end one too early",
        "The last micro-batch of each window is left to the next one. "
        "In Python, does `batches[start:end]` contain `batches[end]`?",
        _one_too_few,
    ),
    (
        "last micro-batch of each window left out",
        "The last micro-batch of each window is in none. "
        "In Python, does `batches[start:end]` contain `batches[end]`?",
        _last_left_out,
    ),
    (
        "windows overlap",
        "Each window begins with the last micro-batch of the one before. Where should it begin?",
        _overlapping,
    ),
    (
        "last window reaches back",
        "Every window takes k micro-batches, so a shorter last one reaches back into the one "
        "before.",
        _reaching_back,
    ),
)


def _sliced(windows):
    """`train_epoch` on other windows; one without a micro-batch makes no update."""

    def train(params, micro_batches, k, lr, max_norm):
        for window in filter(len, windows(micro_batches, _ends(len(micro_batches), k), k)):
            params = _moved(params, _clipped(_gradient(params, window, k), max_norm), lr)
        return params

    return train


def _stops_at_an_empty_window(params, micro_batches, k, *rest):
    if any(len(window) < 2 for window in _windows(micro_batches, k)):
        raise ValueError("micro_batches: expected at least one, got none")
    return _sliced(_last_left_out)(params, micro_batches, k, *rest)


def _weighted_by_epoch(params, micro_batches, k, lr, max_norm):
    n = sum(map(_real, micro_batches))
    train = _epoch(
        gradient=lambda params, window, k: _gradient(
            params, window, k, lambda own, *_: np.full(len(own), 1 / n)
        )
    )
    return train(params, micro_batches, k, lr, max_norm)


def _clips_each(share_first, running=False):
    """Clips every micro-batch's gradient before they are added up, or the sum as it grows."""

    def train(params, micro_batches, k, lr, max_norm):
        for window in _windows(micro_batches, k):
            n, total = sum(map(_real, window)), None
            for batch in window:
                _, own, grads = _sums(params, batch)
                if share_first:
                    grads = _scaled(grads, 1 / n)
                    part = grads if running else _clipped(grads, max_norm)
                else:
                    part = _scaled(_clipped(_scaled(grads, 1 / own), max_norm), own / n)
                total = part if total is None else _added([total, part])
                total = _clipped(total, max_norm) if running else total
            params = _moved(params, total, lr)
        return params

    return train


def _clips_the_sum(params, micro_batches, k, lr, max_norm):
    for window in _windows(micro_batches, k):
        total = _clipped(_gradient(params, window, k, _wrong("sums not divided")), max_norm)
        params = _moved(params, _scaled(total, 1 / sum(map(_real, window))), lr)
    return params


def _steps_inside(so_far):
    """A step after every micro-batch of a window, with its own part or with all parts so far."""

    def train(params, micro_batches, k, lr, max_norm):
        for window in _windows(micro_batches, k):
            n, parts = sum(map(_real, window)), []
            for batch in window:
                parts.append(_scaled(_sums(params, batch)[2], 1 / n))
                grads = _added(parts) if so_far else parts[-1]
                params = _moved(params, _clipped(grads, max_norm), lr)
        return params

    return train


def _all_at_the_first_weights(params, micro_batches, k, lr, max_norm):
    start = params
    for window in _windows(micro_batches, k):
        params = _moved(params, _clipped(_gradient(start, window, k), max_norm), lr)
    return params


def _each_from_the_first_weights(params, micro_batches, k, lr, max_norm):
    for window in _windows(micro_batches, k):
        new = _moved(params, _clipped(_gradient(params, window, k), max_norm), lr)
    return new


def _never_reset(params, micro_batches, k, lr, max_norm):
    total = _scaled(params, 0)
    for window in _windows(micro_batches, k):
        total = _added([total, _gradient(params, window, k)])
        params = _moved(params, _clipped(total, max_norm), lr)
    return params


def _never_reset_nor_counted_anew(params, micro_batches, k, lr, max_norm):
    total, n = _scaled(params, 0), 0
    for window in _windows(micro_batches, k):
        sums = _gradient(params, window, k, _wrong("sums not divided"))
        total, n = _added([total, sums]), n + sum(map(_real, window))
        params = _moved(params, _clipped(_scaled(total, 1 / n), max_norm), lr)
    return params


def _count_never_reset(params, micro_batches, k, lr, max_norm):
    n = 0
    for window in _windows(micro_batches, k):
        n += sum(map(_real, window))
        sums = _gradient(params, window, k, _wrong("sums not divided"))
        params = _moved(params, _clipped(_scaled(sums, 1 / n), max_norm), lr)
    return params


def _with_momentum(params, micro_batches, k, lr, max_norm):
    speed = _scaled(params, 0)
    for window in _windows(micro_batches, k):
        grads = _clipped(_gradient(params, window, k), max_norm)
        speed = _added([_scaled(speed, 0.9), grads])
        params = _moved(params, speed, lr)
    return params


def _keeps_an_average(params, micro_batches, k, lr, max_norm):
    found = []
    for window in _windows(micro_batches, k):
        params = _moved(params, _clipped(_gradient(params, window, k), max_norm), lr)
        found.append(params)
    return _scaled(_added(found), 1 / len(found))


def _falling_rate(params, micro_batches, k, lr, max_norm):
    for i, window in enumerate(_windows(micro_batches, k)):
        params = _moved(params, _clipped(_gradient(params, window, k), max_norm), lr / (i + 1))
    return params


def _on_other_batches(change):
    return lambda params, micro_batches, *rest: _plain_epoch(
        params, change(params, micro_batches), *rest
    )


def _in_place(params, micro_batches, k, lr, max_norm):
    new = _plain_epoch(params, micro_batches, k, lr, max_norm)
    for p, q in zip(params, new, strict=True):
        p[...] = q
    return params


def _pops(params, micro_batches, k, lr, max_norm):
    new = _plain_epoch(params, micro_batches, k, lr, max_norm)
    micro_batches.clear()
    return new


def _scaled_clip(scale):
    """Clips with another idea of the scale (norm, max_norm) -> number."""

    def clip(grads, max_norm):
        return grads if max_norm is None else _scaled(grads, scale(_norm(grads), max_norm))

    return clip


def _each_tensor_clipped(grads, max_norm):
    if max_norm is None:
        return grads
    return RNNParams(*(g * min(1.0, max_norm / np.linalg.norm(g)) for g in grads))


def _cut_off(grads, max_norm):
    return grads if max_norm is None else RNNParams(*(g.clip(-max_norm, max_norm) for g in grads))


def _matrices_clipped(grads, max_norm):
    if max_norm is None:
        return grads
    norm = np.sqrt(sum((g**2).sum() for g in grads if g.ndim == 2))
    return _scaled(grads, min(1.0, max_norm / norm))


def _clips_the_step(params, micro_batches, k, lr, max_norm):
    for window in _windows(micro_batches, k):
        step = _clipped(_scaled(_gradient(params, window, k), lr), max_norm)
        params = _moved(params, step, 1.0)
    return params


def _with_rate(rate):
    """A learning rate (lr, k, number of micro-batches in the window)."""

    def train(params, micro_batches, k, lr, max_norm):
        for window in _windows(micro_batches, k):
            grads = _clipped(_gradient(params, window, k), max_norm)
            params = _moved(params, grads, rate(lr, k, len(window)))
        return params

    return train


def _each_over_k(n, window, k):
    """Every mean divided by k, in a last window of fewer too."""
    return 1 / (n * k)


_means_over_k = functools.partial(_gradient, weights=_each_over_k)


class _Remembers:
    """Keeps something between the calls, as long as the shapes stay."""

    def __init__(self):
        self.kept = None

    def recall(self, like, default):
        shapes = [p.shape for p in like]
        if self.kept is None or self.kept[0] != shapes:
            return default
        return self.kept[1]

    def keep(self, like, value):
        self.kept = [p.shape for p in like], value


class _LeaksLeftovers(_Remembers):
    """Micro-batches that fill no window wait for the next call."""

    def __call__(self, params, micro_batches, k, lr, max_norm):
        waiting = [*self.recall(params, [])]
        for batch in micro_batches:
            waiting.append(batch)
            if len(waiting) >= k:
                params = _plain_epoch(params, waiting, k, lr, max_norm)
                waiting = []
        self.keep(params, waiting)
        return params


class _KeepsGradients(_Remembers):
    """Adds to the gradients of the call before."""

    def __call__(self, params, micro_batches, k, lr, max_norm):
        total = self.recall(params, _scaled(params, 0))
        for window in _windows(micro_batches, k):
            total = _added([total, _gradient(params, window, k)])
            params = _moved(params, _clipped(total, max_norm), lr)
            self.keep(params, total)
            total = _scaled(total, 0)
        return params


class _KeepsParams(_Remembers):
    """Goes on from its own last result whatever params it is given."""

    def __call__(self, params, micro_batches, k, lr, max_norm):
        params = self.recall(params, params)
        new = _plain_epoch(params, micro_batches, k, lr, max_norm)
        self.keep(params, new)
        return new


TRAIN_EPOCH = Exercise(
    number="4.3",
    returns="params RNNParams",
    reference=train_epoch,
    cases=_epoch_cases,
    trial=_train_some_epochs,
    mistakes=(
        *(
            Mistake(name, hint, _epoch(gradient=functools.partial(_gradient, weights=weights)))
            for name, hint, weights in WRONG_WEIGHTS
        ),
        Mistake(
            "divided by k",
            "The means of the micro-batches are added and divided by k, even in a last window of "
            "fewer. Count what the mean is over: is it micro-batches at all?",
            _epoch(gradient=_means_over_k),
        ),
        Mistake(
            "divided by the steps of the epoch",
            "Each window's sum is divided by the real steps of the whole epoch. "
            "Which steps stand behind this update?",
            _weighted_by_epoch,
        ),
        Mistake(
            "count of steps never reset",
            "The real steps are counted on from window to window. Which stand behind this update?",
            _count_never_reset,
        ),
        *(Mistake(name, hint, _epoch(ends=ends)) for name, hint, ends in WRONG_ENDS),
        Mistake(
            "the loop of many tutorials",
            "Every loss is a mean divided by k, an update comes whenever the counter is divisible "
            "by k, beginning with 0, and what is left at the end is never used. "
            "Take these three one at a time.",
            _epoch(ends=_wrong_ends("fires at the first one"), gradient=_means_over_k),
        ),
        Mistake(
            "that loop, counting from 1",
            "Every loss is a mean divided by k, and what is left at the end is never used. "
            "Take these two one at a time.",
            _epoch(ends=_wrong_ends("leftovers dropped"), gradient=_means_over_k),
        ),
        *(Mistake(name, hint, _sliced(windows)) for name, hint, windows in WRONG_SLICES),
        Mistake(
            "last micro-batch of each window left out, empty windows",
            "The last micro-batch of each window is in none, so that a window of one is empty. "
            "In Python, does `batches[start:end]` contain `batches[end]`?",
            _stops_at_an_empty_window,
        ),
        Mistake(
            "mask ignored",
            "Padding is treated as if it were real: what does the mask say?",
            _on_other_batches(_each(_all_real)),
        ),
        Mistake(
            "h0 ignored",
            "Every micro-batch starts from zeros. Each brings its own first memory.",
            _on_other_batches(_each(_from_zero)),
        ),
        Mistake(
            "micro-batches backwards",
            "The epoch begins with the last micro-batch.",
            _on_other_batches(lambda params, batches: batches[::-1]),
        ),
        Mistake(
            "never clipped",
            "The gradients are never clipped: where does max_norm come in?",
            _epoch(clip=lambda grads, max_norm: grads),
        ),
        Mistake(
            "None not expected",
            "With max_norm=None nothing is to be clipped, but your code calculates with it.",
            _epoch(
                clip=lambda grads, max_norm: _scaled(grads, min(1.0, max_norm / _norm(grads))),
            ),
        ),
        Mistake(
            "None taken for 1",
            "With max_norm=None nothing is to be clipped. Here it is clipped to 1.",
            _epoch(clip=lambda grads, max_norm: _clipped(grads, max_norm or 1.0)),
        ),
        Mistake(
            "clips every micro-batch",
            "Each micro-batch's gradient is clipped by itself, which turns the direction of their "
            "sum. What is it that must not be too large?",
            _clips_each(share_first=False),
        ),
        Mistake(
            "clips every part",
            "Each micro-batch's part of the gradient is clipped before they are added. "
            "What is it that must not be too large?",
            _clips_each(share_first=True),
        ),
        Mistake(
            "clips while adding",
            "The sum is clipped after every micro-batch, so that early ones lose weight. "
            "When is the sum complete?",
            _clips_each(share_first=True, running=True),
        ),
        Mistake(
            "clips before dividing",
            "The sum is clipped and then divided by the steps. Which of the two is the gradient "
            "that max_norm speaks of?",
            _clips_the_sum,
        ),
        Mistake(
            "clips the step",
            "The gradient is multiplied by lr before it is clipped. max_norm limits the gradient.",
            _clips_the_step,
        ),
        Mistake(
            "each tensor clipped by itself",
            "Every tensor is clipped by its own norm, which turns the gradient's direction. "
            "One norm is for all together.",
            _epoch(clip=_each_tensor_clipped),
        ),
        Mistake(
            "entries cut off",
            "Single entries are cut off at max_norm, which turns the gradient's direction. "
            "It is the norm of all that is limited.",
            _epoch(clip=_cut_off),
        ),
        Mistake(
            "biases left out of the norm",
            "The norm is taken over the matrices only. The biases' gradients belong to it too.",
            _epoch(clip=_matrices_clipped),
        ),
        Mistake(
            "norm not rooted",
            "The sum of the squares is not yet the norm.",
            _epoch(clip=_scaled_clip(lambda norm, top: min(1.0, top / norm**2))),
        ),
        Mistake(
            "always scaled to max_norm",
            "Gradients that are small enough are made larger. When is there something to clip?",
            _epoch(clip=_scaled_clip(lambda norm, top: top / norm)),
        ),
        Mistake(
            "small ones scaled up, large ones left",
            "Gradients below max_norm are scaled up to it and large ones are left: look at the "
            "comparison.",
            _epoch(clip=_scaled_clip(lambda norm, top: max(1.0, top / norm))),
        ),
        Mistake(
            "always clipped to 1",
            "The gradients are clipped to 1 whatever max_norm is.",
            _epoch(clip=lambda grads, max_norm: _clipped(grads, 1.0)),
        ),
        Mistake(
            "scale upside down",
            "A gradient that is too large becomes larger still: look at the quotient.",
            _epoch(clip=_scaled_clip(lambda norm, top: max(1.0, norm / top))),
        ),
        Mistake(
            "uphill",
            "The weights move uphill: look at the sign of the step.",
            _with_rate(lambda lr, k, n: -lr),
        ),
        Mistake(
            "lr ignored",
            "The steps don't depend on lr.",
            _with_rate(lambda lr, k, n: 1.0),
        ),
        Mistake(
            "lr divided by k",
            "The steps are k times too short. The gradient is a mean already.",
            _with_rate(lambda lr, k, n: lr / k),
        ),
        Mistake(
            "lr divided by the window's length",
            "The steps are too short, the more micro-batches the window has. "
            "The gradient is a mean already.",
            _with_rate(lambda lr, k, n: lr / n),
        ),
        Mistake(
            "lr times k",
            "The steps are k times too long. A window makes one step, however many micro-batches.",
            _with_rate(lambda lr, k, n: lr * k),
        ),
        Mistake(
            "lr gets smaller",
            "The steps get shorter from window to window. lr stays as it is.",
            _falling_rate,
        ),
        Mistake(
            "two steps an update",
            "Every step is made twice.",
            _with_rate(lambda lr, k, n: 2 * lr),
        ),
        Mistake(
            "a step in mid-window",
            "The weights move after every micro-batch of a window, so that the next ones are seen "
            "by other weights. When is the gradient complete?",
            _steps_inside(so_far=False),
        ),
        Mistake(
            "a step with the sum so far",
            "After every micro-batch the weights move by all that has been added so far. "
            "When is the gradient complete?",
            _steps_inside(so_far=True),
        ),
        Mistake(
            "all gradients at the first weights",
            "Every window's gradient is taken at the weights of the epoch's beginning. "
            "After an update there are new ones.",
            _all_at_the_first_weights,
        ),
        Mistake(
            "each update from the first weights",
            "Every update starts from the epoch's first weights, so only the last one counts.",
            _each_from_the_first_weights,
        ),
        Mistake(
            "gradients never reset",
            "Each window adds to the gradients of those before. With what must a window begin?",
            _never_reset,
        ),
        Mistake(
            "neither sums nor count reset",
            "Sums and count go on from window to window. With what must a window begin?",
            _never_reset_nor_counted_anew,
        ),
        Mistake(
            "momentum",
            "Part of the last step is made again. That is momentum; plain SGD is asked for.",
            _with_momentum,
        ),
        Mistake(
            "average of the weights",
            "What came back is the average of the weights over the epoch. "
            "Asked for are those after the last update.",
            _keeps_an_average,
        ),
        Mistake(
            "biases not updated",
            "The biases stay as they were.",
            _epoch(
                step=lambda params, grads, lr: _moved(params, grads, lr)._replace(
                    b=params.b, c=params.c
                ),
            ),
        ),
        Mistake(
            "nothing changes",
            "The weights that came back are those that went in.",
            lambda params, *rest: _scaled(params, 1.0),
        ),
        Mistake(
            "gradients returned",
            "What came back are the last window's gradients. Asked for are the new weights.",
            _epoch(step=lambda params, grads, lr: grads),
        ),
        Mistake(
            "weights pulled to zero",
            "The weights shrink at every update besides following the gradient. "
            "Plain SGD is asked for.",
            _epoch(
                step=lambda params, grads, lr: _moved(_scaled(params, 1 - 0.01 * lr), grads, lr)
            ),
        ),
        Mistake(
            "writes into params",
            "The caller's weights are overwritten. Make new arrays for the new weights.",
            _in_place,
        ),
        Mistake(
            "changes the micro-batches",
            MICRO_BATCHES_CHANGED,
            _pops,
        ),
        Mistake(
            "leftovers leak into the next call",
            "The micro-batches that fill no window wait until the function is called again, "
            "and are then seen by other weights.",
            _LeaksLeftovers(),
        ),
        Mistake(
            "gradients kept for the next call",
            "The gradients of the last window are still there when the function is called again. "
            "With what must it begin?",
            _KeepsGradients(),
        ),
        Mistake(
            "remembers its own params",
            "Your function goes on from its own last result, whatever params it is given.",
            _KeepsParams(),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            lambda *args: _as_float32(_plain_epoch(*args)),
        ),
    ),
)

# 4.4 train_epoch_torch ----------------------------------------------------------------------------


def _torch_cases(rng):
    _warm_up()
    sizes = 4, 6, 5  # D, H, K
    sgd, momentum = ("SGD", {"lr": 0.5}), ("SGD", {"lr": 0.2, "momentum": 0.9})
    two_groups = (*sgd, 3)
    for label, epochs, optimizer, k, max_norm in [
        ("", [[[3, 1], [2], [1, 2, 3]]], sgd, 2, None),
        ("With clipping", [[[2, 1], [3], [2, 1, 1], [1, 2]]], sgd, 2, 0.2),
        ("With gradients left from before", [[[3, 1], [2]]], sgd, 1, None),
        ("After two epochs with momentum", [[[1, 2], [3], [1]]] * 2, momentum, 2, 0.2),
        ("With Adam", [[[1, 2], [3, 1, 2], [3], [1]]], ("Adam", {"lr": 0.1}), 3, 1000.0),
        ("With fewer micro-batches than k", [[[2, 2], [1]]], sgd, 3, None),
    ]:
        epochs = [[_batch(rng, lengths, *sizes) for lengths in epoch] for epoch in epochs]
        old = _params(rng, *sizes) if "left" in label else None
        yield Case(label, ((_params(rng, *sizes), old), epochs, optimizer, k, max_norm))
    steep = _params(rng, *sizes)
    steep = steep._replace(W=300 * steep.W), None
    batches = [_batch(rng, lengths, *sizes) for lengths in ([2, 1], [2])]
    yield Case(
        "With large gradients and no clipping", (steep, [batches], ("SGD", {"lr": 0.01}), 2, None)
    )
    steep = _params(rng, *sizes)
    steep = steep._replace(W=5 * steep.W), None
    batches = [_batch(rng, lengths, *sizes) for lengths in ([1, 3], [2, 1], [3])]
    label = "With clipping to 2 and an optimizer with two groups of parameters"
    yield Case(label, (steep, [batches], two_groups, 2, 2.0))
    twelve, model = _twelve_from_zeros(rng, sizes), (_params(rng, *sizes), None)
    yield Case("With twelve micro-batches that start from zeros", (model, [twelve], sgd, 2, None))


def _warm_up():
    """PyTorch loads much of itself at its first use, which is nobody's working time."""
    import torch

    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1).step()


@functools.cache
def _network():
    import torch

    class Network(torch.nn.Module):
        """A small recurrent network that writes down what is done with it."""

        def __init__(self, params):
            super().__init__()
            for name, array in params._asdict().items():
                setattr(self, name, torch.nn.Parameter(torch.tensor(array)))
            self.calls = []

        def forward(self, x, h0):
            if not self.training:
                x = x / 2  # a layer that does something else in evaluation, as dropout does
            h_t, h = h0, []
            for a_t in x @ self.U + self.b:
                h_t = torch.tanh(a_t + h_t @ self.V)
                h.append(h_t)
            o = torch.stack(h) @ self.W + self.c
            self.calls.append("forward")
            if o.requires_grad:
                o.register_hook(lambda _: self.calls.append("backward"))
            return o

        def zero_grad(self, *args, **kwargs):
            self.calls.append("zero_grad")
            super().zero_grad(*args, **kwargs)

    return Network


class _Trained(tuple):
    """What a model has become, and in `calls` what was done to it."""

    calls = ()


def _train_a_model(train, model, epochs, optimizer, k, max_norm):
    """The weights after all epochs, the number of updates, and how many gradients are left."""
    import torch

    weights, stale = model
    with _torch_as_it_was():
        model = _network()(weights)
        if stale:
            for parameter, array in zip(model.parameters(), stale, strict=True):
                parameter.grad = torch.tensor(array)
        optimizer = _optimizer([*model.parameters()], *optimizer)
        _watch(optimizer, model.calls)
        for batches in epochs:
            tensors = [Batch(*map(torch.from_numpy, batch)) for batch in batches]
            given = [*tensors]
            _attempted(train, model, tensors, optimizer, k, max_norm)
            if [*map(id, tensors)] != [*map(id, given)]:
                batches.clear()  # the caller's list was changed: so that this is seen
        left = sum(p.grad is not None and bool(p.grad.any()) for p in model.parameters())
        params = RNNParams(*(getattr(model, n).detach().numpy() for n in RNNParams._fields))
    result = _Trained((params, model.calls.count("step"), left))
    result.calls = model.calls
    return result


def _optimizer(parameters, kind, options, first=None):
    """An optimizer; if `first` is a number, that many parameters make a first group of two."""
    import torch

    if first:
        parameters = [{"params": parameters[:first]}, {"params": parameters[first:]}]
    return getattr(torch.optim, kind)(parameters, **options)


def _attempted(train, *args):
    """Calls it. PyTorch's own NotImplementedError must not look like an exercise not attempted."""
    try:
        train(*args)
    except NotImplementedError as error:
        if "not implemented for" not in str(error):
            raise
        said = f"{error} (cross_entropy takes the logits first, then the targets)"
        raise TypeError(said).with_traceback(error.__traceback__) from None


def _watch(optimizer, calls):
    """Every step and zero_grad of the optimizer is written into `calls`."""
    zero_grad = optimizer.zero_grad

    def watched(*args, **kwargs):
        calls.append("zero_grad")
        zero_grad(*args, **kwargs)

    optimizer.zero_grad = watched
    optimizer.register_step_pre_hook(lambda *_: calls.append("step"))


@contextlib.contextmanager
def _torch_as_it_was():
    """One thread, the fastest for small tensors; afterwards PyTorch's settings are as before."""
    import torch

    threads, dtype, state = (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.get_rng_state(),
    )
    deterministic, anomaly = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_anomaly_enabled(),
    )
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_rng_state(state)
        torch.use_deterministic_algorithms(deterministic)
        torch.autograd.set_detect_anomaly(anomaly)


def _calls_in_words(cases, values):
    """What was done to the model in the first case."""
    if not isinstance(values[0], _Trained):
        return "In the first case it stopped on the way."
    (*_, k, _), calls = cases[0].args, [c for c in values[0].calls if c != "forward"]
    n = len(cases[0].args[1][0])
    said = ", ".join(f"`{c}`" for c in calls[:12]) + (", …" if len(calls) > 12 else "")
    return f"With {n} micro-batches and k={k} the calls were: {said or 'none'}."


def _summed_loss(model, batch):
    from torch.nn.functional import cross_entropy

    o, targets = model(batch.x, batch.h0), batch.targets.masked_fill(~batch.mask, -100)
    return cross_entropy(o.flatten(0, 1), targets.flatten(), reduction="sum")


def _clip_torch(model, max_norm):
    from torch.nn.utils import clip_grad_norm_

    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)


def _divide(model, n):
    for parameter in model.parameters():
        parameter.grad /= n


def _torch_epoch(
    ends=_ends,
    weights=_right,
    prepare=lambda batch: batch,
    loss=lambda *args: _summed_loss(*args),
    each=lambda model, optimizer, max_norm: None,
    update=lambda *args: _clip_and_step(*args),
    clear="first, after every update, last",
):
    """`train_epoch_torch` put together from parts of which one may be wrong.

    each    what is done after every backward
    update  what is done at the end of a window
    clear   when the gradients are set to zero
    """

    def train(model, micro_batches, optimizer, k, max_norm):
        if "first" in clear:
            optimizer.zero_grad()
        n = len(micro_batches)
        last = ends(n, k)
        for window in filter(len, _cut(range(n), [*last, n - 1])):
            batches = [prepare(micro_batches[i]) for i in window]
            factors = weights(np.array([*map(_real, batches)]), batches, k)
            for i, batch, factor in zip(window, batches, factors, strict=True):
                if factor:
                    (factor * loss(model, batch)).backward()
                each(model, optimizer, max_norm)
                if i in last:
                    update(model, optimizer, max_norm)
                    if "after every update" in clear:
                        optimizer.zero_grad()
        if "last" in clear:
            optimizer.zero_grad()

    return train


def _clip_and_step(model, optimizer, max_norm):
    _clip_torch(model, max_norm)
    optimizer.step()


def _padding_summed(model, batch):
    return _summed_loss(model, batch._replace(mask=batch.mask | True))


def _softmax_first(model, batch):
    return _summed_loss(lambda x, h0: model(x, h0).softmax(dim=-1), batch)


def _sliced_torch(windows):
    """`train_epoch_torch` on other windows; one without a micro-batch makes an empty step."""

    def train(model, micro_batches, optimizer, k, max_norm):
        optimizer.zero_grad()
        for window in windows(micro_batches, _ends(len(micro_batches), k), k):
            for batch in window:
                (_summed_loss(model, batch) / sum(map(_real, window))).backward()
            _step_and_clear(model, optimizer, max_norm)

    return train


def _count_never_reset_torch(model, micro_batches, optimizer, k, max_norm):
    optimizer.zero_grad()
    n = 0
    for window in _windows(micro_batches, k):
        n += sum(map(_real, window))
        for batch in window:
            (_summed_loss(model, batch) / n).backward()
        _step_and_clear(model, optimizer, max_norm)


def _clips_then_divides(model, micro_batches, optimizer, k, max_norm):
    optimizer.zero_grad()
    for window in _windows(micro_batches, k):
        for batch in window:
            _summed_loss(model, batch).backward()
        _clip_torch(model, max_norm)
        for parameter in model.parameters():
            parameter.grad /= sum(map(_real, window))
        optimizer.step()
        optimizer.zero_grad()


def _step_before_backward(model, micro_batches, optimizer, k, max_norm):
    optimizer.zero_grad()
    for window in _windows(micro_batches, k):
        _step_and_clear(model, optimizer, max_norm)
        for batch in window:
            (_summed_loss(model, batch) / sum(map(_real, window))).backward()
    optimizer.zero_grad()


def _running_total(model, micro_batches, optimizer, k, max_norm):
    optimizer.zero_grad()
    for window in _windows(micro_batches, k):
        total = 0.0
        for batch in window:
            total = total + _summed_loss(model, batch) / sum(map(_real, window))
            total.backward(retain_graph=True)
        _step_and_clear(model, optimizer, max_norm)


def _cleared_before_each(model, micro_batches, optimizer, k, max_norm):
    for window in _windows(micro_batches, k):
        for batch in window:
            optimizer.zero_grad()
            (_summed_loss(model, batch) / sum(map(_real, window))).backward()
        _clip_and_step(model, optimizer, max_norm)
    optimizer.zero_grad()


def _cleared_before_each_window(model, micro_batches, optimizer, k, max_norm):
    for window in _windows(micro_batches, k):
        optimizer.zero_grad()
        for batch in window:
            (_summed_loss(model, batch) / sum(map(_real, window))).backward()
        _clip_and_step(model, optimizer, max_norm)


def _one_step_more(model, micro_batches, optimizer, k, max_norm):
    _torch_epoch()(model, micro_batches, optimizer, k, max_norm)
    optimizer.step()


def _divided_by_all_steps(model, micro_batches, optimizer, k, max_norm):
    n = sum(map(_real, micro_batches))
    train = _torch_epoch(weights=lambda own, *_: np.full(len(own), 1 / n))
    train(model, micro_batches, optimizer, k, max_norm)


def _scales_lr(put_back):
    def train(model, micro_batches, optimizer, k, max_norm):
        lr = optimizer.param_groups[0]["lr"]
        optimizer.param_groups[0]["lr"] = lr / k
        _torch_epoch()(model, micro_batches, optimizer, k, max_norm)
        if put_back:
            optimizer.param_groups[0]["lr"] = lr

    return train


def _own_sgd(model, optimizer, max_norm):
    _clip_torch(model, max_norm)
    for parameter in model.parameters():
        parameter.data -= optimizer.param_groups[0]["lr"] * parameter.grad


def _with_new_optimizer(model, optimizer, max_norm):
    _clip_and_step(model, type(optimizer)(model.parameters(), **optimizer.defaults), max_norm)


def _forgets_momentum(model, optimizer, max_norm):
    optimizer.state.clear()
    _clip_and_step(model, optimizer, max_norm)


def _in_evaluation_mode(model, *rest):
    model.eval()
    _torch_epoch()(model, *rest)


def _step_and_clear(model, optimizer, max_norm):
    _clip_and_step(model, optimizer, max_norm)
    optimizer.zero_grad()


def _clear_then_step(model, optimizer, max_norm):
    optimizer.zero_grad()
    _clip_and_step(model, optimizer, max_norm)


def _steps_twice(model, optimizer, max_norm):
    _clip_and_step(model, optimizer, max_norm)
    optimizer.step()


def _clip_none_too(model, optimizer, max_norm):
    from torch.nn.utils import clip_grad_norm_

    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


def _clip_none_to_one(model, optimizer, max_norm):
    _clip_and_step(model, optimizer, max_norm or 1.0)


def _clip_values(model, optimizer, max_norm):
    from torch.nn.utils import clip_grad_value_

    if max_norm is not None:
        clip_grad_value_(model.parameters(), max_norm)
    optimizer.step()


def _clip_each_tensor(model, optimizer, max_norm):
    from torch.nn.utils import clip_grad_norm_

    if max_norm is not None:
        for parameter in model.parameters():
            clip_grad_norm_([parameter], max_norm)
    optimizer.step()


def _clip_first_group(model, optimizer, max_norm):
    from torch.nn.utils import clip_grad_norm_

    if max_norm is not None:
        clip_grad_norm_(optimizer.param_groups[0]["params"], max_norm)
    optimizer.step()


def _pops_torch(model, micro_batches, *rest):
    _torch_epoch()(model, [*micro_batches], *rest)
    micro_batches.clear()


def _clears_padding_torch(model, micro_batches, *rest):
    _torch_epoch()(model, micro_batches, *rest)
    for batch in micro_batches:
        batch.x[~batch.mask] = 0


TRAIN_EPOCH_TORCH = Exercise(
    number="4.4",
    returns="weights RNNParams, updates int, gradients_left int",
    reference=train_epoch_torch,
    cases=_torch_cases,
    trial=_train_a_model,
    tolerance=1e-7,  # clipping by hand without PyTorch's 1e-6, a share of int tensors: both 2e-8
    summary=_calls_in_words,
    mistakes=(
        *(
            Mistake(name, hint, _torch_epoch(weights=weights))
            for name, hint, weights in WRONG_WEIGHTS
            if "last micro-batch only" not in name
        ),
        Mistake(
            "divided by k",
            "The means of the micro-batches are added and divided by k, even in a last window of "
            "fewer. Count what the mean is over: is it micro-batches at all?",
            _torch_epoch(weights=_each_over_k),
        ),
        Mistake(
            "divided by the steps of the epoch",
            "Each window's sum is divided by the real steps of the whole epoch. "
            "Which steps stand behind this update?",
            _divided_by_all_steps,
        ),
        Mistake(
            "count of steps never reset",
            "The real steps are counted on from window to window. Which stand behind this update?",
            _count_never_reset_torch,
        ),
        Mistake(
            "padding in the sum",
            "The losses of the padding are in the sum, though only the real steps are counted. "
            "What does the mask pick?",
            _torch_epoch(loss=_padding_summed),
        ),
        Mistake(
            "softmax before the loss",
            "cross_entropy takes logits and has the softmax in it. Here it is taken twice.",
            _torch_epoch(loss=_softmax_first),
        ),
        *(Mistake(name, hint, _sliced_torch(windows)) for name, hint, windows in WRONG_SLICES),
        *(Mistake(name, hint, _torch_epoch(ends=ends)) for name, hint, ends in WRONG_ENDS),
        Mistake(
            "the loop of many tutorials",
            "Every loss is a mean divided by k, an update comes whenever the counter is divisible "
            "by k, beginning with 0, and what is left at the end waits for the next epoch. "
            "Take these three one at a time.",
            _torch_epoch(
                ends=_wrong_ends("fires at the first one"),
                weights=_each_over_k,
                clear="after every update",
            ),
        ),
        Mistake(
            "that loop as it is copied",
            "Every loss is a mean divided by k, an update comes whenever the counter is divisible "
            "by k, beginning with 0, what is left at the end waits for the next epoch, and nothing "
            "is clipped. Take these four one at a time.",
            _torch_epoch(
                ends=_wrong_ends("fires at the first one"),
                weights=_each_over_k,
                update=lambda model, optimizer, max_norm: optimizer.step(),
                clear="after every update",
            ),
        ),
        Mistake(
            "that loop, cleared at the beginning",
            "Every loss is a mean divided by k, an update comes whenever the counter is divisible "
            "by k, beginning with 0, and what is left at the end is never used. "
            "Take these three one at a time.",
            _torch_epoch(
                ends=_wrong_ends("fires at the first one"),
                weights=_each_over_k,
                clear="first, after every update",
            ),
        ),
        Mistake(
            "that loop, counting from 1",
            "Every loss is a mean divided by k, and what is left at the end waits for the next "
            "epoch. Take these two one at a time.",
            _torch_epoch(
                ends=_wrong_ends("leftovers dropped"),
                weights=_each_over_k,
                clear="after every update",
            ),
        ),
        Mistake(
            "leftovers leak into the next epoch",
            "The micro-batches that don't fill a last window leave their gradients behind, "
            "and the next epoch adds to them. What happens at the end of the epoch?",
            _torch_epoch(ends=_wrong_ends("leftovers dropped"), clear="after every update"),
        ),
        Mistake(
            "gradients never cleared",
            "The gradients are never set to zero, so each update repeats all that came before.",
            _torch_epoch(clear=""),
        ),
        Mistake(
            "gradients cleared only at the beginning",
            "The gradients are set to zero at the beginning of the epoch only. "
            "With what must every window begin?",
            _torch_epoch(clear="first"),
        ),
        Mistake(
            "gradients cleared only around the epoch",
            "The gradients are set to zero at the beginning and end of the epoch, but not between "
            "the windows. With what must every window begin?",
            _torch_epoch(clear="first, last"),
        ),
        Mistake(
            "gradients cleared only at the end",
            "The gradients are set to zero at the end of the epoch only. "
            "With what must every window begin?",
            _torch_epoch(clear="last"),
        ),
        Mistake(
            "old gradients not cleared",
            "Gradients that were there before the call are added to the first window's. "
            "backward() only ever adds.",
            _torch_epoch(clear="after every update"),
        ),
        Mistake(
            "gradients left behind",
            "The last window's gradients are still there at the end. Whoever calls backward() next "
            "adds to them.",
            _cleared_before_each_window,
        ),
        Mistake(
            "last micro-batch only",
            "Only a window's last micro-batch counts: are the gradients set to zero before it, or "
            "is the loss replaced?",
            _cleared_before_each,
        ),
        Mistake(
            "cleared before the step",
            "At the step the weights have no gradients. Were they set to zero too early, did "
            "backward never reach them, or is it another model than the given one that is trained?",
            _torch_epoch(update=_clear_then_step),
        ),
        Mistake(
            "no step",
            "The optimizer never makes a step.",
            _torch_epoch(update=lambda model, optimizer, max_norm: _clip_torch(model, max_norm)),
        ),
        Mistake(
            "a step after every micro-batch",
            "There is a step after every backward, and another at the end of the window. "
            "When is the gradient complete?",
            _torch_epoch(each=_clip_and_step),
        ),
        Mistake(
            "a step with every part",
            "Every micro-batch's part of the gradient makes a step of its own. "
            "When is the gradient complete?",
            _torch_epoch(each=_step_and_clear, update=lambda *_: None),
        ),
        Mistake(
            "a step with the sum so far",
            "After every micro-batch a step is made with all that has been added so far. "
            "When is the gradient complete?",
            _torch_epoch(each=_clip_and_step, update=lambda *_: None),
        ),
        Mistake(
            "two steps an update",
            "The optimizer makes two steps for every window.",
            _torch_epoch(update=_steps_twice),
        ),
        Mistake(
            "step before backward",
            "The step comes before the window's backward calls, so every update is one window "
            "late and the last is lost.",
            _step_before_backward,
        ),
        Mistake(
            "one step too many",
            "At the end of the epoch there is a step more than there are windows. "
            "When are there leftovers?",
            _one_step_more,
        ),
        Mistake(
            "backward on the running total",
            "backward is called on the sum of all losses so far, so the early micro-batches are "
            "counted again and again.",
            _running_total,
        ),
        Mistake(
            "never clipped",
            "The steps are made with gradients that were not clipped: where does max_norm come in, "
            "and when?",
            _torch_epoch(update=lambda model, optimizer, max_norm: optimizer.step()),
        ),
        Mistake(
            "None not expected",
            "With max_norm=None nothing is to be clipped: `clip_grad_norm_` takes only numbers.",
            _torch_epoch(update=_clip_none_too),
        ),
        Mistake(
            "None taken for 1",
            "With max_norm=None nothing is to be clipped. Here it is clipped to 1.",
            _torch_epoch(update=_clip_none_to_one),
        ),
        Mistake(
            "clips after every micro-batch",
            "The gradients are clipped after every backward, so that early micro-batches lose "
            "weight. When is the sum complete?",
            _torch_epoch(each=lambda model, optimizer, max_norm: _clip_torch(model, max_norm)),
        ),
        Mistake(
            "clips before dividing",
            "The summed gradients are clipped and then divided by the steps. Which of the two is "
            "the gradient that max_norm speaks of?",
            _clips_then_divides,
        ),
        Mistake(
            "entries cut off",
            "Single entries are cut off at max_norm, which turns the gradient's direction. "
            "It is the norm of all that is limited.",
            _torch_epoch(update=_clip_values),
        ),
        Mistake(
            "each tensor clipped by itself",
            "Every tensor is clipped by its own norm, which turns the gradient's direction. "
            "One norm is for all together.",
            _torch_epoch(update=_clip_each_tensor),
        ),
        Mistake(
            "only the first group clipped",
            "Only the optimizer's first group of parameters is clipped: it may have more than one. "
            "Whose norm is limited?",
            _torch_epoch(update=_clip_first_group),
        ),
        Mistake(
            "mask ignored",
            "Padding is treated as if it were real: what does the mask say?",
            _torch_epoch(prepare=lambda batch: batch._replace(mask=batch.mask | True)),
        ),
        Mistake(
            "h0 ignored",
            "Every micro-batch starts from zeros. Each brings its own first memory.",
            _torch_epoch(prepare=_from_zero),
        ),
        Mistake(
            "own step downhill",
            "The optimizer that is given makes no step: the weights are moved by hand, or by "
            "another one, which doesn't know what this one remembers.",
            _torch_epoch(update=_own_sgd),
        ),
        Mistake(
            "lr divided by k",
            "The optimizer's lr is divided by k during the epoch. The gradient is a mean already.",
            _scales_lr(put_back=True),
        ),
        Mistake(
            "lr divided by k for good",
            "The optimizer's lr is divided by k, and in the next epoch once more. "
            "The gradient is a mean already.",
            _scales_lr(put_back=False),
        ),
        Mistake(
            "new optimizer for every window",
            "Every window gets a new optimizer, which has forgotten the steps before "
            "(momentum, Adam's means). Use the one that is given.",
            _torch_epoch(update=_with_new_optimizer),
        ),
        Mistake(
            "optimizer's memory cleared",
            "The optimizer's state is emptied between the updates. It needs it: "
            "momentum and Adam's means are there.",
            _torch_epoch(update=_forgets_momentum),
        ),
        Mistake(
            "in evaluation mode",
            "The model is switched to eval(), in which some layers work otherwise. "
            "This is training.",
            _in_evaluation_mode,
        ),
        Mistake(
            "changes the micro-batches",
            MICRO_BATCHES_CHANGED,
            _pops_torch,
        ),
        Mistake(
            "writes into the batches",
            "The caller's batches are written into. Work on copies.",
            _clears_padding_torch,
        ),
    ),
)

# 4.5 activation_bytes -----------------------------------------------------------------------------


def _bytes_cases(rng):
    for args in [
        (12, 8, 16, 2),
        (12, 8, 16, 1),
        (9, 7, 5, 3),
        (20, 10, 3, 4, 4),
        (1, 1, 1, 1),
        (5, 8, 4, 3),
        (6, 3, 4, 5),
        (256, 64, 32, 8, 2),
        (5000, 307, 203, 1),  # more than 2**31, yet an array of that size can still be made
        tuple(int(n) for n in rng.integers(50, 99, size=3)) + (7, 8),
    ]:
        names = zip("TBHk", args, strict=False)
        label = "For " + ", ".join(f"{n}={a}" for n, a in names)
        yield Case(label + (f", itemsize={args[4]}" if len(args) > 4 else ""), args)


def _rows_of_one(B, k):
    return -(-B // k)


ACTIVATION_BYTES = Exercise(
    number="4.5",
    returns="bytes int",
    reference=activation_bytes,
    cases=_bytes_cases,
    mistakes=(
        Mistake(
            "h0 not counted",
            "The first memory h0 is stored too: how many memories are there with T steps?",
            lambda T, B, H, k, itemsize=8: T * _rows_of_one(B, k) * H * itemsize,
        ),
        Mistake(
            "rounded down",
            "When k doesn't divide B, the largest micro-batch has more rows than B // k.",
            lambda T, B, H, k, itemsize=8: (T + 1) * (B // k) * H * itemsize,
        ),
        Mistake(
            "product divided",
            "`(T + 1) * B // k` divides the product and rounds that down. It is B that is divided, "
            "and rounded up.",
            lambda T, B, H, k, itemsize=8: (T + 1) * B // k * H * itemsize,
        ),
        Mistake(
            "h0 not counted, rounded down",
            "Two things: h0 is stored too, and when k doesn't divide B the largest micro-batch has "
            "more rows than B // k.",
            lambda T, B, H, k, itemsize=8: T * (B // k) * H * itemsize,
        ),
        Mistake(
            "h0 not counted, product divided",
            "Two things: h0 is stored too, and `T * B // k` divides the product. It is B that is "
            "divided, and rounded up.",
            lambda T, B, H, k, itemsize=8: T * B // k * H * itemsize,
        ),
        Mistake(
            "T + 1 without brackets",
            "`T + 1 * rows` is T plus the rows: what is to come first needs brackets.",
            lambda T, B, H, k, itemsize=8: T + 1 * _rows_of_one(B, k) * H * itemsize,
        ),
        Mistake(
            "rounded down, at least one row",
            "There is at least one row now, but when k doesn't divide B the largest micro-batch "
            "still has more rows than this.",
            lambda T, B, H, k, itemsize=8: (T + 1) * max(B // k, 1) * H * itemsize,
        ),
        Mistake(
            "rounded to the nearest",
            "B / k is rounded to the nearest whole number. The largest micro-batch is what has to "
            "fit into memory.",
            lambda T, B, H, k, itemsize=8: (T + 1) * round(B / k) * H * itemsize,
        ),
        Mistake(
            "always one row more",
            "When k divides B there is one row too many.",
            lambda T, B, H, k, itemsize=8: (T + 1) * (B // k + 1) * H * itemsize,
        ),
        Mistake(
            "not rounded",
            "Rows are whole: what becomes of B / k when k doesn't divide B?",
            lambda T, B, H, k, itemsize=8: (T + 1) * (B / k) * H * itemsize,
        ),
        Mistake(
            "a float on the way",
            "Bytes are counted in ints, and here a float comes in: where? "
            "(`np.ceil` and `/` make floats.)",
            lambda T, B, H, k, itemsize=8: float((T + 1) * _rows_of_one(B, k) * H * itemsize),
        ),
        Mistake(
            "cut off at the end",
            "The bytes are rounded, not the rows. A micro-batch has whole rows.",
            lambda T, B, H, k, itemsize=8: int((T + 1) * B * H * itemsize / k),
        ),
        Mistake(
            "rounded up at the end",
            "The product is rounded up, not the rows. A micro-batch has whole rows.",
            lambda T, B, H, k, itemsize=8: -(-(T + 1) * B * H * itemsize // k),
        ),
        Mistake(
            "whole batch",
            "k changes nothing here. How many rows are in memory at a time?",
            lambda T, B, H, k, itemsize=8: (T + 1) * B * H * itemsize,
        ),
        Mistake(
            "all micro-batches together",
            "The micro-batches are added up. They are in memory one after the other.",
            lambda T, B, H, k, itemsize=8: k * (T + 1) * _rows_of_one(B, k) * H * itemsize,
        ),
        Mistake(
            "k rows",
            "k is taken for the rows of a micro-batch. It is the number of micro-batches.",
            lambda T, B, H, k, itemsize=8: (T + 1) * k * H * itemsize,
        ),
        Mistake(
            "numbers, not bytes",
            "These are numbers. How many bytes does one take?",
            lambda T, B, H, k, itemsize=8: (T + 1) * _rows_of_one(B, k) * H,
        ),
        Mistake(
            "bits",
            "These are bits.",
            lambda T, B, H, k, itemsize=8: (T + 1) * _rows_of_one(B, k) * H * itemsize * 8,
        ),
        Mistake(
            "always 8 bytes",
            "A number takes 8 bytes here whatever itemsize is.",
            lambda T, B, H, k, itemsize=8: (T + 1) * _rows_of_one(B, k) * H * 8,
        ),
        Mistake(
            "4 bytes if nothing is said",
            "Without itemsize a number takes 8 bytes: float64 is meant.",
            lambda T, B, H, k, itemsize=4: (T + 1) * _rows_of_one(B, k) * H * itemsize,
        ),
        Mistake(
            "steps divided, not rows",
            "The steps are shared out over the micro-batches. What is a batch cut along?",
            lambda T, B, H, k, itemsize=8: (-(-T // k) + 1) * B * H * itemsize,
        ),
        Mistake(
            "units divided, not rows",
            "The units are shared out over the micro-batches. What is a batch cut along?",
            lambda T, B, H, k, itemsize=8: (T + 1) * B * -(-H // k) * itemsize,
        ),
        Mistake(
            "gradients too",
            "It is twice as much as the stored states take.",
            lambda T, B, H, k, itemsize=8: 2 * (T + 1) * _rows_of_one(B, k) * H * itemsize,
        ),
        Mistake(
            "last state only",
            "Only one state is counted. BPTT needs every one of them.",
            lambda T, B, H, k, itemsize=8: _rows_of_one(B, k) * H * itemsize,
        ),
        Mistake(
            "two states more",
            "There is one state too many: h0 and one for each step.",
            lambda T, B, H, k, itemsize=8: (T + 2) * _rows_of_one(B, k) * H * itemsize,
        ),
        Mistake(
            "one h0 for all rows",
            "h0 is counted as a single row. Every sequence has its own.",
            lambda T, B, H, k, itemsize=8: (T * _rows_of_one(B, k) + 1) * H * itemsize,
        ),
        Mistake(
            "kilobytes",
            "These are kilobytes.",
            lambda T, B, H, k, itemsize=8: (T + 1) * _rows_of_one(B, k) * H * itemsize // 1000,
        ),
    ),
)

EXERCISES = (
    ACCUMULATE_GRADIENTS,
    UPDATE_AFTER,
    TRAIN_EPOCH,
    TRAIN_EPOCH_TORCH,
    ACTIVATION_BYTES,
)

QUESTIONS = (
    Question(
        "4.1",
        answer=4.5,
        because="The means are 3 and 6, and half of each makes 1.5 + 3 = 4.5. The single 6 counts "
        "for as much as 2 and 4 together.",
        replies={
            4: "That is the mean of all three steps. Take the mean of each micro-batch first.",
            9: "That is the sum of the two means. Each is still to be divided by k = 2.",
            6: "Take the means, 3 and 6. What do you get if you halve each and add?",
            3: "That is the first micro-batch's mean. The second adds its part.",
            12: "That is the sum of all three. Take the mean of each micro-batch first.",
        },
    ),
    Question(
        "4.2",
        choices="abc",
        answer="c",
        because="The pair of 1 and 2, three real steps, counts for as much as the pair with "
        "fifteen.",
        replies={
            "a": "Count the real steps in each pair: 14, 15, 3 and 13. Each counts for a quarter.",
            "b": "Count the real steps in each pair: 14, 15, 3 and 13. Each counts for a quarter.",
        },
    ),
    Question(
        "4.3",
        answer=5,
        because="It updates at counter 0 and at counter 4. What comes after, 5, 6 and 7, waits for "
        "an update that never comes.",
        replies={
            8: "At which counters does it update? What happens to those after the last of them?",
            4: "Mind counter 0: what is 0 % 4?",
            7: "At which counters does it update? What happens to those after the last of them?",
            2: "That is how many updates there are. How many micro-batches stand behind them?",
            6: "At which counters does it update? What happens to those after the last of them?",
        },
    ),
    Question(
        "4.4",
        choices="abc",
        answer="b",
        because="One update too early at the beginning, one missing at the end: the number comes "
        "out right.",
        replies={
            "a": "It misses one at the end. Does it make one that the right loop doesn't?",
            "c": "It makes one too early. Does it make the one at the end?",
        },
    ),
    Question(
        "4.5",
        choices="abc",
        answer="c",
        because="Both are shortened to 1, so the small one gains weight in the mean.",
        replies={
            "a": "Clipped, both have the length 1. Where does their mean point?",
            "b": "It is shorter, yes. But clipped, both have the length 1: where does their mean "
            "point?",
        },
    ),
    Question(
        "4.6",
        choices="abc",
        answer="a",
        because="Adam divides the gradient by its own usual size, so a factor in all gradients "
        "cancels.",
        replies={
            "b": "With plain SGD it is so. What does Adam divide the gradient by?",
            "c": "Adam divides the gradient by its own usual size. What happens to a factor of 8?",
        },
    ),
    Question(
        "4.7",
        choices="abc",
        answer="b",
        because="The same sequences pass through the same cell, only not all at once.",
        replies={
            "a": "Each micro-batch is an eighth of the work. How many of them are there?",
            "c": "There are eight times as many passes. How much work is each?",
        },
    ),
    Question(
        "4.8",
        answer=3,
        because="One an update: the workers need each other's gradients only when the weights "
        "change.",
        replies={
            12: "That is one for each micro-batch of a worker. Whose gradients are needed before "
            "the weights change?",
            24: "That is one for each micro-batch. When does a worker need the gradients of the "
            "other?",
            6: "Both workers take part in the same exchange. When is one needed?",
            1: "The weights change three times, and each time both need the whole gradient.",
            4: "That is one for each micro-batch of one window. When is an exchange needed?",
        },
    ),
)
