"""Every file here is a feature: how a column becomes numbers."""
