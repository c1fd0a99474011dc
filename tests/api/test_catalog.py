"""What can be asked for, the schema of it, and whether the service is ready."""

from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from anyio import to_thread
from psycopg import sql
from sqlalchemy import make_url
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import models
from athanor.processes import confinement
from models.parts.shelves import SHELVES
from models.records import job_views, keys
from models.settings import Settings
from models.storage.folder import FolderStore
from tests.api import kit
from tests.api.kit import Installation

TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}


def check_schema(schema: Any, whole: dict[str, Any]) -> None:
    """The structure that JSON Schema 2020-12 asks of the keywords pydantic writes."""
    assert isinstance(schema, dict), schema
    if "$ref" in schema:
        place, _, name = schema["$ref"].rpartition("/")
        assert place == "#/$defs" and name in whole["$defs"], schema["$ref"]
    assert schema.get("type", "object") in TYPES
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for each in schema.get(name, []):
            check_schema(each, whole)
    for name in ("properties", "$defs"):
        for each in schema.get(name, {}).values():
            check_schema(each, whole)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            check_schema(schema[name], whole)
    assert set(schema.get("required", [])) <= schema.get("properties", {}).keys()
    for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "maxLength"):
        assert isinstance(schema.get(name, 0), int | float)
    assert isinstance(schema.get("enum", []), list)


def test_every_part_is_listed(api: httpx.Client) -> None:
    catalog = api.get("/v1/catalog").json()
    assert list(catalog) == list(SHELVES)
    for shelf in SHELVES:
        folder = Path(next(iter(models.__path__))) / "parts" / shelf
        files = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
        assert [part["kind"] for part in catalog[shelf]] == sorted(files)
        for part in catalog[shelf]:
            assert part["summary"] and part["description"].startswith(part["summary"])
            assert part["schema"]["properties"]["kind"]["const"] == part["kind"]
            assert part["schema"]["additionalProperties"] is False
            check_schema(part["schema"], part["schema"])


def test_the_schema_of_a_spec(api: httpx.Client) -> None:
    schema = api.get("/v1/schemas/job-spec").json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["architecture", "dataset"] and schema["additionalProperties"] is False
    check_schema(schema, schema)
    catalog = api.get("/v1/catalog").json()
    split = schema["$defs"]["DatasetChoice"]["properties"]["split"]
    for shelf, field in (("architectures", schema["properties"]["architecture"]), ("splits", split)):
        assert field["discriminator"]["mapping"].keys() == {part["kind"] for part in catalog[shelf]}


def test_every_built_in_dataset_can_be_read(api: httpx.Client) -> None:
    for part in api.get("/v1/catalog").json()["datasets"]:
        assert api.get(f"/v1/datasets/{part['kind']}").json()["rows"] > 100


def test_open_api_names_every_route(shared: Installation, api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    served = {each for each in kit.routes(shared.app) if each[1].startswith("/v1/")}
    assert {each for each in served if each[0] != "HEAD"} <= told
    for schema in document["components"]["schemas"].values():
        for each in schema.get("properties", {}).values():
            for reference in (each.get("$ref", ""), *(one.get("$ref", "") for one in each.get("anyOf", []))):
                assert not reference or reference.rpartition("/")[2] in document["components"]["schemas"]
    assert "multipart/form-data" in document["paths"]["/v1/datasets"]["post"]["requestBody"]["content"]


def test_alive_and_ready(api: httpx.Client) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    answer = api.get("/readyz")
    sandbox = {"sandbox": answer.json()["sandbox"]}
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "storage": "ok", "broker": "ok"} | sandbox)
    for path in ("/healthz", "/readyz"):
        head = api.head(path)
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("gaps", [[], ["opening files", "signalling"]])
def test_what_the_kernel_cannot_prevent_is_told(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, gaps: list[str]
) -> None:
    monkeypatch.setattr(confinement, "missing", lambda: gaps)
    said = "this kernel cannot prevent opening files, signalling" if gaps else "ok"
    assert api.get("/readyz").json()["sandbox"] == said
    confinement.warn()
    assert ("from opening files, signalling" in caplog.text) == bool(gaps)


def test_not_ready_without_a_database(postgres_url: str, tmp_path: Path) -> None:
    cluster = make_url(postgres_url)
    address = cluster.set(drivername="postgresql").render_as_string(hide_password=False)
    name = sql.Identifier("leaves_and_returns")
    there = cluster.set(database="leaves_and_returns").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
        try:
            with kit.installation(tmp_path / "data", there) as house, house.client(raises=False) as client:
                assert client.get("/readyz").status_code == 200
                connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", ["leaves_and_returns"]
                )
                answer = client.get("/readyz")
                assert answer.status_code == 503 and answer.json()["database"].startswith("unavailable")
                assert client.get("/healthz").status_code == 200
                refused = client.get("/v1/jobs")
                kit.problem(refused, 503, "database_away")
                assert refused.headers["Retry-After"]
                connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
                assert client.get("/readyz").status_code == 200
                assert client.get("/v1/jobs").status_code == 200
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


AWAY = [
    OperationalError("SELECT 1", {}, ConnectionError("the server closed the connection")),
    InternalError("SELECT 1", {}, ConnectionError("terminated for idling")),
    InterfaceError("SELECT 1", {}, ConnectionError("the connection is closed")),
    PoolTimeout("QueuePool limit of size 10 overflow 20 reached"),
]


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("room", "question"), [(keys, "find"), (job_views, "page")], ids=["gate", "route"])
def test_a_database_that_is_away_is_said_and_asked_for_again(
    house: Installation, monkeypatch: pytest.MonkeyPatch, room: ModuleType, question: str, error: Exception
) -> None:
    def away(*_: object) -> None:
        raise error

    monkeypatch.setattr(room, question, away)
    with house.client(raises=False) as client:
        answer = client.get("/v1/jobs")
    kit.problem(answer, 503, "database_away")
    assert answer.headers["Retry-After"] == "2"


class _Told(Exception):
    """What psycopg and sqlite3 say of a full disk: each in an attribute of its own."""

    def __init__(self, **said: str) -> None:
        super().__init__("no room")
        self.__dict__.update(said)


@pytest.mark.parametrize("said", [{"sqlstate": "53100"}, {"sqlite_errorname": "SQLITE_FULL"}])
def test_a_database_without_room_is_a_full_disk(
    house: Installation, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    def full(*_: object) -> None:
        raise OperationalError("INSERT", {}, _Told(**said))

    monkeypatch.setattr(job_views, "page", full)
    with house.client(raises=False) as client:
        problem = kit.problem(client.get("/v1/jobs"), 507, "storage_full")
    assert "have room made" in problem["detail"]


def test_alive_while_every_thread_waits(shared: Installation) -> None:
    async def ask() -> int:
        threads = to_thread.current_default_thread_limiter()
        while threads.available_tokens:
            threads.acquire_on_behalf_of_nowait(object())
        wire = httpx.ASGITransport(shared.app)
        async with httpx.AsyncClient(transport=wire, base_url="http://here") as client:
            with anyio.fail_after(5):
                return (await client.get("/healthz")).status_code

    assert anyio.run(ask) == 200


def test_not_ready_without_a_store(house: Installation, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: FolderStore) -> None:
        raise OSError("no space left on the device")

    monkeypatch.setattr(FolderStore, "check", full)
    answer = client.get("/readyz")
    assert answer.status_code == 503 and answer.json()["storage"] == "unavailable: OSError"


def test_redis_away_delays_no_more(tmp_path: Path) -> None:
    with kit.installation(tmp_path) as house:
        away = house.settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{kit.free_port()}/0"})
        assert isinstance(away, Settings)
        from api.app import create_app

        house.app = create_app(away)
        with house.client() as client:
            answer = client.get("/readyz")
            assert answer.status_code == 200 and answer.json()["broker"].startswith("unavailable")
            assert client.post("/v1/jobs", json=kit.spec("linear")).status_code == 201
