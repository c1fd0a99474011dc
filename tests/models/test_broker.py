"""A ring as it lies in Redis, and what happens where nobody listens."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from models.broker import TASK, Broker
from models.settings import Settings
from tests import servers

QUEUE = "athanor"


def broker(redis_url: str | None) -> Broker:
    return Broker(Settings(data=Path("unused"), redis_url=redis_url))


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """The Redis behind `redis_url`, its queue empty before and after."""
    with Redis.from_url(redis_url) as client:
        client.delete(QUEUE)
        yield client
        client.delete(QUEUE)


def test_a_ring_is_a_message_in_json(redis: Redis, redis_url: str) -> None:
    assert broker(redis_url).ring("job_1")
    (raw,) = redis.lrange(QUEUE, 0, -1)
    message = json.loads(raw)
    assert message["content-type"] == "application/json"
    assert message["headers"]["task"] == TASK == "worker.tasks.train"
    args, kwargs, embedded = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == ([], {"message": {"v": 1, "job_id": "job_1"}})
    assert not any(embedded.values())
    assert not redis.keys("celery-task-meta-*")


def test_every_ring_is_a_message_of_its_own(redis: Redis, redis_url: str) -> None:
    rings = broker(redis_url)
    assert all(rings.ring(job_id) for job_id in ["job_1", "job_2", "job_1"])
    assert redis.llen(QUEUE) == 3


def test_without_redis_nobody_is_rung() -> None:
    silent = broker(None)
    assert not silent.ring("job_1")
    silent.check()


def test_a_ring_waits_for_nobody_where_redis_is_away(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.broker.QUIET", 1.0)
    with servers.Redis() as server:
        rings = broker(server.url)
        assert rings.ring("job_1")
        rings.check()
        server.stop()
        began = time.monotonic()
        assert not rings.ring("job_2")
        assert time.monotonic() - began < 3
        assert "job_2 waits for a sweep" in caplog.text
        began = time.monotonic()
        with pytest.raises(OSError, match="Redis does not answer"):
            rings.check()
        assert time.monotonic() - began < 5
        assert server.password not in caplog.text
        server.start()
        rings.check()
        time.sleep(1.0)
        assert rings.ring("job_3")
        with Redis.from_url(server.url) as client:
            assert client.llen(QUEUE) == 2


def test_a_redis_that_says_nothing_costs_one_request_two_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rings = broker(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        took = []
        for _ in range(100):
            began = time.monotonic()
            assert not rings.ring("job_1")
            took.append(time.monotonic() - began)
    assert took[0] < 5 and sum(took[1:]) < 1


def test_a_wrong_password_is_a_broker_away() -> None:
    with servers.Redis() as server:
        rings = broker(server.url.replace(server.password, "wrong"))
        assert not rings.ring("job_1")
        with pytest.raises(OSError, match="Redis does not answer"):
            rings.check()
