"""Use of trained networks: predictions and exports."""
