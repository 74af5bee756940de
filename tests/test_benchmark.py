"""The benchmark compares like with like, and its report can be written."""

from unittest import mock

import pytest

from tests.strategies import assert_close
from utils.authoring import benchmark
from utils.bptt import loss_and_gradients

TINY = {"toy": (1, 3, 4, 5, 3), "class": (4, 3, 2, 4, 3), "heavy": (8, 4, 3, 5, 3)}


@pytest.mark.parametrize("ids", [False, True])
def test_all_contenders_compute_the_same(ids):
    params, batch = benchmark.make_problem(*TINY["heavy"], "float64", ids)
    loss, grads, _, _ = loss_and_gradients(params, *batch)
    assert_close(benchmark.textbook(params, batch), (loss, grads), 1e-12)
    assert benchmark.make_torch(params, batch)() == pytest.approx(loss, rel=1e-12)
    benchmark.make_bound(params, batch)()


def test_the_report_holds_every_figure(tmp_path):
    def here(threads, name, **what):
        return getattr(benchmark, f"measure_{name}")(**what)

    with mock.patch.multiple(
        benchmark, SIZES=TINY, LENGTHS=(2, 4), SAMPLE=0, DOCS=tmp_path, in_own_process=here
    ):
        text = benchmark.write_report(benchmark.measure_all(seconds=0))
    assert (tmp_path / "benchmarks.md").read_text(encoding="utf-8") == text
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == ["benchmark_length.png", "benchmark_memory.png", "benchmark_speed.png"]
    for picture in pictures:
        assert f"]({picture})" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert sum(row.startswith(("| toy", "| class", "| heavy")) for row in rows) == 3 * 2 * 4
    assert sum("float32" in row or "float64" in row for row in rows) == 24 + 12


def test_a_measurement_that_fails_says_why():
    with pytest.raises(RuntimeError, match="KeyError"):
        benchmark.in_own_process(1, name="lengths", size="huge", dtype="f8", lengths=[1], seconds=0)
