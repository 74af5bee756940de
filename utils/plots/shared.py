"""What all figures share: the colours, the way to show one, nodes, arrows, fields of colour.

x is pink, h is blue, o is green, as in the classic diagram of the unrolled network; the shades are
those of Okabe and Ito (2008), which colour-blind readers tell apart. The error's vermilion is a
little darker than theirs: formulas are written in it.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

COLOURS = {"x": "#cc79a7", "h": "#0072b2", "o": "#009e73", "error": "#c04f00"}
TINTS = {"x": "#f6dfeb", "h": "#d6e8f5", "o": "#d3efe6"}
INK = "#222222"
GREY = "#767676"
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


def node(ax, x, y, kind, label, width=1.3, height=0.8):
    """A rounded box at (x, y) in the colours of its kind, "x", "h" or "o"."""
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


def arrow(ax, start, end, letter, words=""):
    """An arrow with the letter of its weights, and what it does in words, beside it."""
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
