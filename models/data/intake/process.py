"""Taking in a stranger's file: in a process that is bounded in memory, time and disk, and knows no secrets."""

import argparse
import errno
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from athanor.contract import Schema, Warned
from athanor.processes import full_disk
from athanor.processes.confinement import confine, environment
from athanor.processes.parent_watch import leash
from models.data.formats import FORMATS, sniff
from models.data.formats.limits import Limits, OverLimit
from models.data.intake.canonical import Intake, ingest
from models.errors import DataError


def run(path: Path, filename: str, destination: Path, limits: Limits | None = None, seconds: int = 600) -> Intake:
    """Take in the upload at `path`, called `filename` by its sender, in a bounded process of its own.

    Raises DataError or OverLimit, and then `destination` does not exist; so too when the process runs out of memory or
    of its `seconds`, or dies. Raises OSError where it found no room on the disk.
    """
    limits = limits or Limits()
    filename = filename.encode("utf-8", "replace").decode().replace("\0", "?")[-200:]
    with tempfile.TemporaryDirectory(prefix="intake-", dir=destination.parent) as folder:
        written = Path(folder) / "rows.parquet"
        command = [sys.executable, "-P", "-m", "models.data.intake", "--limits", json.dumps(asdict(limits))]
        command += ["--seconds", str(seconds), "--", str(path.absolute()), filename, str(written.absolute())]
        try:
            with leash() as stdin:
                done = subprocess.run(
                    command, env=environment(folder), cwd=folder, stdin=stdin, capture_output=True, timeout=seconds
                )
        except subprocess.TimeoutExpired as error:
            raise DataError(f"Reading {filename} took longer than {seconds} s. Upload a smaller file.") from error
        answer = _answer(done, filename, limits)
        os.replace(written, destination)
    return answer


def _answer(done: "subprocess.CompletedProcess[bytes]", filename: str, limits: Limits) -> Intake:
    full_disk.pass_on(done.returncode)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise DataError(
            f"{filename} could not be read: the process that read it ended with {done.returncode}, perhaps for want of "
            f"memory ({limits.max_memory_bytes:,} bytes are allowed) or time. Upload a smaller file, or mend it."
        ) from None
    if "error" in answer:
        raise (OverLimit if answer["code"] == "over_limit" else DataError)(answer["error"])
    warned = [Warned.model_validate(each) for each in answer["warnings"]]
    return Intake(Schema.model_validate(answer["schema"]), answer["rows"], warned, answer["format"])


def main(arguments: list[str] | None = None) -> int:
    """The child's side: one line of JSON on standard output, with the description or with an error and its code."""
    parser = argparse.ArgumentParser(prog="python -m models.data.intake", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("filename")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--limits", type=json.loads, default={}, help="JSON object of limits to change")
    parser.add_argument("--seconds", type=int, default=600, help="processor time")
    given = parser.parse_args(arguments)
    limits = Limits(**given.limits)
    largest = limits.max_expanded_bytes + (limits.max_expanded_bytes >> 3) + (1 << 20)
    confine(limits.max_memory_bytes, given.seconds, largest)
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
        sentence = f"{given.filename} needs more than {limits.max_memory_bytes:,} bytes of memory. Upload it in parts."
        answer = {"error": sentence, "code": "over_limit"}
    except OSError as error:
        if full_disk.is_to_blame(error):
            return full_disk.EXIT
        sentence = f"{given.filename} could not be unpacked or written: {os.strerror(error.errno or 0)}."
        answer = {"error": sentence, "code": "over_limit" if error.errno == errno.EFBIG else "data"}
    print(json.dumps(answer))
    return 1 if "error" in answer else 0
