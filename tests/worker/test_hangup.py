"""Celery's worker in a terminal that is closed: stopped as by SIGTERM, or under nohup not at all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.schema import upgrade
from models.records.database import Database

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("nohup", [False, True])
def test_a_closed_terminal_stops_celery_s_worker_unless_it_is_to_stay(nohup: bool, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'athanor.db'}")
    upgrade(database)
    database.close()
    command = ["nohup"] * nohup + [sys.executable, "-m", "worker.serve", "--concurrency", "1", "--loglevel", "INFO"]
    # No broker but this process's own memory: there is nothing to be heard, only something to end.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATHANOR_")}
    environment |= {"ATHANOR_DATA": str(tmp_path), "ATHANOR_REDIS_URL": "memory://"}
    log = tmp_path / "log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        while " ready." not in log.read_text():
            assert worker.poll() is None, log.read_text()
            time.sleep(0.1)
        worker.send_signal(signal.SIGHUP)
        if nohup:
            with pytest.raises(subprocess.TimeoutExpired):
                worker.wait(1.5)
            assert "shutdown" not in log.read_text()
            worker.terminate()
        assert worker.wait(60) == 0
        assert "Warm shutdown" in log.read_text() and "Restarting" not in log.read_text()
    finally:
        worker.kill()
        worker.wait()
