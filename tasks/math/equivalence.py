r"""Whether two answers are the same: by their text, as numbers, part by part, and by sympy only for what is left.

Lists, tuples, intervals, unions and matrices are compared part by part, so that sympy sees only single formulas.
Notation that MATH's questions ask for is kept apart: ``10`` is not ``10\%``, ``25_6`` not ``25_8``, ``(1,2)`` not
``[1,2]``, and words are equal only letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

from tasks.math.answers import LONGEST_ANSWER, NO_ANSWER
from tasks.math.normalisation import normalise_answer
from tasks.math.sympy_process import SympyProcess, shared_process

# Longest formula for sympy, in characters: its grammar's time grows faster than the text, and MATH's are below 150.
_LONGEST_FORMULA = 400
# Most parts of a list or matrix; unordered lists are matched pair by pair.
_MOST_PARTS = 60
# Deepest nesting of brackets: what is compared part by part is compared by recursion.
_DEEPEST = 40

_INTEGER = r"\d{1,60}"
_NUMBER = re.compile(r"(?P<whole>\d{0,60})(?:\.(?P<decimals>\d{0,60}))?(?:\\overline\{(?P<period>\d{1,20})\})?")
_RATIO = re.compile(rf"(?P<whole>{_INTEGER})?(?:\\frac\{{(?P<top>-?{_INTEGER})\}}\{{(?P<bottom>-?{_INTEGER})\}})")
_SLASH = re.compile(rf"(?P<top>{_INTEGER})/(?P<bottom>{_INTEGER})")
_WORD = re.compile(r"(?<![\\a-zA-Z])(?:[a-zA-Z]{4,}|[A-Z]{2,})")
_BASE = re.compile(r"\d_")
_MATRIX = re.compile(r"\\begin\{([pbvBV]?)matrix\}(.*)\\end\{\1matrix\}", re.DOTALL)
_OPERATION = re.compile(r"(?<=.)[-+*/^=!|]|[(|]|\\[a-zA-Z]")
_BRACKETS = {"(": ")", "[": "]", "\\{": "\\}", "\\langle": "\\rangle"}
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")
_SPELLINGS = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:leq|leqslant|le)(?![a-zA-Z])|\u2264"), r"\\le "),
    (re.compile(r"\\(?:geq|geqslant|ge)(?![a-zA-Z])|\u2265"), r"\\ge "),
    (re.compile(r"\\(?:lbrace)(?![a-zA-Z])"), r"\\{"),
    (re.compile(r"\\(?:rbrace)(?![a-zA-Z])"), r"\\}"),
    (re.compile(r"\\(?:neq|ne)(?![a-zA-Z])"), r"\\ne "),
    (re.compile(r"\\(?:begin|end)\{(?:small|array)\}(?:\{[^{}]*\})?"), ""),
    (re.compile(r"([_^])\{(\w)\}"), r"\1\2"),
    (re.compile(r"(?:^|(?<=[(\[,=+-]))\{(-?[\w.]+)\}(?![\w{])"), r"\1"),
    (re.compile(r"\u221e"), r"\\infty "),
    (re.compile(r"(?:\+\\infty)(?![a-zA-Z])"), r"\\infty "),
    (re.compile(r"\u222a"), r"\\cup "),
)

Formulas = Callable[[str, str], bool]


def equivalent(gold: str, candidate: str, process: SympyProcess | None = None) -> bool:
    """Whether a candidate answer is the gold answer; symmetric.

    Args:
        gold: The right answer, as the benchmark writes it.
        candidate: The answer to judge.
        process: Compares the formulas that text and arithmetic cannot; the one of this Python process if None. Its
            limit holds for all formulas of an answer together.

    Raises:
        ConfigurationError: The sympy worker cannot be started.
    """
    if max(len(gold), len(candidate)) > LONGEST_ANSWER or NO_ANSWER in (gold.strip(), candidate.strip()):
        return False
    first, second = normalise_answer(gold), normalise_answer(candidate)
    if not first or not second or NO_ANSWER in (first, second):
        return False
    if first == second:
        return True
    if max(_depth(first), _depth(second)) > _DEEPEST:
        return False
    return _same(spell(first), spell(second), _within_limit(process or shared_process()))


def repeats_question(question: str, gold: str, candidate: str) -> bool:
    r"""Whether a candidate only repeats a formula of the question.

    ``\sqrt{8}`` has the value that is wanted where it is to be simplified, and is no answer to that. A candidate that
    is the gold answer's own text is one, wherever else it stands.
    """
    first, second = (spell(normalise_answer(text)) for text in (gold, candidate))
    if first == second or len(candidate) > LONGEST_ANSWER or not _OPERATION.search(second):
        return False
    # Split at dollars, so that the question's words are no part of its formulas.
    formulas = (spell(normalise_answer(part)) for part in re.split(r"\$|\\[\[\]()]", question)[1::2])
    return any(second in formula for formula in formulas)


def _within_limit(process: SympyProcess) -> Formulas:
    left = process.seconds

    def same(first: str, second: str) -> bool:
        nonlocal left
        if left <= 0:
            return False
        result, seconds = process.same(first, second)
        left -= seconds
        return result

    return same


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in _OPEN) - (character in _CLOSE)
        deepest = max(deepest, depth)
    return deepest


@lru_cache(maxsize=65_536)
def spell(text: str) -> str:
    """A normalised answer in one spelling of fractions, comparisons, braces and blanks."""
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    text = re.sub(r"(\\[a-zA-Z]+)\s+(?![a-zA-Z])", r"\1", text).strip()
    return text[1:-1] if re.fullmatch(r"\([A-Z]\)", text) else text  # choice (A) is choice A


def number(text: str) -> Fraction | None:
    """The value of a whole or mixed number, a (repeating) decimal or a fraction; None if it is none of these."""
    sign = -1 if text.startswith("-") else 1
    text = text.removeprefix("-").removeprefix("+") if text[:2] not in ("-+", "+-", "--") else ""
    if ratio := _RATIO.fullmatch(text) or _SLASH.fullmatch(text):
        whole, top, bottom = ratio.groupdict().get("whole"), int(ratio["top"]), int(ratio["bottom"])
        if bottom == 0 or (whole and (top < 0 or bottom < 0)):
            return None
        return sign * (int(whole or 0) + Fraction(top, bottom))
    decimal = _NUMBER.fullmatch(text)
    if decimal is None or not (decimal["whole"] or decimal["decimals"] or decimal["period"]):
        return None
    decimals, period = decimal["decimals"] or "", decimal["period"]
    if period and decimal["decimals"] is None:
        return None  # a bar over whole digits repeats nothing
    value = Fraction(int((decimal["whole"] or "0") + decimals), 10 ** len(decimals))
    if period:
        value += Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(decimals))
    return sign * value


def _same(first: str, second: str, formulas: Formulas) -> bool:
    if first == second:
        return True
    if first.endswith("\\%") != second.endswith("\\%"):
        return False
    first, second = (side.removesuffix("\\%") for side in (first, second))
    left, right = number(first), number(second)
    if left is not None and right is not None:
        return left == right
    parts = _parts(first), _parts(second)
    if parts != (None, None):
        return _same_parts(*parts, formulas)
    return _same_formula(_inside(first), _inside(second), formulas)


def _same_formula(first: str, second: str, formulas: Formulas) -> bool:
    """Two single formulas: words and numbers to a base by their text, others by sympy."""
    if first == second:
        return True
    if any(_WORD.search(side) or _BASE.search(side) for side in (first, second)):
        return False
    left, right = number(first), number(second)
    if left is not None and right is not None:
        return left == right
    sides = [_equation(side) for side in (first, second)]
    if (sides[0] is None) != (sides[1] is None):
        # "2x = 6" for "6": the value is what the equation arrives at. Not for 0, where every equation arrives.
        first, second = (pair[1] if pair else side for side, pair in zip((first, second), sides, strict=True))
        return "0" not in (first, second) and _same(first, second, formulas)
    if not first or not second or max(len(first), len(second)) > _LONGEST_FORMULA:
        return False
    return formulas(*sorted((first, second)))


Parts = tuple[str, Sequence[str]]


def _parts(text: str) -> Parts | None:
    """What an answer is made of, as (kind, parts); None if it is one formula."""
    if matrix := _MATRIX.fullmatch(text):
        rows = [row.split("&") for row in re.split(r"\\\\", matrix[2].strip()) if row.strip()]
        shape = "x".join(str(len(row)) for row in rows)
        kind = "determinant" if matrix[1] in ("v", "V") else "matrix"
        return f"{kind} {shape}", [cell for row in rows for cell in row]
    if "\\pm" in text or "\\mp" in text:
        return _parts(_both_signs(text))
    if len(union := split_top(text, "\\cup")) > 1:
        return "union", union
    if len(items := split_top(text, ",")) > 1:
        return "list", items
    for opening in _BRACKETS:
        if text.startswith(opening) and (closing := _closing(text, len(opening))):
            items = split_top(text[len(opening) : len(text) - len(closing)], ",")
            if opening == "\\{":
                return "list", [item for item in items if item]
            if len(items) > 1:
                return f"{opening}{closing}", items
    return None


def _closing(text: str, start: int) -> str | None:
    """The bracket that closes the whole text, if the one that opens it is closed at its very end."""
    depth, place = 1, start
    while place < len(text):
        if text[place] in _OPEN:
            depth += 1
        elif text[place] in _CLOSE:
            depth -= 1
        elif text.startswith(("\\langle", "\\rangle"), place):
            depth += 1 if text[place + 1] == "l" else -1
        if depth == 0:
            rest = text[place:]
            if rest in (")", "]", "\\rangle"):
                return rest
            # The brace of \} comes after its backslash.
            return "\\}" if rest == "}" and text[place - 1] == "\\" else None
        place += 1
    return None


def _inside(text: str) -> str:
    """A formula without brackets around the whole of it."""
    while text.startswith("(") and text.endswith(")") and _closing(text, 1) == ")":
        text = text[1:-1]
    return text


def split_top(text: str, separator: str) -> list[str]:
    """The parts of a text between separators that stand outside all brackets."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        if text[place] in _OPEN:
            depth += 1
        elif text[place] in _CLOSE:
            depth = max(0, depth - 1)
        elif depth == 0 and text.startswith(separator, place):
            parts.append(text[start:place])
            place += len(separator)
            start = place
            continue
        place += 1
    return [part.strip() for part in (*parts, text[start:])]


def _both_signs(text: str) -> str:
    r"""A list with ``\pm`` written out: each part that has it once with plus and once with minus."""
    braced = text.startswith("\\{") and _closing(text, 2) == "\\}"
    written = []
    for part in split_top(text[2:-2] if braced else text, ","):
        if "\\pm" in part or "\\mp" in part:
            written.append(part.replace("\\pm", "+").replace("\\mp", "-").removeprefix("+"))
            written.append(part.replace("\\pm", "-").replace("\\mp", "+").removeprefix("+"))
        else:
            written.append(part)
    return ",".join(written)


def _same_parts(first: Parts | None, second: Parts | None, formulas: Formulas) -> bool:
    if first is None or second is None or first[0] != second[0] or len(first[1]) != len(second[1]):
        return False
    kind, lefts = first
    rights = list(second[1])
    if len(rights) > _MOST_PARTS:
        return False
    # "1, 2" and "2, 1" are one list of solutions; (1,2) is not (2,1).
    if kind not in ("list", "union"):
        return all(_same_part(left, right, formulas) for left, right in zip(lefts, rights, strict=True))
    for left in lefts:
        match = next((place for place, right in enumerate(rights) if _same_part(left, right, formulas)), None)
        if match is None:
            return False
        del rights[match]
    return True


def _same_part(left: str, right: str, formulas: Formulas) -> bool:
    left, right = (spell(normalise_answer(part)) for part in (left, right))
    return bool(left) and bool(right) and _same(left, right, formulas)


def _equation(text: str) -> tuple[str, str] | None:
    sides = re.split(r"(?<![<>!:\\])=", text)
    return (sides[0], sides[-1]) if len(sides) > 1 else None
