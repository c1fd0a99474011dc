"""Targets. Every file here is one task: what of it is fitted to a column, and how outputs become answers."""
