"""A watch that cannot see says so, and its own failures count."""

import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import psutil

from tests.hostile.watch import Watch
from tests.servers import free_port


class _Slow(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(0.2)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_somebody_else_waits() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Slow)
    Thread(target=server.serve_forever, daemon=True).start()
    with Watch(psutil.Process(), server.server_port) as watch:
        time.sleep(0.1)
    server.shutdown()
    server.server_close()
    assert watch.failures == [] and watch.wait >= 0.2


def test_nobody_answers() -> None:
    with Watch(psutil.Process(), free_port()) as watch:
        time.sleep(0.1)
    assert len(watch.failures) == 1 and "not answered" in watch.failures[0]


def test_the_service_ends() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with process, Watch(psutil.Process(process.pid), free_port()) as watch:
        process.kill()
        process.wait()
        time.sleep(0.1)
    assert "the process of the service has ended" in watch.failures
