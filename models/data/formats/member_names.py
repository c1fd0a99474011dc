"""Names of the files in a zip, which need not say in which encoding they are."""

import re
import unicodedata
from collections.abc import Sequence
from zipfile import ZipInfo

_UTF_8 = 0x800
"""The flag of a name in UTF-8."""
_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")


def decode(members: Sequence[ZipInfo]) -> None:
    """Give each member the `filename` that its bytes mean: UTF-8, GB18030 or code page 437, composed (NFC).

    Programs of macOS write UTF-8, and those of Chinese Windows GB18030, without saying so. `orig_filename` stays.
    """
    unsaid = [
        member
        for member in members
        if not member.flag_bits & _UTF_8
        and not member.orig_filename.isascii()
        and member.filename == member.orig_filename
    ]
    raw = [member.orig_filename.encode("cp437") for member in unsaid]
    encoding = "cp437" if not raw else next(each for each in ("utf-8", "gb18030", "cp437") if _fits(raw, each))
    for member, name in zip(unsaid, raw, strict=True):
        member.filename = name.decode(encoding)
    for member in members:
        if not member.filename.isascii():
            member.filename = unicodedata.normalize("NFC", member.filename)


def _fits(names: list[bytes], encoding: str) -> bool:
    try:
        for name in names:
            name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return encoding != "gb18030" or _is_chinese(names)


def _is_chinese(names: list[bytes]) -> bool:
    """Whether most bytes above ASCII are pairs of GB 2312. Accented letters of code page 437 stand alone."""
    text = b"\n".join(names)
    return 4 * len(_PAIR.findall(text)) > sum(byte >= 0x80 for byte in text)
