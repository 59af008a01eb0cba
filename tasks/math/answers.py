r"""The final answer of a reply: where it stands, and how it is written once units, spacing and shorthand are gone.

The last answer of a reply is its answer, whether it stands in a box (``\boxed{…}``, with or without dollars, nested
braces included) or after an answer sentence ("The final answer is …"). All of this is linear in the text's length.
"""

import re

# What some pipelines write for "no answer found"; it is never an answer, not even against itself.
NO_ANSWER = "[invalidanswer]"

# The longest text that can be an answer; MATH's own longest has about 150 characters.
LONGEST_ANSWER = 1_000

# Sentences that are looked at, from the last one; a reply has a few.
_MOST_SENTENCES = 50

_MARKS = re.compile(
    r"(?P<box>\\(?:boxed|fbox|framebox)|(?<![\\a-zA-Z])boxed(?=\s*\{))\s*(?P<open>\{)?|\\.|[{}]", re.DOTALL
)
_UNBRACED = re.compile(r"-?[\w.,/]*\w")
_BETWEEN_BOXES = re.compile(
    r"[\s$]*(?:,|;|[,;]?[\s$]*(?:\\text\s*\{\s*)?\b(?:and|or)\b\s*\}?)[\s$]*(?:[a-zA-Z]\s*=[\s$]*)?"
)
# The distance to "is" is bounded: an unbounded one would make hostile text quadratic.
_SENTENCE = re.compile(
    r"(?P<final>\bfinal[ \t]+)?\b(?:answers?|ans)\b[ \t]{0,3}[*_]{0,3}"
    r"(?P<about>,?[ \t][^\n.:=$]{1,60}?)??[ \t]{0,3}(?:\b(?P<verb>is|are)\b[ \t]{0,3}:?|:|=)[*_]{0,3}"
    r"|(?P<heading>^[ \t]{0,8}(?:#{1,6}[ \t]*|\*\*|__)(?:final[ \t]+)?answer[*_: \t]*\n|^\#{4}(?=[ \t])|<answer>)",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(r"(?<!\\)[.!?;]?(?:\*\*)?\s*\n|(?<!\\)[.!?](?=\s|\*|$)|(?<!\\);")
_MATHEMATICS = re.compile(r"(?<!\\)\$\$?(.*?)(?<!\\)\$\$?", re.DOTALL)
_CONJUNCTION = re.compile(r"\s*(?:,|,?\s*\b(?:and|or)\b)\s*")
_FORMULA_START = re.compile(r"\s*(?:\*\*)?(?:\$|[-+(\[]*\d|[-+]?\\[a-zA-Z(\[])")
# What may stand between "the answer is" and the answer, and what ends the answer where it is no formula in dollars.
_LEAD = re.compile(
    r"(?:(?:the|an?)\s+(?:number|value|integer|fraction|point|interval|set|(?:ordered\s+)?(?:pair|triple))\s+(?=[$\d(\\-])|"
    r"(?:therefore|thus|then|hence|simply|just|exactly|clearly|indeed|either|both|equal\s+to|given\s+by|found\s+to\s+be|"
    r"(?:answer\s+)?(?:choice|option))\b,?)\s*",
    re.IGNORECASE,
)
_COPULA = re.compile(r"\b(?:is|are|equals)\b:?")
_REMARK = re.compile(
    r"(?<![\s,(])[\s,(]*\b(?:since|because|as|when|where|so|which|for|in\s+total|in\s+all|altogether|is|are)\b.*"
)
_TAG = re.compile(r"</?(?:b|i|u|em|strong|p|br|div|span|answer)\s*/?>")
_HEDGE = re.compile(r"\b(?:not|no|never|cannot|between|than|least|most|n't|neither)\b")
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
    r"""The content of the last non-empty ``\boxed{…}`` or ``\fbox{…}`` of a text; None if there is none.

    Boxes with nothing but a comma, "and" or "or" between them are one list of answers.
    """
    boxed = _last_boxed(text)
    return boxed[1] if boxed else None


def _last_boxed(text: str) -> tuple[int, str] | None:
    """The last box, or list of boxes, as (where it begins, content); of boxes in boxes the outermost."""
    boxes: list[tuple[int, int, str]] = []  # (start, end, content)
    # Where open braces' contents begin, and the box that each belongs to, if any: (start of the box, of the content).
    open_braces: list[tuple[int, int] | None] = []
    for mark in _MARKS.finditer(text):
        if mark["open"]:
            open_braces.append((mark.start(), mark.end()))
        elif mark[0] == "{":
            open_braces.append(None)
        elif mark[0] == "}":
            box = open_braces.pop() if open_braces else None
            if box is not None and (content := text[box[1] : mark.start()].strip()):
                while boxes and boxes[-1][0] > box[0]:
                    boxes.pop()
                boxes.append((box[0], mark.end(), content))
        elif mark["box"] and (token := _UNBRACED.match(text, mark.end())):
            boxes.append((mark.start(), token.end(), token[0]))
    if not boxes:
        return None
    first = len(boxes) - 1
    while first and boxes[first][0] - boxes[first - 1][1] < 40:
        if not _BETWEEN_BOXES.fullmatch(text, boxes[first - 1][1], boxes[first][0]):
            break
        first -= 1
    return boxes[-1][0], ", ".join(dict.fromkeys(content for _, _, content in boxes[first:]))


def _last_sentence(text: str, after: int | None) -> str | None:
    """What follows the last answer sentence that says something; after a box, only "is" and a formula say something."""
    for match in list(_SENTENCE.finditer(text, 0 if after is None else after))[: -_MOST_SENTENCES - 1 : -1]:
        rest = text[match.end() : match.end() + LONGEST_ANSWER].lstrip(" \t\r\n")
        if after is not None:
            remark = match["about"] or not (match["verb"] or match["final"] or match["heading"])
            if remark or not _FORMULA_START.match(rest):
                continue
        content = _sentence_content(rest)
        if content and content.lower() not in _NO_CONTENT:
            return content
    return None


def _sentence_content(rest: str) -> str:
    for opening, closing in ((r"\(", r"\)"), (r"\[", r"\]")):
        rest = rest.replace(opening, "$").replace(closing, "$")
    rest = _TAG.sub(" ", rest)
    for _ in range(5):
        rest = rest.lstrip(" \t\r\n*_`:")
        if formula := _MATHEMATICS.match(rest):
            return _formulas(rest, formula)
        if lead := _LEAD.match(rest):
            rest = rest[lead.end() :]
            continue
        # Formulas masked, so that what looks like prose in them is none.
        masked = _MATHEMATICS.sub(lambda formula: "$" * len(formula[0]), rest)
        end = _SENTENCE_END.search(masked)
        sentence = masked[: end.start()] if end else masked
        verb = _COPULA.search(sentence) if re.match(r"[a-zA-Z]", sentence) else None
        if verb is None or _HEDGE.search(sentence):
            break
        rest = rest[verb.end() :]  # "The largest $n$ is 34"
    plain = rest[: len(sentence)].strip().strip("*_`").strip()
    if re.match(r"[-+(\[\\]*[\d.]", plain):
        return _REMARK.sub("", re.sub(r"\*\*(?![\w(])", "", plain))
    inner = None if _HEDGE.search(sentence) else _MATHEMATICS.search(plain)
    return inner[1].strip() if inner else plain


def _formulas(rest: str, formula: re.Match[str]) -> str:
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
    plain = re.sub(r"\\(?:begin|end)\s*\{[^{}]*\}|\\(?:text\w*|mbox|mathrm)\s*\{[^{}]*\}", " ", text)
    words = len(_WORD.findall(plain))
    if ("\n" in plain and "\\begin" not in text) or words > 3:
        return None
    # "Evaluate $2^5$." has a word before its formula, as a question has; an answer has its unit after it.
    return text if words == 0 or text[0] in "-.0123456789" or not re.search(r"[\d\\$]", plain) else None
