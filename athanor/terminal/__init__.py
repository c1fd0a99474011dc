"""Terminal output: tables, progress, logs and plots. It needs rich, and matplotlib for image files."""
