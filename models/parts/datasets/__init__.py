"""Datasets that come with the service: one file is one set, its kind is its id."""
