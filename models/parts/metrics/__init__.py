"""Metrics. Every file here is one metric: statistics of outputs and targets, and the figure that follows from them."""
