"""Hostile JSON, as bytes."""

import json

MIB = 2**20


def _nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return opening * depth + b"1" + closing * depth


JSON: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"}{",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a string": b'"x"',
    "lists in lists": _nested(b"[", b"]", 100_000),
    "objects in objects": _nested(b'{"a":', b"}", 20_000),
    "an open string of 200 kB": b'{"name": "' + b"x" * 200_000,
    "a name of 200 kB": b'{"name": "' + b"x" * 200_000 + b'"}',
    "16 MB": b'{"name": "' + b"x" * 16 * MIB + b'"}',
    "16 MB of brackets": b"[" * 16 * MIB,
    "20,001 keys": json.dumps({f"k{n}": n for n in range(20_001)}).encode(),
    "a key twice": b'{"name": "a", "name": "b"}',
    "an integer of 100,000 digits": b'{"name": ' + b"9" * 100_000 + b"}",
    "a number beyond all floats": b'{"hyperparameters": {"optimizer": {"kind": "sgd", "lr": 1e999}}}',
    "NaN": b'{"hyperparameters": {"optimizer": {"kind": "sgd", "lr": NaN}}}',
    "an exponent of 10^9": b'{"priority": 1e1000000000}',
    "half a surrogate pair in a value": b'{"name": "\\ud800"}',
    "half a surrogate pair in a key": b'{"\\udfff": 1}',
    "NUL": b'{"name": "a\\u0000b"}',
    "200 kB of spaces": b" " * 200_000 + b"{}",
    "20,001 empty lists": b"[" + b"[]," * 20_000 + b"[]]",
    "200 kB of escapes": b'{"name": "' + b"\\u0041" * 33_000 + b'"}',
    "a pickle": bytes.fromhex("80049520000000000000008c05706f736978948c0673797374656d9493942e"),
}
