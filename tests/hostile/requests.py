"""Bodies, queries and paths for every route, with a key."""

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.case import EITHER, Answer, Case, Target
from tests.hostile.values import JSON

BODIES = ("POST /v1/jobs", "POST /v1/jobs/{job_id}/fork", "POST /v1/jobs/{job_id}/predict")
"""Routes that read JSON."""
ALLOWED = {("POST /v1/jobs/{job_id}/fork", "nothing"), ("POST /v1/jobs/{job_id}/fork", "200 kB of spaces")}
"""Without a patch, a fork changes nothing."""

IDS = (
    *("..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%00", "%ff", "a" * 5_000, "job_" + "0" * 32, "*", "%", "'--"),
    *("%F0%9F%92%A5", "%ED%A0%80", "job_%0d%0aX: y"),
)
QUERIES: dict[str, str] = {
    "a name 900 times": "&".join(["series=a"] * 900),
    "900 names": "&".join(f"n{n}=1" for n in range(900)),
    "one value of 8,000 letters": "after=" + "9" * 8_000,
    "a list of 4,000 names": "series=" + "a," * 3_900,
    "half a surrogate pair": "tag=%ED%A0%80:x&series=%ED%A0%80",
    "NUL": "after=%00&tag=a%00:b&series=%00",
    "no integer": "limit=1e3&after=0x10&max_points=-0",
    "an integer beyond 64 bits": "after=18446744073709551616&max_points=99999999999999999999",
    "below zero": "limit=-1&after=-9223372036854775809&wait=-1",
    "NaN": "wait=nan&limit=nan",
    "infinity": "wait=inf&limit=inf",
    "odd bytes": "%ff%fe=%ff&=&&&",
}
HEADERS: dict[str, dict[str, str]] = {
    "an If-None-Match of 7 kB": {"If-None-Match": '"a",' * 1_700 + '"b"'},
    "1,000 ranges": {"Range": "bytes=" + ",".join(f"{n}-{n}" for n in range(1_000))},
    "a range beyond 64 bits": {"Range": "bytes=99999999999999999999-"},
    "a key for retries of 7 kB": {"Idempotency-Key": "k" * 7_000},
    "an odd Last-Event-ID": {"Accept": "text/event-stream", "Last-Event-ID": "9" * 19 + "-" + "9" * 19 + "x"},
    "an Accept of 7 kB": {"Accept": "a/b;q=0.1," * 700},
}


def cases(routes: list[str]) -> Iterator[Case]:
    """For each of `routes`, such as `GET /v1/jobs/{job_id}`."""
    for route in routes:
        method, path = route.split()
        covers = frozenset({route} | ({"child models/serving/predictor_process.py"} if "predict" in path else set()))
        if route in BODIES:
            for name, body in JSON.items():

                def post(target: Target, path: str = path, body: bytes = body) -> Answer:
                    return target.request("POST", path, content=body, headers={"Content-Type": "application/json"})

                accepted = (route, name) in ALLOWED
                yield Case(f"{route}: body: {name}", post, covers, is_accepted=accepted)
        if method == "DELETE" or path.endswith(("/cancel", "/pause", "/resume")):
            yield from _paths(method, path, covers)
            continue
        for name, query in QUERIES.items():

            def ask(target: Target, method: str = method, path: str = path, query: str = query) -> Answer:
                return target.request(method, f"{path}?{query}")

            yield Case(f"{route}: {name}", ask, covers, is_accepted=EITHER if path.endswith("/metrics") else False)
        if method == "GET" and path != "/v1/jobs/{job_id}/events":
            for name, headers in HEADERS.items():

                def read(target: Target, path: str = path, headers: dict[str, str] = headers) -> Answer:
                    return target.request("GET", path, headers=headers)

                yield Case(f"{route}: {name}", read, covers, is_accepted=EITHER, seconds=_reading(path))
        yield from _paths(method, path, covers)


def _reading(path: str) -> float:
    return 20.0 if path.endswith("/export") else 2.0


def _paths(method: str, path: str, covers: frozenset[str]) -> Iterator[Case]:
    if "{" not in path:
        return
    head, _, rest = path.partition("{")
    _, _, rest = rest.partition("}")
    for each in IDS:

        def reach(target: Target, path: str = f"{head}{each}{rest}") -> Answer:
            written = target.fill(path).encode("ascii", "replace")
            key = f"Authorization: Bearer {target.key}"
            return target.raw(method.encode() + b" " + written + f" HTTP/1.1\r\nHost: x\r\n{key}\r\n\r\n".encode())

        yield Case(f"{method} {path}: {each[:40]}", reach, covers, is_accepted=EITHER if each == ".." else False)


def _spec(architecture: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"architecture": architecture, "dataset": {"id": "iris"}, **rest}


SPECS: dict[str, dict[str, Any]] = {
    "the largest ResNet": _spec({"kind": "resnet", "stages": [4096] * 8, "blocks": 64}, dataset={"id": "digits"}),
    "the deepest ResNet": _spec({"kind": "resnet", "stages": [9999] * 8, "blocks": 64}, dataset={"id": "digits"}),
    "the largest perceptron": _spec({"kind": "mlp", "hidden": [65_536] * 64}),
    "the longest schedule": _spec({"kind": "linear"}, hyperparameters={"epochs": 10**18}),
    "a dataset name of 100 kB": {"architecture": {"kind": "linear"}, "dataset": {"id": "d" * 100_000}},
    "10,000 tags": _spec({"kind": "linear"}, tags={f"t{n}": "x" for n in range(9_000)}),
    "10,000 layers": _spec({"kind": "mlp", "hidden": [1] * 10_000}),
}


def specs() -> Iterator[Case]:
    """Specs that are well-formed JSON and cost much to check."""
    for name, spec in SPECS.items():

        def submit(target: Target, spec: dict[str, Any] = spec) -> Answer:
            return target.request("POST", "/v1/jobs?validate_only=true", json=spec)

        yield Case(f"spec: {name}", submit, frozenset({"POST /v1/jobs"}))
    for cell in ("elman", "lstm", "gru", "jordan"):

        def long(target: Target, cell: str = cell) -> Answer:
            layers = 1 if cell == "jordan" else 8
            spec = {
                "architecture": {"kind": "rnn", "cell": cell, "layers": layers, "hidden": 8192, "embedding": 8192},
                "dataset": {"id": target.long, "target": "label"},
            }
            return target.request("POST", "/v1/jobs?validate_only=true", json=spec)

        yield Case(f"spec: the largest {cell} on a long text", long, frozenset({"POST /v1/jobs"}), is_accepted=EITHER)

    def unknown(target: Target) -> Answer:
        spec = _spec({"kind": "mlp"}, dataset={"id": target.wide, "inputs": ["column that is not there " + "n" * 170]})
        return target.request("POST", "/v1/jobs?validate_only=true", json=spec)

    def every(target: Target) -> Answer:
        inputs = [f"{n:04d}" + "n" * 190 for n in range(900)]
        spec = _spec({"kind": "mlp"}, dataset={"id": target.wide, "target": "y", "inputs": inputs})
        return target.request("POST", "/v1/jobs?validate_only=true", json=spec)

    def otherwise(target: Target) -> Answer:
        features = {f"{n:04d}" + "n" * 190: {"kind": "text"} for n in range(900)}
        spec = _spec({"kind": "textcnn"}, dataset={"id": target.wide, "target": "y", "features": features})
        return target.request("POST", "/v1/jobs?validate_only=true", json=spec)

    def as_classes(target: Target) -> Answer:
        features = {"text": {"kind": "category"}}
        spec = _spec({"kind": "mlp"}, dataset={"id": target.long, "target": "label", "features": features})
        return target.request("POST", "/v1/jobs?validate_only=true", json=spec)

    covers = frozenset({"POST /v1/jobs"})
    anew = covers | {"child models/data/intake/description.py"}
    yield Case("spec: 900 columns read in another way", otherwise, anew, is_accepted=EITHER)
    yield Case("spec: long texts as classes", as_classes, anew, is_accepted=EITHER)
    yield Case("spec: a column that thousands resemble", unknown, covers)
    yield Case("spec: 900 inputs with long names", every, covers, is_accepted=True)


def patches() -> Iterator[Case]:
    """Forks whose patch is odd."""
    odd: dict[str, Any] = {
        "another architecture with its largest numbers": {"architecture": {"kind": "mlp", "hidden": [65_536] * 64}},
        "a patch that is null": {"architecture": None},
        "a patch of lists": {"architecture": [[[[]]]]},
        "an empty name of a field": {"": {"": {"": 1}}},
    }
    for name, patch in odd.items():

        def fork(target: Target, patch: dict[str, Any] = patch) -> Answer:
            return target.request("POST", "/v1/jobs/{job_id}/fork", content=json.dumps(patch))

        yield Case(f"fork: {name}", fork, frozenset({"POST /v1/jobs/{job_id}/fork"}))
