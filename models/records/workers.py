"""Workers: their devices, slots and heartbeats."""

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from athanor import contract
from athanor.contract import Device
from models.records import pages
from models.records.database import now
from models.records.tables import Job, Worker
from models.records.times import rfc3339


def enlist(
    tx: Session,
    worker_id: str,
    *,
    host: str,
    machine: str,
    pid: int,
    pid_started: float,
    version: str,
    mode: str,
    slots: int,
    devices: list[Device],
) -> None:
    tx.execute(
        insert(Worker).values(
            id=worker_id,
            host=host,
            machine=machine,
            pid=pid,
            pid_started=pid_started,
            version=version,
            mode=mode,
            state="active",
            slots=slots,
            devices=[device.model_dump() for device in devices],
            started_at=now(),
            heartbeat_at=now(),
        )
    )


def beat(tx: Session, worker_id: str, state: str = "active") -> None:
    """Write a worker's heartbeat and state. A worker that is "gone" stays gone: a slow thread may call this late."""
    there = update(Worker).where(Worker.id == worker_id, Worker.state != "gone")
    tx.execute(there.values(heartbeat_at=now(), state=state))


def page(tx: Session, after: str | None, limit: int, lease: float) -> tuple[list[contract.Worker], bool]:
    """Workers, newest first, with their jobs, and whether more follow.

    A worker without a heartbeat for `lease` seconds is shown as gone.
    """
    query = select(Worker, (now() - Worker.heartbeat_at).label("silence")).order_by(Worker.id.desc())
    if after is not None:
        query = query.where(Worker.id < after)
    rows, more = pages.cut(list(tx.execute(query.limit(limit + 1))), limit)
    held: dict[str, list[str]] = {}
    for owner, job_id in tx.execute(select(Job.lease_owner, Job.id).where(Job.lease_owner.is_not(None))):
        held.setdefault(owner or "", []).append(job_id)
    answers = [
        contract.Worker(
            id=worker.id,
            host=worker.host,
            pid=worker.pid,
            version=worker.version,
            mode=worker.mode,
            state="gone" if silence > lease else worker.state,
            slots=worker.slots,
            devices=[Device.model_validate(device) for device in worker.devices],
            running=sorted(held.get(worker.id, [])),
            started_at=rfc3339(worker.started_at),
            heartbeat_at=rfc3339(worker.heartbeat_at),
        )
        for worker, silence in rows
    ]
    return answers, more
