"""Tokenizers: how a text is cut."""
