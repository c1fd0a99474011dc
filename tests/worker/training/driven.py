"""A job whose trainings are driven as a supervisor drives them."""

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from models.planning.resolve import resolve
from models.planning.spec import JobSpec
from models.records.metrics import series_name
from tests import small
from worker import messages
from worker.messages import snapshot_folder
from worker.training.attempt import attempt
from worker.training.pipes import ParentWatch, Pipe

FOLDS = {"split": {"kind": "folds", "n": 3, "val": 0.2}}

Message = dict[str, Any]


class Listening(Pipe):
    """Keeps what is said, and orders a stop once it has heard of so many checkpoints.

    Who reads points on after the last step that has any must see them all.
    """

    def __init__(self, parent_watch: ParentWatch, patience: int) -> None:
        self.parent_watch, self.patience, self.heard = parent_watch, patience, list[Message]()
        self.reached: dict[str, int] = {}
        self.newest = -1

    def send(self, kind: str, **data: Any) -> None:
        said = {"type": kind, **data}
        messages.read(json.dumps(said).encode())
        self.heard.append(said)
        if kind == "points":
            for name, (steps, _, _) in data["series"].items():
                full = series_name(name, data["member"])
                assert steps[0] > self.reached.get(full, -1), f"{full} goes back"
                self.reached[full] = steps[-1]
        if kind == "checkpoint":
            assert data["step"] > self.newest, "a resume takes the newest checkpoint for the one with the last step"
            self.newest = data["step"]
        self.patience -= kind == "checkpoint"
        if self.patience == 0:
            self.parent_watch.stop = "pause"

    def await_taking(self, room: Path) -> None:
        """Snapshots stay where they are."""


class Killed(BaseException):
    """The end of a trainer that is given no time: it catches nothing."""


class Dying(Listening):
    """Kills the trainer once it has told of a test, before the checkpoint that would keep it."""

    def send(self, kind: str, **data: Any) -> None:
        super().send(kind, **data)
        if kind == "points" and any("test/" in name for name in data["series"]):
            raise Killed


class Slow(Listening):
    """Takes a snapshot out of the room a while after it heard of it."""

    def await_taking(self, room: Path) -> None:
        self.room = room
        Pipe.await_taking(self, room)

    def send(self, kind: str, **data: Any) -> None:
        super().send(kind, **data)
        if kind == "checkpoint":
            (snapshot,) = self.room.iterdir()
            taken = self.room.with_name(f"{self.room.name}-{snapshot.name}")
            threading.Timer(0.1, snapshot.rename, [taken]).start()


class Job:
    """A job in the hands of a supervisor that stops its trainer after every so many checkpoints."""

    listener: type[Listening] = Listening
    settled: ClassVar[dict[str, int | None]] = small.SETTLED
    policy: ClassVar[dict[str, Any]] = {"every_epochs": 1}

    def __init__(self, folder: Path, every: int, dataset: dict[str, Any], **chosen: Any) -> None:
        table = small.table("vector", folder / "t.parquet", rows=41)
        self.folder, self.every = folder, every
        spec = JobSpec.model_validate(
            {
                "architecture": {"kind": "mlp", "hidden": [5], "dropout": 0.3},
                "dataset": {"id": "x", **dataset},
                "hyperparameters": {"epochs": 3, "batch_size": 8, "optimizer": {"kind": "adam", "lr": 0.05}, **chosen},
                "checkpoints": self.policy,
            }
        )
        resolved = resolve(spec, table.schema, table.rows)
        self.spec = resolved.spec
        self.assignment = {
            "schema": table.schema.model_dump(mode="json", by_alias=True),
            "dataset": str(folder / "t.parquet"),
            "resolved": resolved.model_dump(mode="json"),
        }
        self.checkpoints: list[Message] = []
        self.points: dict[str, dict[int, float]] = {}
        self.baseline: Message = {}
        self.settlements: list[Message] = []
        self.attempts = 0

    def run(self) -> "Job":
        while not self.attempt():
            assert self.attempts < 50
        return self

    def attempt(self) -> bool:
        """An attempt, to its end or its kill. True if the job is finished. Raises what the trainer raises."""
        self.attempts += 1
        folder = self.folder / f"a{self.attempts}"
        folder.mkdir()
        newest = self.checkpoints[-1] if self.checkpoints else None
        parent_watch = ParentWatch()
        pipe = self.listener(parent_watch, self.every)
        resume, best = (newest["folder"], self.best(newest["member"])) if newest else (None, None)
        here = {"folder": str(folder), "resume": resume, "best": best, "origin": None, **self.settled}
        try:
            with suppress(Killed):
                attempt({**self.assignment, **here}, pipe, parent_watch)
        finally:
            self._note(pipe.heard, folder)
        return bool(pipe.heard[-1]["type"] == "finished")

    def _note(self, heard: list[Message], folder: Path) -> None:
        for message in heard:
            match message["type"]:
                case "checkpoint":
                    name = snapshot_folder(message["step"], message["member"])
                    self.checkpoints.append({**message, "folder": str(folder / name)})
                case "settled":
                    self.settlements.append(message)
                case "baseline":
                    self.baseline = message["baseline"]
                case "points":
                    for own, (steps, values, _) in message["series"].items():
                        name = series_name(own, message["member"])
                        for step, value in zip(steps, values, strict=True):
                            assert step not in self.points.setdefault(name, {}), f"{name} has step {step} twice"
                            self.points[name][step] = value

    def best(self, member: int | None) -> str | None:
        """The weights of the best checkpoint of a training."""
        scored = [one for one in self.checkpoints if one["member"] == member and one["score"] is not None]
        sign = 1 if self.spec.checkpoints.mode == "min" else -1
        best = min(scored, key=lambda one: (sign * one["score"], one["step"]), default=None)
        return f"{best['folder']}/weights.safetensors" if best else None

    @property
    def results(self) -> tuple[dict[str, dict[int, float]], dict[int, bytes], Message]:
        """Every point but those of the clock, the weights of each checkpoint, the baseline."""
        points = {name: series for name, series in self.points.items() if not name.endswith("samples_per_second")}
        weights = {one["step"]: (Path(one["folder"]) / "weights.safetensors").read_bytes() for one in self.checkpoints}
        return points, weights, self.baseline


def upto(series: dict[int, float], last: int) -> dict[int, float]:
    return {step: value for step, value in series.items() if step <= last}
