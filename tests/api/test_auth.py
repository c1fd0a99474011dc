"""Who may ask: every route under /v1 wants a key, and what is open to all is named here."""

import asyncio
import time
from collections.abc import Collection

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from api import auth
from api.deps import Service
from models.records import keys
from tests.api import kit
from tests.api.kit import Installation

PUBLIC = {
    *("/healthz", "/readyz", "/openapi.json", "/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js"),
    *("/docs/swagger-ui.css", "/docs/favicon-32x32.png"),
}

MALFORMED = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer nonsense",
    "Bearer ath_",
    "Bearer ath__",
    "Bearer ath_00000000_secret",
    "Basic YXRoOmF0aA==",
    "Bearer " + "x" * 5000,
]


def refused(client: httpx.Client, method: str, path: str, presented: str | None) -> None:
    request = client.build_request(method, kit.filled(path))
    # The client's own key must not be sent along.
    del request.headers["Authorization"]
    if presented is not None:
        request.headers["Authorization"] = presented
    answer = client.send(request)
    assert answer.headers.get("WWW-Authenticate") == "Bearer", (method, path, answer.status_code)
    if method == "HEAD":
        assert answer.status_code == 401
    else:
        kit.problem(answer, 401, "unauthorized")


def test_what_is_public_is_named_here(shared: Installation) -> None:
    assert {path for _, path in kit.routes(shared.app) if not path.startswith("/v1/")} == PUBLIC


@pytest.mark.parametrize("kind", ["none", "malformed", "wrong secret", "wrong prefix", "revoked"])
def test_every_route_wants_a_key(shared: Installation, api: httpx.Client, kind: str) -> None:
    guarded = [(method, path) for method, path in kit.routes(shared.app) if path.startswith("/v1/")]
    assert len(guarded) >= 20
    with shared.database.writing() as tx:
        other = keys.create(tx, "revoked")
        keys.revoke(tx, other.split("_")[1])
    presented: dict[str, list[str | None]] = {
        "none": [None],
        "malformed": [*MALFORMED],
        "wrong secret": [f"Bearer {shared.key[:-2]}AA", f"Bearer {shared.key}x"],
        "wrong prefix": [f"Bearer {shared.key.replace('ath_', 'abc_')}"],
        "revoked": [f"Bearer {other}"],
    }
    for each in presented[kind]:
        for method, path in guarded:
            refused(api, method, path, each)


def test_a_refused_caller_does_not_learn_what_exists(shared: Installation, api: httpx.Client) -> None:
    job_id = kit.submit(api)
    answers = []
    for wanted in (job_id, "job_none"):
        request = api.build_request("GET", f"/v1/jobs/{wanted}")
        del request.headers["Authorization"]
        found = api.send(request).json()
        answers.append((found["status"], found["detail"], found["code"]))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_has_no_case(shared: Installation, api: httpx.Client, scheme: str) -> None:
    assert api.get("/v1/jobs", headers={"Authorization": f"{scheme} {shared.key}"}).status_code == 200


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_public_routes_ask_for_none(shared: Installation, api: httpx.Client, path: str) -> None:
    request = api.build_request("GET", path)
    del request.headers["Authorization"]
    assert api.send(request).status_code == 200


def test_no_body_is_read_for_a_stranger(shared: Installation, api: httpx.Client) -> None:
    """The key comes first: malformed JSON without one is 401, not 400."""
    for path in ("/v1/jobs", "/v1/jobs/job_0/predict", "/v1/datasets"):
        request = api.build_request("POST", path, content=b"{", headers={"Content-Type": "application/json"})
        del request.headers["Authorization"]
        kit.problem(api.send(request), 401, "unauthorized")


def test_requests_that_come_together_share_look_ups(
    shared: Installation, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shared.database.writing() as tx:
        second = keys.create(tx, "second")
    presented = [shared.key, second, shared.key[:-1] + "*"]
    looked = 0
    find = auth._find

    def slowly(service: Service, asked: Collection[str]) -> dict[str, keys.Caller | None]:
        nonlocal looked
        looked += 1
        is_first = looked == 1
        time.sleep(0.05)
        if is_first:
            raise OperationalError("SELECT", None, Exception("away"))
        return find(service, asked)

    monkeypatch.setattr(auth, "_find", slowly)

    async def ask() -> list[list[int]]:
        transport = httpx.ASGITransport(shared.app)
        heads = [{"Authorization": f"Bearer {presented[n % 3]}"} for n in range(60)]
        found = []
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for _ in range(2):
                answers = await asyncio.gather(*(client.get("/v1/workers", headers=each) for each in heads))
                found.append([answer.status_code for answer in answers])
        return found

    first, second_time = asyncio.run(ask())
    assert 503 in first
    assert second_time == [200, 200, 401] * 20
    assert looked <= 4 * auth.LOOK_UPS


def test_a_request_at_the_end_of_a_look_up_does_not_wait_for_ever(
    shared: Installation, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "LOOK_UPS", 1)
    service: Service = shared.app.state.service

    async def ask() -> keys.Caller | None:
        guard = auth.Authentication(shared.app)
        first = asyncio.create_task(guard._caller(service, shared.key))
        await asyncio.sleep(0)
        # Between the answer to the first and the end of the task that looked it up.
        late: list[asyncio.Future[keys.Caller | None]] = []

        def come(_: object) -> None:
            guard._caller(service, "another").send(None)
            late.append(guard._asked["another"])

        next(iter(guard._asked.values())).add_done_callback(come)
        assert await first is not None
        return await asyncio.wait_for(asyncio.shield(late[0]), 10)

    assert asyncio.run(ask()) is None
