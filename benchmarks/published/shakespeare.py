"""Characters of Shakespeare: a small transformer and an LSTM of the same size, with the same number of steps."""

from typing import Any

from athanor.errors import AthanorError
from benchmarks.published.study import Lab, Row, Study

STEPS = {"steps": 2000, "batch_size": 12, "schedule": {"kind": "cosine", "warmup_steps": 100}}
TRANSFORMER = {"kind": "transformer_lm", "layers": 4, "heads": 4, "width": 128}
LSTM = {"kind": "rnn", "cell": "lstm", "embedding": 128, "hidden": 380, "dropout": 0.0}
NETWORKS: list[tuple[str, float, str, dict[str, Any], dict[str, Any]]] = [
    ("`transformer_lm`", 1.85, "1.88", TRANSFORMER, {"kind": "adamw", "lr": 3e-3, "weight_decay": 0.1}),
    ("`rnn`, an LSTM", 1.80, "none for this size", LSTM, {"kind": "adam", "lr": 5e-3}),
]
SEEDS, TOLERANCE = (0,), 0.02


def _measure(lab: Lab) -> list[Row]:
    text = lab.upload(lab.data / "shakespeare.txt")
    dataset = {
        "id": text,
        "task": "language_modeling",
        "context": 64,
        "split": {"kind": "holdout", "val": 0.1, "test": 0.0},
    }
    rows = []
    for what, bar, published, network, optimizer in NETWORKS:
        specs = [
            {
                "architecture": network,
                "dataset": dataset,
                "hyperparameters": {**STEPS, "optimizer": optimizer, "clip_norm": 1.0, "seed": seed},
            }
            for seed in SEEDS
        ]
        parameters = float(lab.client.plan(specs[0]).parameters)
        losses = [job.latest["val/loss"].value for job in lab.train(specs)]
        rows.append(
            Row(
                f"{what} on Shakespeare, 2,000 steps",
                published,
                losses,
                bar,
                "nats",
                "less",
                2,
                {"parameters": [parameters]},
            )
        )
    sizes = [row.beside["parameters"][0] for row in rows]
    if abs(sizes[1] / sizes[0] - 1) > TOLERANCE:
        raise AthanorError(f"the networks have {sizes[0]:,.0f} and {sizes[1]:,.0f} parameters")
    return rows


STUDY = Study(
    paper="nanoGPT's setting for a CPU (4 layers, 4 heads, 128 wide, context 64, batch 12); Karpathy's char-rnn",
    how="val/loss after the last step over the whole last tenth of the text, read in windows of 64 characters",
    measure=_measure,
)
