"""The figures of the lessons: same colours throughout, readable at notebook width.

x is pink, h is blue, o is green, as in the classic diagram of the unrolled network; the shades are
those of Okabe and Ito (2008), which colour-blind readers tell apart.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

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
    """One step of the network: x_t, h_{t-1} and b add up to a_t, tanh gives h_t, W reads it out."""
    figure, ax = plt.subplots(figsize=(9, 3.6))
    ax.set(xlim=(0, 12.5), ylim=(0, 5), aspect="equal")
    ax.axis("off")
    _node(ax, 4.4, 0.6, "x", "$x_t$")
    _node(ax, 1.0, 2.5, "h", "$h_{t-1}$")
    ax.text(4.4, 2.5, r"$\oplus$", fontsize=26, ha="center", va="center_baseline", color=INK)
    ax.text(4.85, 2.15, "$a_t$", fontsize=13, ha="center", va="center", color=INK)
    _arrow(ax, (4.4, 1.0), (4.4, 2.2), "U", "carries the input in")
    _arrow(ax, (1.65, 2.5), (4.1, 2.5), "V")
    ax.text(2.8, 2.25, "carries the\nmemory on", ha="center", va="top", fontsize=11, color=INK)
    ax.text(4.4, 4.05, "$b$", fontsize=14, ha="center", va="center", color=INK)
    _arrow(ax, (4.4, 3.8), (4.4, 2.8), "")
    _arrow(ax, (4.7, 2.5), (7.05, 2.5), "")
    ax.text(5.85, 2.78, "tanh", fontsize=12, ha="center", va="center", color=INK)
    _node(ax, 7.7, 2.5, "h", "$h_t$")
    _node(ax, 7.7, 4.4, "o", "$o_t$")
    _arrow(ax, (7.7, 2.9), (7.7, 4.0), "W", "reads the memory out")
    _arrow(ax, (8.35, 2.5), (10.2, 2.5), "")
    ax.text(10.35, 2.5, "the memory for\nthe next step", va="center", fontsize=11, color=INK)
    show(
        figure,
        "One step of the network. The input x_t through U, the memory h_(t-1) through V and the "
        "bias b add up to a_t; tanh makes it the new memory h_t. W reads it out as o_t; h_t itself "
        "goes on to the next step.",
    )


def unrolled(letters, x=None, h=None, o=None):
    """The network folded (left) and unrolled over the letters (right).

    x, h, o: the texts to write into the nodes, one a step; h has h0 in front. Without them the
    nodes carry their names.
    """
    T = len(letters)
    x = x or [f"$x_{t}$" for t in range(1, T + 1)]
    h = h or [f"$h_{t}$" for t in range(T + 1)]
    o = o or [f"$o_{t}$" for t in range(1, T + 1)]
    figure, ax = plt.subplots(figsize=(9, 3.9))
    ax.set(xlim=(-3.4, 2.2 * T + 1.2), ylim=(-0.6, 5), aspect="equal")
    ax.axis("off")
    _column(ax, -2.2, ("$x_t$", "$h_t$", "$o_t$"), "")
    loop = {"connectionstyle": "arc3,rad=-1.6", "arrowstyle": "-|>", "mutation_scale": 16}
    ax.add_patch(FancyArrowPatch((-1.9, 2.95), (-1.65, 2.35), color=INK, lw=1.5, **loop))
    ax.text(-0.9, 3.15, "$\\mathbf{V}$", fontsize=13, ha="center", va="center", color=INK)
    ax.text(-0.55, 2.5, "=", fontsize=22, ha="center", va="center", color=INK)
    _node(ax, 0.5, 2.5, "h", h[0])
    for t in range(T):
        place = 2.2 * (t + 1) + 0.5
        _column(ax, place, (x[t], h[t + 1], o[t]), letters[t])
        _arrow(ax, (place - 1.55, 2.5), (place - 0.65, 2.5), "V")
    show(
        figure,
        f"Left the network folded, with an arrow V from its memory back to itself. Right the same "
        f"network unrolled over the {T} letters {', '.join(letters)}: at each step U carries x up "
        "into h, V carries h on to the next step, W carries h up into o. The nodes read: "
        f"x {_plain(x)}; h {_plain(h)}; o {_plain(o)}.",
    )


def strips(names, colours, true=None):
    """What was painted after each letter: for each name a row of fields, colours a list (T,3).

    `true`, a colour for each name, is shown at the right.
    """
    width = max(map(len, names)) + (2 if true is not None else 0)
    figure, axes = plt.subplots(len(names), 1, figsize=(9, 0.62 * len(names)), squeeze=False)
    for k, (ax, name, painted) in enumerate(zip(axes[:, 0], names, colours, strict=True)):
        fields = [(t, letter, painted[t]) for t, letter in enumerate(name.replace(" ", "␣"))]
        if true is not None:
            fields.append((width - 1, "true", true[k]))
        for t, letter, colour in fields:
            ax.add_patch(Rectangle((t, 0), 1, 1, color=colour, linewidth=0))
            ax.text(t + 0.5, -0.45, letter, ha="center", va="center", fontsize=11, color=INK)
        ax.set(xlim=(0, max(width, 8)), ylim=(0, 1))
        ax.axis("off")
    figure.subplots_adjust(hspace=1.0)
    show(
        figure,
        "A row of coloured fields over the letters of each name: what the network painted after "
        "each letter of " + ", ".join(names) + (", and the true colour." if true else "."),
    )


def three_shapes():
    """Many to many, many to one, one to many: where inputs go in and outputs are read."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
    shapes = {
        "many to many": ("xxx", "ooo"),
        "many to one": ("xxx", "  o"),
        "one to many": ("x  ", "ooo"),
    }
    for ax, (title, (inputs, outputs)) in zip(axes, shapes.items(), strict=True):
        ax.set(xlim=(-0.2, 5.6), ylim=(0, 5), aspect="equal", title=title)
        ax.axis("off")
        for t in range(3):
            place = 0.7 + 2 * t
            _node(ax, place, 2.5, "h", f"$h_{t + 1}$")
            if t:
                _arrow(ax, (place - 1.35, 2.5), (place - 0.65, 2.5), "")
            if inputs[t] == "x":
                _node(ax, place, 0.6, "x", f"$x_{t + 1}$")
                _arrow(ax, (place, 1.0), (place, 2.1), "")
            if outputs[t] == "o":
                _node(ax, place, 4.4, "o", f"$o_{t + 1}$")
                _arrow(ax, (place, 2.9), (place, 4.0), "")
            if title == "one to many" and t:  # an output is the next input
                _arrow(ax, (place - 1.6, 4.05), (place - 0.45, 2.95), "")
    show(
        figure,
        "Three unrolled networks. Many to many: x into and o out of every step. Many to one: o out "
        "of the last step only. One to many: x into the first step only; each o goes on into the "
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


def _column(ax, place, labels, letter):
    """x, h and o of one step, one above the other."""
    for y, kind, label in zip((0.6, 2.5, 4.4), "xho", labels, strict=True):
        _node(ax, place, y, kind, label)
    _arrow(ax, (place, 1.0), (place, 2.1), "U")
    _arrow(ax, (place, 2.9), (place, 4.0), "W")
    ax.text(place, -0.15, letter, ha="center", va="center", fontsize=13, color=INK)


def _plain(texts):
    return ", ".join(text.replace("$", "") for text in texts)


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
