"""Columns, constraints, indexes. Times are seconds since 1970 by the database's clock, in both databases."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Double

Name = String(200)
# SQLite generates ids only for a column declared INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 -- read by SQLAlchemy
        str: Name,
        float: Double(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


class Key(Base):
    """An API key. Only the SHA-256 of the secret is stored; the secret has 256 random bits, so no salt is needed."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float]
    revoked_at: Mapped[float | None]


class Dataset(Base):
    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("identity", "format", name="uq_datasets_sha256"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    format: Mapped[str] = mapped_column(String(40))
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    identity: Mapped[str] = mapped_column(String(64))
    """A digest of the bytes, and of the hints and the version of the readers."""
    sha256: Mapped[str] = mapped_column(String(64), server_default=text("''"))
    """The digest of the bytes alone."""
    dialect: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    schema: Mapped[dict[str, Any]]
    warnings: Mapped[list[Any]]
    blob: Mapped[str] = mapped_column(Text)
    blob_sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[float]


class Job(Base):
    """One accepted spec. `attempt` is the fencing token: it rises at every claim and is never reset."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("key_id", "idempotency_key"),
        CheckConstraint("(state IN ('starting', 'running')) = (lease_owner IS NOT NULL)", "leased"),
        CheckConstraint("(lease_owner IS NULL) = (lease_expires_at IS NULL)", "lease_whole"),
        CheckConstraint(
            "state IN ('queued', 'starting', 'running', 'paused', 'succeeded', 'failed', 'cancelled')", "state"
        ),
        CheckConstraint("desired IN ('run', 'pause', 'cancel')", "desired"),
        Index(
            "ix_jobs_queue",
            "device",
            text("priority DESC"),
            "created_at",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_jobs_leases",
            "lease_expires_at",
            sqlite_where=text("lease_owner IS NOT NULL"),
            postgresql_where=text("lease_owner IS NOT NULL"),
        ),
        Index("ix_jobs_state", "state", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("keys.id"))
    name: Mapped[str | None]
    spec: Mapped[dict[str, Any]]
    """The spec as it was sent; in a job of version 0.1, with all defaults filled in."""
    resolved: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The resolved spec; None for a job of version 0.1."""
    findings: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    """What rules say about the results; None until the job has ended."""
    plan: Mapped[dict[str, Any]]
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    origin: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    baseline: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    idempotency_key: Mapped[str | None]
    request_sha256: Mapped[str] = mapped_column(String(64))

    state: Mapped[str] = mapped_column(String(20))
    desired: Mapped[str] = mapped_column(String(20), default="run")
    desired_at: Mapped[float | None]
    desired_by: Mapped[str | None]
    stop_seconds: Mapped[float | None]
    device: Mapped[str] = mapped_column(String(20))
    priority: Mapped[int]
    not_before: Mapped[float]
    attempt: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(ForeignKey("workers.id"))
    lease_expires_at: Mapped[float | None]
    beat_at: Mapped[float | None]
    last_rung_at: Mapped[float | None]

    failures: Mapped[int] = mapped_column(default=0)
    preemptions: Mapped[int] = mapped_column(default=0)
    worker_lost: Mapped[int] = mapped_column(default=0)
    no_progress_losses: Mapped[int] = mapped_column(default=0)

    step: Mapped[int] = mapped_column(BigInteger, default=0)
    epoch: Mapped[float] = mapped_column(default=0.0)
    eta_seconds: Mapped[float | None]
    bit_exact: Mapped[bool] = mapped_column(default=True)
    last_sequence: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The sequence number of the newest point: the number of points ever recorded, removed ones included."""
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    version: Mapped[int] = mapped_column(BigInteger, default=1)

    created_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]


class Tag(Base):
    __tablename__ = "tags"
    __table_args__ = (Index("ix_tags_value", "name", "value"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(String(500))


class Attempt(Base):
    """A worker's attempt to run a job, and how it ended."""

    __tablename__ = "attempts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"))
    processes: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    """Objects with `pid` and `started` (see attempts.py). NULL: no process is known."""
    device: Mapped[str | None]
    start_step: Mapped[int] = mapped_column(BigInteger)
    fingerprint: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    started_at: Mapped[float]
    ended_at: Mapped[float | None]
    outcome: Mapped[str | None] = mapped_column(Text)


class Event(Base):
    """What happened to a job, in the order of commits: states, checkpoints, warnings, log lines. Append-only."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_job", "job_id", "seq"),)

    seq: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    at: Mapped[float]
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]


class Series(Base):
    """The last point of a series, and the extremes of its finite values. NaN is stored as NULL."""

    __tablename__ = "series"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    last_step: Mapped[int] = mapped_column(BigInteger)
    last_sequence: Mapped[int] = mapped_column(BigInteger, server_default="0")
    last_value: Mapped[float | None]
    min_step: Mapped[int | None] = mapped_column(BigInteger)
    min_value: Mapped[float | None]
    max_step: Mapped[int | None] = mapped_column(BigInteger)
    max_value: Mapped[float | None]


class Chunk(Base):
    """Points of one series, packed (see chunks.py). The last chunk of a series is rewritten while it grows."""

    __tablename__ = "chunks"
    __table_args__ = (Index("ix_chunks_sequence", "job_id", "last_sequence"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    series: Mapped[str] = mapped_column(primary_key=True)
    first_step: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last_step: Mapped[int] = mapped_column(BigInteger)
    first_sequence: Mapped[int] = mapped_column(BigInteger, server_default="0")
    last_sequence: Mapped[int] = mapped_column(BigInteger, server_default="0")
    n: Mapped[int]
    vmin: Mapped[float | None]
    vmax: Mapped[float | None]
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class Checkpoint(Base):
    """A set of files. It is a checkpoint if and only if this row exists.

    `member` is 0 if the job has a single training: a unique constraint would allow any number of NULLs.
    """

    __tablename__ = "checkpoints"
    __table_args__ = (UniqueConstraint("job_id", "member", "step"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    step: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[float]
    member: Mapped[int]
    attempt: Mapped[int]
    reason: Mapped[str] = mapped_column(String(20))
    score: Mapped[float | None]
    status: Mapped[str] = mapped_column(String(20), default="committed")
    prefix: Mapped[str] = mapped_column(Text)
    files: Mapped[list[Any]]
    created_at: Mapped[float]


class Blob(Base):
    """A piece of a stored file, if the store is the database."""

    __tablename__ = "blobs"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Worker(Base):
    """One worker process. It has a new id at each start, because host names and process ids repeat."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    machine: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    pid_started: Mapped[float]
    version: Mapped[str] = mapped_column(String(40))
    mode: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    slots: Mapped[int]
    devices: Mapped[list[Any]]
    started_at: Mapped[float]
    heartbeat_at: Mapped[float]
