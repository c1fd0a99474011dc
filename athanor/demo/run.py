"""The demo: start a service, train two models on real data, download their weights and predict, in a minute.

`python -m athanor.demo [--out DIR]`. The exit code is 0 only if every step worked.
"""

import argparse
import json
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from athanor.client import Client
from athanor.contract import Job
from athanor.demo.temporary_service import service
from athanor.errors import AthanorError, JobFailed
from athanor.terminal import display
from athanor.terminal.curves import draw
from athanor.terminal.live import Board
from athanor.transport.download import sha256_of

SPECS: dict[str, dict[str, Any]] = {
    "docstrings": {
        "name": "docstrings",
        "architecture": {"kind": "textcnn", "channels": 64, "embedding": 128},
        "dataset": {"id": "docstrings"},
        "hyperparameters": {"epochs": 6, "optimizer": {"kind": "adam", "lr": 0.002}},
    },
    "digits": {
        "name": "digits",
        "architecture": {"kind": "cnn"},
        "dataset": {"id": "digits"},
        "hyperparameters": {"epochs": 15},
    },
}

SENTENCES = [
    "Return a new event loop and run the coroutine until it is complete.",
    "Parse the header of an email message and decode its charset.",
    "Return the text of the XML element and all of its children.",
]

PICTURES = {
    "0": "..+##... .+#+##.. .#+..#+. .#....#. .#....#. .#+..#+. .+#++#.. ..+##...",
    "1": "...+#+.. ..+##+.. .+###+.. ...##+.. ...##+.. ...##+.. ...##+.. ..+###+.",
    "4": "....+#.. ...+#+.. ..+#+... .+#+.++. .##+##+. .+###+.. ...##... ...#+...",
    "7": "..#####. ..+++##. .....#+. ...+##+. ..#####. ...##+.. ...#+... ..+#....",
}
INK = {".": 0, "+": 8, "#": 16}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m athanor.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="where weights and curves go")
    return run(parser.parse_args().out)


def run(out: Path) -> int:
    """Run the demo. Returns its exit code.

    ^C, SIGTERM, and SIGHUP except under nohup, stop the service and remove its folder first.
    """
    console = display.console()
    heeded = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in heeded}
    started = time.monotonic()
    try:
        console.print("[bold]Athanor[/]: a service on this machine, two jobs, two sets of weights.\n")
        with service(workers=2) as client:
            console.print(f"[green]✓[/] a temporary service is ready at {client.url} ({_since(started)})")
            tell(client, out, console)
        console.print(f"[green]✓[/] service stopped, its folder removed; the demo took {_since(started)}")
        console.print("\nTrain your own model: [bold]athanor up[/], then [bold]athanor submit job.json --watch[/]")
        return 0
    except KeyboardInterrupt:
        Console(stderr=True).print("\ninterrupted; the service was stopped and its folder removed")
        return 130
    except (AthanorError, OSError) as error:
        Console(stderr=True).print(f"[red]the demo failed:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(client: Client, out: Path, console: Console) -> None:
    """Train, download and predict, and print each step. The service runs already."""
    out.mkdir(parents=True, exist_ok=True)
    ids = {}
    for name, spec in SPECS.items():
        ids[name] = client.submit(spec).id
        # Printed in full, so that a reader can send the same request.
        console.print(f"[green]✓[/] POST /v1/jobs {escape(json.dumps(spec))}", soft_wrap=True)
    console.print()
    jobs = _train(client, ids, console)
    console.print()
    console.print(_results(client, jobs))
    for name, job in jobs.items():
        _take(client, job, out / f"{name}.safetensors", console)
    console.print()
    _ask(client, jobs, console)
    _curves(client, jobs, out / "curves.png", console)


def _train(client: Client, ids: dict[str, str], console: Console) -> dict[str, Job]:
    with Board(console) as board:
        while True:
            jobs = {name: client.job(id) for name, id in ids.items()}
            for job in jobs.values():
                board.update(job)
            if all(job.is_terminal for job in jobs.values()):
                break
            time.sleep(0.25)
    for job in jobs.values():
        if job.state != "succeeded":
            raise JobFailed(job) if job.error else AthanorError(f"{job.id} was {job.state}")
    return jobs


def _results(client: Client, jobs: dict[str, Job]) -> Table:
    table = Table("job", "test accuracy", "majority class", "best epoch", title="results on test rows")
    for name, job in jobs.items():
        accuracy = job.latest.get("test/accuracy")
        if accuracy is None:
            raise AthanorError(f"{job.id} has no test/accuracy")
        share = majority(client, job.dataset_id)
        best = client.checkpoint(job.id)
        if accuracy.value <= share:
            raise AthanorError(f"{name} learned nothing: {accuracy.value:.1%} is no better than {share:.1%}")
        table.add_row(name, f"[bold green]{accuracy.value:.1%}[/]", f"{share:.1%}", f"{best.epoch:.0f}")
    return table


def majority(client: Client, dataset: str) -> float:
    """The accuracy of always predicting the most frequent class."""
    schema = client.dataset(dataset).schema_
    counts = next((column.counts for column in schema.columns if column.name == schema.target), None)
    if not counts:
        raise AthanorError(f"{dataset} does not say how many rows each class has")
    return max(counts) / sum(counts)


def _take(client: Client, job: Job, path: Path, console: Console) -> None:
    promised = client.digest(job.id)
    client.pull(job.id, path)
    found = sha256_of(path)
    if found != promised:
        raise AthanorError(f"{path}: sha256 {found}, but the ETag promised {promised}")
    console.print(
        f"[green]✓[/] {escape(str(path))}  {display.size(path.stat().st_size)}  sha256 {found[:16]}… equals the ETag",
        soft_wrap=True,
    )


def _ask(client: Client, jobs: dict[str, Job], console: Console) -> None:
    table = Table("input", "prediction", "probability")
    answers = client.predict(jobs["docstrings"].id, SENTENCES).predictions
    for sentence, prediction in zip(SENTENCES, answers, strict=True):
        table.add_row(sentence, *_label(prediction))
    rows = [[[INK[dot] for dot in line] for line in drawing.split()] for drawing in PICTURES.values()]
    for digit, prediction in zip(PICTURES, client.predict(jobs["digits"].id, rows).predictions, strict=True):
        table.add_row(f"a {digit}, drawn by hand on 8 by 8 dots", *_label(prediction))
    console.print(table)


def _label(prediction: dict[str, Any]) -> tuple[str, str]:
    label = str(prediction["label"])
    return f"[bold]{escape(label)}[/]", f"{prediction['probabilities'][label]:.0%}"


def _curves(client: Client, jobs: dict[str, Job], path: Path, console: Console) -> None:
    try:
        draw({name: client.metrics(job.id) for name, job in jobs.items()}, path)
    except ImportError:
        console.print("[yellow]–[/] no curves: matplotlib is not installed")
    else:
        console.print(f"[green]✓[/] {escape(str(path))}  training and validation curves", soft_wrap=True)


def _since(started: float) -> str:
    return display.duration(time.monotonic() - started)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
