"""One story per command: takes a Recipe or a run, returns a result, never prints."""
