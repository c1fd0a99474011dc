"""Where the service is and which key it gets, in order."""

from pathlib import Path

import pytest

from athanor.client import Client
from athanor.errors import AthanorError
from athanor.transport.address import find_key, find_url

HERE = "http://127.0.0.1:8500"
AWAY = "https://furnace.example"


def _key_file(folder: Path, key: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "admin.key").write_text(f"{key}\n")
    return folder


def test_url_is_the_argument_then_the_environment_then_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_url(None) == HERE
    monkeypatch.setenv("ATHANOR_URL", f"{AWAY}/")
    assert find_url(None) == AWAY
    assert find_url("localhost:9000") == "http://localhost:9000"
    for ending in ("/v1", "/v1/"):
        monkeypatch.setenv("ATHANOR_URL", f"{AWAY}{ending}")
        assert find_url(None) == AWAY
    assert find_url(f"{AWAY}/under/v1") == f"{AWAY}/under"


def test_key_is_the_argument_then_the_environment_then_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_key(None, HERE) is None
    _key_file(tmp_path / "athanor-data", "from-default")
    assert find_key(None, HERE) == "from-default"
    monkeypatch.setenv("ATHANOR_DATA", str(_key_file(tmp_path / "elsewhere", "from-data")))
    assert find_key(None, HERE) == "from-data"
    monkeypatch.setenv("ATHANOR_KEY", "from-environment")
    assert find_key(None, HERE) == "from-environment"
    assert find_key("from-argument", HERE) == "from-argument"


def test_the_key_of_this_machine_is_not_sent_to_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = _key_file(tmp_path / "athanor-data", "secret")
    assert find_key(None, AWAY) is None
    assert find_key(None, "http://localhost:1") == find_key(None, "http://[::1]:1") == "secret"
    monkeypatch.setenv("ATHANOR_DATA", str(folder))
    assert find_key(None, AWAY) == "secret"


def test_a_key_file_that_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "athanor-data" / "admin.key").mkdir(parents=True)
    with pytest.raises(AthanorError, match=r"cannot read the key in .*admin\.key"):
        Client()


def test_an_address_that_is_none_is_said() -> None:
    with pytest.raises(AthanorError, match="or the key is malformed"):
        Client("http://exa mple:port", "k")
