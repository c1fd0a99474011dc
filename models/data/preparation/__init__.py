"""From a table to tensors: which columns play which part, how rows are divided, how values become numbers."""
