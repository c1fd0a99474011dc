"""A bundle as a file: what is written is read, and nothing else is."""

import io
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from athanor import bundle, verification
from athanor.bundle import ALWAYS, DIGESTS, MODEL, Broken
from athanor.cli import main
from tests.files import misplaced, shifted

NAMES = (*ALWAYS, MODEL)


ONNX_PACKAGES = ("onnxruntime", "safetensors")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A bundle of files that mean nothing."""
    return _write(tmp_path / "bundle.zip", {name: f"this is {name}\n".encode() * 9 for name in NAMES})


def _write(path: Path, members: dict[str, bytes]) -> Path:
    sources = path.with_suffix(".sources")
    sources.mkdir()
    for name, content in members.items():
        (sources / name).write_bytes(content)
    bundle.write(path, {name: sources / name for name in members})
    return path


def _unpack(path: Path, folder: Path) -> None:
    folder.mkdir()
    bundle.unpack(path, folder)


def test_what_was_written_is_read(path: Path, tmp_path: Path) -> None:
    _unpack(path, tmp_path / "there")
    assert {file.name for file in (tmp_path / "there").iterdir()} == set(NAMES)
    assert (tmp_path / "there" / MODEL).read_text() == "this is model.onnx\n" * 9
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_equal_files_make_equal_bytes(path: Path, tmp_path: Path) -> None:
    again = _write(tmp_path / "again.zip", {name: f"this is {name}\n".encode() * 9 for name in reversed(NAMES)})
    assert again.read_bytes() == path.read_bytes()


def test_coreutils_can_check_it(path: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "all")
    ran = subprocess.run(["sha256sum", "--check", "--strict", DIGESTS], cwd=tmp_path / "all", capture_output=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", [*NAMES, DIGESTS])
def test_a_flipped_bit_is_found(path: Path, name: str, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        held = archive.read(name)
    at = content.index(held) + len(held) // 2
    for bit in (0, 5):
        flipped = bytearray(content)
        flipped[at] ^= 1 << bit
        path.write_bytes(flipped)
        with pytest.raises(Broken):
            _unpack(path, tmp_path / f"there-{bit}")


def test_a_bundle_that_breaks_off(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    for at in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at])
        with pytest.raises(Broken):
            _unpack(path, tmp_path / f"there-{at}")


def _zip(path: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_only_the_members_of_a_bundle_are_read(path: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    others = {
        "files are not those of a bundle: ../up": [*members, ("../up", b"x")],
        "files are not those of a bundle: /etc/up": [*members, ("/etc/up", b"x")],
        "files are not those of a bundle: �": [*members, ("\x1b[2J", b"x")],
        "files are not those of a bundle: README.md": members[1:],
        "one is there twice": [*members, members[0]],
        "does not list the files": [each for each in members if each[0] != MODEL],
        "SHA256SUMS is too long": [*members[:-1], (DIGESTS, b"x" * 5000)],
    }
    for number, (said, held) in enumerate(others.items()):
        with pytest.raises(Broken, match=said):
            _unpack(_zip(tmp_path / f"{number}.zip", held), tmp_path / f"there-{number}")
        assert list((tmp_path / f"there-{number}").iterdir()) == []
    bomb = _zip(tmp_path / "bomb.zip", [*members[1:], ("README.md", b"0" * 10**6)], zipfile.ZIP_DEFLATED)
    with pytest.raises(Broken, match="compressed or encrypted"):
        _unpack(bomb, tmp_path / "there-bomb")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda content: misplaced(content, 2**63),
        lambda content: misplaced(content, 2**62),
        lambda content: shifted(content, 40),
    ],
)
def test_members_where_no_file_has_any(path: Path, tmp_path: Path, wrong: Callable[[bytes], bytes]) -> None:
    path.write_bytes(wrong(path.read_bytes()))
    with pytest.raises(Broken, match="lies outside of the file"):
        _unpack(path, tmp_path / "there")


def _install(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Let only these packages, of all that run networks, be installed."""
    monkeypatch.setattr(verification, "find_spec", lambda name: name in packages or None)


def test_without_anything_to_run_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch)
    result = CliRunner().invoke(main, ["verify", str(path)])
    assert result.exit_code == 1 and "every digest in bundle.zip is right" in result.stderr
    assert "pip install onnxruntime safetensors" in result.stderr


@pytest.mark.parametrize(
    ("network", "onnx", "code", "said"),
    [
        (0.0, 1e-7, 0, "model.onnx: max difference 1e-07"),
        (0.0, None, 0, "model.onnx: not run here"),
        (None, 2e-4, 1, "this is not the network"),
        (float("inf"), 0.0, 1, "max difference inf"),
    ],
)
def test_the_verdict(
    path: Path, monkeypatch: pytest.MonkeyPatch, network: float | None, onnx: float | None, code: int, said: str
) -> None:
    gaps = {verification.REBUILD: network, verification.RUN_ONNX: onnx}
    _install(monkeypatch, *(["torch"] if network is not None else []), *(ONNX_PACKAGES if onnx is not None else []))
    monkeypatch.setattr(verification, "_difference", lambda failure, module, members: gaps[module])
    result = CliRunner().invoke(main, ["verify", "--trust", str(path)])
    assert result.exit_code == code and said in result.output


def test_files_that_mean_nothing_are_broken(path: Path) -> None:
    result = CliRunner().invoke(main, ["verify", "--trust", str(path)])
    assert result.exit_code == 1 and "could not be rebuilt" in result.stderr
    nothing = CliRunner().invoke(main, ["verify", __file__])
    assert nothing.exit_code == 1 and "is not a bundle" in nothing.stderr
