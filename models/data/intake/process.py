"""Read an upload in a child process with limits on memory, time and disk, and without secrets."""

import argparse
import errno
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from athanor.contract import Schema, Warned
from athanor.processes import full_disk
from athanor.processes.bounded import Bounds, Ended, run_bounded
from athanor.processes.left_behind import check_file, scratch_folder
from models.data.formats import FORMATS, sniff
from models.data.formats.limits import Limits, OverLimit
from models.data.intake.canonical import Intake, ingest
from models.errors import DataError


def run(path: Path, filename: str, destination: Path, limits: Limits | None = None, seconds: int = 600) -> Intake:
    """Read the upload at `path` in a child process with limits. `filename` is the name that the sender gave it.

    Raises DataError or OverLimit, also if the process runs out of memory, takes longer than `seconds` or dies; then
    `destination` does not exist. Raises OSError if the disk is full.
    """
    limits = limits or Limits()
    filename = filename.encode("utf-8", "replace").decode().replace("\0", "?")[-200:]
    with scratch_folder(destination.parent, "intake-") as folder:
        written = folder / "rows.parquet"
        arguments = ["--limits", json.dumps(asdict(limits)), "--"]
        arguments += [str(path.absolute()), filename, str(written.absolute())]
        largest = limits.max_expanded_bytes + (limits.max_expanded_bytes >> 3) + (1 << 20)
        bounds = Bounds(limits.max_memory_bytes, seconds, largest)
        try:
            done = run_bounded(
                "models.data.intake", arguments, folder=folder, bounds=bounds, readable=[path.absolute()]
            )
        except TimeoutError as error:
            raise DataError(f"Reading {filename} took longer than {seconds} s. Upload a smaller file.") from error
        answer = _answer(done, filename, limits)
        check_file(written, largest)
        os.replace(written, destination)
    return answer


def _answer(done: Ended, filename: str, limits: Limits) -> Intake:
    try:
        answer = json.loads(done.output)
    except ValueError:
        raise DataError(
            f"{filename} could not be read: the process that read it ended with {done.code}. It may have run out of "
            f"memory (limit {limits.max_memory_bytes:,} bytes) or time. Upload a smaller file, or write it again."
        ) from None
    if "error" in answer:
        raise (OverLimit if answer["code"] == "over_limit" else DataError)(answer["error"])
    warned = [Warned.model_validate(each) for each in answer["warnings"]]
    return Intake(Schema.model_validate(answer["schema"]), answer["rows"], warned, answer["format"])


def main(arguments: list[str] | None = None) -> int:
    """Run in the child: print one line of JSON with the description, or with an error and its code."""
    parser = argparse.ArgumentParser(prog="python -m models.data.intake", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("filename")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--limits", type=json.loads, default={}, help="JSON object of limits to change")
    given = parser.parse_args(arguments)
    limits = Limits(**given.limits)
    answer: dict[str, Any]
    try:
        name = sniff(given.filename, given.path, limits)
        intake = ingest(FORMATS[name](given.path, limits), given.destination, limits)
        warned = [each.model_dump(mode="json") for each in intake.warnings]
        schema = intake.schema.model_dump(mode="json")
        answer = {"format": name, "schema": schema, "rows": intake.rows, "warnings": warned}
    except OverLimit as error:
        answer = {"error": str(error), "code": "over_limit"}
    except DataError as error:
        answer = {"error": str(error), "code": "data"}
    except MemoryError:
        sentence = f"{given.filename} needs more than {limits.max_memory_bytes:,} bytes of memory. Upload less data."
        answer = {"error": sentence, "code": "over_limit"}
    except OSError as error:
        if full_disk.is_to_blame(error):
            return full_disk.EXIT
        sentence = f"{given.filename} could not be unpacked or written: {os.strerror(error.errno or 0)}."
        answer = {"error": sentence, "code": "over_limit" if error.errno == errno.EFBIG else "data"}
    print(json.dumps(answer))
    return 1 if "error" in answer else 0
