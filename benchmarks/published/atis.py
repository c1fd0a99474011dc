"""ATIS slot filling with recurrent networks that read only words. F1 over entities, computed as in conlleval."""

import json
from typing import Any

from benchmarks.published.study import Lab, Row, Study

NETWORKS: list[tuple[str, float, str, dict[str, Any]]] = [
    ("Elman, window of 3 words", 93.0, "93 to 95", {"cell": "elman", "window": 3, "bidirectional": False}),
    ("Jordan, window of 7 words", 92.0, "93 to 95", {"cell": "jordan", "window": 7, "bidirectional": False}),
    ("Elman, both directions", 94.0, "93 to 95", {"cell": "elman", "bidirectional": True}),
    ("LSTM, both directions", 94.5, "about 95", {"cell": "lstm", "bidirectional": True}),
    ("GRU, both directions", 94.5, "about 95", {"cell": "gru", "bidirectional": True}),
]
SEEDS = (0, 1)


def _measure(lab: Lab) -> list[Row]:
    together = lab.scratch / "atis.jsonl"
    with together.open("w") as file:
        for part in ("train", "test"):
            for line in (lab.data / f"atis_{part}.jsonl").read_text().splitlines():
                file.write(json.dumps({**json.loads(line), "part": part}) + "\n")
    queries = lab.upload(together)
    rows = []
    for what, bar, published, network in NETWORKS:
        ended = lab.train(
            {
                "architecture": {"kind": "rnn", **network},
                "dataset": {
                    "id": queries,
                    "task": "tagging",
                    "input": "tokens",
                    "target": "tags",
                    "split": {"kind": "given", "column": "part"},
                },
                "hyperparameters": {"seed": seed},
            }
            for seed in SEEDS
        )
        scores = [100 * job.latest["test/f1"].value for job in ended]
        rows.append(Row(f"`rnn` on ATIS slots: {what}", published, scores, bar, unit="F1"))
    best = max(rows[3:], key=lambda row: row.mean)
    rows.append(Row("the better of the last two", "about 95", best.values, bar=95.0, unit="F1"))
    return rows


STUDY = Study(
    paper="Mesnil et al. 2015, Using Recurrent Neural Networks for Slot Filling in Spoken Language Understanding",
    how="F1 over entities of the 893 test queries, at the epoch that a tenth of the others chose",
    measure=_measure,
)
