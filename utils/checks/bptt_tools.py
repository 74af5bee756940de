"""Lesson 3, the tools around bptt: exercises 3.4 to 3.6 and their known mistakes."""

import numpy as np

from utils.bptt import gradient_flow
from utils.cell import RNNParams
from utils.gradcheck import numerical_gradient
from utils.optim import clip_gradients

from .exercise import SEVEN_DIGITS, Case, Exercise, Mistake

# 3.4 numerical_gradient --------------------------------------------------------------------------

# With a large eps, curvature makes the central difference another number than the gradient, and
# by the formula it is known which: an answer that takes other steps can't hide. So does a loss so
# steep that the default eps is large.


def _differences_cases(rng):
    for label, shape in [
        ("", (3, 4)),
        ("With a square w", (3, 3)),
        ("With a vector w", (4,)),
        ("With w of three axes", (2, 3, 2)),
        ("With w of one entry", (1, 1)),
        ("With a single number, w of no axes", ()),
        ("With other numbers of the same shape", (3, 4)),
    ]:
        yield Case(label, (_bent(rng, shape), rng.normal(size=shape)))
    yield Case("With a steep loss", (_steep(rng, (2, 3)), 1e-3 * rng.normal(size=(2, 3))))
    yield Case("With eps=0.5", (_cubic(rng, (2, 3)), rng.normal(size=(2, 3)), 0.5))
    yield Case("With eps=0.1", (_bent(rng, (3,)), rng.normal(size=3), 0.1))
    yield Case("With eps=0.001", (_steep(rng, (2, 2), 100), rng.normal(size=(2, 2)) / 100, 0.001))
    yield Case(
        "With eps=0.5 and a large w", (_cubic(rng, (2, 3)), 20 + rng.normal(size=(2, 3)), 0.5)
    )
    zeros = rng.normal(size=(3, 2)) * [[1, 0], [0, 0], [1, 1]]
    yield Case("With zeros in w", (_bent(rng, (3, 2)), zeros))
    yield Case("With another loss of the same w", (_cubic(rng, (3, 2)), zeros))
    yield Case("With a w that is another array's transpose", (_bent(rng, (2, 3)), zeros.T))
    yield Case("With the loss of a recurrent network", (_through_time(rng, 3), rng.normal(size=9)))


def _bent(rng, shape):
    """A loss with slope and curvature everywhere, which mixes all entries."""
    a, b, c = rng.normal(size=(3, *shape))

    def loss(w):
        _expect(w, shape)
        return (np.exp(a * w) + b * w**3).sum() + np.sin((c * w).sum())

    return loss


def _steep(rng, shape, steepness=2000):
    a = rng.normal(size=shape)

    def loss(w):
        _expect(w, shape)
        return (a * np.exp(steepness * w)).sum() / steepness

    return loss


def _cubic(rng, shape):
    a, b = rng.normal(size=(2, *shape))

    def loss(w):
        _expect(w, shape)
        return (a * w**3 + b * w).sum()

    return loss


def _through_time(rng, H):
    """Of V (H·H,), for one sequence."""
    x, o = rng.normal(size=(2, 4, H))

    def loss(w):
        _expect(w, (H * H,))
        h, total = np.zeros(H), 0
        for x_t, o_t in zip(x, o, strict=True):
            h = np.tanh(x_t + h @ np.reshape(w, (H, H)))
            total += o_t @ h
        return total

    return loss


def _expect(w, shape):
    if np.shape(w) != shape:
        raise ValueError(f"loss(w) expects w of the shape {shape}, got {np.shape(w)}")


def _difference(fn, loss, w, *eps):
    """One call; for a single number w a single number is as good as an array without axes."""
    got = fn(loss, w, *eps)
    return np.asarray(got) if w.ndim == 0 and isinstance(got, float) else got


def _differences(formula):
    """formula(at, eps) for each entry, at(step) the loss with that entry moved by a step."""

    def numerical_gradient(loss, w, eps=1e-5):
        gradient = np.zeros(w.shape)
        for i in np.ndindex(w.shape):
            gradient[i] = formula(_mover(loss, w, i), eps)
        return gradient

    return numerical_gradient


def _mover(loss, w, i):
    def at(step):
        moved = w.copy()
        moved[i] += step
        return loss(moved)

    return at


def _central(at, eps):
    return (at(eps) - at(-eps)) / (2 * eps)


_right_differences = _differences(_central)


def _other_default(loss, w, eps=1e-3):
    return _right_differences(loss, w, eps)


def _relative_step(loss, w, eps=1e-5):
    gradient = np.zeros(w.shape)
    for i in np.ndindex(w.shape):
        gradient[i] = _central(_mover(loss, w, i), eps * np.abs(w[i]))
    return gradient


def _all_at_once(loss, w, eps=1e-5):
    return (loss(w + eps) - loss(w - eps)) / (2 * eps)


def _all_at_once_filled(loss, w, eps=1e-5):
    return np.full(w.shape, _all_at_once(loss, w, eps))


def _rows(loss, w, eps=1e-5):
    gradient = np.zeros(w.shape)
    for i in range(len(w)):
        gradient[i] = _central(_mover(loss, w, i), eps)
    return gradient


def _matrices_only(loss, w, eps=1e-5):
    gradient = np.zeros(w.shape)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            gradient[i, j] = _central(_mover(loss, w, (i, j)), eps)
    return gradient


def _loss_of_flat(loss, w, eps=1e-5):
    return _right_differences(loss, w.ravel(), eps).reshape(w.shape)


def _not_put_back(loss, w, eps=1e-5):
    return _spoils_w(loss, w.copy(), eps)


def _leaves_w_changed(loss, w, eps=1e-5):
    back = _right_differences(loss, w, eps)
    w -= eps
    return back


def _leaves_w_as_it_comes(loss, w, eps=1e-5):
    gradient = np.zeros(w.shape)
    for i in np.ndindex(w.shape):
        w[i] += eps
        above = loss(w)
        w[i] -= 2 * eps
        gradient[i] = (above - loss(w)) / (2 * eps)
        w[i] += eps
    return gradient


def _spoils_w(loss, w, eps=1e-5):
    gradient = np.zeros(w.shape)
    for i in np.ndindex(w.shape):
        w[i] += eps
        above = loss(w)
        w[i] -= 2 * eps
        gradient[i] = (above - loss(w)) / (2 * eps)
    return gradient


def _steps_pile_up(loss, w, eps=1e-5):
    gradient, step = np.zeros(w.shape), np.zeros(w.shape)
    for i in np.ndindex(w.shape):
        step[i] = eps
        gradient[i] = (loss(w + step) - loss(w - step)) / (2 * eps)
    return gradient


def _one_array(loss, w, eps=1e-5):
    gradient, moved = np.zeros(w.shape), w.copy()
    for i in np.ndindex(w.shape):
        above = below = moved
        kept = moved[i]
        above[i] += eps
        below[i] -= eps
        gradient[i] = (loss(above) - loss(below)) / (2 * eps)
        moved[i] = kept
    return gradient


def _only_entry(k):
    def numerical_gradient(loss, w, eps=1e-5):
        gradient = np.zeros(w.shape)
        gradient.flat[k] = _right_differences(loss, w, eps).flat[k]
        return gradient

    return numerical_gradient


def _complex_step(loss, w, eps=1e-5):
    gradient = np.zeros(w.shape)
    for i in np.ndindex(w.shape):
        moved = w.astype(complex)
        moved[i] += 1j * eps
        gradient[i] = loss(moved).imag / eps
    return gradient


class _AddsUpGradients:
    """Adds to the gradients of earlier calls with the same shape."""

    def __init__(self):
        self.kept = {}

    def __call__(self, loss, w, eps=1e-5):
        new = _right_differences(loss, w, eps)
        self.kept[w.shape] = self.kept.get(w.shape, 0) + new
        return self.kept[w.shape]


def _differences_returned(change):
    return lambda loss, w, eps=1e-5: change(_right_differences(loss, w, eps))


NUMERICAL_GRADIENT = Exercise(
    number="3.4",
    returns="gradient (...)",
    reference=numerical_gradient,
    cases=_differences_cases,
    trial=_difference,
    mistakes=(
        Mistake(
            "forward difference",
            "You look ahead only, at w + eps and w. That is off by a half curvature times eps: on "
            "which two sides does a central difference look?",
            _differences(lambda at, eps: (at(eps) - at(0)) / eps),
        ),
        Mistake(
            "backward difference",
            "You look back only, at w and w - eps. On which two sides does a central difference "
            "look?",
            _differences(lambda at, eps: (at(0) - at(-eps)) / eps),
        ),
        Mistake(
            "divided by eps",
            "The result is twice too large. How far apart are w + eps and w - eps?",
            _differences(lambda at, eps: (at(eps) - at(-eps)) / eps),
        ),
        Mistake(
            "the lower point is w itself",
            "One of your two losses is that of w itself, so half of the gradient is left. Where "
            "are you after `+= eps` and then `-= eps`?",
            _differences(lambda at, eps: (at(eps) - at(0)) / (2 * eps)),
        ),
        Mistake(
            "the upper point is w itself",
            "One of your two losses is that of w itself, so half of the gradient is left. Where "
            "are you after `-= eps` and then `+= eps`?",
            _differences(lambda at, eps: (at(0) - at(-eps)) / (2 * eps)),
        ),
        Mistake(
            "divided by 4 eps",
            "The result is half of what it should be. How far apart are w + eps and w - eps?",
            _differences(lambda at, eps: (at(eps) - at(-eps)) / (4 * eps)),
        ),
        Mistake(
            "bracket missing below the line",
            "`/ 2 * eps` divides by 2 and then multiplies by eps. What should stand below the "
            "line?",
            _differences(lambda at, eps: (at(eps) - at(-eps)) / 2 * eps),
        ),
        Mistake(
            "bracket missing above the line",
            "Only the second loss is divided: a bracket is missing around the difference.",
            _differences(lambda at, eps: at(eps) - at(-eps) / (2 * eps)),
        ),
        Mistake(
            "not divided",
            "That is the difference of the losses. By what is it to be divided?",
            _differences(lambda at, eps: at(eps) - at(-eps)),
        ),
        Mistake(
            "sum for difference",
            "The two losses are added. What of them tells how steep the loss is?",
            _differences(lambda at, eps: (at(eps) + at(-eps)) / (2 * eps)),
        ),
        Mistake(
            "sign",
            "Look at the order of the two losses: which one is taken from which?",
            _differences(lambda at, eps: (at(-eps) - at(eps)) / (2 * eps)),
        ),
        Mistake(
            "absolute value",
            "The gradient came without its signs.",
            _differences(lambda at, eps: abs(_central(at, eps))),
        ),
        Mistake(
            "half the step",
            "Your steps are eps / 2. With a large eps that gives another number than w ± eps.",
            _differences(lambda at, eps: _central(at, eps / 2)),
        ),
        Mistake(
            "half the step, the whole division",
            "You step by eps / 2 to each side and divide by 2 eps. How far apart are the two?",
            _differences(lambda at, eps: _central(at, eps / 2) / 2),
        ),
        Mistake(
            "twice the step",
            "Your steps are 2 eps. With a large eps that gives another number than w ± eps.",
            _differences(lambda at, eps: _central(at, 2 * eps)),
        ),
        Mistake(
            "eps ignored",
            "Your step is 1e-5 whatever eps is. The caller may ask for another.",
            _differences(lambda at, eps: _central(at, 1e-5)),
        ),
        Mistake(
            "another default",
            "With no eps given, your step is not 1e-5.",
            _other_default,
        ),
        Mistake(
            "step in proportion to w",
            "Your step depends on how large the entry of w is. What if it is 0?",
            _relative_step,
        ),
        Mistake(
            "second derivative",
            "That is the curvature: how the slope changes. The slope is asked for.",
            _differences(lambda at, eps: (at(eps) - 2 * at(0) + at(-eps)) / eps**2),
        ),
        Mistake(
            "four losses an entry",
            "You use four points and get nearer to the gradient than was asked. The exercise is "
            "the difference of two losses.",
            _differences(lambda at, eps: (4 * _central(at, eps) - _central(at, 2 * eps)) / 3),
        ),
        Mistake(
            "complex step",
            "That is the complex step, which comes next. Here two real losses are compared.",
            _complex_step,
        ),
        Mistake(
            "all entries at once",
            "All entries moved together, and one number came back. How does the loss change when "
            "a single entry moves?",
            _all_at_once,
        ),
        Mistake(
            "the same for all entries",
            "All entries moved together. How does the loss change when a single one moves?",
            _all_at_once_filled,
        ),
        Mistake(
            "a row at a time",
            "A whole row moved at once: `w[i]` is a row, or more. w may have any number of axes. "
            "Look up `np.ndindex`.",
            _rows,
        ),
        Mistake(
            "matrices only",
            "It counts on two axes. w may have any number of them, none too. Look up `np.ndindex`.",
            _matrices_only,
        ),
        Mistake(
            "a flat w for the loss",
            "The loss was given a flattened w. It expects w in its own shape.",
            _loss_of_flat,
        ),
        Mistake(
            "a flat result",
            "The gradient came back flattened. It has the shape of w.",
            _differences_returned(np.ravel),
        ),
        Mistake(
            "entries not put back",
            "An entry stays moved when the next one's turn comes. What has to be done in between?",
            _not_put_back,
        ),
        Mistake(
            "entries of the caller's w not put back",
            "w is not what it was before, and an entry stays moved when the next one's turn comes.",
            _spoils_w,
        ),
        Mistake(
            "steps pile up",
            "One more entry moves each time: when its successor's turn comes, an entry's step is "
            "still in there. Where was the step made?",
            _steps_pile_up,
        ),
        Mistake(
            "w put back by adding",
            "w is not quite what it was: adding and taking away again leaves a rounding error. "
            "What could you keep before you move an entry?",
            _leaves_w_as_it_comes,
        ),
        Mistake(
            "w shifted at the end",
            "w is not what it was before: some of its entries were not put back as they were.",
            _leaves_w_changed,
        ),
        Mistake(
            "two names for one array",
            "The two losses are equal: w + eps and w - eps are the same array under two names. "
            "When does NumPy copy?",
            _one_array,
        ),
        Mistake(
            "only the first entry",
            "Only the first entry of the gradient is filled: is there a `return` inside the loop?",
            _only_entry(0),
        ),
        Mistake(
            "only the last entry",
            "Only the last entry of the gradient is filled: are the others overwritten?",
            _only_entry(-1),
        ),
        Mistake(
            "whole numbers",
            "The gradient was stored as whole numbers, which cuts off what is behind the point.",
            _differences_returned(lambda g: g.astype(int)),
        ),
        Mistake(
            "a list",
            "The gradient came back as a list. An array of the shape of w is asked for.",
            _differences_returned(lambda g: g.ravel().tolist()),
        ),
        Mistake(
            "drops an axis of length 1",
            "With w of shape (1, 1) the axes are missing: what removes them?",
            _differences_returned(np.squeeze),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _differences_returned(lambda g: g.astype(np.float32)),
        ),
        Mistake(
            "rounds",
            "The result is rounded. Round for printing only.",
            _differences_returned(lambda g: g.round(4)),
        ),
        Mistake(
            "adds up over calls",
            "The gradients of earlier calls are still in there: each call starts from nothing.",
            _AddsUpGradients(),
        ),
    ),
)

# 3.5 clip_gradients ------------------------------------------------------------------------------


def _clip_cases(rng):
    for label, sizes, norm, max_norm in [
        ("With a norm of 10 and max_norm=1", (3, 4, 2), 10.0, 1.0),
        ("With a norm below max_norm", (3, 4, 2), 2.0, 7.0),
        ("With a norm just above max_norm", (3, 4, 2), 1.001, 1.0),
        ("With a norm just below max_norm", (3, 4, 2), 0.999, 1.0),
        ("With a norm below 1 and above max_norm", (3, 4, 2), 0.6, 0.25),
        ("With D = H = K", (3, 3, 3), 10.0, 4.0),
        ("With all sizes 1", (1, 1, 1), 3.0, 2.0),
        ("With other numbers of the same shapes", (3, 4, 2), 8.0, 3.0),
        ("With a whole number for max_norm", (3, 4, 2), 8.0, 3),
        ("With huge gradients", (3, 4, 2), 1e100, 5.0),
        ("With tiny gradients", (3, 4, 2), 1e-100, 5.0),
        ("With small gradients and a smaller max_norm", (3, 4, 2), 1e-3, 2e-4),
        ("With a norm of many digits and max_norm=7.5", (3, 4, 2), 100 / 7, 7.5),
    ]:
        yield Case(label, (_of_norm(norm, *_some(rng, *sizes)), max_norm))
    zeros = RNNParams(*(0 * g for g in _some(rng, 3, 4, 2)))
    yield Case("With a norm equal to max_norm", (_three_and_four(zeros), 5.0))
    yield Case("With all gradients zero", (zeros, 1.0))
    grads = _some(rng, 3, 4, 2)
    large_V = grads._replace(V=30 * grads.V, b=0 * grads.b)
    yield Case("With a large dV and db = 0", (_of_norm(9.0, *large_V), 2.0))
    yield Case("With another max_norm for the same gradients", (_of_norm(9.0, *large_V), 4.5))


def _some(rng, D, H, K):
    return RNNParams(*(rng.normal(size=s) for s in [(D, H), (H, H), H, (H, K), K]))


def _of_norm(norm, *grads):
    return RNNParams(*(g * (norm / _norm(grads)) for g in grads))


def _three_and_four(zeros):
    grads = RNNParams(*(g.copy() for g in zeros))
    grads.U[1, 2], grads.c[0] = 3, -4  # a norm of 5 without rounding
    return grads


def _norm(grads):
    return np.sqrt(sum((g**2).sum() for g in grads))


PYTORCH = 1e-6  # added to the norm in clip_grad_norm_


def _forgiving(fn, grads, max_norm):
    """One call. With PyTorch's 1e-6 below the line, or less, it counts as the exact scale.

    That holds for a scale that isn't kept below 1 as well: then it is one mistake, not many.
    """
    before = [g.copy() for g in grads]
    got = fn(grads, max_norm)
    found, norm = _scale(got, before), _norm(before)
    for limit in (1.0, np.inf):
        exact, least = (min(limit, max_norm / max(norm + e, 1e-300)) for e in (0, PYTORCH))
        if found is not None and least * (1 - 1e-9) <= found < exact * (1 - 1e-12):
            return RNNParams(*(g * exact for g in before)), got[1]
    return got


def _scale(got, grads):
    """The one factor between the grads and what came back; None if there is none."""
    if not isinstance(got, tuple | list) or len(got) != 2 or not isinstance(got[0], tuple | list):
        return None
    if [_kind(c) for c in got[0]] != [_kind(g) for g in grads]:
        return None
    clipped, g = (np.concatenate([a.ravel() for a in arrays]) for arrays in (got[0], grads))
    top = np.abs(g).argmax()
    if g[top] == 0:
        return None
    scale = clipped[top] / g[top]
    return scale if np.allclose(clipped, scale * g, rtol=1e-9, atol=0) else None


def _kind(array):
    return (array.shape, array.dtype) if isinstance(array, np.ndarray) else None


def _scaled_by(scale, norm=_norm):
    """scale(norm, max_norm) times the grads, and norm(grads)."""

    def clip_gradients(grads, max_norm):
        factor = scale(norm(grads), max_norm)
        return RNNParams(*(g * factor for g in grads)), norm(grads)

    return clip_gradients


def _factor(norm, max_norm):
    return 1.0 if norm <= max_norm else max_norm / norm


def _scaled_by_norm(norm):
    """Clipped by another norm, which comes back as well."""
    return _scaled_by(_factor, norm)


_clip = _scaled_by(_factor)


def _norms_of(norm, combine):
    return lambda grads: combine([norm(g) for g in grads])


def _each_tensor(grads, max_norm):
    return RNNParams(*(g * _factor(np.linalg.norm(g), max_norm) for g in grads)), _norm(grads)


def _in_two_steps(grads, max_norm):
    """The scale is taken anew for each tensor, of grads already partly clipped."""
    grads, norm = list(grads), _norm(grads)
    for k, g in enumerate(grads):
        grads[k] = g * _factor(_norm(grads), max_norm)
    return RNNParams(*grads), norm


def _norm_afterwards(grads, max_norm):
    clipped, _ = _clip(grads, max_norm)
    return clipped, _norm(clipped)


def _clip_in_place(grads, max_norm):
    norm = _norm(grads)
    for g in grads:
        g *= _factor(norm, max_norm)
    return grads, norm


def _zeroed(grads, max_norm):
    norm = _norm(grads)
    return RNNParams(*(g * (norm <= max_norm) for g in grads)), norm


def _clip_returned(change):
    return lambda grads, max_norm: change(*_clip(grads, max_norm))


def _only_clips(*names):
    """Scales these tensors and leaves the others."""

    def clip_gradients(grads, max_norm):
        clipped, norm = _clip(grads, max_norm)
        return grads._replace(**{n: getattr(clipped, n) for n in names}), norm

    return clip_gradients


class _LargestSoFar:
    """Clips by the largest norm it has ever seen."""

    def __init__(self):
        self.largest = 0

    def __call__(self, grads, max_norm):
        norm = _norm(grads)
        self.largest = max(self.largest, norm)
        return RNNParams(*(g * _factor(self.largest, max_norm) for g in grads)), norm


CLIP_GRADIENTS = Exercise(
    number="3.5",
    returns="grads RNNParams, norm float",
    reference=clip_gradients,
    cases=_clip_cases,
    trial=_forgiving,
    mistakes=(
        Mistake(
            "each tensor by itself",
            "Each tensor was clipped by its own norm, which turns the gradient into another "
            "direction. Of what is the norm to be taken?",
            _each_tensor,
        ),
        Mistake(
            "each entry by itself",
            "Each entry was cut off at ± max_norm, which turns the gradient into another "
            "direction. What stays the same if everything is scaled alike?",
            lambda grads, max_norm: (
                RNNParams(*(np.clip(g, -max_norm, max_norm) for g in grads)),
                _norm(grads),
            ),
        ),
        Mistake(
            "always scaled to max_norm",
            "Small gradients were scaled up to max_norm. When should nothing happen?",
            _scaled_by(lambda norm, max_norm: max_norm / norm if norm > 0 else 1.0),
        ),
        Mistake(
            "always scaled, NaN at zero",
            "Small gradients were scaled up to max_norm, and all-zero ones became NaN. When should "
            "nothing happen?",
            _scaled_by(lambda norm, max_norm: np.float64(max_norm) / norm),
        ),
        Mistake(
            "always scaled, an error at zero",
            "Small gradients were scaled up to max_norm, and at all-zero ones the call fails. When "
            "should nothing happen?",
            _scaled_by(lambda norm, max_norm: max_norm / float(norm)),
        ),
        Mistake(
            "an error at zero",
            "With all gradients zero the norm is 0, and Python refuses to divide by it. What "
            "should happen to such gradients?",
            _scaled_by(lambda norm, max_norm: min(1.0, max_norm / float(norm))),
        ),
        Mistake(
            "NaN at zero",
            "All-zero gradients are no longer zero afterwards, or the call fails: what is divided "
            "by a norm of 0?",
            lambda grads, max_norm: (
                RNNParams(*(g / _norm(grads) * min(_norm(grads), max_norm) for g in grads)),
                _norm(grads),
            ),
        ),
        Mistake(
            "never clipped",
            "Nothing was scaled, though the norm is above max_norm.",
            _scaled_by(lambda norm, max_norm: 1.0),
        ),
        Mistake(
            "the wrong way round",
            "Gradients below max_norm are scaled, those above are not: look at the comparison, or "
            "is the scale to be limited from above or from below?",
            _scaled_by(
                lambda norm, max_norm: max_norm / norm if 0 < norm < max_norm else 1.0,
            ),
        ),
        Mistake(
            "scale upside down",
            "The scale is norm / max_norm, which makes large gradients larger.",
            _scaled_by(lambda norm, max_norm: norm / max_norm if norm > max_norm else 1.0),
        ),
        Mistake(
            "scaled to 1",
            "Large gradients come out with a norm of 1. Which norm should they have?",
            _scaled_by(lambda norm, max_norm: 1 / norm if norm > max_norm else 1.0),
        ),
        Mistake(
            "scaled by max_norm",
            "Large gradients were multiplied by max_norm. What are they to be divided by, too?",
            _scaled_by(lambda norm, max_norm: max_norm if norm > max_norm else 1.0),
        ),
        Mistake(
            "scaled twice",
            "The scale is in there twice.",
            _scaled_by(lambda norm, max_norm: _factor(norm, max_norm) ** 2),
        ),
        Mistake(
            "root of the scale",
            "Large gradients come out larger than max_norm: a root was taken of the scale too.",
            _scaled_by(lambda norm, max_norm: _factor(norm, max_norm) ** 0.5),
        ),
        Mistake(
            "compared with the square",
            "The norm is compared with max_norm squared, or the other way round. Which of the two "
            "has its root taken already?",
            _scaled_by(lambda norm, max_norm: max_norm / norm if norm**2 > max_norm else 1.0),
        ),
        Mistake(
            "1 added below the line",
            "1 is added to the norm. PyTorch adds a millionth, to be safe from a division by 0.",
            _scaled_by(lambda norm, max_norm: min(1.0, max_norm / (norm + 1))),
        ),
        Mistake(
            "large gradients set to zero",
            "Large gradients became zero. They keep their direction and lose only in length.",
            _zeroed,
        ),
        Mistake(
            "scaled while it changes",
            "The scale is worked out anew for each tensor, when others are scaled already.",
            _in_two_steps,
        ),
        Mistake(
            "root forgotten",
            "That is the square of the norm.",
            _scaled_by_norm(lambda grads: _norm(grads) ** 2),
        ),
        Mistake(
            "sum of the norms",
            "The norms of the tensors were added. Do lengths add up in Pythagoras' theorem?",
            _scaled_by_norm(_norms_of(np.linalg.norm, sum)),
        ),
        Mistake(
            "largest norm",
            "Only the tensor with the largest norm counts.",
            _scaled_by_norm(_norms_of(np.linalg.norm, max)),
        ),
        Mistake(
            "mean of the norms",
            "The norms of the tensors were averaged.",
            _scaled_by_norm(_norms_of(np.linalg.norm, np.mean)),
        ),
        Mistake(
            "norm of the last tensor",
            "Only the last tensor counts in the norm: does the loop overwrite (=) its sum?",
            _scaled_by_norm(_norms_of(np.linalg.norm, lambda norms: norms[-1])),
        ),
        Mistake(
            "norm of the first tensor",
            "Only the first tensor counts in the norm.",
            _scaled_by_norm(_norms_of(np.linalg.norm, lambda norms: norms[0])),
        ),
        Mistake(
            "largest entry",
            "That is the largest entry. The norm is the length of the whole gradient.",
            _scaled_by_norm(_norms_of(lambda g: np.abs(g).max(), max)),
        ),
        Mistake(
            "sum of the sizes",
            "That is the sum of the sizes of all entries. The norm is made of their squares.",
            _scaled_by_norm(_norms_of(lambda g: np.abs(g).sum(), sum)),
        ),
        Mistake(
            "root of the sum of the sizes",
            "The sizes of all entries were added, and the root taken. What is done with an entry "
            "before it is added?",
            _scaled_by_norm(lambda grads: np.sqrt(sum(np.abs(g).sum() for g in grads))),
        ),
        Mistake(
            "summed before squared",
            "The entries of a tensor were added first, so that + and - cancel, and squared then. "
            "Which comes first?",
            _scaled_by_norm(lambda grads: np.sqrt(sum(g.sum() ** 2 for g in grads))),
        ),
        Mistake(
            "sizes summed before squared",
            "The sizes of a tensor's entries were added first and squared then. Which comes first?",
            _scaled_by_norm(lambda grads: np.sqrt(sum(np.abs(g).sum() ** 2 for g in grads))),
        ),
        Mistake(
            "root of the mean square",
            "The squares were averaged. The norm takes the root of their sum.",
            _scaled_by_norm(
                lambda grads: _norm(grads) / np.sqrt(sum(g.size for g in grads)),
            ),
        ),
        Mistake(
            "spectral norms",
            "`np.linalg.norm(g, 2)` of a matrix is its largest stretch. Every entry counts here.",
            _scaled_by_norm(_norms_of(lambda g: np.linalg.norm(g, 2), np.linalg.norm)),
        ),
        Mistake(
            "biases not in the norm",
            "db and dc are not counted in the norm. It is of all tensors together.",
            _scaled_by_norm(lambda grads: _norm([g for g in grads if g.ndim == 2])),
        ),
        Mistake(
            "V's norm only",
            "Only dV is counted in the norm. It is of all tensors together.",
            _scaled_by_norm(lambda grads: np.linalg.norm(grads.V)),
        ),
        Mistake(
            "biases not scaled",
            "db and dc were not scaled with the rest, which turns the gradient.",
            _only_clips("U", "V", "W"),
        ),
        Mistake(
            "only dV scaled",
            "Only dV was scaled, which turns the gradient.",
            _only_clips("V"),
        ),
        Mistake(
            "norm after clipping",
            "The norm that came back is that of the clipped gradients. Before clipping it says "
            "more: how large was the gradient?",
            _norm_afterwards,
        ),
        Mistake(
            "scale for norm",
            "The second value is the scale. The norm is asked for.",
            lambda grads, max_norm: (_clip(grads, max_norm)[0], _factor(_norm(grads), max_norm)),
        ),
        Mistake(
            "norm with the millionth",
            "The norm that came back has something added to it. That belongs below the line only.",
            lambda grads, max_norm: (_clip(grads, max_norm)[0], _norm(grads) + 1e-6),
        ),
        Mistake(
            "norm first",
            "The two values came back in the other order.",
            _clip_returned(lambda grads, norm: (norm, grads)),
        ),
        Mistake(
            "no norm",
            "The norm did not come back. Watching it shows when gradients explode.",
            _clip_returned(lambda grads, norm: grads),
        ),
        Mistake(
            "a norm for each tensor",
            "Five norms came back. One is asked for, of all tensors together.",
            lambda grads, max_norm: (
                _clip(grads, max_norm)[0],
                [np.linalg.norm(g) for g in grads],
            ),
        ),
        Mistake(
            "one long vector",
            "The gradients came back in one long vector. They keep their shapes.",
            _clip_returned(lambda grads, norm: (np.concatenate([g.ravel() for g in grads]), norm)),
        ),
        Mistake(
            "a dictionary",
            "The gradients came back in a dictionary. RNNParams holds them in order.",
            _clip_returned(lambda grads, norm: (grads._asdict(), norm)),
        ),
        Mistake(
            "drops an axis of length 1",
            "With sizes of 1 an axis is missing: what removes it?",
            _clip_returned(lambda grads, norm: (RNNParams(*map(np.squeeze, grads)), norm)),
        ),
        Mistake(
            "writes into grads",
            "The caller's gradients were written into (`*=`, `out=` and `[...] =` do that). Make "
            "new arrays.",
            _clip_in_place,
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _clip_returned(
                lambda grads, norm: (RNNParams(*(g.astype(np.float32) for g in grads)), norm)
            ),
        ),
        Mistake(
            "rounds",
            "The results are rounded. Round for printing only.",
            _clip_returned(
                lambda grads, norm: (RNNParams(*(g.round(4) for g in grads)), round(norm, 4))
            ),
        ),
        Mistake(
            "keeps the largest norm",
            "Your function remembers the norms of earlier calls. Each gradient is clipped by its "
            "own.",
            _LargestSoFar(),
        ),
    ),
)

# 3.6 gradient_flow -------------------------------------------------------------------------------


def _flow_cases(rng):
    for label, T, H, reach, spread in [
        ("", 5, 3, 0.8, 0.6),
        ("With as many steps as units (T = H)", 4, 4, 0.8, 0.6),
        ("With one step (T=1)", 1, 3, 0.8, 0.6),
        ("With two steps (T=2)", 2, 3, 0.8, 0.6),
        ("With one unit (H=1)", 5, 1, 0.8, 0.9),
        ("With T = H = 1", 1, 1, 0.8, 0.6),
        ("With saturated states", 4, 3, 3.0, 1.0),
        ("With small states and a large V", 5, 3, 0.1, 2.0),
        ("With other numbers of the same shapes", 5, 3, 0.8, 0.6),
    ]:
        yield Case(label, (np.tanh(reach * rng.normal(size=(T, H))), spread * _normal(rng, H)))
    h = np.tanh(rng.normal(size=(5, 4)))
    yield Case("With a V whose eigenvalues are all 0", (h, np.triu(_normal(rng, 4), 1)))
    yield Case("With all states 0", (0 * h, 0.5 * _normal(rng, 4)))
    yield Case("With the same states and another V", (0 * h, 0.7 * _normal(rng, 4)))
    yield Case("With one unit and a negative V", (h[:, :1], np.array([[-1.3]])))
    yield Case("With states at 1 and -1", (np.sign(h) * (np.abs(h) > 0.3), _normal(rng, 4)))
    turning = 1.1 * np.linalg.qr(_normal(rng, 3))[0]
    yield Case("With 40 steps", (0.3 * rng.uniform(-1, 1, (40, 3)), turning))


def _normal(rng, H):
    return rng.normal(size=(H, H))


def _spectral(M):
    return np.linalg.norm(M, 2)


def _flow(size=_spectral, jacobian=lambda h_t, V: V * (1 - h_t**2), onward=np.matmul):
    """size(product) of the steps' jacobian(h_t, V), joined by onward(J, product)."""

    def gradient_flow(h, V):
        product, norms = np.eye(len(V)), []
        for h_t in h[::-1]:
            norms.append(size(product))
            product = onward(jacobian(h_t, V), product)
        return np.array(norms[::-1])

    return gradient_flow


_right_flow = _flow()
_wrong_way_round = _flow(onward=lambda J, product: product @ J)


def _flow_of(change):
    """change(h, V, norms)"""
    return lambda h, V: change(h, V, _right_flow(h, V))


def _step_norms(h, V):
    return np.array([_spectral(V * (1 - h_t**2)) for h_t in h[1:]] + [1.0])


def _earlier_slopes(h, V):
    return _right_flow(np.roll(h, 1, axis=0), V)


def _own_step_too(h, V):
    product, norms = np.eye(len(V)), []
    for h_t in h[::-1]:
        product = V * (1 - h_t**2) @ product
        norms.append(_spectral(product))
    return np.array(norms[::-1])


def _from_the_first(h, V):
    product, norms = np.eye(len(V)), [1.0]
    for h_t in h[1:]:
        product = product @ (V * (1 - h_t**2))
        norms.append(_spectral(product))
    return np.array(norms)


def _forwards(flow=_right_flow):
    """The loop takes the steps from the first to the last."""
    return lambda h, V: flow(h[::-1], V)


def _forwards_in_order(flow=_right_flow):
    """And the list is not turned round."""
    return lambda h, V: flow(h[::-1], V)[::-1]


def _h0_too(h, V):
    return _right_flow(np.concatenate([h[:1], h]), V)


def _writes_into_states(h, V):
    norms = _right_flow(h, V)
    np.subtract(1, h * h, out=h)
    return norms


class _GoesOn:
    """Goes on from the product that the call before ended with."""

    def __init__(self):
        self.kept = {}

    def __call__(self, h, V):
        product, norms = self.kept.get(V.shape, np.eye(len(V))), []
        for h_t in h[::-1]:
            norms.append(_spectral(product))
            product = V * (1 - h_t**2) @ product
        self.kept[V.shape] = product
        return np.array(norms[::-1])


GRADIENT_FLOW = Exercise(
    number="3.6",
    returns="norms (T,)",
    reference=gradient_flow,
    cases=_flow_cases,
    mistakes=(
        Mistake(
            "Frobenius norm",
            "That is the root of the sum of all squares, which `np.linalg.norm` gives unless told "
            "otherwise. The spectral norm is the largest stretch of a vector.",
            _flow(np.linalg.norm),
        ),
        Mistake(
            "largest eigenvalue",
            "That is the largest eigenvalue. It says nothing of a single product: a matrix with "
            "eigenvalues of 0 may stretch a vector. What is the largest stretch called?",
            _flow(lambda M: np.abs(np.linalg.eigvals(M)).max()),
        ),
        Mistake(
            "smallest singular value",
            "That is the smallest stretch. The spectral norm is the largest.",
            _flow(lambda M: np.linalg.norm(M, -2)),
        ),
        Mistake(
            "sum of the singular values",
            "All singular values were added. The spectral norm is the largest one.",
            _flow(lambda M: np.linalg.norm(M, "nuc")),
        ),
        Mistake(
            "norm squared",
            "That is the square: eigenvalues of M Mᵀ are squares of singular values.",
            _flow(lambda M: _spectral(M) ** 2),
        ),
        Mistake(
            "largest column sum",
            "That is the largest sum of a column (`ord=1`). Which `ord` is the largest stretch?",
            _flow(lambda M: np.linalg.norm(M, 1)),
        ),
        Mistake(
            "largest row sum",
            "That is the largest sum of a row (`ord=np.inf`). Which `ord` is the largest stretch?",
            _flow(lambda M: np.linalg.norm(M, np.inf)),
        ),
        Mistake(
            "largest entry",
            "That is the largest entry of the Jacobian. How far can a vector be stretched?",
            _flow(lambda M: np.abs(M).max()),
        ),
        Mistake(
            "mean size of an entry",
            "That is the mean size of an entry of the Jacobian. How far can a vector be stretched?",
            _flow(lambda M: np.abs(M).mean()),
        ),
        Mistake(
            "determinant",
            "That is a determinant, which is 0 as soon as one direction is lost.",
            _flow(lambda M: abs(np.linalg.det(M))),
        ),
        Mistake(
            "trace",
            "That is a trace, the sum of the diagonal.",
            _flow(np.trace),
        ),
        Mistake(
            "one error sent back",
            "That is the length of one error, all ones, sent back. The norm is that of the most "
            "stretched error of length 1.",
            _flow(lambda M: np.linalg.norm(M @ np.ones(len(M)))),
        ),
        Mistake(
            "product of the norms",
            "The norms of the steps were multiplied. That is only a bound: what one step stretches "
            "most, the next may shrink. First multiply the matrices.",
            lambda h, V: np.cumprod(np.append(_step_norms(h, V)[:-1], 1.0)[::-1])[::-1],
        ),
        Mistake(
            "norm of each step",
            "Those are the norms of single steps. Between h_t and the last state lie several: how "
            "do their Jacobians join?",
            _step_norms,
        ),
        Mistake(
            "powers of V's norm",
            "Those are powers of the norm of V. Where does tanh come in, and is the norm of a "
            "product the product of the norms?",
            lambda h, V: _spectral(V) ** np.arange(len(h) - 1.0, -1, -1),
        ),
        Mistake(
            "no slope",
            "tanh is missing: how much does h_t move when a_t does?",
            _flow(jacobian=lambda h_t, V: V),
        ),
        Mistake(
            "no V",
            "V is missing from the Jacobian.",
            _flow(jacobian=lambda h_t, V: np.diag(1 - h_t**2)),
        ),
        Mistake(
            "slope not squared",
            "The slope of tanh lacks its square: look at the formula again.",
            _flow(jacobian=lambda h_t, V: V * (1 - h_t)),
        ),
        Mistake(
            "slope of the sigmoid",
            "That is the slope of the sigmoid. Which function made h_t?",
            _flow(jacobian=lambda h_t, V: V * h_t * (1 - h_t)),
        ),
        Mistake(
            "slope with a plus",
            "Look at the sign in the slope of tanh: where is the curve steepest?",
            _flow(jacobian=lambda h_t, V: V * (1 + h_t**2)),
        ),
        Mistake(
            "tanh taken again",
            "h_t went through tanh once more before its slope was taken. It is past tanh already.",
            _flow(jacobian=lambda h_t, V: V * (1 - np.tanh(h_t) ** 2)),
        ),
        Mistake(
            "slope twice",
            "The slope of tanh is in there twice.",
            _flow(jacobian=lambda h_t, V: V * (1 - h_t**2) ** 2),
        ),
        Mistake(
            "slope on the other side of V",
            "The slope of tanh multiplies the rows of V. Which unit does it belong to, the one "
            "that sends or the one that receives? And along which axis is that one?",
            _flow(jacobian=lambda h_t, V: V * (1 - h_t**2)[:, None]),
        ),
        Mistake(
            "product the wrong way round",
            "The Jacobians are multiplied in the wrong order. Matrices can't change places.",
            _wrong_way_round,
        ),
        Mistake(
            "V transposed",
            "V and the slope do not fit together: is one of them transposed, or the product the "
            "wrong way round? Which axis of V does the slope belong to?",
            _flow(jacobian=lambda h_t, V: V.T * (1 - h_t**2)),
        ),
        Mistake(
            "multiplied entry by entry",
            "`*` multiplies the Jacobians entry by entry. Which operator is the matrix product?",
            _flow(onward=lambda J, product: J * product),
        ),
        Mistake(
            "slopes of the state before",
            "The slopes are those of a step too early. On the way from h_t to the next "
            "state, which tanh is passed?",
            _earlier_slopes,
        ),
        Mistake(
            "one step too many",
            "Each entry has one Jacobian too many: the last state follows itself exactly, so the "
            "last entry is 1.",
            _own_step_too,
        ),
        Mistake(
            "from the first state",
            "Entry t says how h_t follows the first state. How does the last state follow h_t?",
            _from_the_first,
        ),
        Mistake(
            "forwards through time",
            "Your loop begins at the first step. Which Jacobians lie between h_t and the last "
            "state, and at which end of time do you know them all?",
            _forwards(),
        ),
        Mistake(
            "forwards through time, not turned round",
            "Your loop begins at the first step, and so the first entry is 1. Which one should be?",
            _forwards_in_order(),
        ),
        Mistake(
            "forwards through time, later steps on the right",
            "Your loop begins at the first step, so its product is of the steps before h_t. Which "
            "steps lie between h_t and the last state?",
            _forwards(_wrong_way_round),
        ),
        Mistake(
            "forwards through time, later steps on the right, not turned round",
            "Your loop begins at the first step: its entries say what has come of the beginning. "
            "How does the last state follow h_t?",
            _forwards_in_order(_wrong_way_round),
        ),
        Mistake(
            "back to front",
            "The entries are in the wrong order: a list filled on the way back has the last step "
            "first.",
            _flow_of(lambda h, V, norms: norms[::-1]),
        ),
        Mistake(
            "first entry forgotten",
            "One entry is missing, and those there are belong to the later steps.",
            _flow_of(lambda h, V, norms: norms[1:]),
        ),
        Mistake(
            "last entry forgotten",
            "The last entry is missing: how does the last state follow itself?",
            _flow_of(lambda h, V, norms: norms[:-1]),
        ),
        Mistake(
            "an entry for h0 as well",
            "There is an entry too many, in front. There is one for each state in h.",
            _h0_too,
        ),
        Mistake(
            "only the first step",
            "One number came back. One for each step is asked for.",
            _flow_of(lambda h, V, norms: norms[0]),
        ),
        Mistake(
            "logarithm",
            "Those are logarithms. Take them in the plot.",
            _flow_of(lambda h, V, norms: np.log10(norms)),
        ),
        Mistake(
            "divided by the largest",
            "The norms were divided by the largest of them. The last one is to be 1 by itself.",
            _flow_of(lambda h, V, norms: norms / norms.max()),
        ),
        Mistake(
            "a row",
            "There is an axis of length 1 too many: (T,) is asked for.",
            _flow_of(lambda h, V, norms: norms[None]),
        ),
        Mistake(
            "a list",
            "A list came back. `np.array` makes an array of it.",
            _flow_of(lambda h, V, norms: norms.tolist()),
        ),
        Mistake(
            "drops an axis of length 1",
            "With a single step the axis is missing: what removes it?",
            _flow_of(lambda h, V, norms: np.squeeze(norms)),
        ),
        Mistake(
            "works in float32",
            SEVEN_DIGITS,
            _flow_of(lambda h, V, norms: norms.astype(np.float32)),
        ),
        Mistake(
            "rounds",
            "The result is rounded. Round for printing only.",
            _flow_of(lambda h, V, norms: norms.round(4)),
        ),
        Mistake(
            "writes into h",
            "The states are not the same afterwards: an operation wrote into h.",
            _writes_into_states,
        ),
        Mistake(
            "goes on from the last call",
            "Your function goes on from the product of the call before. Each call starts anew.",
            _GoesOn(),
        ),
    ),
)
