"""The examples in CONTRIBUTING.md work as they stand: files dropped into a copy of the tree, and no other edit."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = dict(
    re.findall(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
)

SCRIPT = """
import json
import sys
from pathlib import Path

from api.app import create_app
from api.routes.catalog import read
from athanor.contract import Column, Schema
from models.settings import Limits, Settings
from models.planning.spec import JobSpec
from tests import small
from tests.api import kit

spec = JobSpec.model_validate({
    "architecture": {"kind": "highway", "width": 5, "layers": 2},
    "dataset": {"id": "ds_1"},
    "hyperparameters": {"loss": {"kind": "log_cosh"}},
})
schema = Schema(target="t", columns=[Column(name=name, kind="number") for name in "abt"])
schemas = JobSpec.model_json_schema()
catalog = read()
part = {
    "parameters": small.planned(spec, schema, 100, Limits()).parameters,
    "union": sorted(schemas["properties"]["architecture"]["discriminator"]["mapping"]),
    "architectures": {part.kind: part.summary for part in catalog.architectures},
    "losses": [part.kind for part in catalog.losses],
    "openapi": json.dumps(create_app(Settings()).openapi()),
}
with kit.installation(Path(sys.argv[1])) as house, house.client() as client:
    split = {"kind": "tail", "val": 0.2, "test": 0.3}
    spec = kit.spec("linear", "iris", choice={"split": split}, hyperparameters={"epochs": 1})
    plan = client.post("/v1/jobs?validate_only=true", json=spec).json()
    job = kit.submit(client, spec)
    kit.train(house.settings)
    wrong = kit.spec("linear", "iris", choice={"split": {"kind": "tail", "val": 2}})
    job = {
        "rows": [plan[f"{part}_rows"] for part in ("train", "val", "test")],
        "split": plan["spec"]["dataset"]["split"],
        "splits": [part["kind"] for part in client.get("/v1/catalog").json()["splits"]],
        "job": client.get(f"/v1/jobs/{job}").json(),
        "pointer": kit.problem(client.post("/v1/jobs", json=wrong), 422)["errors"][0]["pointer"],
    }
print(json.dumps({"part": part, "job": job}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the examples in their places."""
    tree = tmp_path_factory.mktemp("tree")
    for folder in ("athanor", "api", "worker", "models", "migrations", "tests"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    for path, text in EXAMPLES.items():
        assert not (tree / path).exists(), f"{path} is there already: choose another example"
        (tree / path).write_text(text)
    return tree


@pytest.fixture(scope="module")
def told(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process over the copy finds out about the dropped parts, and about a job that one of them divides."""
    ran = _run(tree, sys.executable, "-c", SCRIPT, str(tmp_path_factory.mktemp("service") / "data"))
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def _run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def test_there_are_examples() -> None:
    assert list(EXAMPLES) == [
        "models/parts/architectures/highway.py",
        "models/parts/losses/log_cosh.py",
        "tests/models/parts/losses/test_log_cosh.py",
        "models/parts/splits/tail.py",
    ]


def test_a_dropped_file_is_a_part(told: dict[str, Any]) -> None:
    part = told["part"]
    assert part["parameters"] == (2 * 5 + 5) + 2 * 2 * (5 * 5 + 5) + (5 + 1)
    assert "highway" in part["union"]
    assert part["architectures"]["highway"].startswith("Layers that mix")
    assert "log_cosh" in part["losses"]
    assert '"highway"' in part["openapi"] and '"log_cosh"' in part["openapi"]


def test_a_job_is_divided_by_a_dropped_file(told: dict[str, Any]) -> None:
    divided = told["job"]
    assert "tail" in divided["splits"]
    assert divided["rows"] == [75, 30, 45]
    assert divided["split"] == {"kind": "tail", "val": 0.2, "test": 0.3}
    assert divided["job"]["state"] == "succeeded", divided["job"]["error"]
    assert divided["job"]["folds"] is None and "test/accuracy" in divided["job"]["latest"]
    assert divided["pointer"] == "/dataset/split/val"


def test_a_dropped_file_brings_its_tests(tree: Path) -> None:
    chosen = [
        "tests/test_every_part.py",
        "tests/models/parts/losses/test_log_cosh.py",
        "-k",
        "highway or log_cosh or tail",
    ]
    ran = _run(tree, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen)
    assert ran.returncode == 0, ran.stdout
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed is not None and int(passed[1]) >= 20


def test_the_examples_keep_the_style(tree: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        ran = _run(tree, sys.executable, "-m", "ruff", *command, "--no-cache", *EXAMPLES)
        assert ran.returncode == 0, ran.stdout
