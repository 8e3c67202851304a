"""Where the examples come from, and how they are split."""
