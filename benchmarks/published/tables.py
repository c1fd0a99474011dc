"""Small tables: the multi-layer perceptron with default settings, and scikit-learn's on the same folds."""

import statistics
import warnings
from pathlib import Path
from typing import Any

from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.published.study import SEEDS, Lab, Row, Study
from models.data.intake import ingest
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.roles import assign
from models.data.preparation.split import divide
from models.data.table import Table
from models.parts.architectures.mlp import MLP
from models.parts.dataset import DATASETS
from models.parts.split import Division
from models.parts.splits.folds import Folds

FOLDS = 10


def _measure(lab: Lab) -> list[Row]:
    cancer = datasets.load_breast_cancer()
    diabetes = datasets.load_diabetes(scaled=False)
    return [
        _row(lab, "breast_cancer", cancer, MLPClassifier, "accuracy", "%", 100),
        _row(lab, "diabetes", diabetes, MLPRegressor, "r2", "R²", 1),
    ]


def _row(lab: Lab, name: str, bunch: Any, theirs: Any, measure: str, unit: Any, times: float) -> Row:
    specs = [
        {
            "architecture": {"kind": "mlp"},
            "dataset": {"id": name, "split": {"kind": "folds", "n": FOLDS, "val": 0.0, "seed": seed}},
            "hyperparameters": {"seed": seed},
        }
        for seed in SEEDS
    ]
    ours = []
    for job in lab.train(specs):
        assert job.folds is not None
        ours += [times * value for value in job.folds.series[f"test/{measure}"].values]
    scores = [times * score for seed in SEEDS for score in _beside(lab.scratch, name, bunch, theirs, seed)]
    digits = 2 if times == 1 else 1
    return Row(
        f"`mlp` on {name}, {len(SEEDS)} times {FOLDS} folds",
        f"scikit-learn: {statistics.fmean(scores):.{digits + 1}f}",
        ours,
        bar=statistics.fmean(scores),
        unit=unit,
        digits=digits + 1,
        beside={f"scikit-learn's {theirs.__name__}": scores},
    )


def _beside(scratch: Path, name: str, bunch: Any, theirs: Any, seed: int) -> list[float]:
    """scikit-learn's score on each fold, after training on all other folds."""
    scores = []
    for division in _divisions(scratch / f"{name}.parquet", name, seed):
        model = make_pipeline(StandardScaler(), theirs(max_iter=2000, random_state=seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(bunch.data[division.train], bunch.target[division.train])
        scores.append(model.score(bunch.data[division.test], bunch.target[division.test]))
    return scores


def _divisions(path: Path, name: str, seed: int) -> list[Division]:
    """The same folds as in the service."""
    table = Table.open(path, ingest(DATASETS[name].model_validate({}).source(), path).schema)
    roles = assign(DatasetChoice(id=name), table.schema, MLP())
    return [divide(Folds(n=FOLDS, val=0.0, seed=seed), table, roles, fold) for fold in range(FOLDS)]


STUDY = Study(
    paper="scikit-learn's MLPClassifier and MLPRegressor as they come, on standardized inputs, until they converge",
    how="accuracy or R² of each fold after the last epoch; both learn from all the other folds",
    measure=_measure,
)
