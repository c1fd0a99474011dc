"""Two features, a tokenizer and an architecture with two inputs dropped into their folders: no other edit is needed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

FEATURE = '''"""Durations as minutes and seconds."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from athanor.contract import Column
from models.data.table import Table
from models.parts.feature import CellError, Encoder, Feature, Observation, Reals, Rows, json_kind
from models.parts.numerals import all_match
from models.parts.inputs import InputKind, Inputs

PATTERN = r"^[0-9]{1,4}:[0-5][0-9]$"


class DurationEncoder(Encoder):
    """Minutes; a missing one is the mean."""

    kind: Literal["duration"] = "duration"
    mean: float

    def inputs(self) -> Inputs:
        return Inputs("vector", (1,))

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        return np.nan_to_num(table.numbers(self.name) / 60 - self.mean, nan=0.0)[:, None]


class Duration(Feature):
    """Minutes and seconds, 1:30, as a number of minutes."""

    kind: Literal["duration"] = "duration"

    precedence: ClassVar[int] = 25
    side_by_side: ClassVar[bool] = True

    def narrowed(self, values: pa.Array) -> Feature | None:
        return self if all_match(values, PATTERN) else None

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        return next((each for each in seen.fitting if isinstance(each, cls)), None)

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        parts = pc.split_pattern(values, ":")
        minutes, seconds = (pc.list_element(parts, at).cast(pa.float64()) for at in (0, 1))
        return pc.add(pc.multiply(minutes, 60.0), seconds)

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            if value is not None and not (isinstance(value, str) and all_match(pa.array([value]), PATTERN)):
                raise CellError(row, f"must be minutes and seconds, such as 1:30; this is {json_kind(value)}")
        return pa.array(values, pa.string())

    def numbers(self, values: pa.Array, column: Column) -> Reals | None:
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "vector"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        return Inputs("vector", (1,))

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> DurationEncoder:
        return DurationEncoder(name=column.name, mean=float(np.nanmean(table.numbers(column.name)[train]) / 60))
'''

ARRAYS = '''"""Depth maps: arrays with two dimensions."""

from typing import ClassVar, Literal

from athanor.contract import Column
from models.data.table import Table
from models.parts.feature import Feature, Observation, Rows
from models.parts.features.array import Array, ArrayEncoder
from models.parts.inputs import InputKind


class DepthEncoder(ArrayEncoder):
    kind: Literal["depth"] = "depth"


class Depth(Array):
    """Distances in every direction."""

    kind: Literal["depth"] = "depth"

    precedence: ClassVar[int] = 5

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        return cls() if seen.layout is not None and len(seen.layout.shape) == 2 else None

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "vector"

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> DepthEncoder:
        learned = super().fit(table, column, train, accepts)
        return DepthEncoder(**learned.model_dump(exclude={"kind"}))
'''

TOKENIZER = '''"""Characters, two by two."""

from typing import Literal

from athanor.contract import Column
from models.parts.tokenizer import Tokenizer


class Pairs(Tokenizer):
    """Two characters are a token; the last of a text may be one."""

    kind: Literal["pairs"] = "pairs"

    def tokens(self, text: str) -> list[str]:
        return [text[at : at + 2] for at in range(0, len(text), 2)]

    def tokens_with_breaks(self, text: str) -> list[str]:
        return self.tokens(text)

    def join(self, tokens: list[str]) -> str:
        return "".join(tokens)

    def counted(self, column: Column) -> tuple[int, int]:
        alphabet = (column.alphabet or 0) + 1
        return alphabet * alphabet, (column.characters or 0) // 2
'''

ARCHITECTURE = '''"""A text and numbers beside it."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from models.parts.architecture import Architecture, InputKind, Recipe
from models.parts.inputs import NamedInputs


class Network(nn.Module):
    def __init__(self, words: int, numbers: int, width: int, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.head = nn.Linear(width + numbers, outputs)

    def forward(self, words: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = self.head(torch.cat([self.embedding(words).sum(1), numbers], 1))
        return y_BK


class WordsAndNumbers(Architecture):
    """The sum of word embeddings and the numbers, in one affine map.

    Shapes: words x_BT and numbers x_BF to y_BK.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text", "vector"})
    recipe: ClassVar[Recipe] = Recipe("adam", lr=0.05, epochs=60, batch_size=16)

    kind: Literal["words_and_numbers"] = "words_and_numbers"
    width: int = Field(4, ge=1, le=64, description="size of a word's embedding")

    @property
    def inputs(self) -> Mapping[str, frozenset[InputKind]]:
        return {"words": frozenset({"text"}), "numbers": frozenset({"vector"})}

    def build_for(self, inputs: NamedInputs, outputs: int) -> nn.Module:
        return Network(inputs["words"].vocabulary, inputs["numbers"].features, self.width, outputs)
'''

SCRIPT = """
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors.numpy import load

from tests.api import kit

rows = [
    (f"film {at} was {('good', 'bad')[at % 2]} at {at}", f"{at % 50}:{at % 60:02}", ("yes", "no")[at % 2])
    for at in range(120)
]
mixed = "review,length,liked\\n" + "".join(f"{a},{b},{c}\\n" for a, b, c in rows)
told = {}
with kit.installation(Path(sys.argv[1])) as house, house.client() as client:
    def run(architecture, choice, **hyperparameters):
        job = kit.submit(client, {"architecture": architecture, "dataset": choice, "hyperparameters": hyperparameters})
        kit.train(house.settings)
        return client.get(f"/v1/jobs/{job}").json()

    uploaded = kit.upload(client, "mixed.csv", mixed.encode())
    told["columns"] = {column["name"]: column for column in uploaded["schema"]["columns"]}
    told["preview"] = client.get(f"/v1/datasets/{uploaded['id']}/preview").json()["rows"][:2]
    data = {"id": uploaded["id"]}
    told["features"] = [part["kind"] for part in client.get("/v1/catalog").json()["features"]]
    told["tokenizers"] = [part["kind"] for part in client.get("/v1/catalog").json()["tokenizers"]]

    lengths = run({"kind": "linear"}, {**data, "inputs": ["length"]}, epochs=1)
    path = f"/v1/jobs/{lengths['id']}/predict"
    asked = client.post(path, json={"rows": [{"length": "1:30"}, {"length": None}]})
    told["lengths"] = {
        "state": lengths["state"], "predicted": asked.status_code,
        "wrong": kit.problem(client.post(path, json={"rows": [{"length": 90}]}), 422)["errors"][0]["message"],
    }

    depths = np.random.default_rng(0).standard_normal((40, 3, 4)).astype(np.float32)
    packed = io.BytesIO()
    np.savez(packed, x=depths, y=np.arange(40) % 2)
    depth = kit.upload(client, "depths.npz", packed.getvalue())
    maps = run({"kind": "linear"}, {"id": depth["id"], "input": "x", "target": "y"}, epochs=1)
    asked = client.post(f"/v1/jobs/{maps['id']}/predict", json={"rows": [{"x": depths[0].tolist()}]})
    told["depths"] = {
        "kinds": [column["kind"] for column in depth["schema"]["columns"]],
        "state": maps["state"], "error": maps["error"], "predicted": asked.status_code,
    }

    language = run({"kind": "transformer_lm", "width": 8, "heads": 2, "layers": 1}, {**data, "input": "review",
                   "tokens": "pairs", "context": 8}, epochs=1)
    said = client.post(f"/v1/jobs/{language['id']}/predict", json={"rows": ["film"], "max_new_tokens": 3, "top_k": 1})
    told["language"] = {"state": language["state"], "error": language["error"], "predicted": said.status_code}

    job = run({"kind": "words_and_numbers"}, data, augmentations=[{"kind": "noise", "std": 0.01}])
    told["job"] = job
    best = f"/v1/jobs/{job['id']}/checkpoints/best"
    asked = client.post(f"/v1/jobs/{job['id']}/predict", json={"rows": [
        {"review": "film was good", "length": "3:20"}, {"review": "film was bad", "length": "3:20"}]})
    told["answers"] = [each["label"] for each in asked.json()["predictions"]]
    told["exports"] = {
        format: client.get(f"{best}/export", params={"format": format}).status_code for format in ("onnx", "pt2")
    }
    bundle = client.get(f"{best}/export").content
    (Path(sys.argv[1]) / "b.zip").write_bytes(bundle)
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        goldens, model = load(archive.read("goldens.safetensors")), archive.read("model.onnx")
        told["card"] = archive.read("README.md").decode()
    session = onnxruntime.InferenceSession(model)
    told["inputs"] = {each.name: each.type for each in session.get_inputs()}
    told["goldens"] = sorted(goldens)
    (y,) = session.run(["outputs"], {name: goldens[name] for name in told["inputs"]})
    told["gap"] = float(np.abs(y - goldens["outputs"]).max())
    wider = "review,length,liked,more\\n" + "".join(f"{a},{b},{c},{len(a)}\\n" for a, b, c in rows)
    other = kit.upload(client, "wider.csv", wider.encode())["id"]
    # By loader processes, and on a dataset that has a column more.
    change = {"hyperparameters": {"epochs": 1}, "dataset": {"id": other}, "resources": {"data_workers": 1}}
    fork = client.post(f"/v1/jobs/{job['id']}/fork", json={"spec": change}).json()
    kit.train(house.settings)
    told["fork"] = client.get(f"/v1/jobs/{fork['id']}").json()
    (listed,) = (
        part for part in client.get("/v1/catalog").json()["architectures"] if part["kind"] == "words_and_numbers"
    )
    told["listed"] = listed["inputs"]
    texts = "title,body,n,liked\\n" + "".join(
        f"{a},{a} again {at},{at % 7},{c}\\n" for at, (a, _, c) in enumerate(rows)
    )
    two_texts = {"id": kit.upload(client, "texts.csv", texts.encode())["id"]}
    refused = {}
    for name, choice, augmentations in (
        ("no text", {**data, "inputs": ["length"]}, []),
        ("two texts", two_texts, []),
        ("unknown input", data, [{"kind": "noise", "input": "pixels"}]),
        ("mixed", data, [{"kind": "mixup", "input": "numbers"}]),
    ):
        spec = {"architecture": {"kind": "words_and_numbers"}, "dataset": choice,
                "hyperparameters": {"augmentations": augmentations}}
        (fault,) = kit.problem(client.post("/v1/jobs", json=spec), 422)["errors"]
        refused[name] = [fault["pointer"], fault["message"]]
    told["refused"] = refused
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the four files in it."""
    tree = tmp_path_factory.mktemp("tree")
    for folder in ("athanor", "api", "worker", "models", "migrations", "tests"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in {
        "features/duration.py": FEATURE,
        "features/depth.py": ARRAYS,
        "tokenizers/pairs.py": TOKENIZER,
        "architectures/words_and_numbers.py": ARCHITECTURE,
    }.items():
        (tree / "models" / "parts" / path).write_text(text)
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def _run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def told(tree: Path) -> dict[str, Any]:
    """What a service over the copy says and does."""
    ran = _run(tree, "-c", SCRIPT, str(tree / "data"))
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_a_dropped_feature(told: dict[str, Any]) -> None:
    """It recognizes its columns, reads uploads and requests by the same code, and says what is wrong with a cell."""
    assert {name: column["kind"] for name, column in told["columns"].items()} == {
        "review": "text",
        "length": "duration",
        "liked": "boolean",
    }
    assert told["columns"]["length"]["max"] == 49 * 60 + 49
    assert [row[1] for row in told["preview"]] == [0.0, 61.0]
    assert "duration" in told["features"]
    assert told["lengths"] == {
        "state": "succeeded",
        "predicted": 200,
        "wrong": "'length' must be minutes and seconds, such as 1:30; this is a number",
    }


def test_a_dropped_feature_with_cells_of_fixed_size(told: dict[str, Any]) -> None:
    assert told["depths"] == {"kinds": ["depth", "number"], "state": "succeeded", "error": None, "predicted": 200}


def test_a_dropped_tokenizer(told: dict[str, Any]) -> None:
    assert "pairs" in told["tokenizers"]
    assert told["language"] == {"state": "succeeded", "error": None, "predicted": 200}


def test_a_dropped_architecture_with_two_inputs(told: dict[str, Any]) -> None:
    """Trained, asked, forked and exported; its exports call the inputs by their names."""
    job = told["job"]
    assert job["state"] == "succeeded", job["error"]
    assert job["spec"]["dataset"]["inputs"] == ["review", "length"]
    assert told["answers"] == ["yes", "no"]
    assert told["fork"]["state"] == "succeeded", told["fork"]["error"]
    assert told["fork"]["spec"]["dataset"]["inputs"] == ["review", "length"]
    assert told["listed"] == {"words": ["text"], "numbers": ["vector"]}
    assert told["exports"] == {"onnx": 200, "pt2": 200}
    assert told["inputs"] == {"words": "tensor(int64)", "numbers": "tensor(float)"}
    assert told["goldens"] == ["numbers", "outputs", "words"] and told["gap"] < 1e-5
    assert "`words`: word or token numbers" in told["card"] and "`numbers`: `float32[batch, 1]`" in told["card"]


def test_what_two_inputs_cannot_do_is_refused(told: dict[str, Any]) -> None:
    assert told["refused"] == {
        "no text": [
            "/architecture/kind",
            "words_and_numbers learns from text inputs for 'words'; this dataset offers duration",
        ],
        "two texts": ["/dataset/inputs", "'words' reads one column; choose one of 'title', 'body'"],
        "unknown input": [
            "/hyperparameters/augmentations/0/input",
            "words_and_numbers has no input called 'pixels'",
        ],
        "mixed": [
            "/hyperparameters/augmentations/0/kind",
            "mixup mixes whole examples; words_and_numbers has several inputs",
        ],
    }


def test_the_tests_of_every_part_are_for_them_too(tree: Path) -> None:
    """Also an exact resume, for a network with two inputs."""
    chosen = ["tests/test_every_part.py", "tests/worker/test_resume.py", "-k", "words_and_numbers or duration or pairs"]
    ran = _run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen)
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout and int(ran.stdout.rpartition(" passed")[0].split()[-1]) >= 25
