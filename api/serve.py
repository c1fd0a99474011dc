"""`python -m api.serve`: the API alone, for PostgreSQL and Redis. Workers run elsewhere."""

import argparse

from uvicorn.supervisors import Multiprocess

from api import front
from athanor.processes.private_files import keep_private


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="athanor api", description="Start the API. Workers run elsewhere.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8500, help="port to listen on (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="processes that answer (default: %(default)s)")
    chosen = parser.parse_args()
    keep_private()
    config = front.config(chosen.host, chosen.port, workers=chosen.processes)
    if chosen.processes > 1:
        return Multiprocess(config, [config.bind_socket()]).run()
    front.load(config)
    front.Server(config).run()


if __name__ == "__main__":
    main()
