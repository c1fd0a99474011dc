"""Failures that are the disk's, and no fault of the job: once there is room the same may succeed."""

import errno

CODE = "storage"
"""What a trainer calls such a failure."""

_TROUBLES = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}


def is_to_blame(error: Exception) -> bool:
    """Whether the disk, or whatever keeps the files, is full or broken."""
    return isinstance(error, OSError) and error.errno in _TROUBLES
