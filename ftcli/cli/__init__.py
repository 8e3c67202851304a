"""Arguments and exit codes: a file a command, which imports what it needs when it is called."""
