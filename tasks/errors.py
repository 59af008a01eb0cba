"""The exceptions a user can cause: each derives from DataEnvGymError and from the stdlib error it refines."""

import contextlib
import math
import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

# Control characters and line breaks of any alphabet, and halves of surrogate pairs, which no terminal can show.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# Lines of the world's libraries that introduce what was wrong and do not say it.
_PROSE = re.compile(r"(Traceback|During handling|The above exception|.*:$)")


class DataEnvGymError(Exception):
    """Root of every error that is no bug of ours; the command line prints its message in one line and exits.

    ``exit_code`` is 2 where the user has to change something, and 1 where something else is out of order.
    """

    exit_code: ClassVar[int] = 2


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


def check_range(
    where: str, low: float = 1, high: float = math.inf, *, open_ends: bool = False, **values: float | None
) -> None:
    """Refuses settings (by name) that are out of range, infinite or no numbers; None (no limit, or a default) passes.

    ``where`` is a class or the key that leads to the settings (``task.init_args``); with ``open_ends``, neither end
    is in the range.
    """
    for name, value in values.items():
        inside = value is None or (low < value < high if open_ends else low <= value <= high)
        if inside and value != math.inf:
            continue
        if high < math.inf:
            wanted = f"lie between {low:g} and {high:g}"
        else:
            wanted = f"be more than {low:g}" if open_ends else f"be at least {low:g}"
        raise ConfigurationError(f"{where}: {name} is {value}; it must {wanted}.")


def check_choice(where: str, choices: Iterable[str], **values: str) -> None:
    """Refuses settings, given by name, that are none of the choices; ``where`` is as in check_range()."""
    for name, value in values.items():
        if value not in (known := tuple(choices)):
            raise ConfigurationError(f"{where}.{name} is {value!r}: choose {', '.join(known[:-1])} or {known[-1]}.")


@contextlib.contextmanager
def failing_as(kind: type[DataEnvGymError], what: str, advice: str = "") -> Iterator[None]:
    """Makes every failure of a library inside into one error that says what was being done.

    It belongs around the reading of a user's file by code that is not ours (weights, tokenizers, images,
    configurations), which may raise anything; never around our own loops.

    Args:
        kind: The error to raise; a DataEnvGymError from inside passes as it is.
        what: What cannot be done, with the file or the setting: "the tokenizer of models/x cannot be used".
        advice: What to do about it.
    """
    try:
        yield
    except DataEnvGymError:
        raise
    except Exception as error:
        raise kind(f"{what} ({reason(error)}){f': {advice}' if advice else ''}.") from error
    except BaseException as error:
        # A panic of a library in Rust (tokenizers) derives from BaseException; Ctrl-C and SystemExit pass.
        if type(error).__name__ != "PanicException":
            raise
        raise kind(f"{what} ({reason(error)}){f': {advice}' if advice else ''}.") from error


def reason(error: BaseException) -> str:
    """What an exception says, in at most 200 characters: its first line of substance, else the name of its type."""
    if isinstance(error, OSError) and error.strerror:
        return one_line(error.strerror, 200)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if not _PROSE.fullmatch(line)), lines[0] if lines else "")
    name = type(error).__name__
    # "'step'" or "list index out of range" alone would say nothing.
    bare = isinstance(error, LookupError | TypeError | AttributeError | RecursionError | ArithmeticError)
    return one_line(f"{name}: {said}" if said and bare else said or name, 200).rstrip(".")


def one_line(text: str, limit: int = 600) -> str:
    """A text as one printable line of at most so many characters."""
    visible = _UNPRINTABLE.sub(lambda one: " " if one[0].isspace() else one[0].encode("unicode_escape").decode(), text)
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, what that was raised from: parsers wrap what a constructor raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
