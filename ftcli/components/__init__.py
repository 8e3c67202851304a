"""Choices: a folder is a section of the recipe, a file is a kind, its options class beside its one function."""
