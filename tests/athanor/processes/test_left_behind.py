"""Whatever a child left in its folder is refused or removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from athanor.processes.left_behind import check_file, remove, scratch_folder

NEST = """
import os
for _ in range(5000):
    os.mkdir("d")
    os.chdir("d")
"""


def test_a_file_is_a_file_of_its_size(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    check_file(file, 5)
    with pytest.raises(OSError, match="too large"):
        check_file(file, 4)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    secret, link, pipe = tmp_path / "secret", tmp_path / "link", tmp_path / "pipe"
    secret.write_text("ath_secret")
    link.symlink_to(secret)
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path):
        with pytest.raises(OSError, match="something else than a file"):
            check_file(path, 2**20)
    with pytest.raises(FileNotFoundError):
        check_file(tmp_path / "nothing", 2**20)


def test_a_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    """A recursive function, or one with whole paths, cannot remove folders that are nested so deeply."""
    outside = tmp_path / "outside"
    outside.touch()
    with scratch_folder(tmp_path) as folder:
        subprocess.run([sys.executable, "-c", NEST], cwd=folder, check=True, timeout=60)
        (folder / "link").symlink_to(outside)
    assert not folder.exists() and outside.exists()
    remove(folder)
