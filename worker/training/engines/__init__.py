"""Engines, one per file. A resolved spec names the file of its engine."""
