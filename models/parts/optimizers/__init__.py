"""Optimizers. Each file defines one update rule."""
