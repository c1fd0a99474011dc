"""What a failure is called, and whether trying again could help."""

import errno

import pytest
import torch
from pydantic import ValidationError

from models.errors import DataError, SpecError
from models.planning.spec import JobSpec
from worker.training.failures import UnknownPart, explain
from worker.training.loop import NonFinite


def an_invalid_spec() -> ValidationError:
    with pytest.raises(ValidationError) as refused:
        JobSpec.model_validate({"architecture": {"kind": "of_the_future"}, "dataset": {"id": "iris"}})
    return refused.value


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (NonFinite(7, float("nan"), 0.1), "non_finite_loss", False),
        (UnknownPart(an_invalid_spec()), "unknown_part", True),
        (DataError("row 3 has no target"), "data", False),
        (SpecError("/architecture/hidden", "too many"), "spec", False),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory", False),
        (MemoryError(), "out_of_memory", False),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
            "out_of_memory",
            False,
        ),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "data_worker", True),
        (RuntimeError("DataLoader timed out after 600 seconds"), "data_worker", True),
        (OSError(errno.ENOSPC, "No space left on device"), "storage", True),
        (OSError(errno.EIO, "Input/output error"), "internal", True),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "internal", True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "internal", False),
    ],
)
def test_a_failure_is_named(error: Exception, code: str, retryable: bool) -> None:
    said = explain(error)
    assert (said["code"], said["retryable"]) == (code, retryable)
    assert said["message"]


def test_a_user_is_told_what_to_do() -> None:
    assert "at step 7" in explain(NonFinite(7, float("inf"), 0.1))["message"]
    assert "lower learning rate" in explain(NonFinite(7, float("inf"), 0.1))["message"]
    assert "smaller batch_size" in explain(MemoryError())["message"]
