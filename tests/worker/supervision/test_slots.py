"""What a slot leases, and the trainer it keeps waiting."""

import sys

import pytest

from athanor.contract import Device
from worker.supervision import trainer_start
from worker.supervision.slots import Slot, slots_of
from worker.supervision.trainer_start import spawn

CPU, GPU = Device(kind="cpu", name="a processor"), Device(kind="cuda", name="a GPU", memory_bytes=2**34)


def test_a_spare_that_died_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_start, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    slot = Slot(spawn)
    dead = slot.warm()
    dead.kill()
    assert dead.gone.wait(10)
    slot.warm().close()
    assert dead._stdin.closed


def test_a_slot_for_each_device_or_as_many_as_wanted_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [slot.devices for slot in slots_of([GPU, GPU], None, spawn)] == [["3"], ["5"]]
    assert [slot.devices for slot in slots_of([CPU], 2, spawn)] == [[], []]
    assert [len(slots_of([CPU], wanted, spawn)) for wanted in (None, 0, 1)] == [1, 1, 1]
    assert {slot.processes for slot in slots_of([CPU], 2, spawn)} == {1}


def test_a_trainer_sees_all_devices_of_its_slot_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr("worker.supervision.slots.TrainerProcess", lambda cuda, _: asked.append(cuda))
    for devices in ([], ["1"], ["1", "2"]):
        Slot(spawn, devices).warm()
    assert asked == [None, "1", "1,2"]
    assert Slot(spawn).serves == ["auto", "cpu"] and Slot(spawn, ["1", "2"]).serves == ["auto", "cuda", "cpu"]
