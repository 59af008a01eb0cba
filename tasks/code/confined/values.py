"""Plain data as JSON and back, types kept: what travels between a program and its judge. Nothing is unpickled."""

import json
import math
import re
import sys
from collections import Counter
from typing import Any

# Integers beyond this travel as hexadecimal text: decimal conversion takes quadratic time, and Python refuses it.
_PLAIN_INTEGER = 1 << 62
# What Python reads and how deep it goes by default, give or take.
_DIGITS, _DEPTH = 4300, 2000
_ALIKE = 64  # most keys of a dictionary, or items of a set, that have one hash
_LONG_NUMBER = re.compile(rb"[\[:,-]\d{%d}" % (_DIGITS + 1))
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[][{}]', re.DOTALL)


class NotPlainError(ValueError):
    """A value, or what claims to be one, is no plain data."""


def encode(value: Any) -> Any:
    """A value as JSON-able data: None, numbers, text and bytes, and lists, tuples, sets and dictionaries of them.

    Subclasses become what they are a subclass of, as far as equality with plain data goes (a Counter is a dictionary).
    """
    if value is None or isinstance(value, str | bool):
        return str.__str__(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value) if -_PLAIN_INTEGER < value < _PLAIN_INTEGER else {"i": hex(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"f": repr(float(value))}
    if isinstance(value, complex):
        return {"c": [encode(value.real), encode(value.imag)]}
    if isinstance(value, bytes | bytearray):
        return {"b": value.hex()}
    if isinstance(value, dict):
        return {"d": [[encode(key), encode(item)] for key, item in value.items()]}
    for kind, tag in ((list, None), (tuple, "t"), (set, "s"), (frozenset, "z")):
        if isinstance(value, kind):
            items = [encode(item) for item in value]
            return items if tag is None else {tag: items}
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return encode(value.item())  # a number of an array: equal to Python's own
    raise NotPlainError(f"{type(value).__name__} is no plain data")


def decode(data: Any) -> Any:
    """The value that encode() made data of; builds nothing but plain data, whatever it is given.

    Raises:
        NotPlainError: The data is not of encode()'s making.
    """
    try:
        return _decode(data)
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise NotPlainError(f"no plain data: {error}") from None


def _decode(data: Any) -> Any:
    if isinstance(data, list):
        return [_decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    ((tag, inner),) = data.items()
    match tag:
        case "i":
            return int(inner, 16)
        case "f":
            return float(inner)
        case "c":
            return complex(_decode(inner[0]), _decode(inner[1]))
        case "b":
            return bytes.fromhex(inner)
        case "d":
            pairs = [(_decode(key), _decode(item)) for key, item in inner]
            return dict(zip(_spread([key for key, _ in pairs]), (item for _, item in pairs), strict=True))
        case "t":
            return tuple(_decode(item) for item in inner)
        case "s":
            return set(_spread([_decode(item) for item in inner]))
        case "z":
            return frozenset(_spread([_decode(item) for item in inner]))
    raise NotPlainError(f"unknown tag {tag!r}")


def _spread(keys: list[Any]) -> list[Any]:
    """Keys, unless many have one hash: a dictionary or a set of them would take quadratic time to build."""
    if len(keys) > _ALIKE and max(Counter(map(hash, keys)).values()) > _ALIKE:
        raise NotPlainError("keys that collide")
    return keys


def dumps(data: Any) -> bytes:
    """JSON as bytes; lone surrogates survive, since everything beyond ASCII is escaped."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode("ascii")


def loads_forged(text: bytes, deepest: int = _DEPTH) -> Any:
    """What dumps() should have written; whatever it is, reading it neither takes long nor ends this process.

    Nesting is read up to ``deepest``; where Python's own limit is lower, that holds.

    Raises:
        NotPlainError: It is no JSON, nested too deeply, or holds a number that dumps() would not write so.
    """
    # Python's own guards may be off in the caller: the limit of digits, and that of recursion, which runs in C here.
    if not 0 < sys.get_int_max_str_digits() <= _DIGITS and _LONG_NUMBER.search(text):
        raise NotPlainError("no JSON of plain data: a number of very many digits")
    opened = text.count(b"[") + text.count(b"{")  # almost always few, and quick to tell
    if opened > deepest and sys.getrecursionlimit() > deepest and _depth(text) > deepest:
        raise NotPlainError("no JSON of plain data: nested too deeply")
    return loads(text)


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for found in _BRACKET.finditer(text):
        if (mark := found.group()) in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def loads(text: bytes) -> Any:
    """What dumps() wrote."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotPlainError(f"no JSON: {error}") from None
