"""NaN is never taken for right: every comparison is written so that it comes out as wrong.

NaN is neither below nor above a number: `error > 1e-6` does not find it, `not error <= 1e-6` does.
And Python's own max() and min() may pass over it; NumPy's do not.
"""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import assert_close, problems
from utils.accumulation import Batch, accumulate_gradients, train_epoch, train_epoch_torch
from utils.bptt import bptt
from utils.cell import RNNParams, readout
from utils.gradcheck import numerical_gradient, relative_error
from utils.loss import softmax
from utils.optim import clip_gradients, global_norm
from utils.torch_bridge import from_torch, to_tensors, to_torch
from utils.unroll import unroll

HOUSE = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("solutions", "utils", "tests")
    for path in (HOUSE / folder).rglob("*.py")
    if path != Path(__file__)
)
TOLERANCES = {"tolerance", "tol", "rtol", "atol", "allowed"}
ERRORS = {"abs", "error", "relative_error"}
NORMS = {"norm", "global_norm"}  # of what is clipped
ANSWERS = ("utils/checks/", "tests/right_answers/", "tests/wrong_answers")  # clip as learners do
LESSON_3 = {
    "RNNParams": RNNParams,
    "readout": readout,
    "unroll": unroll,
    "numerical_gradient": numerical_gradient,
    "relative_error": relative_error,
}


def blind_spots(source, measured=ERRORS | NORMS):
    """Lines where an error is asked whether it is too large, or goes through max() or min()."""
    tree = ast.parse(source)
    claims = set()  # what is only ever claimed to be large: with NaN the claim fails
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) or _is_call(node, {"print"}):
            part = node.test if isinstance(node, ast.Assert) else node
            claims |= {id(child) for child in ast.walk(part) if not _has_not(part)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and id(node) not in claims:
            sides = [node.left, *node.comparators]
            for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
                above = isinstance(op, ast.Gt | ast.GtE) and _is_tolerance(right)
                below = isinstance(op, ast.Lt | ast.LtE) and _is_tolerance(left)
                if above or (below and not _is_tolerance(right)):
                    found.append(node.lineno)
        if _is_call(node, {"max", "min"}, builtin=True):
            inside = (child for arg in node.args for child in ast.walk(arg))
            if any(_is_call(c, measured) or _is_name(c, measured) for c in inside):
                found.append(node.lineno)
    return sorted(set(found))


def _is_tolerance(node):
    """1e-6, `tolerance`, or a product with such a one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _is_tolerance(node.left) or _is_tolerance(node.right)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float) and 0 < node.value < 0.01
    return _is_name(node, TOLERANCES)


def _is_name(node, names):
    return isinstance(node, ast.Name) and node.id in names


def _is_call(node, names, builtin=False):
    if not isinstance(node, ast.Call):
        return False
    method = isinstance(node.func, ast.Attribute) and node.func.attr in names
    return _is_name(node.func, names) or (method and not builtin)


def _has_not(node):
    return any(isinstance(child, ast.Not) for child in ast.walk(node))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_comparison_is_blind_to_nan(path):
    learners = path.relative_to(HOUSE).as_posix().startswith(ANSWERS)
    source = path.read_text(encoding="utf8")
    found = blind_spots(source, ERRORS if learners else ERRORS | NORMS)
    lines = [n for n in found if "# on purpose" not in source.splitlines()[n - 1]]
    assert not lines, "not error <= tolerance, np.max() and np.min() see NaN"


@pytest.mark.parametrize(
    ("source", "blind"),
    [
        ("wrong = error > 1e-6", True),
        ("wrong = error >= tolerance * scale", True),
        ("wrong = 1e-6 < error", True),
        ("assert not error > 1e-6", True),
        ("if np.abs(a - b).max() > 1e-8 * np.abs(b).max(): fail()", True),
        ("worst = max(np.abs(a - b).max() for a, b in pairs)", True),
        ("worst = max(map(relative_error, got, expected))", True),
        ("worst = max(worst, abs(a - b))", True),
        ("wrong = not error <= 1e-6", False),
        ("right = error < 1e-6", False),
        ("right = 1e-13 < error < 1e-8", True),
        ("assert 1e-13 < error < 1e-8", False),
        ("assert error > 1e-5", False),
        ("print('float32 is off:', error > 1e-6)", False),
        ("worst = np.max([np.abs(a - b).max() for a, b in pairs])", False),
        ("longest = max(map(len, names))", False),
    ],
)
def test_the_rule_finds_what_is_blind(source, blind):
    assert bool(blind_spots(source)) is blind


def published(lesson, name, **needed):
    """The function of that name in the solved lesson, with what it needs of the cells before."""
    (path,) = (HOUSE / "solutions").glob(f"{lesson}_*.py")
    found = [n for n in ast.parse(path.read_text(encoding="utf8")).body if _defines(n, name)]
    names = {"np": np, **needed}
    exec(compile(ast.Module(found[:1], []), str(path), "exec"), names)
    return names[name]


def _defines(node, name):
    return isinstance(node, ast.FunctionDef) and node.name == name


@pytest.mark.parametrize("tensor", range(7))
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_published_bug_hunt_catches_one_nan_in_any_tensor(tensor, bad):
    hunt = published("03", "catches_bugs", **LESSON_3)

    def wrong(*args):
        grads, dx, dh0 = bptt(*args)
        tensors = [*grads, dx, dh0]
        tensors[tensor].flat[-1] = bad
        return RNNParams(*tensors[:5]), *tensors[5:]

    assert hunt(wrong) is True
    assert hunt(bptt) is False


@given(problems(), st.data())
def test_clipping_passes_one_nan_on_to_all_tensors(p, data):
    name = data.draw(st.sampled_from(RNNParams._fields))
    grads = p.params._replace(**{name: getattr(p.params, name) * np.nan})
    clips = [clip_gradients, published("03", "clip_gradients", RNNParams=RNNParams)]
    for clip in clips:
        clipped, norm = clip(grads, 1.0)
        assert np.isnan(norm)
        assert all(np.isnan(g).all() for g in clipped)
    assert np.isnan(global_norm(grads[::-1]))
    assert np.isnan(global_norm([np.array([np.inf]), *grads]))
    error = published("04", "error", global_norm=global_norm)
    assert not error(grads, p.params) < 1e300
    assert not error(p.params, grads) < 1e300
    angle = published("04", "angle", global_norm=global_norm)
    assert np.isnan(angle(grads, p.params))


@given(problems(), st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
def test_one_nan_is_the_relative_error(p, bad, data):
    got = p.do.copy()
    got.flat[data.draw(st.integers(0, got.size - 1))] = bad
    for pair in ((got, p.do), (p.do, got), (got, 0 * p.do), (got, got)):
        assert not relative_error(*pair) <= 1e300


@given(problems(), st.booleans())
def test_an_epoch_with_one_nan_spoils_all_weights_in_numpy_and_in_pytorch(p, clipped):
    params = p.params._replace(c=p.params.c * np.nan)
    batch, max_norm = Batch(*p.batch), 1.0 if clipped else None
    after = train_epoch(params, [batch], 1, 0.1, max_norm)
    model = to_torch(params)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    train_epoch_torch(model, [to_tensors(batch)], optimizer, 1, max_norm)
    for ours, theirs in zip(after, from_torch(model), strict=True):
        assert np.isnan(ours).all()
        assert np.isnan(theirs).all()
    assert not accumulate_gradients(params, [batch])[0] <= 1e300


@given(problems(), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_the_published_losses_leave_padding_out(p, bad):
    dirty = np.where(p.mask[..., None], p.do, bad)
    loss = published("02", "sequence_cross_entropy")
    with np.errstate(invalid="ignore"):  # inf - inf, where it does not count
        assert loss(dirty, p.targets, p.mask) == loss(p.do, p.targets, p.mask)
        backward = published("03", "sequence_cross_entropy_backward", softmax=softmax)
        do, right = (backward(o, p.targets, p.mask) for o in (dirty, p.do))
    assert_close(do, right, 0)
