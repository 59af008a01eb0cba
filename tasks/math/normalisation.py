r"""How an answer is written once units, spacing and LaTeX shorthand are gone: ``12 square inches`` becomes ``12``.

In the manner of the normalisation that the MATH benchmark is usually scored with (Lewkowycz et al., 2022, appendix D),
except where that takes different answers for the same: a list ``1,3`` is not ``13``, and an equation whose right side
is 0 is not ``0``.
"""

from __future__ import annotations

import re
from functools import lru_cache

from tasks.math.answers import LONGEST_ANSWER

# Not after a backslash: two of them end a matrix's row.
_SPACING = re.compile(
    r"(?<!\\)\\(?:[!,;:> ]|quad\b|qquad\b|displaystyle\b|(?:left|right)(?![a-zA-Z])\.?|[bB]igg?[lr]?(?![a-zA-Z]))|~"
)
_TEXT = re.compile(
    r"\\(?:text|mbox|mathrm|textbf|textit|textrm|textsf|mathbf|mathit|operatorname|rm|bf)\s*\{([^{}]*)\}"
)
_OVERLINE = re.compile(r"(?<![\d.])\\overline\s*\{([^{}]*)\}")
_WRAPPER = re.compile(r"\\(?:boxed|fbox)\s*\{(.*)\}", re.DOTALL)
_DOLLARS = re.compile(r"\$\$?(.*?)\$", re.DOTALL)
# LaTeX's thousands separators, and the plain ones, which inside brackets separate coordinates.
_LATEX_THOUSANDS = re.compile(r"(?<=\d)\s*(?:\{\s*,\s*\}|,\s*\\!)\s*(?=\d{3}(?!\d))")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d ])")
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ\b)|\\degree\b|\u00b0")
_PER_CENT = re.compile(r"\\?%|\s*\bpercent\b")
_TRIGONOMETRY = re.compile(r"\\?(?:sin|cos|tan|cot|sec|csc)\b")
_FRACTION = re.compile(r"\\([dtc]?)frac\s*(?=[^\s{]|\{)")
_ROOT = re.compile(r"\\sqrt\s*(\d|[a-zA-Z])")
_CONJUNCTION = re.compile(r"\s*,?\s*(?:\\text\s*\{\s*)?\b(?:and|or)\b(?:\s*\})?\s*")
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=[a-zA-Z]{2})", re.IGNORECASE)  # not the variable a

# A unit is words after a number. These are no units: they change what the number means.
_NO_UNITS = (
    r"(?!(?:am|pm|a\.m|p\.m|hundred|thousand|million|billion|trillion|dozen|factorial|base|to|in|out|of|plus|minus|"
    r"times|and|or)\b)"
)
_UNIT_WORDS = rf"{_NO_UNITS}[a-zA-Z]+(?:[\s/.-]+[a-zA-Z]+)*\.?\s*"
_POWER = r"(?:\s*\^\s*(?:\d|\{\s*\d\s*\}))?"
_UNIT_TEXT = re.compile(
    rf"(?<=[\d)}}a-zA-Z!])\s*\\(?:text|mbox|mathrm|textrm|textbf|rm)\s*\{{\s*{_UNIT_WORDS}{_POWER}\s*\}}{_POWER}"
)
_SHORT_UNITS = "cm|mm|km|ft|in|mi|yd|kg|gm|lb|lbs|oz|hr|hrs|min|sec|mph|deg|sq|cu"
_UNIT_PLAIN = re.compile(
    rf"(?<=[\d)}}])\s*(?:\s{_NO_UNITS}(?:(?:{_SHORT_UNITS})\b|[a-zA-Z]{{4,}}|(?:meg|day|way|mil)s?\b)\.?)+{_POWER}\s*$"
)
# What may stand before "=" as the name of the answer: a variable, a function's value, an angle, words.
_NAME = re.compile(
    r"(?:\\?(?:angle|triangle|overline|vec|hat)\s*)?(?:\{?[a-zA-Z]{1,3}'?\}?|\\[a-z]+|\\text\{[^{}]*\}|[a-zA-Z ]{4,40})"
    r"(?:_\{?\w{1,3}\}?)?(?:\([-\w,. ]{1,20}\))?"
)
_MEMBERSHIP = re.compile(r"^\(?[a-zA-Z](?:,[a-zA-Z])*\)?\s*\\in(?![a-zA-Z])\s*")


@lru_cache(maxsize=65_536)
def normalise_answer(text: str) -> str:
    """An answer without what says nothing about its value; a text too long to be an answer comes back as it is."""
    if len(text) > LONGEST_ANSWER:
        return text
    text = _THOUSANDS.sub(_without_separators, _unwrap(_LATEX_THOUSANDS.sub("", text)))
    text = drop_units(_CONJUNCTION.sub(",", text))
    text = _OVERLINE.sub(r"\1", _TEXT.sub(r"\1", text))
    text = _ARTICLE.sub("", text.strip()).rstrip(" .,;:")
    text = _expand_fractions(_ROOT.sub(r"\\sqrt{\1}", text))
    return drop_name(_squeeze(text))


def _without_separators(number: re.Match[str]) -> str:
    before = number.string[: number.start()]
    inside = sum(before.count(mark) for mark in ("(", "[", r"\{")) > sum(
        before.count(mark) for mark in (")", "]", r"\}")
    )
    return number[0] if inside else re.sub("[, ]", "", number[0])


def _squeeze(text: str) -> str:
    r"""The text without blanks, except those that keep two things apart, as in ``3 4`` and ``\tan x``."""
    return re.sub(r"(?<=\d)\s+(?=\d)|(?<=[a-zA-Z])\s+(?=[a-zA-Z])|\s+", _kept_blank, text)


def _kept_blank(blank: re.Match[str]) -> str:
    before, after = blank.string[: blank.start()], blank.string[blank.end() : blank.end() + 1]
    if before[-1:].isdigit() and after.isdigit():
        return " "
    return " " if after.isalpha() and re.search(r"\\[a-zA-Z]+$", before) else ""


def drop_name(text: str) -> str:
    r"""The value of ``x = 5``, ``f(2) = 5``, ``1 + 1 = 2`` or ``x \in [0, 1)``; other equations stay whole."""
    text = _MEMBERSHIP.sub("", text)
    first, *others = re.split(r"(?<![<>!:\\])=", text)
    if not others:
        return text
    letters = re.search(r"(?<![\\a-zA-Z])[a-zA-Z]", first)
    if not others[-1] or (letters and not _NAME.fullmatch(first)):
        return text
    if "," in others[0] and len(others) > 1:
        return text  # x=1,y=2
    return others[-1]


def drop_units(text: str) -> str:
    """A number without the words after it, its degree sign and its currency; ``5 million`` and ``5 pm`` stay."""
    text = _PER_CENT.sub(r"\\%", text)
    if not _TRIGONOMETRY.search(text):  # the sine of 30 degrees is not that of 30
        text = _DEGREES.sub("", text)
    text = _UNIT_TEXT.sub("", text)
    shorter = _UNIT_PLAIN.sub("", text)
    # "degrees Fahrenheit" after a formula in dollars, say, may leave nothing of value: then the words are the answer.
    return shorter if shorter.strip() else text


def _unwrap(text: str) -> str:
    """The answer out of its boxes, dollars and final full stop, without LaTeX spacing."""
    text = text.strip()
    for _ in range(5):
        before = text
        if wrapped := _WRAPPER.fullmatch(text):
            text = wrapped[1].strip()
        text = text.replace(r"\$", "")
        if inner := _DOLLARS.search(text):
            text = inner[1].strip()
        text = text.rstrip(". ").strip() if not text.endswith(r"\.") else text
        if text == before:
            break
    text = text.replace("$", "").replace("\u2212", "-").replace("\u00d7", r"\times").replace("\u03c0", r"\pi ")
    text = text.replace("{,}", ",").replace(r"\ldots", "").replace(r"\dots", "")
    return re.sub(r"\s+", " ", _SPACING.sub(lambda match: "" if match[0] == r"\!" else " ", text)).strip()


def _expand_fractions(text: str) -> str:
    r"""Puts shorthand arguments in braces: ``\frac12``, ``\frac 1{2}``, ``\frac{1}2``; others stay as they are."""
    made, place = [], 0
    for match in _FRACTION.finditer(text):
        if match.start() < place:
            continue
        first = _argument(text, match.end())
        second = _argument(text, first[1]) if first else None
        if first is None or second is None or (text[match.end()] == "{" and text[second[2]] == "{"):
            continue
        made.append(f"{text[place : match.start()]}\\{match[1]}frac{{{first[0]}}}{{{second[0]}}}")
        place = second[1]
    return "".join(made) + text[place:]


def _argument(text: str, start: int) -> tuple[str, int, int] | None:
    """An argument of a command: (its content, where it ends, where it begins); a brace group, command or character."""
    while start < len(text) and text[start] == " ":
        start += 1
    if start >= len(text) or text[start] == "}":
        return None
    if text[start] == "\\":
        command = re.compile(r"\\[a-zA-Z]+").match(text, start)
        return (command[0], command.end(), start) if command else None
    if text[start] != "{":
        return text[start], start + 1, start
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place], place + 1, start
    return None
