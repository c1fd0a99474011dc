"""A simple first version of a training service: one Celery task trains, saves a file per epoch and a row per step.

It is not part of the service. naive.py kills its processes, as the chaos tests kill those of the service.
"""

import hashlib
import os
import sqlite3
import time
from pathlib import Path

import torch
from celery import Celery
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 100
LATE = os.environ.get("NAIVE_ACK") == "late"

app = Celery("naive", broker=os.environ.get("NAIVE_REDIS", "redis://127.0.0.1:6379/0"))
app.conf.update(
    # The two settings that are usually recommended against lost tasks. The default timeout would be one hour.
    task_acks_late=LATE,
    task_reject_on_worker_lost=LATE,
    broker_transport_options={"visibility_timeout": 10} if LATE else {},
    worker_hijack_root_logger=False,
)
torch.set_num_threads(1)


def record(folder: Path) -> sqlite3.Connection:
    """Open the database of runs, points and ends."""
    connection = sqlite3.connect(folder / "record.db", timeout=30, isolation_level=None)
    for table in ("runs(job, pid, at)", "points(job, step, loss)", "ends(job, weights)"):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
    return connection


@app.task
def train(job: int, folder: str) -> None:
    """Train on the digits with dropout. Continue from the file of the last epoch, if there is one."""
    there = Path(folder)
    rows = record(there)
    rows.execute("INSERT INTO runs VALUES (?, ?, ?)", (job, os.getpid(), time.time()))
    torch.manual_seed(job)
    data = load_digits()
    x, t = torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)
    loader = DataLoader(TensorDataset(x, t), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters())
    saved, start, step = there / f"{job}.pt", 0, 0
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start, step = state["epoch"], state["step"]
    for epoch in range(start, EPOCHS):
        for x_B, t_B in loader:
            loss = nn.functional.cross_entropy(model(x_B), t_B)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            rows.execute("INSERT INTO points VALUES (?, ?, ?)", (job, step, float(loss)))
        torch.save(
            {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1, "step": step}, saved
        )
    weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    rows.execute("INSERT INTO ends VALUES (?, ?)", (job, hashlib.sha256(weights).hexdigest()))
