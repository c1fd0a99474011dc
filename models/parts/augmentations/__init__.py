"""Augmentations. Every file here is one way to change training examples."""
