"""Dependencies of the routes: the service, the caller, the page of a list."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Semaphore
from typing import Annotated, Any

from anyio import CapacityLimiter
from fastapi import Depends, Query, Request
from sqlalchemy.orm import Session

from api.problems import Refused, invalid_parameter, unauthorized
from api.slots import Slots
from api.watcher import Watcher
from models.broker import Broker
from models.records.database import Database, DatabaseUnavailable
from models.records.ids import is_id, pattern
from models.records.keys import Caller
from models.serving.predictor_pool import PredictorPool
from models.settings import Settings
from models.storage.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    settings: Settings
    database: Database
    store: Store
    broker: Broker
    intakes: Slots
    """Limits how many uploads are read at once: each can use a processor and gigabytes of memory."""
    previews: Slots
    exports: CapacityLimiter
    """Limits how many networks are exported at once, for the same reason."""
    predictors: PredictorPool
    predictions: CapacityLimiter
    """The threads of predictions. There are enough for all that the pool lets wait."""
    file_predictions: Slots
    """Limits how many files are predicted at once. Each has a process of its own."""
    submissions: CapacityLimiter
    """The threads of requests that submit a job or ask for its plan. Other requests have threads of their own."""
    rehearsals: Semaphore
    """Limits how many plans are made at once: many threads that compute keep the event loop from the interpreter."""
    watcher: Watcher

    def discard(self, prefix: str) -> None:
        """Delete stored files that no row names. If this fails, the garbage collector deletes them later."""
        try:
            self.store.delete(prefix)
        except (OSError, *DatabaseUnavailable) as error:
            logger.warning("the stored files %s are unused and could not be deleted yet: %s", prefix, error)


async def _service(request: Request) -> Service:
    # Async, as `authenticate` is: FastAPI runs other dependencies in a thread each.
    service: Service = request.app.state.service
    return service


LAST = 2**63 - 1
"""The largest step or event number a row can hold."""

Parts = Annotated[Service, Depends(_service)]


async def authenticate(request: Request) -> Caller:
    """The caller that the middleware found. Every route below /v1 depends on it, so no route is open by mistake."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        raise unauthorized()
    return caller


Authenticated = Annotated[Caller, Depends(authenticate)]


@dataclass(frozen=True)
class Window:
    """The requested page of a list: `limit` items after the cursor `after`."""

    limit: int
    after: str | None


def paged(
    prefix: str, is_listed: Callable[[Session, str], bool] = lambda _tx, _id: False, names: Iterable[str] = ()
) -> Any:
    """A dependency that gives the Window of a list whose cursors are ids with this prefix, or `names` if `is_listed`.

    It refuses (422) any other cursor. A cursor stays valid after its row is deleted.
    """

    def window(
        service: Parts,
        limit: Annotated[int, Query(ge=1, le=100, description="The number of items in the page.")] = 20,
        after: Annotated[
            str | None,
            Query(
                max_length=200,
                description="The `next` of the previous page; default: the first page.",
                json_schema_extra={"pattern": f"^({'|'.join([pattern(prefix), *names])})$"},
            ),
        ] = None,
    ) -> Window:
        if after is not None and not is_id(prefix, after):
            with service.database.reading() as tx:
                if not is_listed(tx, after):
                    message = (
                        f"'{after[:50]}' is not a cursor of this list; "
                        "give the `next` of the previous page, or leave it out for the first page"
                    )
                    raise invalid_parameter("after", "unknown_cursor", message)
        return Window(limit, after)

    return Depends(window)


def missing(what: str, name: str) -> Refused:
    return Refused(404, "not_found", f"there is no {what} '{name}'")
