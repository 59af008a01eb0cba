"""A run on disk and on the terminal: its directory, recorder, summary, provenance and progress."""
