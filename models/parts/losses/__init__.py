"""Losses. Each file defines one loss, a mean over the rows of a batch."""
