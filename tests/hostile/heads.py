"""Heads of requests, and bodies as the front sees them: what a stranger without a key can send."""

from collections.abc import Iterator

from tests.hostile.case import EITHER, MIB, Answer, Case, Target

GET = b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
END = b"\r\n"

HEADS: dict[str, bytes] = {
    "40 kB of headers": GET + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(40)) + END,
    "a header of 32 MB": GET + b"X-Long: " + b"y" * 32 * MIB + END + END,
    "a header name of 1 MB": GET + b"n" * MIB + b": y" + END + END,
    "150 headers": GET + b"".join(b"X-%d: y\r\n" % n for n in range(150)) + END,
    "100,000 headers": GET + b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + END,
    "a URL of 64 kB": b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query of 64 kB": b"GET /healthz?" + b"a=b&" * 16_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a length of 4,400 digits": POST + b"Content-Length: " + b"9" * 4_400 + END + END,
    "a negative length": POST + b"Content-Length: -1" + END + END,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3" + END + END + b"{}",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked" + END + END + b"0\r\n\r\n",
    "an unknown encoding": POST + b"Transfer-Encoding: gzip, chunked" + END + END + b"0\r\n\r\n",
    "a chunk of 2^70 bytes": POST + b"Transfer-Encoding: chunked" + END + END + b"4000000000000000000\r\n",
    "a chunk with an extension of 1 MB": POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"e" * MIB + b"\r\nx\r\n",
    "a content type of 160 kB": POST.replace(b"json", b"json" + b";a=b" * 40_000) + b"Content-Length: 0\r\n\r\n",
    "a content type of 500 bytes": POST.replace(b"json", b"json" + b";a=" * 160) + b"Content-Length: 2\r\n\r\n{}",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n" + GET,
    "a NUL in a header": GET + b"X: a\0b" + END + END,
    "a folded header": GET + b"X: a\r\n b\r\n\tc" + END + END,
    "no version": b"GET /healthz\r\n\r\n",
    "version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100ff010000fb0303") + b"\0" * 200,
    "a method of 10 kB": b"A" * 10_000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute address": b"GET http://other.example/v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path upward": b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with encoded dots": b"GET /v1/jobs/%2e%2e%2f%2e%2e%2fadmin.key HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that is not UTF-8": b"GET /v1/jobs/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a key of 7 kB": GET + b"Authorization: Bearer " + b"k" * 7_000 + END + END,
    "a key with odd bytes": GET + b"Authorization: Bearer \xff\xfe" + END + END,
    "a basic password": GET + b"Authorization: Basic YTpi" + END + END,
    "a body nobody asked for": GET + b"Content-Length: 5" + END + END + b"hello",
    "a body in gzip": POST + b"Content-Encoding: gzip\r\nContent-Length: 4" + END + END + b"\x1f\x8b\x08\0",
    "16 MB of trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * (16 * MIB // 6) + END,
    "16 MB in chunks of one byte": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (16 * MIB // 6),
    "1,000 requests at once": GET + b"\r\n" + (GET + b"\r\n") * 999,
}


def cases() -> Iterator[Case]:
    for name, request in HEADS.items():

        def send(target: Target, request: bytes = request) -> Answer:
            return target.raw(request)

        yield Case(f"head: {name}", send, is_accepted=EITHER, silent=True, memory=64 * MIB)
