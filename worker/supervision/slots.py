"""Slots: each runs one attempt at a time, and has a trainer that waits for the next job."""

import threading
from dataclasses import dataclass, field

from athanor.contract import Device
from models.records.queue import served
from worker.supervision.devices import cuda_numbers
from worker.supervision.trainer_process import TrainerProcess
from worker.supervision.trainer_start import StartTrainer


@dataclass
class Slot:
    """The devices and processes for one attempt."""

    start: StartTrainer
    """How its trainers start."""
    devices: list[str] = field(default_factory=list)
    """Entries of CUDA_VISIBLE_DEVICES; none for a slot on the CPU."""
    processes: int = 1
    """The number of processes of a training; always one today."""
    spare: TrainerProcess | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def serves(self) -> list[str]:
        """The values of `resources.device` that may run here."""
        return served(["cuda"] if self.devices else ["cpu"])

    def warm(self) -> TrainerProcess:
        """The waiting trainer, or a new one if there is none or it died."""
        with self.lock:
            if self.spare is not None and not self.spare.is_alive:
                self._end_spare()
            self.spare = self.spare or TrainerProcess(",".join(self.devices) or None, self.start)
            return self.spare

    def take(self) -> TrainerProcess:
        """Take the waiting trainer for a job."""
        trainer = self.warm()
        with self.lock:
            self.spare = None
        return trainer

    def empty(self) -> None:
        """End the waiting trainer, if there is one."""
        with self.lock:
            self._end_spare()

    def _end_spare(self) -> None:
        if self.spare is not None:
            self.spare.close()
            self.spare = None


def slots_of(devices: list[Device], wanted: int | None, start: StartTrainer) -> list[Slot]:
    """One slot per CUDA device of this host; without CUDA, `wanted` slots on the CPU."""
    if devices[0].kind == "cuda":
        return [Slot(start, [number]) for number in cuda_numbers(len(devices))]
    return [Slot(start) for _ in range(max(1, wanted or 1))]
