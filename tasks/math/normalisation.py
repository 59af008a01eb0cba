r"""How an answer is written once units, spacing and LaTeX shorthand are gone: ``12 square inches`` becomes ``12``.

In the manner of the normalisation that the MATH benchmark is usually scored with (Lewkowycz et al., 2022, appendix D),
except where that takes different answers for the same: a list ``1,3`` is not ``13``, and the left side of an equation
stays.
"""

import re
import unicodedata
from functools import lru_cache

from tasks.math.answers import LONGEST_ANSWER
from tasks.math.units import split_unit

# Not after a backslash: two of them end a matrix's row.
_SPACING = re.compile(
    r"(?<!\\)\\(?:[!,;:> ]|quad\b|qquad\b|displaystyle\b|(?:left|right)(?![a-zA-Z])\.?|(?:[bB]igg?[lrm]?)(?![a-zA-Z])|"
    r"(?:limits|nolimits|hfill|thinspace|phantom\{[^{}]*\})(?![a-zA-Z]))|~"
)
# Every command that only sets type: what stands in it is read as the content of \text.
_TYPE = re.compile(
    r"\\(?:text(?:normal|bf|it|rm|sf|tt|sc|up|md)?|[mhf]box|math(?:rm|bf|it|sf|tt|normal|up)|operatorname\*?|emph|bold|"
    r"boldsymbol|bm|pmb|rm|bf|it|sf|tt)\s*(?=\{)"
)
_TYPE_SWITCH = re.compile(
    r"\{\s*\\(?:rm|bf|it|sf|tt|mathrm|mathbf)(?![a-zA-Z])\s*([^{}]*)\}|\\(?:rm|bf|it)(?![a-zA-Z])"
)
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_WHOLE_TEXT = re.compile(r"^\s*\\text\s*\{\s*(\\?\$?\d[^{}]*)\}\s*$")
_OVERLINE = re.compile(r"(?<![\d.])\\overline\s*\{([^{}]*)\}")
_WRAPPER = re.compile(r"\\(?:boxed|fbox|framebox|ensuremath)\s*\{(.*)\}|\*\*(.*)\*\*|`(.*)`", re.DOTALL)
# LaTeX's thousands separators, and the plain ones, which inside brackets separate coordinates.
_LATEX_THOUSANDS = re.compile(r"(?<=\d)\s*(?:\{\s*,\s*\}|,\s*\\!|\\[,!;])\s*(?=\d{3}(?!\d))")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d.,/^_])\d{1,3}(?: \d{3})+(?![\d /])")
_PER_CENT = re.compile(r"\\?%|\s*\\text\s*\{\s*(?:percent|per cent|\\?%)\s*\}|\s*\bper ?cent\b")
_SHORTHAND = re.compile(r"\\([dtc]?frac|[dt]?binom)\s*(?=[^\s{]|\{)")
_ROOT = re.compile(r"\\sqrt\s*(\d|[a-zA-Z]|\\[a-zA-Z]+)")
_CONJUNCTION = re.compile(r"\s*[,;]?\s*(?:\\text\s*\{\s*)?\b(?P<word>and|or)\b(?:\s*\})?\s*")
_COMPARISON = re.compile(r"[<>\u2264\u2265]|\\(?:le|ge|lt|gt|leq|geq|leqslant|geqslant)(?![a-zA-Z])")
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=[a-zA-Z]{2})", re.IGNORECASE)  # not the variable a
_MERIDIEM = re.compile(r"(?<=\d)\s*([ap])\.?\s?m\b\.?", re.IGNORECASE)
_CHARACTERS = {
    **dict.fromkeys("\u2212\u2013\u2014\u2010\u2011\ufe63\uff0d", "-"),
    **dict.fromkeys("\u00d7\u2a2f", r"\times "),
    **dict.fromkeys("\u00b7\u22c5\u2219", r"\cdot "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
    **dict.fromkeys("\u201c\u201d", '"'),
    "\u00f7": r"\div ",
    "\u00b1": r"\pm ",
    "\u2213": r"\mp ",
    "\u221e": r"\infty ",
    "\u2264": r"\le ",
    "\u2265": r"\ge ",
    "\u2260": r"\ne ",
    "\u222a": r"\cup ",
    "\u2229": r"\cap ",
    "\u2208": r"\in ",
    "\u2205": r"\emptyset ",
    "\u2220": r"\angle ",
    "\u25b3": r"\triangle ",
    "\u27e8": r"\langle ",
    "\u27e9": r"\rangle ",
    "\u211d": r"\mathbb{R}",
    "\u2026": r"\ldots ",
    "\u2248": r"\approx ",
    "\u2032": "'",
    "\u2019": "'",
    "\u2044": "/",
    "\u2236": ":",
    **{
        chr(code): rf"\{name} "
        for code, name in zip(
            range(0x3B1, 0x3CA),
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi o pi rho varsigma sigma tau "
            "upsilon phi chi psi omega".split(),
            strict=True,
        )
    },
}
_SUPERSCRIPTS = re.compile("[\u207a\u207b\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207f]+")
_SUBSCRIPTS = re.compile("[\u2080-\u2089]+")
_ROOT_SIGN = re.compile(r"\u221a\s*(?:\(([^()]*)\)|(\d+(?:\.\d+)?|[a-zA-Z]|\\[a-zA-Z]+))|\u221a(?=\s*\{)")


def normalise_answer(text: str) -> str:
    """An answer without what says nothing about its value; a text too long to be an answer comes back as it is."""
    return read_answer(text)[0]


@lru_cache(maxsize=65_536)
def read_answer(text: str) -> tuple[str, str]:
    """An answer without what says nothing about its value, and the unit of measurement that it names, if any."""
    if len(text) > LONGEST_ANSWER:
        return text, ""
    text = _unwrap(_LATEX_THOUSANDS.sub("", _plain_characters(text)))
    text = _THOUSANDS.sub(_without_separators, text)
    text = _TYPE_SWITCH.sub(lambda match: rf"\text{{{match[1]}}}" if match[1] else "", _TYPE.sub(r"\\text", text))
    text = _PER_CENT.sub(r"\\%", _WHOLE_TEXT.sub(r"\1", text))
    if _COMPARISON.search(text):  # "x < 1 or x > 3" and "x < 1 and x > 3" are different sets
        text = _CONJUNCTION.sub(lambda match: {"or": r"\lor ", "and": r"\land "}[match["word"]], text)
    text, unit = split_unit(_CONJUNCTION.sub(",", text))
    for _ in range(3):  # \text{ in } \text
        text = _TEXT.sub(r"\1", text)
    text = _MERIDIEM.sub(lambda match: match[1].lower() + "m", text)
    text = _ARTICLE.sub("", _OVERLINE.sub(r"\1", text).strip()).rstrip(" .,;:")
    text = _brace_arguments(_ROOT.sub(r"\\sqrt{\1}", text))
    # Without blanks, except those that keep two things apart, as in ``3 4`` and ``\\tan x``.
    return re.sub(r"(?<=\d)\s+(?=\d)|(?<=[a-zA-Z])\s+(?=[a-zA-Z])|\s+", _kept_blank, text), unit


def _plain_characters(text: str) -> str:
    """Mathematics in Unicode characters, and characters that only look different, as LaTeX."""
    if text.isascii():
        return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", " ", text)
    text = _SUPERSCRIPTS.sub(
        lambda run: "^{" + unicodedata.normalize("NFKC", run[0]).replace("\u2212", "-") + "}", text
    )
    text = _SUBSCRIPTS.sub(lambda run: "_{" + unicodedata.normalize("NFKC", run[0]) + "}", text)
    text = re.sub(
        "[\u00bc-\u00be\u2150-\u215e]",
        lambda one: r"\frac{{{}}}{{{}}}".format(*unicodedata.normalize("NFKC", one[0]).split("\u2044")),
        text,
    )
    text = "".join(_CHARACTERS.get(character, character) for character in text)
    text = _ROOT_SIGN.sub(lambda root: rf"\sqrt{{{root[1] or root[2]}}}" if root[1] or root[2] else r"\sqrt", text)
    return unicodedata.normalize("NFKC", re.sub(r"\s", " ", text))


def _without_separators(number: re.Match[str]) -> str:
    before = number.string[: number.start()]
    inside = sum(before.count(mark) for mark in ("(", "[", r"\{")) > sum(
        before.count(mark) for mark in (")", "]", r"\}")
    )
    return number[0] if inside else re.sub("[, ]", "", number[0])


def _kept_blank(blank: re.Match[str]) -> str:
    before, after = blank.string[: blank.start()], blank.string[blank.end() : blank.end() + 1]
    if before[-1:].isdigit() and after.isdigit():
        return " "
    return " " if after.isalpha() and re.search(r"\\[a-zA-Z]+$", before) else ""


def _unwrap(text: str) -> str:
    text = text.strip()
    for _ in range(5):
        before = text
        if wrapped := _WRAPPER.fullmatch(text):
            text = next(group for group in wrapped.groups() if group is not None).strip()
        for opening, closing in ((r"\(", r"\)"), (r"\[", r"\]")):
            text = text.replace(opening, "").replace(closing, "") if text.startswith(opening) else text
        if text.count("$") - text.count(r"\$") == 1:
            text = re.sub(r"^(-?)\s*\$(?=\s*[\d.])", r"\1\\$", text)  # a price: "$5"
        text = re.sub(r"(?<!\\)\$", " ", text).strip()
        text = text.rstrip(". ").strip() if not text.endswith((r"\.", "...")) else text
        if text == before:
            break
    text = text.replace("{,}", ",").replace("...", r"\ldots ").replace(r"\dots", r"\ldots")
    return re.sub(r"\s+", " ", _SPACING.sub(lambda match: "" if match[0] == r"\!" else " ", text)).strip()


def _brace_arguments(text: str) -> str:
    r"""Puts shorthand arguments in braces: ``\frac12``, ``\binom 52``, ``\frac{1}2``; others stay as they are."""
    made, place = [], 0
    for match in _SHORTHAND.finditer(text):
        if match.start() < place:
            continue
        first = _argument(text, match.end())
        second = _argument(text, first[1]) if first else None
        if first is None or second is None or (text[match.end()] == "{" and text[second[2]] == "{"):
            continue
        made.append(f"{text[place : match.start()]}\\{match[1]}{{{first[0]}}}{{{second[0]}}}")
        place = second[1]
    return "".join(made) + text[place:]


def _argument(text: str, start: int) -> tuple[str, int, int] | None:
    """An argument of a command: (its content, where it ends, where it begins); a brace group, command or character."""
    while start < len(text) and text[start] == " ":
        start += 1
    if start >= len(text) or text[start] == "}":
        return None
    if text[start] == "\\":
        command = re.compile(r"\\[a-zA-Z]+(?:\{[^{}]*\})?").match(text, start)
        return (command[0], command.end(), start) if command else None
    if text[start] != "{":
        return text[start], start + 1, start
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place], place + 1, start
    return None
