"""Targets. Each file defines one task: what is fitted to a column, and how outputs become answers."""
