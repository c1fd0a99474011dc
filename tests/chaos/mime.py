"""A mime replaces a trainer: it takes a job and writes a mark, but it trains nothing.

The mark is a line in the file `starts` of the folder CHAOS. It shows that a job was started, independently of the
tables.
"""

import json
import os
import sys


def main() -> None:
    order = sys.stdin.readline()
    if not order:
        return
    with open(os.path.join(os.environ["CHAOS"], "starts"), "a") as marks:
        marks.write(json.loads(order)["folder"] + "\n")
    for said in ({"type": "started", "device": "none", "fingerprint": {}}, {"type": "finished"}):
        os.write(int(sys.argv[1]), json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    main()
