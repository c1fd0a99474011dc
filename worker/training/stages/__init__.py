"""The stages of a training step and of the end of an epoch, each with the part of the configuration that it reads."""
