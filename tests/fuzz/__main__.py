"""`python -m tests.fuzz`: right and wrong requests to a real service. The exit code is 1 if an answer is wrong."""

import argparse
import tempfile
from pathlib import Path

from tests.api import kit
from tests.fuzz import any_input, campaign
from tests.fuzz.seeded import seeded

UNREACHED = {"POST /v1/datasets"}
"""schemathesis names each file like a picture, and a picture is no dataset."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument(
        "--examples",
        type=int,
        default=2000,
        help="random requests, half of them by schemathesis, after those that it makes always (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with seeded(data, kit.ended(data)) as service:
            found = campaign.run(service, Path(folder), max(1, chosen.examples // 2), chosen.seed)
            print(found.told, flush=True)
            unreached = {operation for operation, count in found.reached.items() if not count} - UNREACHED
            assert not unreached, f"nothing was accepted by {', '.join(sorted(unreached))}"
            any_input.bodies(service, max(1, chosen.examples // 4), chosen.seed)
            any_input.parameters(service, max(1, chosen.examples // 4), chosen.seed)
            print(f"{chosen.examples // 2} arbitrary bodies and parameters: every answer was right")
    return 1 if found.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
