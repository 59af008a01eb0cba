r"""Training records of MATH: the target format, and LaTeX that survived its way through JSON only in part."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.errors import RecordError
from tasks.math.answers import LONGEST_ANSWER, extract_answer, last_boxed
from tasks.math.normalisation import normalise_answer

# A model that writes "\frac" in JSON without doubling the backslash has written a form feed and "rac". These are the
# commands' remainders after the letter that JSON takes for an escape, as regular expressions.
_EATEN = {
    "\t": r"times|text(?:bf|it|rm)?|theta|tau|tfrac|triangle|to(?=[\s\\])|tan|tanh|top|tilde|thinspace",
    "\n": r"neq|neg|nabla|nmid|ncong|ne|nu|not(?=[\s\\<>=])|nsubseteq|ni|nleq|ngeq|notin|newline",
    "\r": r"right|rangle|rfloor|rceil|rho|rightarrow|rvert|rbrace|rm",
}
# Of these, what may as well be the beginning of a line or a word in prose: mended only inside mathematics.
_AMBIGUOUS = frozenset(
    ("to", "tan", "top", "not", "ne", "nu", "ni", "rm", "newline", "right", "text", "times", "tilde")
)
_PATTERNS = {
    character: re.compile(rf"{character}({'|'.join(word[1:] for word in words.split('|'))})(?![a-zA-Z])")
    for character, words in _EATEN.items()
}
_NO_TEXT = re.compile(r"[\x08\x0c](?=[a-zA-Z])")
# Two backslashes straight before one of these are an escape written twice, not the end of a row.
_DOUBLED = re.compile(
    r"(?<!\\)\\\\(?=(?:[dtc]?frac|sqrt|boxed|text|mathrm|cdot|times|div|left|right|pi|theta|alpha|beta|angle|leq?|geq?|"
    r"neq?|pm|infty|circ|binom|sum|int|log|ln|sin|cos|tan|triangle|overline|begin|end|pmod|equiv|ldots|cdots)"
    r"(?![a-zA-Z]))"
)
_DELIMITERS = re.compile(r"(?<!\\)\$|\\[()\[\]]")


class MATHRecord(BaseModel):
    """The fields of a record that a language model writes."""

    model_config = ConfigDict(extra="forbid")

    problem: str
    solution: str
    answer: str


def repair_latex(text: str, formula: bool = False) -> str:
    r"""Gives commands back the backslash that JSON took, as in ``\x0crac``, ``\x08oxed`` and a tab before ``imes``.

    Formulas stand between dollars or LaTeX's brackets; with ``formula``, the whole text is one, as an answer is.
    """
    text = _NO_TEXT.sub(lambda match: {"\x08": r"\b", "\x0c": r"\f"}[match[0]], text)
    for character, pattern in _PATTERNS.items():
        letter = {"\t": "t", "\n": "n", "\r": "r"}[character]

        def mend(match: re.Match[str], letter: str = letter) -> str:
            word = letter + match[1]
            if word in _AMBIGUOUS and not (formula or _within_formula(match.string, match.start())):
                return match[0]
            return "\\" + word

        text = pattern.sub(mend, text)
    return _DOUBLED.sub(r"\\", text)


def _within_formula(text: str, place: int) -> bool:
    inside = False
    for mark in _DELIMITERS.finditer(text, 0, place):
        inside = {"$": not inside, "\\(": True, "\\[": True}.get(mark[0], False)
    return inside


def render_response(solution: str, answer: str) -> str:
    r"""A solution in the form that students learn: the working, and on a line of its own the answer in a box."""
    return f"{solution.strip()}\nThe final answer is $\\boxed{{ {answer.strip()} }}$."


def read_reply(reply: Mapping[str, Any]) -> MATHRecord:
    """A reply's problem, solution and answer, LaTeX mended and the answer out of its dollars and box.

    Raises:
        RecordError: A field is missing or no text, or the answer is not a single, checkable one.
    """
    for field in ("problem", "solution", "answer"):
        if not isinstance(reply.get(field), str) or not reply[field].strip():
            raise RecordError(f"a record needs a non-empty text {field!r}, found {reply.get(field)!r:.80}")
    problem, solution = (repair_latex(reply[field]).strip() for field in ("problem", "solution"))
    answer = _plain_answer(repair_latex(reply["answer"], formula=True))
    if not answer or len(answer) > LONGEST_ANSWER or not normalise_answer(answer):
        raise RecordError(f"a record's 'answer' must be one short answer, found {reply['answer']!r:.80}")
    if extract_answer(render_response(solution, answer)) != answer:
        raise RecordError(f"a record's 'answer' cannot be read back out of a box: {reply['answer']!r:.80}")
    return MATHRecord(problem=problem, solution=solution, answer=answer)


def _plain_answer(text: str) -> str:
    text = text.strip()
    if (boxed := last_boxed(text)) is not None:
        return boxed
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        inner = text.removesuffix(".")
        if inner.startswith(opening) and inner.endswith(closing) and len(inner) > len(opening) + len(closing):
            return inner.removeprefix(opening).removesuffix(closing).strip()
    return text
