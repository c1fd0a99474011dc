"""The worker: it claims jobs, supervises trainers, and trains."""
