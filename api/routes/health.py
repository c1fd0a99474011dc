"""Health: whether the process is alive, and whether the service can accept jobs."""

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from api import schema
from api.deps import Parts
from api.schema import WrongSchema
from athanor.processes import confinement

router = APIRouter(tags=["health"])


@router.get("/healthz")
@router.head("/healthz", include_in_schema=False)
async def live() -> dict[str, str]:
    """Liveness: the answer is 200 while the process runs."""
    # Async, so it needs no thread: it answers even if all threads wait for the database.
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": dict[str, str], "description": "The service cannot accept jobs."}})
@router.head("/readyz", include_in_schema=False)
def ready(service: Parts, response: Response) -> dict[str, str]:
    """Readiness: the state of the database, its schema, the storage, the broker and the sandbox.

    The answer is 503 while the service cannot accept jobs. Without the broker it accepts them, and they start later.
    `sandbox` names what the kernel cannot prevent in the processes that work on untrusted input.
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
            # Some stores use the database, so their check fails with it.
            waits = isinstance(error, SQLAlchemyError) and found.get("database", "ok") != "ok"
            found[name] = "unknown: needs the database" if waits else f"unavailable: {type(error).__name__}"
    if found["database"] != "ok" or found["storage"] != "ok":
        response.status_code = 503
    missing = confinement.missing()
    return found | {"sandbox": f"this kernel cannot prevent {', '.join(missing)}" if missing else "ok"}
