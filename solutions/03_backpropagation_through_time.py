# %% [markdown]
# # 3 · Backpropagation through time
#
# So far the weights were random, or somebody else had trained them. Now you find out, for every
# weight, which way to turn it, and train the reader yourself. At the end you write a test that no
# wrong gradient gets past.
#
# **100 minutes**, eight exercises, in two sittings: there is a marked break in the middle.

# %%
import tracemalloc

import matplotlib.pyplot as plt
import numpy as np
import torch
from ipywidgets import FloatSlider
from tqdm.auto import tqdm

from utils import plots
from utils.bptt import (  # these stand in until yours pass
    bptt,
    cell_backward,
    checkpointed_gradients,
    gradient_flow,
    loss_and_gradients,
    step_jacobian,
    truncated_bptt,
)
from utils.cell import RNNParams, init_params, readout
from utils.checks import answer, check
from utils.data import (
    alphabet,
    colour_names,
    encode,
    lagged_bits,
    lagged_bits_floors,
    markov2,
    markov2_perplexities,
)
from utils.gradcheck import complex_step_gradient, numerical_gradient, relative_error
from utils.language_model import perplexity, stream_nll
from utils.loss import sequence_cross_entropy, sequence_cross_entropy_backward, softmax
from utils.optim import adam, adam_start, clip_gradients
from utils.reader import colour_error, paint
from utils.torch_bridge import to_torch
from utils.unroll import pad_sequences, unroll

train, held_out = colour_names()
letters = alphabet(train.names)

# %% [markdown]
# ## The wrong note · 3 minutes
#
# A choir sings a song, note after note, and at the end it is out of tune. The conductor goes back
# through the song, from the last note to the first, and asks at each: how much of what went wrong
# later began here?
#
# That is **backpropagation through time**, BPTT for short. Forward, in grey, the network reads and
# its losses are measured. Back, dashed, goes the *error*: how much each number is to blame.

# %%
plots.backward_sweep("aba")

# %% [markdown]
# **Question 3.1** A song of 100 notes, and one training step on it: BPTT to the beginning, then the
# update. How many times does the weight V change?
#
# - **a** 100 times, once at each step on the way back
# - **b** once, at the end
# - **c** never: only the memories are corrected

# %%
answer(
    "3.1",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %% [markdown]
# So the picture of the song misleads, in three ways:
#
# - **Nothing is sung again.** The memories h were stored on the way forward, and are only looked up.
# - **No past note is changed.** h₂ stays what it was. Only numbers *about* it are computed.
# - **There is one correction, not one per note.** All steps share one V. What each step has to say
#   about it is added up to one gradient, and that makes one update.

# %% [markdown]
# ## One number, by hand · 7 minutes
#
# Take the smallest memory there is: one number, no input, no tanh. Every step multiplies it by the
# same weight w:
#
# $$h_t = w\,h_{t-1}, \qquad h_0 = 0.9, \quad w = 0.2$$
#
# How does $h_3$ change when w changes? w is at work *three times* on the way there. At each step it
# acts in two ways:
#
# - **directly**: it is a factor in $w\,h_{t-1}$. If $h_{t-1}$ stood still, the slope would be
#   $h_{t-1}$.
# - **through the past**: $h_{t-1}$ depends on w as well, and comes in multiplied by w.
#
# | t | memory $h_t$ | direct: $h_{t-1}$ | through the past: w × (total before) | total |
# |---|---|---|---|---|
# | 1 | 0.18 | 0.9 | 0 | 0.9 |
# | 2 | 0.036 | 0.18 | 0.2 × 0.9 = 0.18 | 0.36 |
# | 3 | 0.0072 | 0.036 | ? | ? |
#
# **Question 3.2** What is the total derivative of $h_3$ by w?

# %%
answer(
    "3.2",
    ### BEGIN SOLUTION
    0.108,
    ### END SOLUTION
)

# %% [markdown]
# The same as a loop, from the first step to the last:

# %%
w, h, total = 0.2, 0.9, 0.0
for t in range(1, 4):
    direct, past = h, w * total
    h, total = w * h, direct + past
    print(f"t={t}: direct {direct:.3f} + past {past:.3f} = {total:.3f}")

# %% [markdown]
# Is it true? Turn w up and down a little, and see how much $h_3 = 0.9\,w^3$ really changes:

# %%
eps = 0.001
print(f"{(0.9 * (w + eps) ** 3 - 0.9 * (w - eps) ** 3) / (2 * eps):.3f}")

# %% [markdown]
# Now the same number **backwards**. Start at the end, where the slope of $h_3$ by itself is 1. Each
# step back multiplies by w, and each step adds *error × direct*:

# %%
h = [0.9, 0.18, 0.036, 0.0072]
error, total = 1.0, 0.0
for t in (3, 2, 1):
    total += error * h[t - 1]
    print(f"t={t}: error {error:.2f} x direct {h[t - 1]:.3f}, sum so far {total:.3f}")
    error = error * w

# %% [markdown]
# 0.108 again. Why go backwards, then? Forwards you carry one derivative *for each weight*: V has H²
# entries, each of which moves all H memory units. Backwards you carry a single error of H numbers,
# and at each step it serves all weights. That is the whole trick.
#
# From here on you climb: **loss → one cell → all steps → is it right? → PyTorch.**

# %% [markdown]
# ## Where the error starts · 7 minutes
#
# We write **d**something for *the slope of the loss by something*: do for ∂L/∂o, dV for ∂L/∂V.
# It always has the shape of the thing itself.
#
# The first is `do`. Logits 2, 1, 0 give the probabilities below, and the target is number 1.

# %%
o, target = np.array([2.0, 1.0, 0.0]), 1
p = softmax(o)
print("p  ", p.round(3))
print("nll", (-np.log(p[target])).round(3))

# %% [markdown]
# **Question 3.3** You raise logit 0, a *wrong* answer, by a tiny ε. By how many ε does the nll rise?
# Guess from the p above. (The nll is $\log\sum_j e^{o_j} - o_\text{target}$.)

# %%
answer(
    "3.3",
    ### BEGIN SOLUTION
    0.665,
    ### END SOLUTION
)

# %%
eps = 1e-4
for k in range(3):
    up = o + eps * np.eye(3)[k]
    rise = (-np.log(softmax(up)[target]) + np.log(p[target])) / eps
    print(f"logit {k}: nll rises by {rise:+.3f} eps")

# %% [markdown]
# A wrong answer is blamed for the probability it took, $p_k$. The target is blamed for the
# probability it lacks, $p_k - 1$. Together: p − one-hot, which sums to 0.
#
# The loss is the *mean* over the N real steps, so each step's share is divided by N, and padding gets
# 0.
#
# > **Exercise 3.1 · `sequence_cross_entropy_backward`** · 4 minutes · difficulty ●●○
# >
# > *What for:* every error in lessons 3 to 6 starts here.
# >
# > Return do (T,B,K), the gradient of `sequence_cross_entropy(o, targets, mask)` by its logits.
# >
# > *Stuck?* Open the hints, or read the solution in
# > `solutions/03_backpropagation_through_time.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# You need p, one-hot targets and the mask together: what shapes do they have, and which of them lacks an
# axis?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $do_{t,b} = \text{mask}_{t,b}\,(p_{t,b} - \text{onehot}_{t,b})\,/\,N$ with N the number of real
# steps. `np.eye(K)[targets]` is one-hot, (T,B,K).
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# one_hot = np.eye(o.shape[-1])[targets]
# do = ... - one_hot  # softmax is imported
# return np.where(mask[..., None], do, 0) / ...
# ```
#
# </details>


# %%
def sequence_cross_entropy_backward(o, targets, mask):
    """do (T,B,K): the gradient of the mean nll over real steps by the logits."""
    ### BEGIN SOLUTION
    one_hot = np.eye(o.shape[-1])[targets]
    return np.where(mask[..., None], softmax(o) - one_hot, 0) / mask.sum()
    ### END SOLUTION


sequence_cross_entropy_backward = check(sequence_cross_entropy_backward)

# %% [markdown]
# ## One step back · 12 minutes
#
# Now one cell. An error dh_t arrives at h_t and has to be led back to everything that made h_t.

# %%
plots.cell_backward_diagram()

# %% [markdown]
# First through **tanh**. Its slope at a is $1 - \tanh^2 a$, and tanh a is h, which you have stored:
# $da_t = dh_t \cdot (1 - h_t^2)$, entry by entry. Where a unit is near ±1 it is flat, and hardly any
# error comes through.
#
# Then through the **products**. In numbers: the second step of lesson 2, one unit, x = −1,
# $h_{t-1} = 0.76$, U = 1, V = 0.5, $h_t = -0.55$. Let the error $dh_t = 1$ arrive.

# %%
x_t, h_prev, h_t, U, V, dh_t = -1.0, 0.76, -0.55, 1.0, 0.5, 1.0
da_t = dh_t * (1 - h_t**2)
print(f"da {da_t:.4f}")
print(f"dx {da_t * U:.4f}   dh_prev {da_t * V:.4f}      (times the weight)")
print(f"dU {x_t * da_t:.4f}  dV      {h_prev * da_t:.4f}      (times what the weight multiplied)")
print(f"db {da_t:.4f}")

# %% [markdown]
# With real sizes each of these becomes a matrix product. You need not remember on which side the
# transpose goes: **the gradient has the shape of the thing**, and only one arrangement gives it.
#
# | wanted | shape | from | so |
# |---|---|---|---|
# | $dh_{t-1}$ | (B,H) | da_t (B,H), V (H,H) | da_t Vᵀ |
# | dx_t | (B,D) | da_t (B,H), U (D,H) | da_t Uᵀ |
# | dU | (D,H) | x_t (B,D), da_t (B,H) | x_tᵀ da_t |
# | dV | (H,H) | $h_{t-1}$ (B,H), da_t (B,H) | ? |
# | db | (H,) | da_t (B,H) | sum over B |
#
# (V is square, so for V shapes can't tell V from Vᵀ. In the forward step unit i of $h_{t-1}$ acts on
# unit j through V[i, j]; on the way back, unit j's error goes to unit i through the same V[i, j].
# Rows and columns change roles: Vᵀ.)
#
# > **Exercise 3.2 · `cell_backward`** · 7 minutes · difficulty ●●●
# >
# > *What for:* BPTT is this function, used T times.
# >
# > Given dh_t (B,H) and what the forward step used and made, return five gradients: dx_t (B,D),
# > dh_prev (B,H), dU (D,H), dV (H,H), db (H,).
# >
# > *Stuck?* Open the hints, or read the solution in
# > `solutions/03_backpropagation_through_time.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The first line makes da_t, the other five things all come from it. Compare with the numbers above,
# then with the table.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $da = dh_t\,(1 - h_t^2)$, $dx = da\,U^\top$, $dh_{prev} = da\,V^\top$, $dU = x_t^\top da$,
# $dV = h_{prev}^\top da$, db is da summed over the sequences.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# da = dh_t * ...
# dx_t, dh_prev = da @ ___, da @ ___
# dU, dV, db = x_t.T @ ___, ___ @ da, da.sum(axis=___)
# return dx_t, dh_prev, dU, dV, db
# ```
#
# </details>


# %%
def cell_backward(dh_t, x_t, h_prev, h_t, U, V):
    """Back through one step: dx_t (B,D), dh_prev (B,H), dU (D,H), dV (H,H), db (H,)."""
    ### BEGIN SOLUTION
    da = dh_t * (1 - h_t**2)
    dx_t, dh_prev = da @ U.T, da @ V.T
    dU, dV, db = x_t.T @ da, h_prev.T @ da, da.sum(axis=0)
    return dx_t, dh_prev, dU, dV, db
    ### END SOLUTION


cell_backward = check(cell_backward)

# %% [markdown]
# PyTorch keeps a record of the forward step and walks it back by itself. Same numbers as the five
# above?

# %%
x, U, V, h_before, b = (
    torch.tensor([[v]], dtype=torch.float64, requires_grad=True) for v in (-1.0, 1.0, 0.5, 0.76, 0)
)
torch.tanh(x @ U + h_before @ V + b).sum().backward()  # the slope of a sum is 1: dh_t = 1
for name, tensor in {"dx": x, "dh_prev": h_before, "dU": U, "dV": V, "db": b}.items():
    print(f"{name:8}{tensor.grad.item():.4f}")

# %% [markdown]
# To the second digit yes. The rest is that we rounded h_t to −0.55 by hand.

# %% [markdown]
# ## Through time · 15 minutes
#
# Now several steps, and a loss at each. The loss of all is L₁ + L₂ + L₃ (for a mean the shares are
# in do already).
#
# **Question 3.4** `aba` is read, and every step has a loss. On which losses does h₂ have an effect?
#
# - **a** on L₂ only
# - **b** on L₂ and L₃
# - **c** on all three

# %%
answer(
    "3.4",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %% [markdown]
# So h₂ is blamed **twice**: by its own loss, through o₂, and by everything later, through h₃:
#
# $$dh_t = \underbrace{do_t\,W^\top}_{\text{its own loss}} + \underbrace{da_{t+1}\,V^\top}_{\text{carried back}}$$
#
# The last step has nothing after it: there the second part is 0. So start at the end.
#
# By hand, with lesson 2's little network (U = 1, V = 0.5, W = 2; the memories 0.76, −0.55, 0.62).
# Say each do is 1, so each step's own loss blames its memory with 1 · 2.
#
# | t | own: do·W | carried | dh | da = dh·(1 − h²) | hands back: da·V |
# |---|---|---|---|---|---|
# | 3 | 2 | 0 | 2 | 2·(1 − 0.62²) = 1.23 | 0.62 |
# | 2 | 2 | 0.62 | 2.62 | 2.62·(1 − 0.55²) = 1.82 | 0.91 |
# | 1 | 2 | 0.91 | 2.91 | 2.91·(1 − 0.76²) = 1.23 | 0.62 |
#
# What step 1 hands back goes to h₀: that is dh0. As a loop, with dV added up on the way:

# %%
h, U, V, W = [0.0, 0.76, -0.55, 0.62], 1.0, 0.5, 2.0
carried, dV, dhs, back = 0.0, 0.0, [], []
for t in (3, 2, 1):
    dh = 1.0 * W + carried
    da = dh * (1 - h[t] ** 2)
    dV += h[t - 1] * da
    carried = da * V
    dhs.insert(0, f"{dh:.2f}")
    back.insert(0, f"{carried:.2f}")
print("dh", dhs, " handed back", back, f" dV {dV:.2f}")

# %%
plots.backward_sweep("aba", ["2", "2", "2"], dhs, back)

# %% [markdown]
# The weights are shared, so each step's part is **added**: dU, dV, db from `cell_backward`, and
# dW = Σ h_tᵀ do_t, dc = Σ do_t from the readout.
#
# > **Exercise 3.3 · `bptt`** · 8 minutes · difficulty ●●●
# >
# > *What for:* this is it. Whoever can write this on a blank page has understood the lesson.
# >
# > Given do (T,B,K), the inputs x (T,B,D), the first memory h0 (B,H), the memories h (T,B,H) that
# > `unroll` gave, and `params` (U, V, b, W, c), return three things: the gradients as
# > `RNNParams(dU, dV, db, dW, dc)`, dx (T,B,D), and dh0 (B,H).
# >
# > *Stuck?* Open the hints, or read the solution in
# > `solutions/03_backpropagation_through_time.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# The loop above, with `cell_backward` in place of the two lines with da. What is $h_{t-1}$ at the
# first step? Which variable is still there when the loop is over, and what is it then?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# For t = T−1 … 0 (array counting): dh_t = do[t] Wᵀ + carried;
# dx[t], carried, and parts of dU, dV, db come from `cell_backward`; dW gets h[t]ᵀ do[t], dc gets
# do[t] summed over the sequences. At the end carried is dh0.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# U, V, W = params.U, params.V, params.W
# dU, dV, db, dW, dc = (np.zeros_like(w) for w in params)
# dx, carried = np.zeros(x.shape), np.zeros_like(h0)
# for t in reversed(range(len(x))):
#     h_prev = h[t - 1] if t > 0 else ___
#     dh_t = ___ + carried
#     dx[t], carried, dU_t, dV_t, db_t = cell_backward(dh_t, x[t], h_prev, h[t], U, V)
#     dU += dU_t
#     ___  # dV, db, dW, dc
# return RNNParams(dU, dV, db, dW, dc), dx, ___
# ```
#
# </details>


# %%
def bptt(do, x, h0, h, params):
    """Back through all steps: grads (RNNParams), dx (T,B,D), dh0 (B,H)."""
    ### BEGIN SOLUTION
    U, V, W = params.U, params.V, params.W
    dU, dV, db, dW, dc = (np.zeros_like(w) for w in params)
    dx, carried = np.zeros(x.shape), np.zeros_like(h0)
    for t in reversed(range(len(x))):
        h_prev = h[t - 1] if t > 0 else h0
        dh_t = do[t] @ W.T + carried
        dx[t], carried, dU_t, dV_t, db_t = cell_backward(dh_t, x[t], h_prev, h[t], U, V)
        dU += dU_t
        dV += dV_t
        db += db_t
        dW += h[t].T @ do[t]
        dc += do[t].sum(axis=0)
    return RNNParams(dU, dV, db, dW, dc), dx, carried
    ### END SOLUTION


bptt = check(bptt)

# %% [markdown]
# ## Is it right? · 8 minutes
#
# A gradient is a claim: *turn this weight by ε, and the loss changes by gradient × ε.* Claims can be
# tested. Here for the scalar from the beginning, $f(w) = 0.9\,w^3$, whose slope at 0.2 is 0.108:


# %%
def f(w):
    return 0.9 * w**3


for eps in (0.1, 0.01, 0.001):
    one_sided = (f(0.2 + eps) - f(0.2)) / eps
    central = (f(0.2 + eps) - f(0.2 - eps)) / (2 * eps)
    print(f"eps {eps:<6} one side {one_sided:.6f}   both sides {central:.6f}")

# %% [markdown]
# Both come nearer to 0.108. The **central difference**, a step to each side, does so much faster:
# ten times smaller ε, a hundred times smaller error.
#
# > **Exercise 3.4 · `numerical_gradient`** · 4 minutes · difficulty ●●○
# >
# > *What for:* a judge of gradients that knows nothing of backpropagation. In 3.8 you'll need one.
# >
# > `loss` is a function of an array w of any shape. Return an array like w with the central
# > difference for each entry. Leave w as it was.
# >
# > *Stuck?* Open the hints, or read the solution in
# > `solutions/03_backpropagation_through_time.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# One entry at a time: change it, call loss, change it the other way, call loss, put it back.
# `np.ndindex(w.shape)` goes through the indices of an array of any shape.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $g_i = \dfrac{\text{loss}(w + \varepsilon e_i) - \text{loss}(w - \varepsilon e_i)}{2\varepsilon}$
# where $e_i$ is 1 at entry i and 0 elsewhere.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# gradient = np.zeros_like(w)
# for i in np.ndindex(w.shape):
#     step = np.zeros_like(w)
#     step[i] = ___
#     gradient[i] = (___ - ___) / ___
# return gradient
# ```
#
# </details>


# %%
def numerical_gradient(loss, w, eps=1e-5):
    """An array like w: the central differences of loss(w)."""
    ### BEGIN SOLUTION
    gradient = np.zeros_like(w)
    for i in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[i] = eps
        gradient[i] = (loss(w + step) - loss(w - step)) / (2 * eps)
    return gradient
    ### END SOLUTION


numerical_gradient = check(numerical_gradient)

# %% [markdown]
# Now judge your own BPTT: a small batch, a mask with padding, h0 not zero, and dV.

# %%
rng = np.random.default_rng(1)
params = init_params(D=5, H=4, K=6, rng=rng)
x, h0 = rng.normal(size=(7, 3, 5)), rng.normal(size=(3, 4))
targets, mask = rng.integers(6, size=(7, 3)), np.arange(7)[:, None] < [7, 4, 2]


def loss_of_V(V):
    h = unroll(x, h0, params.U, V, params.b)
    return sequence_cross_entropy(readout(h, params.W, params.c), targets, mask)


h = unroll(x, h0, *params[:3])
do = sequence_cross_entropy_backward(readout(h, params.W, params.c), targets, mask)
grads, dx, dh0 = bptt(do, x, h0, h, params)
grads = RNNParams(*grads)
print("dV, first row, yours:", grads.V[0].round(6))
print("            measured:", numerical_gradient(loss_of_V, params.V)[0].round(6))

# %% [markdown]
# How small should ε be? The smaller, the better the straight line fits. But the two losses then
# agree in nearly all their digits (float64 keeps 16, float32 only 7), and the difference is made of what
# is left.
#
# There is a way round it, for the curious: an **imaginary** step. Put w + iε into $0.9\,w^3$:
# the result is $0.9\,w^3 + i\varepsilon \cdot 2.7\,w^2$ and terms with ε² and ε³, too small to matter. The
# imaginary part over ε is the slope, and nothing was subtracted. So ε may be as small as $10^{-20}$.

# %%
true, sizes = grads.V, 10.0 ** np.arange(-13, 0)
narrow = [a.astype(np.float32) for a in (x, h0, params.U, params.b, params.W, params.c)]


def loss_in_float32(V):
    h = unroll(*narrow[:3], V.astype(np.float32), narrow[3])
    return sequence_cross_entropy(readout(h, *narrow[4:]), targets, mask)


kinds = {
    "central, float64": [numerical_gradient(loss_of_V, params.V, e) for e in sizes],
    "central, float32": [numerical_gradient(loss_in_float32, params.V, e) for e in sizes],
    "complex step": [complex_step_gradient(loss_of_V, params.V, e) for e in sizes],
}
errors = {kind: [relative_error(g, true) for g in found] for kind, found in kinds.items()}

# %%
figure, ax = plt.subplots(figsize=(7, 3.4))
for (kind, found), style in zip(errors.items(), ["o-", "s--", "^:"], strict=True):
    ax.loglog(sizes, np.maximum(found, 1e-17), style, label=kind)
ax.set(xlabel="size of the step ε", ylabel="relative error of dV", ylim=(1e-17, 10))
ax.legend()
plots.show(
    figure,
    "Relative error against ε. Central differences in float64 are best near 1e-5 and get worse on "
    "both sides; in float32 the best is far worse and at a larger ε. The complex step gets better "
    "down to the last digit and stays there.",
)
print("best central difference below 1e-9:", np.min(errors["central, float64"]) < 1e-9)
print("best in float32 above 1e-6:", np.min(errors["central, float32"]) > 1e-6)
print("complex step at 1e-20 below 1e-14:", end=" ")
print(relative_error(complex_step_gradient(loss_of_V, params.V, 1e-20), true) < 1e-14)

# %% [markdown]
# Check gradients in float64, with ε near $10^{-5}$. There the central differences agree with you to
# nine digits or more, and the imaginary step to the last.
#
# The last rung: PyTorch, row by row. Its autograd has walked the same way back.

# %%
network = to_torch(params)
start = torch.tensor(h0, requires_grad=True)
inputs = torch.tensor(x, requires_grad=True)
o = network(inputs, start)
real = torch.tensor(mask)
torch.nn.functional.cross_entropy(o[real], torch.tensor(targets)[real]).backward()

layer, linear = network.recurrent, network.readout
theirs = {
    "dU": layer.weight_ih_l0.grad.T,
    "dV": layer.weight_hh_l0.grad.T,
    "db": layer.bias_ih_l0.grad,
    "dW": linear.weight.grad.T,
    "dc": linear.bias.grad,
    "dx": inputs.grad,
    "dh0": start.grad,
}
for (name, theirs_), yours in zip(theirs.items(), [*grads, dx, dh0], strict=True):
    same = np.abs(theirs_.numpy() - yours).max() < 1e-12
    print(f"{name:4}{yours.shape!s:12}difference below 1e-12: {same}")

# %% [markdown]
# ---
# # A break
#
# That was the first sitting, 52 minutes. You can write BPTT, and you can prove it. Save, get up, look
# out of the window. When you come back and the kernel is a new one, click on this cell and choose
# *Run → Run All Above Selected Cell*: what follows needs your functions.
#
# ---

# %% [markdown]
# ## Train the reader yourself · 8 minutes
#
# In lesson 2 somebody had trained the reader. Now you have all it takes: read a batch, see how far
# the painted colours are off, lead the error back with **your** `bptt`, and move each weight a little
# against its gradient. Once through all names is an *epoch*.
#
# The colours are made by a sigmoid and not a softmax, but do is as simple: *painted − true*, at each
# real step, over N. (It belongs to the cross-entropy between painted and true.) `adam` is a way of
# taking the steps that suits most networks; lesson 4 looks into it.


# %%
texts = [encode(name, letters) for name in train.names]


def reader_gradients(params, rows):
    """What the names in `rows` say: forward, the error at the logits, and back."""
    ids, mask = pad_sequences([texts[row] for row in rows])
    painted, h = paint(params, ids)
    do = np.where(mask[..., None], painted - train.rgb[rows], 0) / mask.sum()
    x, h0 = np.eye(len(letters))[ids], np.zeros(h.shape[1:])
    grads, _, _ = bptt(do, x, h0, h, params)
    return grads


def train_reader(params, epochs, rng):
    """Trained params, and the mean colour error of the training names after each epoch."""
    state, curve = adam_start(params), [colour_error(params, train, letters)]
    for epoch in tqdm(range(epochs)):
        for rows in np.array_split(rng.permutation(len(texts)), 50):
            grads = reader_gradients(params, rows)
            params, state = adam(params, grads, state, lr=0.01 * (1 - epoch / epochs))
        curve.append(colour_error(params, train, letters))
    return params, curve


# %% tags=["nbval-ignore-output"]
untrained = init_params(len(letters), 48, 3, np.random.default_rng(0))
reader, curve = train_reader(untrained, epochs=25, rng=np.random.default_rng(1))
print(f"names it was trained on:   {colour_error(reader, train, letters):.3f}")
print(f"names it has never read:   {colour_error(reader, held_out, letters):.3f}")

# %% tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(6.5, 2.8))
ax.plot(curve, "-", color=plots.COLOURS["h"], label="trained with your gradients")
always_average = np.abs(train.rgb - train.rgb.mean(axis=0)).mean()
ax.axhline(always_average, color="grey", ls=":", label="always the average colour")
ax.set(xlabel="epochs", ylabel="mean colour error", ylim=(0, None), xticks=range(0, 26, 5))
ax.legend()
plots.show(figure, "Mean colour error of the training names, falling over 25 epochs.")

# %% [markdown]
# (The error is the mean distance of red, green and blue after the last letter, from 0 to 1, as in
# lesson 2.) The same names before and after, the true colour at the right:


# %%
def show(params, names):
    painted = [paint(params, encode(name, letters)[:, None])[0][:, 0] for name in names]
    plots.strips(names, painted, [train.rgb[train.names.index(name)] for name in names])


show(untrained, ["light blue", "dark green"])

# %%
show(reader, ["light blue", "dark green"])

# %% [markdown]
# Grey before, colours after, and every gradient on the way was yours.
#
# **Question 3.5** Somebody forgets the line that carries the error back: each memory is blamed only
# by the loss of its own step. What does training look like?
#
# - **a** the loss does not fall
# - **b** the loss falls, hardly worse than with the right gradient
# - **c** the weights run away until there are only NaN

# %%
answer(
    "3.5",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %% [markdown]
# Try it on a task where the best possible is known: a made-up language of 6 symbols, in which the last
# two decide on the chances of the next. We measure the *perplexity*, the exponential of the loss: among
# how many equally likely symbols the network is left choosing. `bptt` on each step by itself gives the gradient without the
# carried part:


# %%
def without_time(do, x, h0, h, params):
    before = np.concatenate([h0[None], h[:-1]])
    steps = [bptt(do[[t]], x[[t]], before[t], h[[t]], params)[0] for t in range(len(x))]
    return RNNParams(*(np.sum(parts, axis=0) for parts in zip(*steps, strict=True)))


symbols = markov2(60_000, np.random.default_rng(0)).reshape(20, 3000).T  # 20 streams (T,B)
known, unseen = symbols[:2501], symbols[2500:]


def train_language(back, updates=800, T=25):
    """The perplexity on the unseen symbols after every 50 updates."""
    params, h0 = init_params(6, 32, 6, np.random.default_rng(1)), np.zeros((20, 32))
    state, curve = adam_start(params), []
    for update in tqdm(range(updates)):
        start = update * T % 2500
        x, targets = np.eye(6)[known[start : start + T]], known[start + 1 : start + T + 1]
        h = unroll(x, h0, *params[:3])
        logits = readout(h, params.W, params.c)
        do = sequence_cross_entropy_backward(logits, targets, np.ones_like(targets, dtype=bool))
        grads, h0 = back(do, x, h0, h, params), h[-1]
        params, state = adam(params, grads, state, lr=0.02 * (1 - update / updates))
        if update % 50 == 49:
            curve.append(perplexity(*stream_nll(params, unseen, chunk=100)))
    return curve


# %% tags=["nbval-ignore-output"]
right = train_language(lambda *all_: bptt(*all_)[0])
wrong = train_language(without_time)
best = markov2_perplexities()
print(f"right {right[-1]:.2f}, without time {wrong[-1]:.2f}, best possible {best[2]:.2f}")

# %% tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(6.5, 3))
updates = range(50, 801, 50)
ax.plot(updates, right, "-", color=plots.COLOURS["h"], label="gradient right")
ax.plot(updates, wrong, "--", color=plots.COLOURS["error"], label="gradient through time left out")
for floor, who in zip(best, ["knows none", "knows one", "knows two"], strict=True):
    ax.axhline(floor, color="grey", ls=":")
    ax.text(850, floor, who, va="center")
ax.set(xlabel="updates", ylabel="perplexity, unseen symbols")
ax.legend()
plots.show(
    figure,
    "Perplexity on unseen symbols over 800 updates, with the right gradient and with the gradient "
    "through time left out: both fall far below what knowing one symbol gives, and end close.",
)

# %% [markdown]
# The dotted lines are the best that anyone can do who knows none, one, or two of the symbols before.
#
# It trains, and ends nearly as well. The memory is there all the same: it just isn't *taught* to hold
# what will matter later, and a few symbols leave their traces in h by themselves. **A falling loss
# proves nothing about a gradient.** The gradient check does, at once:

# %%
for name, back in {"right": bptt, "without time": lambda *all_: [without_time(*all_)]}.items():
    dV = RNNParams(*back(do, x, h0, h, params)[0]).V
    error = relative_error(dV, numerical_gradient(loss_of_V, params.V))
    print(f"{name:14}dV off by less than a millionth: {error < 1e-6}")

# %% [markdown]
# ### Which letters are to blame?
#
# Take one real name, and only the loss after its **last** letter. How much of it reaches the memory
# after each letter?
#
# One step back multiplies the error by a matrix, the **Jacobian** $\partial h_t/\partial h_{t-1}$: V, with each column
# scaled by that unit's slope 1 − h². How much can a matrix lengthen an error? That depends on the
# error's direction. The most it can do in any direction is called its **largest singular value**; we
# call it the *size* of the matrix. `np.linalg.norm(J, 2)` computes it.


# %%
def blame(params, name):
    """Size of each Jacobian, and of the last letter's error at each memory."""
    ids = encode(name, letters)[:, None]
    painted, h = paint(params, ids)
    error = (painted[-1] - train.rgb[train.names.index(name)]) @ params.W.T
    jacobians, sizes = [step_jacobian(h_t[0], params.V) for h_t in h], []
    for jacobian in jacobians[::-1]:
        sizes.insert(0, np.linalg.norm(error))
        error = error @ jacobian.T
    return [np.linalg.norm(jacobian, 2) for jacobian in jacobians], sizes


plots.sizes_on_arrows("light blue", *blame(untrained, "light blue"))

# %% [markdown]
# That was the **untrained** network. The darker a circle, the more it is blamed. 1.07 above each arrow is
# for the luckiest direction only; this error shrinks by a third and more at each step. At the first
# letter less than a hundredth of it is left: whatever `light` does there, nobody tells it.
#
# Now the one that you trained:

# %% tags=["nbval-ignore-output"]
plots.sizes_on_arrows("light blue", *blame(reader, "light blue"))

# %% [markdown]
# Its blame reaches back to the first letter: training has turned the factors up. Each arrow *could* now
# make an error two to three times as long, and still this one stays about as long as it was.
#
# And the letters themselves? dx tells it. Here all losses count, not only the last:

# %% tags=["nbval-ignore-output"]
name = "light blue"
ids, zero = encode(name, letters)[:, None], np.zeros((1, 48))
painted, states = paint(reader, ids)
do_all = (painted - train.rgb[train.names.index(name)]) / len(name)
_, dx_all, _ = bptt(do_all, np.eye(len(letters))[ids], zero, states, reader)
figure, ax = plt.subplots(figsize=(7, 2.6))
ax.bar(range(len(name)), np.linalg.norm(dx_all[:, 0], axis=1), color=plots.COLOURS["x"])
ax.set_xticks(range(len(name)), name.replace(" ", "␣"), fontsize=13)
ax.set(xlabel="letters of the name", ylabel="size of dx")
plots.show(figure, "A bar for each letter of light blue: how much the losses blame that letter.")

# %% [markdown]
# The first letters are blamed most: they have a say in every guess that follows.

# %% [markdown]
# ## Over the cliff · 6 minutes
#
# Training does not always go so smoothly. Here is a network of one unit, $h_t = \tanh(2 h_{t-1} + b)$,
# read for 50 steps. It starts at 0.8 and should end at 0.75. Only b is trained; BPTT finds its slope.


# %%
def loss_and_slope(b, T=50):
    h = [0.8]
    for _ in range(T):
        h.append(np.tanh(2 * h[-1] + b))
    dh, db = 2 * (h[-1] - 0.75), 0.0
    for h_t in reversed(h[1:]):
        da = dh * (1 - h_t**2)
        db += da
        dh = da * 2
    return (h[-1] - 0.75) ** 2, db


def descend(b, updates, largest=np.inf):
    path = [b]
    for _ in range(updates):
        slope = loss_and_slope(b)[1]
        b -= 0.2 * np.clip(slope, -largest, largest)
        path.append(b)
    return path


# %%
bs = np.linspace(-0.7, 0.25, 1500)
losses = [loss_and_slope(b)[0] for b in bs]
steepest = np.abs([loss_and_slope(b)[1] for b in bs]).max()
print("steepest slope above 1000:", steepest > 1000)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.plot(bs, losses, color=plots.INK)
left.set(xlabel="b", ylabel="loss", title="the cliff", yscale="log", ylim=(1e-5, 10))
right.plot(descend(0.2, 80), "--", color=plots.COLOURS["error"], label="as the slope says")
right.plot(descend(0.2, 80, largest=0.5), color=plots.COLOURS["h"], label="slope clipped to 0.5")
right.set(xlabel="updates", ylabel="b", yscale="symlog", title="two descents")
right.set_yticks([-0.5, 0, 1, 10, 100], ["−0.5", "0", "1", "10", "100"])
right.legend()
plots.show(
    figure,
    "Left: the loss against b, a gentle valley whose left end is a vertical cliff. Right: b during "
    "80 updates; without clipping it is thrown from the cliff to values above 100 and stays there, "
    "with clipping it stays near the valley.",
)

# %% [markdown]
# The way down leads to the foot of a wall. One step onto the wall, and its slope of thousands throws b
# far away, to where tanh is flat and no slope leads back.
#
# The cure is crude: **clip** the gradient. If it is too long, make it shorter, and go on in the same
# direction. "Long" means the norm of *all* tensors together, as if they were one long vector.
#
# Why not simply cut each number to ±0.5? Look at the direction:

# %%
gradient, limit = np.array([3.0, 0.4]), 1.0
by_value = np.clip(gradient, -limit, limit)
by_norm = gradient * np.minimum(1, limit / np.linalg.norm(gradient))
for name, g in {"gradient": gradient, "by value": by_value, "by norm": by_norm}.items():
    print(f"{name:9}{g.round(2)!s:14}angle {np.degrees(np.arctan2(g[1], g[0])):4.1f} degrees")

# %% [markdown]
# By value the direction turns from 8 to 22 degrees; by norm it stays.
#
# > **Exercise 3.5 · `clip_gradients`** · 3 minutes · difficulty ●○○
# >
# > *What for:* every training of a recurrent network has this line.
# >
# > `grads` is an `RNNParams`. Return the clipped grads (an `RNNParams` again), scaled by
# > min(1, max_norm / norm), and the norm *before* clipping.
# >
# > *Stuck?* Open the hints, or read the solution in
# > `solutions/03_backpropagation_through_time.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# One norm and one scale for all five tensors. What should happen to short gradients, and to
# gradients that are all zero?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $\text{norm} = \sqrt{\sum_{\text{tensors}} \sum_i g_i^2}$, and scale $= 1$ if norm ≤ max_norm, else
# max_norm / norm.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# norm = np.sqrt(sum(___ for g in grads))
# scale = 1.0 if norm <= max_norm else ___
# return RNNParams(*(___ for g in grads)), norm
# ```
#
# </details>


# %%
def clip_gradients(grads, max_norm):
    """grads scaled by min(1, max_norm / norm), and their norm before that."""
    ### BEGIN SOLUTION
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    scale = 1.0 if norm <= max_norm else max_norm / norm
    return RNNParams(*(scale * g for g in grads)), norm
    ### END SOLUTION


clip_gradients = check(clip_gradients)

# %%
long_, norm = clip_gradients(RNNParams(*(1000 * g for g in grads)), 1.0)
print(f"norm before {norm:.1f}, after {clip_gradients(long_, 1.0)[1]:.4f}")
theirs = [torch.tensor(1000 * g) for g in grads]
for tensor in theirs:
    tensor.requires_grad_().grad = tensor.detach().clone()
print(f"PyTorch's norm {torch.nn.utils.clip_grad_norm_(theirs, 1.0):.1f}")
agree = all(np.allclose(t.grad.numpy(), g, atol=1e-6) for t, g in zip(theirs, long_, strict=True))
print("same clipped gradients:", agree)

# %% [markdown]
# ## Vanishing and exploding · 9 minutes
#
# Where do slopes of thousands come from? From multiplying. The error goes back through one Jacobian a
# step, so what links h_T to h_t is a product of T − t of them.
#
# First without tanh: the memory is near 0, all slopes are 1, and each Jacobian is V itself. V is random, of
# 32 units, and scaled to a chosen **spectral radius**. (An *eigenvector* of V is a direction that V does not
# turn, and its *eigenvalue* the factor by which V lengthens it. The spectral radius is the largest of
# those factors.) The function that multiplies the Jacobians you'll write yourself in a moment.


# %%
def with_radius(radius, H=32, seed=0):
    V = np.random.default_rng(seed).normal(size=(H, H))
    return V * radius / np.abs(np.linalg.eigvals(V)).max()


still = np.zeros((40, 32))  # memories at 0: there the slope of tanh is 1
figure, ax = plt.subplots(figsize=(7, 3.4))
for radius, style in zip([1.2, 1.0, 0.9, 0.5], ["-", "--", "-.", ":"], strict=True):
    norms = gradient_flow(still, with_radius(radius))
    ax.semilogy(range(39, -1, -1), norms, style, label=f"radius {radius}")
ax.set(xlabel="steps back from the end", ylabel=r"size of $\partial h_T / \partial h_t$")
ax.legend()
plots.show(
    figure,
    "Size of the product of Jacobians against steps back, on a log axis, for four spectral radii: "
    "after the first steps straight lines, rising at 1.2, level at 1, falling at 0.9 and 0.5.",
)

# %% [markdown]
# In the long run each step multiplies by about the radius. 0.9⁴⁰ is 0.015, 1.2⁴⁰ is 1470: errors from
# long ago **vanish** or **explode**. But the first steps look different. Why?
#
# **Question 3.6** V = [[0.9, 5], [0, 0.9]] has the eigenvalue 0.9 twice, and no other. What becomes
# of the size of V, V², V³, …?
#
# - **a** it shrinks from the first step on, by 0.9 each
# - **b** it grows at first, and shrinks in the end
# - **c** it grows for ever

# %%
answer(
    "3.6",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %%
V = np.array([[0.9, 5.0], [0.0, 0.9]])
print("eigenvalues", np.linalg.eigvals(V), " largest singular value", f"{np.linalg.norm(V, 2):.2f}")
for n in (1, 2, 5, 10, 20, 50, 100):
    print(f"size of V^{n:<4}{np.linalg.norm(np.linalg.matrix_power(V, n), 2):9.4f}")

# %% [markdown]
# If every step multiplies by the same V, eigenvalues say what happens in the end, and **singular values**
# what one step can do. Only the largest singular value gives a promise: below 1 every single step shrinks
# every error, tanh or not, and gradients must vanish. Above 1 there is no promise: they may grow or
# shrink.
#
# > **Exercise 3.6 · `gradient_flow`** · 4 minutes · difficulty ●●○
# >
# > *What for:* it measures how far back a network can learn.
# >
# > For one sequence of memories h (T,H), return (T,): the size (largest singular value,
# > `np.linalg.norm(J, 2)`) of the product of Jacobians between step t and the last. The last entry
# > is 1: nothing lies between. (Memories are rows here, so the Jacobian of an earlier step stands
# > further left in the product.)
# >
# > *Stuck?* Open the hints, or read the solution in
# > `solutions/03_backpropagation_through_time.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# Start at the end with the identity matrix, and take in one Jacobian with each step back. The one
# that leads from t+1 back to t belongs to the memory h[t+1]. The order of the factors matters.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $\partial h_T/\partial h_t = J_{t+1} J_{t+2} \cdots J_T$ with $J_t = V\,\mathrm{diag}(1 - h_t^2)$. In NumPy
# J is `V * (1 - h_t**2)`.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# product, norms = np.eye(len(V)), []
# for h_t in h[::-1]:
#     norms.append(np.linalg.norm(product, 2))
#     product = ___ @ ___
# return np.array(norms[::-1])
# ```
#
# </details>


# %%
def gradient_flow(h, V):
    """(T,): the largest singular value of ∂h_T/∂h_t for the memories h (T,H) of one sequence."""
    ### BEGIN SOLUTION
    product, norms = np.eye(len(V)), []
    for h_t in h[::-1]:
        norms.append(np.linalg.norm(product, 2))
        product = (V * (1 - h_t**2)) @ product
    return np.array(norms[::-1])
    ### END SOLUTION


gradient_flow = check(gradient_flow)

# %% [markdown]
# Now with tanh. The same V of radius 1.2, but the memories are those of a network that reads noise:
# weak, or so strong that many units sit near ±1, where tanh is flat.


# %%
def memories(radius, strength, T=40, H=32):
    rng = np.random.default_rng(1)
    x, V = strength * rng.normal(size=(T, 1, H)), with_radius(radius)
    return unroll(x, np.zeros((1, H)), np.eye(H), V, np.zeros(H))[:, 0], V


def show_flow(radius=1.2, strengths=(0.01, 0.3, 2.0)):
    figure, ax = plt.subplots(figsize=(7, 3.4))
    for strength, style in zip(strengths, ["-", "--", ":"], strict=False):
        h, V = memories(radius, strength)
        label = f"input {strength:g}: |h| is {np.abs(h).mean():.2f} on average"
        ax.semilogy(range(39, -1, -1), gradient_flow(h, V), style, label=label)
    ax.set(
        xlabel="steps back from the end",
        ylabel=r"size of $\partial h_T / \partial h_t$",
        ylim=(1e-12, 1e6),
    )
    ax.axhline(1, color="lightgrey", zorder=0)
    ax.legend()
    plots.show(figure, f"Size of the product of Jacobians for radius {radius}, by input strength.")


show_flow()

# %% [markdown]
# **Saturation tames the explosion.** Loud inputs push the units to where tanh is flat, and the same V
# that explodes in silence makes errors vanish. Try radii up to 3: how loud must it be?


# %% tags=["nbval-ignore-output"]
@plots.interact(
    radius=FloatSlider(value=1.2, min=0.2, max=3.0, step=0.1),
    strength=FloatSlider(value=0.3, min=0.0, max=3.0, step=0.1),
)
def try_flow(radius, strength):
    show_flow(radius, [strength])


# %% [markdown]
# ## Cut it off: truncated BPTT · 9 minutes
#
# A book has a million letters. You can't store a million memories, nor wait for the end before the
# first update. So read it in **chunks**: carry the *memory* across the border, as in lesson 2, but let
# no *error* cross it.
#
# > **Exercise 3.7 · `truncated_bptt`** · 4 minutes · difficulty ●●○
# >
# > *What for:* this is how texts are learnt, in lesson 5 too.
# >
# > The same arguments as `bptt`, and `chunk`. Return only the gradients (`RNNParams`), with no error
# > carried from a chunk to the one before. Chunks are counted from t = 0, the last may be shorter.
# > h is given: it was carried across all borders.
# >
# > *Stuck?* Open the hints, or read the solution in
# > `solutions/03_backpropagation_through_time.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# Each chunk is a short sequence for `bptt`. With which memory does it begin? And what is to be done
# with the gradients of the chunks?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# For each start = 0, chunk, 2·chunk, …: `bptt` on the slices start : start + chunk of do, x and h, with
# h[start − 1] for h0 (h0 itself for the first). Then the sum over the chunks.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# total = [np.zeros_like(w) for w in params]
# for start in range(0, len(x), chunk):
#     steps = slice(start, start + chunk)
#     first = ___ if start == 0 else ___
#     grads, _, _ = bptt(do[steps], x[steps], first, h[steps], params)
#     total = [___ for a, b in zip(total, grads)]
# return RNNParams(*total)
# ```
#
# </details>


# %%
def truncated_bptt(do, x, h0, h, params, chunk):
    """The gradients (RNNParams) with no error across the borders between chunks."""
    ### BEGIN SOLUTION
    total = [np.zeros_like(w) for w in params]
    for start in range(0, len(x), chunk):
        steps = slice(start, start + chunk)
        first = h0 if start == 0 else h[start - 1]
        grads, _, _ = bptt(do[steps], x[steps], first, h[steps], params)
        total = [a + b for a, b in zip(total, grads, strict=True)]
    return RNNParams(*total)
    ### END SOLUTION


truncated_bptt = check(truncated_bptt)

# %% [markdown]
# What exactly is missing? dV is a sum over pairs: **which loss** L_s, led back **through which step**
# t ≤ s. Compute every pair by itself, for 8 steps:


# %%
def parts_of_dV(do, x, h0, h, params, chunk):
    """Size of each part (loss s, step t) of dV, and the sum of all parts."""
    T, total = len(x), np.zeros_like(params.V)
    sizes = np.zeros((T, T))
    for s in range(T):
        dh = do[s] @ params.W.T
        for t in range(s, s // chunk * chunk - 1, -1):
            da = dh * (1 - h[t] ** 2)
            part = (h[t - 1] if t > 0 else h0).T @ da
            sizes[s, t], total, dh = np.linalg.norm(part), total + part, da @ params.V.T
    return sizes, total


rng = np.random.default_rng(5)
small = init_params(D=3, H=8, K=4, rng=rng)
x, h0, targets = rng.normal(size=(8, 1, 3)), rng.normal(size=(1, 8)), rng.integers(4, size=(8, 1))
h = unroll(x, h0, *small[:3])
do = sequence_cross_entropy_backward(readout(h, small.W, small.c), targets, targets >= 0)

# %%
maps = [parts_of_dV(do, x, h0, h, small, chunk) for chunk in (8, 4, 1)]
plots.provenance([sizes for sizes, _ in maps], ["full", "chunks of 4", "chunks of 1"])
for chunk, (_, total) in zip((8, 4, 1), maps, strict=True):
    dV = RNNParams(*truncated_bptt(do, x, h0, h, small, chunk)).V
    print(f"chunk {chunk}: the parts sum up to dV:", np.allclose(total, dV, atol=1e-12))

# %% [markdown]
# Truncation empties the fields below the borders: those losses no longer know about those steps. The
# gradient is not noisy but **biased**: wrong in the same way on every batch, so that more data does not
# mend it.
#
# What does that cost? Here is a stream of bits whose best losses are known. The chance of the bit to be
# guessed depends on the input bits 3 and 8 steps before:
# $P(y_t = 1) = 0.5 + 0.5\,x_{t-3} - 0.25\,x_{t-8}$.

# %%
floors = lagged_bits_floors()
for floor, who in zip(floors, ["neither", "lag 3", "lag 3 and lag 8"], strict=True):
    print(f"best loss if you know {who:16}{floor:.4f}")

# %% [markdown]
# **Question 3.7** Train with chunks of 6 steps and carry the memory. No error ever travels back more
# than 5 steps. Can the network learn to use the bit of 8 steps ago?
#
# - **a** no: what no error reaches cannot be learnt
# - **b** yes: what is carried in the memory can be used, if it has come to be there

# %%
answer(
    "3.7",
    ### BEGIN SOLUTION
    "b",
    ### END SOLUTION
)

# %% [markdown]
# Train one network for each length of the chunk, from 1 to 10, with the same number of updates (about a
# quarter of a minute). To save time the cell below takes the workbook's `loss_and_gradients`: it is what
# you wrote, loss and BPTT in one.


# %%
def train_on_bits(chunk, updates=1500, H=16, B=16, seed=0):
    rng = np.random.default_rng(seed)
    x, y = lagged_bits(updates * chunk + 2000, B, rng)
    params, h = init_params(2, H, 2, rng), np.zeros((B, H))
    params = params._replace(V=0.1 * params.V)  # so that hardly any memory is there by luck
    state = adam_start(params)
    for update in range(updates):
        now = slice(update * chunk, (update + 1) * chunk)
        _, grads, _, h = loss_and_gradients(params, x[now], y[now], y[now] >= 0, h)
        grads, _ = clip_gradients(grads, 1.0)
        params, state = adam(params, grads, state, lr=0.02 * (1 - update / updates))
    test = unroll(x[-2000:], h, *params[:3]), x[-2000:], y[-2000:]
    logits = readout(test[0], params.W, params.c)
    return sequence_cross_entropy(logits, test[2], test[2] >= 0), test


# %% tags=["nbval-ignore-output"]
found = {chunk: train_on_bits(chunk) for chunk in tqdm(range(1, 11))}

# %% tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(7, 3.4))
for floor, who in zip(floors, ["knows neither", "knows lag 3", "knows both"], strict=True):
    ax.axhline(floor, color="grey", ls=":")
    ax.text(10.7, floor, who, va="center")
ax.plot(found.keys(), [loss for loss, _ in found.values()], "o-", color=plots.COLOURS["h"])
ax.set(xlabel="steps in a chunk", ylabel="loss on unseen bits", xticks=range(1, 11))
plots.show(
    figure,
    "Loss against the length of the chunk, like a staircase: up to 3 steps near the floor of who "
    "knows neither bit, at 4 near that of lag 3, from 5 or 6 on near that of both lags.",
)

# %% [markdown]
# Up to chunks of 3 the bit of 3 steps ago is out of reach of every error, and mostly stays unused. (The
# wobble is chance: each point is one run.) With 4 it comes within reach, at the last step of each chunk,
# and the loss falls by a whole storey. But then it goes on falling, towards the *last* floor, though the
# lag of 8 is beyond most of these chunks.
#
# Is it fair that longer chunks see more bits? Give the short ones as many:

# %% tags=["nbval-ignore-output"]
for chunk in (1, 2, 3):
    loss, _ = train_on_bits(chunk, updates=6000 // chunk)
    print(f"chunks of {chunk}, as many bits as chunks of 4: loss {loss:.3f}")

# %% [markdown]
# How can that be? Look into the memory: how well can the input bit of some steps ago be computed from h,
# by the best straight-line fit? (1: exactly, 0: not at all.)

# %% tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(7, 3.2))
for chunk, style in zip((2, 4, 6, 10), [":", "--", "-", "-."], strict=True):
    _, (h, x_test, _) = found[chunk]
    h = np.concatenate([h, np.ones_like(h[..., :1])], axis=-1)[20:].reshape(-1, 17)
    held = []
    for lag in range(13):
        bit = x_test[20 - lag : 2000 - lag].ravel().astype(float)
        left = bit - h @ np.linalg.lstsq(h, bit, rcond=None)[0]
        held.append(1 - left.var() / bit.var())
    ax.plot(held, style, marker="o", label=f"chunks of {chunk}")
ax.set(xlabel="steps ago", ylabel="share of the bit in h", xticks=range(13))
ax.legend()
plots.show(
    figure,
    "How much of the bit of so many steps ago a fit can read from the memory, for networks trained "
    "with chunks of 2, 4, 6 and 10: with 2 little after one step, with the others much up to 4 or 5 steps back.",
)

# %% [markdown]
# To hold a bit for 3 steps, the network seems to hand it on from unit to unit, and such a chain does not
# stop at the border of a chunk: older bits are carried in with the memory, and the readout learns to use
# them *where they already are*. (A straight-line fit finds only part of what is there: a bit may be
# stored mixed up with others.)
#
# So "truncated at K cannot learn beyond K" is wrong. What truncation takes away is the *pressure* to hold
# on to something for longer than a chunk.

# %% [markdown]
# ## The price of memory · 3 minutes
#
# BPTT needs every h_t. There is a middle way between storing all and cutting off: keep only every √T-th
# memory, a **checkpoint**. On the way back, run each stretch of √T steps again from its checkpoint.
# Twice the forward work, but only about 2√T memories at a time, and *the same* gradient.
#
# Take T = 1024, and B = 16 sequences of H = 64 units. All memories are 1024 · 16 · 64 numbers of 8 bytes:
# 8.4 MB. Two times 32 of them, instead of 1024, would be 0.5 MB.

# %%
rng = np.random.default_rng(0)
long = init_params(D=8, H=64, K=8, rng=rng)
ids = rng.integers(8, size=(1025, 16))
batch = ids[:-1], ids[1:], np.ones((1024, 16), dtype=bool), np.zeros((16, 64))
every, some = loss_and_gradients(long, *batch), checkpointed_gradients(long, *batch)
for name, a, b in zip(RNNParams._fields, every[1], some[1], strict=True):
    print(f"d{name}: relative difference below 1e-12: {relative_error(b, a) < 1e-12}")

# %% tags=["nbval-ignore-output"]
for function in (loss_and_gradients, checkpointed_gradients):
    tracemalloc.start()
    function(long, *batch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{function.__name__:24}{peak / 1e6:5.1f} MB at most")

# %% [markdown]
# Measured is everything that is alive at once: the errors and logits of the steps that are being worked on
# come on top. (This section was for the curious. What you need of it: memory can be bought with time, and
# the gradient stays exactly the same.)

# %% [markdown]
# ## The bug hunt · 11 minutes
#
# The last exercise turns the tables. We give you functions that claim to be `bptt`. Some are right, in
# their own ways. The others are wrong, each in a way of its own: one forgets dh0, one sums where it should
# not, one is wrong only when h0 is not 0, …
#
# > **Exercise 3.8 · `catches_bugs`** · 10 minutes · difficulty ●●●
# >
# > *What for:* you will do this whenever you write a gradient, or are given one.
# >
# > Write a test: `catches_bugs(bptt)` returns True if `bptt(do, x, h0, h, params)` is **wrong**: if any
# > gradient, dx or dh0 is. It is run on more than 40 wrong functions and four right ones: catch
# > all, accuse none. A few more give the right values but do harm beside; to catch them is a bonus.
# >
# > *Stuck?* Open the hints, or read the solution in
# > `solutions/03_backpropagation_through_time.ipynb` and move on.
#
# <details><summary>Hint 1: what to look at</summary>
#
# You need inputs on which every mistake shows: think of sizes, h0, biases, the mask. Then you need
# something to compare with that is not BPTT. You have written one.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# Any loss of o with a known do is good, the simplest is loss = Σ do · o for a random do. Compare with
# central differences of that loss for each of U, V, b, W, c, and for x and h0. Compare shapes before
# values, and values so that NaN counts as wrong: it is neither above nor below any number.
#
# </details>
# <details><summary>Hint 3: the skeleton</summary>
#
# ```python
# rng = np.random.default_rng(0)
# params = RNNParams(*(rng.normal(size=s) for s in [(2, 4), (4, 4), 4, (4, 3), 3]))
# x, h0, do = (rng.normal(size=s) for s in [___, ___, ___])
#
# def loss(U, V, b, W, c, x, h0):
#     return (do * readout(___, W, c)).sum()
#
# values = [*params, x, h0]
# grads, dx, dh0 = bptt(do, x, h0, unroll(x, h0, *params[:3]), params)
# for i, got in enumerate([*grads, dx, dh0]):
#     expected = numerical_gradient(___, values[i])  # a loss of this one array, the others held
#     if ___:
#         return True
# return False
# ```
#
# </details>


# %%
def catches_bugs(bptt):
    """True if this bptt(do, x, h0, h, params) is wrong."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(0)
    params = RNNParams(*(rng.normal(size=s) for s in [(2, 4), (4, 4), 4, (4, 3), 3]))
    x, h0, do = (rng.normal(size=s) for s in [(6, 5, 2), (5, 4), (6, 5, 3)])

    def loss(U, V, b, W, c, x, h0):
        return (do * readout(unroll(x, h0, U, V, b), W, c)).sum()

    values = [*params, x, h0]
    grads, dx, dh0 = bptt(do, x, h0, unroll(x, h0, *params[:3]), params)
    for i, got in enumerate([*grads, dx, dh0]):
        expected = numerical_gradient(
            lambda v, i=i: loss(*values[:i], v, *values[i + 1 :]), values[i]
        )
        if np.shape(got) != expected.shape or not relative_error(got, expected) <= 1e-6:
            return True  # said so that NaN is wrong: it is neither below nor above a number
    return False
    ### END SOLUTION


catches_bugs = check(catches_bugs)

# %% [markdown]
# ## Looking back · 2 minutes
#
# **You can now** lead an error back through any number of steps, prove your gradient, train with it,
# and say what becomes of it over a long way.
#
# **Recall** before you open the answers. Better still: take a blank page and write `bptt`.
#
# 1. From which two sides is h_t blamed?
# 2. Why are the gradients of U, V and b *sums* over the steps?
# 3. The loss falls nicely. What does that tell you about your gradient?
# 4. The largest eigenvalue of V is 0.9. Must gradients shrink at every step?
# 5. What does truncated BPTT carry over a border, and what not?
#
# <details><summary>Answers</summary>
#
# 1. By its own loss, $do_t\,W^\top$, and by the step after it, $da_{t+1}\,V^\top$.
# 2. The same weight is at work at every step, and each of its uses has its share in the loss.
# 3. Nothing. Compare it with differences of the loss.
# 4. No. They shrink in the end; a single step can stretch them by the largest singular value.
# 5. The memory, but no error.
#
# </details>
#
# **Next:** [lesson 4, gradient accumulation](04_gradient_accumulation.ipynb). A large batch in the
# memory of a small one, with gradients that stay exactly the same.
