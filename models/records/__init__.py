"""Rows: the truth about jobs, datasets, checkpoints, metrics, workers and keys. No torch; the only room with SQL."""
