"""A target and a metric dropped into their folders are asked for, evaluated and listed, with no other edit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

METRIC = '''"""Worst error."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch

from models.parts.metric import Direction, Meaning, Metric


class WorstError(Metric):
    """The largest error, in the target's own unit."""

    direction: ClassVar[Direction] = "min"
    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})
    statistics: ClassVar[tuple[str, ...]] = ("error",)
    additive: ClassVar[bool] = False

    kind: Literal["worst_error"] = "worst_error"

    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        return [float((y.squeeze(1) - t).abs().amax())]

    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        return statistics[0] * meaning.unit
'''

TARGET = '''"""The logarithm of a number."""

from typing import ClassVar, Literal

import numpy as np
import torch

from athanor.contract import Column
from models.data.table import Table
from models.parts.architecture import Inputs
from models.parts.target import FittedTarget, Rows
from models.parts.targets.value import FittedValue, Value


class FittedLogarithm(FittedValue):
    """A number by its logarithm."""

    task: Literal["log_regression"] = "log_regression"

    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        return torch.from_numpy(np.log(table.numbers(self.name)[rows]).astype(np.float32))


class Logarithm(Value):
    """A number, learned by its logarithm."""

    task: ClassVar[str] = "log_regression"
    fitted: ClassVar[type[FittedTarget]] = FittedLogarithm
    losses: ClassVar[tuple[str, ...]] = ("huber", "mse")

    kind: Literal["logarithm"] = "logarithm"

    @classmethod
    def recognize(cls, column: Column) -> float:
        return 0.0

    @classmethod
    def fit(cls, table: Table, column: Column, train: Rows, inputs: Inputs, words: str) -> FittedLogarithm:
        return FittedLogarithm(name=column.name, mean=0.0, std=1.0)
'''

SCRIPT = """
import json
import numpy as np
import pyarrow as pa
import torch
from pathlib import Path
from api.routes.catalog import read
from models.data.preparation.examples import Preparation
from models.planning.spec import JobSpec
from models.settings import Limits
from tests import small
from worker.training.build import build
from worker.training.loop import fit

values = np.arange(1, 41) / 3
table = small.ingested(Path("t"), {"x": values, "target": values})
told = {}
for task in ("regression", "log_regression"):
    said = {"architecture": {"kind": "linear"}, "dataset": {"id": "x", "task": task}, "hyperparameters": {"epochs": 1}}
    said["checkpoints"] = {"series": "val/worst_error"} if task == "regression" else {}
    plan = small.planned(JobSpec.model_validate(said), table.schema, 40, Limits())
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(plan.spec), table)
    target = prepared.preparation.target
    assert Preparation.model_validate_json(prepared.preparation.model_dump_json()) == prepared.preparation
    learner = build(resolved.spec, prepared)
    *_, last = fit(learner, (prepared.train.x, prepared.train.t), (prepared.val.x, prepared.val.t))
    told[task] = {
        "spec": plan.spec, "directions": plan.directions, "series": sorted(last.series),
        "baseline": sorted(target.baseline(prepared.train, prepared.val)),
    }
told["catalog"] = read().model_dump(mode="json", by_alias=True)
print(json.dumps(told))
"""


def test_a_dropped_target_and_a_dropped_metric(tmp_path: Path) -> None:
    for folder in ("athanor", "api", "worker", "models", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "models" / "parts" / "metrics" / "worst_error.py").write_text(METRIC)
    (tmp_path / "models" / "parts" / "targets" / "logarithm.py").write_text(TARGET)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", SCRIPT]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    listed = {shelf: {part["kind"]: part for part in parts} for shelf, parts in told["catalog"].items()}
    assert listed["metrics"]["worst_error"]["direction"] == "min"
    assert listed["targets"]["logarithm"]["tasks"] == ["log_regression"]
    plain, logarithm = told["regression"], told["log_regression"]
    assert plain["spec"]["checkpoints"]["mode"] == "min" and plain["directions"]["worst_error"] == "min"
    assert "val/worst_error" in plain["series"] and "worst_error" in plain["baseline"]
    assert logarithm["spec"]["dataset"]["task"] == "log_regression"
    assert logarithm["spec"]["hyperparameters"]["loss"]["kind"] == "huber"
    assert {"train/rmse", "val/r2"} <= set(logarithm["series"]) and "val/worst_error" not in logarithm["series"]
