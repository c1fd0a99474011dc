"""What README and docs/using.md show works as it stands."""

import json
import re
import subprocess
import sys
from itertools import islice, product
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.services import Embedded

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
USING = (ROOT / "docs" / "using.md").read_text()
PYTHON = re.search(r"```python\n(.*?)```", README, re.DOTALL)
CURL = re.findall(r"```sh\n(A=.*?)```", README, re.DOTALL) + re.findall(r"```sh\n(.*?)```", USING, re.DOTALL)
WORDS = (
    ["a", "this", "that", "every", "no"],
    ["moving", "slow", "long", "short", "quiet", "loud"],
    ["film", "book", "play", "song", "tale"],
    ["good", "great", "bad", "poor"],
)


def _reviews() -> str:
    rows = islice(product(*WORDS), 0, None, 2)
    return "text,label\n" + "".join(f"{' '.join(row)},{'yes' if row[-1] == 'good' else 'no'}\n" for row in rows)


def test_the_examples_work(tmp_path: Path) -> None:
    assert PYTHON is not None
    whole = re.search(r"`(\{\"architecture.*?\})` is a whole\sjob", README)
    assert whole is not None
    here = tmp_path / "here"
    here.mkdir()
    (here / "reviews.csv").write_text(_reviews())
    (here / "athanor-data").symlink_to(tmp_path / "data")
    with Embedded(tmp_path / "data") as service:
        environment = {**service.environment, "ATHANOR_URL": service.url}
        ran = subprocess.run(
            [sys.executable, "-c", PYTHON[1]], cwd=here, env=environment, capture_output=True, text=True, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        lines = ran.stdout.splitlines()
        assert lines[-2].startswith("succeeded ")
        assert "val/accuracy" in ran.stdout
        assert re.search(r"'label': '(yes|no)'", lines[-1])
        with safe_open(here / "reviews.safetensors", framework="np") as file:
            assert list(file.keys())
        with service.client() as client:
            assert client.plan(json.loads(whole[1])).task == "classification"


@pytest.mark.timeout(300)
def test_the_examples_in_a_shell_work(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "athanor-data").symlink_to(tmp_path / "data")
    with Embedded(tmp_path / "data") as service:
        marked = "\necho; echo next\n".join(CURL).replace("http://127.0.0.1:8500", service.url)
        ran = subprocess.run(["bash", "-eu", "-c", marked], cwd=here, capture_output=True, text=True, timeout=240)
        assert ran.returncode == 0, ran.stderr
        first, plan, houses, listed, predicted, answers, forked = ran.stdout.split("next\n")
        assert "event: end" in first and '"val/accuracy"' in first and '"label":"email"' in first
        with safe_open(here / "first.safetensors", framework="np") as file:
            assert "embedding.weight" in file.keys()  # noqa: SIM118 -- it is no mapping
        assert json.loads(plan)["parameters"] > 0
        means = [column["mean"] for column in json.loads(houses)["schema"]["columns"][1:]]
        assert means == [pytest.approx(61.83, abs=0.01), 1320]
        assert [job["name"] for job in json.loads(listed)["data"]] == ["first"]
        assert len(json.loads(predicted)["predictions"]) == 2
        assert answers.splitlines()[0].startswith("text,predicted_label,probability_")
        assert len(answers.strip().splitlines()) == 3
        assert json.loads(forked)["origin"]["fresh"] == []


def test_readme_is_short() -> None:
    assert len(README.splitlines()) < 200
