"""Whatever a learner's function does: a report comes back, and everything else is as before."""

import builtins
import functools
import inspect
import os
import random
import re
import sys
import threading
import time

import numpy as np
import pytest

from tests.contrast import contrast
from utils.bptt import bptt
from utils.cell import cell_forward
from utils.checks import answer, check, grade, progress, session, store


def right(x_t, h_prev, U, V, b):
    return np.tanh(x_t @ U + h_prev @ V + b)


def grade_body(body):
    """The report on a cell_forward that calls body(right answer, h_prev)."""
    return grade("cell_forward", lambda x_t, h, U, V, b: body(right(x_t, h, U, V, b), h))


def stub(x_t, h_prev, U, V, b):
    """Next memory."""
    ...  # your code here


def only_pass(x_t, h_prev, U, V, b):
    pass


def not_implemented(x_t, h_prev, U, V, b):
    raise NotImplementedError


def returns_dots(x_t, h_prev, U, V, b):
    return ...


@pytest.mark.parametrize("fn", [stub, only_pass, not_implemented, returns_dots])
def test_a_stub_is_not_attempted(fn):
    report = grade("cell_forward", fn)
    assert (report.status, report.passed, report.mistake) == ("not attempted", 0, None)


def test_work_without_return_is_an_attempt():
    def forgot(x_t, h_prev, U, V, b):
        right(x_t, h_prev, U, V, b)

    report = grade("cell_forward", forgot)
    assert report.status == "not yet"
    assert "return" in report.message


def no_end(*args):
    while True:
        pass


def swallows_everything(*args):
    until = time.monotonic() + 3
    while time.monotonic() < until:
        try:
            while time.monotonic() < until:
                pass
        except BaseException:
            continue


def recursion(*args):
    return recursion(*args)


@pytest.fixture
def hasty(monkeypatch):
    """Give cell_forward less time, so that the tests need less."""
    import dataclasses

    short = dataclasses.replace(session.EXERCISES["cell_forward"], seconds=0.3)
    monkeypatch.setitem(session.EXERCISES, "cell_forward", short)


@pytest.mark.parametrize("fn", [no_end, swallows_everything, lambda *a: time.sleep(300)])
@pytest.mark.usefixtures("hasty")
def test_an_endless_function_is_stopped(fn):
    report = grade("cell_forward", fn)  # comes back: pytest would wait for five minutes
    assert report.status == "not yet"
    assert "still running" in report.message


@pytest.mark.usefixtures("hasty")
def test_a_stopped_loop_uses_no_more_time():
    before = threading.active_count()
    grade("cell_forward", no_end)
    assert threading.active_count() == before


def test_the_limit_is_five_seconds():
    assert {e.seconds for e in session.EXERCISES.values() if e.name == "cell_forward"} == {5.0}


def fails(error):
    def fn(*args):
        raise error

    return fn


@pytest.mark.parametrize(
    "error", [ValueError("odd"), KeyboardInterrupt(), SystemExit(3), MemoryError(), Exception()]
)
def test_an_exception_is_named_not_shown_as_a_traceback(error):
    report = grade("cell_forward", fails(error))
    assert report.status == "not yet"
    assert type(error).__name__ in report.message
    assert "Traceback" not in report.message


def test_the_learners_own_line_is_quoted():
    def product(x_t, h_prev, U, V, b):
        return np.tanh(V @ x_t + b)

    assert "`return np.tanh(V @ x_t + b)`" in grade("cell_forward", product).message


def test_a_line_of_a_library_is_not_quoted():
    def binds(x_t, h_prev, U, V, b):
        return inspect.signature(len).bind(x_t, b)

    assert "`return inspect.signature(len).bind(x_t, b)`" in grade("cell_forward", binds).message


def test_a_blank_of_a_skeleton_is_pointed_at(monkeypatch):
    monkeypatch.setattr(builtins, "___", "an earlier output", raising=False)

    def half_done(h_t, W, c):
        return h_t @ ___ + c  # noqa: F821

    assert "a blank ___ is still to be filled in" in grade("readout", half_done).message


def test_an_error_on_a_later_case_says_which():
    def one_only(h_t, W, c):
        return (h_t @ W + c)[[1]] if len(h_t) == 1 else h_t @ W + c

    assert re.match(r"With one .*: Your code raised IndexError", grade("readout", one_only).message)


def test_endless_recursion():
    assert "calls itself" in grade("cell_forward", recursion).message


def test_input_does_not_hang():
    assert "input()" in grade("cell_forward", lambda *a: input("number? ")).message
    assert "not yet" in grade("cell_forward", lambda *a: sys.stdin.readline()).status


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (lambda h, _: None, "None"),
        (lambda h, _: h.tolist(), "list"),
        (lambda h, _: (h, h), "tuple of 2"),
        (lambda h, _: None, "None (did you forget `return`?)"),
        (lambda h, _: 0.5, "float"),
        (lambda h, _: "h", "str"),
        (lambda h, _: h[None], "(1,3,5)"),
        (lambda h, _: h.ravel(), "(15,)"),
        (lambda h, _: h * np.nan, "NaN"),
        (lambda h, _: h / 0, "infinity"),
        (lambda h, _: h.astype(object), "object"),
        (lambda h, _: h.astype(complex), "complex"),
        (lambda h, _: h.astype("float16"), "float16"),
        (lambda h, _: np.sign(h).astype(int), "int"),
        (lambda h, _: (row for row in h), "generator"),
        (lambda h, _: h + 1e-7, "wrong values"),
        (lambda h, _: h * (1 + 1e-8), "wrong values"),
        (lambda h, _: lambda: h, "function"),
        (lambda h, _: {}, "dict"),
    ],
)
def test_what_came_back_is_described(body, says):
    report = grade_body(body)
    assert report.status == "not yet"
    assert says in report.message


def test_a_single_axis_is_described_as_the_lessons_write_it():
    def bias_as_a_row(*args):
        grads, dx, dh0 = bptt(*args)
        return grads._replace(b=grads.b[None]), dx, dh0

    assert "expected (H,) = (4,)." in grade("bptt", bias_as_a_row).message
    nothing = grade("bptt", lambda *args: (*bptt(*args)[:2], None)).message
    assert "dh0 is None;" in nothing
    assert "norms (T,)." in grade("gradient_flow", lambda h, V: "h").message
    assert "at step t=" in grade("gradient_flow", lambda h, V: np.full(len(h), 7.0)).message
    too_large = grade("numerical_gradient", lambda loss, w, eps=1e-5: np.zeros((9, 9))).message
    assert "expected (...) = (3,4)." in too_large


def test_a_changed_input_is_named():
    def shifts(h, h_prev):
        h_prev += 1
        return h

    assert "changes its input h_prev" in grade_body(shifts).message


def test_randomness_is_noticed():
    rng = np.random.default_rng(0)
    assert grade_body(lambda h, _: h + rng.random()).status == "not yet"


def test_randomness_of_the_global_generators_is_noticed():
    assert "second call" in grade_body(lambda h, _: h + (np.random.random() < 0.5)).message


def test_a_result_right_only_on_the_first_call_is_noticed():
    calls = []

    def tires(h, _):
        calls.append(1)
        return h if len(calls) < 15 else h + 1

    report = grade_body(tires)
    assert report.status == "not yet"
    assert "second call" in report.message


def test_wrong_arguments():
    for fn in (lambda: 0, lambda a: a, lambda a, b, c, d, e, f: a):
        assert "cell_forward(x_t, h_prev, U, V, b)" in grade("cell_forward", fn).message


def test_prints_are_shown_once_and_not_without_end(capsys):
    def chatty(h, _):
        print("shape", h.shape)
        return h + 1

    report = grade_body(chatty)
    assert report.printed == "shape (3, 5)\n"
    assert "shape (3, 5)" in str(report)
    assert "shape (3, 5)" in report._repr_html_()
    assert capsys.readouterr() == ("", "")
    assert len(grade_body(lambda h, _: print("x" * 10**6)).printed) <= 2000


def test_the_interpreter_is_as_before():
    def vandal(h, _):
        del np.tanh
        np.linalg.norm = builtins.len = None
        np.random.seed(1)
        random.seed(1)
        np.seterr(all="raise")
        np.set_printoptions(precision=1)
        sys.setrecursionlimit(10**6)
        sys.stdout = sys.stderr = None
        os.chdir("/")
        return h

    def state():
        return (
            np.tanh,
            np.linalg.norm,
            len,
            np.random.get_state()[1].tolist(),
            random.getstate(),
            np.geterr(),
            np.get_printoptions(),
            sys.getrecursionlimit(),
            sys.stdin,
            sys.stdout,
            sys.stderr,
            os.getcwd(),
            builtins.input,
        )

    before = state()
    grade_body(vandal)
    assert state() == before


def test_global_random_state_of_torch_is_as_before():
    torch = pytest.importorskip("torch")
    before = torch.get_rng_state()
    grade_body(lambda h, _: (torch.manual_seed(5), h)[1])
    assert torch.equal(before, torch.get_rng_state())


def test_values_that_print_alike_are_told_apart():
    message = grade_body(lambda h, _: h * (1 + 1e-8)).message
    assert "off (float32 on the way?)" in message


def test_threads_of_torch_are_as_before():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    grade_body(lambda h, _: (torch.set_num_threads(7), h)[1])
    assert torch.get_num_threads() == before


def test_unknown_exercise():
    with pytest.raises(ValueError, match="'nonsense' is no exercise; expected one of add_bias"):
        grade("nonsense", right)


def test_not_a_function():
    assert grade("cell_forward", 3).status == "not yet"
    assert grade("cell_forward", None).status == "not yet"


# check, answer, progress ------------------------------------------------------------------------


@pytest.fixture
def named():
    """right, under the name of its exercise."""

    @functools.wraps(right)
    def fn(*args):
        return right(*args)

    fn.__name__ = "cell_forward"
    return fn


def test_check_gives_back_the_learners_function_when_it_passes(named, capsys):
    assert check(named) is named
    assert re.search(r"✓ passed: 1.1 cell_forward · (\d+) of \1 checks", capsys.readouterr().out)


def test_check_gives_a_correct_function_otherwise(capsys):
    def softmax(o):
        return o

    assert np.allclose(check(softmax)(np.zeros(4)), 0.25)
    out = capsys.readouterr().out
    assert "✗ not yet" in out
    assert "goes on with the workbook's own `softmax`" in out


def test_the_stand_in_is_not_taken_for_the_learners(capsys):
    assert check(cell_forward) is cell_forward
    assert "workbook's own function" in capsys.readouterr().out
    assert grade("cell_forward", cell_forward).status == "passed"


def test_check_of_something_else(capsys):
    def cell_foward(x_t):
        return x_t

    assert check(cell_foward) is cell_foward
    assert "Did you mean `cell_forward`?" in capsys.readouterr().out
    assert check(3.5) == 3.5
    assert "without parentheses" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "value", "says"),
    [
        ("1.1", "b", "✓ passed"),
        ("1.1", " B ", "✓ passed"),
        ("1.1", "a", "→ your guess: Question 1.1, a"),
        ("1.1", "z", "Expected one of a, b, c, in quotes; got 'z'"),
        ("1.1", "", "Expected one of a, b, c"),
        ("1.1", 2, "Expected one of a, b, c"),
        ("1.1", np.zeros((2, 3)), "in quotes; got an array of shape (2,3)"),
        ("1.1", ..., "○ not attempted"),
        ("1.2", 1.3, "✓ passed"),
        ("1.2", np.array(1.3), "✓ passed"),
        ("1.2", "1.3", "✓ passed"),
        ("1.2", 0.6, "leaves the memory out"),
        ("1.2", "a", "Expected a number; got 'a'"),
        ("1.2", True, "Expected a number"),
        ("1.2", float("nan"), "your guess"),
        ("0.2", 10, "✓ passed"),
        ("0.2", 10.05, "your guess"),
        ("0.2", 30, "side by side"),
        ("9.9", 1, "no question"),
    ],
)
def test_answers(number, value, says, capsys):
    assert answer(number, value) is None
    assert says in capsys.readouterr().out


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_WORKBOOK_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(store, "_this_session", {})
    return tmp_path / "state" / "progress.json"


def restart(monkeypatch):
    monkeypatch.setattr(store, "_this_session", {})


def states():
    return {name: status for _, _, name, status in progress().rows}


def test_progress_outlives_the_kernel(state, named, monkeypatch):
    check(named)
    restart(monkeypatch)
    assert states()["cell_forward"] == "passed"
    assert states()["readout"] == "not attempted"
    assert "1 of" in str(progress())
    assert "✓ passed" in progress()._repr_html_()


def test_progress_is_never_lost_by_a_later_attempt(state, named):
    check(named)

    def cell_forward(*args):
        return 0

    check(cell_forward)
    assert states()["cell_forward"] == "passed"


def test_a_damaged_file_is_set_aside(state, named, monkeypatch):
    state.parent.mkdir()
    for text in ("{", "[]", '{"exercises": 3}', "\x00\xff", '{"exercises": {"a": {}}}'):
        state.write_text(text, encoding="latin-1")
        shown = progress()
        assert set(states().values()) == {"not attempted"}
        if "{}" not in text:
            assert "damaged" in shown.remark
            assert state.with_suffix(".damaged.json").read_text(encoding="latin-1") == text
    check(named)
    restart(monkeypatch)
    assert states()["cell_forward"] == "passed"


def test_a_folder_that_cannot_be_written(state, named, monkeypatch, capsys):
    state.parent.write_text("a file where the folder should be")
    assert check(named) is named
    assert "not kept on disk" in capsys.readouterr().out
    assert states()["cell_forward"] == "passed"  # for this session


def test_a_file_that_cannot_be_read(state, named, monkeypatch):
    state.mkdir(parents=True)
    assert "cannot be read" in progress().remark
    assert check(named) is named


def test_two_kernels_at_once(state, named, monkeypatch):
    check(named)
    restart(monkeypatch)  # another kernel, which knows nothing of the first

    def readout(h_t, W, c):
        return h_t @ W + c

    check(readout)
    assert (states()["cell_forward"], states()["readout"]) == ("passed", "passed")


def test_the_usual_place(monkeypatch):
    monkeypatch.delenv("RNN_WORKBOOK_STATE")
    assert store.folder().name == "rnn-workbook"


def test_empty_means_nowhere(monkeypatch):
    monkeypatch.setenv("RNN_WORKBOOK_STATE", "")
    assert store.folder() is None


# Reports ----------------------------------------------------------------------------------------


def test_reports_escape_what_they_quote():
    report = grade("cell_forward", fails(ValueError("<script>alert(1)</script>")))
    assert "<script>" not in report._repr_html_()
    assert "&lt;script&gt;" in report._repr_html_()


def test_reports_are_the_same_every_time():
    def wrong():
        return grade_body(lambda h, _: h.T)

    assert str(wrong()) == str(wrong())
    assert wrong()._repr_html_() == wrong()._repr_html_()


def test_the_look_is_inline_and_readable():
    html = grade_body(lambda h, _: h.T)._repr_html_()
    assert "<style" not in html
    assert "class=" not in html
    assert "not yet" in html


def test_a_pattern_of_wrong_entries_is_drawn():
    def first_row_wrong(h, _):
        h[0] += 1
        return h

    report = grade_body(first_row_wrong)
    assert report.picture.wrong.tolist() == [[True] * 5, [False] * 5, [False] * 5]
    assert report._repr_html_().count("×</td>") == 5
    assert grade_body(lambda h, _: h + 1).picture is None  # nothing to see


def test_contrast_of_reports_is_aa():
    from utils.checks.report import LOOK

    for _, ink, paper in LOOK.values():
        assert contrast(ink, paper) >= 4.5


def test_exit_does_not_end_the_kernel():
    from nbclient import NotebookClient
    from nbformat import v4

    check_it = (
        "from utils.checks import check\ndef readout(*a):\n    exit()\nreadout = check(readout)"
    )
    cells = [v4.new_code_cell(check_it), v4.new_code_cell("print('alive')")]
    notebook = NotebookClient(v4.new_notebook(cells=cells), kernel_name="python3").execute()
    assert "SystemExit" in notebook.cells[0].outputs[0].data["text/plain"]
    assert notebook.cells[1].outputs[0].text == "alive\n"
