"""A best epoch long before the last."""

from typing import Literal

from athanor.contract import Evidence, Finding
from models.parts.finding import FindingRule, JobResults, Training

EARLY = 0.5
"""Share of the steps. A best step in the second half wastes less than half of the training."""
RISE = 0.1
"""Rise of the loss since its lowest value, relative to that value. Smaller ones are common where a loss has settled."""
OF_THE_FALL = 0.1
"""Rise of the loss, relative to how far it fell before. A loss near 0 doubles without any effect on the answers."""
SERIES, TRAINING = "val/loss", "train/loss"


class Overfitting(FindingRule):
    """The validation loss is lowest in the first half of the training, and has risen since.

    What the network learns after that step does not help on new rows. In a cross-validation, it says so if more than
    half of the folds show it. It says nothing of a job that stopped early for this reason.
    """

    kind: Literal["overfitting"] = "overfitting"

    def judge(self, job: JobResults) -> Finding | None:
        if job.is_stopped_early:
            return None
        shown = [numbers for each in job.trainings if (numbers := _risen(each))]
        if 2 * len(shown) <= len(job.trainings):
            return None
        numbers, many = shown[0], len(job.trainings) > 1
        series = [each.prefix + SERIES for each in job.trainings if _risen(each)]
        best, last = int(numbers["best_step"]), int(numbers["last_step"])
        explanation = (
            f"{series[0]} is lowest at step {best:,} of {last:,}, {numbers['lowest']:.4g}, and {numbers['last']:.4g} "
            "at the end: what the network learns after that step does not help on new rows"
        )
        if many:
            explanation += f"; {len(shown)} of {len(job.trainings)} folds show it"
        return Finding(
            rule=self.kind,
            severity="warning",
            steps=[best, last],
            evidence=Evidence(series=series, numbers=numbers),
            explanation=explanation,
            suggestion=(
                f'hyperparameters.early_stopping = {{"series": "{SERIES}", "patience": 5}} saves the steps after '
                "the best one; more weight_decay or dropout, a smaller network or more rows make it better"
            ),
        )


def _risen(training: Training) -> dict[str, float] | None:
    """The numbers of a validation loss that was lowest early and has risen since; None for any other."""
    loss = training.curves.get(SERIES)
    if loss is None or len(loss) < 2:
        return None
    at = int(loss.values.argmin())
    first, lowest, last = (float(loss.values[place]) for place in (0, at, -1))
    # Much of the fall may be before the first evaluation.
    untrained = training.curves.get(TRAINING)
    first = max(first, float(untrained.values[0])) if untrained is not None and len(untrained) else first
    start = training.start
    share = (int(loss.steps[at]) - start) / (int(loss.steps[-1]) - start)
    if share >= EARLY or last - lowest <= max(RISE * abs(lowest), OF_THE_FALL * (first - lowest)):
        return None
    return {
        "best_step": float(loss.steps[at]),
        "last_step": float(loss.steps[-1]),
        "lowest": lowest,
        "last": last,
    }
