"""A stub service and a client of it; no setting of the caller's own reaches a test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from athanor.client import Client
from tests.athanor import stub as stubs
from tests.athanor.stub import Stub


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("ATHANOR_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("http", "download", "sse"):
        monkeypatch.setattr(f"athanor.transport.{module}.backoff", lambda attempt: 0.001)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stubs.serve() as running:
        yield running


@pytest.fixture
def client(stub: Stub) -> Iterator[Client]:
    with Client(stub.url, "ath_test") as made:
        yield made
