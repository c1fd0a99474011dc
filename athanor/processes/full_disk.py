"""Errors of a full or missing disk. The job is not the cause, and a later retry can succeed."""

import errno
import os

CODE = "storage"
"""The error code of a job whose trainer had such an error."""

EXIT = os.EX_IOERR
"""The exit code of any other child process after such an error."""

# EIO is not included, because a retry does not make a broken sector readable.
_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENODEV}


def is_to_blame(error: BaseException) -> bool:
    """Whether a disk is full or missing, or a database is full. A SQLAlchemy error is judged by the driver's error.

    Sources: SQLSTATE 53100 of PostgreSQL's appendix A, SQLITE_FULL of SQLite's result codes.
    """
    if isinstance(error, OSError):
        return error.errno in _NUMBERS
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) == "53100" or getattr(cause, "sqlite_errorname", None) == "SQLITE_FULL"


def pass_on(code: int) -> None:
    """Raise OSError if a child process ended with EXIT."""
    if code == EXIT:
        raise OSError(errno.ENOSPC, "the disk of a child process is full or missing")
