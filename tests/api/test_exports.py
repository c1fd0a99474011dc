"""Exports through HTTP: of every architecture, checked here again by onnxruntime; and what is refused."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
import torch

import api.routes.exports
from athanor import bundle
from athanor.contract import CheckpointFile, Column
from athanor.processes import confinement
from models.parts.architecture import ARCHITECTURES
from models.parts.inputs import only
from models.planning.spec import JobSpec
from models.records import checkpoints, datasets, jobs
from models.serving.exports import Exported, Order
from models.serving.exports.export import export
from models.serving.exports.process import SUFFIXES
from models.serving.prediction import Predictor
from models.settings import Limits
from models.storage.store import fetch, open_store
from tests import factories, small
from tests.api import kit
from tests.api.conftest import REVIEWS, Trained
from tests.api.kit import Installation
from worker.training import device as devices
from worker.training.attempt import attempt
from worker.training.pipes import ParentWatch, Pipe

pytestmark = pytest.mark.timeout(300)
"""An export imports torch's exporters, in a process of its own as in this one: on a busy machine that takes 20 s each,
after the jobs that all tests of the API share were trained, for which the first test of a run waits. The usual 120 s
have been too few."""

ROOT = Path(__file__).parents[2]
STEPS = {"hyperparameters": {"steps": 2}}
SLOTS = (["fly", "to", "Rome"], ["O", "O", "B-to"]), (["from", "Paris", "to", "Berlin"], ["O", "B-from", "O", "B-to"])
TAGGED = "".join(json.dumps({"words": words, "tags": tags}) + "\n" for words, tags in SLOTS * 20)
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [5], "activation": "swiglu"},
    "fourier_mlp": {"hidden": [5], "features": 3},
    "cnn": {"channels": [4], "hidden": [5]},
    "resnet": {"stages": [4, 4], "blocks": 1},
    "stn_cnn": {"channels": [4], "localizer": [2], "localizer_hidden": 4, "hidden": [5]},
    "textcnn": {"widths": [2, 3], "channels": 4, "embedding": 5},
    "rnn": {"hidden": 4, "embedding": 5, "bidirectional": True, "window": 3},
    "neural_ngram": {"embedding": 5, "hidden": 4},
    "transformer": {"width": 8, "heads": 2, "feedforward": 8, "layers": 1},
    "transformer_lm": {"width": 8, "heads": 2, "layers": 1},
}
"""Networks that are traced in a moment; one that is not here is exported as it comes."""
KINDS = [part.model_fields["kind"].default for part in ARCHITECTURES]


class Heard(Pipe):
    """The pipe of a trainer, with its far end in the same process."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **data: Any) -> None:
        self.messages.append((kind, data))

    def await_taking(self, room: Path) -> None:
        """Snapshots stay where they are."""


def _train(house: Installation, folder: Path) -> None:
    """Do every queued job as a trainer would, in this process, and keep its checkpoints as a supervisor would."""
    store = open_store(house.settings, house.database)
    with house.database.writing() as tx:
        worker = factories.a_worker(tx)
    while True:
        with house.database.writing() as tx:
            claim = jobs.claim(tx, worker, ["auto", "cpu"], 600.0)
        if claim is None:
            return
        with house.database.writing() as tx:
            jobs.begin(tx, claim.job_id, claim.attempt, [(1, None)], "cpu", devices.fingerprint(torch.device("cpu")))
            dataset, blob = datasets.get(tx, claim.dataset_id), datasets.blob_of(tx, claim.dataset_id)
        assert dataset is not None
        here = folder / claim.job_id
        here.mkdir(parents=True)
        fetch(store, blob.key, here / "dataset.parquet")
        assignment = {
            "resolved": claim.resolved,
            "schema": dataset.schema_.model_dump(mode="json"),
            "dataset": str(here / "dataset.parquet"),
            "folder": str(here),
            "resume": None,
            "best": None,
            "origin": None,
            "threads": 1,
            "most_threads": None,
            "found_threads": None,
        }
        heard = Heard()
        attempt(assignment, heard, ParentWatch())
        for kind, said in heard.messages:
            if kind == "checkpoint":
                prefix = f"{claim.job_id}/{said['step']}"
                for path in (here / f"step-{said['step']}").iterdir():
                    store.put(f"{prefix}/{path.name}", path)
                files = [CheckpointFile.model_validate(file) for file in said["files"]]
                new = checkpoints.New(said["step"], said["epoch"], said["reason"], said["score"], prefix, files)
                with house.database.writing() as tx:
                    jobs.commit_checkpoint(tx, claim.job_id, claim.attempt, new)
        with house.database.writing() as tx:
            jobs.succeed(tx, claim.job_id, claim.attempt)


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports are made in this process: most of their time is that of importing torch's exporters."""

    def run(order: Order, folder: Path, memory: int, seconds: int) -> Exported:
        made = folder / f"export{SUFFIXES[order.format]}"
        gap = export(order, folder, made)
        return Exported(made, hashlib.sha256(made.read_bytes()).hexdigest(), gap)

    monkeypatch.setattr(api.routes.exports, "run", run)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A job of every architecture, trained for two steps."""
    with kit.installation(tmp_path_factory.mktemp("exports")) as house, house.client() as client:
        texts = kit.upload(client, "reviews.csv", REVIEWS.encode())["id"]
        tagged = kit.upload(client, "slots.jsonl", TAGGED.encode())["id"]
        made = {}
        for part in ARCHITECTURES:
            kind = part.model_fields["kind"].default
            dataset, choice = "iris", {}
            if "image" in part.accepts:
                dataset = "digits"
            elif "text" in part.accepts:
                dataset = tagged if "word" in part.levels else texts
                if part.levels == {"token"}:
                    choice = {"context": 9}
            chosen = STEPS if small.descends(part) else {}
            wanted = kit.spec(kind, dataset, architecture=SMALL.get(kind, {}), choice=choice, **chosen)
            made[kind] = kit.submit(client, wanted)
        _train(house, tmp_path_factory.mktemp("trained-at-home"))
        yield client, made


def _unpacked(content: bytes, folder: Path) -> Path:
    (folder / "bundle.zip").write_bytes(content)
    there = folder / "members"
    there.mkdir()
    bundle.unpack(folder / "bundle.zip", there)
    return there


def _verify(path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    trust = ["--trust"] if confinement.missing() else []
    command = [sys.executable, "-m", "athanor.cli", "verify", str(path), *trust, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)


def _network(there: Path) -> Predictor:
    spec = JobSpec.model_validate_json((there / bundle.SPEC).read_text())
    columns = json.loads((there / bundle.ABOUT).read_text())["columns"]
    return Predictor.rebuild(spec, [Column.model_validate(column) for column in columns], there)


def _gap(model: Path | bytes, predictor: Predictor) -> float:
    """The largest difference of onnxruntime's outputs from torch's, over inputs drawn here."""
    session = onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model))
    worst = 0.0
    for x in _inputs(predictor):
        (y,) = session.run(["outputs"], {"inputs": x.numpy()})
        with torch.no_grad():
            expected = predictor.module(x).numpy()
        assert y.shape == expected.shape
        worst = max(worst, float(np.abs(y - expected).max()))
    return worst


def _inputs(predictor: Predictor) -> Iterator[torch.Tensor]:
    """Batches of several sizes and, of words, lengths."""
    inputs = only(predictor.preparation.named_inputs())
    torch.manual_seed(1)
    for rows in (1, 3, 6):
        if inputs.kind != "text":
            yield torch.randn(rows, *inputs.shape)
            continue
        for length in (1, 2, inputs.shape[0]):
            x = torch.randint(1, inputs.vocabulary, (rows, length))
            x[-1, length // 2 + 1 :] = 0
            yield x


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_of_every_architecture(every: tuple[httpx.Client, dict[str, str]], kind: str, tmp_path: Path) -> None:
    client, made = every
    answer = kit.export(client, made[kind], "bundle")
    assert answer.status_code == 200, answer.text
    there = _unpacked(answer.content, tmp_path)
    about = json.loads((there / bundle.ABOUT).read_text())
    declared = "onnx" in ARCHITECTURES[kind].exports
    assert (there / bundle.MODEL).exists() == declared, about["onnx"]
    predictor = _network(there)
    golden = json.loads((there / bundle.GOLDENS).read_text())
    if predictor.preparation.target.task == "language_modeling":
        assert golden["predictions"] is None
    else:
        asked = client.post(f"/v1/jobs/{made[kind]}/predict", json={"rows": golden["rows"]}).json()
        assert asked["predictions"] == golden["predictions"]
    if declared:
        assert float(answer.headers["Athanor-Max-Difference"]) == pytest.approx(about["onnx"]["max_difference"])
        assert _gap(there / bundle.MODEL, predictor) < 1e-5
    else:
        assert "Athanor-Max-Difference" not in answer.headers and about["onnx"]["missing"]
    if "pt2" in ARCHITECTURES[kind].exports:
        program = torch.export.load(io.BytesIO(kit.export(client, made[kind], "pt2").content)).module()
        assert max(float((program(x) - predictor.module(x)).detach().abs().max()) for x in _inputs(predictor)) < 1e-5


@pytest.mark.usefixtures("at_home")
def test_a_bundle_says_what_it_is(trained: Trained, tmp_path: Path) -> None:
    job = trained.client.get(f"/v1/jobs/{trained.text}").json()
    best = trained.client.get(f"/v1/jobs/{trained.text}/checkpoints/best").json()
    dataset = trained.client.get(f"/v1/datasets/{job['dataset_id']}").json()
    answer = kit.export(trained.client, trained.text, "bundle")
    assert answer.headers["Content-Type"] == "application/zip"
    there = _unpacked(answer.content, tmp_path)
    assert json.loads((there / bundle.SPEC).read_text()) == job["spec"]
    about = json.loads((there / bundle.ABOUT).read_text())
    assert about["dataset"] == {name: dataset[name] for name in ("id", "name", "format", "rows", "sha256")}
    assert (about["job"], about["checkpoint"], about["weights_sha256"]) == (trained.text, best["id"], best["sha256"])
    assert hashlib.sha256((there / bundle.WEIGHTS).read_bytes()).hexdigest() == best["sha256"]
    preparation = json.loads((there / bundle.PREPARATION).read_text())
    assert {"this", "film", "good"} <= set(preparation["encoder"]["columns"][0]["words"])
    assert preparation["target"]["classes"] == ["no", "yes"]
    environment = json.loads((there / bundle.ENVIRONMENT).read_text())
    assert environment["trained"]["torch"] == environment["exported"]["torch"] == torch.__version__
    card = (there / bundle.CARD).read_text()
    for said in (dataset["sha256"], trained.text, "textcnn", "val/accuracy", "Intended use", "written by its author"):
        assert said in card
    golden = json.loads((there / bundle.GOLDENS).read_text())
    assert len(golden["rows"]) == len(golden["predictions"]) == 8
    assert all(row["text"] in REVIEWS for row in golden["rows"])
    assert len({row["text"].split()[0] for row in golden["rows"]}) == 3, "from all over the dataset"
    right = _verify(tmp_path / "bundle.zip")
    assert right.returncode == 0, right.stderr
    assert "rebuilt from spec and weights: max difference 0" in right.stdout and "model.onnx" in right.stdout
    # The same bundle around other weights: every digest is right, the network is not.
    weights = bytearray((there / bundle.WEIGHTS).read_bytes())
    weights[-1] ^= 0x40
    (there / bundle.WEIGHTS).write_bytes(weights)
    bundle.write(tmp_path / "other.zip", {name: there / name for name in bundle.MEMBERS})
    wrong = _verify(tmp_path / "other.zip", "--json")
    assert wrong.returncode == 1
    said = json.loads(wrong.stdout)
    assert said["right"] is False and float(said["network"]) > 1e-4 and said["onnx"] < 1e-5


def test_an_onnx_model_has_all_it_needs_inside(trained: Trained, request: pytest.FixtureRequest) -> None:
    before = trained.house.kept()
    answer = kit.export(trained.client, trained.image, "onnx")
    step = trained.client.get(f"/v1/jobs/{trained.image}/checkpoints/best").json()["step"]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{trained.image}-step-{step}.onnx"'
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    session = onnxruntime.InferenceSession(answer.content)
    inside = session.get_modelmeta().custom_metadata_map
    assert inside.keys() == {"preparation", "spec", "origin", "max_difference"}
    preparation = json.loads(inside["preparation"])
    assert preparation["target"]["classes"] == [str(digit) for digit in range(10)]
    assert preparation["encoder"]["columns"][0]["shape"] == [1, 8, 8]
    assert json.loads(inside["origin"])["job"] == trained.image
    assert 0 < float(inside["max_difference"]) == float(answer.headers["Athanor-Max-Difference"]) < 1e-4
    assert (session.get_inputs()[0].shape, session.get_outputs()[0].shape) == (["batch", 1, 8, 8], ["batch", 10])
    assert str(ROOT).encode() not in answer.content and sys.prefix.encode() not in answer.content
    assert trained.house.kept() == before, "nothing is left behind"
    # What is made again is the same, even in another process, so that a download that broke off is continued.
    request.getfixturevalue("at_home")
    part = kit.export(trained.client, trained.image, "onnx", Range="bytes=100-", **{"If-Range": answer.headers["ETag"]})
    assert (part.status_code, part.content) == (206, answer.content[100:])


@pytest.mark.usefixtures("at_home")
def test_a_program_of_torch(trained: Trained) -> None:
    answer = kit.export(trained.client, trained.text, "pt2")
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].endswith('.pt2"')
    inside = {"preparation.json": "", "spec.json": "", "origin.json": ""}
    program = torch.export.load(io.BytesIO(answer.content), extra_files=inside)
    assert json.loads(inside["preparation.json"])["target"]["classes"] == ["no", "yes"]
    for rows, words in ((1, 1), (5, 3)):
        assert program.module()(torch.ones(rows, words, dtype=torch.int64)).shape == (rows, 2)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        for name in archive.namelist():
            held = archive.read(name)
            assert b"\x80\x02" not in held[:2] and not held.startswith(b"PK"), f"{name} is pickled"
            assert str(ROOT).encode() not in held
            assert b'"use_pickle": true' not in held


def test_the_catalog_says_it(api: httpx.Client) -> None:
    catalog = api.get("/v1/catalog").json()
    for part in catalog["architectures"]:
        assert set(part["exports"]) == ARCHITECTURES[part["kind"]].exports >= {"bundle"}
    assert all(part["exports"] == [] for part in catalog["losses"])


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[tuple[Installation, httpx.Client, str]]:
    """An installation that lets no difference pass, and a job there."""
    limits = Limits(max_export_difference=0.0)
    with kit.installation(tmp_path / "data", limits=limits) as house, house.client() as client:
        job_id = kit.submit(client, kit.spec("linear", "iris", **STEPS))
        _train(house, tmp_path / "trained")
        yield house, client, job_id


@pytest.mark.usefixtures("at_home")
def test_what_differs_or_is_broken_is_refused(strict: tuple[Installation, httpx.Client, str], tmp_path: Path) -> None:
    house, client, job_id = strict
    fault = kit.fault(kit.export(client, job_id, "onnx"), "?format", "export_differs")
    assert "at most 0 is accepted" in fault["message"]
    answer = kit.export(client, job_id, "bundle")
    there = _unpacked(answer.content, tmp_path)
    assert "Athanor-Max-Difference" not in answer.headers and not (there / bundle.MODEL).exists()
    assert "at most 0 is accepted" in (there / bundle.CARD).read_text()
    assert _verify(tmp_path / "bundle.zip").returncode == 0
    for path in house.kept():
        if path.name == bundle.WEIGHTS:
            path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    kit.problem(kit.export(client, job_id, "bundle"), 409, "corrupt_checkpoint")
