"""What happened, for people to read: entries of four kinds with level, search and follow, kept bounded and redacted."""
