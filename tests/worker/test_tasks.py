"""What a Celery message starts; of whole workers, see tests/chaos/test_messages.py."""

import queue
from typing import Any
from unittest.mock import Mock

import pytest

from worker import app, tasks


@pytest.mark.parametrize(("waiting", "passed_on"), [(0, True), (1, False), (3, False)])
def test_a_message_starts_every_job_that_waits(waiting: int, passed_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    slot, free = object(), queue.Queue[Any]()
    free.put(slot)
    worker = Mock(free=free, work=Mock(side_effect=[True] * waiting + [False]))
    monkeypatch.setattr(app, "worker", worker)
    job_id = "job_" + "0" * 32
    tasks.train({"job": job_id})
    assert [call.args for call in worker.work.call_args_list] == [(slot,)] * (waiting + 1)
    assert worker.pass_on.called == passed_on
    assert free.get_nowait() is slot


def test_a_slot_comes_back_from_a_job_that_cannot_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    free = queue.Queue[Any]()
    free.put("slot")
    monkeypatch.setattr(app, "worker", Mock(free=free, work=Mock(side_effect=OSError("no room"))))
    with pytest.raises(OSError, match="no room"):
        tasks.train({})
    assert free.get_nowait() == "slot"
