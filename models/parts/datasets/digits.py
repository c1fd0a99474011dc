"""Handwritten digits."""

from typing import Literal

import numpy as np
import pyarrow as pa

from models.data.table import Layout, Source
from models.parts.dataset import BuiltIn


class Digits(BuiltIn):
    """Handwritten digits as images of 8×8 pixels.

    1,797 rows; columns `image` (8×8×1, values 0 to 16) and `target` (0 to 9).
    The test part of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, as scikit-learn bundles it.
    """

    kind: Literal["digits"] = "digits"

    def source(self) -> Source:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        layout = Layout("image", (8, 8, 1))
        pixels = np.ascontiguousarray(bunch.images, np.uint8)
        buffers = [None, pa.py_buffer(pixels)]
        images = pa.FixedSizeBinaryArray.from_buffers(pa.binary(layout.width), len(pixels), buffers)
        labels = pa.array([str(label) for label in bunch.target], pa.string())
        return Source(iter([pa.record_batch({"image": images, "target": labels})]), {"image": layout}, target="target")
