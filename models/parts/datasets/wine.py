"""Wine."""

from typing import Literal

import pyarrow as pa

from models.data.table import Source
from models.parts.dataset import BuiltIn


class Wine(BuiltIn):
    """Three cultivars of Italian wine by chemical analysis.

    178 rows; thirteen measurements, and `target` (class_0, class_1, class_2).
    S. Aeberhard and M. Forina, Wine, UCI Machine Learning Repository, 1991, as scikit-learn bundles it.
    """

    kind: Literal["wine"] = "wine"

    def source(self) -> Source:
        from sklearn.datasets import load_wine

        bunch = load_wine()
        columns = {name: pa.array(bunch.data[:, index]) for index, name in enumerate(bunch.feature_names)}
        columns["target"] = pa.array([str(bunch.target_names[label]) for label in bunch.target], pa.string())
        return Source(iter([pa.record_batch(columns)]), target="target")
