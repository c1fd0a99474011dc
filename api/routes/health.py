"""Whether the service lives, and whether it can do its work."""

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from api import schema
from api.deps import Parts
from api.schema import WrongSchema

router = APIRouter(tags=["health"])


@router.get("/healthz")
@router.head("/healthz", include_in_schema=False)
async def live() -> dict[str, str]:
    """The process answers."""
    # On the loop itself: threads that all wait for the database must not make a living process look dead.
    return {"status": "ok"}


@router.get("/readyz")
@router.head("/readyz", include_in_schema=False)
def ready(service: Parts, response: Response) -> dict[str, str]:
    """Database, storage and broker answer, and the database has the tables of this version.

    503 where a job could not be accepted; Redis away delays, no more.
    """

    def tables() -> None:
        with service.database.reading() as tx:
            schema.check(tx)

    checks = {"database": tables, "storage": service.store.check, "broker": service.broker.check}
    found: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
            found[name] = "ok"
        except WrongSchema as error:
            found[name] = str(error)
        except (OSError, SQLAlchemyError) as error:
            # A store may ask the database what it should hold.
            waits = isinstance(error, SQLAlchemyError) and found.get("database", "ok") != "ok"
            found[name] = "unknown: the database comes first" if waits else f"away: {type(error).__name__}"
    if found["database"] != "ok" or found["storage"] != "ok":
        response.status_code = 503
    return found
