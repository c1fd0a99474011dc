"""Texts that are packed."""

import gzip
from pathlib import Path

import pytest

from models.data.formats import delimited, json_lines, plain_text
from models.data.formats.limits import Limits, OverLimit
from models.errors import DataError


def test_every_text_may_be_in_gzip(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    for read, content in (
        (delimited.read, "a,b\n1,é\n"),
        (delimited.read_tsv, "a\tb\n1\té\n"),
        (json_lines.read, '{"a": "1", "b": "é"}\n'),
    ):
        for codec in ("utf-8", "utf-16"):
            path.write_bytes(gzip.compress(content.encode(codec)))
            source = read(path, Limits())
            assert [batch.to_pylist() for batch in source.batches] == [[{"a": "1", "b": "é"}]]
            assert {"compression": "gzip", "encoding": codec}.items() <= source.dialect.items()
    # Files of several members, as bgzip and `cat a.gz b.gz` make them.
    path.write_bytes(gzip.compress(b"one\n", mtime=0) + gzip.compress(b"two\n", mtime=0))
    assert sum(len(batch) for batch in plain_text.read(path, Limits()).batches) == 2


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-5], DataError, "not a complete gzip file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:10] + b"\xff" * 9, DataError, "not a complete gzip file"),
        (gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0), DataError, "holds no text"),
        (gzip.compress(b"", mtime=0), DataError, "holds no text"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 1_000_000, mtime=0), OverLimit, "zip_ratio is 100"),
    ],
)
def test_what_is_not_packed_well_is_refused(
    tmp_path: Path, content: bytes, error: type[Exception], message: str
) -> None:
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(error, match=message):
        delimited.read(tmp_path / "upload", Limits())
