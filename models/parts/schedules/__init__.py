"""Schedules. Each file defines one shape of the learning rate over time; all have the same warm-up."""
