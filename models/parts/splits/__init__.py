"""Splits. Each file defines one way to divide rows."""
