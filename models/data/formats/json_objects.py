"""The objects of a JSON file: one on each line, or all in one array."""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from models.data.formats.limits import Limits
from models.data.formats.lines import read_lines
from models.data.formats.text_file import TextFile
from models.errors import DataError

_SPACE = re.compile(r"[ \t\n\r]*")
_NEXT = re.compile(r",[ \t\n\r]*\{")
_EXAMPLE = '{"text": "a b"}'


class Located(NamedTuple):
    """An object, the line at which it begins, and about as many characters as it has."""

    line: int
    size: int
    row: dict[str, Any]


class Repeats:
    """Makes the objects, and notes whether one has a key twice. The last value of such a key counts."""

    def __init__(self) -> None:
        self.key: str | None = None
        """The first key that the objects since the last look had twice."""

    def made(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs) and self.key is None:
            self.key = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return found


def is_array(text: TextFile) -> bool:
    """Whether the file holds one array, and not an object on each line."""
    start = next(text.pieces(), b"").lstrip()
    return start.startswith(b"[")


def objects(text: TextFile, limits: Limits, repeats: Repeats | None = None) -> Iterator[Located]:
    """The objects of the file, one by one; `repeats` notes what each has twice.

    Raises DataError with the line of what is broken, or no object.
    """
    decoder = json.JSONDecoder(object_pairs_hook=None if repeats is None else repeats.made)
    return _of_array(text, limits, decoder) if is_array(text) else _of_lines(text, limits, decoder)


def _of_lines(text: TextFile, limits: Limits, decoder: json.JSONDecoder) -> Iterator[Located]:
    for number, line in enumerate(read_lines(text.path, text.start, limits), 1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line.decode())
        except RecursionError as error:
            raise _too_deep(number) from error
        except ValueError as error:
            cure = "Write one object per line, or all of them in one array"
            raise DataError(f"Line {number} is not JSON ({error}). {cure}.") from error
        if not isinstance(row, dict):
            raise DataError(f"Line {number} is not a JSON object. Write one per line, such as {_EXAMPLE}.")
        yield Located(number, len(line), row)


def _of_array(text: TextFile, limits: Limits, decoder: json.JSONDecoder) -> Iterator[Located]:
    held = _Held(text, limits, decoder)
    held.skip()
    held.at += 1
    mark = held.skip()
    while mark != "]":
        found, mark = held.value(mark)
        if not isinstance(found.row, dict):
            raise DataError(f"Line {found.line}: the array has an item that is no object. Write {_EXAMPLE} for a row.")
        yield found
    held.at += 1
    if rest := held.skip():
        raise DataError(f"Line {held.line}: {rest!r} follows the array. Write one array of objects.")


class _Held:
    """The part of the text that is being parsed. It grows until an object is whole, and is dropped behind it."""

    def __init__(self, text: TextFile, limits: Limits, decoder: json.JSONDecoder) -> None:
        self._pieces, self._limits = text.pieces(), limits
        self._decoder, self._decode = codecs.getincrementaldecoder("utf-8")(), decoder.raw_decode
        self._text = ""
        self.at, self.line = 0, 1

    def skip(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self.at)
            assert match is not None
            self._pass(match.end())
            if self.at < len(self._text):
                return self._text[self.at]
            if not self._more():
                return ""

    def value(self, mark: str) -> tuple[Located, str]:
        """The value that begins here with `mark`, and the mark at which the next value or the end of the array is."""
        while True:
            try:
                row, end = self._decode(self._text, self.at)
                break
            except RecursionError as error:
                raise _too_deep(self.line) from error
            except ValueError as error:
                if mark != "{" or not self._more():
                    what = str(error).partition(": line")[0]
                    raise DataError(
                        f"The object that begins in line {self.line} is not JSON ({what}). Correct it."
                    ) from error
        found = Located(self.line, end - self.at, row)
        # Most objects are followed by a comma and the next one, with nothing or a space or a line end between.
        match = _NEXT.match(self._text, end)
        if match is not None:
            self._pass(match.end() - 1)
            return found, "{"
        self._pass(end)
        following = self.skip()
        if following == ",":
            self.at += 1
            following = self.skip()
        elif following != "]":
            raise DataError(
                f"Line {self.line} is not JSON: a ',' or a ']' must follow an object. Write the file again."
            )
        return found, following

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self.at, end)
        self.at = end

    def _more(self) -> bool:
        """Hold at least twice as much, so that a long object is parsed in time proportional to its length."""
        held = self._text[self.at :]
        if len(held) > self._limits.max_line_bytes:
            raise self._limits.refuse("max_line_bytes", f"The object that begins in line {self.line} is too long")
        pieces, size = [held], 0
        while size <= len(held) and (piece := next(self._pieces, b"")):
            pieces.append(self._decoder.decode(piece))
            size += len(piece)
        self._text, self.at = "".join(pieces), 0
        return size > 0


def _too_deep(line: int) -> DataError:
    return DataError(f"Line {line} is nested too deeply. Use strings, numbers, booleans and lists.")
