"""Hostile files of rows to predict."""

import json
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from tests.files import parquet
from tests.hostile.case import MIB, READ_SECONDS, Answer, Case, Target
from tests.hostile.uploads import ACCEPTED as UPLOADS

CSV, JSONL, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"
COLUMNS = [f"{part} {size} (cm)" for part in ("sepal", "petal") for size in ("length", "width")]
HEAD = ",".join(COLUMNS).encode() + b"\n"
ROUTE = "/v1/jobs/{job_id}/predict"

REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": (CSV, lambda: b""),
    "zeros": (CSV, lambda: b"\0" * MIB),
    "another table": (CSV, UPLOADS["csv: 1,000 columns"][1]),
    "a header alone": (CSV, lambda: HEAD),
    "a cell of 10 MB": (CSV, lambda: HEAD + b"1,2,3," + b"x" * 10 * MIB + b"\n"),
    "an open quote of 10 MB": (CSV, lambda: HEAD + b'"' + b"1,2,3,4\n" * (10 * MIB // 8)),
    "a bad last row": (CSV, lambda: HEAD + b"1,2,3,4\n" * 20_000 + b"1,2,3,x\n"),
    "numbers of 4,000 digits": (CSV, lambda: HEAD + (b"9" * 4_000 + b",2,3,4\n") * 50),
    "a column of another": (JSONL, lambda: json.dumps(dict.fromkeys([*COLUMNS, "n" * 190], 1)).encode() + b"\n"),
    "lists in lists": (JSONL, lambda: b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"),
    "lists for numbers": (JSONL, lambda: json.dumps({name: [1, 2] for name in COLUMNS}).encode() + b"\n"),
    "a false end": (PARQUET, lambda: b"PAR1" + b"\xff" * 1_000 + b"\0\0\0\x80PAR1"),
    "JSON": (PARQUET, lambda: b'{"rows": []}'),
    "30,000,000 equal rows": (
        PARQUET,
        lambda: parquet({name: pa.array(np.zeros(30_000_000, np.int8)) for name in COLUMNS}),
    ),
}
ANSWERED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "20,000 rows": (CSV, lambda: HEAD + b"1,2,3,4\n" * 20_000),
    "20,000 rows without a value": (CSV, lambda: HEAD + b",,,\n" * 20_000),
    "50,000 equal rows": (PARQUET, lambda: parquet({name: pa.array(np.ones(50_000)) for name in COLUMNS})),
}


def cases() -> Iterator[Case]:
    covers = frozenset({f"POST {ROUTE}", "child models/serving/file_process.py"})
    for files, is_accepted, seconds in ((REFUSED, False, READ_SECONDS), (ANSWERED, True, 20.0)):
        for name, (media, prepare) in files.items():

            def send(target: Target, content: bytes, media: str = media) -> Answer:
                return target.request("POST", ROUTE, content=content, headers={"Content-Type": media})

            yield Case(f"file of rows: {name}", send, covers, is_accepted, seconds, memory=768 * MIB, prepare=prepare)

    def form(target: Target) -> Answer:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        return target.request("POST", ROUTE, content=b"--c\r\n\r\n--c--\r\n", headers=headers)

    yield Case("file of rows: a form of another boundary", form, covers)
