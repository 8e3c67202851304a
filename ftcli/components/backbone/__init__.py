"""Where networks come from: each source opens a model by name and declares its depth."""
