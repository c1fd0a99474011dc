"""What takes several connections or requests: slow and silent clients, and many at once."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.hostile.case import MIB, OTHERS_SECONDS, Answer, Case, Target

HUNDREDS = 300
HELD = 3.0
"""Seconds for which connections are held open."""
CROWDED = 1.0
"""Seconds that somebody else waits behind hundreds of right requests, or while threads of the API make large plans:
each takes a few milliseconds of one processor, or holds the interpreter for longer."""
WHOLE = ("streams that nobody reads", "polls")
"""Right requests with a key; the others of the hundreds never end."""
FLOWER = ("sepal length", "sepal width", "petal length", "petal width")


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
        return worst(list(pool.map(lambda _: ask(target), range(count))), count)


def worst(answers: list[Answer], count: int) -> Answer:
    """Of `count` answers, one of which must be right. That the service is busy is as good as that."""
    assert len(answers) == count, f"{len(answers)} of {count} requests were answered"
    assert any(0 < answer.status < 400 for answer in answers), "no request was served"
    badness = {0: 1_000, 503: 1}
    return max(answers, key=lambda answer: badness.get(answer.status, answer.status))


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

        others = CROWDED if name in WHOLE else OTHERS_SECONDS
        yield Case(f"sequence: hundreds of {name}", hold, is_accepted=True, seconds=HELD + 6, others=others)

    def flowers() -> bytes:
        return json.dumps({"rows": [{f"{part} (cm)": n for part in FLOWER} for n in range(1_000)]}).encode()

    def predict(target: Target, content: bytes) -> Answer:
        def ask(target: Target) -> Answer:
            return target.request("POST", "/v1/jobs/{job_id}/predict", content=content)

        return _at_once(target, ask, 60)

    def plan(target: Target) -> Answer:
        spec = {
            "architecture": {"kind": "resnet", "stages": [8] * 4, "blocks": 64},
            "dataset": {"id": "digits"},
        }
        return target.request("POST", "/v1/jobs?validate_only=true", json=spec)

    child = frozenset({"child models/serving/predictor_process.py"})
    yield Case("sequence: 60 predictions at once", predict, child, True, 30.0, prepare=flowers)
    yield Case(
        "sequence: 20 large plans at once",
        lambda target: _at_once(target, plan, 20),
        is_accepted=True,
        seconds=30.0,
        others=CROWDED,
    )

    def export(target: Target) -> Answer:
        return target.request("GET", "/v1/jobs/{job_id}/checkpoints/{checkpoint_id}/export?format=onnx")

    exported = frozenset({"child models/serving/exports/process.py"})
    yield Case(
        "sequence: 10 exports at once",
        lambda target: _at_once(target, export, 10),
        exported,
        True,
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
        # If this is sent again, the files are others: known ones would not be read.
        first = time.time_ns()

        def send(number: int) -> Answer:
            file = ("x.csv", f"a,b\n{first + number},2\n" * 2_000)
            return target.request("POST", "/v1/datasets", files={"file": file})

        with ThreadPoolExecutor(20) as pool:
            return worst(list(pool.map(send, range(20))), 20)

    uploads = frozenset({"POST /v1/datasets", "child models/data/intake/process.py"})
    yield Case("sequence: 20 uploads at once", many_uploads, uploads, True, 40.0, memory=512 * MIB)
