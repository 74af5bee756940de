"""Figures of lesson 4: micro-batches that are added up, and the windows between updates."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, Rectangle

from .shared import COLOURS, GREY, INK, TINTS, arrow, node, show


def one_update(k):
    """k micro-batches one after the other: states let go, gradients added, one update."""
    figure, ax = plt.subplots(figsize=(9, 3.6))
    ax.set(xlim=(-0.3, 2.6 * k + 5.1), ylim=(-0.6, 6.3), aspect="equal")
    ax.axis("off")
    for i in range(k):
        x = 2.6 * i + 1.8
        node(ax, x, 5.5, "x", f"tray {i + 1}", width=1.9)
        arrow(ax, (x, 5.05), (x, 4.35), "")
        # what is in use now is drawn in full, what was let go is dashed
        now = i == k - 1
        style = {"ls": "-" if now else "--", "lw": 2 if now else 1.2, "ec": COLOURS["h"]}
        ax.add_patch(
            Rectangle((x - 0.95, 2.9), 1.9, 1.4, fc=TINTS["h"] if now else "white", **style)
        )
        ax.text(x, 3.6, "states" if now else "let go", ha="center", va="center", fontsize=11)
        arrow(ax, (x, 2.85), (x, 1.75), "")
        ax.text(x + 0.2, 2.3, "+ gradient", va="center", fontsize=10, color=INK)
        if i:
            arrow(ax, (x - 1.6, 1.3), (x - 0.97, 1.3), "")
        node(ax, x, 1.3, "o", "sum", width=1.9)
    x = 2.6 * k + 1.8
    arrow(ax, (x - 1.6, 1.3), (x - 0.9, 1.3), "")
    ax.text(x + 0.9, 1.3, "divide,\nupdate once", ha="center", va="center", fontsize=12, color=INK)
    ax.add_patch(
        FancyArrowPatch((0.8, 0.1), (x, 0.1), arrowstyle="-|>", mutation_scale=14, color=GREY)
    )
    ax.text((0.8 + x) / 2, -0.35, "time", ha="center", va="center", fontsize=11, color=GREY)
    show(
        figure,
        f"{k} micro-batches, one after the other. The states of each are let go after its backward "
        "pass; its gradient is added to one running sum, which after the last is divided and makes "
        "one update.",
    )


def ladder(errors):
    """Relative errors on a log scale, a row for each case: errors {way: {case: numbers}}."""
    figure, ax = plt.subplots(figsize=(9, 2.9), layout="constrained")
    cases = list(next(iter(errors.values())))
    looks = [("o", COLOURS["x"]), ("s", COLOURS["h"])]
    for below, (way, found), (marker, colour) in zip(
        (-0.15, 0.15), errors.items(), looks, strict=True
    ):
        for row, case in enumerate(cases):
            ax.plot(
                np.maximum(found[case], 1e-17),  # nothing at all has no place on a log scale
                np.full(len(found[case]), row + below),
                marker,
                color=colour,
                alpha=0.5,
                label=way if row == 0 else None,
            )
    ax.axvline(1, color=GREY, linewidth=1)
    ax.text(2, 0, "as large as\nthe gradient", fontsize=9, color=INK, va="center")
    ax.set(xscale="log", xlim=(3e-18, 2e3), xlabel="error of the gradient, relative to its size")
    ax.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 0.01, 1])
    ax.set_xticklabels(["1e-16", "1e-12", "1e-8", "1e-4", "1 %", "100 %"])
    ax.set_yticks(range(len(cases)), cases)
    ax.set_ylim(len(cases) - 0.5, -0.5)
    ax.legend(loc="center")
    said = "; ".join(
        f"{way}: " + ", ".join(f"{case} {np.median(found[case]):.0%}" for case in cases)
        for way, found in errors.items()
    )
    show(figure, f"Errors of the gradient on a log scale, their medians: {said}.")


def update_windows(loops, n_micro, epochs):
    """Which micro-batches make up each update: loops {name: windows}, a strip for each.

    A window is a list of micro-batches numbered through all epochs; what is in none is left over.
    """
    total = n_micro * epochs
    figure, ax = plt.subplots(figsize=(9, 0.75 + 0.85 * len(loops)), layout="constrained")
    said = []
    for row, (name, windows) in enumerate(loops.items()):
        left = sorted(set(range(total)).difference(*windows))
        for i, window in enumerate(windows):
            leaks = window[0] // n_micro != window[-1] // n_micro
            kind, line = ("x", "--") if leaks else ("ho"[i % 2], "-")
            _strip(ax, row, window, str(len(window)), TINTS[kind], COLOURS[kind], ls=line)
            ax.plot(window[-1] + 1, row - 0.43, "v", color=INK, markersize=7)
        for i in left:
            _strip(ax, row, [i], "", "white", GREY, hatch="////")
        sizes = ", ".join(str(len(window)) for window in windows)
        said.append(f"{name}: {len(windows)} updates, of {sizes}; {len(left)} left over")
    for epoch in range(1, epochs):
        ax.axvline(epoch * n_micro, color=INK, linestyle="--", linewidth=1.5, zorder=0)
    every = max(1, total // 40 + 1)
    ticks = np.arange(0, total, every)
    ax.set_xticks(ticks + 0.5, ticks % n_micro, fontsize=9)
    ax.set_yticks(range(len(loops)), list(loops))
    ax.set(xlim=(-0.1, total + 0.3), ylim=(len(loops) - 0.45, -0.75))
    ax.set_xlabel(
        "micro-batch    ▼ update    dashed: a new epoch, and what lies across    hatched: left over"
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    show(
        figure,
        "The windows of micro-batches between updates, and what is left over. "
        + ". ".join(said)
        + ".",
    )


def clipped_parts(parts, max_norm):
    """Two gradients in the plane, parts (2,2): averaged and then clipped, clipped and averaged."""
    parts = np.asarray(parts, dtype=float)
    clipped = np.array([_shortened(g, max_norm) for g in parts])
    panels = [
        ("average, then clip once", parts, parts.mean(0), _shortened(parts.mean(0), max_norm)),
        ("clip each, then average", clipped, None, clipped.mean(0)),
    ]
    reach = 1.12 * np.abs(parts).max()
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.7), layout="constrained")
    for ax, (title, drawn, mean, result) in zip(axes, panels, strict=True):
        ax.add_patch(plt.Circle((0, 0), max_norm, fill=False, color=GREY, ls=":", lw=1.5))
        for i, g in enumerate(drawn):
            _vector(ax, g, COLOURS["x"], f"$g_{i + 1}$", "-")
        if mean is not None:
            _vector(ax, mean, COLOURS["h"], "mean", "--")
        beside = (0.35, 0.2) if mean is None else (-0.1, 0.42)  # outside the circle
        _vector(ax, result, COLOURS["o"], "result", "-", width=3.5, beside=beside)
        degrees = np.degrees(np.arctan2(result[1], result[0]))
        ax.set(title=f"{title}: {degrees:.0f}°", aspect="equal", xlabel="first entry")
        ax.set(xlim=(-0.3, reach), ylim=(-0.3, 0.45 * reach), xticks=range(7), yticks=range(3))
    axes[0].set_ylabel("second entry")
    show(
        figure,
        "Two gradients as arrows. Averaged and clipped once the result points as their mean does; "
        "clipped each by itself before, it points elsewhere. A dotted circle marks max_norm.",
    )


def three_sums(errors, T=6, B=4, k=2, chunk=3):
    """Where the sum over T·B steps may be cut: not at all, between sequences, across time.

    errors: how far the gradient is off in the three, as texts.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.3), layout="constrained")
    panels = [
        ("one batch", B, T),
        ("micro-batches:\ncut between sequences", -(-B // k), T),
        ("truncated BPTT:\ncut across time", B, chunk),
    ]
    for ax, (title, tall, wide), error in zip(axes, panels, errors, strict=True):
        for b in range(B):
            for t in range(T):
                x, y = t + 0.5 * (t // wide), b + 0.7 * (b // tall)
                ax.add_patch(
                    Rectangle((x + 0.18, y + 0.2), 0.64, 0.6, fc=TINTS["h"], ec=COLOURS["h"])
                )
                if t and t % wide == 0:
                    ax.text(x - 0.25, y + 0.5, "×", ha="center", va="center", fontsize=15)
                elif t:
                    _back(ax, x, y)
        right, low = T + 0.5 * ((T - 1) // wide), B + 0.7 * ((B - 1) // tall)
        centred = {"ha": "center", "va": "center", "fontsize": 10, "color": INK}
        ax.text(right / 2, low + 0.4, "sum over time: BPTT", **centred)
        ax.text(right / 2, low + 1.2, f"error of the gradient: {error}", **centred)
        for start in range(0, B, tall):
            middle = start + 0.7 * (start // tall) + min(tall, B - start) / 2
            words = "sum over\nits sequences" if tall < B else "sum over\nthe sequences"
            ax.text(-0.6, middle, words, rotation=90, **centred)
            if start:
                ax.text(right / 2, middle - tall / 2 - 0.35, "+  sum over micro-batches", **centred)
        ax.set(xlim=(-1.3, T + 0.6), ylim=(B + 2.2, -0.1), aspect="equal")
        ax.set_title(title, fontsize=12)
        ax.axis("off")
    show(
        figure,
        f"Three grids of {B} sequences by {T} steps; arrows carry errors back in time along each "
        "sequence. Cut between sequences, into micro-batches, no arrow is lost. Cut across time, "
        f"as truncated BPTT does, those at the border are. Errors: {', '.join(errors)}.",
    )


def _strip(ax, row, window, label, face, edge, **look):
    """One window as a box over its micro-batches, with its size in it."""
    ax.add_patch(
        Rectangle(
            (window[0] + 0.06, row - 0.3),
            len(window) - 0.12,
            0.6,
            fc=face,
            ec=edge,
            lw=1.5,
            **look,
        )
    )
    middle = window[0] + len(window) / 2
    ax.text(middle, row, label, ha="center", va="center", fontsize=11, color=INK)


def _back(ax, x, y):
    """A short arrow from step to step, back in time."""
    ax.annotate(
        "",
        (x - 0.2, y + 0.5),
        (x + 0.2, y + 0.5),
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2, "mutation_scale": 9},
    )


def _vector(ax, g, colour, label, line, width=2, beside=(0.12, 0.12)):
    ax.annotate(
        "",
        g,
        (0, 0),
        arrowprops={
            "arrowstyle": "-|>",
            "color": colour,
            "lw": width,
            "ls": line,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 15,
        },
    )
    ax.text(*(g + beside), label, fontsize=12, color=INK)


def _shortened(g, max_norm):
    return g * np.minimum(1.0, max_norm / np.linalg.norm(g))
