"""Character n-grams of Shakespeare: interpolated Kneser-Ney smoothing compared with add-k, at every order."""

from benchmarks.published.study import Lab, Row, Study

ORDERS = range(1, 9)
BETTER_FROM = 3


def _measure(lab: Lab) -> list[Row]:
    text = lab.upload(lab.data / "shakespeare.txt")
    losses = {
        smoothing: [
            job.latest["val/loss"].value
            for job in lab.train(
                {
                    "architecture": {"kind": "ngram", "order": order, "smoothing": smoothing},
                    "dataset": {
                        "id": text,
                        "task": "language_modeling",
                        "split": {"kind": "holdout", "val": 0.1, "test": 0.0},
                    },
                }
                for order in ORDERS
            )
        ]
        for smoothing in ("kneser_ney", "add_k")
    }
    beside = {f"{smoothing}, orders 1 to 8": values for smoothing, values in losses.items()}
    return [
        Row(
            f"`ngram` of order {order}: Kneser-Ney beside add-k",
            "Kneser-Ney is better",
            [counted],
            bar=added,
            unit="nats",
            better="less",
            digits=3,
            beside=beside,
        )
        for order, counted, added in zip(ORDERS, *losses.values(), strict=True)
        if order >= BETTER_FROM
    ]


STUDY = Study(
    paper="Chen and Goodman 1999, An Empirical Study of Smoothing Techniques for Language Modeling",
    how="val/loss over the whole last tenth of the text; the bar is what add-k has there",
    measure=_measure,
)
