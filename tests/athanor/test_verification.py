"""Bundles of strangers: what their networks can do to the machine that verifies them, and what is said of it."""

import math
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from click.testing import CliRunner
from landlockpy import supported
from onnx import TensorProto, helper
from safetensors.numpy import save_file

from athanor import bundle, verification
from athanor.bundle import ALWAYS, DIGESTS, INPUT, MODEL, OUTPUT, TENSORS, Broken
from athanor.cli import main
from athanor.processes import confinement
from athanor.verification import RUN_ONNX, judge

needs_walls = pytest.mark.skipif(
    not os.environ.get("CI") and bool(not supported() or confinement.missing()), reason="this kernel lacks a wall"
)
GOLDEN = np.arange(6, dtype=np.float32).reshape(2, 3)
OPSET, IR = 17, 8
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def only_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's code does not run here, as on the machine of a person who has the client and onnxruntime."""
    there = ("onnxruntime", "safetensors")
    monkeypatch.setattr(verification, "find_spec", lambda name: name in there or None)


def _model(nodes: Sequence[onnx.NodeProto], constants: Sequence[onnx.TensorProto] = ()) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, 3])],
        list(constants),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    return bytes(made.SerializeToString())


def _bundle(path: Path, model: bytes, outputs: np.ndarray[Any, Any] = GOLDEN) -> Path:
    """A bundle with right digests around a model. Its other files mean nothing."""
    sources = path.with_suffix(".sources")
    sources.mkdir()
    for name in ALWAYS:
        (sources / name).write_text(f"this is {name}")
    save_file({INPUT: GOLDEN, OUTPUT: outputs}, sources / TENSORS)
    (sources / MODEL).write_bytes(model)
    bundle.write(path, {name: sources / name for name in (*ALWAYS, MODEL)})
    return path


def identity() -> bytes:
    return _model([helper.make_node("Identity", [INPUT], [OUTPUT])])


def gigabytes() -> bytes:
    """Adds the largest of 2^32 zeros to its input: right, for whoever has 16 GiB."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [2**32])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
        helper.make_node("Add", [INPUT, "zero"], [OUTPUT]),
    ]
    return _model(nodes, [shape])


def endless() -> bytes:
    """Adds zero to its input, as often as a number of 64 bits can say."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["more"], ["still"]),
            helper.make_node("Mul", ["held", "one"], ["kept"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("held", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept", TensorProto.FLOAT, None),
        ],
    )
    constants = [
        helper.make_tensor("rounds", TensorProto.INT64, [], [2**63 - 1]),
        helper.make_tensor("go", TensorProto.BOOL, [], [True]),
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
    ]
    return _model([helper.make_node("Loop", ["rounds", "go", INPUT], [OUTPUT], body=body)], constants)


def elsewhere(place: str) -> bytes:
    """Adds numbers that lie in another file."""
    numbers = TensorProto(name="numbers", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    numbers.external_data.add(key="location", value=place)
    numbers.external_data.add(key="length", value="12")
    return _model([helper.make_node("Add", [INPUT, "numbers"], [OUTPUT])], [numbers])


@needs_walls
def test_an_honest_model_is_run(tmp_path: Path) -> None:
    assert judge(_bundle(tmp_path / "right.zip", identity())) == verification.Verdict(network=None, onnx=0.0)
    assert judge(_bundle(tmp_path / "wrong.zip", identity(), GOLDEN + 1)).onnx == 1.0
    assert judge(_bundle(tmp_path / "none.zip", identity(), GOLDEN * math.nan)).onnx == math.inf
    assert judge(_bundle(tmp_path / "shape.zip", identity(), GOLDEN[:1])).onnx == math.inf


@needs_walls
def test_a_model_that_needs_gigabytes(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"model\.onnx does not run: .*alloc"):
        judge(_bundle(tmp_path / "large.zip", gigabytes()))


@needs_walls
def test_a_model_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "SECONDS", 4)
    begun = time.monotonic()
    with pytest.raises(Broken, match="there is no answer after 4 s"):
        judge(_bundle(tmp_path / "endless.zip", endless()))
    assert time.monotonic() - begun < 30
    lines = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            lines.append(" ".join(each.cmdline()))
    assert [line for line in lines if RUN_ONNX in line] == []


@needs_walls
@pytest.mark.parametrize("place", ["{secret}", "../../..{secret}"])
def test_a_model_with_numbers_elsewhere(place: str, tmp_path: Path) -> None:
    """A right answer would say what is in the file."""
    secret = tmp_path / "secret"
    secret.write_bytes(GOLDEN[1].tobytes())
    path = _bundle(tmp_path / "elsewhere.zip", elsewhere(place.format(secret=secret)), GOLDEN + GOLDEN[1])
    with pytest.raises(Broken, match="does not run"):
        judge(path)


@needs_walls
@pytest.mark.parametrize("model", [b"", b"\x00" * 4096, identity()[:-20], b"\xff" * 100])
def test_a_corrupt_model(model: bytes, tmp_path: Path) -> None:
    with pytest.raises(Broken, match="does not run"):
        judge(_bundle(tmp_path / "corrupt.zip", model))


@needs_walls
def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    judge(_bundle(tmp_path / "right.zip", identity()))
    with pytest.raises(Broken):
        judge(_bundle(tmp_path / "corrupt.zip", b"x"))
    assert list((tmp_path / "temporary").iterdir()) == []


@needs_walls
@pytest.mark.parametrize(
    ("prints", "said"),
    [
        ("'x' * 10**6", "its process ended with"),
        ("'[' * 60_000", "its process ended with 0"),
        ("'{\"max_difference\": -1}'", "its process ended with 0"),
        ("'{\"max_difference\": NaN}'", "its process ended with 0"),
        ("'{\"max_difference\": true}'", "its process ended with 0"),
        ('\'{"max_difference": 0, "onnx": 0}\'', "its process ended with 0"),
        ('\'{"error": "\\\\u001b[2Jgone"}\'', "does not run: �[2Jgone"),
    ],
)
def test_what_a_child_that_was_taken_over_prints(
    prints: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = verification.run

    def run(module: str, members: Path, folder: Path, environment: dict[str, str]) -> tuple[int, bytes, bytes]:
        (members / "drill.py").write_text(f"print({prints})")
        return real("drill", members, folder, {**environment, "PYTHONPATH": f"{ROOT}:{members}"})

    monkeypatch.setattr(verification, "run", run)
    with pytest.raises(Broken) as caught:
        judge(_bundle(tmp_path / "right.zip", identity()))
    assert said in str(caught.value)


def test_a_zip_with_many_members(tmp_path: Path) -> None:
    """They are counted before they are listed: 200,000 of them would take a hundred megabytes."""
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(200_000):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"")
    with pytest.raises(Broken, match="list of members is too long"):
        judge(tmp_path / "many.zip")


def test_a_zip_whose_members_overlap(tmp_path: Path) -> None:
    path = _bundle(tmp_path / "right.zip", identity())
    with zipfile.ZipFile(path, "a") as archive:
        for entry in archive.filelist:
            if entry.filename != DIGESTS:
                entry.file_size = entry.compress_size = path.stat().st_size // 2
        archive.comment = b"so that the list of members is written again"
    with pytest.raises(Broken, match="overlap"):
        judge(path)


@pytest.fixture
def unwalled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "missing", lambda: ["opening files outside its folder"])


def _verify(path: Path, *options: str) -> Any:
    return CliRunner().invoke(main, ["verify", str(path), *options])


@pytest.mark.usefixtures("unwalled")
def test_without_walls_only_the_digests_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> None:
        raise AssertionError("it was run")

    monkeypatch.setattr(verification, "run", run)
    path = _bundle(tmp_path / "right.zip", identity())
    found = _verify(path)
    assert found.exit_code == 1 and "every digest in right.zip is right, but its network was not run" in found.stderr
    assert "cannot keep it from opening files outside its folder" in found.stderr and "add --trust" in found.stderr
    path.write_bytes(path.read_bytes().replace(b"this is README.md", b"this is README.me"))
    broken = _verify(path, "--trust")
    assert broken.exit_code == 1 and "it is damaged" in broken.stderr, "digests come first"


@pytest.mark.usefixtures("unwalled")
def test_what_is_trusted_runs_without_walls(tmp_path: Path) -> None:
    found = _verify(_bundle(tmp_path / "right.zip", identity()), "--trust")
    assert found.exit_code == 0 and "model.onnx: max difference 0" in found.stdout


def test_a_system_without_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has neither the limits nor the walls: there a plain process runs what is trusted."""
    monkeypatch.setattr(verification, "sys", SimpleNamespace(platform="win32", executable=sys.executable))
    path = _bundle(tmp_path / "right.zip", identity())
    found = _verify(path)
    assert found.exit_code == 1 and verification.WINDOWS in found.stderr
    assert judge(path, trusted=True).onnx == 0.0
    monkeypatch.setattr(verification, "SECONDS", 3)
    with pytest.raises(Broken, match="no answer after 3 s"):
        judge(_bundle(tmp_path / "endless.zip", endless()), trusted=True)


def test_it_imports_nothing_heavy() -> None:
    """The client alone can check digests, and onnxruntime is imported in the child."""
    script = "import sys, athanor.verification, athanor.processes.bounded;" + (
        "print({'torch', 'numpy', 'onnxruntime', 'safetensors', 'models'} & {*sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
