"""Nouns of training: frozen values that can be printed, compared and tested. No torch, no YAML, no files."""
