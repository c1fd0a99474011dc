"""Training methods, one a file: how a network comes to its numbers. An architecture names the file of its own."""
