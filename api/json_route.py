"""Routes whose JSON bodies are parsed in a thread, within bounds. FastAPI parses them on the event loop."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from anyio import to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.problems import Refused
from models.json_body import MalformedJson, TooManyValues, parse

MOST_VALUES = 20_000
"""Values and keys of a body. FastAPI validates them on the event loop."""


class JsonRequest(Request):
    async def json(self) -> Any:
        """The value of the body. Raises Refused (413), and JSONDecodeError, for which FastAPI has an answer."""
        if not hasattr(self, "_json"):
            body = await self.body()
            try:
                self._json = await to_thread.run_sync(parse, body, MOST_VALUES)
            except TooManyValues as error:
                raise Refused(413, "over_limit", str(error)) from error
            except MalformedJson as error:
                raise json.JSONDecodeError(str(error), "", 0) from error
        return self._json


class JsonRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json
