"""Which store an installation uses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.records.database import Database
from models.settings import Settings
from models.storage.folder import FolderStore
from models.storage.rows import RowStore
from models.storage.store import open_store


@pytest.fixture
def anywhere() -> Iterator[Database]:
    """A database with nothing in it, not even tables."""
    database = Database("sqlite://")
    yield database
    database.close()


def settings(data: Path, *, store: str | None = None, database_url: str | None = None) -> Settings:
    return Settings(data=data, store=store, database_url=database_url)


@pytest.mark.parametrize("database_url", [None, "sqlite:////elsewhere/athanor.db"])
def test_beside_sqlite_it_is_a_folder(tmp_path: Path, anywhere: Database, database_url: str | None) -> None:
    store = open_store(settings(tmp_path / "a b#ü", database_url=database_url), anywhere)
    assert isinstance(store, FolderStore)
    assert store.root == tmp_path / "a b#ü" / "store"
    assert store.root.is_dir()


def test_a_relative_data_folder_is_made_whole(
    tmp_path: Path, anywhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(settings(Path("data")), anywhere)
    assert isinstance(store, FolderStore)
    assert store.root == tmp_path / "data" / "store"


def test_in_postgresql_it_is_rows(tmp_path: Path, anywhere: Database) -> None:
    store = open_store(settings(tmp_path / "data", database_url="postgresql+psycopg://u@h/d"), anywhere)
    assert isinstance(store, RowStore)
    assert store.database is anywhere
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("database_url", [None, "postgresql+psycopg://u@h/d"])
def test_what_is_named_is_used(tmp_path: Path, anywhere: Database, database_url: str | None) -> None:
    rows = open_store(settings(tmp_path, store="database", database_url=database_url), anywhere)
    assert isinstance(rows, RowStore)
    folder = open_store(settings(tmp_path, store=f"file://{tmp_path}/my%20store", database_url=database_url), anywhere)
    assert isinstance(folder, FolderStore)
    assert folder.root == tmp_path / "my store"


@pytest.mark.parametrize("named", ["s3://bucket/prefix", "/a/folder", "file://", "folder", "rows", ""])
def test_any_other_name_is_refused(tmp_path: Path, anywhere: Database, named: str) -> None:
    with pytest.raises(ValueError, match="ATHANOR_STORE is"):
        open_store(settings(tmp_path, store=named), anywhere)
