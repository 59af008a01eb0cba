r"""What an answer says: a number, words, a formula, a relation with its sides, or something made of parts.

``read_structure`` sees only brackets, commas, ``=`` and similar marks; it never decides what a formula is worth.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

_INTEGER = r"[0-9]{1,60}"
_DECIMAL = (
    r"(?P<whole>[0-9]{0,60})(?:\.(?P<decimals>[0-9]{0,60}))?(?:\\(?:overline|bar|dot)\{(?P<period>[0-9]{1,20})\})?"
)
_POWER_OF_TEN = r"(?:(?:\\times|\\cdot)10\^\{?(?P<power>[-+]?[0-9]{1,3})\}?|[eE](?P<e>[-+]?[0-9]{1,3}))?"
_NUMBER = re.compile(_DECIMAL + _POWER_OF_TEN + r"(?P<times>hundred|thousand|million|billion|trillion|dozen)?")
_TIMES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_RATIO = re.compile(rf"(?P<whole>{_INTEGER})?(?:\\frac\{{(?P<top>-?{_INTEGER})\}}\{{(?P<bottom>-?{_INTEGER})\}})")
_SLASH = re.compile(rf"(?:(?P<whole>{_INTEGER}) )?(?P<top>{_INTEGER})/(?P<bottom>{_INTEGER})")

_MATRIX = re.compile(r"\\begin\{([pbvBV]?)(?:small)?matrix\}(.*)\\end\{\1(?:small)?matrix\}", re.DOTALL)
_LINES = re.compile(r"\\begin\{(cases|aligned|align\*?|gathered)\}(.*)\\end\{\1\}", re.DOTALL)
_BRACKETS = {"(": ")", "[": "]", "\\{": "\\}", "\\langle": "\\rangle"}
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")
_MIRRORED = {">": "<", "\\ge": "\\le", "<": ">", "\\le": "\\ge"}
_RELATION = re.compile(r"(\\le(?![a-zA-Z])|\\ge(?![a-zA-Z])|\\ne(?![a-zA-Z])|[<>]|(?<![:!])=)")

_GREEK = (
    r"\\(?:alpha|beta|gamma|delta|(?:var)?epsilon|zeta|eta|(?:var)?theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|"
    r"(?:var)?phi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Sigma|Phi|Psi|Omega|ell)(?![a-zA-Z])"
)
_VARIABLE = rf"(?:[a-zA-Z]|{_GREEK})'*(?:_(?:\w|\{{\w{{1,6}}\}}))?"
_SEGMENT = r"(?:\|?(?:\\(?:overline|overrightarrow|vec|widehat)\{)?[A-Z](?:[A-Z]'?){1,5}\}?\|?|\[[A-Z]{3,6}\])"
# What may stand before "=" as the name of the answer: a variable, a function's value, a length, an angle, words.
_NAME = re.compile(
    rf"{_VARIABLE}|(?:\\(?:vec|hat|bar|overline|mathbf)\{{?\s*{_VARIABLE}\}}?)|"
    rf"(?:{_VARIABLE}|\\Pr)(?:\^\{{?-1\}}?)?\((?:[^()=]|\([^()]*\)|(?<=[A-Z])=){{1,30}}\)|"
    rf"\|[A-Z]\||{_SEGMENT}|\\frac\{{{_SEGMENT}\}}\{{{_SEGMENT}\}}|{_SEGMENT}[/:]{_SEGMENT}|"
    r"(?:[a-zA-Z]:)+[a-zA-Z]|(?:m\s*)?\\(?:angle|measuredangle|triangle)\s*[A-Z]{1,4}(?:_\w)?|"
    r"\\(?:det|dim|deg)\(?[A-Z]\)?|\\triangle"
)
_LABEL = re.compile(r"(?!.*(?:sin|cos|tan|log|sqrt)|ln|exp)[a-zA-Z]{4,60}(?:\([A-Za-z]+\))?|Ans")
_ANSWER = re.compile(r"(?:the|my|final|correct)*ans(?:wer)?", re.IGNORECASE)
_NAMES = re.compile(rf"\(({_VARIABLE}(?:,{_VARIABLE})+)\)")
_MEMBER = re.compile(r"\\in(?![a-zA-Z])")


@dataclass(frozen=True, slots=True)
class Structure:
    """An answer that is more than one formula.

    Args:
        kind: ``list`` (in no order), ``ordered``, ``union``, ``relation``, ``named`` or ``assignment``.
        parts: The texts of its parts; for ``named`` the value, for a relation its sides.
        marks: What must agree besides: brackets, the shape of a matrix, a relation's signs, the names.
    """

    kind: Literal["list", "ordered", "union", "relation", "named", "assignment"]
    parts: tuple[str, ...]
    marks: tuple[str, ...] = ()


def number(text: str) -> Fraction | None:
    """The value of a whole or mixed number, a (repeating) decimal, a power of ten or a fraction; None if it is none."""
    sign = -1 if text.startswith("-") else 1
    text = text.removeprefix("-").removeprefix("+") if text[:2] not in ("-+", "+-", "--") else ""
    if ratio := _RATIO.fullmatch(text) or _SLASH.fullmatch(text):
        whole, top, bottom = ratio["whole"], int(ratio["top"]), int(ratio["bottom"])
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
    power = int(decimal["power"] or decimal["e"] or 0)
    return sign * value * Fraction(10) ** power * _TIMES.get(decimal["times"] or "", 1)


@lru_cache(maxsize=65_536)
def read_structure(text: str, asked: frozenset[str] = frozenset()) -> Structure | None:
    """What a normalised and spelled answer is made of; None if it is a single number, word or formula.

    A formula in ``asked`` (those that the question asks the value of) is a name, too, before ``=``.
    """
    if matrix := _MATRIX.fullmatch(text):
        rows = [row.split("&") for row in re.split(r"\\\\", matrix[2].strip()) if row.strip()]
        shape = "x".join(str(len(row)) for row in rows)
        kind = "determinant" if matrix[1] in ("v", "V") else "matrix"
        return Structure("ordered", tuple(cell for row in rows for cell in row), (kind, shape))
    if lines := _LINES.fullmatch(text):
        text = ",".join(line for line in re.split(r"\\\\", lines[2].replace("&", "")) if line)
    if signs := _both_signs(text):
        return read_structure(signs, asked) if signs != text else None
    for word, separator in (("or", r"\lor"), ("and", r"\land")):
        if len(items := split_top(text, separator)) > 1:
            return Structure("list", tuple(items), (word,))
    for separator in (",", ";"):
        if len(items := split_top(text, separator)) > 1:
            return _list(items, asked)
    relation = _relation(text, asked)
    if relation is not None:
        return relation
    if len(union := split_top(text, "\\cup")) > 1:
        return Structure("union", tuple(union))
    if len(ratio := split_top(text, ":")) > 1:
        return Structure("ordered", tuple(ratio), ("ratio",))
    for opening in _BRACKETS:
        if text.startswith(opening) and (closing := closing_bracket(text, len(opening))):
            items = split_top(text[len(opening) : len(text) - len(closing)], ",")
            if opening == "\\{":
                return Structure("list", tuple(item for item in items if item))
            if len(items) > 1:
                return Structure("ordered", tuple(items), (f"{opening}{closing}",))
    return None


def _relation(text: str, asked: frozenset[str]) -> Structure | None:
    """An equation, inequality or membership; with a name on its left side, the name and its value."""
    if len(member := _MEMBER.split(text)) == 2 and (_NAME.fullmatch(member[0]) or _NAMES.fullmatch(member[0])):
        return Structure("named", (member[1],), (plain_name(member[0]),))
    sides, signs = _split_relation(text)
    if not signs or not all(sides):
        return None
    if set(signs) == {"="}:
        names = [_NAME.fullmatch(side) or _LABEL.fullmatch(side) or side in asked for side in sides]
        if len(sides) == 2 and names[1] and not names[0] and re.search(r"[0-9]", sides[0]):
            sides, names = sides[::-1], names[::-1]  # 5=x
        if names[0]:
            name = "" if _ANSWER.fullmatch(sides[0]) else plain_name(sides[0])
            value = sides[-1]
            if len(name) == 1 and re.search(rf"(?<![\\a-zA-Z]){name}(?![a-zA-Z])", value):
                return Structure("relation", tuple(sides), tuple(signs))
            return Structure("named", (value, *sides[1:-1]), (name,))
        values = _NAMES.fullmatch(sides[0])
        if values and len(sides) == 2:
            of, value = values[1].split(","), sides[1]
            closing = closing_bracket(value, 1) if value.startswith("(") else None
            items = split_top(value[1:-1], ",") if closing == ")" else []
            if len(items) != len(of) or len(set(of)) != len(of):
                return Structure("named", (value,), (values[1],))
            return Structure("assignment", tuple(items), tuple(of))
        if sides[0] in ("", "\\pm"):
            return None
        if not any(map(has_unknown, sides)):
            return Structure("named", (sides[-1], *sides[:-1]), ("",))  # 1+1=2
    elif all(sign in (">", "\\ge") for sign in signs):
        sides, signs = sides[::-1], [_MIRRORED[sign] for sign in reversed(signs)]
    return Structure("relation", tuple(sides), tuple(signs))


def _list(items: Sequence[str], asked: frozenset[str]) -> Structure:
    """A list; of equations such as ``x=1,y=2`` the values by name, of ``x=1,x=2`` and ``x=1,2`` the values alone."""
    read = [_relation(item, asked) for item in items]
    named = [one for one in read if one is not None and one.kind == "named" and one.marks[0] and len(one.parts) == 1]
    names = [one.marks[0] for one in named]
    values = [one.parts[0] for one in named]
    if len(named) == len(items) and len(set(names)) == len(items):
        if all(len(name) == 1 for name in names):
            names, values = map(list, zip(*sorted(zip(names, values, strict=True)), strict=True))
        return Structure("assignment", tuple(values), tuple(names))
    if len(named) == len(items) and len(set(names)) == 1:
        return Structure("named", (",".join(values),), (names[0],))
    tuples = [one for one in read if one is not None and one.kind == "assignment"]
    if tuples and read[0] is tuples[0] and len({one.marks for one in tuples}) == 1:
        rest = [one.parts if one in tuples else None for one in read if one is not None]
        if len(tuples) == len(items) or len(rest) == 1:
            first = f"({','.join(tuples[0].parts)})"
            others = [f"({','.join(one.parts)})" for one in tuples[1:]] or list(items[1:])
            return Structure("named", (",".join((first, *others)),), (",".join(tuples[0].marks),))
    if len(named) == 1 and read[0] is named[0] and all(one is None for one in read[1:]):
        return Structure("named", (",".join((values[0], *items[1:])),), (names[0],))
    return Structure("list", tuple(items))


def _split_relation(text: str) -> tuple[list[str], list[str]]:
    sides, signs, depth, start = [], [], 0, 0
    for mark in re.finditer(rf"\\[{{}}]|[(\[{{)\]}}]|{_RELATION.pattern}", text):
        token = mark[0][-1]
        if mark[1] is None:
            depth += (token in _OPEN) - (token in _CLOSE)
        elif depth <= 0:
            sides.append(text[start : mark.start()].strip())
            signs.append(mark[0])
            start = mark.end()
    return [*sides, text[start:].strip()], signs


def has_unknown(text: str) -> bool:
    """Whether a formula has a letter that may be a variable, as e and i are not."""
    letters = re.findall(r"[a-zA-Z]+", re.sub(r"\\[a-zA-Z]+", " ", text))
    return bool(re.search(_GREEK, text)) or any(run not in ("e", "i") for run in letters)


def plain_name(name: str) -> str:
    r"""A name in one spelling: ``|AB|`` and ``\overline{AB}`` are ``AB``, ``m\angle A`` is ``\angle A``."""
    name = re.sub(
        r"\\(?:overline|overrightarrow|bar|vec|widehat|hat|mathbf)\{?([A-Za-z]+)\}?", r"\1", name.replace("|", "")
    )
    return re.sub(r"^m(?=\\)|[{}\s]", "", name)


def closing_bracket(text: str, start: int) -> str | None:
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


def _both_signs(text: str) -> str | None:
    r"""A list with ``\pm`` written out: each part that has it once with plus and once with minus.

    The text itself where a part has it twice, which may mean two values or four; None where there is none.
    """
    if "\\pm" not in text and "\\mp" not in text:
        return None
    braced = text.startswith("\\{") and closing_bracket(text, 2) == "\\}"
    written = []
    for part in split_top(text[2:-2] if braced else text, ","):
        if part.count("\\pm") > 1:
            return text
        if "\\pm" in part or "\\mp" in part:
            for plus, minus in (("+", "-"), ("-", "+")):
                one = part.replace("\\pm", plus).replace("\\mp", minus)
                written.append(re.sub(r"(?:^|(?<=[=(\[,{]))\+", "", one))
        else:
            written.append(part)
    return ",".join(written)
