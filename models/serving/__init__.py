"""What trained networks are for: predictions and exports."""
