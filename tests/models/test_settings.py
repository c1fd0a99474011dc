"""What an installation takes for granted where nothing is said."""

from pathlib import Path

import psutil
import pytest

from models import settings
from models.records.database import Database
from models.settings import Settings, Timing


@pytest.mark.parametrize("name", ["plain", "what?", "a#b", "50%25", "ü b+c&d=e@f:g"])
def test_the_database_lies_in_the_data_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    database = Database(Settings(data=folder, database_url=None).database)
    database.ping()
    database.close()
    assert (folder / "athanor.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("written", "bound"), [("1048576\n", 2**20), ("max\n", None), (None, None), (f"{2**80}\n", None)]
)
def test_a_trainer_may_have_what_its_container_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, bound: int | None
) -> None:
    monkeypatch.setattr(settings, "CONTAINER", tmp_path / "memory.max")
    if written is not None:
        (tmp_path / "memory.max").write_text(written)
    assert settings.Limits().trainer_memory_bytes == (bound or psutil.virtual_memory().total)


def test_a_lease_is_renewed_before_it_ends() -> None:
    with pytest.raises(ValueError, match=r"LEASE is 10 s; it must be longer than two heartbeats of 5 s"):
        Timing(lease=10.0)
    assert Timing(lease=10.1).heartbeat == 5.0
