"""Workers: their devices, slots, jobs and heartbeats."""

from typing import Annotated

from fastapi import APIRouter

from api.deps import Parts, Window, paged
from api.pages import page
from athanor.contract import Page, Worker
from models.records import workers

router = APIRouter(tags=["workers"])


@router.get("/workers")
def index(service: Parts, window: Annotated[Window, paged("wrk")]) -> Page[Worker]:
    """List workers with their devices, their slots and the jobs that they run, newest first."""
    with service.database.reading() as tx:
        return page(*workers.page(tx, window.after, window.limit, service.settings.timing.lease))
