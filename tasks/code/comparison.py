"""When an output is the expected one: the rules of LiveCodeBench's harness, with its holes closed.

Its functional rule lets a scalar pass for the first item of a list; here a scalar never equals a list.
"""

from __future__ import annotations

import re
from typing import Any

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")
_INTEGER = re.compile(r"[-+]?\d+")
# numpy.allclose's defaults, which the benchmark's harness uses.
_RELATIVE, _ABSOLUTE = 1e-5, 1e-8


def same_output(expected: str, output: str) -> bool:
    """Whether two texts have the same lines, up to space around them, blank lines and rounding of decimal numbers.

    Order and case matter. Numbers are compared by value if a line holds nothing else and not only whole numbers.
    """
    if expected.strip() == output.strip():
        return True
    wanted, found = _lines(expected), _lines(output)
    return len(wanted) == len(found) and all(map(_same_line, wanted, found))


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.strip().split("\n")) if line]


def _same_line(wanted: str, found: str) -> bool:
    if wanted == found:
        return True
    left, right = wanted.split(), found.split()
    if len(left) != len(right) or not all(map(_NUMBER.fullmatch, (*left, *right))):
        return False
    if all(map(_INTEGER.fullmatch, (*left, *right))):
        return False  # whole numbers are exact, and may be too large for a float
    return all(
        abs(float(a) - float(b)) <= _ABSOLUTE + _RELATIVE * abs(float(a)) for a, b in zip(left, right, strict=True)
    )


def same_value(expected: Any, value: Any) -> bool:
    """Whether two values are equal, a tuple being the list of its items at every depth."""
    if isinstance(expected, list | tuple):
        if not isinstance(value, list | tuple) or len(value) != len(expected):
            return False
        return all(map(same_value, expected, value))
    if isinstance(expected, dict) and isinstance(value, dict):
        return expected.keys() == value.keys() and all(same_value(expected[key], value[key]) for key in expected)
    return bool(expected == value)
