"""Diabetes."""

from typing import Literal

import pyarrow as pa

from models.data.table import Source
from models.parts.dataset import BuiltIn


class Diabetes(BuiltIn):
    """How far diabetes had progressed after a year, by ten measurements of a patient.

    442 rows; age, sex, body mass index, blood pressure and six serum values in their own units, and `target`, a
    number from 25 to 346.
    B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least angle regression, Annals of Statistics 32, 2004, as
    scikit-learn bundles it.
    """

    kind: Literal["diabetes"] = "diabetes"

    def source(self) -> Source:
        from sklearn.datasets import load_diabetes

        bunch = load_diabetes(scaled=False)
        columns = {name: pa.array(bunch.data[:, index]) for index, name in enumerate(bunch.feature_names)}
        columns["target"] = pa.array(bunch.target)
        return Source(iter([pa.record_batch(columns)]), target="target")
