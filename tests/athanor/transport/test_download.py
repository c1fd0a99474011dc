"""Weights arrive whole and right, or not at all."""

from pathlib import Path

import pytest

from athanor import Client, DigestMismatch, NotFound
from tests.athanor.stub import Reply, Stub, weights

SOURCE = "/v1/jobs/job_1/checkpoints/best/weights"
BODY = bytes(range(256)) * 20_000


def _serve(stub: Stub, body: bytes = BODY, sha256: str | None = None, breaks_at: int | None = None) -> None:
    answer = weights(body, sha256, breaks_at)
    stub.on("GET", SOURCE, answer)
    stub.on("HEAD", SOURCE, answer)


def test_pull_writes_the_file_and_tells_its_progress(stub: Stub, client: Client, tmp_path: Path) -> None:
    _serve(stub)
    seen: list[tuple[int, int | None]] = []
    path = client.pull("job_1", tmp_path / "w.safetensors", progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]
    assert [asked.method for asked in stub.asked] == ["GET"]


def test_pull_into_a_folder_names_the_file(stub: Stub, client: Client, tmp_path: Path) -> None:
    _serve(stub)
    assert client.pull("job_1", tmp_path).name == "job_1-best.safetensors"


def test_a_part_from_before_is_continued(stub: Stub, client: Client, tmp_path: Path) -> None:
    _serve(stub)
    (tmp_path / "w.part").write_bytes(BODY[:1_000_000])
    assert client.pull("job_1", tmp_path / "w").read_bytes() == BODY
    head, get = stub.asked
    assert head.method == "HEAD"
    assert get.headers["range"] == "bytes=1000000-"
    assert get.headers["if-range"].strip('"') == client.digest("job_1")


def test_a_connection_that_breaks_is_taken_up_again(stub: Stub, client: Client, tmp_path: Path) -> None:
    _serve(stub, breaks_at=3_000_000)
    assert client.pull("job_1", tmp_path / "w").read_bytes() == BODY
    assert [asked.headers.get("range") for asked in stub.asked] == [None, "bytes=3000000-"]


def test_a_part_that_is_whole_only_needs_its_name(stub: Stub, client: Client, tmp_path: Path) -> None:
    _serve(stub)
    (tmp_path / "w.part").write_bytes(BODY)
    assert client.pull("job_1", tmp_path / "w").read_bytes() == BODY
    assert [asked.method for asked in stub.asked] == ["HEAD"]


@pytest.mark.parametrize(
    "left", [b"x" * 1000, b"x" * len(BODY), b"x" * (len(BODY) + 1)], ids=["short", "equal", "long"]
)
def test_a_part_of_other_weights_is_begun_again(stub: Stub, client: Client, tmp_path: Path, left: bytes) -> None:
    _serve(stub)
    (tmp_path / "w.part").write_bytes(left)
    assert client.pull("job_1", tmp_path / "w").read_bytes() == BODY


def test_a_wrong_digest_leaves_nothing(stub: Stub, client: Client, tmp_path: Path) -> None:
    _serve(stub, sha256="ab" * 32)
    with pytest.raises(DigestMismatch, match="abababab"):
        client.pull("job_1", tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_digest_keeps_the_file_that_was_there(stub: Stub, client: Client, tmp_path: Path) -> None:
    _serve(stub, sha256="ab" * 32)
    (tmp_path / "w").write_bytes(b"older and right")
    with pytest.raises(DigestMismatch):
        client.pull("job_1", tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == b"older and right"


def test_bytes_without_a_promise_are_not_taken(stub: Stub, client: Client, tmp_path: Path) -> None:
    stub.on("GET", SOURCE, Reply(200, BODY, {"ETag": '"v1"'}))
    with pytest.raises(DigestMismatch, match="states no SHA-256"):
        client.pull("job_1", tmp_path / "w")


def test_no_such_checkpoint(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        client.pull("job_1", tmp_path / "w", checkpoint="ckpt_9")
    assert list(tmp_path.iterdir()) == []


def test_an_export_comes_the_same_way(stub: Stub, client: Client, tmp_path: Path) -> None:
    answer = weights(BODY)
    source = "/v1/jobs/job_1/checkpoints/last/export"
    stub.on("GET", source, answer)
    stub.on("HEAD", source, answer)
    assert client.export("job_1", "last", "bundle", tmp_path).name == "job_1-last.zip"
    (tmp_path / "m.onnx.part").write_bytes(BODY[:1000])
    assert client.export("job_1", "last", "onnx", tmp_path / "m.onnx").read_bytes() == BODY
    assert [(asked.method, asked.query["format"]) for asked in stub.asked] == [
        ("GET", ["bundle"]),
        ("HEAD", ["onnx"]),
        ("GET", ["onnx"]),
    ]
    assert stub.asked[-1].headers["range"] == "bytes=1000-"
