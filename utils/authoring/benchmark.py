"""Measures the maths against PyTorch, a textbook loop and the bound; writes docs/benchmarks.md.

    python -m utils.authoring.benchmark              all of it, about ten minutes
    python -m utils.authoring.benchmark --seconds 2  a quick look

Each measurement runs in a process of its own, so that the number of threads is set before NumPy
and PyTorch start and memory is that of one contender. Within it the contenders take turns, and what
counts is the median of the ratios of a turn: a busy machine slows all of them down.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np

from utils.accumulation import Batch, accumulate_gradients
from utils.bptt import checkpointed_gradients, loss_and_gradients
from utils.cell import RNNParams, init_params

SIZES = {  # B, T, D, H, K
    "toy": (1, 25, 64, 100, 64),
    "class": (32, 50, 64, 128, 64),
    "heavy": (64, 200, 128, 256, 128),
}
CONTENDERS = {"utils": "#0072b2", "textbook loop": "#e69f00", "PyTorch": "#cc79a7"}
TARGETS = {  # at most so many times the bound by threads, and PyTorch on 1 thread
    "toy": ({1: 2.5}, 0.2),
    "class": ({1: 1.2, 2: 1.3}, 0.7),
    "heavy": ({1: 1.12, 2: 1.15}, 0.9),
}
# On one thread processor time, which other work on the machine does not stretch.
CLOCKS = {1: "process_time", 2: "perf_counter"}
SAMPLE = 0.02  # seconds: a training loop, not a step alone
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)
DOCS = Path(__file__).parents[2] / "docs"


def make_problem(B, T, D, H, K, dtype, ids=False):
    """Weights and a batch of random sequences without padding."""
    rng = np.random.default_rng(0)
    params = RNNParams(*(p.astype(dtype) for p in init_params(D, H, K, rng)))
    x = rng.integers(0, D, (T, B)) if ids else rng.standard_normal((T, B, D)).astype(dtype)
    targets, mask = rng.integers(0, K, (T, B)), np.ones((T, B), dtype=bool)
    return params, Batch(x, targets, mask, np.zeros((B, H), dtype))


def as_floats(x, D, dtype):
    return np.eye(D, dtype=dtype)[x] if x.ndim == 2 else x


def textbook(params, batch):
    """A step as textbooks write it: one loop forward, one back, a product for each sum."""
    U, V, b, W, c = params
    x, targets, _, h_t = batch
    x, (T, B), rows = as_floats(x, len(U), b.dtype), targets.shape, np.arange(targets.shape[1])
    h, p, loss = [h_t], [], 0.0
    for t in range(T):
        h.append(np.tanh(x[t] @ U + h[-1] @ V + b))
        o = h[-1] @ W + c
        e = np.exp(o - o.max(axis=1, keepdims=True))
        p.append(e / e.sum(axis=1, keepdims=True))
        loss -= np.log(p[t][rows, targets[t]]).sum()
    dU, dV, db, dW, dc = (np.zeros_like(w) for w in params)
    dh_next = np.zeros_like(h_t)
    for t in reversed(range(T)):
        do = p[t].copy()
        do[rows, targets[t]] -= 1
        do /= T * B
        dW += h[t + 1].T @ do
        dc += do.sum(axis=0)
        da = (do @ W.T + dh_next) * (1 - h[t + 1] ** 2)
        dU += x[t].T @ da
        dV += h[t].T @ da
        db += da.sum(axis=0)
        dh_next = da @ V.T
    return loss / (T * B), RNNParams(dU, dV, db, dW, dc)


def make_torch(params, batch):
    """The same step of `torch.nn.RNN`, `Linear`, `cross_entropy` and autograd."""
    import torch

    from utils.torch_bridge import to_tensors, to_torch

    model, D = to_torch(params), len(params.U)
    x, targets, _, h0 = to_tensors(batch._replace(x=as_floats(batch.x, D, params.b.dtype)))

    def step():
        model.zero_grad()
        logits = model(x, h0)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        return loss.item()

    return step


def make_bound(params, batch):
    """Only what no implementation can leave out: the matrix products, into arrays that exist, and
    one pass of tanh. Nothing is allocated, added up, or turned into a loss."""
    (T, B), (D, H), K, dtype = batch.targets.shape, params.U.shape, len(params.c), params.b.dtype
    N, V_back, W_back = T * B, params.V.T, params.W.T
    x = as_floats(batch.x, D, dtype).reshape(N, D)
    rng = np.random.default_rng(1)
    a, do = (rng.standard_normal((N, n)).astype(dtype) for n in (H, K))
    h, da, o, carried = np.tanh(a), a.copy(), np.empty_like(do), np.empty((B, H), dtype)
    dU, dV, dW = (np.empty_like(w) for w in (params.U, params.V, params.W))
    h_steps, da_steps = h.reshape(T, B, H), da.reshape(T, B, H)

    def step():
        if batch.x.ndim == 3:  # for ids, rows of U are looked up
            np.dot(x, params.U, h)
        for h_t in h_steps:
            h_t.dot(params.V, carried)
        np.tanh(a, h)
        np.dot(h, params.W, o)
        np.dot(do, W_back, da)
        for da_t in da_steps:
            da_t.dot(V_back, carried)
        np.dot(x.T, da, dU)
        np.dot(h.T, da, dV)
        np.dot(h.T, do, dW)

    return step


def interleaved(functions, seconds, clock):
    """Seconds a call of each function, one row a turn, measured until `seconds` are over."""
    repeats = []
    for function in functions:
        function()
        start = time.perf_counter()
        function()
        repeats.append(max(1, round(SAMPLE / (time.perf_counter() - start))))
    rows, end = [], time.perf_counter() + seconds
    while len(rows) < 5 or time.perf_counter() < end:
        row = [0.0] * len(functions)
        for turn in range(len(functions)):  # each comes first, second, ... equally often
            i = (turn + len(rows)) % len(functions)
            start = clock()
            for _ in range(repeats[i]):
                functions[i]()
            row[i] = (clock() - start) / repeats[i]
        rows.append(row)
    return np.array(rows)


def measure_speed(seconds, clock):
    """For each size, dtype and kind of x: milliseconds, and medians of the ratios of a turn."""
    results = []
    for size in reversed(SIZES):  # the largest first, as memory is set up by it
        for dtype in ("float32", "float64"):
            for ids in (False, True):
                params, batch = make_problem(*SIZES[size], dtype, ids)
                functions = {
                    "bound": make_bound(params, batch),
                    "utils": lambda p=params, b=batch: loss_and_gradients(p, *b),
                    "PyTorch": make_torch(params, batch),
                    "textbook loop": lambda p=params, b=batch: textbook(p, b),
                }
                times = interleaved(list(functions.values()), seconds, getattr(time, clock))
                medians = dict(zip(functions, np.median(times, axis=0), strict=True))
                to_bound = np.median(times / times[:, :1], axis=0)
                results.append({
                    "size": size, "dtype": dtype, "x": "ids" if ids else "floats",
                    "ms": {name: 1e3 * t for name, t in medians.items()},
                    "to bound": dict(zip(functions, to_bound, strict=True)),
                    "to PyTorch": float(np.median(times[:, 1] / times[:, 2])),
                    "turns": len(times),
                })  # fmt: skip
    return results


def measure_lengths(size, dtype, lengths, seconds):
    """Milliseconds of full and of checkpointed BPTT at each T, and the median of their ratio."""
    B, _, D, H, K = SIZES[size]
    rows = []
    for T in lengths:
        params, batch = make_problem(B, T, D, H, K, dtype)
        functions = [
            lambda p=params, b=batch: loss_and_gradients(p, *b),
            lambda p=params, b=batch: checkpointed_gradients(p, *b),
        ]
        times = interleaved(functions, seconds, time.process_time)
        ratio = float(np.median(times[:, 1] / times[:, 0]))
        rows.append({"T": T, "ms": list(1e3 * np.median(times, axis=0)), "ratio": ratio})
    return rows


def measure_memory(case, dtype, T=None, k=1):
    """Peak bytes of one step beyond its inputs and weights, and those of its T·B·H states."""
    B, heavy_T, D, H, K = SIZES["heavy"]
    T = T or heavy_T
    params, batch = make_problem(B, T, D, H, K, dtype)
    states = T * B * H * np.dtype(dtype).itemsize
    if case == "PyTorch":  # its memory is not Python's: that of the process has to tell
        step = make_torch(params, batch)
        make_torch(*make_problem(B, 2, D, H, K, dtype))()  # starts the libraries up
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        step()
        return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before), states
    rows = [slice(i, i + B // k) for i in range(0, B, B // k)]
    parts = [Batch(*(a[:, r].copy() for a in batch[:3]), batch.h0[r]) for r in rows]
    step = {
        "full": lambda: loss_and_gradients(params, *batch),
        "checkpoints": lambda: checkpointed_gradients(params, *batch),
        "accumulated": lambda: accumulate_gradients(params, parts),
    }[case]
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, states


def in_own_process(threads, **what):
    """What a measurement gives, taken by a fresh Python on so many threads."""
    environment = {**os.environ, "RNN_WORKBOOK_STATE": ""}
    for library in ("OPENBLAS", "MKL", "OMP"):
        environment[f"{library}_NUM_THREADS"] = str(threads)
    command = [sys.executable, "-m", __spec__.name, "--measure", json.dumps(what)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the measurement {what} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def measure_all(seconds):
    """Everything the report is written from."""
    speed = {
        threads: in_own_process(threads, name="speed", seconds=seconds, clock=clock)
        for threads, clock in CLOCKS.items()
    }
    common = {"name": "lengths", "seconds": seconds}
    lengths = in_own_process(1, size="class", dtype="float64", lengths=LENGTHS, **common)
    at_800 = {
        dtype: in_own_process(1, size="heavy", dtype=dtype, lengths=[800], **common)[0]
        for dtype in ("float32", "float64")
    }
    memory = {}
    for label, what in {
        "full": {"case": "full"},
        "PyTorch": {"case": "PyTorch"},
        "k=2": {"case": "accumulated", "k": 2},
        "k=4": {"case": "accumulated", "k": 4},
        "k=8": {"case": "accumulated", "k": 8},
        "full at T=800": {"case": "full", "T": 800},
        "checkpoints at T=800": {"case": "checkpoints", "T": 800},
    }.items():
        for dtype in ("float32", "float64"):
            peak, states = in_own_process(1, name="memory", dtype=dtype, **what)
            memory.setdefault(label, {})[dtype] = {"peak": peak, "states": states}
    return {"speed": speed, "lengths": lengths, "at 800": at_800, "memory": memory}


def speed_table(speed):
    lines = [
        "| size | threads | dtype | x | utils, ms | textbook, ms | PyTorch, ms | bound, ms "
        "| utils / bound | utils / PyTorch |",
        "|---|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for size in SIZES:
        for threads, results in speed.items():
            to_bound, to_torch = TARGETS[size]
            bound_target = to_bound.get(threads)
            torch_target = to_torch if threads == 1 else None
            for r in results:
                if r["size"] == size:
                    ms = [f"{r['ms'][name]:.3g}" for name in (*CONTENDERS, "bound")]
                    cells = [size, threads, r["dtype"], r["x"], *ms]
                    cells.append(against(r["to bound"]["utils"], bound_target))
                    cells.append(against(r["to PyTorch"], torch_target))
                    lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def against(value, target):
    """A ratio, and beside it the target and whether it is reached."""
    if target is None:
        return f"{value:.2f}"
    return f"{value:.2f} ({'≤' if value <= target else 'missed'} {target})"


def memory_table(memory):
    """Of each pair: what is compared, bytes of both, and the ratio against its target."""
    lines = ["| | dtype | MB | of | ratio |", "|---|---|---:|---|---:|"]
    for label, base, target in (
        ("full", None, 2.5),
        ("PyTorch", None, None),
        ("k=2", "full", None),
        ("k=4", "full", None),
        ("k=8", "full", 0.4),
        ("checkpoints at T=800", "full at T=800", 0.3),
    ):
        for dtype, found in memory[label].items():
            whole = memory[base][dtype]["peak"] if base else found["states"]
            ratio = against(found["peak"] / whole, target)
            name = f"{whole / 1e6:.1f} MB ({base or 'T·B·H states'})"
            lines.append(f"| {label} | {dtype} | {found['peak'] / 1e6:.1f} | {name} | {ratio} |")
    return "\n".join(lines)


def machine():
    """The processor and the versions, without a name of whose machine it is."""
    from importlib.metadata import version

    cpuinfo = Path("/proc/cpuinfo")
    found = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in found if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}. "
        f"Python {platform.python_version()}, "
        f"NumPy {np.__version__} ({blas['name']} {blas['version']}), PyTorch {version('torch')}."
    )


def draw(results):
    """The three figures, and the words for who cannot see them: file name -> alt text."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    alts = {}

    def save(figure, name, alt):
        figure.savefig(DOCS / name, dpi=120, bbox_inches="tight", metadata={"Software": None})
        plt.close(figure)
        alts[name] = alt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for ax, threads in zip(axes, (1, 2), strict=True):
        rows = {
            r["size"]: r["to bound"]
            for r in results["speed"][threads]
            if r["dtype"] == "float64" and r["x"] == "floats"
        }
        for i, (name, colour) in enumerate(CONTENDERS.items()):
            places, values = np.arange(3) + (i - 1) * 0.27, [rows[size][name] for size in SIZES]
            bars = ax.bar(places, values, 0.25, label=name, color=colour)
            ax.bar_label(bars, fmt="%.2g", fontsize=8)
        ax.axhline(1, color="#222222", linewidth=1)
        ax.set(yscale="log", xticks=range(3), xticklabels=SIZES, xlabel="size")
        ax.set_title(f"{threads} thread{'s' if threads > 1 else ''}, float64, x as floats")
    axes[0].set_ylabel("time / bound (log scale)")
    axes[1].legend()
    ours = [r["to bound"]["utils"] for r in results["speed"][1] if r["x"] == "floats"]
    save(
        figure,
        "benchmark_speed.png",
        "Bars of the time of a training step over the bound, for three sizes, on one and on two "
        f"threads. On one thread utils takes {min(ours):.1f} to {max(ours):.1f} times the bound; "
        "PyTorch and the textbook loop take longer, above all at the toy size.",
    )

    figure, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
    T = [row["T"] for row in results["lengths"]]
    for i, (name, colour) in enumerate((("full BPTT", "#0072b2"), ("√T checkpoints", "#d55e00"))):
        ax.loglog(T, [row["ms"][i] for row in results["lengths"]], "o-", color=colour, label=name)
    first = results["lengths"][0]["ms"][0]
    ax.loglog(T, [first * t / T[0] for t in T], ":", color="#222222", label="in proportion to T")
    ax.set(xlabel="T, steps (log scale)", ylabel="time of a step of training, ms (log scale)")
    ax.set_xticks(T, T)
    ax.minorticks_off()
    ax.legend()
    save(
        figure,
        "benchmark_length.png",
        f"Time against the number of steps T from {T[0]} to {T[-1]}, both on log scales: full BPTT "
        "and BPTT with checkpoints are straight lines along the dotted one, in proportion to T.",
    )

    figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
    labels = list(results["memory"])
    megabytes = [results["memory"][label]["float64"]["peak"] / 1e6 for label in labels]
    colours = [CONTENDERS.get(label, CONTENDERS["utils"]) for label in labels]
    ax.bar_label(ax.barh(labels, megabytes, color=colours), fmt="%.0f", padding=3)
    ax.invert_yaxis()
    ax.set(xlabel="peak memory of a step of training, MB (float64)", xlim=(0, 1.1 * max(megabytes)))
    save(
        figure,
        "benchmark_memory.png",
        "Bars of the peak memory of a training step at the heavy size in float64: "
        + ", ".join(f"{label} {m:.0f} MB" for label, m in zip(labels, megabytes, strict=True))
        + ".",
    )
    return alts


REPORT = """# How fast the maths is

Written by `make bench`; do not edit by hand. One training step (forward, loss, gradients of all
weights) is timed four ways:

- **utils**: `utils.bptt.loss_and_gradients`, which is plain NumPy.
- **textbook loop**: NumPy too, with one loop forward, one loop back and a product for each sum.
- **PyTorch**: `torch.nn.RNN`, `Linear`, `cross_entropy` and autograd, on the CPU.
- **bound**: only the matrix products that no implementation can leave out, into arrays that exist
  already, and one pass of tanh. No loss, no biases, no allocation: it can be neared, not reached.

They take turns in one process, each for about 20 ms (at least one step). On one thread it is
processor time that counts, which other work on the machine does not stretch. Ratios are medians
over the turns, so they can differ a little from the ratio of the milliseconds. Targets stand in
brackets.

{machine}

## Speed

{sizes}

{speed}

![{alt_speed}](benchmark_speed.png)

x as ids is a batch of whole numbers, looked up in `U`; PyTorch and the textbook loop get them
one-hot, and the bound has no product of x and U.

## Long sequences

At B, D, H, K = {length_size}, float64, one thread; checkpoints store about 2 √T states, not T.

{lengths}

![{alt_length}](benchmark_length.png)

## Memory

Peak of one training step beyond inputs and weights, at the heavy size. Of PyTorch it is the growth
of the process, of the others what NumPy allocates. *k=8*: the same batch in 8 micro-batches.

{memory}

At T=800 and the heavy size the time with checkpoints over that without is {at_800}.

![{alt_memory}](benchmark_memory.png)
"""


def write_report(results):
    """docs/benchmarks.md and its figures; gives the text."""
    DOCS.mkdir(exist_ok=True)
    alts = draw(results)
    lengths = [
        "| T | full, ms | full, ms per 1000 steps | checkpoints / full |",
        "|---:|---:|---:|---:|",
    ]
    for row in results["lengths"]:
        full = row["ms"][0]
        lengths.append(
            f"| {row['T']} | {full:.1f} | {1000 * full / row['T']:.0f} | {row['ratio']:.2f} |"
        )
    at_800 = ", ".join(
        f"{against(row['ratio'], 1.4)} in {dtype}" for dtype, row in results["at 800"].items()
    )
    sizes = ", ".join(f"{name} {shape}" for name, shape in SIZES.items())
    B, _, *rest = SIZES["class"]
    text = REPORT.format(
        machine=machine(),
        sizes=f"Sizes (B, T, D, H, K): {sizes}.",
        speed=speed_table(results["speed"]),
        length_size=", ".join(map(str, (B, *rest))),
        lengths="\n".join(lengths),
        memory=memory_table(results["memory"]),
        at_800=at_800,
        **{"alt_" + name[10:-4]: alt for name, alt in alts.items()},
    )
    (DOCS / "benchmarks.md").write_text(text, encoding="utf-8")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="for each comparison (10)")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name = arguments.measure.pop("name")
        print(json.dumps(globals()[f"measure_{name}"](**arguments.measure)))
    else:
        print(write_report(measure_all(arguments.seconds)))


if __name__ == "__main__":
    main()
