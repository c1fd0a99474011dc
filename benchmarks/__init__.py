"""Benchmarks for the figures in README and docs. `python -m benchmarks` measures and writes benchmarks/results."""
