"""`python -m benchmarks [name …]`: run all benchmarks, or the named ones, and update the tables in the docs."""

import sys

from benchmarks import listeners, naive, observers, pages, points, rates, result, start, stops, supervision, tables

BENCHMARKS = {
    "start": start.measure,
    "points": points.measure,
    "naive": naive.measure,
    "stops": stops.measure,
    "supervision": supervision.measure,
    "observers": observers.measure,
    "listeners": listeners.measure,
    "tables": tables.measure,
    "rates": rates.measure,
}


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in BENCHMARKS:
            sys.exit(f"there is no benchmark '{name}'; there are {', '.join(BENCHMARKS)}")
        result.write(name, BENCHMARKS[name]())
    pages.rewrite()


if __name__ == "__main__":
    main()
