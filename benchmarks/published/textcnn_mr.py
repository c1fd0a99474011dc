"""Sentences of film reviews: Kim's convolutional network with random embeddings, in 10-fold cross-validation."""

from benchmarks.published.study import Lab, Row, Study

FOLDS = {"kind": "folds", "n": 10, "stratify": True, "seed": 0, "val": 0.1}


def _measure(lab: Lab) -> list[Row]:
    reviews = lab.upload(lab.data / "mr.csv")
    (job,) = lab.train(
        [
            {
                "architecture": {"kind": "textcnn"},
                "dataset": {"id": reviews, "split": FOLDS},
                "hyperparameters": {"early_stopping": {"patience": 2}},
            }
        ]
    )
    assert job.folds is not None
    accuracies = [100 * value for value in job.folds.series["test/accuracy"].values]
    return [Row("`textcnn` on MR, 10 folds", "76.1 %", accuracies, bar=76.1, unit="%")]


STUDY = Study(
    paper="Kim 2014, Convolutional Neural Networks for Sentence Classification: CNN-rand",
    how="test accuracy of each fold, at the epoch that a tenth of the other folds chose",
    measure=_measure,
)
