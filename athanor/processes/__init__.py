"""Child processes that are bounded and enclosed, and end with the process that started them. No torch."""
