"""What a person sees in a terminal: tables, progress, logs and plots. It needs rich, and matplotlib for pictures."""
