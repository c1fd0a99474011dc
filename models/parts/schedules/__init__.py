"""Schedules. Every file here is one shape of the learning rate over time; the warm-up is common to all."""
