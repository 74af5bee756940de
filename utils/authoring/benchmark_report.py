"""docs/benchmarks.md and its figures, from what `benchmark` has measured."""

import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from utils.authoring.contenders import NETWORKS, RIVALS, SIZES

CONTENDERS = {"utils": "#0072b2", "textbook loop": "#e69f00", "PyTorch": "#cc79a7"}
TARGETS = {  # of the plain network: at most so many times the bound by threads, and PyTorch on 1
    "toy": ({1: 2.5}, 0.2),
    "class": ({1: 1.2, 2: 1.3}, 0.7),
    "heavy": ({1: 1.12, 2: 1.15}, 0.9),
}
GATE_TARGETS = {"toy": (None, 0.6), "class": (1.25, 1.0), "heavy": (1.25, 1.0)}  # on 1 thread
DOCS = Path(__file__).parents[2] / "docs"


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
                    cells.append(against(r["utils to"]["PyTorch"], torch_target))
                    lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def network_table(networks):
    """The three networks on one thread, against whatever ran."""
    others = [name for name in ("PyTorch", *RIVALS) if name in networks[0]["ms"]]
    names = ["utils", *others, "bound"]
    titles = ["network", "size", "dtype", *(f"{name}, ms" for name in names)]
    titles += [f"utils / {name}" for name in ["bound", *others]]
    lines = [f"| {' | '.join(titles)} |", "|---|---|---|" + "---:|" * (len(titles) - 3)]
    for network in NETWORKS:
        for size in SIZES:
            for r in networks:
                if (r["network"], r["size"]) == (network, size):
                    cells = [network, size, r["dtype"], *(f"{r['ms'][name]:.3g}" for name in names)]
                    bound, torch = (None, None) if network == "plain" else GATE_TARGETS[size]
                    targets = {"bound": bound, "PyTorch": torch}
                    if network == "plain" and size == "toy":
                        targets = {"JAX": 1.0}
                    for name in ["bound", *others]:
                        cells.append(against(r["utils to"][name], targets.get(name)))
                    lines.append(f"| {' | '.join(cells)} |")
    missing = [name for name in RIVALS if name not in others]
    if missing:
        lines += ["", f"Left out, for it is not installed here: {', '.join(missing)}."]
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
    cpuinfo = Path("/proc/cpuinfo")
    found = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in found if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}. "
        f"Python {platform.python_version()}, "
        f"NumPy {np.__version__} ({blas['name']} {blas['version']}), PyTorch {version('torch')}"
        f"{', JAX ' + version('jax') if find_spec('jax') else ''}."
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

## LSTM and GRU, and other rivals

One thread, x as floats. Of PyTorch it is `torch.nn.RNN`, `LSTM` and `GRU`. The bound of a gated
network has one pass of exp for its gates, and of tanh for the rest. *JAX* is `jax.jit` of a
`lax.scan` and of its gradient; *torch.compile* is PyTorch's model compiled, which leaves its
recurrent layer as it is.

{networks}

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
        networks=network_table(results["networks"]),
        length_size=", ".join(map(str, (B, *rest))),
        lengths="\n".join(lengths),
        memory=memory_table(results["memory"]),
        at_800=at_800,
        **{"alt_" + name[10:-4]: alt for name, alt in alts.items()},
    )
    (DOCS / "benchmarks.md").write_text(text, encoding="utf-8")
    return text
