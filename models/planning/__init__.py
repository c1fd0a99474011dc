"""From a spec to something that can run: resolve it, rehearse it, freeze parameters, start from a checkpoint."""
