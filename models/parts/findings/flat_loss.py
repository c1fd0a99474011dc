"""A loss that hardly moved."""

from typing import Literal

from athanor.contract import Evidence, Finding
from models.parts.finding import FindingRule, JobResults, Training

LEAST_FALL = 0.05
"""Share of the first loss. A network that learns something about its target falls further in its first epochs."""
FIRST = 5
"""Points at the start whose mean smooths the first batch. More would hide a fast fall."""
LAST = 0.1
"""Share of the points at the end, whose mean smooths the last batches."""
SERIES = "train/loss"


class FlatLoss(FindingRule):
    """The training loss fell by less than 5 % over the whole training: the network has learned hardly anything.

    In a cross-validation, it says so if more than half of the folds show it. It says nothing of a fork, which starts
    with weights that are trained already, and of a job that failed early.
    """

    kind: Literal["flat_loss"] = "flat_loss"

    def judge(self, job: JobResults) -> Finding | None:
        if job.is_fork or (2 * job.step < job.steps and not job.succeeded):
            return None
        flat = {each.prefix + SERIES: numbers for each in job.trainings if (numbers := _flat(each))}
        if 2 * len(flat) <= len(job.trainings):
            return None
        (series, numbers), *_ = flat.items()
        fall = numbers["fall"]
        moved = f"fell by {fall:.1%}" if fall >= 0 else f"rose by {-fall:.1%}"
        explanation = f"{series} {moved}, from {numbers['first']:.4g} to {numbers['last']:.4g}, in the whole training"
        if len(job.trainings) > 1:
            explanation += f"; {len(flat)} of {len(job.trainings)} folds show it"
        return Finding(
            rule=self.kind,
            severity="warning",
            steps=[int(numbers["first_step"]), int(numbers["last_step"])],
            evidence=Evidence(series=list(flat), numbers=numbers),
            explanation=explanation,
            suggestion=(
                "an lr ten times larger if the loss is smooth, ten times smaller if it jumps; more epochs if the steps "
                "are few; else the inputs may say little about the target: look at the role of each column"
            ),
        )


def _flat(training: Training) -> dict[str, float] | None:
    """The numbers of a training loss that hardly moved; None for any other."""
    loss = training.curves.get(SERIES)
    if loss is None or len(loss) < 2:
        return None
    # The larger one: the first batch alone may be low by chance, and the mean is low where the loss falls fast.
    first = max(float(loss.values[0]), float(loss.values[:FIRST].mean()))
    last = float(loss.values[-max(1, int(LAST * len(loss))) :].mean())
    if first <= 0 or first - last >= LEAST_FALL * first:
        return None
    return {
        "first_step": float(loss.steps[0]),
        "last_step": float(loss.steps[-1]),
        "first": first,
        "last": last,
        "fall": (first - last) / first,
    }
