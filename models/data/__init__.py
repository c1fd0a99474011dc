"""From an upload to batches: the table, the formats below the parts, intake and preparation above them."""
