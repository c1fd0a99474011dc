"""Refusals: what was wrong and where, in one form, and quickly."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from models.parts.architecture import ARCHITECTURES
from models.parts.augmentation import AUGMENTATIONS
from models.parts.feature import FEATURES
from models.parts.optimizer import OPTIMIZERS
from models.records import job_views
from models.registry import Registry
from tests.api import kit
from tests.api.kit import JSON, Installation

LIMIT = 256 * 1024


def deep(path: str, value: Any) -> dict[str, Any]:
    """A valid spec in which one field is something else."""
    whole: dict[str, Any] = kit.spec("mlp", "iris")
    here = whole
    *way, last = path.split(".")
    for name in way:
        here = here.setdefault(name, {})
    here[last] = value
    return whole


def test_an_unknown_field_is_pointed_at_with_its_likely_name(api: httpx.Client) -> None:
    found = kit.fault(api.post("/v1/jobs", json=deep("architecture.hiden", [3])), "/architecture/hiden")
    assert found["code"] == "extra_forbidden"
    assert found["suggestion"] == "did you mean 'hidden'?"


@pytest.mark.parametrize(
    ("path", "value", "pointer", "code"),
    [
        ("architecture.dropout", "much", "/architecture/dropout", "float_parsing"),
        ("architecture.dropout", 1.0, "/architecture/dropout", "less_than"),
        ("architecture.hidden", [], "/architecture/hidden", "too_short"),
        ("architecture.hidden", [8, "x"], "/architecture/hidden/1", "int_parsing"),
        ("architecture.hidden", [8, 8, 0], "/architecture/hidden/2", "greater_than_equal"),
        ("architecture.hidden", [10**12], "/architecture/hidden/0", "less_than_equal"),
        ("architecture.hidden", [10**400], "/architecture/hidden/0", None),
        ("hyperparameters.epochs", 0, "/hyperparameters/epochs", "greater_than_equal"),
        ("hyperparameters.epochs", 1.5, "/hyperparameters/epochs", "int_from_float"),
        ("hyperparameters.optimizer", {"kind": "adam", "lr": -1}, "/hyperparameters/optimizer/lr", "greater_than"),
        ("dataset", {"target": "target"}, "/dataset/id", "missing"),
        ("dataset.id", None, "/dataset/id", "string_type"),
        ("dataset.split", {"kind": "holdout", "val": 2}, "/dataset/split/val", "less_than"),
        ("dataset.inputs", ["a", 3], "/dataset/inputs/1", "string_type"),
        ("resources.devices", 2, "/resources/devices", "less_than_equal"),
        ("tags", {"a/b~c": 3}, "/tags/a~1b~0c", "string_type"),
        ("name", "x" * 201, "/name", "string_too_long"),
        ("nonsense", 1, "/nonsense", "extra_forbidden"),
    ],
)
def test_pointers(api: httpx.Client, path: str, value: Any, pointer: str, code: str | None) -> None:
    body = json.dumps(deep(path, value))
    kit.fault(api.post("/v1/jobs", content=body, headers=JSON), pointer, code)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("architecture.hidden", 8, "should be a list"),
        ("hyperparameters.augmentations", 8, "should be a list"),
        ("name", 8, "should be a string"),
        ("hyperparameters.seed", "x", "should be a whole number"),
        ("hyperparameters.seed", 1.5, "should be a whole number"),
        ("hyperparameters.seed", [1], "should be a whole number"),
        ("architecture.dropout", "x", "should be a number"),
        ("architecture.dropout", [], "should be a number"),
        ("architecture.dropout", False, "should be a number, not false"),
        ("hyperparameters.epochs", True, "should be a whole number, not true"),
        ("architecture.hidden", [8, True], "should be a whole number, not true"),
        ("architecture.hidden", [8, None], "should be a whole number, not null"),
        ("architecture", None, "should be an object, not null"),
        ("hyperparameters", None, "cannot be null; leave it out for the default"),
        ("hyperparameters.precision", None, "cannot be null; leave it out for the default"),
        ("dataset.split", None, "cannot be null; leave it out for the default"),
        ("hyperparameters.decay_biases", "x", "should be true or false"),
        ("hyperparameters.decay_biases", [], "should be true or false"),
        ("hyperparameters.optimizer", {"kind": "adam", "lr": -1}, "lr is -1; it must be above 0"),
        ("architecture.hidden", [8, 0], "hidden[1] is 0; it must be at least 1"),
        ("architecture.dropout", 1.5, "dropout is 1.5; it must be below 1"),
        ("hyperparameters.epochs", 10**9, "epochs is 1000000000; it must be at most 100,000"),
        ("hyperparameters.ema", 0.0, "ema is 0.0; it must be above 0"),
        ("hyperparameters.precision", "fp8", "precision is \"fp8\"; it must be 'fp32' or 'bf16'"),
        ("hyperparameters.freeze", ["a"] * 101, "freeze has 101 entries; it must have at most 100"),
        ("architecture.hidden", [1] * 65, "hidden has 65 entries; it must have at most 64"),
        ("dataset.inputs", [], "inputs has 0 entries; it must have at least 1"),
        ("name", "", "0 characters; there must be at least 1"),
        ("name", "x" * 201, "201 characters; there must be at most 200"),
        ("architecture.hiden", 3, "there is no field 'hiden' here"),
        ("architecture.kind", "mpl", "there is no 'mpl'"),
        ("hyperparameters.optimizer", {"lr": 1}, "kind is missing"),
        ("dataset", {}, "id is missing"),
        ("tags", {"": "x"}, "the key '': 0 characters; there must be at least 1"),
    ],
)
def test_sentences(api: httpx.Client, path: str, value: Any, message: str) -> None:
    (found,) = kit.problem(api.post("/v1/jobs", json=deep(path, value)), 422)["errors"]
    assert found["message"] == message


@pytest.mark.parametrize(
    ("path", "value", "kinds"),
    [
        ("hyperparameters.optimizer", {"lr": 1}, OPTIMIZERS),
        ("hyperparameters.augmentations", [{"kind": "flip"}, {}], AUGMENTATIONS),
        ("architecture", {}, ARCHITECTURES),
        ("dataset.features", {"temp": {"missing": ["-999"]}}, FEATURES),
        ("dataset.features", {"1": {}}, FEATURES),
        ("dataset.features", {"a/b.c": {}}, FEATURES),
    ],
)
def test_a_missing_kind_is_answered_with_the_kinds(
    api: httpx.Client, path: str, value: Any, kinds: Registry[Any]
) -> None:
    (found,) = kit.problem(api.post("/v1/jobs", json=deep(path, value)), 422)["errors"]
    assert found["suggestion"] == "one of " + ", ".join(sorted(part.model_fields["kind"].default for part in kinds))


def test_a_parameter_that_no_route_knows_is_refused_by_every_route(shared: Installation) -> None:
    with shared.client() as client:
        served = [each for each in kit.routes(shared.app) if each[1].startswith(("/v1/", "/healthz", "/readyz"))]
        assert len(served) > 20
        for method, path in served:
            answer = client.request(method, kit.filled(path), params={"nonsense": "1"})
            assert answer.status_code == 422, (method, path, answer.text)
            if method != "HEAD":
                assert [each["pointer"] for each in answer.json()["errors"]] == ["?nonsense"], (method, path)


@pytest.mark.parametrize(
    ("query", "pointer", "code", "suggestion"),
    [
        ("/v1/jobs?stat=queued", "?stat", "unknown_parameter", "did you mean 'state'?"),
        ("/v1/jobs?zzz=1&state=queued", "?zzz", "unknown_parameter", "use one of: after, limit, state, tag"),
        ("/v1/jobs/job_none/metrics?max_point=10", "?max_point", "unknown_parameter", "did you mean 'max_points'?"),
        ("/v1/catalog?kind=mlp", "?kind", "unknown_parameter", "this path has no parameters"),
        ("/v1/jobs?state=queued&state=running", "?state", "repeated_parameter", None),
        ("/v1/jobs?limit=1&limit=2", "?limit", "repeated_parameter", None),
    ],
)
def test_what_a_parameter_was_meant_to_be(
    api: httpx.Client, query: str, pointer: str, code: str, suggestion: str | None
) -> None:
    assert kit.fault(api.get(query), pointer, code).get("suggestion") == suggestion


def test_a_member_of_a_union_is_no_place(api: httpx.Client) -> None:
    for blocks, place in (("x", "blocks"), (["x"], "blocks/0"), ({"a": 1}, "blocks")):
        body = kit.spec("resnet", "digits", architecture={"blocks": blocks})
        found = {each["pointer"] for each in kit.problem(api.post("/v1/jobs", json=body), 422)["errors"]}
        assert f"/architecture/{place}" in found
        assert found <= {"/architecture/blocks", "/architecture/blocks/0"}


def test_what_was_said_is_cut(api: httpx.Client) -> None:
    (found,) = kit.problem(api.post("/v1/jobs", json=deep("hyperparameters.precision", "x" * 5000)), 422)["errors"]
    assert len(found["message"]) < 120


@pytest.mark.parametrize(
    ("path", "suggestion"),
    [
        ("hyperparameters.lr", "'lr' belongs in hyperparameters.optimizer"),
        ("architecture.epochs", "'epochs' belongs in hyperparameters"),
        ("hyperparameters.tags", "'tags' belongs in the spec itself"),
        ("architecture.vocabularyyy", "mlp has activation, dropout, hidden"),
        ("lrr", "did you mean 'lr' in hyperparameters.optimizer?"),
        ("hyperparameters.epoch", "did you mean 'epochs'?"),
    ],
)
def test_an_unknown_field_is_shown_its_place(api: httpx.Client, path: str, suggestion: str | None) -> None:
    found = kit.fault(api.post("/v1/jobs", json=deep(path, 1)), "/" + path.replace(".", "/"), "extra_forbidden")
    assert found.get("suggestion") == suggestion


def test_a_field_of_another_kind_is_shown_its_kinds(api: httpx.Client) -> None:
    body = kit.spec("linear", architecture={"hidden": [3]})
    said = kit.fault(api.post("/v1/jobs", json=body), "/architecture/hidden")["suggestion"]
    assert said.startswith("'hidden' is a field of ") and "mlp" in said and "linear" not in said


def test_only_a_spec_is_given_the_fields_of_a_spec(api: httpx.Client) -> None:
    answer = api.post("/v1/jobs/job_none/fork", json={"epoch": 3})
    assert "suggestion" not in kit.fault(answer, "/epoch", "extra_forbidden")


def test_an_unknown_kind_is_given_the_nearest_or_all(api: httpx.Client) -> None:
    found = kit.fault(api.post("/v1/jobs", json=kit.spec("cnnn")), "/architecture/kind", "union_tag_invalid")
    assert found["suggestion"] == "did you mean 'cnn'?"
    found = kit.fault(api.post("/v1/jobs", json=kit.spec("§")), "/architecture/kind", "union_tag_invalid")
    assert all(kind in found["suggestion"] for kind in ("cnn", "linear", "mlp", "textcnn"))


@pytest.mark.parametrize("path", ["architecture", "dataset", "hyperparameters", "hyperparameters.optimizer", "tags"])
def test_what_should_be_an_object(api: httpx.Client, path: str) -> None:
    found = kit.fault(api.post("/v1/jobs", json=deep(path, 5)), "/" + path.replace(".", "/"))
    assert found["message"] == "should be an object"


def test_a_bad_key_is_pointed_at_by_its_object(api: httpx.Client) -> None:
    found = kit.fault(api.post("/v1/jobs", json=deep("tags", {"": "x"})), "/tags", "string_too_short")
    assert found["message"].startswith("the key '': ")
    kit.fault(api.post("/v1/jobs", json=deep("tags", {"[key]": 3})), "/tags/[key]", "string_type")


def test_a_message_of_ours_has_no_prefix(api: httpx.Client) -> None:
    body = kit.spec(hyperparameters={"epochs": 1, "steps": 1})
    faults = kit.problem(api.post("/v1/jobs", json=body), 422)["errors"]
    assert faults and not any("Value error" in each["message"] for each in faults)


def test_a_missing_field_and_several_faults_at_once(api: httpx.Client) -> None:
    faults = kit.problem(api.post("/v1/jobs", json={"nmae": "x"}), 422, "invalid")["errors"]
    pointers = {each["pointer"]: each["code"] for each in faults}
    assert pointers == {"/architecture": "missing", "/dataset": "missing", "/nmae": "extra_forbidden"}
    assert next(each for each in faults if each["pointer"] == "/nmae")["suggestion"] == "did you mean 'name'?"


@pytest.mark.parametrize("body", ["{nope", '{"architecture": ', "{'a': 1}", "[1,", "nul"])
def test_what_is_not_json(api: httpx.Client, body: str) -> None:
    kit.problem(api.post("/v1/jobs", content=body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize("body", [b"\xff\xfe{", b'{"name": "\xff"}', b"9" * 5000])
def test_what_cannot_even_be_read(api: httpx.Client, body: bytes) -> None:
    kit.problem(api.post("/v1/jobs", content=body, headers=JSON), 400)


@pytest.mark.parametrize("body", ["", "[]", "5", '"mlp"', "true", "null", "[{}]"])
def test_what_is_no_object(api: httpx.Client, body: str) -> None:
    found = kit.problem(api.post("/v1/jobs", content=body, headers=JSON), 422, "invalid")
    assert found["errors"][0]["pointer"] == ""


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none(api: httpx.Client, number: str) -> None:
    body = '{"architecture": {"kind": "mlp", "dropout": %s}, "dataset": {"id": "iris"}}' % number  # noqa: UP031
    kit.fault(api.post("/v1/jobs", content=body, headers=JSON), "/architecture/dropout", "finite_number")


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 40_000 + "1" + "}" * 40_000,
        '{"architecture":{"kind":"mlp","x":' + "[" * 900 + "]" * 900 + '},"dataset":{"id":"iris"}}',
        '{"architecture":' + '{"kind":' * 900 + "1" + "}" * 900 + ',"dataset":{"id":"iris"}}',
        json.dumps({f"epoch{number}": 0 for number in range(15_000)}),
        json.dumps({"architecture": {"kind": "mlp", "hidden": ["x"] * 50_000}, "dataset": {"id": "iris"}}),
        json.dumps({"x" * 250_000: 0}),
        '{"\\ud800": 1}',
        '{"name": "\\ud800", "architecture": {"kind": "mlp"}, "dataset": {"id": "iris"}}',
        '{"dataset": {"id": "\\ud800"}, "architecture": {"kind": "mlp"}}',
    ],
)
def test_bombs_do_no_harm(api: httpx.Client, body: str) -> None:
    assert len(body) <= LIMIT
    began = time.monotonic()
    answer = api.post("/v1/jobs", content=body, headers=JSON)
    assert time.monotonic() - began < 3
    assert len(kit.problem(answer, answer.status_code)["errors"]) <= 50
    assert answer.status_code in (400, 413, 422)


def unannounced(size: int) -> Iterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


def test_a_body_over_the_limit(api: httpx.Client) -> None:
    found = kit.problem(api.post("/v1/jobs", content=b" " * (LIMIT + 1), headers=JSON), 413, "over_limit")
    assert "max_body_bytes = 262,144" in found["detail"]
    kit.problem(api.post("/v1/jobs", content=unannounced(LIMIT + 1024), headers=JSON), 413, "over_limit")


def test_a_body_at_the_limit(api: httpx.Client) -> None:
    body = json.dumps(kit.spec()).encode()
    answer = api.post("/v1/jobs?validate_only=true", content=body + b" " * (LIMIT - len(body)), headers=JSON)
    assert answer.status_code == 200


def test_a_body_over_the_limit_by_wire(live: httpx.Client) -> None:
    kit.problem(live.post("/v1/jobs", content=b" " * (LIMIT + 1), headers=JSON), 413, "over_limit")
    kit.problem(live.post("/v1/jobs", content=unannounced(LIMIT + 1024), headers=JSON), 413, "over_limit")
    assert live.get("/v1/jobs").status_code == 200


def test_unknown_ids_are_not_found(shared: Installation, api: httpx.Client) -> None:
    named = [(method, path) for method, path in kit.routes(shared.app) if "{" in path]
    assert len(named) >= 15
    for method, path in named:
        body = {"rows": [1]} if path.endswith("/predict") else None
        answer = api.request(method, kit.filled(path), json=body)
        if method == "HEAD":
            assert answer.status_code == 404
        else:
            kit.problem(answer, 404, "not_found")


def test_unknown_checkpoints_are_not_found(shared: Installation, api: httpx.Client) -> None:
    job_id = kit.submit(api)
    for which in ("ckpt_none", "best", "last", "%2e%2e", "..%2f..%2fathanor.db"):
        for tail in ("", "/weights"):
            kit.problem(api.get(f"/v1/jobs/{job_id}/checkpoints/{which}{tail}"), 404, "not_found")
    kit.problem(api.post(f"/v1/jobs/{job_id}/predict", json={"rows": [[1, 2, 3, 4]]}), 404, "not_found")


@pytest.mark.parametrize("path", ["/v1/nope", "/nope", "/v1/jobs/a/b/c", "/v1/jobs/%ff", "/v1/jobs/%00"])
def test_unknown_paths_are_not_found(api: httpx.Client, path: str) -> None:
    kit.problem(api.get(path), 404)


def test_wrong_methods(shared: Installation, api: httpx.Client) -> None:
    served: dict[str, set[str]] = {}
    for method, path in kit.routes(shared.app):
        served.setdefault(path, set()).add(method)
    for path, methods in served.items():
        if path.startswith("/v1/"):
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
                answer = api.request(method, kit.filled(path))
                kit.problem(answer, 405, "method_not_allowed")
                assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("/v1/jobs?limit=0", "?limit"),
        ("/v1/jobs?limit=101", "?limit"),
        ("/v1/jobs?limit=ten", "?limit"),
        ("/v1/jobs?state=lost", "?state"),
        ("/v1/jobs/{job}/metrics?wait=61", "?wait"),
        ("/v1/jobs/{job}/metrics?wait=nan", "?wait"),
        ("/v1/jobs/{job}/metrics?wait=inf", "?wait"),
        ("/v1/jobs/{job}/metrics?max_points=3", "?max_points"),
        ("/v1/jobs/{job}/metrics?after=-1", "?after"),
        ("/v1/jobs/{job}/metrics?after=9223372036854775808", "?after"),
        ("/v1/jobs/{job}/events?after=9223372036854775808", "?after"),
        ("/v1/jobs/{job}/events?limit=1001", "?limit"),
        ("/v1/datasets/iris/preview?rows=101", "?rows"),
    ],
)
def test_queries(api: httpx.Client, query: str, pointer: str) -> None:
    kit.fault(api.get(query.format(job=kit.submit(api))), pointer)


def test_an_unforeseen_failure(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the service")

    monkeypatch.setattr(job_views, "page", broken)
    with house.client(raises=False) as client:
        answer = client.get("/v1/jobs")
    kit.problem(answer, 500, "internal")
    assert "secret" not in answer.text


def test_the_log_says_why_once_under_the_request_id(
    house: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the service")

    monkeypatch.setattr(job_views, "page", broken)
    with kit.served(house) as client:
        found = kit.problem(client.get("/v1/jobs"), 500, "internal")
    logged = capsys.readouterr().err
    assert logged.count("RuntimeError: a secret of the service") == 1
    assert f"while answering GET /v1/jobs, request_id {found['request_id']}" in logged


def test_every_answer_has_a_name_of_its_own(api: httpx.Client) -> None:
    names = {api.get(path).headers["X-Request-Id"] for path in ("/healthz", "/v1/jobs", "/v1/jobs", "/nope")}
    assert len(names) == 4


def test_an_old_spelling_is_refused_with_the_new_one(api: httpx.Client) -> None:
    spec = {"architecture": {"kind": "cnn", "normalisation": "none"}, "dataset": {"id": "digits"}}
    (fault,) = api.post("/v1/jobs", json=spec).json()["errors"]
    assert (fault["pointer"], fault["suggestion"]) == ("/architecture/normalisation", "did you mean 'normalization'?")


@pytest.mark.parametrize("kind", ["rnn", "textcnn"])
def test_an_old_name_is_refused_with_the_field_that_is_described_by_it(api: httpx.Client, kind: str) -> None:
    """0.1 called it `unknown`."""
    spec = {"architecture": {"kind": kind, "unknown": 0.5}, "dataset": {"id": "digits"}}
    (fault,) = api.post("/v1/jobs", json=spec).json()["errors"]
    assert (fault["pointer"], fault["suggestion"]) == ("/architecture/unknown", "did you mean 'word_dropout'?")
