"""Everything seen: shows plans, events and results, and knows nothing of how they were computed."""
