"""Figures of lesson 6: the two gated cells, how gradients fade, what is learnt at which delay."""

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from .shared import COLOURS, GREY, INK, TINTS, node, show

BLAME = COLOURS["error"]  # the way back
# of the lines, one after the other: told apart by colour, marker and dashes
LINES = [(BLAME, "o-"), ("#7b5aa6", "s:"), (COLOURS["h"], "D-"), (GREY, "v:"), (INK, "^--")]


def lstm_diagram(back=False):
    """One step of an LSTM; `back`: the way of the blame, with what each road multiplies it by."""
    figure, ax = _canvas()
    for x, gate, name, word, slope in [
        (3.4, "σ", "f", "keep?", "f(1-f)"),
        (5.3, "σ", "i", "write?", "i(1-i)"),
        (7.2, "tanh", "g", "what?", "(1-g^2)"),
        (9.5, "σ", "o", "show?", "o(1-o)"),
    ]:
        _wire(ax, (x, 1.7), (x, 2.6), back, rf"$\cdot\, {slope}$", (x + 0.1, 2.15))
        _gate(ax, x, gate, name, "" if back else word)
    _wire(ax, (3.4, 3.4), (3.4, 5.65), back, r"$\cdot\, c_{t-1}$", (3.5, 4.6))
    _wire(ax, (5.3, 3.4), (6.9, 4.35), back, r"$\cdot\, g$", (5.45, 4.1))
    _wire(ax, (7.2, 3.4), (7.2, 4.15), back, r"$\cdot\, i$", (7.3, 3.75))
    _wire(ax, (7.2, 4.85), (7.2, 5.65), back)
    _wire(ax, (1.65, 6), (3.05, 6), back, r"$\cdot\, f$", (2.1, 6.35), main=True)
    _wire(ax, (3.75, 6), (6.85, 6), back, main=True)
    _wire(ax, (7.55, 6), (13.05, 6), back, main=True)
    _wire(ax, (11.9, 6), (11.9, 5.1), back, r"$\cdot\, (1-\tanh^2 c_t)$", (9.55, 5.45))
    _function(ax, 11.9, 4.7, "tanh")
    _wire(ax, (11.9, 4.3), (11.9, 3.35), back, r"$\cdot\, o$", (12.0, 3.85))
    _wire(ax, (10.05, 3), (11.55, 3), back, r"$\cdot\, \tanh c_t$", (10.12, 3.3))
    _wire(ax, (12.25, 3), (13.05, 3), back)
    for x, y, sign in [(3.4, 6, "×"), (7.2, 6, "+"), (7.2, 4.5, "×"), (11.9, 3, "×")]:
        _knob(ax, x, y, sign)
    _sum(ax, 10.1, "$a_t = x_t U + h_{t-1} V + b$", back)
    node(ax, 1, 6, "h", "$c_{t-1}$")
    node(ax, 13.7, 6, "h", "$c_t$")
    node(ax, 13.7, 3, "h", "$h_t$")
    if back:
        alt = (
            "The same LSTM cell with all arrows turned round. The blame enters at h_t and at c_t. "
            "From h_t it goes to o, times tanh(c_t), and to c_t, times o and 1 - tanh²(c_t). From "
            "c_t it goes to c_(t-1), times f; to f, times c_(t-1); to i, times g; to g, times i."
        )
    else:
        ax.text(9.7, 6.35, "the memory is carried on", fontsize=11, color=INK, ha="center")
        alt = (
            "One step of an LSTM. Along the top the cell c_(t-1) is multiplied by f, then i times "
            "g is added: that is c_t. From c_t through tanh, times o, comes h_t. The four f, i, g "
            "and o are made from x_t and h_(t-1), all but g with a sigmoid, g with tanh."
        )
    show(figure, alt)


def gru_diagram():
    """One step of a GRU."""
    figure, ax = _canvas()
    for x, gate, name, word in [
        (3.4, "σ", "z", "keep?"),
        (6.2, "σ", "r", "ask the memory?"),
        (9.6, "tanh", "n", "what?"),
    ]:
        _wire(ax, (x, 1.7), (x, 2.6))
        _gate(ax, x, gate, name, word)
    _wire(ax, (3.4, 3.4), (3.4, 5.65))
    ax.plot([3.4], [4.5], "o", color=INK, markersize=5)
    _wire(ax, (3.4, 4.5), (5.6, 4.5))
    _function(ax, 6.2, 4.5, "1 − z")
    _wire(ax, (6.8, 4.5), (9.25, 4.5))
    _wire(ax, (6.75, 3), (9.05, 3))
    _wire(ax, (9.6, 3.4), (9.6, 4.15))
    _wire(ax, (9.6, 4.85), (9.6, 5.65))
    _wire(ax, (1.65, 6), (3.05, 6), main=True)
    _wire(ax, (3.75, 6), (9.25, 6), main=True)
    _wire(ax, (9.95, 6), (13.05, 6), main=True)
    for x, y, sign in [(3.4, 6, "×"), (9.6, 6, "+"), (9.6, 4.5, "×")]:
        _knob(ax, x, y, sign)
    _sum(ax, 10.1, "$x_t U + b_{in}$  and  $h_{t-1} V + b_{rec}$")
    node(ax, 1, 6, "h", "$h_{t-1}$")
    node(ax, 13.7, 6, "h", "$h_t$")
    ax.text(6.6, 6.35, "the memory is carried on", fontsize=11, color=INK, ha="center")
    show(
        figure,
        "One step of a GRU. Along the top the memory h_(t-1) is multiplied by z, then 1 - z times "
        "n is added: that is h_t. z and r are made with a sigmoid, n with tanh, all from x_t and "
        "h_(t-1); r says how much of the memory's part n gets to see.",
    )


def gradient_flows(flows):
    """How much of a nudge at step t is left at the end: flows {network: (T,)}, logarithmic."""
    figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
    for k, ((name, sizes), (colour, look)) in enumerate(zip(flows.items(), LINES, strict=False)):
        steps, every = range(1, len(sizes) + 1), (4 * k % 9, 9)  # lines may lie on one another
        ax.semilogy(steps, sizes, look, color=colour, markevery=every, markersize=5, label=name)
    label = r"size of $\partial\,\mathrm{state}_T\,/\,\partial\,\mathrm{state}_t$"
    ax.set(xlabel="step t", ylabel=label, ylim=(1e-14, 30))
    figure.legend(loc="outside right upper", fontsize=10)
    show(
        figure,
        "How much the last state feels of each step, on a logarithmic axis: the longer ago, the "
        "less. One line each for " + ", ".join(flows) + ".",
    )


def losses_by_delay(delays, losses, floor):
    """Loss after training against the delay: losses {network: {delay: [one for each try]}}.

    A marker for each try, a line through the best of them; `floor` is the loss of a guess.
    """
    figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
    ax.axhline(floor, color=INK, linestyle="--", linewidth=1)
    ax.text(delays[0], floor * 1.03, "a guess", fontsize=10, color=INK, va="bottom")
    for k, (name, by_delay) in enumerate(losses.items()):
        colour, look = LINES[k]
        places = [delay * 1.05 ** (k - 1) for delay in delays]  # side by side, none on another
        for place, delay in zip(places, delays, strict=True):
            tries = by_delay[delay]
            ax.plot([place] * len(tries), tries, look[0], color=colour, alpha=0.5)
        best = [min(by_delay[delay]) for delay in delays]
        ax.plot(places, best, look, color=colour, label=name)
    ax.set(
        xscale="log", xlabel="delay, in steps", ylabel="loss at the end (nats)", ylim=(-0.1, 2.6)
    )
    ax.set_xticks(delays, delays)
    ax.minorticks_off()
    figure.legend(loc="outside right upper", fontsize=10)
    show(
        figure,
        "Loss at the end of training against the delay, a marker for each try and a line through "
        "the best, for " + ", ".join(losses) + "; a dashed line marks the loss of a guess.",
    )


def _canvas():
    figure, ax = plt.subplots(figsize=(9.4, 4.7))
    ax.set(xlim=(0.2, 14.5), ylim=(-0.35, 6.7), aspect="equal")
    ax.axis("off")
    return figure, ax


def _sum(ax, right, formula, back=False):
    """At the bottom: x_t and h_{t-1} are weighted into one long bar, from which the gates rise."""
    _wire(ax, (1.65, 1.4), (2.5, 1.4), back, r"$\cdot\, V^T$", (1.75, 1.75))
    _wire(ax, (6.2, 0.45), (6.2, 1.1), back, r"$\cdot\, U^T$", (6.3, 0.8))
    box = {"boxstyle": "round,pad=0,rounding_size=0.1", "facecolor": "white"}
    ax.add_patch(FancyBboxPatch((2.5, 1.1), right - 2.5, 0.6, edgecolor=INK, lw=1.2, **box))
    ax.text((2.5 + right) / 2, 1.4, formula, ha="center", va="center", fontsize=12, color=INK)
    node(ax, 1, 1.4, "h", "$h_{t-1}$")
    node(ax, 6.2, 0.1, "x", "$x_t$", height=0.7)


def _gate(ax, x, function, name, word):
    _function(ax, x, 3, function)
    ax.text(x + 0.62, 2.42, word, fontsize=10, color=INK, ha="left", va="center")
    ax.text(x - 0.18, 3.72, f"${name}$", fontsize=14, color=INK, ha="right", va="center")


def _function(ax, x, y, text):
    box = {"boxstyle": "round,pad=0,rounding_size=0.1", "facecolor": "white"}
    ax.add_patch(FancyBboxPatch((x - 0.55, y - 0.4), 1.1, 0.8, edgecolor=INK, lw=1.2, **box))
    ax.text(x, y, text, ha="center", va="center", fontsize=12, color=INK)


def _knob(ax, x, y, sign):
    ax.add_patch(Circle((x, y), 0.35, facecolor=TINTS["h"], edgecolor=COLOURS["h"], lw=1.5))
    ax.text(x, y, sign, ha="center", va="center_baseline", fontsize=15, color=INK)


def _wire(ax, start, end, back=False, factor="", at=None, main=False):
    """An arrow from start to end; on the way `back` it is turned round and tells its factor."""
    if back:
        start, end = end, start
        if factor:
            ax.text(*at, factor, fontsize=12, color=BLAME, ha="left", va="center")
    colour = BLAME if back else COLOURS["h"] if main else INK
    look = {"mutation_scale": 14, "shrinkA": 0, "shrinkB": 0, "lw": 3 if main else 1.3}
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", color=colour, **look))
