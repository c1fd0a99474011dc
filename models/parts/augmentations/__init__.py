"""Augmentations. Each file defines one transform of training examples."""
