"""What a column's description says of its words."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.data.intake import ingest
from models.data.table import Source, Table
from models.parts.features.text import Text, fit_words
from models.parts.tokenizers.words import Words


@pytest.mark.parametrize(
    ("texts", "unseen"),
    [
        # Good (1953): of 8 words, "rare" and "odd" occur once.
        (["a b a", "b a", "rare b odd"], 2 / 8),
        (["a rare", "a rare", "b odd", "b b"], 1 / 8),
        # Characters count. A pair that occurs once, such as 天冷, is not in the vocabulary of a training either.
        (["今天好", "今天冷", "好冷"], 0.0),
        (["一二三", "四五六"], 1.0),
    ],
)
def test_words_of_new_rows(texts: list[str], unseen: float, tmp_path: Path) -> None:
    batches = iter([pa.record_batch({"text": pa.array(texts[:2])}), pa.record_batch({"text": pa.array(texts[2:])})])
    schema = ingest(Source(batches, {}), tmp_path / "rows", features={"text": Text()}).schema
    table = Table.open(tmp_path / "rows", schema)
    fitted = fit_words(table, "text", Words(), np.arange(table.rows))
    assert schema.columns[0].unseen == pytest.approx(unseen)
    assert schema.columns[0].vocabulary == len(fitted.words)
