"""What was computed once, kept on disk: exact, or not taken. Any fault of it costs time, never a result."""
