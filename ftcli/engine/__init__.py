"""Obeys a plan on tensors. Knows no recipe, no strategy names, no printing."""
