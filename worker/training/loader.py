"""Batches in order. Each batch depends only on the seed and on its step.

So any number of data workers may prepare batches in advance, and a resume starts at any step.

Shape letters: N rows of the training part, B rows of a batch.
"""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from models.data.preparation.examples import Part
from models.nn.named_tensors import map_tensors, tensors
from worker.training.batch import Batch

Supply = Callable[[int], Part]
"""Returns the training part of an epoch. It depends only on the epoch, and its number of rows is constant."""

Augment = Callable[[Part, torch.Tensor, int], Batch]
"""Makes a batch. Arguments: the training part, row indices of the batch, the epoch."""

STUCK = 30.0
"""Seconds for each data worker within which the loader must end after one died. It joins them one by one."""

Sent = tuple[list[str] | None, list[npt.NDArray[Any] | None]]
"""The names of the inputs (None: a single input), and arrays: targets, partners' targets, shares, weights, inputs."""


@dataclass(frozen=True)
class Batching:
    """How the training part is divided into batches."""

    steps: int
    steps_per_epoch: int
    batch_size: int
    """Rows of a training batch. An evaluation batch has at most as many."""
    seed: int
    augment: Augment | None = None
    workers: int = 0
    """Number of data workers: processes that prepare batches in advance. It does not change the batches."""


@dataclass
class Batches(Dataset[Batch]):
    """All batches of a training. The index is the step, from 0."""

    train: Part | Supply
    batching: Batching
    _epoch: int = field(default=-1, init=False)

    def __getitem__(self, step: int) -> Batch:
        batching = self.batching
        epoch, place = divmod(step, batching.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._part = self.train(epoch) if callable(self.train) else self.train
            self._order_N = order(batching.seed, epoch, len(self._part[1])).to(self._part[1].device)
        rows_B = self._order_N[place * batching.batch_size : (place + 1) * batching.batch_size]
        return (batching.augment or _rows)(self._part, rows_B, epoch)


def _rows(part: Part, rows_B: torch.Tensor, epoch: int) -> Batch:
    """The batch of these rows as they are."""
    x_N, t_N, *w_N = part
    x_B = map_tensors(lambda x: x.index_select(0, rows_B), x_N)
    return Batch(x_B, t_N.index_select(0, rows_B), w=w_N[0].index_select(0, rows_B) if w_N else None)


def order(seed: int, epoch: int, rows: int) -> torch.Tensor:
    """The order of the rows in an epoch. It depends only on seed and epoch, so a resume needs no saved state."""
    generator = torch.Generator().manual_seed((seed << 24) + epoch)
    return torch.randperm(rows, generator=generator)


@dataclass
class _Sent(Dataset[Sent]):
    """Batches as NumPy arrays. PyTorch sends a tensor as a handle to shared memory, which somebody must release."""

    batches: Batches

    def __getitem__(self, step: int) -> Sent:
        batch = self.batches[step]
        columns = (batch.t, batch.other, batch.share, batch.w, *tensors(batch.x))
        names = list(batch.x) if isinstance(batch.x, dict) else None
        return names, [None if column is None else column.numpy() for column in columns]


def load(batches: Batches, start: int) -> Iterator[Batch]:
    """Yield the batches from step `start` (from 0) to the last. Data workers make them, if there are any."""
    steps, workers = range(start, batches.batching.steps), batches.batching.workers
    if workers == 0:
        for step in steps:
            yield batches[step]
        return
    with warnings.catch_warnings():
        # The user may ask for more data workers than processors. This only costs time.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loaded: Any = iter(
            DataLoader(
                _Sent(batches),
                batch_size=None,
                collate_fn=_unchanged,
                sampler=steps,
                num_workers=workers,
                # With fork, the rows are shared without a copy, and the supply need not be picklable.
                multiprocessing_context="fork",
                # With a timeout, the loader would notice only at the timeout that a data worker died before its
                # process id was recorded. The supervisor notices a batch that never arrives.
                timeout=0,
                worker_init_fn=_ignore_stop,
            )
        )
    over = threading.Event()
    threading.Thread(
        target=_exit_if_stuck, args=([each.sentinel for each in loaded._workers], over), daemon=True
    ).start()
    try:
        for names, sent in loaded:
            # Copy to memory that PyTorch aligns: some kernels give different bits at a different alignment.
            columns = (None if column is None else torch.from_numpy(column).clone() for column in sent)
            t_B, other_B, share_B, w_B, *x_B = columns
            assert t_B is not None
            inputs = [column for column in x_B if column is not None]
            yield Batch(dict(zip(names, inputs, strict=True)) if names else inputs[0], t_B, other_B, share_B, w_B)
    finally:
        # Explicit, and before `over` is set: the traceback of an error keeps the loader alive. It would then end
        # later, when no thread watches it.
        loaded._shutdown_workers()
        over.set()


def _exit_if_stuck(processes: list[int], over: threading.Event) -> None:
    """Exit if the loader does not end after a data worker died: it may wait for a lock that the dead process holds."""
    connection.wait(processes)
    if not over.wait(STUCK * len(processes)):
        print("a data worker died while it held a lock of the loader; the trainer exits", flush=True)
        os._exit(1)


def _ignore_stop(_: int) -> None:
    """Ignore SIGTERM in a data worker, as the trainer does. PyTorch has installed a handler of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _unchanged(sent: Any) -> Any:
    return sent
