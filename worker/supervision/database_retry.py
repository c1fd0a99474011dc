"""Retries of database calls while the database is unavailable."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from models.records.database import Database, DatabaseUnavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")

LONGEST_OUTAGE = 600.0
"""Seconds after which a call is not repeated again."""


class DatabaseRetry:
    """Repeats calls during an outage of the database. `job_id` is used in the log."""

    def __init__(self, database: Database, job_id: str) -> None:
        self.database, self.job_id = database, job_id

    def call(self, function: Callable[[], T]) -> T:
        """Call `function`, several times if needed, until the database answers. Returns its result.

        Raises the error (one of DatabaseUnavailable) after LONGEST_OUTAGE seconds.
        """
        until = time.monotonic() + LONGEST_OUTAGE
        while True:
            try:
                return function()
            except DatabaseUnavailable as error:
                if time.monotonic() > until:
                    raise
                self._warn(error)
                time.sleep(1)

    def commit(self, write: Callable[[Session], None]) -> None:
        """Run `write` in a transaction that must not be lost. It may run several times, so it must be idempotent."""

        def transaction() -> None:
            with self.database.writing() as tx:
                write(tx)

        self.call(transaction)

    def once(self, function: Callable[[], None]) -> None:
        """Call `function` once, and only log if the database is unavailable: a later call replaces this one."""
        try:
            function()
        except DatabaseUnavailable as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        logger.warning("%s: the database is unavailable (%s)", self.job_id, error)
