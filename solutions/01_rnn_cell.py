# %% [markdown]
# # 1 · The RNN cell
#
# One step of reading: a letter comes in, the memory changes, something is read out of it. That
# step is the **cell**. A recurrent network is nothing but this step, over and over.
#
# **45 minutes**, four exercises. At the end you have written the cell, checked it against PyTorch's,
# and looked into its memory.

# %%
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch

from utils import plots
from utils.cell import cell_forward, count_parameters, init_params, readout  # until yours pass
from utils.checks import answer, check
from utils.data import alphabet, colour_names, encode, same_bag
from utils.loss import softmax

train, held_out = colour_names()
names = train.names + held_out.names
rgb = np.concatenate([train.rgb, held_out.rgb])

# %% [markdown]
# ## Why the order matters · 5 minutes
#
# The simplest way to feed a name to a network is to count its letters: so many a, so many b, and so
# on. Those counts are called a *bag of letters*.
#
# **Question 1.1** Two names in the data are `lemon` and `melon`. Can a network that sees their
# letter counts, and nothing else, paint the two in different colours?
#
# - **a** yes, their counts differ
# - **b** no, whatever the network is
# - **c** yes, if the network is large enough

# %%
answer(
    "1.1",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %%
print("lemon:", dict(Counter("lemon")))
print("melon:", dict(Counter("melon")))
print("the same bag:", Counter("lemon") == Counter("melon"))

# %% [markdown]
# This is not a rare case. `same_bag` looks for all pairs of names that share their bag, those whose
# colours differ most in front. Here are the first six, one below the other:

# %%
pairs = same_bag(names, rgb)
top = [k for both in zip(*pairs[:6], strict=True) for k in both]
print(len(pairs), "pairs of names share their bag")
plots.swatches([names[k] for k in top], rgb[top])

# %% [markdown]
# Same letters, other order, other colour. The network has to read from left to right and
# **remember** what it has read.

# %% [markdown]
# ## A memory that is rewritten at every letter · 3 minutes
#
# Think of how you read a sentence. You don't start again at each word: you carry a rough idea of
# what was said so far, and each new word changes it a little.
#
# The network does that with numbers. Its memory is a row of H numbers, the **hidden state** h. At
# each step t it takes the letter $x_t$ and the old memory $h_{t-1}$, and makes the new memory $h_t$:

# %%
plots.cell_diagram()

# %% [markdown]
# $$a_t = x_t\,U + h_{t-1}\,V + b \qquad\quad h_t = \tanh(a_t)$$
#
# - $x_t$, one row of D numbers, is the letter; $U$ (D,H) carries it in.
# - $h_{t-1}$, one row of H numbers, is the old memory; $V$ (H,H) carries it on.
# - $b$ (H,) is the bias. $a_t$ is the sum of the three (⊕ in the picture), still without bounds.
# - $o_t$ is what is read out; we come to it further down.
# - $\tanh$ squeezes every entry of $a_t$ into the range from −1 to 1:

# %%
a = np.linspace(-4, 4, 200)
figure, ax = plt.subplots(figsize=(6, 2.4))
ax.plot(a, np.tanh(a), color=plots.COLOURS["h"], linewidth=2)
ax.axhline(0, color="grey", linewidth=0.8)
ax.set(xlabel="a, before", ylabel="tanh(a), after", yticks=[-1, 0, 1])
plots.show(figure, "tanh: a straight line through 0 that bends to -1 on the left, 1 on the right.")

# %% [markdown]
# Very near 0 it changes almost nothing. Far out it is flat: whether a is 3 or 4 hardly matters. Such
# a unit is called *saturated*, and it will matter in lesson 3.

# %% [markdown]
# ## One step by hand · 12 minutes
#
# Take a tiny network: an alphabet of two letters, D = 2, and a memory of two numbers, called
# *units*, H = 2. It reads the second letter, so x_t = [0, 1].

# %%
x_t = np.array([[0.0, 1.0]])  # the letter, as a row (1,2)
h_prev = np.array([[0.5, -0.5]])  # the old memory
U = np.array([[1.0, -1.0], [0.5, 0.2]])
V = np.array([[0.4, 1.0], [-1.0, 0.6]])
b = np.array([0.1, -0.2])

# %% [markdown]
# **Question 1.2** With pencil and paper: what is the *first* entry of a_t?

# %%
answer(
    "1.2",
    ### BEGIN SOLUTION
    1.3,
    ### END SOLUTION
)

# %% [markdown]
# These are the three parts; add them up.

# %%
print("from the letter   x_t U    =", (x_t @ U).round(2))
print("from the memory   h_prev V =", (h_prev @ V).round(2))
print("the bias          b        =", b)

# %% [markdown]
# A row with a single 1 picks one row out of U: the letter's own. So U is a table with one row for
# each letter, and `x_t @ U` looks it up.
#
# What does `@` do? For every unit j it runs over all inputs and all units. As plain loops:

# %%
a_t = np.zeros(2)
for j in range(2):
    for d in range(2):
        a_t[j] += x_t[0, d] * U[d, j]
    for i in range(2):
        a_t[j] += h_prev[0, i] * V[i, j]
    a_t[j] += b[j]
print("a_t by loops:     ", a_t.round(4))
print("h_t by loops:     ", np.tanh(a_t).round(4))

# %% [markdown]
# V[i, j] says how strongly unit i of the old memory acts on unit j of the new one. So row i of V
# belongs to unit i.
#
# PyTorch has this cell ready-made. It stores both matrices transposed, and it has two biases,
# one for the input and one for the memory. Only their sum matters, so we set the second to 0.

# %%
cell = torch.nn.RNNCell(2, 2, dtype=torch.float64)
with torch.no_grad():
    cell.weight_ih.copy_(torch.from_numpy(U.T))
    cell.weight_hh.copy_(torch.from_numpy(V.T))
    cell.bias_ih.copy_(torch.from_numpy(b))
    cell.bias_hh.zero_()
    h_t = cell(torch.from_numpy(x_t), torch.from_numpy(h_prev))
print("h_t from PyTorch: ", h_t.numpy()[0].round(4))

# %% [markdown]
# The same numbers. Now you write it, for a whole batch at once: B letters in the rows of x_t, B
# memories in the rows of h_prev. NumPy's `@` treats every row alike, so nothing gets harder.
#
# > **Exercise 1.1 · `cell_forward`** · 6 minutes · difficulty ●○○
# >
# > *What for:* everything that follows calls this function, or undoes it.
# >
# > Return the next memory h_t (B,H) from x_t (B,D) and h_prev (B,H), with U (D,H), V (H,H) and
# > b (H,). Leave the inputs as they are. (Double-click the `...` and type over it.)
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/01_rnn_cell.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The three parts printed above, and how they were computed. In a product `left @ right` the last axis
# of the left meets the first axis of the right: which matrix fits x_t (B,D), which h_prev (B,H)?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $h_t = \tanh(x_t\,U + h_{t-1}\,V + b)$. The matrix product is `@`, not `*`.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# a_t = ... @ ... + ... @ ... + ...
# return ...(a_t)
# ```
#
# </details>


# %%
def cell_forward(x_t, h_prev, U, V, b):
    """Next memory h_t (B,H) from input x_t (B,D) and memory h_prev (B,H)."""
    ### BEGIN SOLUTION
    return np.tanh(x_t @ U + h_prev @ V + b)
    ### END SOLUTION


cell_forward = check(cell_forward)

# %% [markdown]
# Two units are a toy. Does it still agree with PyTorch for a batch of 5, with 30 inputs and 16
# units, all numbers random?

# %%
rng = np.random.default_rng(1)
cell = torch.nn.RNNCell(30, 16, dtype=torch.float64)
U, V = cell.weight_ih.detach().numpy().T, cell.weight_hh.detach().numpy().T
b = (cell.bias_ih + cell.bias_hh).detach().numpy()
x_t, h_prev = rng.normal(size=(5, 30)), rng.normal(size=(5, 16))
theirs = cell(torch.from_numpy(x_t), torch.from_numpy(h_prev)).detach().numpy()
difference = np.abs(cell_forward(x_t, h_prev, U, V, b) - theirs).max()
print("largest difference below 1e-12:", difference < 1e-12)

# %% [markdown]
# ## Look into the memory · 7 minutes
#
# Now let the cell read real names. Its weights are random, for nothing has been learnt yet:
# `init_params` draws them. (We enlarge them, so that more happens.)

# %%
letters = alphabet(train.names)
D, H, K = len(letters), 8, len(letters)
rng = np.random.default_rng(0)
params = init_params(D, H, K, rng)
U, V, b = 4 * params.U, 1.6 * params.V, params.b


def read(name, V=V):
    """The memories (T,H) after each letter of a name, from an empty memory."""
    h, memories = np.zeros((1, H)), []
    for letter in encode(name, letters):
        x_t = np.eye(D)[[letter]]  # one-hot: a single 1 at the letter's place
        h = cell_forward(x_t, h, U, V, b)
        memories.append(h[0])
    return np.array(memories)


# %% [markdown]
# The heat map has a column for each letter read and a row for each unit. Read it from left to
# right: every column is made from the one before it and the letter below it.

# %%
plots.memory([read("light blue")], ["light blue"])

# %% [markdown]
# **Question 1.3** The same network reads `lemon`, then, from an empty memory, `melon`. How do the
# two *last* memories compare?
#
# - **a** they are equal, for the letters are the same
# - **b** they differ
# - **c** they are equal, for both names end in `on`

# %%
answer(
    "1.3",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %%
plots.memory([read("lemon"), read("melon")], ["lemon", "melon"])
print("largest difference at the end:", np.abs(read("lemon") - read("melon"))[-1].max().round(2))

# %% [markdown]
# What a bag of letters cannot tell apart, a memory can, and without any training. Is it really V,
# which carries the memory on, that does it? Take V away, and look again:

# %%
no_V = np.zeros((H, H))
print("without V:", np.abs(read("lemon", no_V) - read("melon", no_V))[-1].max())

# %% [markdown]
# Without V the last memory knows the last letter, `n`, and nothing else.
#
# So V keeps the past. But for how long?
#
# **Question 1.4** `light blue` and `night blue` differ in the first letter only. We watch how far
# their memories are apart, once with V as it is and once with V four times as large. After all ten
# letters the two memories are
#
# - **a** nearly equal in both cases: the first letter has faded
# - **b** clearly different in both cases
# - **c** nearly equal with one V, clearly different with the other

# %%
answer(
    "1.4",
    ### BEGIN SOLUTION
    "c",
    ### END SOLUTION
)

# %%
figure, ax = plt.subplots(figsize=(7, 3))
for factor, style in [(1, "o-"), (4, "s--")]:
    difference = read("light blue", factor * V) - read("night blue", factor * V)
    ax.semilogy(np.linalg.norm(difference, axis=1), style, label=f"{factor} V")
ax.set_xticks(range(10), ["l or n", *"ight␣blue"])
ax.set_yticks([10, 1, 0.1, 0.01], ["10", "1", "0.1", "0.01"])
ax.set(xlabel="letters read", ylabel="size of the difference")
ax.legend()
plots.show(
    figure, "How far the two memories are apart: with V it falls a hundredfold, with 4 V not."
)

# %% [markdown]
# (The vertical axis is logarithmic: each line is a tenth of the one above.) With this V the first
# letter fades. With a larger one it doesn't: the size of V decides. Lesson 3 says exactly how, and
# why a large V is no way out; lesson 6 says what is.

# %% [markdown]
# ## Read something out · 4 minutes
#
# The memory is the network's own affair. What we want from it depends on the task: three numbers
# for a colour (lesson 2), or one score for each letter that might come next. We take the letters
# here, K = 30 of them.
#
# The **readout** is one more matrix with a bias: $o_t = h_t\,W + c$, with $W$ (H,K) and $c$ (K,).
# The scores $o_t$ are called **logits**. They may be any number; the largest is the favourite.
#
# With two units, three outputs and c = 0, every unit has a row of W: how it votes.

# %%
h_t = np.array([[0.86, 0.2]])
W = np.array([[1.0, -1.0, 0.0], [0.0, 2.0, 5.0]])
print("votes of unit 0:", (h_t[0, 0] * W[0]).round(2))
print("votes of unit 1:", (h_t[0, 1] * W[1]).round(2))
print("o_t, their sum: ", (h_t @ W)[0].round(2))

# %% [markdown]
# > **Exercise 1.2 · `readout`** · 3 minutes · difficulty ●○○
# >
# > *What for:* all that the network ever says comes out of it.
# >
# > Return the logits o_t (…,K) of the memory h_t (…,H). The dots say: it should work for a batch
# > (B,H), and as well for the memories of all steps at once (T,B,H).
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/01_rnn_cell.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# `@` multiplies along the last axis of the left side and leaves the axes before it alone.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $o_t = h_t\,W + c$
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# return ... @ ... + ...
# ```
#
# </details>


# %%
def readout(h_t, W, c):
    """Logits o_t (...,K) read out of the memory h_t (...,H)."""
    ### BEGIN SOLUTION
    return h_t @ W + c
    ### END SOLUTION


readout = check(readout)

# %% [markdown]
# PyTorch has it as a `Linear` layer, with the matrix transposed:

# %%
linear = torch.nn.Linear(8, 30, dtype=torch.float64)
W, c = linear.weight.detach().numpy().T, linear.bias.detach().numpy()
h = read("light blue")
difference = np.abs(readout(h, W, c) - linear(torch.from_numpy(h)).detach().numpy()).max()
print("largest difference below 1e-12:", difference < 1e-12)

# %% [markdown]
# ## From scores to probabilities · 8 minutes
#
# Logits are hard to read: is 2.3 much? **Softmax** turns a row of K logits into K probabilities.
# It makes every score positive with exp, then divides by their sum:
#
# $$p_k = \frac{e^{o_k}}{\sum_j e^{o_j}}$$
#
# With three logits you can follow it:

# %%
o = np.array([2.0, 1.0, 0.0])
e = np.exp(o)
print("exp(o)     ", e.round(3))
print("their sum  ", e.sum().round(3))
print("p          ", (e / e.sum()).round(3))

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 2.2), layout="constrained")
for ax, title, values in zip(axes, ["o", "exp(o)", "p"], [o, e, e / e.sum()], strict=True):
    ax.bar(["0", "1", "2"], values, color=plots.COLOURS["o"])
    ax.set(title=title, xlabel="output k")
plots.show(figure, "Three bars each: logits 2, 1, 0; their exponentials; and these over their sum.")

# %% [markdown]
# Add 100 to all three logits and p stays as it is: the factor $e^{100}$ stands above and below the
# line, and cancels. Only the *differences* between logits count.
#
# **Question 1.5** The largest number that fits into float64 is about $10^{308}$. What does
# `np.exp(1000.0)` give?
#
# - **a** a very large number
# - **b** `inf`
# - **c** an error that stops the notebook

# %%
answer(
    "1.5",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %%
with np.errstate(all="ignore"):  # NumPy would print warnings
    e = np.exp(np.array([1000.0, 999.0]))
    print("exp:", e)
    print("p:  ", e / e.sum())

# %% [markdown]
# `nan` is *not a number*: infinity divided by infinity. One such entry spoils everything that is
# computed from it. Yet the right answer is harmless, the same as for logits 1 and 0.
#
# > **Exercise 1.3 · `softmax`** · 5 minutes · difficulty ●●○
# >
# > *What for:* from here to lesson 5, whenever the network has to choose.
# >
# > Return the probabilities of the logits o (…,K): every row along the **last axis** sums to 1,
# > for any number of axes, and for logits as large as ±1000.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/01_rnn_cell.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# Taking a number off a whole row changes nothing. Which number, taken off [1000, 999], makes exp
# harmless? And off a row near −1000?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $p_k = e^{o_k - m} / \sum_j e^{o_j - m}$, where m is the largest logit *of that row*.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# m = o.max(axis=..., keepdims=True)  # keepdims: (B,1), not (B,), so that it lines up with rows
# e = np.exp(...)
# return e / ...
# ```
#
# </details>


# %%
def softmax(o):
    """Probabilities of the logits o (...,K); the last axis sums to 1."""
    ### BEGIN SOLUTION
    e = np.exp(o - o.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
    ### END SOLUTION


softmax = check(softmax)

# %%
o = np.array([[2.0, 1.0, 0.0], [1000.0, 999.0, -1000.0]])
print("yours:  ", softmax(o).round(4).tolist())
print("PyTorch:", torch.softmax(torch.from_numpy(o), dim=-1).numpy().round(4).tolist())

# %% [markdown]
# Now put the three together. The network has read `light blu`: what does it expect next?

# %%
h = read("light blu")[-1]
p = softmax(readout(h, params.W, params.c))

figure, ax = plt.subplots(figsize=(8, 2.4))
ax.bar(range(K), p, color=plots.COLOURS["o"])
ax.axhline(1 / K, color=plots.INK, linestyle="--", label="1/30")
ax.set_xticks(range(K), ["end", "␣", *letters[2:]], fontsize=9)
ax.set(xlabel="next letter", ylabel="probability")
ax.legend(loc="upper right")
plots.show(figure, "Probability of each next letter after “light blu”: noise around 1/30.")

# %% [markdown]
# It has no idea. The bars are noise around one thirtieth: `a` stands out by chance, and `e`, the
# right letter, gets a little less than its even share. The weights are random, and nothing has told the network yet what is likely. That is what
# learning is for.

# %% [markdown]
# ## How much there is to learn · 4 minutes
#
# The numbers that training will change are those in U, V, b, W and c. They are the
# **parameters**.
#
# **Question 1.6** You let the network read names of 20 letters, where it read 10 before. How many
# parameters does it need *in addition*?

# %%
answer(
    "1.6",
    ### BEGIN SOLUTION
    0,
    ### END SOLUTION
)

# %% [markdown]
# The formula for a_t has no t in U, V and b: the same three serve at every step. Count for
# yourself.
#
# > **Exercise 1.4 · `count_parameters`** · 3 minutes · difficulty ●○○
# >
# > *What for:* to know what a network costs before you build it.
# >
# > Return how many numbers U, V, b, W and c hold together, as an int.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/01_rnn_cell.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The table of shapes in lesson 0. There are five arrays with numbers to learn.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# A matrix (R,C) holds R·C numbers, a bias (N,) holds N. Add up the five.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# return D * H + ... + H + ... + ...
# ```
#
# </details>


# %%
def count_parameters(D, H, K):
    """How many numbers U (D,H), V (H,H), b (H,), W (H,K) and c (K,) hold together."""
    ### BEGIN SOLUTION
    return D * H + H * H + H + H * K + K
    ### END SOLUTION


count_parameters = check(count_parameters)

# %% [markdown]
# With 30 letters in, 64 units and 30 letters out:

# %%
rnn, linear = torch.nn.RNN(30, 64), torch.nn.Linear(64, 30)
theirs = sum(p.numel() for module in (rnn, linear) for p in module.parameters())
print("yours:", count_parameters(30, 64, 30), " PyTorch's:", theirs)
print("PyTorch has", theirs - count_parameters(30, 64, 30), "more: its second bias")

# %% [markdown]
# About 8000 numbers, whether a name has 3 letters or 300.

# %% [markdown]
# ## Looking back · 2 minutes
#
# **You can now** write one step of a recurrent network, read its memory out, turn scores into
# probabilities, and say what it costs.
#
# **Recall** before you open the answers:
#
# 1. Write down the cell's formula, with the shape of each letter in it.
# 2. Why does a memory tell `lemon` from `melon` when letter counts can't?
# 3. What may you add to a row of logits without changing its softmax, and what is that good for?
#
# <details><summary>Answers</summary>
#
# 1. $h_t = \tanh(x_t\,U + h_{t-1}\,V + b)$, with $x_t$ (B,D), U (D,H), $h_{t-1}$ and $h_t$ (B,H), V (H,H),
#    b (H,).
# 2. What a letter does to the memory depends on the memory it finds, and so on the letters before.
# 3. Any one number. Subtract the largest logit of the row, and exp can't overflow.
#
# </details>
#
# **Next:** [lesson 2, sequence unrolling](02_sequence_unrolling.ipynb). There the loop in `read` becomes a network of its own,
# whole batches are read at once, and a trained network paints its guess after every letter.
