"""What all splits have in common."""

import subprocess
import sys

import pytest

from athanor.contract import Schema
from models.parts.split import SPLITS, Sizes, default_split, shares


def test_shares_are_whole() -> None:
    assert shares(100, 0.1, 0.0) == Sizes(90, 10, 0)
    assert shares(101, 0.1, 0.2) == Sizes(71, 10, 20)
    assert shares(3, 0.01, 0.01) == Sizes(1, 1, 1)
    assert shares(2, 0.01, 0.01) == Sizes(2, 0, 0)


@pytest.mark.parametrize(("part", "kind"), [(None, "holdout"), ("part", "given")])
def test_the_split_of_a_job_that_names_none(part: str | None, kind: str) -> None:
    assert default_split(Schema(columns=[], part=part)) == SPLITS[kind].model_validate({})


def test_dividing_takes_no_torch() -> None:
    script = "import sys; from models.parts.split import SPLITS; print(len(list(SPLITS)), 'torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    count, torch = ran.stdout.split()
    assert int(count) >= 3 and torch == "False"
