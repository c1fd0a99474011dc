"""A disk that takes no more: no fault of whoever wanted something kept, and over once there is room."""

import errno

CODE = "storage"
"""What a trainer calls such a failure."""

# Not EIO: a sector that cannot be read today cannot be read in a minute.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def is_full(error: BaseException) -> bool:
    """Whether a file found no room, or a database none for its own: of SQLAlchemy's errors, the driver's tells.

    Sources: SQLSTATE 53100 of PostgreSQL's appendix A, SQLITE_FULL of SQLite's result codes.
    """
    if isinstance(error, OSError):
        return error.errno in _FULL
    said = getattr(error, "orig", None)
    return getattr(said, "sqlstate", None) == "53100" or getattr(said, "sqlite_errorname", None) == "SQLITE_FULL"
