"""What happens to configurations before their parser sees them: refused if no text or endless, then put in order."""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from dataenvgym.catalogue import shipped
from dataenvgym.cli.pasted_keys import refuse_pasted_keys
from tasks.errors import ConfigurationError, RecordError, failing_as
from tasks.records import is_text, read_file

# The configurations of real runs are some ten deep and have some hundred nodes.
_MAX_DEPTH = 100
_MAX_NODES = 100_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the parser's own, by libyaml where it is there
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CONTENT = (*_OPENING, yaml.ScalarEvent)
_TAGS = ("str", "int", "float", "bool", "null", "map", "seq", "!")
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_FILES = ("--config", "-c")
_WORDS_OF_YAML = "[{&*"


# In a run's config.yaml, beside the class of a part that was given to the Python API as an object.
MADE_IN_PYTHON = "made_in_python"


def read_words(words: Sequence[str]) -> list[str]:
    """The words of a command line, once they are safe to be parsed; shipped configurations by their paths.

    Raises:
        ConfigurationError: A word is no text; a word or a file that ``--config`` names is no YAML, is nested too deeply
            or grows without bounds by aliases; or a key was pasted into one of them.
        MissingFileError: ``--config`` names no file and no shipped configuration.
    """
    read = list(words)
    for index, word in enumerate(words):
        if not is_text(word):
            raise ConfigurationError(f"The argument {word!r:.100} is no text in UTF-8: write it anew.")
        name, joined, value = word.partition("=")
        if name in _FILES and joined:
            read[index] = f"{name}={_read_config(value)}"
        elif index and words[index - 1] in _FILES:
            read[index] = _read_config(word)
        elif name not in _FILES:
            text = value if joined and name.startswith("--") else word
            if any(character in text for character in _WORDS_OF_YAML):
                before = f" after {words[index - 1]}" if index else ""
                _check_yaml(text, f"The argument {word[:60]!r}{before}", may_be_text=True)
    refuse_pasted_keys(read)
    return _in_order(read)


def _in_order(words: list[str]) -> list[str]:
    """The words, with each file that adds settings to a part (``skills/gold``) behind a later one that names its class.

    The parser takes settings of a class only once it knows which; fragments are to merge in any order. What no later
    file names stays in its place.
    """
    parts: list[list[str]] = []
    blocks: list[dict[str, Any]] = []  # of the configuration that a part is; empty for all other words
    rest = iter(words)
    for word in rest:
        name, joined, value = word.partition("=")
        parts.append([word] if joined or name not in _FILES else [word, *itertools.islice(rest, 1)])
        given = value if joined else parts[-1][-1]
        held: Any = None
        if name in _FILES and len(parts[-1]) + bool(joined) == 2:
            text = given if _is_text_of(given) else Path(given).read_text(encoding="utf-8")
            held = yaml.load(text, Loader=_LOADER)
        blocks.append(
            {key: one for key, one in held.items() if isinstance(one, dict)} if isinstance(held, dict) else {}
        )

    def named(block: dict[str, Any]) -> set[str]:
        return {key for key, one in block.items() if "class_path" in one}

    order = [float(place) for place in range(len(parts))]
    known = {word.removeprefix("--").split("=")[0].removesuffix(".class_path") for part in parts for word in part[:1]}
    for place, block in enumerate(blocks):
        unknown = {key for key, one in block.items() if set(one) == {"init_args"}} - known
        later: set[str] = set()
        for behind in range(place + 1, len(parts)) if unknown else ():
            later |= named(blocks[behind])
            if unknown <= later:
                order[place] = behind + (place + 1) / (len(parts) + 1)  # several keep their order
                break
        known |= named(block)
    return [word for place in sorted(range(len(parts)), key=order.__getitem__) for word in parts[place]]


def _is_text_of(given: str) -> bool:
    """Whether a configuration is given as its text, and not as a path."""
    return given.lstrip().startswith("{") or "\n" in given


def _read_config(given: str) -> str:
    """Checks a configuration, a path or its text: the parser takes both."""
    if _is_text_of(given):
        _check_yaml(given, f"The configuration {given[:60]!r}")
        return given
    path = Path(given)
    if not path.exists():
        path = shipped(given) or path
    try:
        content = read_file(path)
    except (RecordError, FileNotFoundError) as error:
        raise ConfigurationError(f"--config {error}") from None
    with failing_as(ConfigurationError, f"The configuration {path} is not text in UTF-8", "save it as UTF-8"):
        text = content.decode("utf-8")
    _check_yaml(text, f"The configuration {path}")
    return str(path)


def _check_yaml(text: str, what: str, may_be_text: bool = False) -> None:
    """Follows the events of a YAML text, which needs no recursion, and counts what its aliases stand for."""
    # By anchor, and for each node that is open: how many nodes it is once its aliases are written out.
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    first = True
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, _CONTENT):
                if first and not may_be_text and not isinstance(event, yaml.MappingStartEvent):
                    raise ConfigurationError(f"{what} holds no settings: expected lines such as `trainer:`.")
                first = False
                if (tag := getattr(event, "tag", None)) and tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
                    raise ConfigurationError(f"{what} has the tag {tag[:60]}, which is not read: leave it out.")
            if isinstance(event, _OPENING):
                open_nodes.append((event.anchor, total))
                total += 1
            elif isinstance(event, _CLOSING):
                anchor, before = open_nodes.pop()
                if anchor is not None:
                    sizes[anchor] = total - before
            elif isinstance(event, yaml.ScalarEvent):
                if event.value == MADE_IN_PYTHON:
                    raise ConfigurationError(
                        f"{what} is of a run with parts that were objects in Python, whose settings it does not hold: "
                        "nothing can make them again; begin a new run with dataenvgym.make() or dataenvgym.run()."
                    )
                module, _, name = str(event.value).rpartition(".")
                if module == "__main__" and not hasattr(sys.modules[module], name):
                    raise ConfigurationError(
                        f"{what} names {name}, a class of a script or a notebook, which only that one can make: go on "
                        "from there with dataenvgym.run(…, resume=True), or move the class into a module."
                    )
                total += 1
                if event.anchor is not None:
                    sizes[event.anchor] = 1
            elif isinstance(event, yaml.AliasEvent):
                if any(anchor == event.anchor for anchor, _ in open_nodes):
                    raise ConfigurationError(f"{what} holds itself, by the alias *{event.anchor}: write it out.")
                total += sizes.get(event.anchor or "", 1)
            if len(open_nodes) > _MAX_DEPTH or total > _MAX_NODES:
                raise ConfigurationError(
                    f"{what} is nested more than {_MAX_DEPTH} deep, or stands for more than {_MAX_NODES:,} values: "
                    "make it smaller."
                )
        if first and not may_be_text:
            raise ConfigurationError(f"{what} is empty: name another --config.")
    except (yaml.YAMLError, RecursionError) as error:
        if not may_be_text:
            mark: Any = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
            where = f", line {mark.line + 1}" if mark is not None else ""
            raise ConfigurationError(f"{what} is not YAML ({problem}{where}): mend it.") from None
