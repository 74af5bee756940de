# %% [markdown]
# # 0 · Start here
#
# You are going to build a network that **reads colour names**, letter by letter, and paints what
# it has read so far. Then you will let it invent names of its own.
#
# Everything in it you write yourself, in NumPy, and prove against PyTorch: the cell, the unrolled
# sequence, backpropagation through time, gradient accumulation.
#
# This first notebook takes **15 minutes**. It checks your set-up, shows how the exercises answer
# you, and settles the notation.
#
# > **You need** Python, a little NumPy (arrays, `@`, broadcasting) and the chain rule.
# > Nothing about neural networks.

# %% [markdown]
# ## Is everything there? · 2 minutes
#
# Click the next cell and press **Shift+Enter**. It finds the workbook's tools and prints nothing.
# Press Shift+Enter once more for the cell after it. Every line should begin with `[ok]`.

# %% tags=["nbval-ignore-output"]
from utils.environment import check_environment

check_environment()

# %% [markdown]
# If a line says `[fail]`, do what the last line says.
#
# Now the tools of this lesson. Every lesson begins with two such cells: one finds the tools, as
# above, and one takes out those it uses.

# %%
import numpy as np

from utils import plots
from utils.checks import answer, check, grade, progress
from utils.data import alphabet, colour_names, encode

# %% [markdown]
# ## The data · 3 minutes
#
# In 2010 the xkcd comic asked its readers to name colours. The names ship inside
# matplotlib, so nothing is downloaded. The crude ones are left out, and a tenth is put aside to
# test the network later on names it has never read.

# %%
train, held_out = colour_names()
print(len(train.names), "names to learn from,", len(held_out.names), "put aside")
print("longest:", max(train.names, key=len))

# %% [markdown]
# Each name comes with its colour. Here are 24 of them.

# %%
plots.swatches(train.names[:24], train.rgb[:24])

# %% [markdown]
# People are odd about colours, and that is what makes the data good: the network has to find out
# what `dark`, `dirty` and `-ish` do to the word beside them.
#
# A network computes with numbers, so each letter gets one: its place in the alphabet of the data.

# %%
letters = alphabet(train.names)
print(len(letters), "characters:", repr(letters))
print("light blue ->", encode("light blue", letters))

# %% [markdown]
# The first character, `\n`, marks the end of a name. You will need it in lesson 5, when the
# network has to know when to stop.

# %% [markdown]
# ## How an exercise answers you · 5 minutes
#
# You learn most by **guessing before you look**. So each experiment comes with a question first.
# Double-click the `...` and type your letter over it, in quotes: `"a"`. It is not graded, and a wrong
# guess teaches more than none.
#
# **Question 0.1** The array `z` has 3 rows and 4 columns, and `b` has 4 entries. What is `z + b`?
#
# - **a** an error, because the shapes differ
# - **b** `b` is added to each of the 3 rows
# - **c** an error, unless you repeat `b` three times first

# %%
answer(
    "0.1",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %% [markdown]
# Now look:

# %%
z = np.array([[0, 0, 0, 0], [10, 10, 10, 10], [20, 20, 20, 20]])
b = np.array([1, 2, 3, 4])
print(z + b)

# %% [markdown]
# This is called *broadcasting*. In a network, `b` is a *bias*: one number for each column, which
# every row gets added.
#
# Next, your first exercise. Each one opens with a card like this:
#
# > **Exercise 0.1 · `add_bias`** · 3 minutes · difficulty ●○○
# >
# > *What for:* to meet the check.
# >
# > Return `z` (B,H) with the bias `b` (H,) added to every row. Leave `z` and `b` as they are.
# >
# > *How:* double-click the `...` in the function, type over it, and press **Shift+Enter**.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/00_start_here.ipynb` and move on.
#
# (B,H) says the shape: B rows, H columns. The check runs in the same cell as your function. What is
# inside a function is indented by four spaces: a double click takes the dots and leaves them alone.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The cell above: what did `z + b` give?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# result[i, j] = z[i, j] + b[j]
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# def add_bias(z, b):
#     return ... + ...
# ```
#
# </details>


# %%
def add_bias(z, b):
    """z (B,H) with the bias b (H,) added to every row."""
    ### BEGIN SOLUTION
    return z + b
    ### END SOLUTION


add_bias = check(add_bias)

# %% [markdown]
# The box says one of three things:
#
# - **✓ passed**: your function is right, and the notebook goes on with it;
# - **✗ not yet**: what is wrong, and where. Change it and press Shift+Enter again;
# - **○ not attempted**: the `...` is still there.
#
# You are **never blocked**. Until yours passes, the notebook goes on with a correct function of
# its own. (If you see red Python text and no box, nothing was checked: look at the line it names. A
# bracket may be missing.)
#
# The check knows the mistakes that people make. This is what it says to someone who adds `b` as a
# column:


# %%
def as_a_column(z, b):
    return z + b[:, None]


grade("add_bias", as_a_column)

# %% [markdown]
# **Try to fool it.** Go back to your `add_bias` and write `z += b` then `return z`: the right
# numbers, but something else is wrong. Or `return z - b`. A wrong function can't break the notebook;
# even one that never ends is stopped after five seconds.

# %% [markdown]
# ## The notation · 3 minutes
#
# The same letters mean the same things in all lessons, in the text, in the code and in the
# figures.
#
# | letter | what it is | shape |
# |---|---|---|
# | T, B | number of steps (letters); of sequences read side by side (a *batch*) | |
# | D, H, K | number of inputs, of memory units, of outputs | |
# | x | what the network reads: at step t it is x_t | (T,B,D) |
# | h | its memory after each step; it starts from h0 (B,H) | (T,B,H) |
# | o | what is read out of the memory at each step | (T,B,K) |
# | U | carries the input in | (D,H) |
# | V | carries the memory on | (H,H) |
# | W | reads the memory out | (H,K) |
# | b, c | the biases of the memory and of the readout | (H,), (K,) |
#
# Vectors are **rows**, and **time comes first**: `x[t]` is what all B sequences read at step t.
#
# **Question 0.2** `light blue`, `dark green` and `pale brown` have 10 characters each (a space
# counts). They are read side by side, as a batch of B = 3. How many steps T does the loop over
# time make?

# %%
answer(
    "0.2",
    ### BEGIN SOLUTION
    10,
    ### END SOLUTION
)

# %%
names = ["light blue", "dark green", "pale brown"]
ids = np.stack([encode(name, letters) for name in names], axis=1)
print("shape (T,B) =", ids.shape)
print("what is read at step t=0:", ids[0], "which is", [letters[i] for i in ids[0]])

# %% [markdown]
# One more axis makes it x (T,B,D): each number becomes a row of zeros with a single 1 at its place,
# a *one-hot* row. D is then the size of the alphabet.

# %%
x = np.eye(len(letters), dtype=int)[ids]
print("shape (T,B,D) =", x.shape)
print("the l of 'light blue':", x[0, 0])

# %% [markdown]
# <details><summary>You know these networks from another book?</summary>
#
# | here | Goodfellow, Bengio & Courville | Dive into Deep Learning | PyTorch | Karpathy's min-char-rnn |
# |---|---|---|---|---|
# | U (D,H) | U, transposed | W_xh | `weight_ih_l0`, transposed | `Wxh`, transposed |
# | V (H,H) | **W**, transposed | W_hh | `weight_hh_l0`, transposed | `Whh`, transposed |
# | W (H,K) | **V**, transposed | W_hq | `weight` of a `Linear` layer, transposed | `Why`, transposed |
# | b (H,) | b | b_h | `bias_ih_l0` + `bias_hh_l0` | `bh` |
# | c (K,) | c | b_q | `bias` of that layer | `by` |
# | rows, time first | columns | rows, time first | rows, time first | columns |
#
# Mind the swap: in Goodfellow et al. W carries the memory on and V reads it out. A single step,
# `torch.nn.RNNCell`, has the same names without `_l0`.
#
# </details>

# %% [markdown]
# ## The way ahead · 1 minute
#
# | lesson | what you build | exercises | time |
# |---|---|---|---|
# | **1 The RNN cell** | one step of reading | 1.1–1.4 | 45 min |
# | **2 Sequence unrolling** | a whole name; a network that paints as it reads | 2.1–2.5 | 1 h |
# | **3 Backpropagation through time** | how it learns, and a test that no wrong gradient gets past | 3.1–3.8 | 1 h 40 |
# | **4 Gradient accumulation** | large batches in little memory | 4.1–4.5 | 1 h 5 |
# | **5 A language model** | it invents names | 5.1–5.4 | 1 h |
# | **6 Gates** | LSTM and GRU | 6.1–6.3 | 1 h |
#
# Each lesson needs the ones before it; 1 to 4 are the core. What you have passed is kept between
# sessions. This table is yours (run the cell again whenever you like):

# %%
progress()

# %% [markdown]
# ## Looking back · 1 minute
#
# **You can now** run a cell, read a report, and say what (T,B,D) means.
#
# **Recall** before you open the answers:
#
# 1. What does `name = check(name)` give back while your function is still wrong?
# 2. Which matrix carries the memory on, and what is its shape?
# 3. `x` has the shape (10,3,30). What is `x[0]`?
#
# <details><summary>Answers</summary>
#
# 1. A correct function of the workbook's own, so that the rest of the notebook runs.
# 2. V, of shape (H,H): from every unit to every unit.
# 3. What all 3 sequences read at the first step, as rows of 30 numbers: shape (3,30).
#
# </details>
#
# **Next:** [lesson 1, the RNN cell](01_rnn_cell.ipynb), where you find out why the order of the
# letters matters, and build a memory that notices.
