"""Iris flowers."""

from typing import Literal

import pyarrow as pa

from models.data.table import Source
from models.parts.dataset import BuiltIn


class Iris(BuiltIn):
    """Three species of iris by the sizes of their flowers.

    150 rows; four lengths and widths in cm, and `target` (setosa, versicolor, virginica), 50 rows each.
    R. A. Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7, 1936, as scikit-learn
    bundles it.
    """

    kind: Literal["iris"] = "iris"

    def source(self) -> Source:
        from sklearn.datasets import load_iris

        bunch = load_iris()
        columns = {name: pa.array(bunch.data[:, index]) for index, name in enumerate(bunch.feature_names)}
        columns["target"] = pa.array([str(bunch.target_names[label]) for label in bunch.target], pa.string())
        return Source(iter([pa.record_batch(columns)]), target="target")
