"""API keys: read where they are used, and taken out of every text that comes in."""

from __future__ import annotations

import os

from tasks.errors import ConfigurationError

# Local endpoints are given words like "none" for a key. Those are no secrets, and taking them out would spoil texts.
_SHORTEST_SECRET = 8


def read_key(variable: str) -> str:
    """The key in an environment variable.

    Raises:
        ConfigurationError: It is not set, or cannot be sent in a header.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigurationError(
            f"The environment variable {variable} is not set: put the API key there (any word for an endpoint without "
            "keys), or replay a journal, which needs none."
        )
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError(f"The environment variable {variable} holds characters that no API key has.")
    return key


def redact(text: str, key: str) -> str:
    """The text without the key, which endpoints may repeat in errors or replies."""
    return text.replace(key, "[API key]") if len(key) >= _SHORTEST_SECRET else text
