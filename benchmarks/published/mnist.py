"""MNIST: the convolutional network with default settings, on 8,000 digits."""

from benchmarks.published.study import SEEDS, Lab, Row, Study


def _measure(lab: Lab) -> list[Row]:
    digits = lab.upload(lab.data / "mnist10k.zip")
    ended = lab.train(
        {
            "architecture": {"kind": "cnn"},
            "dataset": {"id": digits, "split": {"kind": "holdout", "val": 0.0, "test": 0.2, "seed": seed}},
            "hyperparameters": {"seed": seed},
        }
        for seed in SEEDS
    )
    accuracies = [100 * job.latest["test/accuracy"].value for job in ended]
    return [Row("`cnn`, 8,000 digits of MNIST", "about 98.5 %", accuracies, bar=98.7, unit="%")]


STUDY = Study(
    paper="LeCun et al. 1998 has 99.05 % with 60,000 digits; about 98.5 % is usual with 8,000",
    how="test accuracy on 2,000 digits drawn by seed, after the last epoch on the other 8,000",
    measure=_measure,
)
