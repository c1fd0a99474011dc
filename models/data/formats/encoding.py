"""The encoding of an uploaded text: a mark, UTF-8 where all of it decodes, else what the letters show."""

import codecs
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from models.data.formats import usual_letters
from models.errors import DataError

Encoding = Literal["utf-8", "utf-16", "gb18030", "windows-1252", "big5", "shift_jis", "euc_jp", "euc_kr"]

PIECE = 1 << 20
_SAMPLE = 4 << 20
_RUNS = 100_000
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_WIDE_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_RUN = re.compile(rb"([A-Za-z]?)([\x80-\xff]+)")
_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_TYPOGRAPHY = frozenset({0x80, 0x82, 0x84, 0x85, *range(0x91, 0x9A), *range(0xA0, 0xC0), 0xD7})
"""Marks of Windows-1252: quotation marks, dashes, signs of currencies and others."""
_PUNCTUATION = frozenset({0xA1, 0xA2, 0xA3, 0xA6, 0xA8})
"""First bytes of marks in GB 2312. Kana have others: text with many of them is Japanese in EUC-JP."""
_HANGUL = 0xC8FE
"""The last syllable of Korean in EUC-KR. Of Chinese characters, about a half come after it."""
_FEW = 30
_APART = 3
"""Letters and marks outside of ASCII that follow each other in Western text."""
_PLAUSIBLE = 0.6
_MOSTLY_UTF8 = 0.6
_NAMES: dict[Encoding, str] = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "gb18030": "GB18030",
    "windows-1252": "Windows-1252",
    "big5": "Big5",
    "shift_jis": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "euc_kr": "EUC-KR",
}
_CODECS = {"windows-1252": "cp1252", "big5": "cp950", "shift_jis": "cp932", "euc_kr": "cp949"}
"""Python's names, where they are others: these have the letters that Windows added, too."""
_CHINESE: Encoding = "gb18030"
_RIVALS: tuple[Encoding, ...] = ("big5", "shift_jis", "euc_jp", "euc_kr")
_COMPARED = 1 << 18
"""Bytes of which the letters are compared with the usual ones."""
_USUAL, _SURE, _NONE = 0.3, 0.5, 0.05
"""Shares of usual letters: enough for a language, enough to be sure of it, and too few for any."""
_FEWEST, _SOME, _MANY = 5, 8, 20
"""Different letters that are enough to doubt, to be sure of such a share, and to be sure that there is none."""
ENCODINGS = "utf-8, utf-16, gb18030, windows-1252, big5, shift_jis, euc_jp or euc_kr"
_ADVICE = f"Give its encoding ({ENCODINGS}), or save the file as UTF-8."


@dataclass(frozen=True)
class Decoded:
    """How a text is to be decoded. `codec` is Python's name; `mark` is the number of bytes before the text.

    `guessed` is the line that shows that the text is not UTF-8, if nothing but the text itself gives the encoding.
    """

    encoding: Encoding
    codec: str
    mark: int = 0
    guessed: int = 0


class NotDecoded(Exception):
    """The bytes in a line are no text in an encoding. `line` and `byte` count from 1."""

    def __init__(self, line: int, byte: int) -> None:
        super().__init__(f"line {line}, byte {byte}")
        self.line, self.byte = line, byte


def decide(path: Path, given: Encoding | None) -> Decoded:
    """The encoding of the file. `given` is what the sender says. Raises DataError where it is wrong, and in doubt.

    The whole file is decoded, piece by piece: text that is UTF-8 to its last byte is nothing else.
    """
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    if start.startswith(_WIDE_MARKS):
        raise DataError("The file is UTF-32 text. Save it as UTF-8.")
    marked = next(((len(mark), codec) for mark, codec in MARKS if start.startswith(mark)), None)
    if marked is not None:
        encoding: Encoding = "utf-8" if marked[1] == "utf-8" else "utf-16"
        if given is not None and given != encoding:
            raise DataError(
                f"The file begins with the mark of {_shown(encoding)}, so it is not {_shown(given)}. {_ADVICE}"
            )
        return _checked(path, Decoded(encoding, marked[1], marked[0]))
    if given is not None:
        codec = (_wide(start) or "utf-16-le") if given == "utf-16" else codec_of(given)
        return _checked(path, Decoded(given, codec))
    if wide := _wide(start):
        return _checked(path, Decoded("utf-16", wide))
    try:
        check(path, Decoded("utf-8", "utf-8"))
    except NotDecoded as found:
        return _guess(path, found)
    return Decoded("utf-8", "utf-8")


def check(path: Path, decoded: Decoded) -> None:
    """Raises NotDecoded for the first byte that is no text."""
    decoder = codecs.getincrementaldecoder(decoded.codec)()
    at, pending = decoded.mark, 0
    with path.open("rb") as stream:
        stream.seek(at)
        try:
            while piece := stream.read(PIECE):
                if pending or not (decoded.codec == "utf-8" and piece.isascii()):
                    decoder.decode(piece)
                    pending = len(decoder.getstate()[0])
                at += len(piece)
            decoder.decode(b"", True)
        except UnicodeDecodeError as error:
            raise _located(path, at - pending + error.start) from error


def _located(path: Path, at: int) -> NotDecoded:
    """The line and the byte of the line at which the byte `at` of the file is."""
    lines, last = 1, 0
    with path.open("rb") as stream:
        read = 0
        while read < at:
            piece = stream.read(min(PIECE, at - read))
            lines += piece.count(b"\n")
            last = read + piece.rfind(b"\n") + 1 if b"\n" in piece else last
            read += len(piece)
    return NotDecoded(lines, at - last + 1)


def _checked(path: Path, decoded: Decoded) -> Decoded:
    try:
        check(path, decoded)
    except NotDecoded as found:
        name = _shown(decoded.encoding)
        raise DataError(f"Line {found.line} is not {name} text (byte {found.byte} of the line). {_ADVICE}") from found
    return decoded


def _wide(start: bytes) -> str | None:
    """The codec of UTF-16 without a mark: in text with ASCII, every second byte is often zero, and the others never."""
    even, odd = start[0::2], start[1::2]
    for zeros, others, codec in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros.count(0) > len(zeros) // 4 and len(_CONTROL.findall(others)) < len(others) / 5:
            return codec
    return None


def is_wide(start: bytes) -> bool:
    """Whether a file that begins so is UTF-16."""
    return start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _wide(start) is not None


def _guess(path: Path, found: NotDecoded) -> Decoded:
    with path.open("rb") as stream:
        sample = b""
        # The first letters outside of ASCII may come late.
        while (piece := stream.read(PIECE)) and len(sample) < _SAMPLE:
            if not piece.isascii():
                sample += piece
    what = f"Line {found.line} is not UTF-8 text (byte {found.byte} of the line)"
    high = sum(map(len, _HIGH.findall(sample))) or 1
    if sum(map(len, _UTF8.findall(sample))) > _MOSTLY_UTF8 * high:
        raise DataError(f"{what}, but most of the file is. Correct the line, or save the file as UTF-8.")
    chinese, western = _plausible(sample)
    likely: list[Encoding] = []
    if chinese >= _PLAUSIBLE and _decodes(path, "gb18030"):
        likely.append("gb18030")
    if western >= _PLAUSIBLE and _decodes(path, "windows-1252"):
        likely.append("windows-1252")
    likely = _weighed(path, sample[:_COMPARED], likely)
    if len(likely) > 1:
        raise DataError(f"{what}; it may be {' or '.join(map(_shown, likely))}. {_ADVICE}")
    if not likely:
        raise DataError(f"{what}, and no other encoding that is known makes sense of the file. {_ADVICE}")
    return Decoded(likely[0], codec_of(likely[0]), guessed=found.line)


def _weighed(path: Path, sample: bytes, likely: list[Encoding]) -> list[Encoding]:
    """The likely encodings with those of other languages, and without those whose letters are rare ones."""
    shares = {
        encoding: usual_letters.share(sample.decode(codec_of(encoding), "ignore"), encoding)
        for encoding in (_CHINESE, *_RIVALS)
    }
    share, letters = shares.pop(_CHINESE)
    least = _USUAL
    if _CHINESE in likely:
        least = max(least, share)
        if share <= _NONE and letters >= _MANY:
            likely = [each for each in likely if each != _CHINESE]
    rivals = {
        each: share
        for each, (share, letters) in shares.items()
        if share >= least and letters >= _FEWEST and _decodes(path, each)
    }
    if not rivals:
        return likely
    best = max(rivals, key=lambda each: rivals[each])
    if 2 * share > rivals[best] and _CHINESE in likely:
        return [*likely, best]
    is_sure = rivals[best] >= _SURE and shares[best][1] >= _SOME
    others = [each for each, share in rivals.items() if 2 * share >= rivals[best]]
    return others if is_sure or "windows-1252" not in likely else ["windows-1252", *others]


def _plausible(sample: bytes) -> tuple[float, float]:
    """How much of the text outside of ASCII makes sense as Chinese in GB18030, and as Western text in Windows-1252.

    Chinese are pairs of bytes, mostly of the frequent characters of GB 2312. In Western text, one or two letters stand
    beside letters of ASCII, and marks stand alone.
    """
    chinese = western = 0.0
    pairs = count = 0
    seen = set[int]()
    for match in islice(_RUN.finditer(sample), _RUNS):
        run = match[2]
        for first, second in zip(run[0::2], run[1::2], strict=False):
            if second >= 0xA1:
                chinese += 1 if first in _PUNCTUATION or 0xB0 <= first <= 0xD7 else 0.4 if 0xD8 <= first <= 0xF7 else 0
                seen.add(first << 8 | second)
        pairs += (len(run) + 1) // 2
        beside = bool(match[1]) or sample[match.end() : match.end() + 1].isalpha()
        letters = 1 if beside and len(run) <= 2 else 0
        if len(run) <= _APART:
            western += sum(1 if byte in _TYPOGRAPHY else letters for byte in run)
        count += len(run)
    if len(seen) >= _FEW and sum(1 for pair in seen if pair > _HANGUL) < len(seen) / 10:
        chinese = 0
    return chinese / max(1, pairs), western / max(1, count)


def _decodes(path: Path, encoding: Encoding) -> bool:
    try:
        check(path, Decoded(encoding, codec_of(encoding)))
    except NotDecoded:
        return False
    return True


def codec_of(encoding: Encoding) -> str:
    """Python's name of an encoding."""
    return _CODECS.get(encoding, encoding)


def _shown(encoding: Encoding) -> str:
    return _NAMES[encoding]
