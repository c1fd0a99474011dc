"""Sandboxed child processes with limits, which end with the process that started them. No torch."""
