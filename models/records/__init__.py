"""Rows: jobs, datasets, checkpoints, metrics, workers and keys. Only this package uses SQL, and it never uses torch."""
