"""Which engine computes the gradients of a job: PyTorch's autograd, or derivatives that are written by hand."""

from models.errors import SpecError
from models.planning.spec import JobSpec


def choose(spec: JobSpec) -> tuple[str, str]:
    """The engine of a spec that has all other defaults, and why. Raises SpecError if it names one that cannot."""
    wanted, obstacle = spec.resources.engine, _obstacle(spec)
    if wanted == "manual" and obstacle is not None:
        raise SpecError(
            "/resources/engine", f"manual cannot train this: {obstacle}", code="wrong_engine", suggestion="auto"
        )
    if obstacle is not None:
        return "eager", f"manual cannot train this: {obstacle}"
    if wanted == "eager":
        return "eager", "the spec names it"
    return "manual", f"{spec.architecture.kind} has derivatives by hand, which take less time than autograd"


def _obstacle(spec: JobSpec) -> str | None:
    """Why derivatives by hand cannot train this. None if they can."""
    hyperparameters = spec.hyperparameters
    if (reason := spec.architecture.without_manual()) is not None:
        return reason
    if hyperparameters.freeze:
        return "it has no frozen layers (hyperparameters.freeze)"
    if hyperparameters.accumulate > 1:
        return "it takes the batch of a step at once (hyperparameters.accumulate)"
    if hyperparameters.precision != "fp32":
        return f"it computes in fp32, not in {hyperparameters.precision} (hyperparameters.precision)"
    if hyperparameters.optimizer is None or not hyperparameters.optimizer.elementwise:
        kind = hyperparameters.optimizer.kind if hyperparameters.optimizer else "no optimizer"
        return f"it keeps all weights in one tensor, and {kind} needs each matrix by itself"
    return None
