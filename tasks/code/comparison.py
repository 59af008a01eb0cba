"""When an output is the expected one, and how little of either is shown.

The rules are those of LiveCodeBench's harness (tasks/code/README.md says which version, and what differs). Each takes
time in proportion to the length of what it compares, whatever a program wrote.
"""

import hashlib
import math
import re
from decimal import Decimal, InvalidOperation
from itertools import repeat
from typing import Any

from tasks.code.confined.values import NotPlainError, encode

# numpy.allclose's defaults, which the benchmark's harness used in its first releases.
_RELATIVE, _ABSOLUTE = 1e-5, 1e-8
_LONGER = 1000  # characters by which a number may be longer than the one that is expected
_SHOWN = 80  # characters of a value in a message
_LINE = 300  # and of a message
_HEXADECIMAL = re.compile(r"-?0x[0-9a-f]+")


def same_output(expected: str, output: str, exact: bool = False) -> bool:
    """Whether two texts have the same lines, up to space around them; lines of numbers are compared number by number.

    Order and case matter. ``exact``, the benchmark's rule today, counts blank lines between others and compares decimal
    numbers by value; else blank lines do not matter, and a number that is not whole may be off by what rounding does.
    """
    wanted, found = (list(map(str.strip, text.strip().split("\n"))) for text in (expected, output))
    if not exact:
        wanted, found = ([line for line in lines if line] for lines in (wanted, found))
    if len(wanted) != len(found):
        return False
    for line, other in zip(wanted, found, strict=True):
        if line != other:
            left, right = line.split(), other.split()
            if len(left) != len(right) or not all(map(_same_number, left, right, repeat(exact))):
                return False
    return True


def _same_number(wanted: str, found: str, exact: bool) -> bool:
    if len(found) > len(wanted) + _LONGER:
        return False
    try:
        left, right = Decimal(wanted), Decimal(found)
        if left == right:
            return True
    except InvalidOperation:
        return False
    whole = wanted.lstrip("+-").isdigit() and found.lstrip("+-").isdigit()
    a, b = float(left), float(right)
    if exact or whole or not (math.isfinite(a) and math.isfinite(b)):
        return False
    return abs(a - b) <= _ABSOLUTE + _RELATIVE * abs(a)


def same_value(expected: Any, value: Any) -> bool:
    """Whether two plain values are equal, a tuple being the list of its items at every depth."""
    return same_data(encode(expected), encode(value))


def same_data(expected: Any, data: Any) -> bool:
    """same_value() of what encode() made of two values; the second may be forged and is never decoded.

    Building the value would be the program's to slow down: keys that collide, numbers of many digits. Equal values
    have equal digests instead, made from the inside out.

    Raises:
        NotPlainError: encode() did not make this data.
        RecursionError: It is nested too deeply.
    """
    return bool(expected == data) or _digest(expected) == _digest(data)


def _digest(data: Any) -> bytes:
    if data is None:
        return b"none"
    if isinstance(data, str):
        return _hash(b"text", data.encode("utf-8", "surrogatepass"))
    if isinstance(data, int | float):
        return _number(data)
    if isinstance(data, list):
        return _hash(b"list", *map(_digest, data))
    if not isinstance(data, dict) or len(data) != 1:
        raise NotPlainError("no plain data")
    ((tag, inner),) = data.items()
    if tag in ("i", "f", "b") and isinstance(inner, str):
        if tag == "i" and _HEXADECIMAL.fullmatch(inner):
            return _number(int(inner, 16))
        if tag == "f" and inner in ("nan", "inf", "-inf"):
            return inner.encode("ascii")
        if tag == "b":
            return _hash(b"bytes", bytes.fromhex(inner))
    elif tag == "c" and isinstance(inner, list) and len(inner) == 2:
        real, imaginary = map(_digest, inner)
        return real if imaginary == _number(0) else _hash(b"complex", real, imaginary)
    elif tag == "t" and isinstance(inner, list):
        return _digest(inner)
    elif tag in ("s", "z") and isinstance(inner, list):
        return _hash(b"set", *_distinct([_digest(item) for item in inner]))
    elif tag == "d" and isinstance(inner, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in inner):
        keys = [_digest(key) for key, _ in inner]
        items = dict(zip(keys, (_digest(item) for _, item in inner), strict=True))
        return _hash(b"dictionary", *(part for key in _distinct(keys) for part in (key, items[key])))
    raise NotPlainError(f"unknown data {tag!r:.20}")


def _distinct(digests: list[bytes]) -> list[bytes]:
    if len(set(digests)) != len(digests):
        raise NotPlainError("an item is there twice")
    return sorted(digests)


def _number(value: float) -> bytes:
    """Equal numbers give equal bytes, be they whole, decimal or truth values."""
    if isinstance(value, float) and not math.isfinite(value):
        raise NotPlainError("a number that JSON has not")
    return _hash(b"number", (hex(int(value)) if value == int(value) else float(value).hex()).encode("ascii"))


def _hash(kind: bytes, *parts: bytes) -> bytes:
    made = hashlib.blake2b(kind, digest_size=16)
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


def excerpt(data: Any) -> str:
    """The beginning of a value, from what encode() made of it or from what claims to be that."""
    text = _begin(data, _SHOWN)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _begin(data: Any, room: int) -> str:
    """Not many more than ``room`` characters of a value, or all that it has."""
    if room <= 0:
        return "..."
    if isinstance(data, str):
        return repr(data[:room])
    if isinstance(data, list):
        return f"[{_items(data, room - 2)}]"
    if not isinstance(data, dict):
        return repr(data)[:room]
    ((tag, inner),) = data.items()
    if tag == "i":
        return str(int(inner, 16)) if len(inner) < room else f"{inner[:room]}..."
    if tag == "d":
        return f"{{{_items(inner, room - 2)}}}"
    if not isinstance(inner, list):
        return repr(bytes.fromhex(inner[: 2 * room])) if tag == "b" else inner[:room]
    left, right = "()" if tag in "tc" else "{}"
    return f"{left}{_items(inner, room - 2)}{',' if tag == 't' and len(inner) == 1 else ''}{right}"


def _items(items: list[Any], room: int) -> str:
    parts: list[str] = []
    for item in items:
        parts.append(_begin(item, room))
        room -= len(parts[-1]) + 2
        if room <= 0:
            break
    return ", ".join(parts)


def one_line(text: Any) -> str:
    """A message as one short line in which nothing moves a cursor or changes how a terminal shows it."""
    words = text[: 4 * _LINE].split() if isinstance(text, str) else ["?"]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in " ".join(words))
    return shown if len(shown) <= _LINE else shown[: _LINE - 3] + "..."
