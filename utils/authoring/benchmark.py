"""Measures the maths against PyTorch, a textbook loop and the bound; writes docs/benchmarks.md.

    python -m utils.authoring.benchmark              all of it, about ten minutes
    python -m utils.authoring.benchmark --seconds 1  a quick look

Each measurement runs in a process of its own, so that the number of threads is set before NumPy
and PyTorch start and memory is that of one contender. Within it the contenders take turns, and what
counts is the median of the ratios of a turn: a busy machine slows all of them down.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import tracemalloc
from importlib.util import find_spec

import numpy as np

from utils.accumulation import Batch, accumulate_gradients
from utils.authoring.benchmark_report import write_report
from utils.authoring.contenders import (
    NETWORKS,
    RIVALS,
    SIZES,
    make_bound,
    make_problem,
    make_torch,
    make_utils,
    textbook,
)
from utils.bptt import checkpointed_gradients, loss_and_gradients

# On one thread processor time, which other work on the machine does not stretch.
CLOCKS = {1: "process_time", 2: "perf_counter"}
SAMPLE = 0.02  # seconds: a training loop, not a step alone
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)


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
    """The plain network at each size, in each dtype, with x of each kind."""
    results = []
    for size in reversed(SIZES):  # the largest first, as memory is set up by it
        for dtype in ("float32", "float64"):
            for ids in (False, True):
                params, batch = make_problem(*SIZES[size], dtype, ids)
                functions = {
                    "utils": make_utils(params, batch),
                    "PyTorch": make_torch(params, batch),
                    "textbook loop": lambda p=params, b=batch: textbook(p, b),
                    "bound": make_bound(params, batch),
                }
                case = {"size": size, "dtype": dtype, "x": "ids" if ids else "floats"}
                results.append(case | compare(functions, seconds, getattr(time, clock)))
    return results


def measure_networks(seconds):
    """The same for each network and dtype at each size, x as floats, one thread; and the rivals
    that are installed."""
    results = []
    for size in reversed(SIZES):
        for network in NETWORKS:
            for dtype in ("float32", "float64"):
                problem = make_problem(*SIZES[size], dtype, network=network)
                functions = {
                    "utils": make_utils(*problem),
                    "PyTorch": make_torch(*problem),
                    "bound": make_bound(*problem),
                }
                for name in installed_rivals():
                    functions[name] = RIVALS[name](*problem)
                case = {"network": network, "size": size, "dtype": dtype}
                results.append(case | compare(functions, seconds, time.process_time))
    return results


def installed_rivals():
    """Those of the rivals that can run here; torch.compile calls a C++ compiler."""
    found = {"JAX": find_spec("jax"), "torch.compile": shutil.which("g++")}
    return [name for name in RIVALS if found[name]]


def compare(functions, seconds, clock):
    """Milliseconds of each function, and for each the median of a turn's ratios, utils to it."""
    times = interleaved(list(functions.values()), seconds, clock)
    ours = times[:, [list(functions).index("utils")]]
    bound = times[:, [list(functions).index("bound")]]
    return {
        "ms": dict(zip(functions, 1e3 * np.median(times, axis=0), strict=True)),
        "to bound": dict(zip(functions, np.median(times / bound, axis=0), strict=True)),
        "utils to": dict(zip(functions, np.median(ours / times, axis=0), strict=True)),
        "turns": len(times),
    }


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
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
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
    networks = in_own_process(1, name="networks", seconds=seconds)
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
    return {
        "speed": speed,
        "networks": networks,
        "lengths": lengths,
        "at 800": at_800,
        "memory": memory,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6, help="for each comparison (6)")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name = arguments.measure.pop("name")
        print(json.dumps(globals()[f"measure_{name}"](**arguments.measure)))
    else:
        print(write_report(measure_all(arguments.seconds)))


if __name__ == "__main__":
    main()
