"""What the service writes, nobody else reads."""

import subprocess
import sys
from pathlib import Path

from athanor.processes.private_files import tighten


def test_what_a_process_makes_is_private(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\nfrom athanor.processes.private_files import keep_private\nkeep_private()\n"
        "Path('folder').mkdir()\nPath('folder/file').touch()"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
    assert modes(tmp_path / "folder") == {".": 0o700, "file": 0o600}


def test_what_is_found_loose_is_tightened(tmp_path: Path) -> None:
    folder, outside = tmp_path / "data", tmp_path / "outside"
    (folder / "store").mkdir(parents=True)
    outside.touch()
    for path, mode in ((folder, 0o755), (folder / "store", 0o750), (outside, 0o644)):
        path.chmod(mode)
    for name, mode in (("loose", 0o644), ("program", 0o755), ("private", 0o600)):
        (folder / name).touch()
        (folder / name).chmod(mode)
    (folder / "link").symlink_to(outside)
    assert tighten(folder) == 4
    assert modes(folder) | {"link": 0} == {
        ".": 0o700,
        "store": 0o700,
        "loose": 0o600,
        "program": 0o700,
        "private": 0o600,
        "link": 0,
    }
    assert outside.stat().st_mode & 0o777 == 0o644
    assert tighten(folder) == 0


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
