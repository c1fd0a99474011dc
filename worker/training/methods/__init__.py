"""Training methods, one per file. An architecture names the file of its method."""
