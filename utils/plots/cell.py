"""Figures of lesson 1: the cell, and a memory as a picture."""

import matplotlib.pyplot as plt

from .shared import INK, VALUES, arrow, node, show


def cell_diagram():
    """One step of the network: x_t, the old memory and b make a_t, tanh h_t, W reads it out."""
    figure, ax = plt.subplots(figsize=(9, 3.6))
    ax.set(xlim=(0, 12.5), ylim=(0, 5), aspect="equal")
    ax.axis("off")
    node(ax, 4.4, 0.6, "x", "$x_t$")
    node(ax, 1.0, 2.5, "h", "$h_{t-1}$")
    ax.text(4.4, 2.5, r"$\oplus$", fontsize=26, ha="center", va="center_baseline", color=INK)
    ax.text(4.85, 2.15, "$a_t$", fontsize=13, ha="center", va="center", color=INK)
    arrow(ax, (4.4, 1.0), (4.4, 2.2), "U", "carries the input in")
    arrow(ax, (1.65, 2.5), (4.1, 2.5), "V")
    ax.text(2.8, 2.25, "carries the\nmemory on", ha="center", va="top", fontsize=11, color=INK)
    ax.text(4.4, 4.05, "$b$", fontsize=14, ha="center", va="center", color=INK)
    arrow(ax, (4.4, 3.8), (4.4, 2.8), "")
    arrow(ax, (4.7, 2.5), (7.05, 2.5), "")
    ax.text(5.85, 2.78, "tanh", fontsize=12, ha="center", va="center", color=INK)
    node(ax, 7.7, 2.5, "h", "$h_t$")
    node(ax, 7.7, 4.4, "o", "$o_t$")
    arrow(ax, (7.7, 2.9), (7.7, 4.0), "W", "reads the memory out")
    arrow(ax, (8.35, 2.5), (10.2, 2.5), "")
    ax.text(10.35, 2.5, "the memory for\nthe next step", va="center", fontsize=11, color=INK)
    show(
        figure,
        "One step of the network. The input x_t through U, the memory h_(t-1) through V and the "
        "bias b add up to a_t; tanh makes it the new memory h_t. W reads it out as o_t; h_t itself "
        "goes on to the next step.",
    )


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
