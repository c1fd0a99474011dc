"""Optimizers. Every file here is one update rule."""
