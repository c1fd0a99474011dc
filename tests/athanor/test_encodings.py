"""Names of encodings: those of the contract, and others that people write."""

import codecs

import pytest
from pydantic import ValidationError

from athanor.contract import Hints
from athanor.contract.encodings import CODECS, ENCODINGS, NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_encoding_has_a_codec_and_is_listed(name: str) -> None:
    assert codecs.lookup(CODECS[Hints.model_validate({"encoding": name}).encoding or "utf-8"])
    assert name in ENCODINGS


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("cp1251", "windows-1251"),
        ("Windows-1251", "windows-1251"),
        ("KOI8-R", "koi8-r"),
        ("latin-1", "windows-1252"),
        ("ISO-8859-1", "windows-1252"),
        ("ISO 8859-2", "iso-8859-2"),
        ("iso8859-9", "windows-1254"),
        ("UTF8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("gbk", "gb18030"),
        ("GB2312", "gb18030"),
        ("sjis", "shift_jis"),
        ("cp949", "euc_kr"),
        ("cp866", "ibm866"),
        ("tis-620", "windows-874"),
    ],
)
def test_other_names_are_understood(written: str, meant: str) -> None:
    assert Hints.model_validate({"encoding": written}).model_dump()["encoding"] == meant


@pytest.mark.parametrize("written", ["utf-9", "utf-16-le", "rot13", "", "\0", "x" * 10_000, 5])
def test_what_is_no_name_is_refused_with_the_list(written: object) -> None:
    with pytest.raises(ValidationError, match=r"windows-1250.*koi8-r"):
        Hints.model_validate({"encoding": written})
