"""A real browser for tests: the system's Chromium without a window. It notes what a page asks for and complains of."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Error, Page, Request, sync_playwright

from tests.servers import unavailable

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 20_000.0
"""Milliseconds that an element may take to appear."""


@dataclass(frozen=True)
class Seen:
    """What a page did since it was opened."""

    requests: list[str] = field(default_factory=list)
    """URLs, but for those of `data:`."""
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, and exceptions. A breach of the content policy is among them."""

    def elsewhere(self, origin: str) -> list[str]:
        """Requests to any other origin than this URL."""
        return [url for url in self.requests if not url.startswith(f"{origin.rstrip('/')}/")]


@contextmanager
def page(width: int = 1280, height: int = 900) -> Iterator[tuple[Page, Seen]]:
    """An empty page of a new browser without a profile."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        unavailable(f"no browser is installed: one of {', '.join(PROGRAMS)}")
    # Chromium refuses to run as root with its sandbox. A container's /dev/shm can be too small for it.
    options = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=options)
        try:
            opened, seen = browser.new_page(viewport={"width": width, "height": height}), Seen()
            opened.set_default_timeout(PATIENCE)

            def note(request: Request) -> None:
                if not request.url.startswith("data:"):
                    seen.requests.append(request.url)

            def hear(message: ConsoleMessage) -> None:
                if message.type in ("error", "warning"):
                    seen.complaints.append(message.text)

            def fail(error: Error) -> None:
                seen.complaints.append(error.message)

            opened.on("request", note)
            opened.on("console", hear)
            opened.on("pageerror", fail)
            yield opened, seen
        finally:
            browser.close()
