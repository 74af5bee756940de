# %% [markdown]
# # 4 · Gradient accumulation
#
# In lesson 3 you trained a network on a few names at a time. Here you train on as many as you like,
# in the memory of a few: the gradients of small batches are added up until they are the large
# batch's. You also take apart a loop that is copied often and wrong, and share one update among
# several processes.
#
# **65 minutes**, five exercises.

# %%
import time
import tracemalloc

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display
from ipywidgets import IntSlider
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from tqdm.auto import tqdm

from utils import plots
from utils.accumulation import (  # these stand in until yours pass
    Batch,
    accumulate_gradients,
    activation_bytes,
    train_epoch,
    train_epoch_torch,
    update_after,
)
from utils.bptt import loss_and_gradients, truncated_bptt
from utils.cell import RNNParams, init_params, readout
from utils.checks import answer, check
from utils.data import alphabet, colour_names, encode
from utils.launch import ROOT, run_workers
from utils.loss import sequence_cross_entropy_backward
from utils.optim import adam, adam_start, clip_gradients, global_norm, sgd
from utils.torch_bridge import from_torch, to_tensors, to_torch
from utils.unroll import pad_sequences, unroll

torch.set_num_threads(1)  # small matrices: threads would only wait for each other
train, _ = colour_names()
letters = alphabet(train.names)
D = K = len(letters)  # 30 letters in, 30 that may come next

# %% [markdown]
# ## More cookies than fit in the oven · 6 minutes
#
# You want 48 cookies, and the oven takes a tray of 12. So you bake four trays, one after the other,
# and clean the kitchen up once, at the end.
#
# A network's oven is the memory of your computer. What fills it are the **states** (elsewhere:
# *activations*), the $h_t$ of all steps: BPTT needs every one. Take 64 sequences of 512 letters and
# 64 units:

# %%
T, B, H = 512, 64, 64
params = init_params(D, H, K, np.random.default_rng(0))
states = np.zeros((T + 1, B, H))  # h0 and all h_t
print(f"states:     {states.nbytes / 1e6:6.2f} MB")
print(f"weights:    {sum(p.nbytes for p in params) / 1e6:6.2f} MB, and the gradients as much again")

# %% [markdown]
# So cut the batch into k **micro-batches** of B/k sequences each: these are the trays. Run forward and
# backward on the first, keep its gradient, let its states go. Do the same with the next, and *add* its
# gradient. Cleaning up is the update: the weights stay as they are until the last one is through.

# %%
plots.one_update(4)

# %% [markdown]
# Why may you add? A gradient is a derivative, and the derivative of a sum is the sum of the
# derivatives. Call $S_i$ the summed loss of micro-batch i, and ∇ ("nabla") its gradient by all
# weights. Then $\nabla(S_1 + S_2) = \nabla S_1 + \nabla S_2$. Nothing is approximate about it.
#
# The kitchen misleads in two places. First, what stays of a tray is not cookies: it is one sum, as
# large as the weights and no larger, however many trays you bake. Second, a tray may be half full.
# How much does it count then?
#
# Small enough for pencil and paper: one weight, three steps, whose gradients are 2, 4 and 6. All at
# once, the gradient of the mean loss is their mean, 4. Now the first two are one micro-batch, and the
# third is one of its own.
#
# **Question 4.1** A common way is: take the *mean* of each micro-batch, divide each mean by k, here
# 2, and add. What comes out?

# %%
answer(
    "4.1",
    ### BEGIN SOLUTION
    4.5,
    ### END SOLUTION
)

# %%
parts = [[2.0, 4.0], [6.0]]
by_k, total, count = 0.0, 0.0, 0
for part in parts:
    by_k += np.mean(part) / len(parts)
    total += np.sum(part)
    count += len(part)
print("all at once:               ", np.mean([2.0, 4.0, 6.0]))
print("means, divided by k:       ", by_k)
print("sums, divided by the count:", total / count)

# %% [markdown]
# Divide by what you have counted, and the trays may be as full as they like.
#
# PyTorch adds without being asked: every `backward()` *adds* to `.grad`. That is why training loops
# have a `zero_grad()`. Here the three steps have the losses w·2, w·4 and w·6, whose derivatives by w
# are 2, 4 and 6. They come in the same two parts, and each sum is divided by 3:

# %%
w = torch.tensor(1.0, requires_grad=True)
for part in parts:
    S = (w * torch.tensor(part)).sum()
    (S / 3).backward()  # first (2 + 4) / 3, then 6 / 3
    print("w.grad is now", w.grad.item())

# %% [markdown]
# ## Why divide at all · 9 minutes
#
# You could leave the division out and go along the sum. But how large is it? The task of this lesson
# is to guess the next letter of colour names. `make_batch` pads some names, as you did in lesson 2;
# each begins with the end mark (id 0) as input, and ends with it as target.


# %%
def make_batch(names, H):
    """Batch of x (T,B) ids, targets (T,B), mask (T,B), and first memories h0 (B,H) of zeros."""
    x, mask = pad_sequences([encode("\n" + name, letters) for name in names])
    targets, _ = pad_sequences([encode(name + "\n", letters) for name in names])
    return Batch(x, targets, mask, np.zeros((len(names), H)))


# %% [markdown]
# `loss_and_gradients` from `utils` is your lesson 3 in one call: unroll, read out, loss, BPTT. Its
# first two results are the mean loss over the real steps and the gradients of that; `*_` takes the
# others. `global_norm` is the norm that you clip by: all five tensors together.

# %%
H = 32
params = init_params(D, H, K, np.random.default_rng(0))
for B in [16, 64, 256]:
    batch = make_batch(train.names[:B], H)
    _, grads, *_ = loss_and_gradients(params, *batch)
    n = batch.mask.sum()
    norm = global_norm(grads)
    print(f"{B:3} names, {n:4} steps: norm of the mean's {norm:.1f}, of the sum's {n * norm:6.0f}")

# %% [markdown]
# The mean's gradient hardly knows how large the batch is; the sum's grows with it. A learning rate
# that suits the sum over 16 names is far too large for 256. So the loss is a mean, and with $N_i$ the
# number of real steps in micro-batch i, its gradient is
#
# $$g = \frac{\sum_i \nabla S_i}{\sum_i N_i}$$
#
# > **Exercise 4.1 · `accumulate_gradients`** · 6 minutes · difficulty ●●○
# >
# > *What for:* it is the whole lesson in one function, and 4.3 calls it.
# >
# > Return the loss (a float) and the gradients (`RNNParams`) of a list of micro-batches, as if they
# > were one batch. Each is a `Batch(x, targets, mask, h0)`; they may differ in B, in T, and in
# > their number of real steps. Only one may be unrolled at a time.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/04_gradient_accumulation.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# `loss_and_gradients(params, *batch)` gives *means* over the batch's own real steps: its first two
# results. How do you get back from a mean to a sum? And `batch.mask.sum()` counts real steps.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# With $\ell_i$ and $g_i$ the loss and gradient that you get for micro-batch i, and
# $N = \sum_i N_i$: loss $= \sum_i \frac{N_i}{N} \ell_i$ and $g = \sum_i \frac{N_i}{N} g_i$. You
# can know N before you start: the masks are there.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# N = sum(___ for batch in micro_batches)
# loss, grads = 0.0, [0.0] * 5
# for batch in micro_batches:
#     own_loss, own_grads, *_ = loss_and_gradients(params, *batch)
#     share = ___
#     loss += share * own_loss
#     grads = [g + ___ for g, own in zip(grads, own_grads, strict=True)]
# return loss, RNNParams(*grads)
# ```
#
# </details>


# %%
def accumulate_gradients(params, micro_batches):
    """loss (float) and grads (RNNParams) of all micro-batches, as if they were one batch."""
    ### BEGIN SOLUTION
    N = sum(batch.mask.sum() for batch in micro_batches)
    loss, grads = 0.0, [0.0] * 5
    for batch in micro_batches:
        own_loss, own_grads, *_ = loss_and_gradients(params, *batch)
        share = float(batch.mask.sum() / N)  # plain, so that float32 gradients stay float32
        loss += share * own_loss
        grads = [g + share * own for g, own in zip(grads, own_grads, strict=True)]
    return float(loss), RNNParams(*grads)
    ### END SOLUTION


accumulate_gradients = check(accumulate_gradients)

# %% [markdown]
# Try it on 64 names, whole and in four micro-batches. `error` says how far a gradient is off, as a
# part of the right one's norm.


# %%
def error(grads, right):
    """Norm of the difference, relative to the norm of the right gradient."""
    difference = [g - r for g, r in zip(grads, right, strict=True)]
    return global_norm(difference) / global_norm(right)


names = train.names[:64]
_, whole = accumulate_gradients(params, [make_batch(names, H)])
_, added = accumulate_gradients(
    params, [make_batch(names[i : i + 16], H) for i in range(0, 64, 16)]
)
print("error below 1e-12:", error(added, whole) < 1e-12)

# %% [markdown]
# ## When dividing by k will do, and when not · 4 minutes
#
# The common way, every mean divided by k, was off by an eighth in the example. How bad is it on a
# real gradient? Four ways to cut 8 sequences of up to 12 steps:
#
# - four pairs, all sequences of 12 steps;
# - 3, 3 and 2 sequences: 8 is not a multiple of 3;
# - 7 and 1: a last batch that is nearly empty;
# - four pairs again, but *ragged*: sequences of 12 and 2, 12 and 3, 1 and 2, 12 and 1 steps.
#
# **Question 4.2** How far off is dividing by k in the last case, typically?
#
# - **a** less than 1 %
# - **b** about 5 %
# - **c** more than 40 %

# %%
answer(
    "4.2",
    ### BEGIN SOLUTION
    "c",
    ### END SOLUTION
)


# %%
def draw(lengths, rng, T=12, D=6, H=16, K=6):
    """A fresh network, and a batch of random ids and targets, for sequences of these lengths."""
    x, targets = rng.integers(D, size=(T, 8)), rng.integers(K, size=(T, 8))
    mask = np.arange(T)[:, None] < np.array(lengths)
    return init_params(D, H, K, rng), Batch(x, targets, mask, np.zeros((8, H)))


def cut(batch, rows):
    """The batch in micro-batches of so many sequences each."""
    ends = np.cumsum(rows)[:-1]
    fields = [np.split(array, ends, axis=-1) for array in batch[:3]]
    return [Batch(*parts) for parts in zip(*fields, np.split(batch.h0, ends), strict=True)]


def mean_of_means(params, micro_batches):
    """The common way: every micro-batch's own mean, divided by k, added up."""
    each = [loss_and_gradients(params, *batch)[1] for batch in micro_batches]
    return [sum(tensors) / len(each) for tensors in zip(*each, strict=True)]


# %% [markdown]
# The numbers depend on the data, so draw each case 20 times:

# %%
cases = {
    "2 + 2 + 2 + 2": ([12] * 8, [2, 2, 2, 2]),
    "3 + 3 + 2": ([12] * 8, [3, 3, 2]),
    "7 + 1": ([12] * 8, [7, 1]),
    "2 + 2 + 2 + 2, ragged": ([12, 2, 12, 3, 1, 2, 12, 1], [2, 2, 2, 2]),
}
ways = {"divided by k": mean_of_means, "yours": lambda *args: accumulate_gradients(*args)[1]}
rng = np.random.default_rng(0)
errors = {way: {case: [] for case in cases} for way in ways}
for case, (lengths, rows) in cases.items():
    for _ in range(20):
        params, batch = draw(lengths, rng)
        _, right, *_ = loss_and_gradients(params, *batch)
        for way, gradient in ways.items():
            errors[way][case].append(error(gradient(params, cut(batch, rows)), right))

# %%
for case in cases:
    print(f"{case:23} divided by k, median error {np.median(errors['divided by k'][case]):4.0%}")
worst = np.max(list(errors["yours"].values()))
print("yours, the worst of all 80 below 1e-12:", worst < 1e-12)
plots.ladder(errors)

# %% [markdown]
# The scale is logarithmic: from 1e-16 to 1e-12 is a factor of ten thousand. In the wide middle there
# is nothing. If all micro-batches hold equally many real steps, dividing by k is right but for rounding.
# If not, it is not "slightly off": at 7 + 1 the error is as large as the gradient itself. And sequences
# of different lengths are the normal case.

# %% [markdown]
# ## A loop to take apart · 9 minutes
#
# This loop, or one much like it, stands in many tutorials and much published code:
#
# ```python
# for counter, (x, target) in enumerate(micro_batches):
#     loss = criterion(model(x), target) / k
#     loss.backward()
#     if counter % k == 0:
#         optimizer.step()
#         optimizer.zero_grad()
# ```
#
# It runs, and the loss goes down. `criterion` gives a mean, so you know the second line already: a
# mean divided by k. Now the fourth.
#
# **Question 4.3** There are N = 8 micro-batches and k = 4. You run this loop for one epoch. How many
# of the 8 have a part in any update?

# %%
answer(
    "4.3",
    ### BEGIN SOLUTION
    5,
    ### END SOLUTION
)

# %% [markdown]
# Leave the network out and only keep the book. The micro-batches between two updates are a **window**.
# We number them through all epochs.


# %%
def copied_loop(N, k, epochs, counted_from=0):
    """The windows of that loop: for each update, the micro-batches whose gradients are in it."""
    windows, window = [], []
    for epoch in range(epochs):
        for counter in range(N):
            window.append(epoch * N + counter)  # backward
            if (counter + counted_from) % k == 0:
                windows.append(window)  # step
                window = []  # zero_grad
    return windows


print("N = 8, k = 4:", copied_loop(8, 4, epochs=1))

# %% [markdown]
# An update after the very first one, for 0 % 4 is 0; and what comes after number 4 is never used.
#
# A careful colleague compares: how many updates does the loop make, and how many should it?
#
# **Question 4.4** N = 10, k = 4, two epochs. The right windows are 4, 4 and 2 micro-batches in each
# epoch: six updates. The copied loop makes
#
# - **a** fewer
# - **b** six as well
# - **c** more

# %%
answer(
    "4.4",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %%
copied = copied_loop(10, 4, epochs=2)
print(len(copied), "updates, of", [len(window) for window in copied], "micro-batches")
from_one = copied_loop(10, 4, epochs=2, counted_from=1)
print(len(from_one), "updates when counted from 1, of", [len(window) for window in from_one])
plots.update_windows({"counter": copied, "counter + 1": from_one}, 10, 2)

# %% [markdown]
# Line by line:
#
# - **`/ k`** is right only for k micro-batches with equally many real steps. The first window holds
#   one micro-batch and is divided by 4 all the same.
# - **`backward()`** is right: it adds.
# - **`counter % k == 0`** fires at counter 0. So every window of the epoch is shifted by one.
# - **`step` and `zero_grad` only inside the `if`**: what is left at the end of the epoch is neither
#   used nor cleared. Its gradients stay in `.grad` and leak into the first window of the next epoch
#   (pink, across the dashed line). With a `zero_grad()` before each epoch they are lost instead. After
#   the last epoch they are lost in any case (hatched).
# - **The number of updates** is right, and it is the first thing that anybody checks.
#
# `(counter + 1) % k == 0` mends the beginning, not the end: here its third window mixes two epochs.
# You do better.
#
# > **Exercise 4.2 · `update_after`** · 3 minutes · difficulty ●○○
# >
# > *What for:* it places the updates in 4.3 and 4.4.
# >
# > Given `n_micro` micro-batches in an epoch and windows of k, return the list of indices (from 0)
# > after which an update comes. What is left at the end makes a last, shorter window. For 10 and 4
# > that is [3, 7, 9]; for no micro-batch it is [].
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/04_gradient_accumulation.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# Counted from 0, which index has the k-th micro-batch? And which index is always in the list, unless
# there is no micro-batch at all?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# i is in the list if i + 1 is divisible by k, or if i is the last, n_micro − 1.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# return [i for i in range(n_micro) if ___ or ___]
# ```
#
# </details>


# %%
def update_after(n_micro, k):
    """The indices of the micro-batches after which to update."""
    ### BEGIN SOLUTION
    return [i for i in range(n_micro) if (i + 1) % k == 0 or i == n_micro - 1]
    ### END SOLUTION


update_after = check(update_after)


# %%
def mended_loop(N, k, epochs):
    """The same book for a loop that updates where `update_after` says."""
    ends = [epoch * N + i for epoch in range(epochs) for i in update_after(N, k)]
    starts = [0, *(end + 1 for end in ends)]
    return [[*range(start, end + 1)] for start, end in zip(starts, ends, strict=False)]


plots.update_windows({"copied": copied, "mended": mended_loop(10, 4, 2)}, 10, 2)

# %% [markdown]
# Drag the sliders. When does the copied loop lose nothing? When do the two agree?


# %% tags=["nbval-ignore-output"]
@plots.interact(N=IntSlider(10, 1, 20), k=IntSlider(4, 1, 10), epochs=IntSlider(2, 1, 3))
def try_windows(N, k, epochs):
    loops = {"copied": copied_loop(N, k, epochs), "mended": mended_loop(N, k, epochs)}
    plots.update_windows(loops, N, epochs)


# %% [markdown]
# The copied loop loses nothing when the last micro-batch happens to fire, that is, when N − 1 is a
# multiple of k. The two agree for k = 1 and for N = 1, where there is nothing to accumulate.

# %% [markdown]
# ## Once per update · 11 minutes
#
# A window is many passes but *one* update. So what belongs where?
#
# | for every micro-batch | once per update |
# |---|---|
# | forward, backward, add the gradient | divide, clip, step, set the sum to zero |
# | add up the loss and the real steps | lower the learning rate, if you do |
# | let the states go | log the loss, a mean over *all* its real steps |
#
# Take clipping. Say two micro-batches have the gradients [6, 0] and [0, 2], and max_norm is 1.
#
# **Question 4.5** You clip each of the two by itself and then average, in place of averaging and then
# clipping once. Compared with the right result, yours
#
# - **a** is the same
# - **b** has the same direction and is shorter
# - **c** points somewhere else

# %%
answer(
    "4.5",
    ### BEGIN SOLUTION
    "c",
    ### END SOLUTION
)

# %%
plots.clipped_parts([[6, 0], [0, 2]], max_norm=1)

# %% [markdown]
# (The dotted circle has the radius max_norm.) Clipping once makes the step shorter and keeps its
# direction: you found that in lesson 3. Clip each part, and 6 and 2 both become 1: the direction
# turns. With real gradients, those of the ragged pairs above:


# %%
def clip_each(params, micro_batches, max_norm):
    """The wrong way: every micro-batch's gradient is clipped by itself, then they are added."""
    N, total = sum(batch.mask.sum() for batch in micro_batches), [0.0] * 5
    for batch in micro_batches:
        _, grads = accumulate_gradients(params, [batch])
        clipped, _ = clip_gradients(grads, max_norm)
        share = batch.mask.sum() / N
        total = [t + share * g for t, g in zip(total, clipped, strict=True)]
    return total


def angle(one, other):
    """The angle in degrees between two gradients."""
    dot = sum((a * b).sum() for a, b in zip(one, other, strict=True))
    return np.degrees(np.arccos(np.minimum(1.0, dot / (global_norm(one) * global_norm(other)))))


# %%
lengths, rows = cases["2 + 2 + 2 + 2, ragged"]
for max_norm in [100, 0.25]:
    turned = []
    for _ in range(20):
        params, batch = draw(lengths, rng)
        _, right = accumulate_gradients(params, [batch])
        turned.append(angle(clip_each(params, cut(batch, rows), max_norm), right))
    print(f"max_norm {max_norm:4}: turned by {np.median(turned):2.0f} degrees (median of 20)")

# %% [markdown]
# With 100 nothing is clipped and nothing turns. With 0.25 nearly all parts are clipped.
#
# A **learning-rate schedule**, which lowers lr as training goes on, counts updates too. Say it halves
# the rate every 10 calls, and an epoch has 40 micro-batches in windows of 4:

# %%
for calls, where in [(40 // 4, "once per update"), (40, "for every micro-batch")]:
    print(f"called {where:21}: the rate falls to {0.5 ** (calls // 10):.4f} of what it was")

# %% [markdown]
# ### What accumulation cannot imitate
#
# All this rests on one thing: the loss of a sequence doesn't depend on who else is in the batch.
# *Batch normalisation* breaks that. It takes from each unit the mean over the batch, and divides by
# the spread over the batch. One unit, four sequences:


# %%
def batch_norm(a):
    """a (B,) with mean 0 and standard deviation 1 over the batch."""
    return (a - a.mean()) / a.std()


a = np.array([1.0, 2.0, 3.0, 10.0])
print("as one batch:        ", batch_norm(a).round(2))
print("as two micro-batches:", np.concatenate([batch_norm(a[:2]), batch_norm(a[2:])]).round(2))

# %% [markdown]
# The numbers differ already on the way forward: among all four the 3 becomes −0.28, beside the 10
# alone it becomes −1. No way of adding the gradients later will mend that. (Recurrent
# networks normalise over the units of one sequence, if at all: *layer norm*. That accumulates well.)
#
# Now the whole epoch.
#
# > **Exercise 4.3 · `train_epoch`** · 5 minutes · difficulty ●●○
# >
# > *What for:* this is the training loop, and the one to carry over into your own code.
# >
# > Go through the micro-batches in windows of k. For each window: the gradient as in 4.1, clipped once
# > to `max_norm` (if that is `None`, not at all), then one step of SGD, w ← w − lr·g. The leftovers
# > make a window too. Return the new params; those of the caller stay as they are.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/04_gradient_accumulation.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# You have all the parts: `update_after` says where a window ends, `accumulate_gradients` gives its
# gradient, `clip_gradients(grads, max_norm)` gives the clipped one and the norm.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# If the last window ended after index e₁ and this one ends after e₂, it is
# `micro_batches[e₁ + 1 : e₂ + 1]`.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# start = 0
# for end in update_after(len(micro_batches), k):
#     _, grads = accumulate_gradients(params, micro_batches[start : ___])
#     if max_norm is not None:
#         grads, _ = ___
#     params = RNNParams(*(p - ___ for p, g in zip(params, grads, strict=True)))
#     start = ___
# return params
# ```
#
# </details>


# %%
def train_epoch(params, micro_batches, k, lr, max_norm):
    """params after one epoch of SGD, one update for every k micro-batches."""
    ### BEGIN SOLUTION
    start = 0
    for end in update_after(len(micro_batches), k):
        _, grads = accumulate_gradients(params, micro_batches[start : end + 1])
        if max_norm is not None:
            grads, _ = clip_gradients(grads, max_norm)
        params = RNNParams(*(p - lr * g for p, g in zip(params, grads, strict=True)))
        start = end + 1
    return params
    ### END SOLUTION


train_epoch = check(train_epoch)

# %% [markdown]
# All training names, in micro-batches of 16 with k = 4, and in whole batches of 64. After one epoch:

# %%
H = 32
params = init_params(D, H, K, np.random.default_rng(0))
micro_batches = [make_batch(train.names[i : i + 16], H) for i in range(0, len(train.names), 16)]
batches = [make_batch(train.names[i : i + 64], H) for i in range(0, len(train.names), 64)]
small = train_epoch(params, micro_batches, k=4, lr=1.0, max_norm=1.0)
large = train_epoch(params, batches, k=1, lr=1.0, max_norm=1.0)
print(len(micro_batches), "micro-batches,", len(batches), "batches")
print("weights differ by less than 1e-10:", error(small, large) < 1e-10)

# %% [markdown]
# The same weights, updates of 64 names, and never more than 16 in memory. And does it learn?

# %% tags=["nbval-ignore-output"]
for _ in tqdm(range(10)):
    small = train_epoch(small, micro_batches, k=4, lr=1.0, max_norm=1.0)
print(f"loss before: {accumulate_gradients(params, micro_batches)[0]:.2f}")
print(f"loss after:  {accumulate_gradients(small, micro_batches)[0]:.2f}")

# %% [markdown]
# ## A forgotten division · 4 minutes
#
# You forget to divide: every gradient comes out k = 8 times too large. You'd notice, wouldn't you?
#
# **Question 4.6** You train for 200 updates with Adam, once with the right gradients and once with
# gradients 8 times too large. The weights in the end
#
# - **a** hardly differ
# - **b** differ as much as with plain SGD
# - **c** have moved 8 times as far

# %%
answer(
    "4.6",
    ### BEGIN SOLUTION
    "a",
    ### END SOLUTION
)


# %%
def after(updates, kind, factor):
    """The weights after so many updates with gradients `factor` times as large as they should be."""
    moved, state = params, adam_start(params)
    for _ in range(updates):
        _, grads, *_ = loss_and_gradients(moved, *micro_batches[0])
        grads = RNNParams(*(factor * g for g in grads))
        if kind == "Adam":
            moved, state = adam(moved, grads, state, lr=0.001)
        else:
            max_norm = 0.01 if kind == "SGD, always clipped" else 1e9
            moved = sgd(moved, clip_gradients(grads, max_norm)[0], lr=0.1)
    return moved


# %% tags=["nbval-ignore-output"]
for kind in tqdm(["SGD", "Adam", "SGD, always clipped"]):
    right, wrong = after(200, kind, factor=1), after(200, kind, factor=8)
    losses = [loss_and_gradients(p, *micro_batches[0])[0] for p in (params, right, wrong)]
    print(f"{kind:19} weights differ by {error(wrong, right):.1e}", end="  ")
    print("loss {:.2f}, then {:.2f} and {:.2f}".format(*losses))

# %% [markdown]
# (1.0e+00 would be 100 %. The losses: at first, after 200 right updates, after 200 wrong ones.)
#
# With SGD you have other weights. With Adam the difference is far too small to see: it divides each
# gradient by its own usual size, and a factor in all of them cancels. (What is left comes from the
# small ε that keeps it from dividing by zero.) Clipping does the same, as long as it is active at
# every update. Such a mistake lives for years, until somebody changes the optimiser.
#
# Nor does the loss tell: with SGD the wrong run looks *better*, for its steps are longer. So how do you
# find it? **Compare gradients, not curves**: one window, before the optimiser has touched anything,
# against the full batch. No training is needed.


# %%
def sum_of_means(params, micro_batches):
    """The means of the micro-batches added up; the division is forgotten."""
    return [len(micro_batches) * g for g in mean_of_means(params, micro_batches)]


whole = make_batch(train.names[:128], H)
_, right, *_ = loss_and_gradients(params, *whole)
for way, gradient in {"forgotten": sum_of_means, **ways}.items():
    print(f"{way:12} error {error(gradient(params, micro_batches[:8]), right):.1%}")

# %% [markdown]
# 700 %: nobody overlooks that. And the common way is 1 % off, for these micro-batches of 16 names happen
# to hold nearly equally many letters. No curve would ever show it.

# %% [markdown]
# ## Over time, or over batches · 3 minutes
#
# The gradient is three sums in one: over the steps of a sequence, which is BPTT; over the sequences
# of a micro-batch, which the matrix products do; and over micro-batches. Truncated BPTT (lesson 3)
# also works piece by piece and also saves memory. Is it the same thing? Cut the same 8 sequences of 12
# steps, once between sequences and once across time. (Of these, 4 sequences and 6 steps are drawn.)

# %%
params, batch = draw([12] * 8, np.random.default_rng(0))
_, right, *_ = loss_and_gradients(params, *batch)
_, between_sequences = accumulate_gradients(params, cut(batch, [4, 4]))

h = unroll(batch.x, batch.h0, params.U, params.V, params.b)
do = sequence_cross_entropy_backward(readout(h, params.W, params.c), batch.targets, batch.mask)
across_time = truncated_bptt(do, batch.x, batch.h0, h, params, chunk=6)

plots.three_sums([f"{error(g, right):.0%}" for g in (right, between_sequences, across_time)])

# %% [markdown]
# No error passes from one sequence to another, so a cut between them cuts nothing. Along a sequence
# errors do pass, and a cut across time loses those that would have crossed it. Accumulation is exact,
# truncation is a bargain. (Lesson 5 uses both.)

# %% [markdown]
# ## The same in PyTorch · 9 minutes
#
# PyTorch's `backward()` does the adding, so what is left to you is the order of the calls, and by what
# you divide. `cross_entropy(..., reduction="sum")` gives $S_i$, not a mean.
#
# > **Exercise 4.4 · `train_epoch_torch`** · 7 minutes · difficulty ●●●
# >
# > *What for:* this is the form in which you'll meet accumulation everywhere else.
# >
# > Train `model` in place for one epoch, with the windows, the division and the clipping
# > (`clip_grad_norm_`) of 4.3, and `optimizer.step()` for the update. Each micro-batch is a `Batch`
# > of tensors, and `model(x, h0)` gives logits (T,B,K). Gradients may be left from before: clear
# > them first, and leave none behind. Return nothing.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/04_gradient_accumulation.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# `model(x, h0)[mask]` picks the logits of the real steps, a matrix with K columns; `targets[mask]`
# picks their targets. Which number has to be known *before* the first `backward()` of a window?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# For each window: N = all its real steps; `(S_i / N).backward()` for each micro-batch; then clip,
# `step()`, `zero_grad()`, once.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# optimizer.zero_grad()
# start = 0
# for end in update_after(len(micro_batches), k):
#     window = micro_batches[start : end + 1]
#     N = sum(int(batch.mask.sum()) for batch in window)
#     for x, targets, mask, h0 in window:
#         S = cross_entropy(___, ___, reduction="sum")
#         (___).backward()
#     if max_norm is not None:
#         clip_grad_norm_(___, max_norm)
#     ___
#     ___
#     start = end + 1
# ```
#
# </details>


# %%
def train_epoch_torch(model, micro_batches, optimizer, k, max_norm):
    """Train the model in place for one epoch, one update for every k micro-batches."""
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    start = 0
    for end in update_after(len(micro_batches), k):
        window = micro_batches[start : end + 1]
        N = sum(int(batch.mask.sum()) for batch in window)
        for x, targets, mask, h0 in window:
            S = cross_entropy(model(x, h0)[mask], targets[mask], reduction="sum")
            (S / N).backward()
        if max_norm is not None:
            clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()
        start = end + 1
    ### END SOLUTION


train_epoch_torch = check(train_epoch_torch)

# %% [markdown]
# Does it do what your NumPy does? The same weights, the same epoch, on a graphics card if you have
# one:

# %%
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
params = init_params(D, H, K, np.random.default_rng(0))
model = to_torch(params).to(device)
tensors = [Batch(*(a.to(device) for a in to_tensors(batch))) for batch in micro_batches]
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
train_epoch_torch(model, tensors, optimizer, k=4, max_norm=1.0)

numpy_way = train_epoch(params, micro_batches, k=4, lr=1.0, max_norm=1.0)
print("weights differ by less than 1e-4:", error(from_torch(model.cpu()), numpy_way) < 1e-4)

# %% [markdown]
# (Why not 1e-12? `clip_grad_norm_` adds 1e-6 to the norm that it divides by.)
#
# In lesson 1 the network had read `light blu` and had no idea what comes next. Train one for a
# few epochs with Adam, in your loop, and ask again.

# %% tags=["nbval-ignore-output"]
model = to_torch(init_params(D, 64, K, np.random.default_rng(0))).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
wide = [b._replace(h0=b.h0.new_zeros(b.h0.shape[0], 64)) for b in tensors]  # now of 64 units
for _ in tqdm(range(12)):
    train_epoch_torch(model, wide, optimizer, k=2, max_norm=1.0)

# %% tags=["nbval-ignore-output"]
asked = make_batch(["light blu"], 64)
with torch.no_grad():
    o = model.cpu()(torch.from_numpy(asked.x), torch.from_numpy(asked.h0))[-1, 0]
figure, ax = plt.subplots(figsize=(8, 2.4))
ax.bar(range(K), torch.softmax(o, dim=-1), color=plots.COLOURS["o"])
ax.axhline(1 / K, color=plots.INK, linestyle="--", label="1/30")
ax.set_xticks(range(K), ["end", "␣", *letters[2:]], fontsize=9)
ax.set(xlabel="next letter", ylabel="probability")
ax.legend(loc="upper right")
plots.show(figure, "Probability of each next letter after “light blu”: most of it on e.")

# %% [markdown]
# Now it has. Lesson 5 makes it write.
#
# On a graphics card you would often add *mixed precision*: most of the work in 16 bits. Small
# gradients don't survive there, unless they are multiplied by a large factor:

# %%
print("1e-8 in 16 bits:        ", np.float16(1e-8))
print("65536 * 1e-8 in 16 bits:", np.float16(65536 * 1e-8))

# %% [markdown]
# PyTorch's `GradScaler`, here `scaler`, multiplies the loss by such a factor and divides the gradients
# by it before the step. In a window, its calls go where you would now expect them:
#
# ```python
# for x, targets, mask, h0 in window:              # for every micro-batch
#     with torch.autocast("cuda", dtype=torch.float16):
#         S = cross_entropy(model(x, h0)[mask], targets[mask], reduction="sum")
#     scaler.scale(S / N).backward()
# scaler.unscale_(optimizer)                       # once per update: before clipping
# clip_grad_norm_(model.parameters(), max_norm)
# scaler.step(optimizer)
# scaler.update()                                  # the factor changes between windows only
# optimizer.zero_grad()
# ```

# %% [markdown]
# ## What it saves, and what it costs · 5 minutes
#
# Back to the oven. How much memory does a window need, as k grows? Predict it first.
#
# > **Exercise 4.5 · `activation_bytes`** · 2 minutes · difficulty ●○○
# >
# > *What for:* to know what will fit before you try.
# >
# > A batch of B sequences is cut into k micro-batches of B/k *rows* (one for each sequence), rounded
# > up. Return how many bytes the stored states of *one* take, as an int: T of them and h0, each with
# > H numbers of `itemsize` bytes for every row.
# >
# > *Stuck?* Open the hints, or read the solution in `solutions/04_gradient_accumulation.ipynb` and
# > move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The array `states` in the first section. What was its shape, and which part of it depends on k?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# (T + 1) · rows · H · itemsize, with rows = B/k rounded up.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# rows = -(-B // k)  # // rounds down; with the two minus signs it rounds up
# return ___
# ```
#
# </details>


# %%
def activation_bytes(T, B, H, k, itemsize=8):
    """Bytes of the states, h0 included, that one of k micro-batches stores."""
    ### BEGIN SOLUTION
    rows = -(-B // k)
    return (T + 1) * rows * H * itemsize
    ### END SOLUTION


activation_bytes = check(activation_bytes)

# %% [markdown]
# Now measure. NumPy tells Python's `tracemalloc` about every array, so we can ask for the most that
# was in use at any moment. While we are at it, take the time as well.
#
# **Question 4.7** You cut the batch into k = 8 micro-batches and go through all of them. How long does
# that take, compared with the batch in one piece?
#
# - **a** an eighth
# - **b** about as long, or somewhat longer
# - **c** eight times as long

# %%
answer(
    "4.7",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)


# %%
def measure(function, *args):
    """The most bytes in use at once during a call, and the seconds it takes: the better of two."""
    tracemalloc.start()
    function(*args)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tries = []
    for _ in range(2):
        start = time.perf_counter()
        function(*args)
        tries.append(time.perf_counter() - start)
    return most, min(tries)


# %% tags=["nbval-ignore-output"]
T, B, H = 512, 64, 64
rng = np.random.default_rng(0)
params = init_params(D, H, K, rng)
ids, real = rng.integers(D, size=(T + 1, B)), np.ones((T, B), dtype=bool)
batch = Batch(ids[:-1], ids[1:], real, np.zeros((B, H)))
ks, measured, seconds = [1, 2, 4, 8, 16], [], []
for k in tqdm(ks):
    most, took = measure(accumulate_gradients, params, cut(batch, [B // k] * k))
    measured.append(most / 1e6)
    seconds.append(took)

# %% tags=["nbval-ignore-output"]
predicted = [activation_bytes(T, B, H, k) / 1e6 for k in ks]
weights = sum(p.nbytes for p in params) / 1e6
figure, ax = plt.subplots(figsize=(7, 3.2))
ax.loglog(ks, measured, "o", color=plots.COLOURS["h"], label="measured, everything")
ax.loglog(ks, predicted, "--", color=plots.COLOURS["h"], label="activation_bytes: the states")
ax.axhline(weights, color=plots.COLOURS["o"], linestyle=":", label="the weights")
ax.set_xticks(ks, ks)
ax.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
ax.set(xlabel="micro-batches k", ylabel="MB")
ax.legend(loc="lower left", bbox_to_anchor=(0, 0.12))
plots.show(figure, "Peak memory against k, log scales: it falls as the states do, towards a floor.")

# %% [markdown]
# Saved are the states: twice the micro-batches, half the states. What lies above the prediction are
# logits and errors: our `loss_and_gradients` makes them for a few thousand letters at a time. **Not**
# saved are the weights, the sum of the gradients, and what the optimiser remembers (Adam: two more
# numbers for every weight). They don't depend on the batch at all:

# %%
state = adam_start(params)
remembered = sum(array.nbytes for array in [*state.mean, *state.square])
print(f"weights {sum(p.nbytes for p in params)} bytes, Adam's memory {remembered} bytes, at any k")

# %% [markdown]
# For a billion weights, their gradients and Adam's memory that makes 4 numbers of 8 bytes a weight,
# 32 GB, and accumulation is no help. And the time:

# %% tags=["nbval-ignore-output"]
trays = cut(batch, [8] * 8)
for n in [1, 2, 4, 8]:
    _, took = measure(accumulate_gradients, params, trays[:n])
    print(f"{n} micro-batches of 8: {1000 * took:5.0f} ms")
for k, took in zip(ks, seconds, strict=True):
    print(f"all 64, in {k:2} parts:  {1000 * took:5.0f} ms")

# %% [markdown]
# Each pass takes its time, and all k have to be made: nothing is won. Cut very fine, it even gets
# slower: half the sequences then take more than half the time, for each step still waits for the one
# before.
# So take the largest micro-batch that fits, and the smallest k.

# %% [markdown]
# ## Two ovens · 4 minutes
#
# Four trays in one oven, one after the other: or two ovens with two trays each. The sum of the
# gradients doesn't care who adds. That is *data parallelism*: several processes, each with a copy of
# the weights and a share of the micro-batches. Before the update each has to know the gradients of
# all. An **all-reduce** does that: every process gives an array, and every one gets the sum.
#
# This is what each of our workers runs:

# %%
display(
    Markdown(f"```python\n{(ROOT / 'utils/data_parallel.py').read_text(encoding='utf-8')}\n```")
)

# %% [markdown]
# Three lines to look at:
#
# - `dist.all_reduce(N)`: the real steps of *all* workers. Each dividing by its own count would be
#   the mean of means again.
# - `workers * S / N`: DDP (`DistributedDataParallel`) *averages* over the workers. We need the
#   sum, so we multiply by their number.
# - `model.no_sync()`: DDP exchanges gradients at every `backward()`. Here only the last one of a window
#   needs it; the others just add to `.grad`, as on a single machine.
#
# **Question 4.8** Two workers, three windows of 8 micro-batches, so 4 for each worker. How many times
# must the gradients be exchanged?

# %%
answer(
    "4.8",
    ### BEGIN SOLUTION
    3,
    ### END SOLUTION
)

# %% [markdown]
# `run_workers` starts two processes on this computer, as `torchrun --nproc-per-node 2` would, waits
# for them, and sees to it that none stays behind. (They need some seconds: each loads PyTorch first.)

# %%
H = 32
params = init_params(D, H, K, np.random.default_rng(0))
windows = [
    [make_batch(train.names[i : i + 8], H) for i in range(s, s + 64, 8)] for s in (0, 64, 128)
]
whole = [make_batch(train.names[s : s + 64], H) for s in (0, 64, 128)]
alone = train_epoch(params, whole, k=1, lr=1.0, max_norm=None)

calls = [(params, windows, 1.0, wait) for wait in (True, False)]
for rank, results in enumerate(run_workers("utils.data_parallel", calls, workers=2, seconds=90)):
    for (found, exchanges), how in zip(results, ["with", "without"], strict=True):
        close = error(found, alone) < 1e-6
        print(f"worker {rank}, {how:7} no_sync: {exchanges:2} exchanges; as one process: {close}")

# %% [markdown]
# Two processes with eight names at a time, one with 64: the same weights. Without `no_sync` they are
# the same too, but the workers talk four times as often, and between machines talking is what takes
# time.
#
# What if each worker divides by its own count? Let one have the short names of a window and the
# other the long ones:

# %%
by_length = sorted(train.names[:64], key=len)
halves = [make_batch(part, H) for part in (by_length[:32], by_length[32:])]
_, right = accumulate_gradients(params, halves)
print(f"error if each divides by its own count: {error(mean_of_means(params, halves), right):.0%}")

# %% [markdown]
# **On a cluster** the script stays, with one process for each graphics card, `"nccl"` in place of
# `"gloo"`, and the model moved to card number `LOCAL_RANK`. Each process loads its own share of the
# data. On every machine you start
#
# `torchrun --nnodes 4 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint FIRST_MACHINE:29500 train.py`
#
# and under SLURM `srun --ntasks-per-node 1 torchrun …` does that on all machines of the job.

# %% [markdown]
# ## Looking back · 1 minute
#
# **You can now** train with batches larger than your memory, say when accumulated gradients are exact
# and when not, find the classic mistakes in a training loop, and spread an update over processes.
#
# **Recall** before you open the answers:
#
# 1. By what do you divide, and when does dividing by k give the same?
# 2. Name three things that go wrong with `if counter % k == 0`.
# 3. You doubled the gradients by mistake and train with Adam. How would you find out?
# 4. What does accumulation save, and what does it not?
#
# <details><summary>Answers</summary>
#
# 1. By the number of real steps in the whole window. By k only if all micro-batches have equally many.
# 2. It updates after the first micro-batch; what is left at the end is lost or leaks into the next
#    epoch; and the number of updates comes out right, so that nobody looks.
# 3. By comparing the gradient of one window with the full batch's. The curve won't tell.
# 4. It saves the stored states. Weights, gradients, the optimiser's memory and the time stay.
#
# </details>
#
# **Next:** [lesson 5, a language model](05_language_model.ipynb). There everything comes together:
# text read as one long stream, truncated BPTT, clipping, accumulation, and a network that invents names
# for colours.
