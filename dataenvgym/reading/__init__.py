"""The reader of a run directory: a finished or running one as typed rows. Nothing else opens its files."""

from dataenvgym.reading.run import Run, read_run

__all__ = ["Run", "read_run"]
