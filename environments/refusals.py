"""What a parser, or a class that a configuration names, raises, as one error of ours with one line."""

import contextlib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from tasks.errors import ConfigurationError, DataEnvGymError, causes, one_line, reason

# Lines of a parser's message that say how it validates and not what is wrong.
_CHATTER = re.compile(
    r"(Does not validate against|Subtypes:|Errors:|Expected a <class 'NoneType'>|Expected a path but|"
    r"Given value type:|Given value: (Namespace|NestedArg))"
)
_OURS = Path(__file__).parents[1]


@contextlib.contextmanager
def refused_options(command: str, what: str = "") -> Iterator[None]:
    """Turns every failure inside into one DataEnvGymError that says what a user has to change.

    For the parsing of a command line and the making of the classes it names: what fails there was chosen by options.
    ``command`` has a help that lists them; ``what`` is what failed, if not the options themselves.

    Raises:
        DataEnvGymError: The first error of ours in the chain of causes, or a ConfigurationError.
    """
    from jsonargparse import ArgumentError

    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code in (None, 0):
            raise  # --help
        # jsonargparse wraps what a constructor raises, sometimes twice: the user's mistake is at the bottom.
        for cause in causes(error):
            if isinstance(cause, DataEnvGymError):
                raise cause from error
        where = place(error)
        if isinstance(error, ArgumentError):
            said = f"{parser_line(str(error))}{where} ({command} --help lists the options)"
        else:
            said = parser_line(str(error)) if _CHATTER.match(str(error)) else reason(error)
            said = f"{what or 'The options cannot be read'} ({said}{where})."
        raise ConfigurationError(said) from error


@contextlib.contextmanager
def refused_training(settings: str) -> Iterator[None]:
    """Turns what Lightning's own code raises in a fit or an evaluation into an error about the Trainer's ``settings``.

    What comes from deeper than Lightning, or from our code, passes.

    Raises:
        ConfigurationError: The innermost frame is Lightning's. What comes from deeper, or from our code, passes.
    """
    try:
        yield
    except Exception as error:
        *_, last = traceback.extract_tb(error.__traceback__)
        if isinstance(error, DataEnvGymError | OSError) or "lightning" not in Path(last.filename).parts:
            raise
        raise ConfigurationError(f"The Trainer fails with {settings} ({reason(error)}): change these.") from error


def parser_line(message: str) -> str:
    """A parser's message of many lines in one: the key, what was wrong with it, and the value."""
    lines = [line.strip(" -") for line in message.splitlines()]
    lines = [re.sub(r"^Type \S.* expects a .* callable class: ", "", line) for line in lines]
    kept = [line for line in lines if line and not _CHATTER.match(line)] or lines
    return one_line("; ".join(kept), 500).replace(":;", ":")


def place(error: BaseException) -> str:
    """The class that was being imported, and the file and line of a user's own code; empty where neither is known."""
    imported = code = ""
    for cause in causes(error):
        for frame, line in traceback.walk_tb(cause.__traceback__):
            path = Path(frame.f_code.co_filename)
            library = path.resolve().is_relative_to(_OURS) or path.is_relative_to(Path(contextlib.__file__).parent)
            if frame.f_code.co_name == "import_object":  # jsonargparse's
                imported = f", importing {frame.f_locals.get('name')}"
            elif path.is_file() and "site-packages" not in path.parts and not library:
                code = f", {path}, line {line}"
    return imported + code
