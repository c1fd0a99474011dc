"""A service with something in it, for the corpus."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hostile.case import Target
from tests.services import Embedded

WIDE_COLUMNS, LONG_WORDS = 4_000, 20_000


@contextmanager
def seeded(folder: Path) -> Iterator[tuple[Target, Embedded]]:
    """`athanor up` with a job that has ended, one that waits for ever, a wide dataset and one of long texts."""
    with Embedded(folder / "data") as service, service.client() as client:
        spec = {"architecture": {"kind": "mlp"}, "dataset": {"id": "iris"}, "hyperparameters": {"steps": 20}}
        job = client.wait(client.submit(spec).id, timeout=120)
        queued = client.submit({**spec, "resources": {"device": "cuda"}})
        names = [f"{n:04d}" + "n" * 190 for n in range(WIDE_COLUMNS)]
        wide = folder / "wide.csv"
        rows = [",".join(str((n * m) % 7) for m in range(WIDE_COLUMNS)) + f",{n % 2}" for n in range(20)]
        wide.write_text("\n".join([",".join([*names, "y"]), *rows]) + "\n")
        long = folder / "long.jsonl"
        text = "word " * LONG_WORDS
        long.write_text("".join(f'{{"text": "{text}{n}", "label": "{"ab"[n % 2]}"}}\n' for n in range(20)))
        target = Target(
            service.port,
            service.key,
            job.id,
            client.checkpoints(job.id).data[-1].id,
            queued.id,
            client.upload(wide).id,
            client.upload(long).id,
        )
        # The API's warm parents have begun by then: that of networks at the first export.
        client.export(job.id, "best", "onnx", folder / "model.onnx")
        time.sleep(12)
        yield target, service
