"""The benchmark compares like with like, and its report can be written."""

from unittest import mock

import pytest

from tests.strategies import assert_close
from utils.authoring import benchmark, benchmark_report, contenders
from utils.bptt import loss_and_gradients

TINY = {"toy": (1, 3, 4, 5, 3), "class": (4, 3, 2, 4, 3), "heavy": (8, 4, 3, 5, 3)}


@pytest.mark.parametrize("ids", [False, True])
def test_all_contenders_compute_the_same(ids):
    params, batch = contenders.make_problem(*TINY["heavy"], "float64", ids)
    loss, grads, _, _ = loss_and_gradients(params, *batch)
    assert_close(contenders.textbook(params, batch), (loss, grads), 1e-12)
    assert contenders.make_torch(params, batch)() == pytest.approx(loss, rel=1e-12)
    contenders.make_bound(params, batch)()


@pytest.mark.parametrize("network", contenders.NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_rivals_compute_the_same(network, dtype):
    problem = contenders.make_problem(*TINY["heavy"], dtype, network=network)
    loss = contenders.make_utils(*problem)()[0]
    close = pytest.approx(loss, rel=1e-5 if dtype == "float32" else 1e-12)
    assert contenders.make_torch(*problem)() == close
    contenders.make_bound(*problem)()
    for name in benchmark.installed_rivals():
        assert contenders.RIVALS[name](*problem)() == close


def test_the_report_holds_every_figure(tmp_path):
    def here(threads, name, **what):
        return getattr(benchmark, f"measure_{name}")(**what)

    with (
        mock.patch.multiple(benchmark, LENGTHS=(2, 4), SAMPLE=0, in_own_process=here),
        mock.patch.dict(contenders.SIZES, TINY),
        mock.patch.object(benchmark_report, "DOCS", tmp_path),
        mock.patch.object(benchmark, "installed_rivals", return_value=[]),
    ):
        text = benchmark.write_report(benchmark.measure_all(seconds=0))
    assert (tmp_path / "benchmarks.md").read_text(encoding="utf-8") == text
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == ["benchmark_length.png", "benchmark_memory.png", "benchmark_speed.png"]
    for picture in pictures:
        assert f"]({picture})" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert sum(row.startswith(("| toy", "| class", "| heavy")) for row in rows) == 3 * 2 * 4
    assert sum(row.startswith(("| plain", "| LSTM", "| GRU")) for row in rows) == 3 * 3 * 2
    assert sum("float32" in row or "float64" in row for row in rows) == 24 + 18 + 12
    assert "not installed here: JAX, torch.compile." in text


def test_a_rival_that_is_installed_has_its_column():
    ratios = dict.fromkeys(("utils", "PyTorch", "bound", "JAX"), 1.0)
    networks = [
        {"network": "GRU", "size": "toy", "dtype": "float32", "ms": ratios, "utils to": ratios}
    ]
    head, _, row, *rest = benchmark_report.network_table(networks).splitlines()
    assert "JAX, ms" in head
    assert "utils / JAX" in head
    assert row.count("|") == head.count("|")
    assert "(missed 0.6)" in row
    assert rest[-1] == "Left out, for it is not installed here: torch.compile."


def test_a_measurement_that_fails_says_why():
    with pytest.raises(RuntimeError, match="KeyError"):
        benchmark.in_own_process(1, name="lengths", size="huge", dtype="f8", lengths=[1], seconds=0)
