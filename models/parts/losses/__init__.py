"""Losses. Every file here is one loss, a mean over the rows of a batch."""
