"""Decides the whole run before it starts: a recipe, a layer map and the sizes of the data become a plan."""
