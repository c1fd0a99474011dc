"""Plan a job: resolve its spec, rehearse it, freeze parameters, start from a checkpoint."""
