"""Exports that are refused: of what there is not, of what cannot be written, and of what takes too much."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from models.parts.architectures.linear import Linear
from models.serving import networks
from tests.api import kit
from tests.api.conftest import Trained


def test_what_there_is_not(trained: Trained) -> None:
    path = f"/v1/jobs/{trained.table}/checkpoints"
    bundled = {"format": "bundle"}
    kit.problem(trained.client.get("/v1/jobs/job_none/checkpoints/best/export", params=bundled), 404, "not_found")
    kit.problem(trained.client.get(f"{path}/ckpt_none/export", params=bundled), 404, "not_found")
    kit.fault(trained.client.get(f"{path}/best/export", params={"format": "pickle"}), "?format", "literal_error")


def test_a_part_that_cannot_be_exported(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Linear, "exports", frozenset({"bundle"}))
    fault = kit.fault(kit.export(trained.client, trained.table, "onnx"), "?format", "cannot_export")
    assert fault["suggestion"] == "format=bundle"


@pytest.fixture
def standstill() -> Iterator[None]:
    """The warm parent of exports answers two seconds late, as on a machine that is far too busy."""
    networks.PARENT.start()
    assert networks.PARENT._process is not None
    parent = psutil.Process(networks.PARENT._process.pid)
    parent.suspend()
    end = threading.Timer(2.0, parent.resume)
    end.start()
    yield
    end.join()


def test_what_takes_too_long(trained: Trained, standstill: None) -> None:
    with _bounded(trained, export_seconds=1):
        fault = kit.fault(kit.export(trained.client, trained.table, "onnx"), "?format", "over_limit")
    assert "longer than 1 s" in fault["message"]


def test_what_takes_too_much_memory(trained: Trained) -> None:
    with _bounded(trained, max_export_memory_bytes=2**28):
        fault = kit.fault(kit.export(trained.client, trained.table, "onnx"), "?format", "over_limit")
    assert "memory" in fault["message"]


@contextmanager
def _bounded(trained: Trained, **bounds: int) -> Iterator[None]:
    service = trained.house.app.state.service
    tight = service.settings.model_copy(update={"limits": service.settings.limits.model_copy(update=bounds)})
    trained.house.app.state.service = type(service)(**{**vars(service), "settings": tight})
    try:
        yield
    finally:
        trained.house.app.state.service = service
