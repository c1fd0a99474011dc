"""A disk that takes or has nothing just now: no fault of whoever wanted something kept, and over when it is mended."""

import errno
import os

CODE = "storage"
"""What a trainer calls such a failure."""

EXIT = os.EX_IOERR
"""How any other child process of ours ends after one."""

# Not EIO: a sector that cannot be read today cannot be read in a minute.
_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENODEV}


def is_to_blame(error: BaseException) -> bool:
    """Whether a file found no room or no disk, or a database no room: of SQLAlchemy's errors, the driver's tells.

    Sources: SQLSTATE 53100 of PostgreSQL's appendix A, SQLITE_FULL of SQLite's result codes.
    """
    if isinstance(error, OSError):
        return error.errno in _NUMBERS
    said = getattr(error, "orig", None)
    return getattr(said, "sqlstate", None) == "53100" or getattr(said, "sqlite_errorname", None) == "SQLITE_FULL"


def pass_on(code: int) -> None:
    """Raise OSError where a child process ended with EXIT."""
    if code == EXIT:
        raise OSError(errno.ENOSPC, "a child process found no room on the disk, or no disk")
