"""Whether the service lives, and whether it can do its work."""

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from api.deps import Parts

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
    """Database, storage and broker answer. 503 where a job could not be accepted; Redis away delays, no more."""
    checks = {"database": service.database.ping, "storage": service.store.check, "broker": service.broker.check}
    found = {}
    for name, check in checks.items():
        try:
            check()
            found[name] = "ok"
        except (OSError, SQLAlchemyError) as error:
            found[name] = f"away: {type(error).__name__}"
    if found["database"] != "ok" or found["storage"] != "ok":
        response.status_code = 503
    return found
