"""What takes several connections or requests: slow and silent clients, and many at once."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.hostile.case import MIB, Answer, Case, Target

HUNDREDS = 300
HELD = 3.0
"""Seconds for which connections are held open."""


def _held(target: Target, begun: bytes, count: int = HUNDREDS) -> Answer:
    """Many connections that have sent the beginning of something, and meanwhile an honest request."""
    with ExitStack() as stack:
        for _ in range(count):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", target.port), 20))
            line.sendall(begun)
        time.sleep(HELD)
        return target.request("GET", "/v1/jobs")


def _at_once(target: Target, ask: Callable[[Target], Answer], count: int) -> Answer:
    """The worst of `count` equal requests that are sent at once."""
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda _: ask(target), range(count)))
    return max(answers, key=lambda answer: answer.status if answer.status != 503 else 0)


def cases() -> Iterator[Case]:
    key = "Authorization: Bearer {key}\r\n"
    begun = {
        "silent connections": "",
        "half a head": "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "half a body": f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 1000\r\n\r\n{{",
        "half an upload": f"POST /v1/datasets HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 1000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n",
        "streams that nobody reads": f"GET /v1/jobs/{{job}}/events HTTP/1.1\r\nHost: x\r\n{key}"
        "Accept: text/event-stream\r\n\r\n",
        "polls": f"GET /v1/jobs/{{queued}}/metrics?wait=60 HTTP/1.1\r\nHost: x\r\n{key}\r\n",
    }
    for name, text in begun.items():

        def hold(target: Target, text: str = text) -> Answer:
            filled = text.replace("{key}", target.key).replace("{job}", target.job).replace("{queued}", target.queued)
            return _held(target, filled.encode())

        yield Case(f"sequence: hundreds of {name}", hold, is_accepted=True, seconds=HELD + 6)

    def predict(target: Target) -> Answer:
        rows = [{"sepal_length": n, "sepal_width": 1, "petal_length": 1, "petal_width": 1} for n in range(1_000)]
        return target.request("POST", "/v1/jobs/{job_id}/predict", json={"inputs": rows})

    def plan(target: Target) -> Answer:
        spec = {
            "architecture": {"kind": "resnet", "stages": [8] * 4, "blocks": 64},
            "dataset": {"id": "digits"},
        }
        return target.request("POST", "/v1/jobs?validate_only=true", json=spec)

    child = frozenset({"child models/serving/predictor_process.py"})
    yield Case("sequence: 60 predictions at once", lambda target: _at_once(target, predict, 60), child, None, 30.0)
    yield Case("sequence: 20 large plans at once", lambda target: _at_once(target, plan, 20), frozenset(), None, 30.0)

    def export(target: Target) -> Answer:
        return target.request("GET", "/v1/jobs/{job_id}/checkpoints/{checkpoint_id}/export?format=onnx")

    exported = frozenset({"child models/serving/exports/process.py"})
    yield Case(
        "sequence: 10 exports at once",
        lambda target: _at_once(target, export, 10),
        exported,
        None,
        60.0,
        memory=1024 * MIB,
    )

    def hang_up(target: Target) -> Answer:
        """Callers that leave before their answer."""
        request = f"GET /v1/jobs/{target.queued}/metrics?wait=60 HTTP/1.1\r\nHost: x\r\n{key}\r\n"
        for _ in range(HUNDREDS):
            with socket.create_connection(("127.0.0.1", target.port), 20) as line:
                line.sendall(request.replace("{key}", target.key).encode())
        return target.request("GET", "/v1/jobs")

    yield Case("sequence: hundreds of callers that hang up", hang_up, is_accepted=True, seconds=10.0)

    def many_uploads(target: Target) -> Answer:
        answers: list[Answer] = []

        def send(number: int) -> None:
            file = ("x.csv", f"a,b\n{number},2\n" * 2_000)
            answers.append(target.request("POST", "/v1/datasets", files={"file": file}))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return max(answers, key=lambda answer: answer.status if answer.status != 503 else 0)

    uploads = frozenset({"POST /v1/datasets", "child models/data/intake/process.py"})
    yield Case("sequence: 20 uploads at once", many_uploads, uploads, None, 40.0, memory=512 * MIB)
