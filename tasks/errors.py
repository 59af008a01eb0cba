"""The exceptions a user can cause: each derives from DataEnvGymError and from the stdlib error it refines."""

from __future__ import annotations

from collections.abc import Iterator


class DataEnvGymError(Exception):
    """Root of every error that a user can cause; the command line prints its message in one line and exits 2."""


class ConfigurationError(DataEnvGymError, ValueError):
    """A setting has a value that cannot work."""


class MissingFileError(DataEnvGymError, FileNotFoundError):
    """A file or folder that a setting names does not exist."""


class RecordError(DataEnvGymError, ValueError):
    """A training record or a line of a records file cannot be used."""


class RunDirectoryError(DataEnvGymError, FileExistsError):
    """A run directory is taken, or is not what the configuration says."""


class StudentError(DataEnvGymError, ValueError):
    """A student model lacks something that training or evaluation needs."""


class StorageError(DataEnvGymError, OSError):
    """Writing failed (disk full, no permission)."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, what that was raised from: parsers wrap what a constructor raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
