"""Breast cancer."""

from typing import Literal

import pyarrow as pa

from models.data.table import Source
from models.parts.dataset import BuiltIn


class BreastCancer(BuiltIn):
    """Malignant and benign tumors by the shape of their cells' nuclei.

    569 rows; thirty measurements, and `target` (malignant, benign).
    W. Wolberg, O. Mangasarian, N. Street and W. Street, Breast Cancer Wisconsin (Diagnostic), UCI Machine Learning
    Repository, 1995, as scikit-learn bundles it.
    """

    kind: Literal["breast_cancer"] = "breast_cancer"

    def source(self) -> Source:
        from sklearn.datasets import load_breast_cancer

        bunch = load_breast_cancer()
        columns = {name: pa.array(bunch.data[:, index]) for index, name in enumerate(bunch.feature_names)}
        columns["target"] = pa.array([str(bunch.target_names[label]) for label in bunch.target], pa.string())
        return Source(iter([pa.record_batch(columns)]), target="target")
