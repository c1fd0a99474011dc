"""`python -m tests.chaos`: random kills in both modes of the service. The exit code is 1 if an invariant is broken."""

import argparse
import tempfile
from pathlib import Path

from benchmarks import pages, result
from tests.chaos.fleet import Fleet
from tests.chaos.storm import Report, Storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="number of kills in each mode")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--mode", choices=["embedded", "production"], action="append", help="default: one, then the other"
    )
    parser.add_argument("--keep", action="store_true", help="write the figures to benchmarks/results and docs")
    chosen = parser.parse_args()
    broken = 0
    for mode in chosen.mode or ["embedded", "production"]:
        with tempfile.TemporaryDirectory() as folder, Fleet(mode, Path(folder) / "fleet", slots=2) as fleet:
            for report in Storm(fleet, chosen.seed).rounds(chosen.kills):
                tell(report)
                if chosen.keep:
                    keep(report)
        report.violations += [f"I9 still runs: {process}" for process in fleet.survivors()]
        for violation in report.violations:
            print(f"  BROKEN {violation}")
        print(f"  {len(report.violations)} violations", flush=True)
        broken += len(report.violations)
        if chosen.keep:
            keep(report)
    return 1 if broken else 0


def tell(report: Report) -> None:
    """Print the kills so far, and the jobs, attempts and points."""
    told = ", ".join(f"{count} {victim}" for victim, count in sorted(report.kills.items()))
    made = f"{report.jobs} jobs in {report.attempts} attempts, {report.points:,} points"
    print(f"{report.mode}, seed {report.seed}: {report.kills.total()} kills ({told})")
    print(f"  {made}, {report.seconds:.0f} s", flush=True)


def keep(report: Report) -> None:
    """Write the figures to benchmarks/results and to the documentation."""
    result.write(f"chaos_{report.mode}", {**vars(report), "kills": dict(report.kills)})
    pages.rewrite()


if __name__ == "__main__":
    raise SystemExit(main())
