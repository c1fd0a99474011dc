"""The verbs on a device: claim a job, supervise a trainer, train."""
