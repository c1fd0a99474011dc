"""Settings of an installation, read once from ATHANOR_* in the environment into one frozen object."""

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psutil
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from athanor.bundle import MAX_DIFFERENCE

CONTAINER = Path("/sys/fs/cgroup/memory.max")
"""What a container may use, in bytes or "max". Source: Linux kernel, admin-guide/cgroup-v2."""


def memory() -> int:
    """The memory of this machine in bytes, or of the container if it has less."""
    machine = psutil.virtual_memory().total
    with suppress(OSError, ValueError):
        return min(machine, int(CONTAINER.read_text()))
    return machine


class Limits(BaseModel):
    """Upper limits. An error message names the limit that was exceeded."""

    model_config = ConfigDict(frozen=True)

    max_body_bytes: int = 256 * 1024
    max_predict_bytes: int = 16 * 2**20
    max_predict_memory_bytes: int = 16 * 2**30
    max_loaded_bytes: int = Field(default_factory=lambda: memory() // 4)
    predict_seconds: int = 60
    max_upload_bytes: int = 4 * 2**30
    max_parameters: int = 2_000_000_000
    max_memory_bytes: int = 256 * 2**30
    trainer_memory_bytes: int = Field(default_factory=memory)
    max_steps: int = 100_000_000
    max_log_lines: int = 20_000
    intake_seconds: int = 600
    max_intakes: int = 2
    export_seconds: int = 600
    max_export_memory_bytes: int = 16 * 2**30
    max_exports: int = 1
    max_export_difference: float = MAX_DIFFERENCE


class Timing(BaseModel):
    """Intervals in seconds: how soon a failure is noticed, and how soon what it left behind is removed."""

    model_config = ConfigDict(frozen=True)

    heartbeat: float = 5.0
    lease: float = 30.0
    sweep: float = 5.0
    ring_again: float = 60.0
    poll: float = 0.05
    flush: float = 0.5
    stop_grace: float = 30.0
    no_room: float = 60.0
    start: float = 300.0
    stall: float = 3600.0
    inventory: float = 3600.0
    orphan: float = 24 * 3600.0

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        """A lease must outlast a missed heartbeat, or attempts would be reaped while they work."""
        if self.lease <= 2 * self.heartbeat:
            raise ValueError(
                f"ATHANOR_TIMING__LEASE is {self.lease:g} s; it must be longer than two heartbeats of "
                f"{self.heartbeat:g} s each (ATHANOR_TIMING__HEARTBEAT)"
            )
        return self


class Settings(BaseSettings):
    """All settings: `ATHANOR_DATABASE_URL`, `ATHANOR_REDIS_URL`, …, nested ones as `ATHANOR_TIMING__LEASE`."""

    model_config = SettingsConfigDict(env_prefix="ATHANOR_", env_nested_delimiter="__", frozen=True, extra="ignore")

    data: Path = Field(Path("athanor-data"), description="folder of the embedded service's database, files and key")
    database_url: str | None = Field(None, description="default: SQLite in the data folder")
    redis_url: str | None = Field(None, description="Celery's broker; none: local workers poll the table")
    store: str | None = Field(None, description="where checkpoint bytes live: file:///folder or database")
    limits: Limits = Limits()
    timing: Timing = Timing()

    @cached_property
    def database(self) -> str:
        # A folder's name may hold what means something in a URL.
        return self.database_url or f"sqlite:///{quote(str(self.data.absolute() / 'athanor.db'))}"

    @property
    def is_sqlite(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def scratch(self) -> Path:
        """The folder of attempts and unfinished uploads. It may be deleted while nothing runs."""
        return self.data.absolute() / "scratch"
