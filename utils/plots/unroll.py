"""Figures of lesson 2: the unrolled network, and colours painted letter by letter."""

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

from .shared import INK, arrow, node, show


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
    node(ax, 0.5, 2.5, "h", h[0])
    for t in range(T):
        place = 2.2 * (t + 1) + 0.5
        _column(ax, place, (x[t], h[t + 1], o[t]), letters[t])
        arrow(ax, (place - 1.55, 2.5), (place - 0.65, 2.5), "V")
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
            node(ax, place, 2.5, "h", f"$h_{t + 1}$")
            if t:
                arrow(ax, (place - 1.35, 2.5), (place - 0.65, 2.5), "")
            if inputs[t] == "x":
                node(ax, place, 0.6, "x", f"$x_{t + 1}$")
                arrow(ax, (place, 1.0), (place, 2.1), "")
            if outputs[t] == "o":
                node(ax, place, 4.4, "o", f"$o_{t + 1}$")
                arrow(ax, (place, 2.9), (place, 4.0), "")
            if title == "one to many" and t:  # an output is the next input
                arrow(ax, (place - 1.6, 4.05), (place - 0.45, 2.95), "")
    show(
        figure,
        "Three unrolled networks. Many to many: x into and o out of every step. Many to one: o out "
        "of the last step only. One to many: x into the first step only; each o goes on into the "
        "next step.",
    )


def _column(ax, place, labels, letter):
    """x, h and o of one step, one above the other."""
    for y, kind, label in zip((0.6, 2.5, 4.4), "xho", labels, strict=True):
        node(ax, place, y, kind, label)
    arrow(ax, (place, 1.0), (place, 2.1), "U")
    arrow(ax, (place, 2.9), (place, 4.0), "W")
    ax.text(place, -0.15, letter, ha="center", va="center", fontsize=13, color=INK)


def _plain(texts):
    return ", ".join(text.replace("$", "") for text in texts)
