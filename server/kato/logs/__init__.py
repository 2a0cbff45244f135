"""Session logs on disk: which files they are, how they are watched and read, and what of them reaches the engine."""
