"""Figures of lesson 5: a text cut into streams, chances, learning, invented colours."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from .shared import COLOURS, GREY, INK, TINTS, fields, fill, show

STYLES, LINES = ("o-", "s--"), (COLOURS["h"], COLOURS["error"])
STREAMS = ("#fbe6bd", "#e4e4e4", "#ddd5f0", "#d8dda8")  # none of the colours of x, h and o


def streams(text, B, chunk):
    """A text cut into B streams: above in a row, below as the array (T,B) with its chunks."""
    T = len(text) // B
    fills = [STREAMS[b % 4] for b in range(B)]
    figure, ax = plt.subplots(figsize=(9, 0.42 * (T + 3.5)))
    for i, letter in enumerate(text):
        _letter(ax, i, 0, letter, fills[i // T] if i < B * T else "white")
    ax.text(len(text) / 2, -0.5, "the text", ha="center", va="bottom", fontsize=11, color=INK)
    left = (len(text) - B) // 2
    ax.text(left - 0.3, 2.3, "stream", ha="right", va="bottom", fontsize=10, color=INK)
    for b in range(B):
        column = text[b * T : (b + 1) * T]
        ax.text(left + b + 0.5, 2.3, str(b), ha="center", va="bottom", fontsize=10, color=INK)
        for t, letter in enumerate(column):
            _letter(ax, left + b, t + 2.5, letter, fills[b])
    for t in range(T):
        ax.text(left - 0.3, t + 3, f"t = {t}", ha="right", va="center", fontsize=10, color=INK)
    for first in range(0, T, chunk):
        last = min(first + chunk, T)
        x = left + B + 0.4
        ax.plot([x, x], [first + 2.65, last + 2.35], color=INK, lw=3)
        words = "read first" if first == 0 else "read next, from the memory it left"
        ax.text(x + 0.4, (first + last) / 2 + 2.5, words, va="center", fontsize=11, color=INK)
    ax.set(xlim=(-0.2, len(text) + 0.2), ylim=(T + 2.7, -1.3))
    ax.axis("off")
    show(
        figure,
        f"A text of {len(text)} letters in a row; below it as {B} columns of {T} letters, each a "
        f"piece of the text, the {len(text) - B * T} last letters left out. Brackets mark chunks "
        f"of {chunk} steps, read one after the other.",
    )


def chances(labels, p, titles):
    """Bars of probabilities p (n,K), one field a row, each bar with its number over it."""
    figure, axes = plt.subplots(1, len(p), figsize=(9, 2.6), sharey=True)
    for ax, row, title in zip(axes, np.asarray(p), titles, strict=True):
        bars = ax.bar(labels, row, color=TINTS["o"], edgecolor=COLOURS["o"], linewidth=1.5)
        ax.bar_label(bars, [f"{value:.2f}" for value in row], padding=2)
        ax.set(title=title, ylim=(0, 1.15), yticks=[0, 0.5, 1])
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("chance")
    found = "; ".join(
        f"{title}: " + ", ".join(f"{v:.2f}" for v in row)
        for row, title in zip(np.asarray(p), titles, strict=True)
    )
    show(figure, f"Bars of the chances of {', '.join(labels)}. {found}.")


def learning(steps, curves, xlabel, ylabel, levels=None, log=False):
    """Curves {name: values} over the steps, and horizontal `levels` {name: value} to compare."""
    levels = levels or {}
    figure, ax = plt.subplots(figsize=(8, 3.6))
    for (name, values), style, colour in zip(curves.items(), STYLES, LINES, strict=False):
        ax.plot(steps, values, style, color=colour, markersize=5, label=name)
    for name, value in levels.items():
        ax.axhline(value, color=GREY, linewidth=1, linestyle=(0, (5, 4)), zorder=0)
        place = {"xycoords": ("axes fraction", "data"), "va": "center", "color": INK}
        ax.annotate(f"{name} {value:.2f}", (1.01, value), **place)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        ax.set_yscale("log", base=2)
        ax.yaxis.set_major_formatter("{x:g}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(facecolor="white", edgecolor="none", framealpha=1)
    ends = ", ".join(f"{n} from {v[0]:.2f} to {v[-1]:.2f}" for n, v in curves.items())
    compared = "".join(f"; {n} at {v:.2f}" for n, v in levels.items())
    show(figure, f"{ylabel} against {xlabel}: {ends}{compared}.")


def swatch_rows(titles, names, colours):
    """A row of coloured fields for each title, each field over its name: n lists of names."""
    figure, axes = fields(len(names), max(map(len, names)))
    for row, title, texts, painted in zip(axes, titles, names, colours, strict=True):
        row[0].text(-0.12, 0.5, title, ha="right", va="center", fontsize=11, color=INK)
        for ax, text, colour in zip(row, texts, painted, strict=False):
            fill(ax, colour, text)
    found = ". ".join(f"{t}: {', '.join(n)}" for t, n in zip(titles, names, strict=True))
    show(figure, f"Rows of coloured fields, each over its name. {found}.")


def _letter(ax, x, y, letter, fill):
    ax.add_patch(Rectangle((x, y), 1, 1, facecolor=fill, edgecolor=GREY, linewidth=0.8))
    seen = letter.replace(" ", "␣")
    ax.text(x + 0.5, y + 0.52, seen, ha="center", va="center", fontsize=12, color=INK)
