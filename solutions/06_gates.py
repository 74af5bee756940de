# %% [markdown]
# # 6 · Gates
#
# The plain cell can learn to remember, but not for long. Here you find out why, build the two
# cells that can, and let all three compete for a memory of 100 steps.
#
# **65 minutes**, three exercises.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from ipywidgets import FloatSlider
from tqdm.auto import tqdm

from utils import plots
from utils.bptt import gradient_flow
from utils.cell import init_params, readout
from utils.checks import answer, check
from utils.data import copy_task
from utils.gates import (  # these stand in until yours pass
    gru_cell_backward,
    gru_cell_forward,
    gru_unroll,
    init_gru,
    init_lstm,
    lstm_cell_backward,
    lstm_cell_forward,
    lstm_unroll,
    sequence_gradients,
    sigmoid,
)
from utils.gradcheck import numerical_gradient
from utils.loss import sequence_cross_entropy_backward
from utils.optim import adam, adam_start, clip_gradients
from utils.unroll import unroll

# %% [markdown]
# ## Why the plain cell forgets · 6 minutes
#
# In lesson 3 you measured the **gradient flow**: how much the last memory h_T would feel of a nudge
# to the memory h_t. It is the size (the largest singular value) of a product of T − t matrices, one
# for each step between.
#
# Here it is once more: 20 networks of 16 units, each reading 100 random inputs. How much of a nudge
# to the first memory is left 99 steps later? With V as `init_params` draws it, with V made two and
# four times as large, and with an *orthogonal* V, which by itself leaves every size as it is (all its
# singular values are 1).

# %%
T, H, D, K = 100, 16, 17, 9


def random_inputs(rng):
    """(T,1,D): one-hot, a single sequence."""
    return np.eye(D)[rng.integers(0, D, size=(T, 1))]


def left_of_nudge(seed, change):
    """The gradient flow from step 1 to step T of one random network, whose V is changed."""
    rng = np.random.default_rng(seed)
    x, params = random_inputs(rng), init_params(D, H, K, rng)
    V = change(params.V)
    return gradient_flow(unroll(x, np.zeros((1, H)), params.U, V, params.b)[:, 0], V)[0]


# %%
changes = {"V": lambda V: V, "2 V": lambda V: 2 * V, "4 V": lambda V: 4 * V}
changes["orthogonal"] = lambda V: np.linalg.qr(V)[0]
print("              least  middle    most")
for name, change in changes.items():
    left = np.sort([left_of_nudge(seed, change) for seed in range(20)])
    print(f"{name:12}", *[f"{size:7.0e}" for size in left[[0, 10, 19]]])

# %% [markdown]
# (`1e-29` is 10⁻²⁹.) With V as drawn, the first step is as good as invisible from the last: whatever
# it has to do with the loss, learning can't know. With a larger V it is a lottery: in one network the
# nudge vanishes, in another it grows out of all proportion. An orthogonal V is the steadiest, and
# still leaves a thousandth at most, for tanh takes its part at each step.
#
# Look at a single unit, which reads nothing: h ← tanh(V·h), again and again.
#
# **Question 6.1** V = 1.5. The unit starts once from 0.50 and once from 0.51. After 50 steps, how
# far apart are the two?
#
# - **a** by 0.01, as at the start
# - **b** by much more, for 1.5 is more than 1
# - **c** by next to nothing

# %%
answer(
    "6.1",
    ### BEGIN SOLUTION
    "c",
    ### END SOLUTION
)


# %%
def after_50_steps(h, V):
    for _ in range(50):
        h = np.tanh(V * h)
    return h


print("   V   from 0.50   from -0.50   left of a nudge of 0.01")
for V in (0.5, 1.0, 1.5):
    up, down, nudged = (round(after_50_steps(h, V), 6) + 0 for h in (0.5, -0.5, 0.51))  # + 0: no -0
    print(f"{V:4}{up:11.2f}{down:13.2f}{nudged - up:18.4f}")

# %% [markdown]
# Three ways to lose:
#
# - **V = 0.5** The value is gone.
# - **V = 1** Both fade, more slowly: tanh takes a little off at each step.
# - **V = 1.5** The unit *does* remember something: the sign, for ever. But it sits where tanh is
#   flat, and of the nudge nothing is left. And what is left of a nudge *is* the gradient. The unit
#   could hold a sign, but nothing tells it which sign to hold.
#
# V and tanh have to do two jobs at once, to keep the old and to work on the new. So give keeping a
# place of its own.

# %% [markdown]
# ## A memory that is carried on · 6 minutes
#
# What would keep a number, and a nudge to it, for 100 steps? Multiplying by 1:
#
# $$c_t = 1 \cdot c_{t-1} + g_t$$
#
# $c$, the **cell**, is a second memory, $g_t$ is what this step has to say. No V, no tanh around
# $c$: a nudge to $c_1$ arrives at $c_{100}$ whole. (This c is a state, not the bias c of the readout.
# Both names are old.)
#
# But now *everything* is written down, and nothing is ever wiped out. Let the first step write +1 or
# −1, and 99 more steps noise, any number between the two. Does the sign come through?

# %%
rng = np.random.default_rng(1)
first = rng.choice([-1.0, 1.0], size=10_000)
noise = rng.uniform(-1, 1, size=(99, 10_000))
c = first + noise.sum(axis=0)
print(f"sign of c right at the end: {np.mean(np.sign(c) == first):.0%} (a coin: 50%)")

# %% [markdown]
# Little better than a coin. So somebody has to decide, at each step and for each unit:
#
# - what to **write**: multiply $g_t$ by a number $i_t$ between 0 and 1, the *input gate*;
# - what to **keep**: multiply $c_{t-1}$ by $f_t$, the *forget gate*;
# - what to **show**: the rest of the network sees $h_t = o_t \tanh(c_t)$, with the *output gate* $o_t$.
#
# $$c_t = f_t\,c_{t-1} + i_t\,g_t \qquad\quad h_t = o_t \tanh(c_t)$$
#
# A gate is shut at 0 and open at 1. (Mind the forget gate: open, it *keeps*.) Who decides? A little
# plain cell for each gate, which looks at $x_t$ and $h_{t-1}$ and is trained like everything else.
# But where the plain cell has tanh, a gate has the sigmoid of lesson 2, σ(a) = 1 / (1 + exp(−a)): it
# goes from 0 to 1.

# %%
a = np.linspace(-6, 6, 200)
figure, ax = plt.subplots(figsize=(6, 2.4))
ax.plot(a, sigmoid(a), color=plots.COLOURS["h"], linewidth=2, label="σ(a), for gates")
ax.plot(a, np.tanh(a), "--", color=plots.INK, label="tanh(a)")
ax.set(xlabel="a", yticks=[-1, 0, 0.5, 1])
ax.legend()
plots.show(figure, "The sigmoid rises from 0 over a half at a = 0 to 1; tanh from -1 to 1.")

# %% [markdown]
# A gate is never quite 1. Say that f is 0.99 at every step, and nothing is written.
#
# **Question 6.2** How much of c is left after 100 steps? A guess, to two digits.

# %%
answer(
    "6.2",
    ### BEGIN SOLUTION
    0.37,
    ### END SOLUTION
)

# %%
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
steps = np.arange(101)
for f, style in [(0.5, "-"), (0.73, "--"), (0.9, "-."), (0.99, ":"), (0.999, "o-")]:
    ax.plot(steps, f**steps, style, linewidth=2, markevery=20, label=f"f = {f}")
ax.set(xlabel="steps", ylabel="what is left of c, or of a nudge")
figure.legend(loc="outside right upper")
plots.show(figure, "f to the power of the steps: 0.99 leaves a third after 100 steps, 0.9 nothing.")

# %% [markdown]
# An f of 0.9 sounds nearly open, and loses everything. To keep about a third (1/e) for T steps, f
# has to be 1 − 1/T. Which sum a does that take, in f = σ(a)? Solve 1 − 1/T = 1 / (1 + exp(−a)): it
# is a = log(T − 1). Remember it; it is going to decide the race at the end.

# %%
for steps in (10, 100, 1000):
    a = np.log(steps - 1)
    f = sigmoid(a)
    print(f"T = {steps:4}   a = {a:.1f}   f = σ(a) = {f:.3f}   left after T steps: {f**steps:.2f}")

# %% [markdown]
# Drag the sum: how long does the memory last?


# %% tags=["nbval-ignore-output"]
@plots.interact(a=FloatSlider(value=1, min=-2, max=7, step=0.1, continuous_update=False))
def forget_gate(a):
    f = sigmoid(a)
    figure, ax = plt.subplots(figsize=(8, 2.4))
    ax.plot(np.arange(201), f ** np.arange(201), color=plots.COLOURS["h"], linewidth=2)
    ax.set(xlabel="steps", ylabel="what is left", ylim=(-0.05, 1.05))
    half = np.log(0.5) / np.log(f)
    plots.show(figure, f"With a sum of {a:.1f}, f = {f:.4f}: half is left after {half:.0f} steps.")
    print(f"f = σ({a:.1f}) = {f:.4f}: half is left after {half:.1f} steps")


# %% [markdown]
# ## The LSTM cell · 12 minutes
#
# That is all of it: the *long short-term memory* (Hochreiter and Schmidhuber, 1997; the forget gate
# came in 2000, by Gers, Schmidhuber and Cummins). The thick line is the memory that is carried on.

# %%
plots.lstm_diagram()

# %% [markdown]
# $$a_t = x_t\,U + h_{t-1}\,V + b \qquad\quad i, f, o = \sigma(\text{parts of } a_t) \qquad g = \tanh(\text{part of } a_t)$$
#
# Four sums are needed, so U has four times the columns, U (D,4H), and likewise V (H,4H) and b (4H,).
# The first H columns of $a_t$ belong to i, the next to f, then g, then o. That is PyTorch's order,
# and ours.
#
# By hand: one input, one unit (D = H = 1). x = 1, h_prev = 0.5, and the cell holds c_prev = 2.
#
# | | U | V | b | sum a = x·U + h_prev·V + b | squeezed |
# |---|---|---|---|---|---|
# | i | −1 | 2 | 0 | −1 + 1 = 0 | σ(0) = 0.50 |
# | f | 1 | 0 | 1 | 1 + 0 + 1 = 2 | σ(2) = 0.88 |
# | g | 0.5 | 1 | 0 | 0.5 + 0.5 = 1 | tanh(1) = 0.76 |
# | o | 0 | −2 | 0 | 0 − 1 = −1 | σ(−1) = 0.27 |
#
# **Question 6.3** What is the new c_t?

# %%
answer(
    "6.3",
    ### BEGIN SOLUTION
    2.14,
    ### END SOLUTION
)

# %% [markdown]
# In code, gate after gate:

# %%
x_t, h_prev, c_prev = 1.0, 0.5, 2.0
U, V, b = np.array([-1, 1, 0.5, 0]), np.array([2, 0, 1.0, -2]), np.array([0, 1.0, 0, 0])

a = [x_t * U[gate] + h_prev * V[gate] + b[gate] for gate in range(4)]
i, f, g, o = sigmoid(a[0]), sigmoid(a[1]), np.tanh(a[2]), sigmoid(a[3])
c_t = f * c_prev + i * g
h_t = o * np.tanh(c_t)
print("i, f, g, o:", np.round([i, f, g, o], 4))
print("h_t, c_t:  ", np.round([h_t, c_t], 4))

# %% [markdown]
# PyTorch's `LSTMCell` has our matrices transposed, and, as in lesson 1, a second bias that we set
# to 0:


# %%
def into_torch(cell, U, V, b_in, b_rec):
    """The cell with these weights."""
    arrays = {"weight_ih": U.T, "weight_hh": V.T, "bias_ih": b_in, "bias_hh": b_rec}
    cell.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    return cell


cell = torch.nn.LSTMCell(1, 1, dtype=torch.float64)
into_torch(cell, U[None], V[None], b, 0 * b)
one = torch.ones(1, 1, dtype=torch.float64)
theirs = cell(one, (0.5 * one, 2 * one))
print("PyTorch:   ", np.round([state.item() for state in theirs], 4))

# %% [markdown]
# > **Exercise 6.1 · `lstm_cell_forward`** · 6 minutes · difficulty ●●○
# >
# > *What for:* one step of an LSTM, for a whole batch and any number of units.
# >
# > Return h_t (B,H) and c_t (B,H), in this order, from x_t (B,D), h_prev and c_prev (B,H), with
# > U (D,4H), V (H,4H) and b (4H,). `sigmoid` is imported.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/06_gates.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The cell above. One matrix product gives all four sums, a (B,4H), side by side;
# `np.split(a, 4, axis=-1)` cuts them apart.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $c_t = f\,c_{t-1} + i\,g$ and $h_t = o \tanh(c_t)$, all entry by entry (`*`). i, f and o with
# `sigmoid`, g with `np.tanh`.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# a = x_t @ ___ + h_prev @ ___ + ___
# i, f, g, o = np.split(a, 4, axis=-1)  # the sums: not squeezed yet
# c_t = sigmoid(f) * ___ + ___ * ___
# return ___, c_t
# ```
#
# </details>


# %%
def lstm_cell_forward(x_t, h_prev, c_prev, U, V, b):
    """h_t (B,H) and c_t (B,H) from input x_t (B,D) and the states before; gates i, f, g, o."""
    ### BEGIN SOLUTION
    i, f, g, o = np.split(x_t @ U + h_prev @ V + b, 4, axis=-1)
    c_t = sigmoid(f) * c_prev + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c_t), c_t
    ### END SOLUTION


lstm_cell_forward = check(lstm_cell_forward)

# %% [markdown]
# Can it really hold something for 100 steps? Set the gates by hand, for one unit that is to
# remember whether it saw A or B, ignore noise, and speak only when it reads `now`. Each of the four
# inputs has a row of U; V = 0. A sum of ±10 opens or shuts a gate all but completely:
#
# | reads | i: write? | f: keep? | g: what? | o: show? |
# |---|---|---|---|---|
# | A | 10 | −10 | 10 | −10 |
# | B | 10 | −10 | **−10** | −10 |
# | noise | −10 | **10** | 0 | −10 |
# | now | −10 | 10 | 0 | **10** |

# %%
U = 10.0 * np.array([[1, -1, 1, -1], [1, -1, -1, -1], [-1, 1, 0, -1], [-1, 1, 0, 1]])
V, b = np.zeros((1, 4)), np.zeros(4)
A, B, noise, now = np.eye(4)


def read(first):
    """The cell and what it shows, (101,2), while it reads the first letter, 99 noises, `now`."""
    h, c, states = np.zeros((1, 1)), np.zeros((1, 1)), []
    for x_t in [first] + 99 * [noise] + [now]:
        h, c = lstm_cell_forward(x_t[None], h, c, U, V, b)
        states.append((c.item(), h.item()))
    return np.array(states)


# %%
figure, axes = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True, layout="constrained")
for first, style, name in [(A, "-", "first read A"), (B, "--", "first read B")]:
    for ax, values in zip(axes, read(first).T, strict=True):
        ax.plot(range(1, 102), values, style, linewidth=2, label=name)
axes[0].set(ylabel="the cell c", ylim=(-1.2, 1.2))
axes[1].set(xlabel="step", ylabel="shown: h", ylim=(-1.2, 1.2))
axes[0].legend(loc="center")
plots.show(figure, "The cell holds +1 or -1 for 100 steps. h is 0 until the last, then shows it.")

# %% [markdown]
# The cell holds what it read at step 1, unseen, and at step 101 it speaks (tanh 1 is 0.76). So an
# LSTM *can* do it. Whether it can *learn* to is a matter of the way back.

# %% [markdown]
# ## Back through the cell · 16 minutes
#
# In lesson 3 the error dh_t said how much h_t is to blame. Now there are two, dh_t and dc_t, for
# the step after this one has used both states. Turn all the arrows round, and write on each what it
# multiplies the blame by:

# %%
plots.lstm_diagram(back=True)

# %% [markdown]
# Where two arrows meet, add. So c_t is blamed in two ways: from the right by the next step, and from
# below through h_t. Call the sum dc; all but o's blame follows from it. Where two things were
# multiplied, each gets the blame of the product times the *other*:
#
# $$\text{dc} = \text{dc}_t + \text{dh}_t\,o\,(1 - \tanh^2 c_t)$$
#
# | to | blame | times the slope, to its sum a |
# |---|---|---|
# | i | dc · g | i (1 − i) |
# | f | dc · c_prev | f (1 − f) |
# | g | dc · i | 1 − g² |
# | o | dh_t · tanh c_t | o (1 − o) |
# | **c_prev** | **dc · f** | (no slope: nothing squeezes c) |
#
# (The slope of the sigmoid is σ(1 − σ), of tanh 1 − tanh².) The last row is what all this is for.
#
# **Question 6.4** In the example by hand, a blame of dc_t = 1 arrives from the next step, and
# dh_t = 0. How much of it reaches c_prev?

# %%
answer(
    "6.4",
    ### BEGIN SOLUTION
    0.88,
    ### END SOLUTION
)

# %% [markdown]
# Now with both, dh_t = 1 and dc_t = 0.5. The numbers of the example again, and beside them what a
# nudge says: move one thing by 0.00001 up and down, and see how 1 · h_t + 0.5 · c_t follows. (That
# da_f and da_g come out the same is an accident of these numbers.)

# %%
dh_t, dc_t = 1.0, 0.5
dc = dc_t + dh_t * o * (1 - np.tanh(c_t) ** 2)
da = [
    dc * g * i * (1 - i),
    dc * c_prev * f * (1 - f),
    dc * i * (1 - g**2),
    dh_t * np.tanh(c_t) * o * (1 - o),
]
by_hand = {"dc_prev": dc * f, "da_i": da[0], "da_f": da[1], "da_g": da[2], "da_o": da[3]}


# %%
def blamed(w):
    """1 h_t + 0.5 c_t as a function of c_prev and the four sums."""
    i, f, g, o = sigmoid(w[1]), sigmoid(w[2]), np.tanh(w[3]), sigmoid(w[4])
    c_t = f * w[0] + i * g
    return dh_t * o * np.tanh(c_t) + dc_t * c_t


nudged = numerical_gradient(blamed, np.array([c_prev, *a]))
for (name, value), other in zip(by_hand.items(), nudged, strict=True):
    print(f"{name:8} by hand {value:.4f}   by nudging {other:.4f}")

# %% [markdown]
# > **Exercise 6.2 · `lstm_cell_backward`** · 8 minutes · difficulty ●●●
# >
# > *What for:* this step, taken T times from the end, is all of backpropagation through an LSTM.
# >
# > Return dx_t (B,D), dh_prev (B,H), dc_prev (B,H), dU (D,4H), dV (H,4H) and db (4H,), in this
# > order, given dh_t and dc_t (B,H) and what the forward step was given. The gates and c_t are
# > not handed over: compute them again.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/06_gates.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The code by hand above, dc and da, is the middle part; it needs no change for arrays. Before it come
# your lines from 6.1, as far as c_t, with i, f, g and o squeezed. After it come those of
# `cell_backward` from lesson 3, with da for da_t.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# The four da from the table, put side by side again in the order i, f, g, o:
# `np.concatenate([...], axis=-1)` (B,4H). Then $\text{dx}_t = \text{da}\,U^T$,
# $\text{dh}_\text{prev} = \text{da}\,V^T$, $\text{dU} = x_t^T\,\text{da}$,
# $\text{dV} = h_{t-1}^T\,\text{da}$, and db is the sum of da over the batch.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# i, f, g, o = np.split(x_t @ U + h_prev @ V + b, 4, axis=-1)
# i, f, g, o = sigmoid(i), ___, ___, ___
# tanh_c = np.tanh(f * c_prev + i * g)
# dc = dc_t + dh_t * ___
# da = np.concatenate([dc * g * i * (1 - i), ___, ___, ___], axis=-1)
# return da @ U.T, da @ V.T, ___, x_t.T @ da, ___, ___
# ```
#
# </details>


# %%
def lstm_cell_backward(dh_t, dc_t, x_t, h_prev, c_prev, U, V, b):
    """Back through one step: dx_t, dh_prev, dc_prev, dU, dV, db."""
    ### BEGIN SOLUTION
    i, f, g, o = np.split(x_t @ U + h_prev @ V + b, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f = dc * g * i * (1 - i), dc * c_prev * f * (1 - f)
    da_g, da_o = dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=-1)
    return da @ U.T, da @ V.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)
    ### END SOLUTION


lstm_cell_backward = check(lstm_cell_backward)

# %% [markdown]
# The whole comparison, row by row, for a batch of 3 with 4 inputs and 5 units: against nudges to
# your forward step, and against PyTorch's cell and its `autograd`. The blame dh_t and dc_t is random,
# so that no mistake can hide behind zeros or ones.

# %%
rng = np.random.default_rng(2)
x_t, U, V, b = (rng.normal(size=s) for s in [(3, 4), (4, 20), (5, 20), 20])
h_prev, c_prev, dh_t, dc_t = rng.normal(size=(4, 3, 5))
inputs = [x_t, h_prev, c_prev, U, V, b]
yours = lstm_cell_backward(dh_t, dc_t, *inputs)


def blamed(place, w):
    """The number whose gradient is asked for, as a function of one of the six inputs."""
    h_t, c_t = lstm_cell_forward(*inputs[:place], w, *inputs[place + 1 :])
    return (dh_t * h_t).sum() + (dc_t * c_t).sum()


# %%
cell = into_torch(torch.nn.LSTMCell(4, 5, dtype=torch.float64), U, V, b, 0 * b)
x, h, c = (torch.tensor(array, requires_grad=True) for array in inputs[:3])
torch.autograd.backward(cell(x, (h, c)), (torch.tensor(dh_t), torch.tensor(dc_t)))
theirs = [w.grad.numpy() for w in (x, h, c)]
theirs += [w.grad.numpy().T for w in (cell.weight_ih, cell.weight_hh, cell.bias_ih)]

# %%
print("gradient   as nudges say   as PyTorch says")
for k, name in enumerate(["dx_t", "dh_prev", "dc_prev", "dU", "dV", "db"]):
    nudged = numerical_gradient(lambda w, k=k: blamed(k, w), inputs[k])
    near, same = np.abs(yours[k] - nudged).max() < 1e-7, np.abs(yours[k] - theirs[k]).max() < 1e-12
    print(f"{name:10} {near!s:15} {same}")

# %% [markdown]
# (True: the largest difference is below 10⁻⁷ for the nudges, which are good to about ten digits, and
# below 10⁻¹² for PyTorch.)
#
# And the whole way? Take your two functions through all steps of a short sequence, forward and back,
# and add up dU, as in lesson 3. `sequence_gradients` of `utils` does the same, only faster; we need it
# for the race at the end. (It keeps the gates from the way forward, and takes dU, dV and db of all
# steps as one matrix product; `docs/benchmarks.md` has it timed against PyTorch. `copy_task` makes the
# sequences. You meet it there too.)

# %%
params, task = init_lstm(D, H, K, rng), copy_task(delay=5, symbols=8, B=3, rng=rng)
U, V, b, W, c = params
x, (ids, targets, mask) = np.eye(D)[task[0]], task

states = [(np.zeros((3, H)), np.zeros((3, H)))]  # (h, c) before each step
for x_t in x:
    states.append(lstm_cell_forward(x_t, *states[-1], U, V, b))
h = np.stack([h_t for h_t, _ in states[1:]])
from_loss = sequence_cross_entropy_backward(readout(h, W, c), targets, mask) @ W.T  # (T,B,H)

# %%
dh, dc, dU = np.zeros((3, H)), np.zeros((3, H)), 0
for t in reversed(range(len(x))):
    _, dh, dc, dU_t, *_ = lstm_cell_backward(from_loss[t] + dh, dc, x[t], *states[t], U, V, b)
    dU = dU + dU_t
_, grads = sequence_gradients(params, ids, targets, mask)
print("dU as in sequence_gradients, to 1e-12:", np.abs(dU - grads.U).max() < 1e-12)

# %% [markdown]
# ## The GRU cell · 9 minutes
#
# Does it take two states and three gates? Cho and others (2014) made do with less, the *gated
# recurrent unit*:
#
# - One state, h. It is carried on like c, and shown as it is: no output gate.
# - One gate **z** for both decisions: z is kept, and 1 − z is written. Who keeps all writes nothing.
# - What is new, **n**, is made with tanh. The gate **r**, *reset*, says how much of the memory's part
#   n gets to see.

# %%
plots.gru_diagram()

# %% [markdown]
# $$r, z = \sigma(x_t U + b_\text{in} + h_{t-1} V + b_\text{rec}) \qquad
# n = \tanh\bigl(x_t U + b_\text{in} + r\,(h_{t-1} V + b_\text{rec})\bigr)$$
#
# $$h_t = (1 - z)\,n + z\,h_{t-1}$$
#
# each with its own H columns of U (D,3H), V (H,3H), b_in and b_rec (3H,), in the order r, z, n. By
# hand, with x = 1 and h_prev = 0.5:

# %%
x_t, h_prev = 1.0, 0.5
U, V = np.array([1, 2, 0.5]), np.array([-2, 0, 1.0])
b_in, b_rec = np.zeros(3), np.array([0, 0, 0.5])

from_input, from_memory = x_t * U + b_in, h_prev * V + b_rec
r = sigmoid(from_input[0] + from_memory[0])  # σ(1 - 1)
z = sigmoid(from_input[1] + from_memory[1])  # σ(2 + 0)
n = np.tanh(from_input[2] + r * from_memory[2])  # tanh(0.5 + 0.5 · 1)
h_t = (1 - z) * n + z * h_prev
print("r, z, n:", np.round([r, z, n], 4), "  h_t:", round(float(h_t), 4))

cell = torch.nn.GRUCell(1, 1, dtype=torch.float64)
into_torch(cell, U[None], V[None], b_in, b_rec)
print("PyTorch's h_t:", round(cell(one, 0.5 * one).item(), 4))

# %% [markdown]
# > **Exercise 6.3 · `gru_cell_forward`** · 4 minutes · difficulty ●●○
# >
# > *What for:* the second of the two cells that are used everywhere.
# >
# > Return h_t (B,H) from x_t (B,D) and h_prev (B,H), with U (D,3H), V (H,3H), and b_in and
# > b_rec (3H,).
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/06_gates.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# In n the two parts are weighted differently. So keep them apart, as the cell above does, and cut
# *both* into three.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $n = \tanh(\text{input's part} + r \cdot \text{memory's part})$, where b_in belongs to the first
# and b_rec to the second. $h_t = (1 - z)\,n + z\,h_{t-1}$.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# in_r, in_z, in_n = np.split(x_t @ U + b_in, 3, axis=-1)
# rec_r, rec_z, rec_n = np.split(___, 3, axis=-1)
# r, z = sigmoid(in_r + rec_r), ___
# n = np.tanh(___)
# return ___
# ```
#
# </details>


# %%
def gru_cell_forward(x_t, h_prev, U, V, b_in, b_rec):
    """h_t (B,H) from input x_t (B,D) and memory h_prev (B,H); gates r, z, n."""
    ### BEGIN SOLUTION
    in_r, in_z, in_n = np.split(x_t @ U + b_in, 3, axis=-1)
    rec_r, rec_z, rec_n = np.split(h_prev @ V + b_rec, 3, axis=-1)
    r, z = sigmoid(in_r + rec_r), sigmoid(in_z + rec_z)
    n = np.tanh(in_n + r * rec_n)
    return (1 - z) * n + z * h_prev
    ### END SOLUTION


gru_cell_forward = check(gru_cell_forward)

# %% [markdown]
# Two things to know before you meet other GRUs:
#
# - **Why two biases?** For r and z only their sum counts, as ever. In n it does not: r multiplies
#   b_rec and leaves b_in alone.
# - **Where r multiplies.** In the paper r comes *before* the product, (r h) V. Here, and in
#   PyTorch, it comes after, r (h V): then h V is one product for all three. The two are different
#   networks, and weights trained in one don't work in the other.
#
# In numbers, on random weights:

# %%
rng = np.random.default_rng(3)
U, V, b_in, b_rec = (rng.normal(size=s) for s in [(4, 15), (5, 15), 15, 15])
x_t, h_prev = rng.normal(size=(3, 4)), rng.normal(size=(3, 5))
ours = gru_cell_forward(x_t, h_prev, U, V, b_in, b_rec)

cell = into_torch(torch.nn.GRUCell(4, 5, dtype=torch.float64), U, V, b_in, b_rec)
theirs = cell(torch.tensor(x_t), torch.tensor(h_prev)).detach().numpy()
print("same as PyTorch, to 1e-12:        ", np.abs(ours - theirs).max() < 1e-12)

# one bias for both, on the input's side
for gates, columns in [("r and z", slice(0, 10)), ("n", slice(10, 15))]:
    merged, rest = b_in.copy(), b_rec.copy()
    merged[columns], rest[columns] = (b_in + b_rec)[columns], 0
    same = np.abs(ours - gru_cell_forward(x_t, h_prev, U, V, merged, rest)).max() < 1e-12
    print(f"same with one bias for {gates + ':':11}", same)

# r before the product
r, z = np.split(sigmoid((x_t @ U + b_in + h_prev @ V + b_rec)[:, :10]), 2, axis=-1)
n = np.tanh((x_t @ U + b_in)[:, 10:] + (r * h_prev) @ V[:, 10:] + b_rec[10:])
print("same with r before the product:   ", np.abs(ours - (1 - z) * n - z * h_prev).max() < 1e-12)

# %% [markdown]
# What do the gates cost? Count the numbers to learn, without the readout, and divide by the plain
# cell's:

# %%
rng = np.random.default_rng(4)
plain, lstm, gru = (init(D, H, K, rng) for init in (init_params, init_lstm, init_gru))
count = {
    name: sum(w.size for w in params[:-2])
    for name, params in [("plain", plain), ("GRU", gru), ("LSTM", lstm)]
}
for name, number in count.items():
    print(f"{name:6}{number:6}   {number / count['plain']:.2f} times")

# %% [markdown]
# The LSTM has four times as many, the GRU three times (and a second bias).

# %% [markdown]
# ## What the gradient feels · 7 minutes
#
# Now the gradient flow of all three, side by side. For the LSTM it is the size of
# ∂(h_T, c_T)/∂(h_t, c_t), both states together, a matrix of 2H × 2H. You have the tool: your
# `lstm_cell_backward` takes the blame one step back. Start with the rows of the identity matrix (row
# k blames unit k of the last state, and no other), and send all 2H rows back together, as a batch.


# %%
def lstm_flow(x, U, V, b):
    """(T,): the size of ∂(h_T, c_T)/∂(h_t, c_t), for one sequence x (T,1,D)."""
    H, zero = len(V), np.zeros((1, len(V)))
    h, c = lstm_unroll(x, zero, zero, U, V, b)
    J, norms = np.eye(2 * H), []
    for t in reversed(range(len(x))):
        norms.append(np.linalg.norm(J, 2))
        before = (h[t - 1], c[t - 1]) if t else (zero, zero)
        # the same step for each row of J
        same = [row.repeat(2 * H, axis=0) for row in (x[t], *before)]
        _, dh, dc, *_ = lstm_cell_backward(J[:, :H], J[:, H:], *same, U, V, b)
        J = np.hstack([dh, dc])
    return norms[::-1]


# %% [markdown]
# The GRU has only h, which makes it shorter (its step back is in `utils`):


# %%
def gru_flow(x, U, V, b_in, b_rec):
    """(T,): the size of ∂h_T/∂h_t, for one sequence x (T,1,D)."""
    h = gru_unroll(x, np.zeros((1, len(V))), U, V, b_in, b_rec)
    J, norms = np.eye(len(V)), []
    for t in reversed(range(len(x))):
        norms.append(np.linalg.norm(J, 2))
        same = [row.repeat(len(V), axis=0) for row in (x[t], h[t - 1] if t else 0 * h[0])]
        _, J, *_ = gru_cell_backward(J, *same, U, V, b_in, b_rec)
    return norms[::-1]


# %% [markdown]
# Again 100 random inputs and 16 units. Nothing is trained, and all biases are zero.
#
# **Question 6.5** Which networks feel, at step 100, what happened at step 1? (Say, more than a
# millionth of it.)
#
# - **a** the LSTM: that is what it was invented for
# - **b** the LSTM and the GRU
# - **c** none of the three

# %%
answer(
    "6.5",
    ### BEGIN SOLUTION
    "c",
    ### END SOLUTION
)

# %%
x = random_inputs(np.random.default_rng(0))
U, V, b = plain[:3]
flows = {
    "plain": gradient_flow(unroll(x, np.zeros((1, H)), U, V, b)[:, 0], V),
    "GRU": gru_flow(x, *gru[:4]),
    "LSTM": lstm_flow(x, lstm.U, lstm.V, 0 * lstm.b),
}
for name, flow in flows.items():
    print(f"{name:6} 10 steps back: {flow[-11]:.0e}   99 steps back: {flow[0]:.0e}")

# %% [markdown]
# Surprised? With biases of zero every sum is near 0, every gate stands about half open, and about ½
# to the power of 99 is nothing. A gate is no use by itself: it has to **start open**.
#
# So give it the right bias. Often the forget gate starts with b = 1 (`init_lstm` does it, PyTorch
# does not): then f = σ(1) = 0.73. Better still, if you know for how many steps T the memory has to
# last: f is to be 1 − 1/T, so b = log(T − 1), as above. And lest in T steps too much gets
# written, i is to be 1/T, so b = −log(T − 1), for σ(−a) = 1 − σ(a). In the GRU z does both. (Tallec
# and Ollivier, 2018, derive it, and spread the biases over many T.)


# %%
def open_lstm(params, T):
    """The same network, which at first keeps 1 - 1/T of the cell and writes 1/T."""
    H, b = len(params.V), params.b.copy()
    b[:H], b[H : 2 * H] = -np.log(T - 1), np.log(T - 1)
    return params._replace(b=b)


def open_gru(params, T):
    """The same network, which at first keeps 1 - 1/T of its memory."""
    H, b_in = len(params.V), params.b_in.copy()
    b_in[H : 2 * H] = np.log(T - 1)
    return params._replace(b_in=b_in)


# %%
flows = {
    "GRU, opened": gru_flow(x, *open_gru(gru, T)[:4]),
    "LSTM, opened": lstm_flow(x, *open_lstm(lstm, T)[:3]),
    "LSTM, forget bias 1": lstm_flow(x, *lstm[:3]),
    "LSTM, all biases 0": flows["LSTM"],
    "plain": flows["plain"],
}
plots.gradient_flows(flows)
print("99 steps back:", {name: float(f"{flow[0]:.0e}") for name, flow in flows.items()})

# %% [markdown]
# (The axis is logarithmic: each number on it is a hundredth of the one above.) The plain cell and the
# half-open LSTM fall like a stone. A forget bias of 1 helps a great deal, and still leaves only a few
# millionths. (That is more than 0.73⁹⁹: not every gate stands at 0.73, and a nudge also goes through
# h.) The opened gates hand back more than half, over 99 steps.

# %% [markdown]
# ## A hundred steps · 5 minutes
#
# The test: remember one of 8 symbols, read noise for a while (the *delay*), and say the symbol when
# asked. Symbols are the ids 1 to 8, noise is 9 to 16, and 0 asks. Only the answer counts for the
# loss.

# %%
ids, targets, mask = copy_task(delay=10, symbols=8, B=3, rng=np.random.default_rng(0))
for row in ids.T:
    print("reads", *[f"{number:2}" for number in row], "  should say", row[0])

# %% [markdown]
# **Question 6.6** A network that has lost the symbol, and knows it, can do no better than a loss of
#
# - **a** log 8 = 2.08
# - **b** 0
# - **c** log 2 = 0.69

# %%
answer(
    "6.6",
    ### BEGIN SOLUTION
    "a",
    ### END SOLUTION
)

# %% [markdown]
# Training is as in lesson 3: loss and gradients, clip, Adam. `sequence_gradients` takes the weights of
# any of the three networks. Every batch is new, so each loss is one on sequences never seen before;
# we average the last 20.


# %%
def train(params, delay, lr, rng, steps=150):
    """The loss of each step."""
    state, losses = adam_start(params), []
    for _ in range(steps):
        loss, grads = sequence_gradients(params, *copy_task(delay, 8, 16, rng))
        grads, _ = clip_gradients(grads, 1.0)
        params, state = adam(params, grads, state, lr)
        losses.append(loss)
    return losses


# %% [markdown]
# First the bias, in a small experiment: an LSTM, a delay of only 10, three networks for each way to
# begin. (T is 12 here: the symbol, 10 of noise, the question.)

# %% tags=["nbval-ignore-output"]
begin = {
    "all biases 0": lambda params: params._replace(b=0 * params.b),
    "forget bias 1": lambda params: params,
    "opened for T = 12": lambda params: open_lstm(params, 12),
}
rounds = [(name, seed) for name in begin for seed in range(3)]
for name, seed in tqdm(rounds):
    rng = np.random.default_rng(seed)
    losses = train(begin[name](init_lstm(D, H, K, rng)), 10, 0.03, rng)
    print(f"{name:18} loss at the end {np.mean(losses[-20:]):.2f}")

# %% [markdown]
# Same cell, same data, same steps; only the biases at the start differ. The opened ones learn it, the
# others need luck, or longer. (A loss of 2.08 is that of a guess.)
#
# Now the race, with delays of 10, 25, 50 and 100, and 150 updates each. It takes about half a minute.
# To be fair:
#
# - The plain cell gets 36 units, so that it has about as many parameters as the LSTM with 16. (The
#   GRU with 16 has fewer.)
# - The plain cell gets four tries at each delay, and the best counts: two learning rates, with V as
#   drawn and with an orthogonal V.
# - The gated cells are told how long the delay is, through their biases; they get one learning
#   rate and one try.

# %%
wide = init_params(D, 36, K, np.random.default_rng(0))
for name, params in [("plain, 36 units", wide), ("GRU, 16", gru), ("LSTM, 16", lstm)]:
    print(f"{name:16}{sum(w.size for w in params):6} parameters")


# %%
def orthogonal(params, rng):
    """The same network with an orthogonal V."""
    return params._replace(V=np.linalg.qr(rng.normal(size=params.V.shape))[0])


def tries(delay):
    """What competes: name, network, learning rate, random numbers to go on with."""
    for seed, lr in enumerate((0.01, 0.03)):
        rng = np.random.default_rng(seed)
        yield "plain", init_params(D, 36, K, rng), lr, rng
        yield "plain", orthogonal(init_params(D, 36, K, rng), rng), lr, rng
    rng = np.random.default_rng(2)
    yield "GRU, opened", open_gru(init_gru(D, H, K, rng), delay + 2), 0.03, rng
    yield "LSTM, opened", open_lstm(init_lstm(D, H, K, rng), delay + 2), 0.03, rng


# %% tags=["nbval-ignore-output"]
delays = [10, 25, 50, 100]
race = [(delay, *entry) for delay in delays for entry in tries(delay)]
result = {
    name: {delay: [] for delay in delays} for name in ("plain", "GRU, opened", "LSTM, opened")
}
for delay, name, params, lr, rng in tqdm(race):
    result[name][delay].append(np.mean(train(params, delay, lr, rng)[-20:]))

# %% tags=["nbval-ignore-output"]
plots.losses_by_delay(delays, result, floor=np.log(8))

# %% [markdown]
# At a delay of 10 all three learn it. Then the plain cell becomes a matter of luck: see how far its
# four tries lie apart. At 100 none of the four gets there. The gated cells hardly notice the
# difference.
#
# What this does *not* show: that a plain cell can never do it. It had four tries of 150 steps. And
# the gates won with biases that knew the delay; you saw how the LSTM fares without. The gain is
# real, but it is this: a path on which the gradient neither vanishes nor explodes, *if* the gate on
# it stands open.

# %% [markdown]
# ## What came after, and where to go from here · 2 minutes
#
# An LSTM has to squeeze all it has read into h and c, and to carry it step by step. **Attention**
# (Bahdanau, Cho and Bengio, 2014) lets it look back: all past memories are kept, and at each step
# their average is taken, with weights from a softmax that says which of them matter now. From there
# to any step of the past it is a single step, so no product of a hundred matrices can vanish. The
# *transformer* (Vaswani and others, 2017) keeps the attention and drops the recurrence: all steps can
# be computed at once in training. The price is that the work grows with T², and that everything read
# has to be kept. A recurrent network needs the same room however long the text is, which is why
# newer ones are being built, with gates like yours on a path that is carried on (RWKV, Mamba, xLSTM).
#
# **To do next, with what you have:**
#
# - Write `gru_cell_backward`, and compare it with nudges, as above.
# - Run the race with a delay of 200. Then open the gates for a wrong T, 10 or 1000: how wrong may it
#   be?
# - Let an LSTM invent the colour names of lesson 5.
#
# **To read:** Goodfellow, Bengio and Courville, *Deep Learning*, chapter 10. Zhang, Lipton, Li and
# Smola, *Dive into Deep Learning*, on recurrent networks, then on attention (free, with code).
# Olah, *Understanding LSTM Networks*, and Karpathy, *The Unreasonable Effectiveness of Recurrent
# Neural Networks*, two famous blog posts of 2015. **Courses:** Stanford's CS231n and CS224N;
# Karpathy's *Neural Networks: Zero to Hero*, which goes on to a transformer. **Papers:** Hochreiter
# and Schmidhuber, *Long Short-Term Memory* (1997); Pascanu, Mikolov and Bengio, *On the difficulty of
# training recurrent neural networks* (2013); Tallec and Ollivier, *Can recurrent neural networks warp
# time?* (2018); Vaswani and others, *Attention Is All You Need* (2017).

# %% [markdown]
# ## Looking back · 2 minutes
#
# **You can now** say why the plain cell forgets, write an LSTM and a GRU step, take the blame back
# through a gate, and start a gate so that it learns.
#
# **Recall** before you open the answers:
#
# 1. By what is the blame for $c_t$ multiplied on its direct way to $c_{t-1}$?
# 2. What does an *open* forget gate do?
# 3. Your LSTM is to remember for about 1000 steps. What forget bias do you start with?
#
# <details><summary>Answers</summary>
#
# 1. By f, entry by entry: no V, no tanh.
# 2. It keeps.
# 3. About log 1000 = 6.9, so that f is about 0.999.
#
# </details>
#
# **The end.** You began with one step of reading, and wrote all there is to a recurrent network:
# forward, backward, in batches, at length. What is in the libraries is now something you could have
# written. Look at what you have passed, with `progress()` in [lesson 0](00_start_here.ipynb).
