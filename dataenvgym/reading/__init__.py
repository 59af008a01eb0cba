"""The reader of a run directory: a finished or running one as typed rows."""
