"""What is said about an upload: each kind of trap once where it is, and not a word where it is not."""

import json
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.data.intake import ingest
from models.parts.dataset import DATASETS
from tests.files import zipped
from tests.models.data.checks.tables import LABELS, NOISE, RNG, beside, csv, left_out, taken, told

SHUFFLED = RNG.permutation(400)[:200].tolist()
IDENTIFIERS: dict[str, tuple[str, list[Any]]] = {
    "counts from a large number": ("kunde", [10_000 + at for at in range(200)]),
    "counts from zero": ("zeile", list(range(50))),
    "an index of pandas": ("Unnamed: 0", list(range(50))),
    "an index of pandas after a shuffle": ("Unnamed: 0", SHUFFLED),
    "an index of pandas in Parquet": ("__index_level_0__", SHUFFLED),
    "students": ("学号", SHUFFLED),
    "telephones": ("phone", [7_000_000_000 + at * at for at in SHUFFLED]),
    "named so": ("customer_id", SHUFFLED),
    "in capitals": ("PassengerID", SHUFFLED),
    "as one word": ("userid", SHUFFLED),
    "in Chinese": ("编号", SHUFFLED),
    "with gaps": ("order number", (np.arange(200) * 7 + 3).tolist()),
    "codes": ("ref", [f"AB-{at:05}" for at in SHUFFLED]),
    "UUIDs": ("ref", [f"{at:08x}-0000-4000-8000-{at * 77:012x}" for at in SHUFFLED]),
    "addresses": ("contact", [f"{chr(97 + at % 26)}{at}@{chr(98 + at % 9)}.example.org" for at in SHUFFLED]),
    "words with the name": ("sample_id", [f"{at:x}z{at % 7}" for at in SHUFFLED]),
}


def test_a_column_without_values_is_left_out(tmp_path: Path) -> None:
    intake = taken(tmp_path, beside(empty=[""] * 40))
    assert left_out(intake) == ["empty"] and "none of the 40 rows" in (intake.schema.columns[0].left_out or "")


LONG = [30_000_000 + 1_237 * at for at in SHUFFLED]


def test_long_numbers_that_all_differ_are_pointed_out(tmp_path: Path) -> None:
    intake = taken(tmp_path, beside(customer=LONG))
    (warned,) = told(intake, "identifier")
    assert left_out(intake) == [] and "200 whole numbers all differ and have 8 digits" in warned.message
    money = [1_000 * number for number in LONG]
    moments = [1_600_000_000 + at for at in SHUFFLED]
    days = [20_000_101 + 10_000 * (at // 12) + 100 * (at % 12) for at in range(200)]
    for values in (
        money,
        moments,
        [1_000 * at for at in moments],
        days,
        [number // 10 for number in LONG],
        [*LONG[:199], LONG[0]],
    ):
        assert not told(taken(tmp_path, beside(customer=values)), "identifier")


@pytest.mark.parametrize("case", IDENTIFIERS)
def test_identifiers_are_left_out(tmp_path: Path, case: str) -> None:
    name, values = IDENTIFIERS[case]
    intake = taken(tmp_path, beside(**{name: values}))
    assert left_out(intake) == [name]
    (warned,) = told(intake, "identifier")
    assert warned.column == name and str(len(values)) in warned.message and warned.rows and warned.suggestion


QUANTITIES: dict[str, tuple[str, list[Any]]] = {
    "years": ("year", list(range(1950, 2010))),
    "time": ("t", list(range(200))),
    "different whole numbers": ("salary", SHUFFLED),
    "different numbers": ("weight", NOISE[:200]),
    "a number that repeats": ("customer_id", [at // 2 for at in range(200)]),
    "names of persons": ("name", [f"person {chr(97 + at % 26)}{chr(97 + at // 26)} x" for at in range(200)]),
    "molecules": ("smiles", ["C" * at + "(=O)N" + "c1" * (at % 9) for at in range(1, 60)]),
    "dates": ("day", [f"2024-{1 + at // 28:02}-{1 + at % 28:02}" for at in range(200)]),
    "measures": ("size", [f"{at}kg" for at in range(60)]),
    "few rows": ("id_of_group", list(range(9))),
    "paid": ("paid", SHUFFLED[:60] + SHUFFLED[:60]),
}


@pytest.mark.parametrize("case", QUANTITIES)
def test_quantities_stay(tmp_path: Path, case: str) -> None:
    name, values = QUANTITIES[case]
    intake = taken(tmp_path, beside(**{name: values}))
    assert left_out(intake) == [] and not told(intake, "identifier")


def test_numbers_that_rise_with_gaps_are_pointed_out(tmp_path: Path) -> None:
    rising = np.cumsum(RNG.integers(1, 9, 300)).tolist()
    intake = taken(tmp_path, beside(konto=rising))
    assert left_out(intake) == [] and "300 different whole numbers" in told(intake, "rising")[0].message
    assert not told(taken(tmp_path, beside(konto=rising[:150] + rising[:150])), "rising")


def test_numbers_of_the_rows_are_learned_from_where_nothing_else_is_left(tmp_path: Path) -> None:
    curve = "".join(f"{at},{at * at / 7}\n" for at in range(60))
    intake = taken(tmp_path, f"konto,y\n{curve}".encode())
    assert left_out(intake) == []
    (warned,) = told(intake, "identifier")
    assert "60 values all differ" in warned.message and "a job learns from it" in warned.message
    intake = taken(tmp_path, f"id,y\n{curve}".encode())
    assert left_out(intake) == ["id"]


def test_a_column_of_one_value_is_left_out(tmp_path: Path) -> None:
    intake = taken(tmp_path, beside(batch=["x1"] * 60, gap=["x1", ""] * 30))
    assert left_out(intake) == ["batch"]
    assert [warned.column for warned in told(intake, "constant_column")] == ["batch"]


COPIES: dict[str, Callable[[list[str]], Sequence[Any]]] = {
    "in other words": lambda labels: [{"red": "R", "green": "G", "blue": "B"}[label] for label in labels],
    "as numbers": lambda labels: [{"red": 3, "green": 1, "blue": 2}[label] for label in labels],
    "in capitals": lambda labels: [label.upper() for label in labels],
    "by finer classes": lambda labels: [f"{label}{at % 5}" for at, label in enumerate(labels)],
    "missing in one class": lambda labels: ["" if label == "red" else label for label in labels],
    "in all rows but one": lambda labels: ["X", *(label[0] + "!" for label in labels[1:])],
    "cut at thresholds": lambda labels: [
        f"{ {'red': 0, 'green': 5, 'blue': 9}[label] + abs(float(NOISE[at])):.3f}" for at, label in enumerate(labels)
    ],
}


@pytest.mark.parametrize("case", COPIES)
def test_copies_of_the_target_are_pointed_out(tmp_path: Path, case: str) -> None:
    copy = COPIES[case](LABELS)
    content = csv({"copy": copy, "a": NOISE, "b": NOISE[::-1], "label": LABELS})
    (warned,) = told(taken(tmp_path, content), "determines_target")
    assert warned.column == "copy" and "400 rows" in warned.message
    assert json.loads((warned.suggestion or "").partition(": ")[2]) == {"dataset": {"inputs": ["a", "b"]}}


def test_a_target_in_several_spellings_is_one_answer(tmp_path: Path) -> None:
    spelled = [label if at % 2 else label.capitalize() for at, label in enumerate(LABELS)]
    content = csv({"copy": [label[0] for label in LABELS], "a": NOISE, "label": spelled})
    assert [warned.column for warned in told(taken(tmp_path, content), "determines_target")] == ["copy"]


@pytest.mark.parametrize("case", ["in other units", "rounded", "in logarithms", "reversed"])
def test_copies_of_a_number_are_pointed_out(tmp_path: Path, case: str) -> None:
    price = np.exp(RNG.standard_normal(200)) * 100
    copy = {
        "in other units": price * 1.17 + 3,
        "rounded": (price * 0.9).round(2),
        "in logarithms": np.log(price),
        "reversed": 1 / price,
    }[case]
    content = csv({"copy": copy.tolist(), "a": NOISE[:200], "price": price.tolist()})
    (warned,) = told(taken(tmp_path, content), "determines_target")
    assert warned.column == "copy" and "200 rows" in warned.message


def test_a_column_that_is_filled_for_one_class_only(tmp_path: Path) -> None:
    died = ["yes" if at % 4 == 0 else "no" for at in range(200)]
    filled = [f"{at * 3.7:.1f}" if label == "yes" else "" for at, label in enumerate(died)]
    (warned,) = told(taken(tmp_path, csv({"days": filled, "a": NOISE[:200], "died": died})), "determines_target")
    assert warned.column == "days" and "whether it has a value" in warned.message and "200 of 200" in warned.message
    gaps = ["" if RNG.random() < 0.3 else value for value in NOISE[:200]]
    assert not told(taken(tmp_path, csv({"days": gaps, "a": NOISE[:200], "died": died})), "determines_target")


def test_good_predictors_are_no_copies(tmp_path: Path) -> None:
    y = RNG.standard_normal(300)
    near, good = y + RNG.standard_normal(300) * 0.01, [label if RNG.random() < 0.95 else "red" for label in LABELS]
    assert not told(
        taken(tmp_path, csv({"near": near.tolist(), "a": NOISE[:300], "y": y.tolist()})), "determines_target"
    )
    assert not told(taken(tmp_path, csv({"good": good, "a": NOISE, "label": LABELS})), "determines_target")
    # Of values that do not repeat, each goes with one class, whatever they mean.
    unique = [f"{word} of no meaning" for word in range(400)]
    assert not told(taken(tmp_path, csv({"text": unique, "a": NOISE, "label": LABELS})), "determines_target")
    # A single input is what the data are about.
    assert not told(taken(tmp_path, csv({"x": y.tolist(), "y": (2 * y).tolist()})), "determines_target")


def test_nearly_equal_classes(tmp_path: Path) -> None:
    spelled = ["yes", "Yes", "\uff59\uff45\uff53", "no", "sci-fi", "sci fi", "C++", "C#"] * 10
    intake = taken(tmp_path, csv({"a": NOISE[:80], "b": NOISE[80:160], "label": spelled}))
    yes, fiction = sorted(told(intake, "near_equal_classes"), key=lambda warned: "sci" in warned.message)
    assert "3 values are nearly equal" in yes.message and "'yes' (10 rows)" in yes.message
    assert yes.rows[:2] in ([1, 2], [1, 3], [2, 3]) and len(yes.rows) == 10
    assert "'sci fi' (10 rows)" in fiction.message
    letters = [*string.ascii_letters] * 2
    assert not told(taken(tmp_path, csv({"a": NOISE[:104], "label": letters})), "near_equal_classes")


def test_classes_with_too_few_rows(tmp_path: Path) -> None:
    labels = ["common"] * 30 + ["rare", "pair", "pair", "three", "three", "three"]
    (warned,) = told(taken(tmp_path, csv({"a": NOISE[:36], "label": labels})), "rare_classes")
    assert warned.column == "label" and "2 of the 4 classes" in warned.message and warned.rows == [31, 32, 33]
    assert "'pair' (2), 'rare' (1)" in warned.message
    ages = [20 + at % 37 for at in range(74)] + [81]
    assert not told(taken(tmp_path, csv({"a": NOISE[:75], "age": ages})), "rare_classes")


def test_whole_numbers_that_may_be_classes(tmp_path: Path) -> None:
    numbers = [at % 40 for at in range(200)]
    (warned,) = told(taken(tmp_path, csv({"a": NOISE[:200], "label": numbers})), "whole_number_classes")
    assert "40 different whole numbers in 200 rows" in warned.message and "classification" in (warned.suggestion or "")
    assert not told(taken(tmp_path, csv({"a": NOISE[:200], "age": numbers})), "whole_number_classes")
    assert not told(
        taken(tmp_path, csv({"a": NOISE[:200], "label": [at % 4 for at in numbers]})), "whole_number_classes"
    )


def _parts(train: bytes, test: bytes, suffix: str = "csv") -> bytes:
    return zipped([(f"train.{suffix}", train), (f"test.{suffix}", test)])


def test_rows_of_test_that_are_in_train(tmp_path: Path) -> None:
    train = csv({"a": NOISE[:100], "b": NOISE[100:200], "label": LABELS[:100]})
    test = csv({"a": NOISE[90:120], "b": NOISE[190:220], "label": LABELS[100:130]})
    (warned,) = told(taken(tmp_path, _parts(train, test), "zip"), "rows_in_two_parts")
    assert "10 of the 30 rows of test" in warned.message and warned.rows == list(range(101, 111))
    apart = csv({"a": NOISE[200:230], "b": NOISE[230:260], "label": LABELS[:30]})
    assert not told(taken(tmp_path, _parts(train, apart), "zip"), "rows_in_two_parts")


def test_classes_of_test_that_are_not_in_train(tmp_path: Path) -> None:
    train = csv({"a": NOISE[:60], "label": ["x", "y"] * 30})
    test = csv({"a": NOISE[60:80], "label": ["x", "y", "z", "y"] * 5})
    (warned,) = told(taken(tmp_path, _parts(train, test), "zip"), "untrained_classes")
    assert "5 of the 20 rows of test are of 1 class of 'label'" in warned.message and warned.rows == [
        63,
        67,
        71,
        75,
        79,
    ]


def test_texts_of_test_that_are_in_train_in_other_spellings(tmp_path: Path) -> None:
    texts = [f"the film number {at} was rather good I think" for at in range(80)]
    ids = [f"{at * 7 % 1009}" for at in range(100)]
    train = csv({"doc": ids[:60], "text": texts[:60], "label": LABELS[:60]})
    again = [f" THE film  number {at} was rather good I think " for at in range(5)]
    test = csv({"doc": ids[60:85], "text": again + texts[60:80], "label": LABELS[:25]})
    (warned,) = told(taken(tmp_path, _parts(train, test), "zip"), "rows_in_two_parts")
    assert "5 of the 25 rows of test" in warned.message and "'text'" in warned.message
    assert warned.rows == [61, 62, 63, 64, 65]


def test_pictures_of_test_that_are_in_train(tmp_path: Path) -> None:
    def picture(seed: int) -> bytes:
        path = tmp_path / "one.png"
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8), dtype=np.uint8)).save(path)
        return path.read_bytes()

    train = [(f"train/{'ab'[at % 2]}/{at}.png", picture(at)) for at in range(20)]
    test = [(f"test/{'ab'[at % 2]}/{at}.png", picture(at + 17)) for at in range(6)]
    (warned,) = told(taken(tmp_path, zipped(train + test), "zip"), "rows_in_two_parts")
    assert "3 of the 6 rows of test" in warned.message


def test_equal_rows_of_few_values_are_no_leak(tmp_path: Path) -> None:
    def few(rows: int) -> bytes:
        return csv({name: RNG.integers(0, 4, rows).tolist() for name in "abc"} | {"label": LABELS[:rows]})

    assert not told(taken(tmp_path, _parts(few(300), few(50)), "zip"), "rows_in_two_parts")


def test_a_large_file_is_looked_at_in_parts(tmp_path: Path) -> None:
    rows = 150_000
    x = RNG.standard_normal(rows).round(3)
    label = np.where(RNG.random(rows) < 0.5, "up", "down")
    content = csv({"nr": range(7, rows + 7), "copy": np.where(label == "up", 1, 0), "x": x, "label": label})
    intake = taken(tmp_path, content)
    assert left_out(intake) == ["nr"]
    (warned,) = told(intake, "determines_target")
    assert "of 150,000 rows were looked at" in warned.message


CODES = {
    "contradicting_labels",
    "identifier",
    "rising",
    "determines_target",
    "groups",
    "groups_in_two_parts",
    "near_equal_classes",
    "rows_in_two_parts",
    "unused_split",
}


@pytest.mark.parametrize("name", ["iris", "wine", "digits", "breast_cancer", "diabetes"])
def test_no_false_alarm(tmp_path: Path, name: str) -> None:
    intake = ingest(DATASETS[name].model_validate({}).source(), tmp_path / "rows")
    assert not [warned for warned in intake.warnings if warned.code in CODES] and left_out(intake) == []


def test_every_warning_has_a_number_and_a_way_out(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "customer_id": list(range(60)),
        "one": ["x"] * 60,
        "copy": [label[0] for label in LABELS[:60]],
        "split": ["train", "test"] * 30,
        "user": [f"u{at // 4}" for at in range(60)],
        "a": ["", *NOISE[:59]],
        "label": ["Red ", "single", *LABELS[:58]],
    }
    columns["copy"] = [label.strip()[0].lower() for label in columns["label"]]
    found = taken(tmp_path, csv(columns)).warnings
    assert len({warned.code for warned in found}) >= 6
    for warned in found:
        assert any(letter.isdigit() for letter in warned.message) and warned.suggestion, warned
