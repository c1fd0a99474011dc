"""Digests of base images, from a registry that speaks the distribution API and asks for tokens."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from supply import pin

ROOT = Path(__file__).parents[2]
MANIFESTS = {
    f"/v2/library/{name}/manifests/{tag}": json.dumps({"schemaVersion": 2, "of": name}).encode()
    for name, tag in (("python", "3.11-slim"), ("postgres", "17"), ("redis", "7"))
}


class Registry(ThreadingHTTPServer):
    """Gives a token for one repository at a time, and a manifest for a token of its repository."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.changed: str | None = None
        self.asks_for_a_password = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        path, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        scope = ":".join(["repository", *path.removeprefix("/v2/").split("/manifests/")[:1], "pull"])
        if path == "/token" and asked["service"] == ["images"]:
            self._send(200, json.dumps({"token": f"for {asked['scope'][0]}"}).encode())
        elif self.headers.get("Authorization") != f"Bearer for {scope}":
            how = f'Bearer realm="{self.server.address}/token",service="images",scope="{scope}"'
            self._send(401, b"", {"WWW-Authenticate": 'Basic realm="x"' if self.server.asks_for_a_password else how})
        elif path not in MANIFESTS:
            self._send(404, b"{}")
        else:
            assert self.headers["Accept"].startswith("application/vnd.oci.image.index.v1+json")
            digest = f"sha256:{hashlib.sha256(MANIFESTS[path]).hexdigest()}"
            body = MANIFESTS[path] + (b" " if self.server.changed == path else b"")
            self._send(200, body, {"Docker-Content-Digest": digest})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that name images, as they are here."""
    for name in pin.FILES:
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def _texts(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in pin.FILES}


def test_every_image_gets_its_digest(registry: Registry, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pin.main([registry.address], folder) == 0
    wanted = {path: hashlib.sha256(manifest).hexdigest() for path, manifest in MANIFESTS.items()}
    after = _texts(folder)
    python = wanted["/v2/library/python/manifests/3.11-slim"]
    assert f"\nFROM python:3.11-slim@sha256:{python}\n" in after["Dockerfile"]
    for name, tag in (("postgres", "17"), ("redis", "7")):
        digest = wanted[f"/v2/library/{name}/manifests/{tag}"]
        assert f"    image: {name}:{tag}@sha256:{digest}\n" in after["docker-compose.yml"]
    assert "  image: athanor\n" in after["docker-compose.yml"], "it is built here"
    assert f"python:3.11-slim@sha256:{python}" in capsys.readouterr().out
    assert pin.main([registry.address], folder) == 0 and _texts(folder) == after


def test_an_older_digest_is_replaced(registry: Registry, folder: Path) -> None:
    (folder / "Dockerfile").write_text(f"FROM python:3.11-slim@sha256:{'0' * 64}\nRUN true\n")
    assert pin.main([registry.address], folder) == 0
    assert (folder / "Dockerfile").read_text().count("sha256:") == 1 and "0000" not in _texts(folder)["Dockerfile"]


def test_a_manifest_that_was_changed_is_refused(
    registry: Registry, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.changed = "/v2/library/redis/manifests/7"
    before = _texts(folder)
    assert pin.main([registry.address], folder) == pin.FAILED
    assert "redis:7 is not the one that the registry names" in capsys.readouterr().err and _texts(folder) == before


def test_an_image_that_is_not_there(registry: Registry, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Dockerfile").write_text("FROM python:0.9\n")
    assert pin.main([registry.address], folder) == pin.FAILED
    assert "answers 404 to python:0.9; nothing was changed" in capsys.readouterr().err


def test_a_registry_for_members(registry: Registry, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry.asks_for_a_password = True
    assert pin.main([registry.address], folder) == pin.FAILED
    assert "asks for a password" in capsys.readouterr().err


def test_no_registry(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _texts(folder)
    assert pin.main(["http://127.0.0.1:9"], folder) == pin.UNREACHABLE
    assert "cannot be reached" in capsys.readouterr().err and _texts(folder) == before
    assert pin.main(["nonsense"], folder) == pin.UNREACHABLE
    assert pin.main([], folder) == 2 and "REGISTRY=" in capsys.readouterr().err
