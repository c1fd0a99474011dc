"""API keys: shown once, kept as a digest."""

import pytest
from sqlalchemy import select

from models.records import keys
from models.records.database import Database
from models.records.tables import Key
from tests.rows import everything


def test_a_key_is_found_by_its_secret(database: Database) -> None:
    with database.writing() as tx:
        one, other = keys.create(tx, "one"), keys.create(tx, "other")
    with database.reading() as tx:
        assert keys.find(tx, one) == keys.Caller(one.split("_")[1], "one")
        assert keys.find(tx, other) == keys.Caller(other.split("_")[1], "other")
        assert [name for _, name in keys.names(tx)] == ["one", "other"]


def test_a_secret_holds_256_bits_and_may_hold_an_underscore(database: Database) -> None:
    with database.writing() as tx:
        made = [keys.create(tx, "many") for _ in range(60)]
        assert all(keys.find(tx, key) for key in made)
    assert any("_" in key.split("_", 2)[2] for key in made)
    assert {len(key.split("_", 2)[2]) for key in made} == {43}


def test_any_other_string_is_nobody(database: Database) -> None:
    with database.writing() as tx:
        key, other = keys.create(tx, "one"), keys.create(tx, "other")
    _, key_id, secret = key.split("_", 2)
    strangers = [
        f"ath_{key_id}_{other.split('_', 2)[2]}",
        f"ath_{key_id}_{secret[:-1]}",
        f"ath_{key_id}_{secret}x",
        f"ath_{key_id}_{secret.swapcase()}",
        f"ATH_{key_id}_{secret}",
        f"_{key_id}_{secret}",
        f"x_{key_id}_{secret}",
        f" {key}",
        f"{key}\n",
        f"ath_00000000_{secret}",
        f"ath_{key_id}",
        f"ath_{key_id}_",
        f"ath__{secret}",
        "ath_%_%",
        f"ath_{key_id}\0_{secret}",
        "ath_é_☃",
        "ath_\ud800_x",
        "ath",
        "___",
        "_",
        "",
        secret,
        "x" * 100_000,
    ]
    with database.reading() as tx:
        assert [stranger for stranger in strangers if keys.find(tx, stranger)] == []


def test_a_revoked_key_is_nobody_at_once(database: Database) -> None:
    with database.writing() as tx:
        key, kept = keys.create(tx, "one"), keys.create(tx, "kept")
        key_id = key.split("_")[1]
        assert keys.revoke(tx, key_id)
        assert keys.find(tx, key) is None
        assert keys.find(tx, kept) is not None
        assert [name for _, name in keys.names(tx)] == ["kept"]
        assert not keys.revoke(tx, key_id)
        assert not keys.revoke(tx, "unknown")


def test_no_secret_is_stored(database: Database) -> None:
    with database.writing() as tx:
        secrets = [keys.create(tx, "one").split("_", 2)[2] for _ in range(3)]
        held = repr(everything(tx))
        assert all(secret not in held and secret[:16] not in held for secret in secrets)
        assert {len(digest) for digest in tx.scalars(select(Key.sha256))} == {64}


@pytest.mark.parametrize("presented", ["ath_{id}_wrong", "ath_unknown_{secret}"])
def test_a_digest_is_not_a_secret(database: Database, presented: str) -> None:
    with database.writing() as tx:
        key_id = keys.create(tx, "one").split("_")[1]
        digest = tx.scalars(select(Key.sha256)).one()
        assert keys.find(tx, f"ath_{key_id}_{digest}") is None
        assert keys.find(tx, presented.format(id=key_id, secret=digest)) is None
