"""How filters read a text: as words, as tokens with their symbols, and as a template without its numbers."""

import re
from collections.abc import Sequence
from hashlib import blake2b

NUMBER = "#"

_WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_TEMPLATE_TOKEN = re.compile(r"\\?[^\W_]+|[^\w\s]|_")
_LONG_WORD = re.compile(r"[^\W\d_]{2,}")

_DIGITS = r"(?:\d+(?:(?:\{,\}|,)\d{3})*(?:\.\d+)?|\.\d+)"
# \frac{3}{4}, \dfrac34, 3/4: one number each, so that a whole number in its place gives the same template.
_FRACTION = re.compile(rf"\\[cdt]?frac\s*(?:\{{\s*-?{_DIGITS}\s*\}}|\d)\s*(?:\{{\s*-?{_DIGITS}\s*\}}|\d)")
_LITERAL = re.compile(rf"{_DIGITS}(?:\s*/\s*{_DIGITS})?")
_NUMBER_WORD = (
    "(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    "seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion)"
)
_SPELLED = re.compile(rf"\b{_NUMBER_WORD}(?:[\s-]+(?:and\s+)?{_NUMBER_WORD})*\b")
# Marks of typesetting that change no question: math shifts, thin spaces, the backslash of \% and \$.
_TYPESETTING = re.compile(r"\\[,!;:]|\\(?:left|right)(?![a-z])|\\(?=[%$])|\$")


def words(text: str) -> list[str]:
    """The lower-cased runs of letters and digits of a text."""
    return _WORD.findall(text.lower())


def tokens(text: str) -> list[str]:
    """Words and symbols, lower-cased: ``3 + 4`` and ``3 - 4`` differ here."""
    return _TOKEN.findall(text.lower())


def shingles(text: str, size: int) -> frozenset[tuple[str, ...]]:
    """All runs of ``size`` tokens; a shorter text is one run."""
    found = tokens(text)
    return frozenset(tuple(found[i : i + size]) for i in range(max(1, len(found) - size + 1)))


def word_runs(text: str, size: int, about: str = "") -> set[int]:
    """All runs of ``size`` words as 64-bit hashes, the same in every process; none of a shorter text.

    Runs of texts ``about`` different things, e.g. images, differ.
    """
    found = words(text)
    runs = (" ".join([about, *found[i : i + size]]).encode() for i in range(len(found) - size + 1))
    return {int.from_bytes(blake2b(run, digest_size=8).digest(), "big") for run in runs}


def template(text: str) -> tuple[str, ...]:
    """The tokens of a text with every number masked; one mask for a number however it is written, sign included."""
    masked = _TYPESETTING.sub("", text.lower())
    for pattern in (_FRACTION, _LITERAL, _SPELLED):
        masked = pattern.sub(f" {NUMBER} ", masked)
    found: list[str] = []
    for token in _TEMPLATE_TOKEN.findall(masked):
        if token == NUMBER:
            if _is_sign(found):
                found.pop()
            if found and found[-1] == NUMBER:  # a mixed number: 2 1/2
                continue
        found.append(token)
    return tuple(found)


def long_words(tokens_of_template: Sequence[str]) -> int:
    """How many words of a template are neither numbers, variables nor commands of typesetting."""
    return sum(1 for token in tokens_of_template if _LONG_WORD.fullmatch(token))


def _is_sign(found: Sequence[str]) -> bool:
    """Whether the last token is the sign of the number to come, and no operator between two terms."""
    if not found or found[-1] not in "+-":
        return False
    if len(found) == 1:
        return True
    before = found[-2]
    return before not in (NUMBER, ")", "]", "}") and (not before.isalnum() or len(before) > 1)
