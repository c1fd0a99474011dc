"""What the tables hold, read without the code that is tested."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.records.tables import Base, Event, Job


def everything(tx: Session) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table: equal before and after where nothing was written."""
    return {
        table.name: [tuple(row) for row in tx.execute(select(table).order_by(*table.primary_key))]
        for table in Base.metadata.sorted_tables
    }


def counts(tx: Session) -> dict[str, int]:
    """Rows of every table that has any."""
    found = {table.name: tx.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables}
    return {name: number for name, number in found.items() if number}


def job_row(tx: Session, job_id: str) -> Job:
    """The row as it is now."""
    return tx.scalars(select(Job).where(Job.id == job_id).execution_options(populate_existing=True)).one()


def moves(tx: Session, job_id: str) -> list[dict[str, Any]]:
    """The state events of a job, each with its attempt."""
    rows = tx.scalars(select(Event).where(Event.job_id == job_id, Event.kind == "state").order_by(Event.seq))
    return [{"attempt": row.attempt, **row.data} for row in rows]
