"""The demo: a temporary service, two trainings on real data, and their weights."""
