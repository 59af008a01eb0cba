"""Keys that a user pasted into a command or a configuration: refused before anything is parsed, printed or written."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from tasks.errors import ConfigurationError
from teachers.chat.secrets import check_variable, holds_key

# Settings whose names say that a key is named there (``api_key_env``), or, by mistake, given.
_NAMES_KEY = re.compile(r"api[_-]?key", re.IGNORECASE)
# Those that would hold a key or a password itself. Other names that end in "token" are those of tokenizers.
_HOLDS_KEY = re.compile(
    r"(?:.*[_-])?(?:secret|secret[_-]key|password|passwd|authorization|bearer)|(?:(?:access|auth|hf|api)[_-]?)?token",
    re.IGNORECASE,
)
_ADDRESSES = ("base_url", "endpoint", "azure_endpoint", "api_base")
_LONGEST_NAME = 200
_PAIR = re.compile(r"([\w.]+)[\"']?\s*:\s*[\"']?([^\s\"',}]*)")


def refuse_pasted_keys(words: Sequence[str]) -> None:
    """Looks through the words of a command, and the configurations that they name, for keys that should not be there.

    A parser repeats in its errors what it was given, ``--print_config`` prints it, and a run keeps it in its
    ``config.yaml``: so this comes first, and its own message has the setting's name and not its value.

    Raises:
        ConfigurationError: There is a key, or an address with more than host and path in it.
    """
    for name, value in _settings(words):
        setting = _last(name)
        nameless = not name.isprintable() or len(name) > _LONGEST_NAME or holds_key(name)
        shown = "The command" if nameless or not name else f"The setting {name}"
        if _NAMES_KEY.search(setting):
            check_variable(value, shown)
        elif holds_key(value) or holds_key(name) or (_HOLDS_KEY.fullmatch(setting) and value):
            raise ConfigurationError(
                f"{shown} holds what looks like an API key or a password (not shown): put it into an environment "
                "variable, and name that variable with the chat's api_key_env."
            )
        elif _has_secret_parts(value, setting in _ADDRESSES):
            raise ConfigurationError(
                f"{shown} is an address with a user name, password, query or fragment (not shown): give host and path "
                "only, and put the key into the environment variable that api_key_env names."
            )


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _settings(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every text in the words and in the configurations that they name, with the setting that it is given to."""
    option = ""
    for word in words:
        if word.startswith("-") and not _NAMES_KEY.search(_last(option)):
            option, given, word = word.lstrip("-").partition("=")
            yield "", option
            if not given:
                continue
        elif pair := re.fullmatch(r"([A-Z][A-Z0-9_]*)=(.*)", word, re.DOTALL):  # OPENAI_API_KEY=… after the command
            option, word = pair.groups()
        yield option, word
        is_config = _last(option) in ("c", "config") or word.endswith((".yaml", ".yml"))
        if is_config and os.path.isfile(word):
            yield from _texts("", Path(word).read_text(encoding="utf-8", errors="replace"))
        else:
            yield from _texts(option, word)
        option = ""


def _texts(name: str, source: str) -> Iterator[tuple[str, str]]:
    try:
        yield from _leaves(name, yaml.safe_load(source))
    except (yaml.YAMLError, ValueError, RecursionError):  # the parser will say what is wrong with it
        yield from _PAIR.findall(source)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and not _NAMES_KEY.search(_last(name)):
        for key, part in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(name, part)
    elif value is not None and not isinstance(value, bool):
        yield name, str(value)


def _has_secret_parts(value: str, is_address: bool) -> bool:
    """Whether an address has a password in it; one that requests go to, also a user, a query, a fragment or a key."""
    if is_address:
        return bool(set("@?#") & set(value)) or any(holds_key(part) for part in unquote(value).split("/"))
    try:
        return " " not in value and urlsplit(value).password is not None
    except ValueError:
        return False
