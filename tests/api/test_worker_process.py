"""The process of the embedded worker, when none can be started."""

import errno
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest

from api import worker_process

SLEEPS = [sys.executable, "-c", "input()"]


def test_a_worker_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started, refusals = threading.Event(), [OSError(errno.EAGAIN, "no process left"), OSError(errno.ENOMEM, "no room")]
    real = subprocess.Popen

    def popen(command: list[str], **how: Any) -> "subprocess.Popen[bytes]":
        if refusals:
            raise refusals.pop()
        worker = real(SLEEPS, **how)
        started.set()
        return worker

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(worker_process, "PAUSE", 0.01)
    kept = worker_process.WorkerProcess(1)
    with caplog.at_level(logging.WARNING):
        kept.start()
        try:
            assert started.wait(10)
        finally:
            kept.stop()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2 and "no room" in told[0] and "no process left" in told[1]
