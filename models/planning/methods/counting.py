"""Counting: one pass over the text, without gradients."""

from typing import Any

from models.errors import SpecError
from models.parts.architecture import Architecture, Counted
from models.parts.inputs import NamedInputs, numbers
from models.parts.loss import LOSSES
from models.planning.method import Cost, MetaNetwork
from models.planning.spec import Hyperparameters, JobSpec

BATCH_SIZE = 32
"""Rows of a batch of an evaluation."""
SORT_BYTES = 256
"""Memory for each token while n-grams are sorted, as measured."""
COUNT_BYTES = 8


class CountingPlanner:
    """For architectures whose networks are `Counted`."""

    def hyperparameters(
        self, given: Hyperparameters, architecture: Architecture, inputs: NamedInputs
    ) -> dict[str, Any]:
        fitting: dict[str, Any] = {"epochs": 1, "steps": 1, "loss": LOSSES["cross_entropy"].model_validate({})}
        for name, field in Hyperparameters.model_fields.items():
            # A resolved spec names every field: only what differs was asked for.
            asked, default = getattr(given, name), field.get_default(call_default_factory=True)
            if name not in ("batch_size", "seed") and asked not in (default, fitting.get(name)):
                raise SpecError(
                    f"/hyperparameters/{name}",
                    f"{architecture.kind} is counted in one pass over the text; {name} cannot change that",
                    code="counted",
                    suggestion=f"leave {name} out",
                )
        return {"epochs": None, "steps": 1, "batch_size": given.batch_size or BATCH_SIZE}

    def steps_per_epoch(self, rows: int, batch_size: int) -> int:
        return 1

    def epochs(self, architecture: Architecture, steps_per_epoch: int) -> int:
        raise AssertionError("a counted job has one step and no epochs")

    def check_start(self, architecture: Architecture) -> None:
        raise SpecError(
            "/architecture/kind",
            f"{architecture.kind} is counted anew from each text: nothing of the checkpoint would be left",
            code="counted",
            suggestion="submit a job of its own",
        )

    def cost(self, network: MetaNetwork, spec: JobSpec) -> Cost:
        """The counts depend on the text: they are as many as any text of this length can have."""
        assert isinstance(network.module, Counted) and network.tokens is not None
        # With a mark at either end of the text.
        tokens = network.tokens + 2
        parameters = network.module.most(tokens)
        # An evaluation makes a few copies of the probabilities of a batch, in four bytes each.
        seen = network.batch * (numbers(network.inputs) + spec.architecture.reach)
        probabilities = 4 * 6 * seen * network.outputs
        # The best counts are kept for the test, and a copy while these are evaluated.
        return Cost(
            parameters,
            trainable=0,
            memory_bytes=3 * COUNT_BYTES * parameters + probabilities + SORT_BYTES * tokens,
            checkpoint_bytes=COUNT_BYTES * parameters,
        )

    def defaults(self, architecture: type[Architecture]) -> str:
        return "There is no optimizer: training is one pass over the text."


PLANNER = CountingPlanner()
