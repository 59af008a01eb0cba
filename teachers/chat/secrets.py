"""API keys and addresses: where they may stand, what may be sent as one, and how keys are taken out of texts."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies

from tasks.errors import ConfigurationError

# Local endpoints are given words like "none" for a key. Those are no secrets, and taking them out would spoil texts.
_SHORTEST_SECRET = 8
_MASK = "[API key]"

# What keys begin with: OpenAI and what speaks like it, Hugging Face, GitHub, Google, AWS, JSON web tokens.
_KEY = re.compile(
    r"(?<![\w/-])(?:sk[-_][\w-]{12,}"
    r"|(?:csk|fw|gh[a-z]|github_pat|glpat|gsk|hf|key|nvapi|pplx|r8|tgp|xai)[-_](?:\w{1,16}[-_])?[A-Za-z0-9]{20,}"
    r"|AIza[\w-]{30,}|(?:AKIA|ASIA)[A-Z0-9]{16}|eyJ[\w-]{10,}\.[\w-]+\.[\w-]*)"
)

# A variable's name is made of words: OPENAI_API_KEY, GPT4O_KEY, my_api_key. What is pasted there by mistake is not.
_WORD = re.compile(r"[A-Za-z]{1,24}\d{0,4}|\d{1,4}|[A-Za-z\d]{1,6}")
_LONGEST_NAME = 64
_WORDS_FOR_KEYS = frozenset({"auth", "credential", "key", "pat", "secret", "token"})

_VARIABLES_OF_KEYS = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD)$")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_SCHEMES_OF_PROXIES = ("http", "https", "socks5", "socks5h")


def is_variable_name(text: str) -> bool:
    """Whether this names an environment variable that is set, or looks like such a name and not like a pasted key.

    That is: words joined by underscores with few digits, in capitals or one of them saying what it is (``my_api_key``).
    """
    if not text.isascii() or not text.isidentifier():
        return False
    if text in os.environ:
        return True
    words = [word for word in text.split("_") if word]
    if _KEY.search(text) or len(text) > _LONGEST_NAME or not all(_WORD.fullmatch(word) for word in words):
        return False
    return text.isupper() or not _WORDS_FOR_KEYS.isdisjoint(text.lower().split("_"))


def check_variable(name: str, setting: str) -> None:
    """Refuses what cannot be a variable's name, and a key in it that cannot be sent; the message repeats neither.

    Raises:
        ConfigurationError: In words that hold neither: whatever stands there may be the key itself.
    """
    if not is_variable_name(name):
        raise ConfigurationError(
            f"{setting} is not the name of an environment variable ({len(name)} characters, not shown because they may "
            "be the key): put the key into a variable, and give api_key_env that variable's name, e.g. OPENAI_API_KEY."
        )
    if os.environ.get(name, "").strip():
        read_key(name)


def read_key(variable: str) -> str:
    """The key in an environment variable, without space around it."""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigurationError(
            f"The environment variable {variable} is not set: put the API key there (any word for an endpoint without "
            "keys), or replay a journal, which needs none."
        )
    if not re.fullmatch(r"[!#-&(-~]+", key):
        raise ConfigurationError(
            f"The environment variable {variable} holds characters that no API key has (space, line break, quotation "
            "mark, or beyond ASCII): put the key alone there."
        )
    return key


def holds_key(text: str) -> bool:
    """Whether a text has in it what looks like an API key, or the value of a variable such as ``OPENAI_API_KEY``."""
    return bool(_KEY.search(text)) or any(secret in text for secret in _secrets_around())


def address_of(given: str | None, setting: str, variable: str) -> str | None:
    """An endpoint's address: the setting, else what the environment variable holds; None without both.

    It may hold scheme, host, port and path only. An error does not repeat it: a key may be in it.

    Raises:
        ConfigurationError: It is no address, or has more in it than scheme, host, port and path. The message does not
            repeat it: a key may be in it.
    """
    address = given
    if address is None:
        address, setting = os.environ.get(variable, "").strip(), f"The environment variable {variable}"
        if not address:
            return None
    parts = _split(address)
    if parts is None or parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"{setting} is no address of an endpoint ({len(address)} characters, not shown because they may be a key): "
            "give it as http://host:port/path or https://host/path."
        )
    surplus = {
        "a user name or password": "@" in parts.netloc,
        "a query (after ?)": "?" in address,
        "a fragment (after #)": "#" in address,
        "what looks like a key": any(holds_key(part) for part in unquote(address).split("/")),
    }
    for what, found in surplus.items():
        if found:
            raise ConfigurationError(
                f"{setting} has {what} in it, which is not shown: give host and path only, and put the key into the "
                "environment variable that api_key_env names."
            )
    return address


def check_surroundings() -> None:
    """Refuses environment settings that no client can use: proxies, and what is sent in headers.

    The message names the variable, not its value, which may be a password.

    Raises:
        ConfigurationError: The message has the variable and not what it holds, which may be a password.
    """
    for scheme, address in getproxies().items():
        if scheme not in ("http", "https", "all") or not address:
            continue
        parts = _split(address if "://" in address else f"http://{address}")
        if parts is None or parts.scheme not in _SCHEMES_OF_PROXIES:
            raise ConfigurationError(
                f"The environment variable {scheme}_proxy (or {scheme.upper()}_PROXY) holds no address of a proxy "
                "(not shown, as there may be a password in it): give it as http://host:port, or unset it."
            )
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        value = os.environ.get(name, "")
        if value and not (value.isascii() and value.isprintable()):
            raise ConfigurationError(f"The environment variable {name} holds characters that cannot be sent: unset it.")


def _split(address: str) -> SplitResult | None:
    if not address.isascii() or not address.isprintable() or set(address) & set(" \"'<>\\^`{|}"):
        return None
    try:
        parts = urlsplit(address)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def conceal(text: str) -> str:
    """A message without keys, and without what addresses hold besides host and path; the last step before print.

    What the endpoint sends is redacted where it comes in; this is for texts of other origins, such as a parser's.
    """

    def bare(address: re.Match[str]) -> str:
        try:
            parts = urlsplit(address.group(0))
        except ValueError:
            return "[address]"
        cut = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        return address.group(0) if cut == parts else f"{cut.geturl()}[…]"

    for secret in _secrets_around():
        text = text.replace(secret, _MASK)
    return _KEY.sub(_MASK, _ADDRESS.sub(bare, text))


def _secrets_around() -> Iterator[str]:
    for name, value in os.environ.items():
        # Short values are words for endpoints without keys and may be in any text; some values name a file with a key.
        secret = value.strip()
        if _VARIABLES_OF_KEYS.search(name.upper()) and len(secret) >= 2 * _SHORTEST_SECRET and secret[0] not in "/~.":
            yield secret


def redact(text: str, key: str) -> str:
    r"""A text without the key, which endpoints repeat in errors or replies.

    Parts of it go too: eight characters in a row or more (a message that was cut), and what is left of it around dots
    or asterisks (``sk-ab***yz``); plain, percent-encoded, with JSON's or HTML's escapes, or as its SHA-256, by which
    the LiteLLM proxy names keys.
    """
    if len(key) < _SHORTEST_SECRET:
        return text
    text = text.replace(key, _MASK).replace(hashlib.sha256(key.encode()).hexdigest(), _MASK)
    text = _without(text, _remains(text, key))
    # Replies are long and hardly ever hold anything to take out: every part of eight has one of these blocks of four.
    blocks = [key[index : index + 4] for index in range(0, len(key) - 3, 4)]
    plain = _ESCAPE.sub(_unescaped, text) if _CODED.search(text) else text.replace("\\", "")
    if not any(block in plain for block in blocks):
        return text
    characters = list(_CHARACTER.finditer(text))
    found = _parts("".join(map(_unescaped, characters)), key)
    return _without(text, [(characters[start].start(), characters[end - 1].end()) for start, end in found])


_MASKING = re.compile(r"\*{2,}|\.{3,}|…+|•{2,}")
_CODED = re.compile(r"(?=[%\\&])(?:%[0-9A-Fa-f]{2}|\\[ux]|&#)")
_ESCAPE = re.compile(
    r"(?=[%\\&])(?:%(?:25)*([0-9A-Fa-f]{2})|\\+u00([0-9A-Fa-f]{2})|\\+x([0-9A-Fa-f]{2})|&#x([0-9A-Fa-f]{2});|&#(\d{2,3});|\\+(.))",
    re.DOTALL,
)
_CHARACTER = re.compile(f"{_ESCAPE.pattern}|.", re.DOTALL)


def _unescaped(character: re.Match[str]) -> str:
    *hexadecimal, decimal, escaped = character.groups()
    digits = next(filter(None, hexadecimal), None)
    return chr(int(digits, 16)) if digits else chr(int(decimal)) if decimal else escaped or character.group(0)


def _remains(text: str, key: str) -> Iterator[tuple[int, int]]:
    """Where dots or asterisks stand for most of the key: behind its beginning, or before its end."""
    lengths = range(12, 2, -1)
    for masking in _MASKING.finditer(text):
        start, end = masking.span()
        before = next((size for size in lengths if text.endswith(key[:size], 0, start)), 0)
        if before and start > before and text[start - before - 1].isalnum():
            before = 0  # the end of another word
        behind = next((size for size in lengths if text.startswith(key[-size:], end)), 0)
        if before or behind:
            yield start - before, end + behind


def _parts(text: str, key: str) -> Iterator[tuple[int, int]]:
    least = _SHORTEST_SECRET if len(key) >= 2 * _SHORTEST_SECRET else len(key)  # the parts of a short key may be words
    starts = {key[index : index + least] for index in range(len(key) - least + 1)}
    done = index = 0
    while index <= len(text) - least:
        end = index + least
        if text[index:end] not in starts or text[index:end].isalpha():  # what has letters only may be a word
            index += 1
            continue
        while end < len(text) and text[index : end + 1] in key:
            end += 1
        while index > done and text[index - 1 : end] in key:
            index -= 1
        yield index, end
        done = index = end


def _without(text: str, stretches: Iterable[tuple[int, int]]) -> str:
    kept, done = [], 0
    for start, end in stretches:
        kept += [text[done:start], _MASK]
        done = end
    return "".join([*kept, text[done:]])
