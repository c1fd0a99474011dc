"""Which warnings about a dataset concern a job that uses some of its columns."""

from collections.abc import Collection

from athanor.contract import Warned


def concerns(
    warned: Warned,
    inputs: Collection[str],
    target: str,
    split: str | None,
    suggested: str | None,
    *,
    reread: Collection[str] = (),
    weight: str | None = None,
) -> bool:
    """Whether a job has the problem.

    The job learns `target` from `inputs`; the column `split` divides its rows, or chance if it is None, and the column
    `weight` weighs them. It reads the columns `reread` in its own way. The dataset's warnings were made for the target
    `suggested`.
    """
    match warned.code:
        case "missing_marker" | "mostly_numbers" | "mostly_dates" if warned.column in reread:
            return False
        case "duplicate_rows":
            # The job counts those that its parts share.
            return False
        case "contradicting_labels" if warned.column is not None:
            # The job compares its own inputs.
            return False
        case "total_row" | "mostly_numbers" | "mostly_dates":
            # Of a row, and of columns that are left out just for what the warning says.
            return True
        case "unused_split":
            return split is None and warned.column not in inputs
        case "identifier" | "rising" if warned.column == weight:
            # It is not learned from.
            return False
        case "unused_weight":
            return weight is None and warned.column not in inputs
        case "groups":
            return split is None
        case "rows_in_two_parts" | "groups_in_two_parts":
            return split is not None
        case "untrained_classes":
            return split is not None and warned.column == target
        case "determines_target":
            return warned.column in inputs and target == suggested
        case "rare_classes" | "whole_number_classes":
            return warned.column == target
    return warned.column is None or warned.column in {*inputs, target, split, weight}
