"""The check for CUDA devices runs: here on the processor, which must agree with itself."""

import pytest

from benchmarks import gpu_check
from models.parts.architecture import ARCHITECTURES


@pytest.mark.parametrize("kind", [part.model_fields["kind"].default for part in ARCHITECTURES])
def test_every_architecture_can_be_checked(kind: str) -> None:
    found = gpu_check.check(kind, "cpu")
    assert found["passed"] and found["largest_relative_difference"] == 0
