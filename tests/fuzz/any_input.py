"""Arbitrary bodies, path parameters, query parameters and headers for every operation. No answer may be a failure."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.api import kit
from tests.fuzz.seeded import Seeded

SECONDS = 2.0

ODD = [
    *("null", "true", "-0", "-0.0", "1e999", "-1e999", "1e-999", "9" * 400, '""', '"NaN"', '"1e999"', '"\\u0000"'),
    *('"\\ud83d\\ude00"', '"' + "x" * 5000 + '"', "{}", "[]", '{"":{"":[]}}', '{"kind":"mlp"}', '{"kind":null}'),
]
HALVES = ['"\\ud800"', '"a\\udc00\\ud800"', '{"\\ud800":1}']
"""Halves of surrogate pairs. Some readers of JSON accept them, and no text can hold them."""
MALFORMED = [
    *("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "9" * 5000, "'a'", "nul", "True", "", '"\\x"', '"\n"'),
    *("{,}", "[1,]", "[", '"', '{"a":1,"a":2}', '{"a" 1}', "//", "\ufeff1"),
]

MARK = "\u0001here\u0001"
BODIES: dict[str, list[Any]] = {
    "/v1/jobs": [
        {
            "name": "a",
            "architecture": {"kind": "mlp", "hidden": [8], "dropout": 0.1},
            "dataset": {"id": "iris", "inputs": ["petal width (cm)"], "split": {"kind": "holdout", "val": 0.2}},
            "hyperparameters": {
                "epochs": 1,
                "optimizer": {"kind": "adam", "lr": 0.1},
                "schedule": {"kind": "cosine", "warmup_steps": 1},
                "loss": {"kind": "cross_entropy"},
                "augmentations": [{"kind": "noise"}],
                "early_stopping": {"patience": 1},
            },
            "checkpoints": {"every_epochs": 1},
            "resources": {"priority": 0, "max_seconds": 10},
            "tags": {"team": "a"},
        }
    ],
    "/v1/jobs/{job_id}/fork": [
        {
            "checkpoint": "best",
            "spec": {"hyperparameters": {"epochs": 1, "optimizer": {"lr": 0.1}}, "tags": {"a": "b"}, "name": "a"},
        }
    ],
    "/v1/jobs/{job_id}/predict": [{"rows": [{"sepal length (cm)": 1.5, "petal width (cm)": "2"}, [1, 2, 3, 4]]}],
}
"""Right bodies by path, in which one place becomes something else. Operations without a body get one too."""
MEDIA = ["application/json"] * 6 + ["application/json; charset=utf-16", "text/plain", "multipart/form-data; boundary=b"]

_letters = st.characters() | st.characters(categories=["Cc"])
_scalars = (
    st.sampled_from(ODD)
    | st.integers().map(str)
    | st.integers(-(10**400), 10**400).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.text(_letters).map(json.dumps)
)


def _list(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def _object(items: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in items) + "}"


def _deep(depth: int, inner: str) -> str:
    return '{"a":[' * depth + inner + "]}" * depth


def _trees(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of JSON values with such leaves: deep ones, and ones with odd keys."""
    wide = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=5).map(_list)
            | st.lists(st.tuples(st.text(_letters, max_size=8), inner), max_size=5).map(_object)
        ),
        max_leaves=10,
    )
    return leaves | wide | st.builds(_deep, st.integers(1, 3000), leaves)


# What is malformed anywhere hides all else, so most values are not.
_good = _trees(_scalars)
_values = _good | _good | _good | _trees(st.sampled_from(HALVES)) | _trees(st.sampled_from(MALFORMED) | _scalars)


Put = Callable[[Any], Any]


def _places(value: Any, put: Put) -> Iterator[Put]:
    """For each place in a JSON value, a function that gives `put` of the value with something else in that place."""
    yield put
    if isinstance(value, dict):
        for name, member in value.items():
            others = {key: other for key, other in value.items() if key != name}
            yield partial(_put, put, others, f"{name}x")
            yield from _places(member, partial(_put, put, others, name))
    if isinstance(value, list):
        for at, member in enumerate(value):
            yield from _places(member, partial(_replace, put, value, at))


def _put(put: Put, others: dict[str, Any], name: str, new: Any) -> Any:
    return put({**others, name: new})


def _replace(put: Put, values: list[Any], at: int, new: Any) -> Any:
    return put([*values[:at], new, *values[at + 1 :]])


def _same(value: Any) -> Any:
    return value


def _body(path: str) -> st.SearchStrategy[bytes]:
    places = [place for base in BODIES.get(path, [{}]) for place in _places(base, _same)]

    def wrong(place: Put, text: str) -> str:
        return json.dumps(place(MARK)).replace(json.dumps(MARK), text)

    wrongs = st.builds(wrong, st.sampled_from(places), _values)
    texts = (wrongs | wrongs | _values).map(lambda text: text.encode("utf-8", "surrogatepass"))
    return texts | st.binary(max_size=200)


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    parameters: Mapping[str, list[str]]
    """Names by place: path, query and header."""


def operations(client: httpx.Client) -> list[Operation]:
    """Every operation that the service documents."""
    found = []
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            places: dict[str, list[str]] = {"path": [], "query": [], "header": []}
            for each in operation.get("parameters", ()):
                places[each["in"]].append(each["name"])
            found.append(Operation(method.upper(), path, places))
    return found


@contextmanager
def connected(service: Seeded) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {service.key}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60, verify=False) as client:
        yield client


def bodies(service: Seeded, examples: int, number: int) -> None:
    """Send `examples` arbitrary bodies. `number` is the seed. Raises AssertionError with the smallest that fails."""
    with connected(service) as client:
        posts = [each for each in operations(client) if each.method == "POST"]
        known = [each for each in posts for _ in range(4 if each.path in BODIES else 1)]

        def check(data: st.DataObject) -> None:
            operation = data.draw(st.sampled_from(known))
            content = data.draw(_body(operation.path))
            media = {"Content-Type": data.draw(st.sampled_from(MEDIA))}
            path = _filled(operation.path, service, {})
            _ask(client, client.build_request(operation.method, path, content=content, headers=media))

        _run(check, examples, number)


def parameters(service: Seeded, examples: int, number: int) -> None:
    """Send `examples` requests with arbitrary strings as parameters, as `bodies` does."""
    anything = st.text(_letters | st.characters(categories=["Cs"], codec=None), max_size=50) | st.sampled_from(
        ["", "0", "-1", "1e999", "nan", "\0", "..", "a" * 3000]
    )
    value = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
    seldom = st.integers(0, 3).map(lambda number: number == 1)
    with connected(service) as client:
        known = operations(client)

        def check(data: st.DataObject) -> None:
            operation = data.draw(st.sampled_from(known))
            # What exists is not to be deleted, and an export takes seconds.
            is_lost = operation.method == "DELETE" or operation.path.endswith("/export")
            ids = {name: data.draw(anything) for name in operation.parameters["path"] if is_lost or data.draw(seldom)}
            query = [(name, data.draw(anything)) for name in operation.parameters["query"] if data.draw(st.booleans())]
            headers = [(name, data.draw(value)) for name in operation.parameters["header"] if data.draw(st.booleans())]
            target = _filled(operation.path, service, ids)
            if query:
                target += "?" + "&".join(f"{name}={_quoted(text)}" for name, text in query)
            url = httpx.URL(service.url).copy_with(raw_path=target.encode())
            sent = [(name.encode(), text.strip().encode("latin-1")) for name, text in headers]
            _ask(client, client.build_request(operation.method, url, headers=sent))

        _run(check, examples, number)


def _run(check: Callable[[st.DataObject], None], examples: int, number: int) -> None:
    wanted = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    wanted(seed(number)(given(st.data())(check)))()


def _filled(path: str, service: Seeded, ids: Mapping[str, str]) -> str:
    known = {"job_id": service.jobs[0], "dataset_id": service.datasets[0], "checkpoint_id": "best"}
    for name, text in {**known, **ids}.items():
        path = path.replace(f"{{{name}}}", _quoted(text))
    return path


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _ask(client: httpx.Client, request: httpx.Request) -> None:
    answer, seconds = _timed(client, request)
    if seconds > SECONDS:
        # The machine may have been busy with something else.
        answer, seconds = _timed(client, request)
        assert seconds <= SECONDS, f"{request.method} {request.url} took {seconds:.1f} s"
    assert answer.status_code < 500, f"{request.method} {request.url} {request.content!r}: {answer.text}"
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] and problem["title"] and problem["code"] and problem["status"] == answer.status_code
        # An id that has a slash in it, or is empty, makes another path.
        statuses = kit.documented(request)
        assert statuses is None or str(answer.status_code) in statuses, f"{request.method} {request.url}: {answer.text}"


def _timed(client: httpx.Client, request: httpx.Request) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    answer = client.send(request)
    return answer, time.monotonic() - began
