"""One file a split."""
