"""Read an upload in a child process with limits on memory, time and disk, and without secrets."""

import argparse
import errno
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from athanor.contract import Hints
from athanor.processes import full_disk
from athanor.processes.bounded import Bounds, Ended, run_bounded
from athanor.processes.confinement import leave
from athanor.processes.left_behind import check_file, scratch_folder
from models.data.formats import candidates, open_source, sniff
from models.data.formats.limits import GIB, Limits, OverLimit
from models.data.intake.canonical import Intake, ingest
from models.data.intake.hints import ReadHints
from models.data.intake.schema_size import answer_bytes
from models.data.intake.warm import PARENT
from models.errors import DataError

_ADDRESSES = 4 * GIB
"""Bytes of addresses that libraries reserve. `leave` counts what they use."""
_WALL = 4
"""A child may take this many times its processor time, because it may have to wait for a processor."""


class _Answer(BaseModel):
    """What the child prints: an intake, or an error and its code."""

    intake: Intake | None = None
    error: str | None = None
    code: str = ""


def run(
    path: Path,
    filename: str,
    destination: Path,
    limits: Limits | None = None,
    seconds: int = 600,
    hints: Hints = Hints(),  # noqa: B008 -- frozen
) -> Intake:
    """Read the upload at `path` in a child process with limits. `filename` and `hints` are what the sender gave.

    `limits` and `seconds` of processor time are ceilings; the size of the upload sets lower ones. Raises DataError or
    OverLimit, also if the process runs out of memory or time, or dies; then `destination` does not exist. Raises
    OSError if the disk is full.
    """
    limits = (limits or Limits()).for_upload(path.stat().st_size)
    seconds = min(seconds, limits.max_seconds)
    filename = filename.encode("utf-8", "replace").decode().replace("\0", "?")[-200:]
    with scratch_folder(destination.parent, "intake-") as folder:
        written = folder / "rows.parquet"
        arguments = ["--limits", json.dumps(asdict(limits)), "--hints", hints.model_dump_json(), "--"]
        arguments += [str(path.absolute()), filename, str(written.absolute())]
        largest = limits.max_expanded_bytes + (limits.max_expanded_bytes >> 3) + (1 << 20)
        bounds = Bounds(_ADDRESSES + limits.max_memory_bytes, seconds, largest, answer_bytes(limits), _WALL * seconds)
        try:
            done = run_bounded(
                "models.data.intake", arguments, folder=folder, bounds=bounds, readable=[path.absolute()], warm=PARENT
            )
        except TimeoutError as error:
            wall = _WALL * seconds
            raise DataError(f"Reading {filename} took longer than {wall} s. Upload a smaller file.") from error
        answer = _answer(done, filename, limits, seconds)
        if answer.format not in candidates(filename, path) or answer.rows < 1 or not os.path.lexists(written):
            raise _unread(done, filename, limits, seconds)
        check_file(written, largest)
        os.replace(written, destination)
    return answer


def _answer(done: Ended, filename: str, limits: Limits, seconds: int) -> Intake:
    try:
        answer = _Answer.model_validate_json(done.output)
    except ValidationError:
        raise _unread(done, filename, limits, seconds) from None
    if answer.error is not None or answer.intake is None:
        raise (OverLimit if answer.code == "over_limit" else DataError)(answer.error or f"{filename} cannot be read.")
    return answer.intake


def _unread(done: Ended, filename: str, limits: Limits, seconds: int) -> DataError:
    """The error for a child that died, or that a file has taken over."""
    return DataError(
        f"{filename} could not be read: the process that read it ended with {done.code}. It may have run out of "
        f"memory ({limits.max_memory_bytes:,} bytes for a file of this size) or of processor time ({seconds} s). "
        "Upload a file with fewer rows or columns, or write it again."
    )


def main(arguments: list[str] | None = None) -> int:
    """Run in the child: print one line of JSON with the description, or with an error and its code."""
    parser = argparse.ArgumentParser(prog="python -m models.data.intake", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("filename")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--limits", type=json.loads, default={}, help="JSON object of limits to change")
    parser.add_argument("--hints", type=ReadHints.model_validate_json, default=ReadHints(), help="JSON object of hints")
    given = parser.parse_args(arguments)
    limits = Limits(**given.limits)
    leave(limits.max_memory_bytes)
    try:
        name = sniff(given.filename, given.path, limits)
        source = open_source(name, given.path, limits, given.hints)
        intake = ingest(source, given.destination, limits, given.hints.features)
        answer = _Answer(intake=replace(intake, format=name))
    except OverLimit as error:
        answer = _Answer(error=str(error), code="over_limit")
    except DataError as error:
        answer = _Answer(error=str(error), code="data")
    except MemoryError:
        sentence = f"{given.filename} needs more than {limits.max_memory_bytes:,} bytes of memory"
        sentence += ", more than a file of this size may. Upload fewer rows or columns."
        answer = _Answer(error=sentence, code="over_limit")
    except OSError as error:
        if full_disk.is_to_blame(error):
            return full_disk.EXIT
        sentence = f"{given.filename} could not be unpacked or written: {os.strerror(error.errno or 0)}."
        answer = _Answer(error=sentence, code="over_limit" if error.errno == errno.EFBIG else "data")
    print(answer.model_dump_json())
    return 0 if answer.error is None else 1
