"""Private files: what the service writes, only its own user can read."""

import os
import stat
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """From here on, this process and those that it starts make files and folders that only their user can open."""
    os.umask(OTHERS)


def tighten(folder: Path) -> int:
    """Take the rights of others from everything in `folder` that this user owns. Returns how many had some."""
    loose = 0
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            try:
                found = os.stat(path, follow_symlinks=False)
                if not stat.S_ISLNK(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & OTHERS:
                    os.chmod(path, stat.S_IMODE(found.st_mode) & ~OTHERS)
                    loose += 1
            except FileNotFoundError:
                # It was deleted meanwhile.
                continue
    return loose
