"""Figures of lesson 3: errors on their way back. Dashed vermilion arrows are errors."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import FancyArrowPatch

from .shared import COLOURS, GREY, INK, TINTS, node, show

ERROR = COLOURS["error"]


def backward_sweep(letters, own=None, dh=None, carried=None):
    """The unrolled network with its errors: forward in grey, back in dashed vermilion.

    own (T), dh (T) and carried (T): texts for what each step's own loss says, for what its memory
    is blamed for in all, and for what it hands back to the memory before.
    """
    T = len(letters)
    own = own or [""] * T
    figure, ax = plt.subplots(figsize=(9, 4.4))
    ax.set(xlim=(-0.6, 2.5 * T + 1.4), ylim=(-0.5, 5.2), aspect="equal")
    ax.axis("off")
    node(ax, 0.4, 2.2, "h", "$h_0$")
    for t in range(T):
        place = 2.5 * (t + 1) + 0.4
        node(ax, place, 0.3, "x", f"$x_{t + 1}$")
        node(ax, place, 2.2, "h", f"$h_{t + 1}$\n" if dh else f"$h_{t + 1}$")
        node(ax, place, 4.1, "o", f"$o_{t + 1}$")
        _forward(ax, (place - 0.3, 0.7), (place - 0.3, 1.8))
        _forward(ax, (place - 0.3, 2.6), (place - 0.3, 3.7))
        _forward(ax, (place - 1.85, 2.4), (place - 0.65, 2.4))
        _back(ax, (place + 0.3, 3.7), (place + 0.3, 2.6), own[t], beside=True)
        _back(ax, (place + 0.3, 1.8), (place + 0.3, 0.7))
        _back(ax, (place - 0.65, 2.0), (place - 1.85, 2.0), carried[t] if carried else "")
        ax.text(place, 4.75, f"loss $L_{t + 1}$", fontsize=11, ha="center", color=INK)
        ax.text(place, -0.35, letters[t], fontsize=13, ha="center", va="center", color=INK)
        if dh:
            blame = {"fontsize": 11, "ha": "center", "va": "center", "color": ERROR}
            ax.text(place, 1.98, f"dh {dh[t]}", **blame)
    words = ""
    if dh:
        words = (
            f" In all, the memories are blamed for {', '.join(dh)}, of which their own losses say "
            f"{', '.join(own)}; handed back to the memory before are {', '.join(carried)}."
        )
    show(
        figure,
        f"The network unrolled over {T} letters. Grey arrows lead forward, from x to h, from h to "
        "o and from each h to the next. Dashed arrows lead back: from each o down to its h, from "
        "each h to the h before and to its x." + words,
    )


def cell_backward_diagram():
    """One step of the network with its errors, and what is computed where."""
    figure, ax = plt.subplots(figsize=(9, 3.2))
    ax.set(xlim=(-0.6, 12.2), ylim=(0, 3.6), aspect="equal")
    ax.axis("off")
    node(ax, 4.4, 0.6, "x", "$x_t$")
    node(ax, 0.6, 2.8, "h", "$h_{t-1}$")
    node(ax, 8.6, 2.8, "h", "$h_t$")
    ax.text(4.4, 2.8, r"$a_t$", fontsize=16, ha="center", va="center", color=INK)
    _forward(ax, (4.2, 1.0), (4.2, 2.45))
    _forward(ax, (1.25, 2.95), (4.0, 2.95))
    _forward(ax, (4.8, 2.95), (7.95, 2.95))
    _back(ax, (11.0, 2.65), (9.25, 2.65), r"$dh_t$")
    _back(ax, (7.95, 2.65), (4.8, 2.65), r"$da_t = dh_t \cdot (1 - h_t^2)$")
    _back(ax, (4.0, 2.65), (1.25, 2.65), r"$dh_{t-1} = da_t\,V^{\top}$")
    _back(ax, (4.6, 2.45), (4.6, 1.0), r"$dx_t = da_t\,U^{\top}$", beside=True)
    small = {"fontsize": 11, "va": "center", "color": INK}
    ax.text(2.6, 3.25, "V", weight="bold", ha="center", **small)
    ax.text(3.9, 1.7, "U", weight="bold", ha="center", **small)
    ax.text(6.4, 3.25, "tanh", ha="center", **small)
    show(
        figure,
        "One step, forward in grey: x_t through U and h_(t-1) through V make a_t, tanh makes h_t. "
        "Back, dashed: dh_t arrives at h_t; da_t = dh_t (1 - h_t squared) at a_t; from there da_t "
        "times V transposed goes to h_(t-1) and da_t times U transposed to x_t.",
    )


def sizes_on_arrows(letters, jacobians, blame):
    """The unrolled network of a real name with measured sizes.

    jacobians (T): the size of each step's Jacobian, on its arrow, also its width; blame (T): the
    size of dL/dh_t, also the depth of the node's colour.
    """
    T, depth = len(letters), np.asarray(blame) / np.max(blame)
    blue, tint = (np.array(_rgb(c)) for c in (COLOURS["h"], TINTS["h"]))
    figure, ax = plt.subplots(figsize=(9.5, 1.9))
    ax.set(xlim=(-3.0, T - 0.4), ylim=(-0.95, 0.95))
    ax.axis("off")
    for y, text in (
        (0.62, "size of ∂h$_t$/∂h$_{t-1}$"),
        (0, "letter"),
        (-0.68, "size of ∂L/∂h$_t$"),
    ):
        ax.text(-1.5, y, text, fontsize=11, ha="right", va="center", color=INK)
    ax.text(-1, 0, "$h_0$", fontsize=14, ha="center", va="center", color=INK)
    for t, letter in enumerate(letters.replace(" ", "␣")):
        shade = tint + (blue - tint) * depth[t]
        ax.scatter(t, 0, s=620, color=shade, edgecolors=COLOURS["h"], linewidths=1.5, zorder=3)
        ink = "white" if depth[t] > 0.55 else INK
        ax.text(t, 0, letter, fontsize=14, ha="center", va="center", color=ink, zorder=4)
        ax.text(t, -0.68, f"{blame[t]:.2g}", fontsize=10.5, ha="center", va="center", color=INK)
        ax.text(t - 0.5, 0.62, f"{jacobians[t]:.2f}", fontsize=10.5, ha="center", color=ERROR)
        width = {"lw": 0.6 + 1.2 * min(jacobians[t], 2.5), "mutation_scale": 11}
        style = {"arrowstyle": "-|>", "color": ERROR, "linestyle": "-", **width}
        ax.add_patch(FancyArrowPatch((t - 0.3, 0.3), (t - 0.75, 0.3), **style))
    show(
        figure,
        f"The memories after each letter of “{letters}” as circles, arrows back from each to the "
        "one before, each with its measured factor: "
        + ", ".join(f"{j:.2f}" for j in jacobians)
        + ". Below each circle the blame that reaches it: "
        + ", ".join(f"{b:.2g}" for b in blame)
        + ".",
    )


def provenance(matrices, titles):
    """Which loss (row) through which step (column) gives how much of dV, one map a title."""
    figure, axes = plt.subplots(
        1, len(matrices), figsize=(9, 3.1), sharey=True, squeeze=False, layout="constrained"
    )
    parts = np.concatenate([m[m > 0] for m in matrices])
    scale = LogNorm(parts.min() / 5, parts.max())  # small parts are parts, too
    for ax, matrix, title in zip(axes.flat, matrices, titles, strict=True):
        shown = np.where(matrix > 0, matrix, np.nan)
        image = ax.imshow(shown, cmap="Blues", norm=scale)
        ax.set_xticks(np.arange(len(matrix) + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(len(matrix) + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="white")
        ax.tick_params(which="minor", length=0)
        ticks = range(len(matrix))
        ax.set_xticks(ticks, [t + 1 for t in ticks])
        ax.set_yticks(ticks, [t + 1 for t in ticks])
        ax.set(title=title, xlabel="through step t", facecolor="#e8e8e8")
    axes[0, 0].set(ylabel="blamed by the loss of step")
    figure.colorbar(image, ax=axes, label="size of this part of dV", shrink=0.9)
    counts = ", ".join(f"{t}: {int((m > 0).sum())}" for t, m in zip(titles, matrices, strict=True))
    show(
        figure,
        "Maps of the parts that dV is the sum of, rows the losses, columns the steps they are led "
        f"back to; only steps up to the loss's own count. Fields that are not empty: {counts}.",
    )


def _rgb(colour):
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _forward(ax, start, end):
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=13, color=GREY, lw=1.3)
    )


def _back(ax, start, end, text="", beside=False):
    style = {"arrowstyle": "-|>", "mutation_scale": 15, "color": ERROR, "lw": 1.8}
    ax.add_patch(FancyArrowPatch(start, end, linestyle=(0, (4, 2)), **style))
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    ax.text(
        x + (0.15 if beside else 0),
        y - (0 if beside else 0.32),
        text,
        fontsize=12,
        color=ERROR,
        ha="left" if beside else "center",
        va="center",
    )
