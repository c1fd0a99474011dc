"""Groups of rows that stand in two parts: those of a random split, and those that the data give."""

from pathlib import Path

import numpy as np

from models.data.checks import concerns
from models.data.intake import Intake
from tests.files import zipped
from tests.models.data.checks.tables import LABELS, NOISE, beside, csv, taken, told

PATIENTS = [f"P{at // 5:03}" for at in range(200)]
RANDOM = ["test" if draw < 0.3 else "train" for draw in np.random.default_rng(0).random(200)]
BY_PATIENT = ["test" if at // 5 % 4 == 0 else "train" for at in range(200)]


def test_groups_that_a_random_split_tears_apart(tmp_path: Path) -> None:
    (warned,) = told(taken(tmp_path, beside(case_no=PATIENTS)), "groups")
    assert "40 values, each in 5.0 rows" in warned.message and "200 of 200 rows" in warned.message
    assert warned.rows == [1, 2, 3, 4, 5] and '"split"' in (warned.suggestion or "")
    assert told(taken(tmp_path, beside(user_id=[at // 4 for at in range(200)])), "groups")
    assert told(taken(tmp_path, beside(session=[at // 4 for at in range(200)])), "groups")
    for other in ({"age": [20 + at % 40 for at in range(200)]}, {"color": ["red", "blue", "green", "gray"] * 50}):
        assert not told(taken(tmp_path, beside(**other)), "groups")


def test_a_given_split_that_tears_groups_apart(tmp_path: Path) -> None:
    intake = taken(tmp_path, beside(patient=PATIENTS, part=RANDOM))
    (warned,) = told(intake, "groups_in_two_parts")
    trained = {patient for patient, part in zip(PATIENTS, RANDOM, strict=True) if part == "train"}
    tested = [(at, patient) for at, patient in enumerate(PATIENTS) if RANDOM[at] == "test"]
    again = [at + 1 for at, patient in tested if patient in trained]
    both = {patient for _, patient in tested} & trained
    assert warned.column == "patient" and warned.rows == again[:10] and "'part'" in (warned.suggestion or "")
    assert f"{len(both)} of the {len({patient for _, patient in tested})} values in test" in warned.message
    assert f"{len(again)} of the {len(tested)} rows of test have one of them" in warned.message
    assert concerns(warned, {"a"}, "label", "part", "label") and not concerns(warned, {"a"}, "label", None, "label")
    # Whoever leaves the column of the parts alone divides at random.
    assert told(intake, "groups")
    assert not [each for each in told(intake, "rows_in_two_parts") if "'patient'" in each.message]


def test_a_given_split_that_keeps_groups_together(tmp_path: Path) -> None:
    intake = taken(tmp_path, beside(patient=PATIENTS, part=BY_PATIENT))
    assert not told(intake, "groups_in_two_parts") and told(intake, "groups")
    assert not told(taken(tmp_path, beside(color=["red", "blue"] * 100, part=RANDOM)), "groups_in_two_parts")


def _files(folder: Path, parts: list[str]) -> Intake:
    """The parts as files of a zip."""
    files = []
    for name in ("train", "test"):
        rows = [at for at, part in enumerate(parts) if part == name]
        columns = {"patient": PATIENTS, "a": NOISE, "label": LABELS}
        files.append((f"{name}.csv", csv({key: [values[at] for at in rows] for key, values in columns.items()})))
    return taken(folder, zipped(files), "zip")


def test_groups_in_two_files(tmp_path: Path) -> None:
    intake = _files(tmp_path, RANDOM)
    assert intake.schema.part is not None
    (warned,) = told(intake, "groups_in_two_parts")
    assert warned.column == "patient" and not told(intake, "groups")
    assert "move rows to the other file" in (warned.suggestion or "")
    assert "column" not in (warned.suggestion or "")
    assert not told(_files(tmp_path, BY_PATIENT), "groups_in_two_parts")
