"""The weights: whole, in parts, checked, and only when they have changed."""

import base64
import hashlib

import httpx
import pytest
import torch
from safetensors.torch import load

from tests.api import kit
from tests.api.conftest import Trained


@pytest.fixture(scope="module")
def path(trained: Trained) -> str:
    return f"/v1/jobs/{trained.image}/checkpoints/last/weights"


@pytest.fixture(scope="module")
def whole(trained: Trained, path: str) -> bytes:
    return trained.client.get(path).content


def test_the_whole_file(trained: Trained, path: str, whole: bytes) -> None:
    answer = trained.client.get(path)
    digest = hashlib.sha256(whole)
    about = trained.client.get(path.removesuffix("/weights")).json()
    assert answer.status_code == 200 and answer.content == whole
    assert answer.headers["ETag"] == f'"{digest.hexdigest()}"' == f'"{about["sha256"]}"'
    assert answer.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert answer.headers["Content-Length"] == str(len(whole))
    assert answer.headers["Accept-Ranges"] == "bytes"
    named = f'attachment; filename="{trained.image}-step-{about["step"]}.safetensors"'
    assert answer.headers["Content-Disposition"] == named
    weights = next(file for file in about["files"] if file["name"] == "weights.safetensors")
    assert (weights["bytes"], weights["sha256"]) == (len(whole), digest.hexdigest())
    assert about["bytes"] == sum(file["bytes"] for file in about["files"])


def test_the_tensors(trained: Trained, whole: bytes) -> None:
    tensors = load(whole)
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        "linear.weight": (10, 64),
        "linear.bias": (10,),
    }
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    words = load(trained.client.get(f"/v1/jobs/{trained.text}/checkpoints/best/weights").content)
    assert tuple(words["embedding.weight"].shape)[1] == 8
    assert tuple(words["head.weight"].shape) == (2, 4 * 2)
    assert tuple(words["convs.1.weight"].shape) == (4, 8, 3)


def test_parameters_are_as_planned(trained: Trained) -> None:
    for job_id, hand in ((trained.table, 15), (trained.image, 650), (trained.regression, 11)):
        tensors = load(trained.client.get(f"/v1/jobs/{job_id}/checkpoints/best/weights").content)
        assert sum(tensor.numel() for tensor in tensors.values()) == hand


def test_head_is_get_without_a_body(trained: Trained, path: str) -> None:
    got, head = trained.client.get(path), trained.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    differ = {"x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in differ} == {
        name: value for name, value in got.headers.items() if name not in differ
    }


def test_head_knows_no_ranges(trained: Trained, path: str, whole: bytes) -> None:
    answer = trained.client.head(path, headers={"Range": "bytes=0-9"})
    assert answer.status_code == 200 and answer.headers["Content-Length"] == str(len(whole))


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("0-0", 0, 1), ("0-99", 0, 100), ("100-299", 100, 300), ("-50", -50, None), ("200-", 200, None), ("0-", 0, None)],
)
def test_a_part(trained: Trained, path: str, whole: bytes, wanted: str, start: int, stop: int | None) -> None:
    answer = trained.client.get(path, headers={"Range": f"bytes={wanted}"})
    assert answer.status_code == 206 and answer.content == whole[start:stop]
    first, last, _ = slice(start, stop).indices(len(whole))
    assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(whole)}"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["ETag"] == f'"{hashlib.sha256(whole).hexdigest()}"'


def test_parts_make_the_whole(live_trained: httpx.Client, path: str, whole: bytes) -> None:
    parts, etag = b"", live_trained.head(path).headers["ETag"]
    while len(parts) < len(whole):
        headers = {"Range": f"bytes={len(parts)}-{len(parts) + 699}", "If-Range": etag}
        answer = live_trained.get(path, headers=headers)
        assert answer.status_code == 206
        parts += answer.content
    assert parts == whole


def test_a_part_beyond_the_end(trained: Trained, path: str, whole: bytes) -> None:
    answer = trained.client.get(path, headers={"Range": f"bytes={len(whole)}-"})
    kit.problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(whole)}"


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "lines=1-2", "bytes=5-3", "bytes=0-" + "9" * 5000])
def test_ranges_of_other_kinds_give_the_whole(trained: Trained, path: str, whole: bytes, wanted: str) -> None:
    answer = trained.client.get(path, headers={"Range": wanted})
    assert answer.status_code == 200 and answer.content == whole


def test_a_part_of_the_same_file_only(trained: Trained, path: str, whole: bytes) -> None:
    etag = f'"{hashlib.sha256(whole).hexdigest()}"'
    same = trained.client.get(path, headers={"Range": "bytes=10-19", "If-Range": etag})
    assert (same.status_code, same.content) == (206, whole[10:20])
    for other in ('"another"', f"W/{etag}", "Sat, 21 Nov 2026 02:00:00 GMT"):
        answer = trained.client.get(path, headers={"Range": "bytes=10-19", "If-Range": other})
        assert (answer.status_code, answer.content) == (200, whole)


def test_nothing_new_is_304(trained: Trained, path: str, whole: bytes) -> None:
    etag = f'"{hashlib.sha256(whole).hexdigest()}"'
    for known in (etag, f'"a", {etag}', f"W/{etag}", "*"):
        for method in ("GET", "HEAD"):
            answer = trained.client.request(method, path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert trained.client.get(path, headers={"If-None-Match": '"a"'}).status_code == 200


def test_best_last_and_id(trained: Trained) -> None:
    for job_id in (trained.table, trained.image, trained.text, trained.regression):
        path = f"/v1/jobs/{job_id}/checkpoints"
        every = trained.client.get(path).json()["data"]
        assert len({each["id"] for each in every}) == len(every) >= 1
        last, best = trained.client.get(f"{path}/last").json(), trained.client.get(f"{path}/best").json()
        assert last == max(every, key=lambda each: each["step"])
        scored = [each for each in every if each["score"] is not None]
        assert best["score"] == min(each["score"] for each in scored)
        assert best["score"] == trained.client.get(f"/v1/jobs/{job_id}").json()["best"]["val/loss"]["value"]
        for each in every:
            assert trained.client.get(f"{path}/{each['id']}").json() == each
            content = trained.client.get(f"{path}/{each['id']}/weights").content
            assert hashlib.sha256(content).hexdigest() == each["sha256"]


def test_a_checkpoint_of_another_job_is_not_found(trained: Trained) -> None:
    mine = trained.client.get(f"/v1/jobs/{trained.table}/checkpoints/last").json()["id"]
    kit.problem(trained.client.get(f"/v1/jobs/{trained.image}/checkpoints/{mine}"), 404, "not_found")
    kit.problem(trained.client.get(f"/v1/jobs/{trained.image}/checkpoints/{mine}/weights"), 404, "not_found")


@pytest.mark.parametrize("fate", ["cut", "longer", "gone"])
def test_weights_that_are_not_all_there_are_refused_before_a_byte_is_sent(
    trained: Trained, path: str, whole: bytes, fate: str
) -> None:
    step = trained.client.get(path.removesuffix("/weights")).json()["step"]
    (file,) = trained.house.settings.data.glob(f"store/jobs/{trained.image}/*/step-{step}/weights.safetensors")
    try:
        file.unlink() if fate == "gone" else file.write_bytes(whole[:-1] if fate == "cut" else whole + b"\0")
        kit.problem(trained.client.get(path), 409, "corrupt_checkpoint")
        kit.problem(trained.client.get(path, headers={"Range": "bytes=0-9"}), 409, "corrupt_checkpoint")
        assert trained.client.head(path).status_code == 409
    finally:
        file.write_bytes(whole)
    assert trained.client.get(path).content == whole
