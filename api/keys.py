"""`python -m api.keys`: make, list and revoke API keys. It uses the database directly; no service needs to run."""

import argparse
import sys

from api import schema
from athanor.processes.private_files import keep_private
from models.records import keys
from models.records.database import Database
from models.settings import Settings


def main() -> int:
    parser = argparse.ArgumentParser(prog="athanor key", description="Make, list and revoke API keys.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("new", help="make a key and print it; it is shown only once").add_argument(
        "--name", default="admin", help="a name for the key, shown in events (default: admin)"
    )
    verbs.add_parser("list", help="print the public ids and names of the valid keys")
    verbs.add_parser("revoke", help="make a key invalid").add_argument("id", help="the key's public id")
    chosen = parser.parse_args()
    keep_private()
    settings = Settings()
    database = Database(settings.database)
    if settings.is_sqlite:
        # Before its first start, an embedded service has no folder and no tables. PostgreSQL is migrated separately.
        settings.data.mkdir(parents=True, exist_ok=True)
        schema.upgrade(database)
    with database.writing() as tx:
        match chosen.verb:
            case "new":
                print(keys.create(tx, chosen.name))
            case "list":
                for key_id, name in keys.names(tx):
                    print(key_id, name)
            case "revoke" if not keys.revoke(tx, chosen.id):
                print(f"there is no valid key '{chosen.id}'; see: athanor key list", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
