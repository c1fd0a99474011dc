"""The worker process: SQL and no torch. It claims jobs, supervises their trainers, keeps their rows."""
