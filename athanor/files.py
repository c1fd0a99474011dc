"""The files of a checkpoint, by name."""

WEIGHTS, STATE, SCALARS, PREPARATION = "weights.safetensors", "state.safetensors", "state.json", "preparation.json"
FILES = (WEIGHTS, STATE, SCALARS, PREPARATION)
