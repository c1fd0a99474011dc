"""Which pictures of an upload a cell of a table names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

MOST_FOLDERS = 8
"""Folders of a name that are compared."""
_SUFFIX = re.compile(r"\.(0+|[a-z][a-z0-9]{1,4})$")
_DIGITS = re.compile(r"[0-9]+")


class Fit(NamedTuple):
    """Pictures that a cell names. `whole`: by the whole name of a file; `sure`: no rule but its name is needed."""

    pictures: Sequence[int]
    whole: bool = False
    sure: bool = False


class PictureNames:
    """The pictures of an upload, found by their names.

    A name may have folders, of Windows too, more of them than the upload or fewer, and need have no suffix. Where these
    do not fit, the name without folders, suffix, case and leading zeros counts, if it is that of one picture and one
    cell.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = [PurePosixPath(path) for path in paths]
        self._whole: defaultdict[str, list[int]] = defaultdict(list)
        self._ends: defaultdict[str, list[int]] = defaultdict(list)
        self._plain: defaultdict[str, list[int]] = defaultdict(list)
        for row, path in enumerate(self.paths):
            folders = path.parts[:-1]
            for name in {path.name, path.stem}:
                self._whole["/".join([*folders, name])].append(row)
                for count in range(min(len(folders), MOST_FOLDERS) + 1):
                    self._ends["/".join([*folders[len(folders) - count :], name])].append(row)
            self._plain[_plain(path.name)].append(row)

    def fits(self, cells: Iterable[str]) -> dict[str, Fit]:
        """The pictures of each distinct cell."""
        found, others = dict[str, Fit](), defaultdict[str, list[str]](list)
        spelled = defaultdict[str, set[str]](set)
        for cell in dict.fromkeys(cells):
            name = normal(cell)
            plain = _plain(name.rpartition("/")[2])
            spelled[plain].add(name)
            if pictures := self._with_folders(name):
                is_whole = name.endswith(self.paths[pictures[0]].name)
                found[cell] = Fit(pictures, is_whole, True)
            else:
                others[plain].append(cell)
        for plain, spellings in others.items():
            pictures = self._plain.get(plain, [])
            is_sure = len(pictures) == 1 and len(spelled[plain]) == 1
            found |= dict.fromkeys(spellings, Fit(pictures if is_sure else []))
        return found

    def _with_folders(self, name: str) -> list[int]:
        """Pictures with this name whose folders are the last of the name's folders, or the other way round."""
        *folders, last = name.split("/")
        if exact := folders and self._whole.get(name):
            return exact
        if len(folders) <= MOST_FOLDERS and (found := self._ends.get(name)):
            return found
        for start in range(max(1, len(folders) - MOST_FOLDERS), len(folders)):
            if found := self._whole.get("/".join([*folders[start:], last])):
                return found
        return []


def normal(cell: str) -> str:
    """A name with the separators of a zip."""
    return cell.strip().replace("\\", "/").removeprefix("./")


def _plain(name: str) -> str:
    return _DIGITS.sub(lambda digits: digits[0].lstrip("0") or "0", _SUFFIX.sub("", name.casefold()))
