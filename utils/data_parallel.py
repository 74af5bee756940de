"""Lesson 4: one update shared by several processes, each with its own part of the micro-batches.

`utils.launch.run_workers("utils.data_parallel", calls)` runs `train` in each of them; from a
terminal it would be `torchrun --nproc-per-node 2 -m utils.data_parallel FOLDER`.
"""

from contextlib import nullcontext

import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from utils.launch import work
from utils.torch_bridge import from_torch, to_tensors, to_torch


def train(params, windows, lr, wait):
    """params after one step of SGD for each window, and how often gradients were exchanged.

    Each window holds at least as many micro-batches as there are workers, who deal them out. wait:
    exchange after the last of them only, not after each.
    """
    rank, workers = dist.get_rank(), dist.get_world_size()
    model = DistributedDataParallel(to_torch(params))
    optimizer = torch.optim.SGD(model.parameters(), lr)
    exchanges = []
    model.register_comm_hook(exchanges, counted)

    for window in windows:
        mine = [to_tensors(batch) for batch in window[rank::workers]]
        N = sum(batch.mask.sum() for batch in mine)
        dist.all_reduce(N)  # a sum: now N counts the real steps of all workers
        for i, (x, targets, mask, h0) in enumerate(mine):
            now = i == len(mine) - 1 or not wait
            with nullcontext() if now else model.no_sync():
                S = cross_entropy(model(x, h0)[mask], targets[mask], reduction="sum")
                (workers * S / N).backward()  # times workers, for DDP averages over them
        optimizer.step()
        optimizer.zero_grad()
    return from_torch(model.module), len(exchanges)


def counted(exchanges, bucket):
    """What DDP does to exchange gradients, and a note of it in the list `exchanges`."""
    exchanges.append(bucket.buffer().numel())
    return allreduce_hook(None, bucket)


if __name__ == "__main__":
    work(train)
