"""Where a run is followed from outside, beside its own folder."""
