"""Hostile files of every format: small in bytes, and large in what they become. Some are right, and only costly."""

import bz2
import gzip
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from PIL import Image

from tests.files import chunk, listed, parquet, zipped
from tests.hostile.case import EITHER, MIB, READ_SECONDS, Answer, Case, Target
from tests.hostile.files import (
    animated,
    columns,
    entities,
    frames,
    idx,
    joined,
    mnist,
    npy,
    npz,
    part,
    pictures,
    png,
    records,
    repeated,
    saved,
    tar,
    workbook,
    zeros,
)

REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "csv: nothing": ("x.csv", lambda: b""),
    "csv: zeros": ("x.csv", lambda: b"\0" * MIB),
    "csv: an open quote of 10 MB": ("x.csv", lambda: b'a,b\n"' + b"x,\n" * (10 * MIB // 3)),
    "csv: a cell of 10 MB": ("x.csv", lambda: b"a,b\n1," + b"x" * 10 * MIB + b"\n"),
    "csv: 20,000 columns": ("x.csv", lambda: columns(20_000, 1)),
    "csv: 9,000 columns": ("x.csv", lambda: columns(9_000, 3)),
    "csv: a header of 8 MB": ("x.csv", lambda: b"a," * 4 * MIB + b"\n1\n"),
    "csv: a bomb in gzip": ("x.csv.gz", lambda: gzip.compress(b"a,b\n" + b"1,2\n" * 30 * MIB)),
    "csv: a bomb in gzip in gzip": ("x.csv.gz", lambda: gzip.compress(gzip.compress(b"1,2\n" * 30 * MIB))),
    "csv: half a surrogate pair in UTF-16": ("x.csv", lambda: b"\xff\xfea\0,\0b\0\n\0\x00\xd8,\0x\0\n\0"),
    "tsv: 20,000 columns": ("x.tsv", lambda: columns(20_000, 1, "\t")),
    "jsonl: other keys in every row": (
        "x.jsonl",
        lambda: joined([json.dumps({f"k{n}_{m}": 1 for m in range(10)}) for n in range(5_000)]),
    ),
    "jsonl: lists in lists": ("x.jsonl", lambda: b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"),
    "jsonl: objects in objects": ("x.jsonl", lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n"),
    "jsonl: an integer of a million digits": ("x.jsonl", lambda: b'{"a": ' + b"9" * MIB + b"}\n"),
    "jsonl: one line of 20 MB": ("x.jsonl", lambda: b'{"a": "' + b"x" * 20 * MIB + b'"}\n'),
    "jsonl: half a surrogate pair": ("x.jsonl", lambda: b'{"\\ud800": "\\udc00"}\n' * 3),
    "json: arrays in arrays": ("x.json", lambda: b"[" * MIB + b"]" * MIB),
    "json: an object of 20 MB": ("x.json", lambda: b'[{"a": "' + b"x" * 20 * MIB + b'"}]'),
    "json: an object that does not end": ("x.json", lambda: b'[{"a": ' + b"[1," * 4 * MIB),
    "json: nothing but spaces": ("x.json", lambda: b" " * 20 * MIB),
    "xlsx: a bomb": ("x.xlsx", lambda: workbook(b"<row/>" * 10 * MIB)),
    "xlsx: a cell far to the right": ("x.xlsx", lambda: workbook(b'<row r="1"><c r="XFD1"><v>1</v></c></row>')),
    "xlsx: entities of entities": ("x.xlsx", lambda: workbook(b"<row><c><v>&g;</v></c></row>", entities(30))),
    "xlsx: a million members": ("x.xlsx", lambda: listed(1_000_000)),
    "xlsx: no workbook": ("x.xlsx", lambda: zipped([("x.csv", b"a,b\n1,2\n")])),
    "parquet: a false end": ("x.parquet", lambda: b"PAR1" + b"\xff" * 1_000 + struct.pack("<I", 2**31) + b"PAR1"),
    "parquet: lists in lists": (
        "x.parquet",
        lambda: parquet({"a": pa.array([[[[[[1]]]]]] * 10), "y": pa.array([0, 1] * 5)}),
    ),
    "parquet: 20,000 equal vectors": (
        "x.parquet",
        lambda: parquet({"a": pa.array(np.zeros((20_000, 500), np.float32).tolist())}),
    ),
    "parquet: long tags in 700 columns": (
        "x.parquet",
        lambda: parquet({f"c{n}": pa.array([[f"{tag:0190}" for tag in range(800)]]) for n in range(700)}),
    ),
    "parquet: 40 pictures of 16 megapixels": ("x.parquet", lambda: records([png(4096, 4096)] * 40)),
    "parquet: a picture of 2^31 pixels a side": ("x.parquet", lambda: records([png(2**31 - 1, 2**31 - 1, rows=1)])),
    "parquet: 100 MB of one word": (
        "x.parquet",
        lambda: parquet({"a": repeated("w" * 10_000, 1_000_000), "y": repeated("a", 1_000_000)}),
    ),
    "parquet: comments of a page": ("x.parquet", lambda: b"<!---->" * 100),
    "npz: a shape of 2^62": ("x.npz", lambda: npz(x=npy("(4611686018427387904,)"), y=npy("(1,)"))),
    "npz: a negative shape": ("x.npz", lambda: npz(x=npy("(-1, 4)"), y=npy("(-1,)"))),
    "npz: objects": ("x.npz", lambda: npz(x=npy("(1,)", b"\x80\x04N.", "|O"), y=npy("(1,)"))),
    "npz: a shape that is code": ("x.npz", lambda: npz(x=npy("__import__('os').abort()"))),
    "npz: deep brackets for a shape": ("x.npz", lambda: npz(x=npy("(" * 5_000 + ")" * 5_000))),
    "npz: a million members": ("x.npz", lambda: listed(1_000_000)),
    "npz: a bomb": ("x.npz", lambda: npz(x=npy("(400, 262144)", b"\0" * 400 * MIB), y=npy("(400,)", b"\0" * 1_600))),
    "txt: one line of 70 MB": ("x.txt", lambda: b"x" * 70 * MIB),
    "images: 24 pictures of 16 megapixels": ("x.zip", lambda: pictures(png(4096, 4096), 24)),
    "images: 2,000 pictures of 1 megapixel": ("x.zip", lambda: pictures(png(1024, 1024), 2_000)),
    "images: a picture of 2^31 pixels a side": ("x.zip", lambda: pictures(png(2**31 - 1, 2**31 - 1, rows=1), 2)),
    "images: 60 pictures of 16 megapixels in TIFF": (
        "x.zip",
        lambda: pictures(saved(Image.new("L", (4096, 4096)), "TIFF", compression="tiff_adobe_deflate"), 60, "tif"),
    ),
    "images: 200 animations of 4 megapixels": ("x.zip", lambda: pictures(frames(3), 200, "gif")),
    "images: names upward": ("x.zip", lambda: zipped((f"../../{n % 2}/{n}.png", png(8, 8)) for n in range(4))),
    "images: a million members": ("x.zip", lambda: listed(1_000_000, b"a", is_zip64=False)),
    "images: 60,000 members": ("x.zip", lambda: listed(60_000, b"a", is_zip64=False)),
    "idx: more than there is": ("x.zip", lambda: mnist(idx(2**31, 2**31, 2**31), idx(2**31))),
    "idx: rows that are not there": ("x.zip", lambda: mnist(idx(60_000, 28, 28), idx(60_000))),
    "idx: rows of 2^64 bytes": ("x.zip", lambda: mnist(idx(1, *[2**32 - 1] * 2), idx(1, content=b"\0"))),
    "idx: no values": ("x.zip", lambda: mnist(idx(0, 28, 28), idx(0))),
    "idx: 255 dimensions": ("x.zip", lambda: mnist(idx(*[1] * 255, content=b"\0"), idx(1, content=b"\0"))),
    "idx: other labels than images": ("x.zip", lambda: mnist(zeros(9, 28, 28), zeros(60_000))),
    "idx: more bytes than rows": ("x.zip", lambda: mnist(idx(9, 2, 2, content=b"\0" * MIB), zeros(9))),
    "idx: 10,000 files of one role": (
        "x.zip",
        lambda: zipped((f"{n}-images-idx3-ubyte", zeros(1, 2, 2)) for n in range(10_000)),
    ),
    "idx: a bomb in gzip": ("x.zip", lambda: mnist(gzip.compress(zeros(60_000, 28, 28)), zeros(60_000), ".gz")),
    "idx: a bomb in gzip in a zip that is stored": (
        "x.zip",
        lambda: mnist(gzip.compress(zeros(400_000, 28, 28)), zeros(400_000), ".gz", zipfile.ZIP_STORED),
    ),
    "texts: a bomb in zip": ("x.zip", lambda: zipped((f"{'ab'[n % 2]}/{n}.txt", b" " * 900_000) for n in range(90))),
    "texts: a text of 30 MB": (
        "x.zip",
        lambda: zipped([("a/1.txt", b"x"), ("a/2.txt", b"x " * 15 * MIB), ("b/3.txt", b"x")]),
    ),
    "files: a bomb in zip": ("x.zip", lambda: zipped([("train.csv", b"a,b\n" + b"1,2\n" * 30 * MIB)])),
    "files: 5,000 tables": ("x.zip", lambda: zipped((f"t{n}.csv", b"a,b\n1,2\n") for n in range(5_000))),
    "files: 90 tables with other keys in every row": (
        "x.zip",
        lambda: zipped(
            (f"train-{file}.jsonl", b"".join(b'{"k%d": 1}\n' % n for n in range(300))) for file in range(90)
        ),
    ),
    "files: a name of 60,000 letters": ("x.zip", lambda: zipped([("train" + "x" * 60_000 + ".csv", b"a\n1\n")])),
    "files: a zip in a zip": ("x.zip", lambda: zipped([("x.zip", zipped([("x.csv", b"a,b\n1,2\n")]))])),
    "files: an archive in front of a zip": ("x.zip", lambda: tar({}) + zipped([("train.csv", b"a\n1\n")]) * 2),
    "files: one part twice": ("x.zip", lambda: zipped([("train.csv", b"a,b\n1,2\n"), ("./train.csv", b"a,b\n")])),
    "tar in gzip": ("x.tar.gz", lambda: tar({"train.csv": b"a,b\n" + b"1,2\n" * 10 * MIB})),
    "bzip2": ("x.csv.bz2", lambda: bz2.compress(b"1,2\n" * 10 * MIB)),
    "xz": ("x.csv.xz", lambda: lzma.compress(b"1,2\n" * 10 * MIB)),
    "a pickle": ("x.pkl", lambda: bytes.fromhex("80049520000000000000008c05706f736978948c0673797374656d9493942e")),
    "no format": ("x.bin", lambda: bytes(range(256)) * 4_096),
}

MAY_BE_READ: dict[str, tuple[str, Callable[[], bytes]]] = {
    "parquet: 900,000 distinct words": (
        "x.parquet",
        lambda: parquet(
            {"a": pa.array([f"w{n:07}" for n in range(900_000)])},
            use_dictionary=False,
            column_encoding={"a": "DELTA_BYTE_ARRAY"},
        ),
    ),
    "csv: rows of other lengths": ("x.csv", lambda: joined(["a,b", *("1" + ",1" * (n % 50) for n in range(5_000))])),
    "csv: quotes that open and do not close": ("x.csv", lambda: joined(["a,b", *['1,"x'] * 50_000])),
    "csv: quotes in quotes": ("x.csv", lambda: b'a,b\n1,"' + b'""' * 200_000 + b'"\n' * 3),
    "csv: line ends of three kinds": ("x.csv", lambda: b"a,b\r" + b"1,2\r\n3,4\r5,6\n" * 20_000),
    "csv: letters of no encoding": ("x.csv", lambda: b"a,b\n" + b"\x80\xa1x,\xb0\xa1y\n" * 100_000),
    "txt: one line in UTF-16": ("x.txt", lambda: ("x" * 4 * MIB).encode("utf-16")),
    "json: 60,000 small objects": ("x.json", lambda: b"[" + b"{}," * 60_000 + b'{"a": 1}]'),
    "xlsx: a row far below": ("x.xlsx", lambda: workbook(b'<row r="1048576"><c r="A1048576"><v>1</v></c></row>')),
    "txt: nothing but line breaks": ("x.txt", lambda: b"\n" * 2 * MIB),
    "images: half a picture": ("x.zip", lambda: pictures(png(500, 500, rows=3), 4)),
    "images: a text of 100 MB": (
        "x.zip",
        lambda: pictures(png(8, 8, chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * 100 * MIB, 9))), 20),
    ),
    "images: a profile of 100 MB": (
        "x.zip",
        lambda: pictures(png(8, 8, chunk(b"iCCP", b"k\0\0" + zlib.compress(b"x" * 100 * MIB, 9))), 20),
    ),
}
"""Odd, and cheap to read: what is in excess or missing is left out. To refuse them is right as well."""

ACCEPTED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "csv: 1,000 columns": ("x.csv", lambda: columns(1_000, 6)),
    "csv: 200,000 distinct words": (
        "x.csv",
        lambda: joined(["a,b,y", *(f"w{n},v{n},{n % 2}" for n in range(100_000))]),
    ),
    "csv: 200,000 empty cells": ("x.csv", lambda: joined(["a,b,y", *[",,x"] * 100_000])),
    "csv: classes of 190 letters": (
        "x.csv",
        lambda: joined(["a,y", *(f"{n},{'c' * 180}{n % 900}" for n in range(9_000))]),
    ),
    "csv: 2,000 columns of few numbers": (
        "x.csv",
        lambda: joined(
            [
                ",".join(f"c{n}" for n in range(2_000)),
                *(",".join(str((n + m) % 99) for m in range(2_000)) for n in range(99)),
            ]
        ),
    ),
    "csv: 2,000 columns, all but one empty": (
        "x.csv",
        lambda: joined([",".join(f"c{n}" for n in range(2_000)), *["1" + "," * 1_999] * 20]),
    ),
    "tsv: 1,000 columns": ("x.tsv", lambda: columns(1_000, 6, "\t")),
    "jsonl: 500 keys": ("x.jsonl", lambda: joined([json.dumps({f"k{m}": 1 for m in range(500)})] * 20)),
    "jsonl: tags of 900 kinds": (
        "x.jsonl",
        lambda: joined(
            [json.dumps({"words": ["w"] * 5, "tags": ["t" * 190 + str(n % 900)] * 5}) for n in range(3_000)]
        ),
    ),
    "parquet: 5,000 groups of rows": (
        "x.parquet",
        lambda: parquet({"a": pa.array(range(5_000)), "y": pa.array([0, 1] * 2_500)}, row_group_size=1),
    ),
    "npz: zeros": ("x.npz", lambda: npz(x=npy("(2000, 64)", b"\0" * 512_000), y=npy("(2000,)", b"\0" * 8_000))),
    "txt: 400,000 empty lines": ("x.txt", lambda: b"\n" * 400_000),
    "txt: 200,000 words": (
        "x.txt",
        lambda: joined([" ".join(f"word{m}" for m in range(n, n + 10)) for n in range(0, 200_000, 10)]),
    ),
    "images: 20 animations": ("x.zip", lambda: pictures(animated(3), 20, "webp")),
    "images: two large pictures with alpha": (
        "x.zip",
        lambda: pictures(saved(Image.new("RGBA", (4000, 4000), (9, 9, 9, 99)), "PNG"), 2),
    ),
    "images: a large picture of 16 bits": (
        "x.zip",
        lambda: pictures(saved(Image.fromarray(np.zeros((4000, 4000), np.uint16)), "PNG"), 2),
    ),
    "images: a large bitmap of runs": (
        "x.zip",
        lambda: pictures(saved(Image.new("L", (4000, 4000)), "BMP"), 2, "bmp"),
    ),
    "parquet: 500 small pictures": ("x.parquet", lambda: records([png(28, 28)] * 500)),
    "images: two large pictures": ("x.zip", lambda: pictures(png(4000, 4000), 2)),
    "images: 2,000 small pictures": ("x.zip", lambda: pictures(png(28, 28), 2_000)),
    "csv: 100,000 rows in GB18030": ("x.csv", lambda: ("文本,y\n" + "这家店很好,x\n" * 100_000).encode("gb18030")),
    "json: 20,000 objects": ("x.json", lambda: json.dumps([{"a": n, "b": n % 2} for n in range(20_000)]).encode()),
    "xlsx: 5,000 rows": ("x.xlsx", lambda: workbook(b"<row><c><v>1</v></c><c><v>2</v></c></row>" * 5_000)),
    "files: 1,500 shards": ("x.zip", lambda: zipped((f"train-{n:05}.csv", b"a,b\n1,2\n3,4\n") for n in range(1_500))),
    "texts: 5,000 texts": ("x.zip", lambda: zipped((f"x/{'ab'[n % 2]}/{n}.txt", b"word") for n in range(5_000))),
    "images: 20,000 rows about pictures of one name": (
        "x.zip",
        lambda: zipped(
            [
                *((f"{n}/x.png", png(8, 8)) for n in range(4_000)),
                ("labels.csv", joined(["file,label", *(f"d/{n % 4_000}/x.png,{n % 2}" for n in range(20_000))])),
            ]
        ),
    ),
    "images: 20,000 rows about pictures in folders of one name": (
        "x.zip",
        lambda: zipped(
            [
                *((f"{n}/a/x.png", png(8, 8)) for n in range(4_000)),
                ("labels.csv", joined(["file,label", *(f"{n % 4_000}/a/x.png,{n % 2}" for n in range(20_000))])),
            ]
        ),
    ),
    "csv: 200 columns of dates and an odd cell": (
        "x.csv",
        lambda: joined(
            [
                ",".join(f"d{n}" for n in range(200)),
                *(",".join(f"19{(n + m) % 100:02}-01-{1 + n % 28:02}" for m in range(200)) for n in range(300)),
                ",".join(["soon"] * 200),
            ]
        ),
    ),
    "idx: 100,000 zeros": ("x.zip", lambda: mnist(zeros(1_000, 10, 10), zeros(1_000))),
}
"""These may be read, in a time and memory in proportion to what they hold."""

CHILDREN = ("child models/data/intake/process.py", "child models/data/intake/preview.py")

FORMAT = {"tar in gzip": "files", "bzip2": "csv", "xz": "csv", "a pickle": "txt", "no format": "txt"}
"""The format nearest to files that are of none."""


def cases() -> Iterator[Case]:
    for files, is_accepted in ((REFUSED, False), (MAY_BE_READ, EITHER), (ACCEPTED, True)):
        for name, (filename, prepare) in files.items():

            def upload(target: Target, content: bytes, filename: str = filename) -> Answer:
                # The preview and the list show what a file may blow up.
                answer = target.request("POST", "/v1/datasets", files={"file": (filename, content)})
                if not 0 < answer.status < 400:
                    return answer
                dataset = f"/v1/datasets/{answer.json['id']}"
                preview = target.request("GET", f"{dataset}/preview")
                # If it is sent again, it is read again.
                assert target.request("DELETE", dataset).status == 204
                return answer if preview.status == 200 else preview

            kind = FORMAT.get(name, name.partition(":")[0])
            covers = {"POST /v1/datasets", f"format {kind}", *CHILDREN}
            yield Case(f"upload: {name}", upload, frozenset(covers), is_accepted, READ_SECONDS, prepare=prepare)
    forms: dict[str, bytes] = {
        "a part head of 24 MB": b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + b"x" * 24 * MIB,
        "100,000 parts": b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 100_000 + b"--b--\r\n",
        "a part without an end": part("x.csv", b"a,b\n1,2"),
        "a file name of 100 kB": part("x" * 100_000, b"a,b\n1,2\n\r\n--b--\r\n"),
        "another boundary": b"--c\r\n\r\n--c--\r\n",
        "two files": part("x.csv", b"a,b\n1,2\n\r\n") * 2 + b"--b--\r\n",
    }
    for name, form in forms.items():

        def send(target: Target, form: bytes = form) -> Answer:
            headers = {"Content-Type": "multipart/form-data; boundary=b"}
            return target.request("POST", "/v1/datasets", content=form, headers=headers)

        yield Case(f"form: {name}", send, frozenset({"POST /v1/datasets"}), False, READ_SECONDS, silent=True)
