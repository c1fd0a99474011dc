"""HTTP requests to the service. They are repeated if that is safe, and error answers raise exceptions."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import IO, Any

import httpx

from athanor.errors import AthanorError, Unreachable, error_of
from athanor.transport.address import is_local
from athanor.transport.outage import RetryPolicy
from athanor.version import __version__

FEW = RetryPolicy()
ONCE = RetryPolicy(attempts=1)
SHORTEST = 1.0
"""The least timeout of a request in seconds, also shortly before the deadline."""
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout)
BUSY = frozenset({429, 502, 503, 504})


def backoff(attempt: int) -> float:
    """Seconds to wait after attempt `attempt`, from 0: 0.1 doubled each time, at most 5, with random jitter."""
    return min(5.0, 0.1 * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)  # nosec B311 # jitter is no secret


class Transport:
    """Sends requests to one service. It is thread-safe."""

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        self.url = url
        self.timeout = timeout
        self.has_answered = False
        headers = {"User-Agent": f"athanor/{__version__}"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            # Requests to this machine must not go to the proxy in the environment.
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=not is_local(url))
        except (httpx.InvalidURL, ValueError) as error:
            raise AthanorError(f"the address {url} or the key is malformed: {error}") from error

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Mapping[str, tuple[str, IO[bytes]]] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        repeatable: bool | None = None,
        retry: RetryPolicy = FEW,
    ) -> httpx.Response:
        """Send a request and return the complete response. Raises AthanorError if it is an error.

        GET and HEAD are repeated if the connection breaks or the service is busy. Other methods are repeated only with
        `repeatable`, or if nothing was sent. `retry` says how often.
        """
        again = method in {"GET", "HEAD"} if repeatable is None else repeatable
        # Pass None, because an empty dict would remove the query in the path.
        asked = {name: value for name, value in (params or {}).items() if value is not None} or None
        for attempt in count():
            cause: httpx.RequestError | None = None
            try:
                response = self._http.request(
                    method,
                    path,
                    params=asked,
                    json=json,
                    files=files,
                    headers=headers,
                    timeout=max(SHORTEST, retry.within(timeout or self.timeout)),
                )
            except httpx.RequestError as broken:
                cause = broken
                error: AthanorError = self._unreachable(broken)
                may_repeat, pause = again or isinstance(broken, UNSENT), backoff(attempt)
            else:
                is_busy = response.status_code in BUSY
                self.has_answered = self.has_answered or not is_busy
                if response.is_success:
                    if attempt:
                        retry.tell(None)
                    return response
                error = error_of(response.status_code, response.content)
                may_repeat, pause = again and is_busy, _retry_after(response) or backoff(attempt)
            if not may_repeat or retry.is_over(attempt, self.has_answered):
                raise error from cause
            retry.tell(error)
            time.sleep(retry.within(pause))
        raise AssertionError("count() has no end")

    @contextmanager
    def open(
        self,
        path: str,
        *,
        headers: Mapping[str, str],
        timeout: float | None = None,
        method: str = "GET",
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, tuple[str, IO[bytes]]] | None = None,
    ) -> Iterator[httpx.Response]:
        """A response as a stream. A broken connection raises Unreachable, also inside the `with` block."""
        wait = timeout or self.timeout
        try:
            with self._http.stream(method, path, params=params, files=files, headers=headers, timeout=wait) as response:
                if not response.is_success:
                    raise error_of(response.status_code, response.read())
                yield response
        except httpx.RequestError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.RequestError) -> Unreachable:
        return Unreachable(self.url, str(error) or type(error).__name__, refused=isinstance(error, UNSENT))


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(10.0, max(0.0, float(response.headers.get("Retry-After", "0"))))
    except ValueError:
        return 0.0
