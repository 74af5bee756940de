"""The figures of the lessons: same colours throughout, readable at notebook width.

x is pink, h is blue, o is green, as in the classic diagram of the unrolled network; the shades are
those of Okabe and Ito (2008), which colour-blind readers tell apart.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

COLOURS = {"x": "#cc79a7", "h": "#0072b2", "o": "#009e73"}
TINTS = {"x": "#f6dfeb", "h": "#d6e8f5", "o": "#d3efe6"}
INK = "#222222"
VALUES = "PuOr"  # from -1 to 1; its two ends differ for every eye


def show(figure, alt):
    """Show a figure at the end of a cell, `alt` being its description for who can't see it."""
    from IPython.display import display

    image, dpi = io.BytesIO(), 160
    # no version and no date in the file: the same figure gives the same bytes
    figure.savefig(image, dpi=dpi, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    png = image.getvalue()
    width = int.from_bytes(png[16:20], "big")  # the PNG header says how wide it is
    meta = {"alt": alt, "width": round(width * 96 / dpi)}
    data = {"image/png": png, "text/plain": f"Figure: {alt}"}
    display(data, raw=True, metadata={"image/png": meta})


def cell_diagram():
    """One step of the network: x_t and h_{t-1} go in, h_t comes out and is read out as o_t."""
    figure, ax = plt.subplots(figsize=(8, 3.6))
    ax.set(xlim=(0, 11), ylim=(0, 5), aspect="equal")
    ax.axis("off")
    _node(ax, 5, 0.6, "x", "$x_t$")
    _node(ax, 1.3, 2.5, "h", "$h_{t-1}$")
    _node(ax, 5, 2.5, "h", r"$h_t=\tanh(a_t)$", width=2.4)
    _node(ax, 5, 4.4, "o", "$o_t$")
    _arrow(ax, (5, 1.0), (5, 2.1), "U", "carries the input in")
    _arrow(ax, (2.0, 2.5), (3.8, 2.5), "V")
    ax.text(2.9, 2.25, "carries the\nmemory on", ha="center", va="top", fontsize=11, color=INK)
    _arrow(ax, (5, 2.9), (5, 4.0), "W", "reads the memory out")
    _arrow(ax, (6.2, 2.5), (8.2, 2.5), "")
    ax.text(8.35, 2.5, "the memory for\nthe next step", va="center", fontsize=11, color=INK)
    show(
        figure,
        "One step of the network. The input x_t goes through U, and the memory h_(t-1) through V, "
        "into the new memory h_t = tanh(a_t). W reads it out as o_t; h_t itself goes on to the "
        "next step.",
    )


def swatches(names, rgb, columns=6):
    """Fields of the colours rgb (n,3) in rows, each over its name (n)."""
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 0.95 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, name, colour in zip(axes.flat, names, rgb, strict=False):
        ax.imshow(np.reshape(colour, (1, 1, 3)), aspect="auto", extent=(0, 1, 0, 1))
        ax.set_title(name, fontsize=10, y=-0.55)
    figure.subplots_adjust(hspace=0.75, wspace=0.08)
    show(figure, "Fields of colour, each over its name: " + ", ".join(names) + ".")


def memory(states, texts):
    """Memories h (T,H), one for each text of T letters, as heat maps side by side."""
    width = 1.6 + 0.36 * sum(map(len, texts))
    figure, axes = plt.subplots(
        1,
        len(texts),
        figsize=(min(width, 10), 3.6),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, h, text in zip(axes.flat, states, texts, strict=True):
        image = ax.imshow(h.T, cmap=VALUES, vmin=-1, vmax=1, aspect="auto")
        ax.set_xticks(range(len(text)), text.replace(" ", "␣"), fontsize=12)
        ax.set(xlabel="letters read", title=f"“{text}”")
    axes[0, 0].set(ylabel="unit of the memory h")
    figure.colorbar(image, ax=axes, label="value")
    quoted = " and ".join(f"“{text}”" for text in texts)
    show(
        figure,
        f"Heat map of the memory after each letter of {quoted}: one column a letter, one row a "
        "unit, values from -1 to 1.",
    )


def _node(ax, x, y, kind, label, width=1.3, height=0.8):
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.25",
            facecolor=TINTS[kind],
            edgecolor=COLOURS[kind],
            linewidth=2,
        )
    )
    ax.text(x, y, label, ha="center", va="center", fontsize=14, color=INK)


def _arrow(ax, start, end, letter, words=""):
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=16, color=INK, lw=1.5)
    )
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    beside = start[0] == end[0]
    ax.text(
        x + (0.18 if beside else 0),
        y + (0 if beside else 0.25),
        f"$\\mathbf{{{letter}}}$   {words}".rstrip() if letter else "",
        ha="left" if beside else "center",
        va="center",
        fontsize=13 if not words else 11,
        color=INK,
    )
