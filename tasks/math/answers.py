r"""The final answer of a reply: where it stands, and how it is written once units, spacing and shorthand are gone.

The last answer of a reply is its answer, whether it stands in a box (``\boxed{…}``, with or without dollars, nested
braces included) or after an answer sentence ("The final answer is …"). All of this is linear in the text's length.
"""

from __future__ import annotations

import re

# What some pipelines write for "no answer found"; it is never an answer, not even against itself.
NO_ANSWER = "[invalidanswer]"

# The longest text that can be an answer; MATH's own longest has about 150 characters.
LONGEST_ANSWER = 1_000

_MARKS = re.compile(r"\\(?:boxed|fbox)\s*(?P<open>\{)?|\\.|[{}]", re.DOTALL)
_UNBRACED = re.compile(r"-?[\w.,/]*\w")
# The distance to "is" is bounded: an unbounded one would make hostile text quadratic.
_SENTENCE = re.compile(r"\banswer\b[ \t]{0,3}\*{0,2}[ \t]{0,3}(?:is\b[ \t]{0,3}:?|:|=)\*{0,2}", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<!\\)[.!?;]?(?:\*\*)?\s*\n|(?<!\\)[.!?](?=\s|\*|$)|(?<!\\);")
_MATHEMATICS = re.compile(r"(?<!\\)\$\$?(.*?)(?<!\\)\$\$?", re.DOTALL)
_CONJUNCTION = re.compile(r"\s*(?:,|,?\s*\b(?:and|or)\b)\s*")
_FORMULA_START = re.compile(r"\s*(?:\*\*)?(?:\$|[-+(\[]*\d|[-+]?\\[a-zA-Z(\[])")
# Shorter runs of letters are products of variables.
_WORD = re.compile(r"(?<![\\a-zA-Z])(?:[a-zA-Z]{4,}|[A-Z][a-z]+)")
_NO_CONTENT = frozenset(("correct", "incorrect", "right", "wrong", "reasonable", "as follows", "below", "above"))


def extract_answer(text: str) -> str | None:
    """The last answer of a reply, as it is written there; None if it has none.

    A box counts before a sentence unless the sentence comes later and goes on with a formula or a number ("the
    answer is in inches" after a box is a remark). A reply that is nothing but one short formula is its own answer.
    """
    boxed = _last_boxed(text)
    sentence = _last_sentence(text, after=boxed[0] if boxed else None)
    if sentence is not None:
        return sentence
    return boxed[1] if boxed else _bare(text)


def last_boxed(text: str) -> str | None:
    r"""The content of the last non-empty ``\boxed{…}`` or ``\fbox{…}`` of a text; None if there is none."""
    boxed = _last_boxed(text)
    return boxed[1] if boxed else None


def _last_boxed(text: str) -> tuple[int, str] | None:
    """The last box, as (where it begins, content); of boxes in boxes the outermost."""
    found: tuple[int, str] | None = None
    # Where open braces' contents begin, and the box that each belongs to, if any: (start of the box, of the content).
    open_braces: list[tuple[int, int] | None] = []
    for mark in _MARKS.finditer(text):
        if mark["open"]:
            open_braces.append((mark.start(), mark.end()))
        elif mark[0] == "{":
            open_braces.append(None)
        elif mark[0] == "}":
            box = open_braces.pop() if open_braces else None
            if box is not None and not text[box[1] : mark.start()].isspace() and box[1] < mark.start():
                found = (box[0], text[box[1] : mark.start()].strip())
        elif mark[0].startswith(("\\boxed", "\\fbox")) and (token := _UNBRACED.match(text, mark.end())):
            found = (mark.start(), token[0])
    return found


def _last_sentence(text: str, after: int | None) -> str | None:
    """What follows the last answer sentence that says something; after a box, only "is" and a formula say something."""
    for match in reversed(list(_SENTENCE.finditer(text, 0 if after is None else after))):
        rest = text[match.end() : match.end() + LONGEST_ANSWER].lstrip(" \t\r\n")
        if after is not None and not ("is" in match[0].lower() and _FORMULA_START.match(rest)):
            continue
        content = _sentence_content(rest)
        if content and content.lower() not in _NO_CONTENT:
            return content
    return None


def _sentence_content(rest: str) -> str:
    """The answer at the beginning of what follows an answer sentence."""
    for opening, closing in ((r"\(", r"\)"), (r"\[", r"\]")):
        rest = rest.replace(opening, "$").replace(closing, "$")
    rest = rest.removeprefix("**").lstrip(" \t\r\n")
    formula = _MATHEMATICS.match(rest)
    if formula is None:
        end = _SENTENCE_END.search(rest)
        sentence = (rest[: end.start()] if end else rest).strip().strip("*").strip()
        inner = _MATHEMATICS.search(sentence)
        return inner[1].strip() if inner else sentence
    # "$3$ and $5$" are two answers, "$x = 3$, since $y = 2$" is one.
    parts = [formula[1]]
    while (gap := _CONJUNCTION.match(rest, formula.end())) and (following := _MATHEMATICS.match(rest, gap.end())):
        formula = following
        parts.append(formula[1])
    unit = re.match(r"\s*(?:\\?%|percent\b)", rest[formula.end() :])
    return ", ".join(part.strip() for part in parts) + ("\\%" if unit else "")


def _bare(text: str) -> str | None:
    """The whole reply, if it is nothing but one formula, a number with its unit, or a word or two; never prose."""
    text = text.strip()
    if not text or len(text) > LONGEST_ANSWER or "\\boxed" in text or text.endswith(("=", "?")):
        return None
    plain = re.sub(r"\\(?:begin|end)\s*\{[^{}]*\}|\\(?:text|mbox|mathrm)\s*\{[^{}]*\}", " ", text)
    words = len(_WORD.findall(plain))
    if ("\n" in plain and "\\begin" not in text) or words > 3:
        return None
    # "Evaluate $2^5$." has a word before its formula, as a question has; an answer has its unit after it.
    return text if words == 0 or text[0] in "-.0123456789" or not re.search(r"[\d\\$]", plain) else None
