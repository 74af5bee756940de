# %% [markdown]
# # 2 · Sequence unrolling
#
# In lesson 1 you wrote one step of reading. Now you read whole names, many at once, and of
# different lengths. At the end a trained network paints its guess after every letter you type.
#
# **60 minutes**, five exercises.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from ipywidgets import IntSlider, Text
from tqdm.auto import tqdm

from utils import plots
from utils.cell import cell_forward, init_params, readout
from utils.checks import answer, check
from utils.data import alphabet, colour_names, encode
from utils.loss import sequence_cross_entropy, softmax  # these stand in until yours pass
from utils.reader import colour_error, paint, train_reader
from utils.torch_bridge import to_torch
from utils.unroll import last_states, pad_sequences, unroll, unroll_in_chunks

train, held_out = colour_names()
letters = alphabet(train.names)

# %% [markdown]
# ## One cell, used T times · 14 minutes
#
# When you read a sentence you don't grow a new pair of eyes for each word. You use the same eyes
# again, and what changes is what you have in mind.
#
# So it is here. The picture on the left is the whole network: one cell, whose memory goes back
# into itself. On the right it is **unrolled**: drawn once for each letter, so that time runs from
# left to right.

# %%
plots.unrolled("aba")

# %% [markdown]
# Every arrow marked U is the same U, and so with V and W. The picture has three cells; the network
# has one.
#
# Follow it with numbers. Take one memory unit (H = 1), the letters a → 1 and b → −1, and
# U = 1, V = 0.5, W = 2, no biases. The memory starts empty: h₀ = 0.
#
# | step | letter | a = x·U + h·V | h = tanh(a) | o = h·W |
# |---|---|---|---|---|
# | 1 | a | 1·1 + 0·0.5 = 1 | 0.76 | 1.52 |
# | 2 | b | −1·1 + 0.76·0.5 = −0.62 | −0.55 | −1.10 |
# | 3 | a | ? | ? | ? |
#
# **Question 2.1** What is a at step 3? Two digits are enough.

# %%
answer(
    "2.1",
    ### BEGIN SOLUTION
    0.72,
    ### END SOLUTION
)

# %% [markdown]
# As a loop it is three lines. The loop body is the cell; the only thing that passes from one turn
# to the next is h.

# %%
U, V, W = 1, 0.5, 2
h, memories, outputs = 0.0, [0.0], []
for x_t in [1, -1, 1]:
    h = np.tanh(x_t * U + h * V)
    memories.append(h)
    outputs.append(h * W)
print("memories:", np.round(memories, 2))

# %% [markdown]
# The same picture again, now with the numbers in it:

# %%
h_text = [f"{h:.2f}" for h in memories]
o_text = [f"{o:.2f}" for o in outputs]
plots.unrolled("aba", ["1", "-1", "1"], h_text, o_text)

# %% [markdown]
# The first a leaves 0.76, the second a leaves 0.62: same letter, other memory before it.
#
# Now for real: a batch of B sequences, D inputs, H units. x has the shape (T,B,D), so `x[t]` is
# the (B,D) that the cell reads at step t. (In the formulas the steps are counted from 1, in arrays
# from 0, as Python does. Reports count as arrays do.)
#
# > **Exercise 2.1 · `unroll`** · 6 minutes · difficulty ●○○
# >
# > *What for:* this is the forward pass of every recurrent network in the course.
# >
# > Return the memories of all steps, h (T,B,H), for the inputs x (T,B,D) and the first memory
# > h0 (B,H). h[0] is the memory *after* the first letter; h0 is not among them.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/02_sequence_unrolling.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The loop above. What was `h * 0.5` becomes `cell_forward`, which you wrote in lesson 1 and which
# is imported here.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $h_t = \text{cell}(x_t, h_{t-1})$ for t = 1 … T, and all $h_t$ stacked along a new first axis
# (`np.stack`).
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# h_t, memories = h0, []
# for x_t in x:
#     h_t = ...
#     memories.append(...)
# return np.stack(memories)
# ```
#
# </details>


# %%
def unroll(x, h0, U, V, b):
    """All memories h (T,B,H) for inputs x (T,B,D) and a first memory h0 (B,H)."""
    ### BEGIN SOLUTION
    h_t, memories = h0, []
    for x_t in x:
        h_t = cell_forward(x_t, h_t, U, V, b)
        memories.append(h_t)
    return np.stack(memories)
    ### END SOLUTION


unroll = check(unroll)

# %% [markdown]
# ## The same in PyTorch, and what it costs · 6 minutes
#
# First the three steps you did by hand, as arrays: T = 3, and B = D = H = 1. `torch.nn.RNN` is the
# same loop; it calls our U and V `weight_ih_l0` and `weight_hh_l0`, and starts from 0 by itself.

# %%
x = np.array([1.0, -1.0, 1.0]).reshape(3, 1, 1)
one, half, zero = np.array([[1.0]]), np.array([[0.5]]), np.zeros(1)
print("by hand:  ", np.round(memories[1:], 4))
print("unroll:   ", unroll(x, np.zeros((1, 1)), one, half, zero).ravel().round(4))

rnn = torch.nn.RNN(1, 1, bias=False, dtype=torch.float64)
with torch.no_grad():
    rnn.weight_ih_l0.fill_(1.0)
    rnn.weight_hh_l0.fill_(0.5)
    print("torch RNN:", rnn(torch.from_numpy(x))[0].numpy().ravel().round(4))

# %% [markdown]
# Then a real size, with random weights. `to_torch` copies ours into a `torch.nn.RNN`, transposed, as
# you did by hand in lesson 1. (PyTorch wants h0 with one more axis in front, for networks of several
# layers: that is the `[None]`.)

# %%
rng = np.random.default_rng(0)
params = init_params(D=30, H=64, K=3, rng=rng)
x, h0 = rng.normal(size=(20, 8, 30)), rng.normal(size=(8, 64))
with torch.no_grad():
    theirs, _ = to_torch(params).recurrent(torch.from_numpy(x), torch.from_numpy(h0)[None])
difference = np.abs(unroll(x, h0, params.U, params.V, params.b) - theirs.numpy()).max()
print("largest difference below 1e-12:", difference < 1e-12)

# %% [markdown]
# **Question 2.2** You read sequences twice as long. Which of these doubles: the number of
# parameters, or the time it takes?
#
# - **a** both
# - **b** the parameters only
# - **c** the time only

# %%
answer(
    "2.2",
    ### BEGIN SOLUTION
    "c",
    ### END SOLUTION
)

# %% [markdown]
# Measure it, each length three times, and take the quickest. (The timings you see at first are from
# the machine that made this notebook.)

# %% tags=["nbval-ignore-output"]
lengths, milliseconds = [64, 128, 256, 512, 1024, 2048, 4096], []
for T in lengths:
    x, h0 = rng.normal(size=(T, 16, 30)), np.zeros((16, 64))
    tries = []
    for _ in range(3):
        start = time.perf_counter()
        unroll(x, h0, params.U, params.V, params.b)
        tries.append(1000 * (time.perf_counter() - start))
    milliseconds.append(min(tries))

# %% tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(6, 3))
per_step = milliseconds[-1] / lengths[-1]
ax.loglog(lengths, per_step * np.array(lengths), "--", color="grey", label="in proportion to T")
ax.loglog(lengths, milliseconds, "o", color=plots.COLOURS["h"], label="measured")
ax.set_xticks(lengths, lengths)
ax.set(xlabel="steps T (each tick is twice the one before)", ylabel="milliseconds")
ax.legend()
plots.show(figure, "Time of unroll against the number of steps: along the line of proportion.")

# %% [markdown]
# Twice the steps, twice the time. The parameters stay: U, V and b have no T in their shapes.
#
# What also grows with T are the **memories**: `unroll` keeps all of them. Lesson 3 will need every
# one.

# %% [markdown]
# ## Names of different lengths · 18 minutes
#
# `lemon` has 5 letters, `light blue` has 10. An array has only one T. So the short names are
# **padded**: filled up with some id, 0 here, until all are as long as the longest. A **mask**
# remembers which steps are real. (Id 0 is the end mark of lesson 0. That is no harm: the mask tells
# what is real, not the id.)
#
# | t | `tan` | `lemon` | mask of `tan` | mask of `lemon` |
# |---|---|---|---|---|
# | 0 | t | l | True | True |
# | 1 | a | e | True | True |
# | 2 | n | m | True | True |
# | 3 | 0 | o | **False** | True |
# | 4 | 0 | n | **False** | True |
#
# > **Exercise 2.2 · `pad_sequences`** · 5 minutes · difficulty ●●○
# >
# > *What for:* every batch of real text is made like this.
# >
# > Given a list of B sequences of ids, return ids (T,B), ints, filled up with `pad`, and mask
# > (T,B), bools, True at the real steps. T is the longest length. Each sequence is a **column**,
# > for time comes first.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/02_sequence_unrolling.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The table above: sequences are columns. Begin with two full arrays, `np.full` and `np.zeros`.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# ids[t, b] = sequences[b][t] where t < len(sequences[b]), else pad. The mask is True exactly where
# the first case holds.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# T, B = max(...), len(sequences)
# ids = np.full((T, B), pad)
# mask = np.zeros((T, B), dtype=bool)
# for b, sequence in enumerate(sequences):
#     ids[: ___, b] = sequence
#     mask[: ___, b] = True
# return ids, mask
# ```
#
# </details>


# %%
def pad_sequences(sequences, pad=0):
    """ids (T,B) and mask (T,B) of B sequences of different lengths."""
    ### BEGIN SOLUTION
    T, B = max(len(sequence) for sequence in sequences), len(sequences)
    ids = np.full((T, B), pad)
    mask = np.zeros((T, B), dtype=bool)
    for b, sequence in enumerate(sequences):
        ids[: len(sequence), b] = sequence
        mask[: len(sequence), b] = True
    return ids, mask
    ### END SOLUTION


pad_sequences = check(pad_sequences)

# %% [markdown]
# How much of a batch is padding? Take all training names as one batch:

# %%
ids, mask = pad_sequences([encode(name, letters) for name in train.names])
print(
    "steps, T x B:",
    ids.shape,
    " real:",
    f"{mask.mean():.0%}",
    " padding:",
    f"{1 - mask.mean():.0%}",
)

# %% [markdown]
# More than half is padding! What is computed there must not count. To see why, we need something
# that counts: a **loss**.
#
# Let the network guess the next letter after each letter, as in lesson 1: logits o (T,B,K), and
# `targets` (T,B), the letter that really came. The loss of one step is the *surprise*, minus the
# logarithm of the probability that the network gave to the target:
#
# $$\text{nll}_t = -\log p_t[\text{target}_t]$$
#
# It is 0 if the network was certain and right, and large if it gave the truth no chance. (nll:
# negative log-likelihood. The average over steps is called *cross-entropy*.)

# %%
p = softmax(np.array([2.0, 1.0, 0.0]))
for target in range(3):
    print(f"target {target}: p = {p[target]:.3f}, nll = {-np.log(p[target]):.3f}")

# %% [markdown]
# Look at the three nll: they differ by exactly 1, as the logits do. Indeed
# $-\log p_k = \log\sum_j e^{o_j} - o_k$: the softmax is never needed by itself.
#
# The loss of a batch is the mean over **real** steps:
#
# $$\text{loss} = \frac{\sum_{t,b} \text{mask}_{t,b}\;\text{nll}_{t,b}}{\sum_{t,b} \text{mask}_{t,b}}$$
#
# **Question 2.3** Suppose you forget the mask, and 60 % of the steps are padding, with target 0. A
# lazy network says "0, nearly certain" at every step, whatever it has read. How does the loss that
# you print compare with the loss over real steps only?
#
# - **a** it looks better
# - **b** it looks worse
# - **c** it is the same: the mean takes care of it

# %%
answer(
    "2.3",
    ### BEGIN SOLUTION
    "a",
    ### END SOLUTION
)

# %% [markdown]
# > **Exercise 2.3 · `sequence_cross_entropy`** · 7 minutes · difficulty ●●○
# >
# > *What for:* lessons 3 to 5 minimise this number.
# >
# > Return the loss above as one float, for logits o (T,B,K), targets (T,B) and mask (T,B). It must
# > stay right for logits of ±1000.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/02_sequence_unrolling.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The second formula for −log p above needs no division. What made exp overflow in lesson 1, and
# what did you subtract?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# With $z = o - \max_k o_k$ (per step): $\text{nll} = \log\sum_j e^{z_j} - z_\text{target}$.
# `np.take_along_axis(z, targets[..., None], axis=-1)[..., 0]` picks the target's entry at every
# step.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# z = o - o.max(axis=-1, keepdims=True)
# picked = np.take_along_axis(...)[..., 0]
# nll = np.log(...) - picked  # (T,B)
# return nll[...].mean()
# ```
#
# </details>


# %%
def sequence_cross_entropy(o, targets, mask):
    """Mean nll over the real steps, of logits o (T,B,K), targets (T,B), mask (T,B)."""
    ### BEGIN SOLUTION
    z = o - o.max(axis=-1, keepdims=True)
    picked = np.take_along_axis(z, targets[..., None], axis=-1)[..., 0]
    nll = np.log(np.exp(z).sum(axis=-1)) - picked
    return float(nll[mask].mean())  # left out, not multiplied by 0: 0 times NaN is NaN
    ### END SOLUTION


sequence_cross_entropy = check(sequence_cross_entropy)

# %% [markdown]
# Now the lazy network of question 2.3, on all names. The target of each step is the next letter. It
# gives id 0 the logit 6 and every letter 0.

# %%
targets, real = ids[1:], mask[1:]  # what comes next, and whether it is a letter
lazy = np.zeros((*targets.shape, len(letters)))
lazy[..., 0] = 6.0
print(f"over the real steps: {sequence_cross_entropy(lazy, targets, real):.2f}")
print(f"mask forgotten:      {sequence_cross_entropy(lazy, targets, np.ones_like(real)):.2f}")
print(f"knowing nothing:     {np.log(len(letters)):.2f}")

# %% [markdown]
# The lazy network is far worse than one that knows nothing and gives all 30 the same chance. With
# the mask forgotten it looks far better, and training would push every network its way: padding is
# the easiest letter to guess.
#
# PyTorch agrees with your loss, here for random logits:

# %%
o = rng.normal(size=lazy.shape)
picked = torch.from_numpy(o[real]), torch.from_numpy(targets[real])
theirs = torch.nn.functional.cross_entropy(*picked)
print(f"yours {sequence_cross_entropy(o, targets, real):.6f}, PyTorch's {theirs:.6f}")

# %% [markdown]
# ## In pieces · 6 minutes
#
# A book doesn't fit into one array. You read it chunk by chunk, and the last memory of a chunk is
# the first of the next.
#
# **Question 2.4** You read `light blue` in chunks of 4, 4 and 2 letters, carrying the memory over.
# Compared with reading it in one go, the memories are
#
# - **a** exactly the same
# - **b** nearly the same
# - **c** different after each border

# %%
answer(
    "2.4",
    ### BEGIN SOLUTION
    "a",
    ### END SOLUTION
)

# %% [markdown]
# > **Exercise 2.4 · `unroll_in_chunks`** · 3 minutes · difficulty ●○○
# >
# > *What for:* lesson 5 reads long texts like this, lesson 3 cuts gradients at the borders.
# >
# > Return the same h (T,B,H) as `unroll`, but call `unroll` on `chunk` steps at a time. The last
# > chunk may be shorter.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/02_sequence_unrolling.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# `range(0, T, chunk)` gives the first step of each chunk; a slice that runs over the end is cut
# off by Python.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# The h0 of a chunk is the last memory of the chunk before it.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# chunks = []
# for start in range(0, len(x), chunk):
#     h = unroll(x[start : ...], h0, U, V, b)
#     chunks.append(h)
#     h0 = ...
# return np.concatenate(chunks)
# ```
#
# </details>


# %%
def unroll_in_chunks(x, h0, U, V, b, chunk):
    """The same memories h (T,B,H) as unroll, computed `chunk` steps at a time."""
    ### BEGIN SOLUTION
    chunks = []
    for start in range(0, len(x), chunk):
        h = unroll(x[start : start + chunk], h0, U, V, b)
        chunks.append(h)
        h0 = h[-1]
    return np.concatenate(chunks)
    ### END SOLUTION


unroll_in_chunks = check(unroll_in_chunks)

# %% [markdown]
# And if you forget to carry the memory, and start every chunk afresh?

# %%
params = init_params(D=len(letters), H=16, K=3, rng=np.random.default_rng(3))
x = np.eye(len(letters))[encode("light blue", letters)][:, None]  # (10,1,D)
h0 = np.zeros((1, 16))
whole = unroll(x, h0, *params[:3])
carried = unroll_in_chunks(x, h0, *params[:3], chunk=4)
reset = np.concatenate([unroll(part, h0, *params[:3]) for part in (x[:4], x[4:8], x[8:])])
print("carried, largest difference:", np.abs(whole - carried).max())
print("reset, at each letter:", np.abs(whole - reset).max(axis=(1, 2)).round(2))

# %% [markdown]
# Carried: nothing is lost, not the last digit. Reset: every chunk begins with a network that has
# forgotten the name it is in the middle of. Within a chunk the harm fades from letter to letter, for
# this network forgets old letters anyway (remember `night` and `light`).

# %% [markdown]
# ## Three shapes of task, one cell · 6 minutes
#
# What you do with the memories decides what the network is:
#
# - **many to many**: read out every h_t. Guess the next letter, or paint after each letter.
# - **many to one**: read out only the *last* h. Paint the finished name.
# - **one to many**: give one input, then feed each output back in. Invent a name (lesson 5).

# %%
plots.three_shapes()

# %% [markdown]
# One to many in code: start with `b`, and let each favourite be the next input. (Nothing is trained
# here, so it babbles.)

# %%
babbler = init_params(D=len(letters), H=16, K=len(letters), rng=np.random.default_rng(9))
letter, h, written = letters.index("b"), np.zeros((1, 16)), "b"
for _ in range(5):
    h = cell_forward(np.eye(len(letters))[[letter]], h, *babbler[:3])
    letter = readout(h, babbler.W, babbler.c).argmax()
    written += letters[letter]
print(repr(written))

# %% [markdown]
# Many to one has a trap. In a padded batch, is `h[-1]` the memory after the last letter? For a
# short name it is not: the cell has gone on reading padding.

# %%
x, h0 = np.eye(len(letters))[ids], np.zeros((ids.shape[1], 16))
h = unroll(x, h0, *params[:3])
tan = train.names.index("tan")
after_n = h[2, tan]
gone_on = np.abs(h[-1, tan] - after_n).max()
print(f"'tan': h[-1] differs from the memory after 'n' by {gone_on:.2f}")

# %% [markdown]
# > **Exercise 2.5 · `last_states`** · 3 minutes · difficulty ●○○
# >
# > *What for:* every many-to-one task on real batches.
# >
# > Return (B,H): of the memories h (T,B,H), for each sequence the one after its last real step.
# > `lengths` (B,) says how many real steps each has, at least 1.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/02_sequence_unrolling.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# A sequence of length 3 has its last real step at t = 2. NumPy can take one t for each b at once,
# with two arrays of indices.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# result[b] = h[lengths[b] − 1, b]
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# return h[___, np.arange(len(lengths))]
# ```
#
# </details>


# %%
def last_states(h, lengths):
    """(B,H): the memory of each sequence after its last real step, from h (T,B,H)."""
    ### BEGIN SOLUTION
    lengths = np.asarray(lengths)
    return h[lengths - 1, np.arange(len(lengths))]
    ### END SOLUTION


last_states = check(last_states)

# %%
found = last_states(h, mask.sum(axis=0))
print("memory after 'tan' found:", np.array_equal(found[tan], after_n))

# %% [markdown]
# ## What need not wait · 2 minutes
#
# Step t has to wait for $h_{t-1}$. But $x_t\,U$ does not: all of x is there from the start. So do that
# product once, for all T·B letters, before the loop.


# %%
def in_the_loop(x, h, U, V, b):
    for x_t in x:
        h = np.tanh(x_t @ U + h @ V + b)
    return h


def before_the_loop(x, h, U, V, b):
    from_input = x @ U + b  # (T,B,H), for all steps at once
    for a_t in from_input:
        h = np.tanh(a_t + h @ V)
    return h


wide = init_params(D=500, H=64, K=3, rng=rng)
x, h0 = rng.normal(size=(200, 1, 500)), np.zeros((1, 64))
same = np.abs(in_the_loop(x, h0, *wide[:3]) - before_the_loop(x, h0, *wide[:3])).max()
print("largest difference below 1e-12:", same < 1e-12)

# %% tags=["nbval-ignore-output"]
milliseconds = {in_the_loop: [], before_the_loop: []}
for _ in range(20):
    for function, tries in milliseconds.items():
        start = time.perf_counter()
        function(x, h0, *wide[:3])
        tries.append(1000 * (time.perf_counter() - start))
for function, tries in milliseconds.items():
    print(f"{function.__name__:16}{np.median(tries):6.2f} ms")

# %% [markdown]
# Same numbers, less time: one large product costs less than many small ones. How much it brings
# depends on the sizes; here each step reads 500 inputs. The `utils` of this workbook do it, and so
# does PyTorch.

# %% [markdown]
# ## The reader · 6 minutes
#
# Now the promised network. K = 3: red, green and blue. The *sigmoid* σ(o) = 1 / (1 + exp(−o)) squeezes
# each of the three logits into 0 … 1. It has 48 memory units and is trained on the names that were
# not put aside. *How* is lesson 3: it changes U, V, b, W and c a little, again and again, so that
# the painted colours come nearer to the true ones.

# %% tags=["nbval-ignore-output"]
reader = train_reader(train, letters, H=48, epochs=60, rng=np.random.default_rng(0), progress=tqdm)

# %% [markdown]
# Is it any good? Measure how far the colour after the last letter is from the true one, on average
# over red, green and blue:

# %% tags=["nbval-ignore-output"]
always_average = np.abs(held_out.rgb - train.rgb.mean(axis=0)).mean()
print(f"names it was trained on:    {colour_error(reader, train, letters):.3f}")
print(f"names it has never read:    {colour_error(reader, held_out, letters):.3f}")
print(f"always the average colour:  {always_average:.3f}")

# %% [markdown]
# Better than the average, and far better on names it knows: much of that it has learnt by heart.
#
# Now watch it read. The field above each letter is what it has guessed **after** that letter; at the
# far right is the true colour.


# %%
def read(name):
    """Colours (T,3) and memories (T,H) after each letter of a name."""
    painted, h = paint(reader, encode(name, letters)[:, None])
    return painted[:, 0], h[:, 0]


def show(shown, colours):
    true = [colours.rgb[colours.names.index(name)] for name in shown]
    plots.strips(shown, [read(name)[0] for name in shown], true)


show(["light blue", "dark green", "lemon", "melon", "blue green", "green blue"], train)

# %% [markdown]
# It begins with a muddy guess, for one letter says little. `light` goes pale, `dark` goes dark, and
# the last word decides on the hue. `lemon` and `melon` part ways, though they have the same letters;
# `blue green` and `green blue` take different roads. Order matters, as you found in lesson 1, and now
# the network makes use of it.
#
# Names that it has never read:

# %%
show(
    ["dark blue", "light green", "light purple", "dark khaki", "dusty teal", "deep brown"], held_out
)

# %% [markdown]
# Common words in a new combination it often gets about right; others it gets wrong. At which letter
# does it go astray? 828 names are not many to learn a language from.
#
# Try your own: type a name and press Enter, then drag the slider to read it letter by letter. (Small
# letters, spaces, `'` and `/`.)


# %% tags=["nbval-ignore-output"]
@plots.interact(
    name=Text("dusty rose", continuous_update=False),
    letters_read=IntSlider(value=30, min=1, max=30),
)
def try_it(name, letters_read):
    known = "".join(letter for letter in name.lower() if letter in letters[1:])
    if known:
        plots.strips([known[:letters_read]], [read(known)[0][:letters_read]])


# %% [markdown]
# ### What is it that it remembers?
#
# Does the memory do something you can see? When it has read `dark blue`, the word `dark` is four
# letters back. Let us look for the unit that remembers it best: the one whose last value differs
# most between the names that begin with `dark` and those that begin with `light`.

# %%
last = {
    word: np.mean([read(n)[1][-1] for n in train.names if n.startswith(word + " ")], axis=0)
    for word in ["dark", "light"]
}
unit = np.abs(last["dark"] - last["light"]).argmax()

figure, ax = plt.subplots(figsize=(7, 3))
for name, style in [("dark blue", "o-"), ("light blue", "s--")]:
    value = read(name)[1][:, unit]
    ax.plot(range(-len(value), 0), value, style, label=name)  # so that the names end together
ax.set_xticks(range(-5, 0), "␣blue")
ax.set(xlabel="letters read (before: dark or light)", ylabel="value of the unit", ylim=(-1.1, 1.1))
ax.legend()
plots.show(figure, "One unit's value while dark blue and light blue are read, letter by letter.")

# %% [markdown]
# In the last five columns both networks read the same letters. Where the two lines stay apart, this
# unit still knows what the first word was: the past is in the present, as a number.
#
# The whole memory, 48 units. Look at the last column of each: same last word, other memory.

# %%
both = ["dark blue", "light blue"]
plots.memory([read(name)[1] for name in both], both)

# %% [markdown]
# ## Looking back · 2 minutes
#
# **You can now** read whole batches of sequences, pad and mask them, measure a loss over real
# steps only, and carry a memory from chunk to chunk.
#
# **Recall** before you open the answers:
#
# 1. What grows with T: parameters, time, stored memories?
# 2. Over what is the mean of the loss taken, and what happens if you forget the mask?
# 3. Why is `h[-1]` not the last memory of every sequence in a padded batch?
#
# <details><summary>Answers</summary>
#
# 1. Time and stored memories, both in proportion to T. The parameters don't.
# 2. Over the real steps. Without the mask, being good at padding looks like being good.
# 3. The short ones went on reading padding after their last letter.
#
# </details>
#
# **Next:** [lesson 3, backpropagation through time](03_backpropagation_through_time.ipynb). You have used
# a network that somebody trained; there you train it yourself.
