"""Workers and their devices."""

from typing import Literal

from pydantic import Field

from athanor.contract.base import Answer


class Device(Answer):
    kind: Literal["cpu", "cuda"]
    name: str
    memory_bytes: int | None = None


class Worker(Answer):
    id: str
    host: str
    pid: int
    version: str
    mode: Literal["local", "celery"]
    state: Literal["active", "draining", "gone"]
    slots: int
    devices: list[Device]
    running: list[str] = Field(default_factory=list, description="ids of the jobs that this worker runs")
    started_at: str
    heartbeat_at: str
