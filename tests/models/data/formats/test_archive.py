"""Hostile zips."""

import io
import stat
import zipfile
from collections.abc import Callable
from copy import copy
from pathlib import Path

import pytest

from models.data.formats.archive import Archive
from models.data.formats.limits import Limits, OverLimit
from models.errors import DataError
from tests.files import misplaced, shifted, zipped


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _link(path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")


def _encrypted(path: Path) -> None:
    _zip(path, {"secret": b"abc"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: _zip(path, {"../evil": b""}), "not contain '..'"),
        (lambda path: _zip(path, {"/evil": b""}), "must be relative"),
        (lambda path: _zip(path, {"a\\..\\evil": b""}), "must be relative"),
        (lambda path: _zip(path, {"C:/evil": b""}), "must be relative"),
        (_link, "is a link"),
        (_encrypted, "is encrypted"),
        (lambda path: path.write_bytes(b"PK\x03\x04 and nothing"), "zip archive cannot be read"),
    ],
)
def test_hostile_members_are_refused(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "a.zip")
    with pytest.raises(DataError, match=message):
        Archive(tmp_path / "a.zip", Limits())


def test_a_bomb_is_stopped_while_it_is_read(tmp_path: Path) -> None:
    archive = Archive(_zip(tmp_path / "a.zip", {"zeros": bytes(20 << 20)}), Limits())
    with pytest.raises(OverLimit, match="zip_ratio is 100"), archive.open(archive.members[0]) as stream:
        stream.read()


def test_bytes_are_counted_once_however_often_they_are_read(tmp_path: Path) -> None:
    archive = Archive(_zip(tmp_path / "a.zip", {"a": bytes(1000)}), Limits(max_expanded_bytes=1500))
    for _ in range(3):
        with archive.open(archive.members[0]) as stream:
            assert len(stream.read()) == 1000
    archive = Archive(_zip(tmp_path / "a.zip", {"a": bytes(1000)}), Limits(max_expanded_bytes=500))
    with pytest.raises(OverLimit, match="max_expanded_bytes"), archive.open(archive.members[0]) as stream:
        stream.read()


def test_damage_names_the_member(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a": bytes(range(256)) * 40})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    archive = Archive(path, Limits())
    with pytest.raises(DataError, match=r"^a in the zip is damaged"), archive.open(archive.members[0]) as stream:
        stream.read()


@pytest.mark.parametrize(
    "content",
    [
        misplaced(zipped([("a", b"abc")]), 2**63),
        misplaced(zipped([("a", b"abc")]), 99),
        shifted(zipped([("a", b"")]), 9),
    ],
)
def test_a_member_where_no_file_has_any(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="a in the zip lies outside of the file"):
        Archive(tmp_path / "a.zip", Limits())


def test_too_many_members_and_hidden_ones(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a": b"", "__MACOSX/a": b"", ".DS_Store": b"", "b/": b""})
    assert [member.filename for member in Archive(path, Limits()).members] == ["a"]
    with pytest.raises(OverLimit, match="max_members is 3"):
        Archive(path, Limits(max_members=3))


def test_a_member_is_seekable(tmp_path: Path) -> None:
    archive = Archive(_zip(tmp_path / "a.zip", {"a": b"abcdef"}), Limits())
    with archive.open(archive.members[0]) as stream:
        assert (stream.read(4), stream.seek(0, io.SEEK_SET), stream.read()) == (b"abcd", 0, b"abcdef")


def test_a_long_directory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _zip(tmp_path / "a.zip", {f"{at:05}": b"" for at in range(3000)})
    archive = Archive(path, Limits(max_members=3000))
    assert len(archive.members) == 3000
    archive.close()
    # 3,000 entries of 51 bytes, and 35 bytes more for each file: a directory that is longer than all else.
    monkeypatch.setattr("models.data.formats.archive._SHORT", 0)
    with pytest.raises(OverLimit, match=r"lists too many files, in 153,000 bytes; the limit max_members is 3,000\."):
        Archive(path, Limits(max_members=3000))


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", bytes(200))
        # The directory names the same place twice.
        twice = copy(archive.infolist()[0])
        twice.filename = twice.orig_filename = "b"
        archive.filelist.append(twice)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["a", "b"]
    with pytest.raises(DataError, match="overlaps another member"):
        Archive(path, Limits())


def test_a_name_has_a_bounded_length(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has more than 1,000 characters\. Shorten it\."):
        Archive(_zip(tmp_path / "a.zip", {"x" * 2000: b""}), Limits())
    assert len(Archive(_zip(tmp_path / "b.zip", {"x" * 1000: b""}), Limits()).members) == 1
