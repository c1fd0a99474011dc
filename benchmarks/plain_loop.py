"""`python -m benchmarks.plain_loop WORKLOAD THREADS`: the loop that one writes by hand, and its samples a second.

The same network, batch size and optimizer as the job's; a DataLoader, and `loss.item()` at each step. No evaluation, no
checkpoint, no metrics. THREADS is a number, or `default` for what PyTorch takes.
"""

import sys
import time
from itertools import chain, islice, repeat

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.workloads import WORKLOADS
from models.parts.architecture import ARCHITECTURES

LR = 1e-3
WARM = 0.2
"""The share of the steps that is not timed."""


def main() -> None:
    workload, threads = WORKLOADS[sys.argv[1]], sys.argv[2]
    if threads != "default":
        torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    part = ARCHITECTURES[workload.architecture["kind"]].model_validate(workload.architecture)
    model = part.settled(workload.inputs.causal).build(workload.inputs, workload.outputs)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(*workload.tensors()), batch_size=workload.batch, shuffle=True)
    model.train()
    warm, rows, began = int(WARM * workload.steps), 0, 0.0
    for number, (x_B, t_B) in enumerate(islice(chain.from_iterable(repeat(loader)), workload.steps)):
        if number == warm:
            rows, began = 0, time.perf_counter()
        optimizer.zero_grad()
        y_BK = model(x_B)
        loss = criterion(y_BK.flatten(0, -2), t_B.flatten())
        loss.backward()
        optimizer.step()
        loss.item()
        rows += len(x_B)
    print(rows / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
