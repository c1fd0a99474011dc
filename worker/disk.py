"""Failures that are the disk's, and no fault of the job: once there is room the same may succeed."""

import errno

CODE = "storage"
"""What a trainer calls such a failure."""

# Not EIO: a sector that cannot be read today cannot be read in a minute.
_TROUBLES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def is_to_blame(error: Exception) -> bool:
    """Whether the disk, or whatever keeps the files, takes no more."""
    return isinstance(error, OSError) and error.errno in _TROUBLES
