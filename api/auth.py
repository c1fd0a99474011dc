"""Authentication: every request below /v1 needs an API key, which is checked before the body is read."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api import schema
from api.deps import Service
from api.openapi import GUARDED
from api.problems import database_away, refuse, respond, unauthorized
from api.schema import WrongSchema
from models.records import keys
from models.records.database import DatabaseUnavailable
from models.records.keys import Caller


class Authentication:
    """Middleware that looks up the key of `Authorization: Bearer ath_…` and sets `request.state.caller`.

    The router requires that caller too (deps.authenticate): a path that this middleware misses still answers 401.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            return await self.app(scope, receive, send)
        request = Request(scope)
        try:
            caller = await run_in_threadpool(_find, request.app.state.service, request.headers.get("authorization", ""))
        except WrongSchema as error:
            return await respond(request, 503, "wrong_schema", str(error))(scope, receive, send)
        except DatabaseUnavailable as error:
            return await database_away(request, error)(scope, receive, send)
        if caller is None:
            return await refuse(request, unauthorized())(scope, receive, send)
        request.state.caller = caller
        await self.app(scope, receive, send)


def _find(service: Service, authorization: str) -> Caller | None:
    scheme, _, presented = authorization.partition(" ")
    if scheme.lower() != "bearer" or not presented:
        return None
    with service.database.reading() as tx:
        # In every request, because the database may be migrated while this process runs.
        schema.check(tx)
        return keys.find(tx, presented.strip())
