"""`python -m api.keys`: make, list and revoke API keys, with the database at hand and no service running."""

import argparse
import sys

from api import schema
from models.records import keys
from models.records.database import Database
from models.settings import Settings


def main() -> int:
    parser = argparse.ArgumentParser(prog="athanor key", description="API keys.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("new", help="make a key and print it, this once").add_argument("--name", default="admin")
    verbs.add_parser("list", help="public ids and names of the keys in force")
    verbs.add_parser("revoke", help="end a key").add_argument("id", help="its public id")
    chosen = parser.parse_args()
    settings = Settings()
    database = Database(settings.database)
    if settings.is_sqlite:
        # Also before the first start of an embedded service; PostgreSQL has its own step for this.
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
                print(f"there is no key '{chosen.id}' in force", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
