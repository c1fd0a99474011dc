"""Chaos tests: kills at every named point, kills at random, and rules of the code broken on purpose."""
