"""What a child left in its folder: a stranger's code may have made anything there."""

import errno
import logging
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)


def check_file(path: Path, most: int) -> None:
    """Raises OSError unless `path` is a regular file of at most `most` bytes. Call it after the child has ended.

    A link could lead to a secret, and a pipe would be read for ever.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a child process left something else than a file", str(path))
    if found.st_size > most:
        raise OSError(errno.EFBIG, "a child process left too large a file", str(path))


@contextmanager
def scratch_folder(parent: Path, prefix: str = "tmp") -> Iterator[Path]:
    """A folder for the time of the block, whatever is made in it."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it. What cannot be removed is logged."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        # Nested too deeply for a recursive function, or for a path.
        command = ["rm", "-rf", "--", str(folder)]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        if os.path.lexists(folder):
            logger.warning("the folder %s could not be removed", folder)
