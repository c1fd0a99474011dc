"""Equal rows of different classes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from athanor.contract import Warned
from models.data.checks import concerns
from models.data.formats import FORMATS, sniff
from models.data.formats.limits import Limits
from models.data.intake import ingest
from tests.files import zipped

RNG = np.random.default_rng(11)
NOISE = [f"{value:.4f}" for value in RNG.standard_normal(200)]
LABELS = [str(label) for label in RNG.choice(["red", "green"], 200)]


def _told(folder: Path, content: bytes, kind: str = "csv") -> list[Warned]:
    path = folder / "upload"
    path.write_bytes(content)
    intake = ingest(FORMATS[sniff(f"a.{kind}", path)](path, Limits()), folder / "rows")
    return [warned for warned in intake.warnings if warned.code == "contradicting_labels"]


def _table(rows: list[str], head: str = "id,a,b,label") -> bytes:
    return "\n".join([head, *rows, ""]).encode()


ROWS = [f"{at + 500},{NOISE[at]},{LABELS[at]}{at % 3},{LABELS[at]}" for at in range(200)]


def test_rows_of_a_table(tmp_path: Path) -> None:
    assert _told(tmp_path, _table(ROWS)) == []
    again = [
        *ROWS,
        "1,0.5,x,red",
        "2,7.5,X,red",
        "3,0.50,x,green",
        "short",
        "4,7.5,X ,green",
        "5,7.5,X,",
        "6,0.5,x,red",
    ]
    (warned,) = _told(tmp_path, _table(again))
    # The rows of each group follow each other, and are numbered as in the file.
    assert (warned.column, warned.rows) == ("label", [201, 203, 207, 202, 205])
    assert "5 rows are equal to others in all inputs" in warned.message
    assert "but not in the target 'label', which is 'red' and 'green' in the first of them" in warned.message


def test_equal_rows_of_one_class_or_of_a_number_are_none(tmp_path: Path) -> None:
    assert _told(tmp_path, _table([*ROWS, *("9" + row for row in ROWS[:20])])) == []
    numbers = [f"{NOISE[at % 100]},{NOISE[at]}" for at in range(200)]
    assert _told(tmp_path, _table(numbers, "a,price")) == []


def test_rounded_numbers_meet_by_chance(tmp_path: Path) -> None:
    rows = [f"{at * 37 % 199 / 1000},{LABELS[at]}" for at in range(200)]
    assert _told(tmp_path, _table(rows, "a,label")) == []
    pairs = [f"{at},{NOISE[at]}" for at in range(200)]
    rows = [f"{pair},{label}" for pair, label in zip(pairs, LABELS, strict=False)]
    (warned,) = _told(tmp_path, _table([*rows, f"{pairs[0]},other"], "a,b,label"))
    assert warned.rows == [1, 201] and "case" not in warned.message


def test_rows_of_few_values_are_equal_by_chance(tmp_path: Path) -> None:
    rows = [f"{at % 3},{at % 4},{LABELS[at]}" for at in range(200)]
    assert _told(tmp_path, _table(rows, "a,b,label")) == []


@pytest.mark.parametrize("other", ["Well, it works", "  well,  it WORKS "])
def test_texts(tmp_path: Path, other: str) -> None:
    rows = [f"this is text number {at} of many,{LABELS[at]}" for at in range(60)]
    (warned,) = _told(tmp_path, _table([*rows, '"Well, it works",red', f'"{other}",green'], "text,label"))
    assert warned.rows == [61, 62] and "apart from case and white space" in warned.message


def test_one_picture_in_two_class_folders(tmp_path: Path) -> None:
    def picture(seed: int, kind: str = "PNG") -> bytes:
        held = io.BytesIO()
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 6), np.uint8)).save(held, kind)
        return held.getvalue()

    members = [(f"{'ab'[seed % 2]}/{seed}.png", picture(seed)) for seed in range(8)]
    assert _told(tmp_path, zipped(members), "zip") == []
    copies = [("a/x.png", picture(9)), ("b/y.bmp", picture(9, "BMP")), ("a/z.png", picture(2))]
    (warned,) = _told(tmp_path, zipped(members + copies), "zip")
    assert warned.rows == [9, 10] and "2 rows are equal to others in column 'image', but not" in warned.message
    # A table beside them has more columns; a job learns from the picture alone.
    table = "".join(f"{n}.png,{n},{'ab'[n % 2]}\n" for n in range(8)) + "8.png,8,b\n"
    flat = [(f"{n}.png", picture(n)) for n in range(8)] + [("8.png", picture(0))]
    (warned,) = _told(tmp_path, zipped([*flat, ("t.csv", f"file,age,label\n{table}".encode())]), "zip")
    assert warned.rows == [1, 9]


def test_a_job_compares_its_own_inputs() -> None:
    of_rows = Warned(code="contradicting_labels", column="label", message="5 rows")
    of_tables = Warned(code="contradicting_labels", message="1 images")
    assert [concerns(each, ["a"], "label", None, "label") for each in (of_rows, of_tables)] == [False, True]
