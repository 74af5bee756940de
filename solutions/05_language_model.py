# %% [markdown]
# # 5 · A language model
#
# You have the cell, the unrolling, the gradients and the accumulation. Now they work together: a
# network learns to guess the next letter, and a network that guesses can write. At the end it
# invents colour names, and the reader of lesson 2 paints them; a second network writes something
# like Python's manual.
#
# **65 minutes**, four exercises.

# %%
import os
import time
from collections import Counter
from itertools import pairwise

# One thread: small matrices are quick, and on a busy machine threads wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from ipywidgets import FloatSlider, IntSlider, Text
from tqdm.auto import tqdm

from utils import plots
from utils.accumulation import activation_bytes
from utils.bptt import bptt, loss_and_gradients
from utils.cell import RNNParams, count_parameters, init_params, readout
from utils.checks import answer, check
from utils.data import (
    END,
    alphabet,
    colour_names,
    decode,
    encode,
    load_text,
    markov2,
    markov2_perplexities,
    python_docs,
)
from utils.language_model import (  # those of the exercises until yours pass
    generate,
    make_streams,
    ngram_perplexity,
    perplexity,
    sample_next,
    stream_nll,
)
from utils.loss import sequence_cross_entropy, sequence_cross_entropy_backward, softmax
from utils.optim import adam, adam_start, clip_gradients
from utils.reader import paint, train_reader
from utils.torch_bridge import to_torch
from utils.unroll import pad_sequences, unroll, unroll_in_chunks

train, held_out = colour_names()
letters = alphabet(train.names)

# %% [markdown]
# Your functions of lessons 1 to 4 live in their own notebooks, so the workbook's stand in for them
# here. If you want to see yours at work, paste them below: any of `pad_sequences`, `unroll`,
# `readout`, `sequence_cross_entropy`, `sequence_cross_entropy_backward`, `bptt` and
# `clip_gradients`. The colour names are learnt with exactly these.

# %%
# Optional. Your own functions, each with its check, as here:
#
#     from utils.bptt import cell_backward  # or yours: bptt calls it
#
#     def bptt(do, x, h0, h, params):
#         ...
#
#     bptt = check(bptt)

# %% [markdown]
# ## Guess the next letter · 9 minutes
#
# Cover a colour name with your hand and uncover it letter by letter, guessing each one before you
# see it. After `purpl` you are sure of the next letter. At the very beginning you are not.
#
# That game is a **language model**: after each letter it gives every letter a chance to be the next.
# Nobody has to say what the right answer is, for it comes with the next letter.
#
# A name also has to begin and to end. So the end mark of lesson 0 (`END`, id 0, drawn ↵ and printed
# `\n`) stands in front of it and behind it: after the first the network guesses how names begin, and
# the second is how it says "that was all".

# %%
plots.unrolled("↵tan", o=["t", "a", "n", "↵"])

# %% [markdown]
# Below: what it reads. In the green nodes: what it should have guessed there. The targets are the
# inputs, one step later.
#
# All names as one padded batch, as in lesson 2. The mask belongs to the targets: a step counts if
# there is something to guess.


# %%
def name_batch(names):
    """x (T,B,K) one-hot, targets (T,B), mask (T,B) of names, each between two end marks."""
    ids, real = pad_sequences([encode(END + name + END, letters) for name in names])
    return np.eye(len(letters))[ids[:-1]], ids[1:], real[1:]


x, targets, mask = name_batch(["tan"])
print("reads:  ", [letters[i] for i in x[:, 0].argmax(axis=-1)])
print("guesses:", [letters[i] for i in targets[:, 0]])

# %% [markdown]
# One step of training: the loss, and the gradients by BPTT, clipped. Here are three lessons in eight
# lines.


# %%
def names_step(params, x, targets, mask):
    """Loss and clipped gradients for a batch of names."""
    h0 = np.zeros((x.shape[1], len(params.b)))
    h = unroll(x, h0, *params[:3])
    o = readout(h, params.W, params.c)
    do = sequence_cross_entropy_backward(o, targets, mask)
    grads, _, _ = bptt(do, x, h0, h, params)
    grads, _ = clip_gradients(grads, 1.0)
    return sequence_cross_entropy(o, targets, mask), grads


# %% [markdown]
# **Question 5.1** There are 30 letters, the space and the end mark among them. An untrained network
# gives each about the same chance. What is its loss, in nats a letter? (nats: the loss is a natural
# logarithm, `np.log`.)

# %%
answer(
    "5.1",
    ### BEGIN SOLUTION
    3.4,
    ### END SOLUTION
)

# %%
x, targets, mask = name_batch(train.names)
rng = np.random.default_rng(0)
namer = init_params(D=len(letters), H=64, K=len(letters), rng=rng)
print(f"untrained: {names_step(namer, x, targets, mask)[0]:.1f} nats a letter")
print(mask.sum(), "letters to guess,", count_parameters(30, 64, 30), "numbers to learn")

# %% [markdown]
# It is worth a look every time you train something: if the first loss is far from what knowing
# nothing costs, something is wrong before it has begun.
#
# Now train it with Adam (lesson 4: each weight gets a step size of its own). An epoch, one pass over
# all names, is 26 batches of about 32. After every third it is asked about the names put aside (the
# *held-out* names), too.

# %% tags=["nbval-ignore-output"]
adam_state, epochs = adam_start(namer), 30
losses = {"training names": [], "held-out names": []}
for epoch in tqdm(range(epochs)):
    lr = 0.01 * (1 - epoch / epochs)  # ever smaller steps
    for rows in np.array_split(rng.permutation(len(train.names)), 26):
        _, grads = names_step(namer, x[:, rows], targets[:, rows], mask[:, rows])
        namer, adam_state = adam(namer, grads, adam_state, lr)
    if epoch % 3 == 2:
        losses["training names"].append(names_step(namer, x, targets, mask)[0])
        losses["held-out names"].append(names_step(namer, *name_batch(held_out.names))[0])

# %% tags=["nbval-ignore-output"]
plots.learning(range(3, epochs + 1, 3), losses, "epochs", "nats a letter")

# %% [markdown]
# Two curves that part. On the names it trains on it gets better and better; on the others it soon
# stops. It has nearly as many numbers as there are letters, and learns a good part of them by heart:
# it **overfits**. Which of the two curves would you show somebody who asks how good it is?
#
# It can guess, then. It can't write yet; for that you need exercises 5.3 and 5.4.

# %% [markdown]
# ## A text without end · 7 minutes
#
# Names are short, and each stands alone. A book is one sequence of half a million letters. You can't
# unroll it whole, for all memories would have to be kept. And to read a single sequence is
# slow: forty, side by side, take far less than forty times as long.
#
# So cut it into B pieces of equal length and read all B side by side, as B **streams**. Each is a
# column of an array. Down a column you read on in the text:

# %%
plots.streams("the cat sat on the mat.", B=4, chunk=3)

# %% [markdown]
# The 23 letters give 4 streams of 5. Three are left over, and they are dropped. As a loop:

# %%
text, B = "the cat sat on the mat.", 4
T = len(text) // B
for b in range(B):
    print(f"stream {b}:", list(text[b * T : (b + 1) * T]))

# %% [markdown]
# The streams are then read in chunks, and the memory is carried from one chunk to the next (lesson
# 2), while the gradient stops at the border (lesson 3). That works only because row t + 1 goes on
# where row t stopped, in every column.
#
# > **Exercise 5.1 · `make_streams`** · 4 minutes · difficulty ●●○
# >
# > *What for:* every language model that reads a long text cuts it up somehow. Get it wrong and the
# > carried memory is that of another place in the text.
# >
# > Return the ids (n,), a vector, as B streams: an array (T,B), one stream a column, with
# > T = n // B. Stream 0 is the beginning of the text. What is left over at the end is dropped.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/05_language_model.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The loop above prints the streams one below the other: they are rows there. `reshape` fills an
# array row by row.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# streams[t, b] = ids[b · T + t]. Rows of T ids first, then turned on their side: `.T`.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# T = len(ids) // B
# return ids[: ___].reshape(___, ___).T
# ```
#
# </details>


# %%
def make_streams(ids, B):
    """(T,B): the ids (n,) as B streams, one a column, of T = n // B ids each."""
    ### BEGIN SOLUTION
    T = len(ids) // B
    return ids[: B * T].reshape(B, T).T
    ### END SOLUTION


make_streams = check(make_streams)

# %% [markdown]
# Now the real text: the reference that Python's own `help()` shows. If you would rather have your
# own, put the name of its file below; a few hundred thousand letters are good.
#
# Some characters come up a handful of times. Each would need a row of U and a column of W of its
# own, and there is nothing to learn them from. So all that are rarer than one in 5000 become `·`.

# %% tags=["nbval-ignore-output"]
my_file = None  # or "my_own_text.txt"
text = load_text(my_file) if my_file else python_docs()
times = Counter(text)
text = "".join(c if times[c] >= len(text) / 5000 else "·" for c in text)
characters = alphabet(text)
print(f"{len(text)} characters; {len(times)} different ones, {len(characters)} after that")
print(text[200_000:200_300])

# %% [markdown]
# 40 streams, of which every tenth is put aside: 36 to learn from, 4 to be tested on.

# %%
pieces = make_streams(encode(text, characters), 40)
held_streams = pieces[:, 4::10]
train_streams = np.delete(pieces, np.s_[4::10], axis=1)
print("to learn from:", train_streams.shape[1], "streams, put aside:", held_streams.shape[1])

# %% [markdown]
# And the time? The memories of 20 000 characters, read as a single stream and as 40, each three times.
# (`unroll_in_chunks` takes ids here, not one-hot rows: each id picks its row of U.)

# %% tags=["nbval-ignore-output"]
ids, K = encode(text[:20_000], characters), len(characters)
some = init_params(K, 64, K, rng)
for B in (1, 40):
    tries = []
    for _ in range(3):
        start = time.perf_counter()
        unroll_in_chunks(make_streams(ids, B), np.zeros((B, 64)), *some[:3], chunk=100)
        tries.append(1000 * (time.perf_counter() - start))
    print(f"streams: {B:2}   quickest: {min(tries):4.0f} ms")

# %% [markdown]
# ## How unsure is it? · 7 minutes
#
# A loss of 1.39 nats a letter: is that good? Turned into a number of choices it is easier to read.
#
# Take a model that has read four letters, and gave the ones that came the chances ½, ½, ⅛ and ⅛.
# Giving ½ is as unsure as tossing a coin: 2 equally likely choices. Giving ⅛ is 8 choices.
#
# The **perplexity** is a mean of these choices: of their *logarithms*, taken back by exp. The
# logarithm of a choice 1/p is −log p, the nll. So it is the loss you know, one function further:
#
# $$\text{perplexity} = \exp\Big(\frac1N\sum_{t=1}^{N} \text{nll}_t\Big) \qquad
# \text{nll}_t = -\log p_t[\text{target}_t]$$
#
# **Question 5.2** What is the perplexity of that model on its four letters? (2·2·8·8 = 256, and a mean
# of four logarithms is a fourth root.)

# %%
answer(
    "5.2",
    ### BEGIN SOLUTION
    4,
    ### END SOLUTION
)

# %%
total = 0.0
for p in [1 / 2, 1 / 2, 1 / 8, 1 / 8]:
    total += -np.log(p)
    print(f"p = {p:5.3f}   nll = {-np.log(p):.3f}   as unsure as {1 / p:.0f} equal choices")
print(f"total {total:.3f}, mean {total / 4:.3f}")

# %% [markdown]
# > **Exercise 5.2 · `perplexity`** · 2 minutes · difficulty ●○○
# >
# > *What for:* it is the number that language models are compared by.
# >
# > Return the perplexity as a float, from `total_nll`, the sum of the nll of all guesses, and
# > `n_tokens`, how many guesses there were. (A *token* is what is guessed: here a letter.)
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/05_language_model.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The last line printed above: a mean of 1.386 should become the answer to question 5.2.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# exp(total / number). Divide first: exp of the total is far too large for a long text.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# return float(np.exp(___))
# ```
#
# </details>


# %%
def perplexity(total_nll, n_tokens):
    """exp of the mean nll: how many equally likely choices the model is left with."""
    ### BEGIN SOLUTION
    return float(np.exp(total_nll / n_tokens))
    ### END SOLUTION


perplexity = check(perplexity)

# %% [markdown]
# By yours, and by PyTorch's loss, to which log p can be given as logits:

# %%
o = torch.log(torch.tensor([[1 / 2, 1 / 2], [1 / 2, 1 / 2], [1 / 8, 7 / 8], [1 / 8, 7 / 8]]))
mean_nll = torch.nn.functional.cross_entropy(o, torch.zeros(4, dtype=torch.long))
print(f"yours {perplexity(total, 4):.3f}, PyTorch's {mean_nll.exp():.3f}")

# %% [markdown]
# So the network of the colour names, which began with 30 choices, is left with:

# %% tags=["nbval-ignore-output"]
for name, values in losses.items():
    print(f"{name:15} {perplexity(values[-1], 1):.2f}")  # these are means already

# %% [markdown]
# ### What is to be beaten
#
# A number alone says little. So first let somebody guess who has no network and only counts, on the
# text that the network will learn from:
#
# - **uniform**: every character has the same chance. Its perplexity is K, how many there are.
# - **unigram**: how frequent is each character?
# - **bigram**: how frequent is each after the one before it?
# - **trigram**: how frequent is each after the two before it?
#
# All are tested on the streams put aside. What was never counted must not be impossible, for its nll
# would be infinite: one is added to every count (Laplace smoothing), in all three alike.

# %% tags=["nbval-ignore-output"]
flat, flat_held = train_streams.T.ravel(), held_streams.T.ravel()
levels = {"uniform": float(K)}
for n, name in enumerate(["unigram", "bigram", "trigram"], start=1):
    levels[name] = ngram_perplexity(flat, flat_held, K, n)
for name, value in levels.items():
    print(f"{name:8} {value:6.2f}")

# %% [markdown]
# ## Training on the text · 9 minutes
#
# For each update: one chunk of all streams, cut into k **micro-batches** by columns, so that no more
# than a k-th of the memories has to be kept at a time. Each has a share in the sum: its part of all
# guesses, as in lesson 4. And each has its own carried memory.
#
# `loss_and_gradients` does what `names_step` does, without the clipping. It also takes ids in place of
# one-hot rows, which is quicker, and it gives back the last memory.

# %%
x, targets, mask = name_batch(["light blue", "tan"])
_, by_steps = names_step(namer, x, targets, mask)
_, in_one, _, _ = loss_and_gradients(namer, x.argmax(axis=-1), targets, mask, np.zeros((2, 64)))
in_one, _ = clip_gradients(in_one, 1.0)
same = all(np.abs(a - b).max() < 1e-9 for a, b in zip(by_steps, in_one, strict=True))
print("the same gradients:", same)


# %%
def chunk_gradients(params, part, states):
    """Loss, gradients and new states for a chunk (t+1,B); states: a list of k arrays (B/k,H)."""
    loss, grads, carried = 0.0, [0] * 5, []
    micro_batches = np.array_split(part, len(states), axis=1)
    for ids, h0 in zip(micro_batches, states, strict=True):
        x, targets = ids[:-1], ids[1:]
        real = np.ones(x.shape, dtype=bool)  # streams need no padding
        own_loss, own, _, last = loss_and_gradients(params, x, targets, real, h0)
        share = x.size / part[1:].size
        loss += share * own_loss
        grads = [g + share * own_g for g, own_g in zip(grads, own, strict=True)]
        carried.append(last)
    return loss, RNNParams(*grads), carried


# %% [markdown]
# Does it matter for the gradient in how many pieces it is computed? And what is kept for it?

# %%
rng = np.random.default_rng(0)
small = init_params(K, 32, K, rng)
_, whole, _ = chunk_gradients(small, train_streams[:21], [np.zeros((36, 32))])
for k in (2, 4):
    states = [np.zeros((36 // k, 32))] * k
    _, grads, _ = chunk_gradients(small, train_streams[:21], states)
    same = all(np.abs(g - w).max() < 1e-12 for g, w in zip(grads, whole, strict=True))
    kept = activation_bytes(T=20, B=36, H=32, k=k) / activation_bytes(T=20, B=36, H=32, k=1)
    print(f"k = {k}: same gradient to 1e-12: {same}; memories kept: {kept:.0%}")

# %% [markdown]
# The training loop. At each epoch the streams begin anew, with empty memories; within an epoch the
# memories are carried from chunk to chunk. The snapshots are there to look at later.


# %%
def train_on(streams, params, epochs, lr, chunk, k=1, carry=True, progress=iter):
    """Nine snapshots of params, the last being the final ones, and eight mean losses between."""
    starts = list(range(0, len(streams) - 1, chunk)) * epochs
    marks = np.linspace(0, len(starts), 9, dtype=int)  # after so many updates
    adam_state, snapshots, losses = adam_start(params), [params], []
    for update, start in enumerate(progress(starts)):
        if start == 0 or not carry:
            states = [np.zeros((streams.shape[1] // k, len(params.b)), params.b.dtype)] * k
        loss, grads, states = chunk_gradients(params, streams[start : start + chunk + 1], states)
        grads, _ = clip_gradients(grads, 1.0)
        params, adam_state = adam(params, grads, adam_state, lr * (1 - update / len(starts)))
        losses.append(loss)
        if update + 1 in marks:
            snapshots.append(params)
    return snapshots, [np.mean(losses[a:b]) for a, b in pairwise(marks)]


# %% [markdown]
# 128 units, chunks of 20 steps, two micro-batches of 18 streams, four passes over the text. In
# `float32`, numbers of 7 digits in place of 16: half the memory, less time, and enough for training.
# It takes a quarter of a minute, on a slow machine a whole one.
#
# `stream_nll` then reads the held-out streams, 200 steps at a time, with the memory carried. It
# returns what `perplexity` takes: the sum of the nll, and how many guesses there were.

# %% tags=["nbval-ignore-output"]
writer = init_params(K, 128, K, rng)
writer = RNNParams(*(w.astype(np.float32) for w in writer))
snapshots, went_by = train_on(
    train_streams, writer, epochs=4, lr=0.008, chunk=20, k=2, progress=tqdm
)
writer = snapshots[-1]

# %% tags=["nbval-ignore-output"]
read = np.linspace(0, 4 * train_streams.size, 9) / 1e6
curves = {
    "training text, as it went by": np.exp(went_by),
    "held-out text": [perplexity(*stream_nll(p, held_streams, 200)) for p in snapshots[1:]],
}
plots.learning(
    read[1:], curves, "million characters read", "perplexity (ticks double)", levels, log=True
)

# %% tags=["nbval-ignore-output"]
for name, value in levels.items():
    print(f"{name:24} {value:6.2f}")
print(f"{'network, held-out text':24} {curves['held-out text'][-1]:6.2f}")
print(f"{'network, training text':24} {perplexity(*stream_nll(writer, train_streams, 200)):6.2f}")

# %% [markdown]
# In the first stretch it passes the bigram, and soon after that the trigram: it makes use of more than
# the last two letters. (The training curve is a mean over each stretch, so at first it is behind the
# held-out curve, which is measured at its end.) And here the two stay near each other: of 400 000
# characters, read four times, not much can be learnt by heart.

# %% [markdown]
# ## What the number says, and what not · 5 minutes
#
# **Question 5.3** Two models of the same text. A guesses letter by letter and has perplexity 4. B
# guesses word by word and has perplexity 1000. A word, with the space behind it, has 6 letters. Which
# predicts the text better?
#
# - **a** A
# - **b** B
# - **c** nobody can tell

# %%
answer(
    "5.3",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %%
print("A, perplexity of a word of 6 letters:", 4**6)

# %% [markdown]
# Perplexities can be compared only if the same text was cut into the same tokens. That goes for the
# alphabet too. Turn all letters of our text into `x`, and the bigram is far better at once, and has
# learnt less:

# %% tags=["nbval-ignore-output"]
x_ed = "".join("x" if c.isalpha() else c for c in text)
streams = make_streams(encode(x_ed, alphabet(x_ed)), 40)
to_learn, to_test = np.delete(streams, np.s_[4::10], axis=1).T.ravel(), streams[:, 4::10].T.ravel()
print(f"bigram of the text:      {levels['bigram']:.2f}")
print(f"bigram of the x-ed text: {ngram_perplexity(to_learn, to_test, len(alphabet(x_ed)), 2):.2f}")

# %% [markdown]
# And is it fair to those who count? Adding one to every count is crude when there are K³ of them.
# Let them add less, and look back further:

# %% tags=["nbval-ignore-output"]
for n in (3, 4, 5):
    crude, fine = (ngram_perplexity(flat, flat_held, K, n, add) for add in (1, 0.01))
    print(f"{n}-gram: {crude:5.2f} adding 1, {fine:5.2f} adding 0.01")
runs = {tuple(run) for run in np.lib.stride_tricks.sliding_window_view(flat, 5).tolist()}
print(f"the 5-gram keeps {len(runs)} counts; the network {count_parameters(K, 128, K)} numbers")

# %% [markdown]
# So "it beats the trigram" is true, and no triumph: on Python's manual, whoever counts runs of five with
# care is ahead of our short training. What the network has done it has done with fewer numbers, and
# without being told how far to look back. Ask of every comparison how hard the other side was allowed to
# try.

# %% [markdown]
# ## From chances to a letter · 8 minutes
#
# The network gives chances. To write, you need one letter. Take three letters with the logits
# e → 2, a → 1, o → 0:
#
# | | e | a | o | sum |
# |---|---|---|---|---|
# | logit | 2 | 1 | 0 | |
# | exp(logit) | 7.39 | 2.72 | 1 | 11.11 |
# | chance | 0.67 | 0.24 | 0.09 | 1 |
#
# To draw with these chances, lay them end to end from 0 to 1 and throw a random number between 0 and
# 1: below 0.67 it is e, from there to 0.91 it is a, above it is o. `rng.choice(3, p=chance)` does the
# same in one call: it draws 0, 1 or 2 with these chances.

# %%
chance, drawn = softmax(np.array([2.0, 1.0, 0.0])), ""
rng = np.random.default_rng(0)
for _ in range(20):
    thrown, k = rng.random(), 0
    while thrown > chance[: k + 1].sum():
        k += 1
    drawn += "eao"[k]
print("by hand:   ", drawn)

rng = np.random.default_rng(0)
print("rng.choice:", "".join("eao"[rng.choice(3, p=chance)] for _ in range(20)))

# %% [markdown]
# Always taking the likeliest would give `eeeeee`, which is dull. But a draw is now and then an
# unlikely letter, and one slip can spoil a word.
#
# In between lies the **temperature** τ: divide the logits by it before the softmax.
#
# $$p = \text{softmax}(o / \tau)$$
#
# **Question 5.4** At temperature 1, e is 7.39 / 2.72 = 2.7 times as likely as a. How many times at
# temperature ½?
#
# - **a** still 2.7 times
# - **b** 5.4 times, twice as much
# - **c** 7.4 times, 2.7 squared

# %%
answer(
    "5.4",
    ### BEGIN SOLUTION
    "c",
    ### END SOLUTION
)

# %%
o = np.array([2.0, 1.0, 0.0])
temperatures = [0.25, 0.5, 1, 2, 10]
p = [softmax(o / temperature) for temperature in temperatures]
plots.chances(list("eao"), p, [f"τ = {temperature}" for temperature in temperatures])

# %% [markdown]
# Below 1 the likely gets likelier. As τ falls towards 0, everything goes to the largest logit; at 0
# itself nothing can be divided, so there we *say* that it is the largest. Far above 1 all get alike.
#
# > **Exercise 5.3 · `sample_next`** · 5 minutes · difficulty ●●○
# >
# > *What for:* this is the dice in every model that writes.
# >
# > Return one id, an int, drawn from the logits o (K,) at this temperature. At temperature 0 it is
# > the id of the largest logit. All that is random comes from `rng` (a `np.random.Generator`, as
# > `np.random.default_rng` makes it). It must work for logits of ±1000 and at very low temperatures.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/05_language_model.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# `rng.choice` above draws; `softmax` makes chances of logits of any size. At which temperature can't
# you divide?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# p = softmax((o − max o) / τ). Take the maximum off *before* you divide: 1000 divided by a tiny τ is
# infinite, 0 divided by it is 0.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# if temperature == 0:
#     return int(___)
# p = softmax(___ / temperature)
# return int(rng.choice(___, p=___))
# ```
#
# </details>


# %%
def sample_next(o, temperature, rng):
    """The next id (int), drawn from softmax(o / temperature) of logits o (K,)."""
    ### BEGIN SOLUTION
    if temperature == 0:
        return int(o.argmax())
    p = softmax((o - o.max()) / temperature)
    return int(rng.choice(len(o), p=p))
    ### END SOLUTION


sample_next = check(sample_next)

# %%
rng = np.random.default_rng(0)
for temperature in (0, 0.5, 1, 10):
    drawn = "".join("eao"[sample_next(o, temperature, rng)] for _ in range(40))
    print(f"τ = {temperature:<4} {drawn}")

# %% [markdown]
# ## Writing · 7 minutes
#
# One to many, in the words of lesson 2: what the network has written, it reads next. By hand, with
# one memory unit and two letters, always the likeliest. U has a row for each letter, a → 2 and b → −2;
# V = 0.5; W gives a the logit −3·h and b the logit 3·h. It begins by reading a:
#
# | step | reads | h = tanh(U[letter] + h·V) | logits of a, b | writes |
# |---|---|---|---|---|
# | 1 | a | tanh(2 + 0) = 0.96 | −2.9, 2.9 | b |
# | 2 | b | tanh(−2 + 0.48) = −0.91 | 2.7, −2.7 | a |
# | 3 | a | ? | ? | ? |

# %%
h, letter = 0.0, "a"
for step in range(1, 5):
    h = np.tanh({"a": 2, "b": -2}[letter] + h * 0.5)
    letter = "a" if -3 * h > 3 * h else "b"
    print(f"step {step}: h = {h:5.2f}, writes {letter}")

# %% [markdown]
# > **Exercise 5.4 · `generate`** · 5 minutes · difficulty ●●○
# >
# > *What for:* with this your networks write.
# >
# > Return a list of n ids. Start from the memory h (H,), a vector, and read `first_id`. Then draw an
# > id by `sample_next`, write it down, and read it next. `first_id` is not among the n.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/05_language_model.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The table: read, new memory, logits, write; what you write you read in the next turn. Both h and the
# letter change from turn to turn.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# A one-hot row times U picks a row of U, so h = tanh(U[id] + h V + b), and o = h W + c. The weights
# are `params.U`, `params.V`, `params.b`, `params.W`, `params.c`.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# U, V, b, W, c = params
# symbol, ids = first_id, []
# for _ in range(n):
#     h = np.tanh(___)
#     symbol = sample_next(___, temperature, rng)
#     ids.append(symbol)
# return ids
# ```
#
# </details>


# %%
def generate(params, h, first_id, n, temperature, rng):
    """n ids (list of int), written from the memory h (H,) after reading first_id."""
    ### BEGIN SOLUTION
    U, V, b, W, c = params
    symbol, ids = first_id, []
    for _ in range(n):
        h = np.tanh(U[symbol] + h @ V + b)
        symbol = sample_next(h @ W + c, temperature, rng)
        ids.append(symbol)
    return ids
    ### END SOLUTION


generate = check(generate)

# %% [markdown]
# The network of the table writes four letters, and then the one that has read Python's manual writes
# 200, at four moments of its training:

# %%
tiny = RNNParams(
    np.array([[2.0], [-2.0]]), np.array([[0.5]]), np.zeros(1), np.array([[-3.0, 3.0]]), np.zeros(2)
)
print(decode(generate(tiny, np.zeros(1), 0, 4, 0, rng), "ab"))

# %% tags=["nbval-ignore-output"]
for i in (0, 1, 3, 8):
    ids = generate(snapshots[i], np.zeros(128), 0, 200, 0.7, np.random.default_rng(1))
    print(f"——— after {read[i]:.2f} million characters ———\n{decode(ids, characters)}\n")
ids = generate(writer, np.zeros(128), characters.index("t"), 200, 0, rng)
print(f"——— from t on, at temperature 0 ———\nt{decode(ids, characters)}")

# %% [markdown]
# First noise, then the frequent letters, then words; at temperature 0 it goes round in circles. None of
# it has a meaning. That is no contradiction to its perplexity: what is measured is the surprise at the
# *next* letter in a text that makes sense, not whether the network would make any sense by itself.

# %% [markdown]
# ## Colours that nobody has named · 5 minutes
#
# Back to the names. `namer` begins with the end mark, and writes until it says the end mark again. (If
# you give it a beginning, it reads that first.)


# %%
def invent(temperature, rng, begin=""):
    """A colour name."""
    *before, last = encode(END + begin, letters)
    h = np.zeros(64)
    for i in before:
        h = np.tanh(namer.U[i] + h @ namer.V + namer.b)
    ids = generate(namer, h, last, 30, temperature, rng)
    return begin + decode(ids, letters).split(END)[0]


# %% [markdown]
# **Question 5.5** Let it invent 100 names at temperature 0.3, and 100 at 1. At which temperature are
# more of them names that it has simply learnt by heart?
#
# - **a** at 0.3
# - **b** at 1
# - **c** about as many

# %%
answer(
    "5.5",
    ### BEGIN SOLUTION
    "a",
    ### END SOLUTION
)

# %% tags=["nbval-ignore-output"]
kinds = dict.fromkeys(train.names, "known") | dict.fromkeys(held_out.names, "put aside")
rng = np.random.default_rng(0)
for temperature in (0.3, 0.6, 1.0, 1.5):
    names = [invent(temperature, rng) for _ in range(100)]
    counts = Counter(kinds.get(name, "new") for name in names)
    print(f"temperature {temperature}: {dict(counts)}, {len(set(names))} different")

# %% [markdown]
# Low temperatures repeat what was read; high ones write what nobody can pronounce. Those `put aside`
# are real names that it was never shown. And before you call something invented, look it up in the
# training data, as we did.
#
# Now train the reader of lesson 2 again. It paints the colour after the last letter.

# %% tags=["nbval-ignore-output"]
reader = train_reader(train, letters, H=48, epochs=30, rng=np.random.default_rng(0), progress=tqdm)


def colour_of(name):
    """What the reader paints after the last letter of a name."""
    painted, _ = paint(reader, encode(name or " ", letters)[:, None])
    return painted[-1, 0]


# %% [markdown]
# A gallery, at temperature 0.6: of 100 inventions the first 24 that are neither known nor among the
# names put aside, each once.

# %% tags=["nbval-ignore-output"]
rng = np.random.default_rng(7)
names = [invent(0.6, rng) for _ in range(100)]
print(dict(Counter(kinds.get(name, "new") for name in names)))
new = [name for name in dict.fromkeys(names) if name and name not in kinds][:24]
plots.swatches(new, [colour_of(name) for name in new])

# %% [markdown]
# Neither network has seen any of these. One put the letters together, the other painted what it read.
# Where the name makes sense, does the colour fit?
#
# The same at four temperatures, known names included:

# %% tags=["nbval-ignore-output"]
rng, temperatures = np.random.default_rng(3), [0.2, 0.6, 1.0, 1.6]
rows = [[invent(temperature, rng) for _ in range(6)] for temperature in temperatures]
titles = [f"τ = {temperature}" for temperature in temperatures]
plots.swatch_rows(titles, rows, [[colour_of(name) for name in row] for row in rows])

# %% [markdown]
# Choose the temperature yourself, and a beginning if you like (small letters). A new number for
# `throw` gives new names.


# %% tags=["nbval-ignore-output"]
@plots.interact(
    temperature=FloatSlider(value=0.6, min=0, max=2, step=0.1, continuous_update=False),
    begin=Text("dark ", continuous_update=False),
    throw=IntSlider(value=1, min=1, max=50, continuous_update=False),
)
def try_it(temperature, begin, throw):
    begin = "".join(letter for letter in begin.lower() if letter in letters[1:])
    names = [invent(temperature, np.random.default_rng([throw, i]), begin) for i in range(6)]
    plots.swatches(names, [colour_of(name) for name in names])


# %% [markdown]
# ## Where the floor is known · 4 minutes
#
# How low can the perplexity of Python's manual get? Nobody knows, for nobody knows how predictable the
# manual is. So take a language made here: six symbols, and chances for the next one that depend on the
# last two. Here the best possible perplexity can be computed, for one who knows how frequent the
# symbols are (unigram), one who knows the last symbol, too (bigram), and one who knows the last two
# (the floor):

# %%
unigram, bigram, floor = markov2_perplexities()
print(f"unigram {unigram:.2f}, bigram {bigram:.2f}, floor {floor:.2f}")

# %% [markdown]
# In the long run nothing gets below the floor: what is left is the dice.
#
# **Question 5.6** A network reads this language in chunks of 5, and the memory is set back to 0 at
# every chunk. What is the best perplexity it can reach?
#
# - **a** the floor: two symbols decide, and a chunk has five
# - **b** something between the floor and the bigram
# - **c** the bigram's

# %%
answer(
    "5.6",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %% [markdown]
# Compute it. The first guess of a chunk is made after one symbol, so the bigram's is its best. The
# other four are made after two or more. The *logarithms* are averaged:

# %%
best_reset = np.exp((np.log(bigram) + 4 * np.log(floor)) / 5)
print(f"best with a reset every 5 steps: {best_reset:.2f}")

# %% [markdown]
# Now train two networks of 32 units, one that carries its memory through training and one that is
# reset. Then let each of them read text it has not seen, in both ways.


# %% tags=["nbval-ignore-output"]
def read_with_resets(params, streams, chunk):
    """Perplexity if the memory starts from 0 at each chunk."""
    parts = [streams[s : s + chunk + 1] for s in range(0, len(streams) - 1, chunk)]
    totals, counts = zip(*(stream_nll(params, part, chunk) for part in parts), strict=True)
    return perplexity(sum(totals), sum(counts))


rng = np.random.default_rng(0)
learn, test = make_streams(markov2(120_000, rng), 32), make_streams(markov2(40_000, rng), 40)
start = RNNParams(*(w.astype(np.float32) for w in init_params(6, 32, 6, rng)))
print("trained     read: carried   reset")
for carry in (True, False):
    params = train_on(learn, start, epochs=2, lr=0.02, chunk=5, carry=carry)[0][-1]
    carried, reset = perplexity(*stream_nll(params, test, 100)), read_with_resets(params, test, 5)
    print(f"{'carried' if carry else 'reset':11}{carried:13.2f}{reset:8.2f}")
print(f"{'best':11}{floor:13.2f}{best_reset:8.2f}")

# %% [markdown]
# With its memory carried throughout, the network comes to within a tenth of the floor, in seconds. The
# same network, read with resets, is far from it: it learnt to rely on a memory that is taken away.
# Training with resets makes up for some of that. The rest is lost, as the last line says.
#
# (And the gradient? It was cut every 5 steps in both. Here that hardly matters, for no symbol looks
# back further than two.)

# %% [markdown]
# ## The same in PyTorch · 2 minutes
#
# The trained writer as a `torch.nn.RNN` with the same weights, on one chunk of all streams:

# %% tags=["nbval-ignore-output"]
torch.set_num_threads(1)  # as NumPy's, in the first cell
model, part = to_torch(writer), train_streams[:21]
x, targets, h0 = part[:-1], part[1:], np.zeros((36, 128), np.float32)
x_torch, targets_torch, h0_torch = map(torch.tensor, (x, targets, h0))


def ours():
    return loss_and_gradients(writer, x, targets, np.ones(x.shape, dtype=bool), h0)[0]


def theirs():
    model.zero_grad()
    o = model(x_torch, h0_torch)
    loss = torch.nn.functional.cross_entropy(o.flatten(0, 1), targets_torch.flatten())
    loss.backward()
    return loss.item()


for name, function in {"NumPy": ours, "PyTorch": theirs}.items():
    tries = []
    for _ in range(20):
        start = time.perf_counter()
        loss = function()
        tries.append(1000 * (time.perf_counter() - start))
    print(f"{name:8} loss {loss:.5f}, loss and gradients in {min(tries):.1f} ms")

# %% [markdown]
# Same weights, same loss. (The times you see at first are from the machine that made this notebook.)
# What you wrote is no toy version of what PyTorch does. PyTorch derives the gradients of the next
# architecture for you, and it runs on graphics cards too.

# %% [markdown]
# ## Looking back · 2 minutes
#
# **You can now** train a network to predict a text of any length, say how good it is and compared with
# what, and let it write.
#
# **Recall** before you open the answers:
#
# 1. What is in column b of the streams, and why must it be that?
# 2. A loss of log 10 nats: what is the perplexity, and what does it mean?
# 3. What happens to the chances as the temperature goes to 0, and as it grows?
# 4. The training loss falls and the held-out loss rises. What has the network learnt?
#
# <details><summary>Answers</summary>
#
# 1. The b-th piece of the text, in order from top to bottom, so that a memory carried to the next
#    chunk goes on where it stopped.
# 2. 10: as unsure as choosing among 10 equally likely tokens. It says nothing about other alphabets.
# 3. Everything goes to the largest logit; all get alike.
# 4. The training text by heart.
#
# </details>
#
# **Next:** [lesson 6, gates](06_gates.ipynb). A plain cell can't hold on to something for long: that
# was the vanishing gradient of lesson 3. There you build cells that decide what to keep.
