"""Addresses of endpoints and proxies: what may stand in one. Keys and passwords may not, and are in no message."""

from __future__ import annotations

import os
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies

from tasks.errors import ConfigurationError
from teachers.chat.secrets import holds_key

_SCHEMES_OF_PROXIES = ("http", "https", "socks5", "socks5h")


def address_of(given: str | None, setting: str, variable: str) -> str | None:
    """The address of an endpoint: the one given as a setting, or that in an environment variable; None without both.

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
    """Refuses settings in the environment that no client can use: proxies, and what is sent in headers.

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
    """An address in its parts; None if it has no host, or characters or a port that none can have."""
    if not address.isascii() or not address.isprintable() or set(address) & set(" \"'<>\\^`{|}"):
        return None
    try:
        parts = urlsplit(address)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None
