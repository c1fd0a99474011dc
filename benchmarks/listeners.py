"""How long other requests take while 200 long polls and 50 streams wait for news of a job.

The listeners are a process of their own: `python -m benchmarks.listeners URL KEY JOB`.
"""

import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.services import Embedded

POLLS, STREAMS = 200, 50
SECONDS = 20.0
PAUSE = 0.02
"""Seconds between two requests that are measured."""
RUNNING = {
    "architecture": {"kind": "cnn", "channels": [16, 32, 64]},
    "dataset": {"id": "digits"},
    "hyperparameters": {"epochs": 10_000},
    "checkpoints": {"every_epochs": 1_000},
}
QUIET = {**RUNNING, "resources": {"device": "cuda"}}
"""A job that no worker here can take, so nothing happens."""
PATHS = ("/healthz", "/v1/jobs", "/v1/jobs/{job}", "/v1/datasets", "/v1/workers")


def measure() -> dict[str, Any]:
    results = {}
    for name, spec in (("a job that waits", QUIET), ("a job that runs", RUNNING)):
        with tempfile.TemporaryDirectory() as folder, Embedded(Path(folder) / "data") as service:
            with service.client() as client:
                job_id = client.submit(spec).id
            # The service has started its trainer and its warm parent by then.
            time.sleep(15)
            headers = {"Authorization": f"Bearer {service.key}"}
            with httpx.Client(base_url=service.url, headers=headers, timeout=90) as caller:
                alone = _seconds(caller, job_id)
                command = [sys.executable, "-m", "benchmarks.listeners", service.url, service.key, job_id]
                with subprocess.Popen(command) as listeners:
                    try:
                        time.sleep(5)
                        among = _seconds(caller, job_id)
                        assert listeners.poll() is None, "the listeners ended"
                    finally:
                        listeners.terminate()
        results[name] = {"alone": _figures(alone), "among listeners": _figures(among)}
    return results


def _figures(took: list[float]) -> dict[str, float]:
    percentiles = statistics.quantiles(took, n=100)
    return {"n": len(took)} | {
        name: round(1000 * value, 1)
        for name, value in (("median_ms", percentiles[49]), ("p99_ms", percentiles[98]), ("max_ms", max(took)))
    }


def _seconds(client: httpx.Client, job_id: str) -> list[float]:
    """How long each of many requests takes, one after the other."""
    took: list[float] = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        began = time.perf_counter()
        answer = client.get(PATHS[len(took) % len(PATHS)].format(job=job_id))
        took.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
        time.sleep(PAUSE)
    return took


async def _listen(url: str, key: str, job_id: str) -> None:
    """Poll and read streams as cheaply as possible, to leave the processors to the service."""
    address = httpx.URL(url)
    head = f"Host: {address.host}\r\nAuthorization: Bearer {key}\r\n"
    streams = (_stream(address, head, job_id) for _ in range(STREAMS))
    await asyncio.gather(*streams, *(_poll(address, head, job_id) for _ in range(POLLS)))


async def _stream(address: httpx.URL, head: str, job_id: str) -> None:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\n{head}Accept: text/event-stream\r\n\r\n".encode())
    while await reader.read(2**16):
        pass
    raise AssertionError("a stream ended")


async def _poll(address: httpx.URL, head: str, job_id: str) -> None:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    after = b"0"
    while True:
        writer.write(f"GET /v1/jobs/{job_id}/metrics?wait=30&after={after.decode()} HTTP/1.1\r\n{head}\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = re.search(rb"content-length: (\d+)", answer)
        assert length
        found = re.search(rb'"next":(\d+)', await reader.readexactly(int(length[1])))
        assert found
        after = found[1]


if __name__ == "__main__":
    asyncio.run(_listen(*sys.argv[1:]))
