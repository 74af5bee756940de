"""What all figures share: the colours, the way to show one, nodes, arrows, fields of colour.

x is pink, h is blue, o is green, as in the classic diagram of the unrolled network. The hues are
those of Okabe and Ito (2008), all but pink darker: in grey, too, x is lighter than o and o than h,
and formulas can be written in the error's vermilion. A node's corners are its second sign: square
for x, rounded for h, none for o.
"""

import base64
import io
import textwrap
from html import escape

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

COLOURS = {"x": "#cc79a7", "h": "#00548c", "o": "#00805c", "error": "#c04f00"}
TINTS = {"x": "#f6dfeb", "h": "#d6e8f5", "o": "#d3efe6"}
CORNERS = {"x": 0, "h": 0.2, "o": 0.4}
INK = "#222222"
GREY = "#767676"
VALUES = "PuOr"  # from -1 to 1; its two ends differ for every eye


def show(figure, alt):
    """Show a figure at the end of a cell, `alt` being its description for who can't see it.

    As HTML, for JupyterLab gives a picture that comes as image/png no alternative text.
    """
    from IPython.display import display

    image, dpi = io.BytesIO(), 160
    # no version and no date in the file: the same figure gives the same bytes
    figure.savefig(image, dpi=dpi, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    png = image.getvalue()
    width = int.from_bytes(png[16:20], "big")  # the PNG header says how wide it is
    address = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    html = f'<img alt="{escape(alt)}" width="{round(width * 96 / dpi)}" src="{address}">'
    display({"text/html": html, "text/plain": f"Figure: {alt}"}, raw=True)


def interact(**controls):
    """ipywidgets' `interact`, with labels that are not cut, and a word for who comes back to it.

    A widget doesn't outlive its kernel: in a notebook that is opened again it has gone to sleep.
    """
    import ipywidgets
    from IPython.display import display

    wake = "Sliders move while the notebook runs. After a restart, run it again down to this cell."
    display({"text/html": f"<small>{wake}</small>", "text/plain": wake}, raw=True)
    for control in controls.values():
        control.style.description_width = f"{0.6 * max(map(len, controls)) + 0.6}em"
        control.layout.width = "30em"
    return ipywidgets.interact(**controls)


def swatches(names, rgb, columns=6):
    """Fields of the colours rgb (n,3) in rows, each over its name (n)."""
    figure, axes = fields(-(-len(names) // columns), columns)
    for ax, name, colour in zip(axes.flat, names, rgb, strict=False):
        fill(ax, colour, name)
    show(figure, "Fields of colour, each over its name: " + ", ".join(names) + ".")


def fields(rows, columns):
    """A figure and its axes (rows,columns) with room for a field of colour and a name in each."""
    figure, axes = plt.subplots(rows, columns, figsize=(9, 1.05 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    figure.subplots_adjust(hspace=1.0, wspace=0.08)
    return figure, axes


def fill(ax, colour, name):
    """A field of colour over its name, which is cut where two lines do not hold it."""
    ax.add_patch(Rectangle((0, 0), 1, 1, color=colour, linewidth=0))
    lines = textwrap.fill(name, 15, max_lines=2, placeholder="…")
    ax.text(0.5, -0.12, lines, fontsize=9, ha="center", va="top", color=INK)


def node(ax, x, y, kind, label, width=1.3, height=0.8):
    """A box at (x, y) in the colours and with the corners of its kind, "x", "h" or "o"."""
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle=f"round,pad=0,rounding_size={CORNERS[kind]}",
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
