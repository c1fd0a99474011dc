"""Sandboxed child processes with limits. They end with the process that started them. No torch is imported."""
