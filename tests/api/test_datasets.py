"""Datasets: uploads in every shape of trouble, and what is left on disk after each."""

import errno
import hashlib
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from api.routes import datasets as routes
from api.uploads import Upload
from models.data import intake
from models.data.formats import FORMATS
from models.data.formats.limits import Limits as Bounds
from models.settings import Limits
from tests.api import kit
from tests.api.kit import Installation

CSV = b"length,width,kind\n1.5,2,a\n2.5,3,b\n3.5,4,a\n"


def test_an_upload(house: Installation, client: httpx.Client) -> None:
    answer = client.post("/v1/datasets", files={"file": ("leaves.csv", CSV)}, params={"name": "leaves"})
    found = answer.json()
    assert answer.status_code == 201 and answer.headers["Location"] == f"/v1/datasets/{found['id']}"
    assert found["id"].startswith("ds_")
    assert (found["name"], found["format"], found["rows"], found["bytes"]) == ("leaves", "csv", 3, len(CSV))
    assert found["sha256"] == hashlib.sha256(CSV).hexdigest()
    kinds = {column["name"]: column["kind"] for column in found["schema"]["columns"]}
    assert kinds == {"length": "number", "width": "number", "kind": "category"}
    assert client.get(answer.headers["Location"]).json() == found
    assert client.get("/v1/datasets").json()["data"] == [found]
    assert not [*house.settings.scratch.iterdir()]


def test_the_same_bytes_are_the_same_dataset(house: Installation, client: httpx.Client) -> None:
    first = kit.upload(client, "leaves.csv", CSV)
    before = house.kept()
    again = client.post("/v1/datasets", files={"file": ("other.csv", CSV)}, params={"name": "other"})
    assert (again.status_code, again.json()) == (200, first)
    assert again.headers["Location"] == f"/v1/datasets/{first['id']}"
    assert house.kept() == before


def test_the_same_bytes_at_the_same_time(house: Installation, client: httpx.Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(lambda _: client.post("/v1/datasets", files={"file": ("x.csv", CSV)}), range(4))]
    assert sorted({each.status_code for each in answers}) in ([200, 201], [201])
    assert sum(each.status_code == 201 for each in answers) == 1
    assert len({each.json()["id"] for each in answers}) == 1
    assert len([path for path in house.kept() if path.is_file()]) == 1
    assert client.get(f"/v1/datasets/{answers[0].json()['id']}/preview").status_code == 200


@pytest.mark.parametrize("rows", [1, 20_000], ids=["found when closed", "found when written"])
def test_an_upload_that_the_disk_has_no_room_for(
    house: Installation, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    before = house.kept()
    with monkeypatch.context() as full:
        # The device whose every write says that no space is left.
        full.setattr(routes, "Upload", lambda _path, limit: Upload(Path("/dev/full"), limit))
        answer = client.post("/v1/datasets", files={"file": ("leaves.csv", CSV * rows)})
    assert "have room made" in kit.problem(answer, 507, "storage_full")["detail"]
    assert house.kept() == before
    assert client.post("/v1/datasets", files={"file": ("leaves.csv", CSV)}).status_code == 201


def test_a_dataset_that_the_store_has_no_room_for(
    house: Installation, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    kit.problem(client.post("/v1/datasets", files={"file": ("leaves.csv", CSV)}), 507, "storage_full")
    assert [path for path in house.kept() if path.is_file()] == []
    assert client.get("/v1/datasets").json()["data"] == []


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("leaves.csv", "leaves.csv"),
        ("../../x.csv", "x.csv"),
        ("/etc/x.csv", "x.csv"),
        ("naïve €.csv", "naïve €.csv"),
        ("a b;c.csv", "a b;c.csv"),
        ("n" * 300 + ".csv", "n" * 196 + ".csv"),
        ("-o.csv", "-o.csv"),
    ],
)
def test_a_name_is_the_files_own(
    house: Installation, client: httpx.Client, filename: str, name: str, tmp_path: Path
) -> None:
    around = {path for path in tmp_path.rglob("*") if house.settings.data not in path.parents}
    assert kit.upload(client, filename, CSV)["name"] == name
    assert {path for path in tmp_path.rglob("*") if house.settings.data not in path.parents} == around
    assert not any("csv" in path.name for path in house.kept())


def archive(name: str, content: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr(name, content)
    return held.getvalue()


BROKEN = {
    "empty": ("x.csv", b""),
    "header alone": ("x.csv", b"a,b\n"),
    "not parquet": ("x.parquet", b"PAR1 and nothing else PAR1"),
    "not a zip": ("x.zip", b"PK\x03\x04 and nothing else"),
    "a zip of nothing known": ("x.zip", archive("readme.doc", b"hello")),
    "a zip that climbs": ("x.zip", archive("../../../evil.png", b"hello")),
    "not npz": ("x.npz", archive("x.npy", b"\x93NUMPY\x01\x00")),
    "pickles": (
        "x.npz",
        archive("x.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"),
    ),
    "not json": ("x.jsonl", b'{"a": 1}\n{nope\n'),
    "a program": ("x.exe", b"MZ\x90\x00" + bytes(64)),
    "no format at all": ("x", b"\x00\x01\x02\x03" * 64),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_broken_file_leaves_nothing(house: Installation, client: httpx.Client, case: str) -> None:
    before = house.kept()
    found = kit.problem(client.post("/v1/datasets", files={"file": BROKEN[case]}), 422, "data")
    assert str(house.settings.data) not in found["detail"]
    assert house.kept() == before
    assert client.get("/v1/datasets").json()["data"] == []


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ({}, b"", "malformed_form"),
        (kit.JSON, b"{}", "malformed_form"),
        ({"Content-Type": "text/csv"}, CSV, "malformed_form"),
        ({"Content-Type": "multipart/form-data"}, CSV, "malformed_form"),
        (FORM, b"", "malformed_form"),
        (FORM, b"--b--\r\n", "missing_file"),
        (FORM, CSV, "malformed_form"),
        (
            FORM,
            b'--b\r\nContent-Disposition: form-data; name="other"; filename="x.csv"\r\n\r\na\r\n--b--\r\n',
            "missing_file",
        ),
        (FORM, b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + b"x" * 10_000, "malformed_form"),
        (FORM, b"--b\r\n" + b"X-Header: x\r\n" * 1_000, "malformed_form"),
        (FORM, b"x" * 1_000_000, "malformed_form"),
        (FORM, b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\na,b\r\n--b--\r\n', "missing_file"),
    ],
)
def test_what_is_no_form_with_a_file(
    house: Installation, client: httpx.Client, headers: dict[str, str], content: bytes, code: str | None
) -> None:
    kit.problem(client.post("/v1/datasets", content=content, headers=headers), 400, code)
    assert not house.kept() - {house.settings.data / "store"}


def test_a_form_that_breaks_off_is_no_dataset(house: Installation, client: httpx.Client) -> None:
    """Half a file would be rows without end, or with a number cut in two."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
    kit.problem(client.post("/v1/datasets", content=head + CSV, headers=FORM), 400, "malformed_form")
    assert not house.kept() - {house.settings.data / "store"}


def test_a_form_with_two_files_is_no_dataset(house: Installation, client: httpx.Client) -> None:
    two = [("file", ("x.csv", CSV)), ("file", ("y.csv", CSV))]
    kit.problem(client.post("/v1/datasets", files=two), 400, "several_parts")
    named = {"file": ("x.csv", CSV), "name": (None, b"flowers")}
    kit.problem(client.post("/v1/datasets", files=named), 400, "several_parts")
    assert not house.kept() - {house.settings.data / "store"}


def test_an_upload_over_the_limit(tmp_path: Path) -> None:
    limits = Limits(max_upload_bytes=100_000)
    with kit.installation(tmp_path / "data", limits=limits) as house, house.client() as client:
        before = house.kept()
        just_over = {"file": ("x.csv", b"a,b\n" + b"1,2\n" * 25_000)}
        found = kit.problem(client.post("/v1/datasets", files=just_over), 413, "over_limit")
        assert "max_upload_bytes = 100,000" in found["detail"]
        far_over = {"file": ("x.csv", b"a,b\n" + b"1,2\n" * 100_000)}
        kit.problem(client.post("/v1/datasets", files=far_over), 413, "over_limit")
        pieces = iter(
            [b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'] + [CSV * 50] * 90
        )
        kit.problem(client.post("/v1/datasets", content=pieces, headers=FORM), 413, "over_limit")
        assert house.kept() == before
        assert kit.upload(client, "x.csv", CSV)["rows"] == 3


def test_a_preview(client: httpx.Client) -> None:
    dataset = kit.upload(client, "leaves.csv", CSV)
    found = client.get(f"/v1/datasets/{dataset['id']}/preview?rows=2").json()
    assert found == {"columns": ["length", "width", "kind"], "rows": [[1.5, 2, "a"], [2.5, 3, "b"]]}
    assert len(client.get(f"/v1/datasets/{dataset['id']}/preview").json()["rows"]) == 3
    pictures = client.get("/v1/datasets/digits/preview?rows=1").json()
    assert len(pictures["rows"]) == 1 and "8" in str(pictures["rows"][0])


def _images() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for at in range(4):
            picture = io.BytesIO()
            Image.new("L", (5, 4), at).save(picture, "PNG")
            archive.writestr(f"{at % 2}/{at}.png", picture.getvalue())
    return buffer.getvalue()


def test_the_service_parses_nothing_of_a_file(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The children are forked from a process of their own, so they still can."""
    images = _images()
    table = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), table)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    monkeypatch.setattr(pq, "ParquetFile", None)
    monkeypatch.setattr(Image, "open", None)
    for name, content, rows in (
        ("a.zip", images, [["4×5×1 image", "0"]]),
        ("a.parquet", table.getvalue(), [[1, "x"]]),
    ):
        dataset = kit.upload(client, name, content)
        assert client.get(f"/v1/datasets/{dataset['id']}/preview?rows=1").json()["rows"] == rows
        again = client.post("/v1/datasets", files={"file": (name, content)})
        assert (again.status_code, again.json()) == (200, dataset)
    kit.problem(client.post("/v1/datasets", files={"file": ("a.zip", images[:-30])}), 422, "data")


def test_a_preview_is_short(client: httpx.Client) -> None:
    texts = b"".join(b"%d %s,a\n" % (at, b"x" * 9999) for at in range(99))
    long = kit.upload(client, "long.csv", b"text,label\n" + texts)
    rows = client.get(f"/v1/datasets/{long['id']}/preview?rows=99").json()["rows"]
    assert len(rows) == 99 and rows[7] == ["7 " + "x" * 998 + "…", "a"]
    names = [f"{at:0150}" for at in range(1990)]
    wide = "\n".join([",".join(names), *(",".join(["word " * 9] * len(names)) for _ in range(30))])
    answer = client.get(f"/v1/datasets/{kit.upload(client, 'wide.csv', wide.encode())['id']}/preview?rows=30")
    shown = answer.json()
    assert len(answer.content) < 300_000
    assert 500 < len(shown["columns"]) < 1000 and shown["columns"] == names[: len(shown["columns"])]
    assert 1 < len(shown["rows"]) < 30 and {len(row) for row in shown["rows"]} == {len(shown["columns"])}


def test_an_upload_waits_for_others_for_a_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_read, goes_on = Event(), Event()

    def read_slowly(*given: Any, **how: Any) -> intake.Intake:
        is_read.set()
        assert goes_on.wait(60)
        return replace(intake.ingest(FORMATS["csv"](given[0], Bounds()), given[2]), format="csv")

    monkeypatch.setattr(intake, "run", read_slowly)
    few = Limits(max_intakes=1, intake_seconds=1)
    with kit.installation(tmp_path / "data", limits=few) as house, house.client() as client:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(kit.upload, client, "first.csv", CSV)
            assert is_read.wait(60)
            refused = client.post("/v1/datasets", files={"file": ("second.csv", CSV + b"5,6,b\n")})
            kit.problem(refused, 503, "busy")
            assert refused.headers["Retry-After"] == "5"
            assert client.get("/v1/datasets").json()["data"] == [], "others are served meanwhile"
            goes_on.set()
            assert first.result()["rows"] == 3
        assert kit.upload(client, "second.csv", CSV + b"5,6,b\n")["rows"] == 4, "the slot was given back"
        assert not [*house.settings.scratch.iterdir()]


def test_a_built_in_set_appears_when_it_is_asked_for(client: httpx.Client) -> None:
    assert client.get("/v1/datasets").json()["data"] == []
    found = client.get("/v1/datasets/iris").json()
    assert (found["id"], found["format"], found["rows"]) == ("iris", "built-in", 150)
    assert client.get("/v1/datasets").json()["data"] == [found]
    assert client.get("/v1/datasets/iris").json() == found


def test_a_built_in_set_asked_for_by_many_at_once(house: Installation, client: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: client.get("/v1/datasets/wine"), range(8))]
    assert {each.status_code for each in answers} == {200}
    assert len({each.text for each in answers}) == 1
    assert len([path for path in house.kept() if path.is_file()]) == 1


@pytest.mark.parametrize("builtin", [False, True])
def test_a_dataset_that_no_job_names_can_go(house: Installation, client: httpx.Client, builtin: bool) -> None:
    dataset_id = "iris" if builtin else kit.upload(client, "leaves.csv", CSV)["id"]
    assert client.get(f"/v1/datasets/{dataset_id}").status_code == 200
    answer = client.delete(f"/v1/datasets/{dataset_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not [path for path in house.kept() if path.is_file()]
    kit.problem(client.delete(f"/v1/datasets/{dataset_id}"), 404, "not_found")
    if builtin:
        assert client.get("/v1/datasets/iris").status_code == 200
    else:
        kit.problem(client.get(f"/v1/datasets/{dataset_id}"), 404, "not_found")
        assert kit.upload(client, "leaves.csv", CSV)["id"] != dataset_id


def test_a_dataset_in_use_stays(client: httpx.Client) -> None:
    job_id = kit.submit(client)
    found = kit.problem(client.delete("/v1/datasets/iris"), 409, "in_use")
    assert job_id in found["detail"]
    client.post(f"/v1/jobs/{job_id}/cancel")
    kit.problem(client.delete("/v1/datasets/iris"), 409, "in_use")
    client.delete(f"/v1/jobs/{job_id}")
    assert client.delete("/v1/datasets/iris").status_code == 204
