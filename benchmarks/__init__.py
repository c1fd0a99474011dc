"""What README's figures are made from. `python -m benchmarks` measures, prints, and writes benchmarks/results."""
