"""`python -m worker.serve`: the worker this installation needs, under Celery where there is a Redis, else local."""

import os
import sys

from models.settings import Settings


def main() -> None:
    """Become that worker. Further arguments go to it."""
    if Settings().redis_url is None:
        command = ["-m", "worker.local"]
    else:
        command = ["-m", "celery", "-A", "worker.app", "worker", "--without-gossip", "--without-mingle"]
    os.execv(sys.executable, [sys.executable, *command, *sys.argv[1:]])


if __name__ == "__main__":
    main()
