"""Finding images that are the same, or nearly, among many."""
