"""What a route asks for: the service's parts, the caller, a page."""

import logging
from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Query, Request

from api.problems import Refused
from models.broker import Broker
from models.records.database import Database, DatabaseUnavailable
from models.records.keys import Caller
from models.settings import Settings
from models.storage.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    settings: Settings
    database: Database
    store: Store
    broker: Broker
    intakes: CapacityLimiter
    """How many uploads are read at once: each may take a processor and gibibytes."""
    exports: CapacityLimiter
    """How many networks are exported at once, for the same reason."""

    def discard(self, prefix: str) -> None:
        """Remove from the store what no row names. What cannot be removed now is left to the garbage collectors."""
        try:
            self.store.delete(prefix)
        except (OSError, *DatabaseUnavailable) as error:
            logger.warning("%s: no row names it, and it stays for now: %s", prefix, error)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


LAST = 2**63 - 1
"""The largest step or event number a row can hold."""

Parts = Annotated[Service, Depends(_service)]


def authenticate(request: Request) -> Caller:
    """The caller that the gate found. Everything under /v1 asks for it, at the router: deny by default."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        raise Refused(401, "unauthorized", "send a key that is in force: Authorization: Bearer ath_…")
    return caller


Authenticated = Annotated[Caller, Depends(authenticate)]


@dataclass(frozen=True)
class Window:
    """Which page of a list."""

    limit: int
    after: str | None


def _window(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
) -> Window:
    return Window(limit, after)


Paged = Annotated[Window, Depends(_window)]


def missing(what: str, name: str) -> Refused:
    return Refused(404, "not_found", f"there is no {what} '{name}'")
