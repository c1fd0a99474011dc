"""Small tables for checks: columns as a file, what an intake finds in it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from athanor.contract import Warned
from models.data.formats import FORMATS, sniff
from models.data.formats.limits import Limits
from models.data.intake import Intake, ingest

RNG = np.random.default_rng(5)
NOISE = [f"{value:.3f}" for value in RNG.standard_normal(400)]
LABELS = [f"{label}" for label in RNG.choice(["red", "green", "blue"], 400)]


def csv(columns: Mapping[str, Iterable[Any]]) -> bytes:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows), ""]).encode()


def taken(folder: Path, content: bytes, kind: str = "csv") -> Intake:
    path = folder / "upload"
    path.write_bytes(content)
    return ingest(FORMATS[sniff(f"a.{kind}", path, Limits())](path, Limits()), folder / "rows")


def told(intake: Intake, code: str) -> list[Warned]:
    return [warned for warned in intake.warnings if warned.code == code]


def left_out(intake: Intake) -> list[str]:
    return [column.name for column in intake.schema.columns if column.left_out]


def beside(**columns: Sequence[Any]) -> bytes:
    """The columns, a number and a label that have nothing to do with each other."""
    rows = len(next(iter(columns.values())))
    return csv({**columns, "a": NOISE[:rows], "label": LABELS[:rows]})
