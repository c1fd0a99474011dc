"""Everything that can die, killed: at every named point, at random, and with the rules broken on purpose."""
