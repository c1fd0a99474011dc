"""A sample of the texts: all of a small column, estimates of a large one."""

import numpy as np
import pyarrow as pa
import pytest

from models.data.intake import text_sample
from models.data.intake.text_sample import TextSample


def test_of_a_small_column_all_texts_are_looked_at() -> None:
    sample, texts, counts = TextSample(), pa.array(["a b", "c"]), np.array([2, 1])
    found, rows = sample.take(texts, counts)
    assert (found.to_pylist(), rows.tolist(), sample.rows) == (["a b", "c"], [2, 1], 3)
    assert sample.is_whole and sample.total(5) == 5 and sample.distinct(3) == 3


def test_of_a_large_column_a_share_and_the_longest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_sample, "WHOLE", 1_000)
    draw, sample = np.random.default_rng(0), TextSample()
    words = total = 0
    seen = set[str]()
    everything = set[str]()
    for batch in range(50):
        texts = [" ".join(f"w{n}" for n in draw.zipf(1.5, 10) % 5_000) + f" row{batch}x{n}" for n in range(200)]
        texts[batch] += " longer" * 10
        found, rows = sample.take(pa.array(texts), np.ones(len(texts), np.int64))
        assert texts[batch] in found.to_pylist()
        words += sum(len(text.split()) * count for text, count in zip(found.to_pylist(), rows, strict=True))
        total += sum(len(text.split()) for text in texts)
        seen |= {word for text in found.to_pylist() for word in text.split()}
        everything |= {word for text in texts for word in text.split()}
    assert not sample.is_whole and 200 < sample.rows < 1_000
    assert sample.total(words) == pytest.approx(total, rel=0.15)
    # As many distinct words as an estimate of their growth can tell: no fewer than were seen, and not far from all.
    assert len(seen) < sample.distinct(len(seen)) < 3 * len(everything)
