"""Names in zips of other systems."""

import io
import unicodedata
import zipfile
from pathlib import Path

import pytest

from models.data.formats.archive import Archive
from models.data.formats.limits import Limits
from models.errors import DataError


def _names(tmp_path: Path, names: list[str], encoding: str) -> list[str]:
    """The names of members whose bytes are in `encoding`, without a flag that says so."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        stand_ins = [f"{at}" * len(name.encode(encoding)) for at, name in enumerate(names)]
        for stand_in in stand_ins:
            archive.writestr(stand_in, b"content")
    data = held.getvalue()
    for stand_in, name in zip(stand_ins, names, strict=True):
        data = data.replace(stand_in.encode(), name.encode(encoding))
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    opened = Archive(path, Limits())
    for member in opened.members:
        with opened.open(member) as stream:
            assert stream.read() == b"content"
    return [member.filename for member in opened.members]


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["猫/照片.png", "狗/一.png"], "gb18030"),
        (["猫/照片.png", "狗/一.png"], "utf-8"),
        (["Straße/ß.png", "café/a.png"], "cp437"),
        (["Käse/ä.png"], "utf-8"),
    ],
)
def test_names_without_a_flag(tmp_path: Path, names: list[str], encoding: str) -> None:
    assert _names(tmp_path, names, encoding) == names


def test_names_are_composed(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "Käse/a.png")
    assert _names(tmp_path, [apart], "utf-8") == ["Käse/a.png"]


def test_a_path_upward_in_other_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be relative"):
        _names(tmp_path, ["../猫.png"], "gb18030")
