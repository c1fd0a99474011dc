"""`python -m worker.serve`: start a Celery worker if Redis is configured, else a local worker."""

import os
import sys

from models.settings import Settings


def main() -> None:
    """Replace this process with the worker, which gets all arguments."""
    if Settings().redis_url is None:
        command = ["-m", "worker.local"]
    else:
        command = ["-m", "celery", "-A", "worker.app", "worker", "--without-gossip", "--without-mingle"]
    os.execv(sys.executable, [sys.executable, *command, *sys.argv[1:]])


if __name__ == "__main__":
    main()
