"""Metrics. Each file defines one metric: statistics of outputs and targets, and how it follows from them."""
