"""The encoding of an uploaded text: a mark, UTF-8 where all of it decodes, else what the letters show."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from athanor.contract import Encoding
from athanor.contract.encodings import CODECS, ENCODINGS
from models.data.formats import alphabets, usual_letters
from models.data.formats.alphabets import Reading
from models.errors import DataError

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
_WESTERN: Encoding = "windows-1252"
_CHINESE: Encoding = "gb18030"
_RIVALS: tuple[Encoding, ...] = ("big5", "shift_jis", "euc_jp", "euc_kr")
_COMPARED = 1 << 18
"""Bytes of which the letters are compared with the usual ones."""
_USUAL, _SURE, _NONE = 0.3, 0.5, 0.05
"""Shares of usual letters: enough for a language, enough to be sure of it, and too few for any."""
_FEWEST, _SOME, _MANY = 5, 8, 20
"""Different letters that are enough to doubt, to be sure of such a share, and to be sure that there is none."""
_USUALLY = 2.0
"""How much more surprising Western text may be than another, and still be what is taken: most files are Western."""
_ALIKE = 3.0
"""A difference in surprise that leaves a doubt: one is then at most twenty times as likely as the other."""
_READS, _READS_WELL = 3.7, 2.5
"""The most surprise per letter of text in a language, and of Western text that has too few letters to look like it.

It is seldom over 3.4 in tables of three rows or more. That of East Asian text, read one byte a letter, is more than 4.
"""
_ODD = 5.0
"""Text with more surprise per letter is not Western, whatever it looks like: its words have marks within them."""
_WORSE = 1.3
"""How many times more surprising than another Western text is that looks like it and reads like no language."""
_TWO, _ENOUGH = 2, 20
"""Letters that can tell a language, and that make it more likely than rare Chinese characters."""
_ORDER = list(alphabets.ALPHABETS)
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
        codec = (_wide(start) or "utf-16-le") if given == "utf-16" else CODECS[given]
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
    likely = _likely(path, sample)
    if len(likely) > 1:
        raise DataError(f"{what}; it may be {' or '.join(map(_shown, likely))}. {_ADVICE}")
    if not likely:
        raise DataError(f"{what}, and no other encoding that is known makes sense of the file. {_ADVICE}")
    return Decoded(likely[0], CODECS[likely[0]], guessed=found.line)


def _likely(path: Path, sample: bytes) -> list[Encoding]:
    """The encodings that make sense of the file. Where several are as likely, the file has to be refused."""
    chinese, western = _plausible(sample)
    if first := _HIGH.search(sample):
        start = sample.rfind(b"\n", 0, first.start()) + 1
        sample = sample[max(start, first.start() - _COMPARED // 2) :][:_COMPARED]
    words = alphabets.words(sample)
    letters = sum(map(len, _HIGH.findall(b" ".join(words))))
    known = alphabets.readings(words)
    looks_western = western >= _PLAUSIBLE and _decodes(path, _WESTERN)
    one_byte = _of_one_byte(path, known, letters, looks_western=looks_western)
    likely: list[Encoding] = []
    if chinese >= _PLAUSIBLE and _decodes(path, _CHINESE):
        likely.append(_CHINESE)
    if looks_western or one_byte == [_WESTERN]:
        likely.append(_WESTERN)
    likely, share = _weighed(path, sample, likely)
    east = [each for each in likely if each != _WESTERN]
    if not one_byte and likely == [_WESTERN] and not _makes_sense(known, letters):
        return []
    if one_byte[:1] in ([], [_WESTERN]) or (east and letters < _ENOUGH and share >= _SURE):
        return likely
    return one_byte if letters >= _ENOUGH and share < _USUAL else [*east, *one_byte]


def _makes_sense(known: Sequence[Reading], letters: int) -> bool:
    """Whether the words are those of Western text, even one in a language that is not known."""
    return any(each.encoding == _WESTERN and each.surprise <= _ODD * letters for each in known)


def _of_one_byte(path: Path, known: Sequence[Reading], letters: int, *, looks_western: bool) -> list[Encoding]:
    """The encodings of one byte in which the words are those of a language: none, one, or several in doubt."""
    found = [
        replace(reading, surprise=reading.surprise - (_USUALLY if reading.encoding == _WESTERN else 0))
        for reading in known
        if reading.surprise <= letters * (_READS if looks_western or reading.encoding != _WESTERN else _READS_WELL)
    ]
    if looks_western and not found and known[0].encoding != _WESTERN:
        western = next(reading for reading in known if reading.encoding == _WESTERN)
        is_worse = western.surprise > _WORSE * known[0].surprise and _decodes(path, known[0].encoding)
        return [known[0].encoding, _WESTERN] if is_worse else []
    likely = list[Reading]()
    for reading in sorted(found, key=lambda each: each.surprise):
        if likely and reading.surprise > likely[0].surprise + _ALIKE:
            break
        if any(reading.words == other.words for other in likely):
            continue
        # Encodings that differ in letters that the file does not have are no doubt.
        same = sorted((each.encoding for each in known if each.words == reading.words), key=_ORDER.index)
        if name := next((each for each in same if _decodes(path, each)), None):
            likely.append(replace(reading, encoding=name))
        if likely and likely[0].encoding == _WESTERN:
            break
    return [reading.encoding for reading in likely] if letters >= _TWO else []


def _weighed(path: Path, sample: bytes, likely: list[Encoding]) -> tuple[list[Encoding], float]:
    """The likely encodings with those of East Asia, and without those whose letters are rare ones.

    Returns the share of usual letters in the best one of East Asia, too.
    """
    shares = {
        encoding: usual_letters.share(sample.decode(CODECS[encoding], "ignore"), encoding)
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
        return likely, share if _CHINESE in likely else 0
    best = max(rivals, key=lambda each: rivals[each])
    if 2 * share > rivals[best] and _CHINESE in likely:
        return [*likely, best], rivals[best]
    is_sure = rivals[best] >= _SURE and shares[best][1] >= _SOME
    others = [each for each, share in rivals.items() if 2 * share >= rivals[best]]
    return others if is_sure or _WESTERN not in likely else [_WESTERN, *others], rivals[best]


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
        check(path, Decoded(encoding, CODECS[encoding]))
    except NotDecoded:
        return False
    return True


def _shown(encoding: Encoding) -> str:
    name = encoding.replace("_", "-")
    return name.capitalize().replace("jis", "JIS") if name.startswith(("big", "mac", "shift", "win")) else name.upper()
