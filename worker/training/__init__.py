"""The trainer process: it builds the network of a spec, trains it, and reports to its supervisor. No SQL."""
