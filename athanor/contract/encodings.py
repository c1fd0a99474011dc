"""The encodings of text that an upload may be said to have."""

from encodings.aliases import aliases
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator

Encoding = Literal[
    "utf-8",
    "utf-16",
    "gb18030",
    "big5",
    "shift_jis",
    "euc_jp",
    "euc_kr",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "windows-874",
    "iso-8859-2",
    "iso-8859-5",
    "iso-8859-7",
    "iso-8859-15",
    "koi8-r",
    "koi8-u",
    "ibm850",
    "ibm852",
    "ibm866",
    "macintosh",
]
NAMES: tuple[Encoding, ...] = get_args(Encoding)
ENCODINGS = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"

CODECS: dict[Encoding, str] = {name: name.replace("windows-", "cp").replace("ibm", "cp") for name in NAMES} | {
    "big5": "cp950",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "macintosh": "mac_roman",
}
"""Python's names. Those of Windows have the letters that it added, too."""

_SUBSETS: dict[str, Encoding] = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5",
    "shift_jis": "shift_jis",
    "euc_kr": "euc_kr",
    "utf_8_sig": "utf-8",
    "ascii": "utf-8",
    # Files that are said to be Latin-1 or Latin-5 hold the quotation marks and dashes of Windows.
    "latin_1": "windows-1252",
    "iso8859_1": "windows-1252",
    "iso8859_9": "windows-1254",
    "tis_620": "windows-874",
    "iso8859_11": "windows-874",
}
"""Codecs of Python whose letters are all in another encoding, which is used in their place."""


def _key(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _known() -> dict[str, Encoding]:
    """Every name that Python has for the encodings, without marks and in small letters."""
    meant = {_key(codec): name for codec, name in [*_SUBSETS.items(), *((CODECS[name], name) for name in NAMES)]}
    others = {_key(alias): meant[_key(codec)] for alias, codec in aliases.items() if _key(codec) in meant}
    return others | meant | {_key(name): name for name in NAMES}


_KNOWN = _known()


def _named(value: object) -> object:
    """The encoding that is meant by `cp1251`, `latin-1` or another name that people write."""
    return _KNOWN.get(_key(value), value) if isinstance(value, str) else value


NamedEncoding = Annotated[Encoding, BeforeValidator(_named)]
