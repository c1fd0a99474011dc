"""Authentication: every request below /v1 needs an API key, which is checked before the body is read."""

import asyncio
from collections.abc import Collection

from anyio import CapacityLimiter, to_thread
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

LOOK_UPS = 4
"""Look-ups at the same time. There are several because one may have to wait for a database that does not answer."""


class Authentication:
    """Middleware that looks up the key of `Authorization: Bearer ath_…` and sets `request.state.caller`.

    The router requires that caller too (deps.authenticate): a path that this middleware misses still answers 401.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._limiter = CapacityLimiter(LOOK_UPS)
        self._running = 0
        self._tasks = set[asyncio.Task[None]]()
        self._asked: dict[str, asyncio.Future[Caller | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            return await self.app(scope, receive, send)
        request = Request(scope)
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        try:
            is_key = scheme.lower() == "bearer" and presented
            caller = await self._caller(request.app.state.service, presented.strip()) if is_key else None
        except WrongSchema as error:
            return await respond(request, 503, "wrong_schema", str(error))(scope, receive, send)
        except DatabaseUnavailable as error:
            return await database_away(request, error)(scope, receive, send)
        if caller is None:
            return await refuse(request, unauthorized())(scope, receive, send)
        request.state.caller = caller
        await self.app(scope, receive, send)

    async def _caller(self, service: Service, presented: str) -> Caller | None:
        """The owner of a key. Requests that arrive while LOOK_UPS are running share the next: no answer is kept.

        Hundreds of requests that come together would otherwise take a thread and a transaction each.
        """
        found = self._asked.setdefault(presented, asyncio.get_running_loop().create_future())
        if self._running < LOOK_UPS:
            self._running += 1
            task = asyncio.create_task(self._look_up(service))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        # A caller that hangs up must not end the look-up for the others.
        return await asyncio.shield(found)

    async def _look_up(self, service: Service) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, {}
                try:
                    callers = await to_thread.run_sync(_find, service, asked, limiter=self._limiter)
                except Exception as error:
                    for found in asked.values():
                        found.set_exception(error)
                else:
                    for presented, found in asked.items():
                        found.set_result(callers[presented])
        finally:
            # Here, and not when the task is done: a request that comes in between would wait for ever.
            self._running -= 1


def _find(service: Service, presented: Collection[str]) -> dict[str, Caller | None]:
    with service.database.reading() as tx:
        # In every look-up, because the database may be migrated while this process runs.
        schema.check(tx)
        return {each: keys.find(tx, each) for each in presented}
