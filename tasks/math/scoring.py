"""Equivalence of elementary answers: the same text, the same decimal, or the same value by math-verify."""

import logging
import math
import re
from decimal import Decimal
from functools import lru_cache

from tasks.math.answers import extract_answer

# What may be handed to math-verify: one literal, with its optional box, dollars or fraction. No operators, no
# powers, no letters, and short: "12 * 10" is not an answer to 12 * 10, and 9**9**9 would hang the simplifier.
_LITERAL = re.compile(r"[-+]?[\d,]*\.?\d+(\s*/\s*\d+)?%?")
_DECIMAL = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?(?<=\d)%?")
_QUOTIENT = re.compile(r"[-+]?(\d+)\s*/\s*(\d+)")
_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_WRAPPERS = (re.compile(r"\\boxed\{(.*)\}"), re.compile(r"\$(.*)\$"), re.compile(r"\\\((.*)\\\)"))
_MAX_LENGTH = 40


def final_answer(reply: str) -> str:
    """The answer that a reply gives in a box, in bold, after an answer sentence or in a first paragraph of its own.

    A reply that is nothing but its answer comes back as it is.
    """
    marked = "boxed" in reply or re.search(r"\banswer\b", reply, re.IGNORECASE)
    answer = extract_answer(reply) if marked else None
    return (answer or reply.strip().partition("\n\n")[0]).strip(" *_`")


def clean_answer(text: str) -> str:
    """The answer without surrounding space, a final full stop, dollars as mathematics marks, and a box."""
    text = " ".join(text.split()).removesuffix(".").strip()
    for wrapper in _WRAPPERS:
        if match := wrapper.fullmatch(text):
            text = match.group(1).strip()
    return text


def same_text(answer: str, reply: str) -> bool:
    """Whether a reply is the answer up to case and white space: for questions that ask for a notation."""
    return clean_answer(reply).lower() == answer.lower()


def same_decimal(answer: str, reply: str) -> bool:
    """Whether a reply is the answer's text or the same decimal (``1.5`` for ``1.50``, ``1,000`` for ``1000``).

    For questions whose answer is a decimal or a percentage: a fraction is another notation, and ``5%`` is not ``5``.
    """
    if same_text(answer, reply):
        return True
    reply = clean_answer(reply)
    if len(reply) > _MAX_LENGTH or not (_DECIMAL.fullmatch(answer) and _DECIMAL.fullmatch(reply)):
        return False
    left, right = (Decimal(text.replace(",", "").rstrip("%")) for text in (answer, reply))
    return answer.endswith("%") == reply.endswith("%") and left == right


def same_value(answer: str, reply: str) -> bool:
    """Whether a reply is the answer's text or another literal of the same value (``0.50``, ``1/2``, ``1,000``)."""
    if same_text(answer, reply):
        return True
    reply = _FRACTION.sub(r"\1/\2", clean_answer(reply))
    if len(reply) > _MAX_LENGTH or not _LITERAL.fullmatch(reply) or not _LITERAL.fullmatch(answer):
        return False
    if reply.endswith("%") != answer.endswith("%"):
        return False  # math-verify takes 5% for 5
    if answer.isdigit() and reply.isdigit() and reply[0] != "0":
        return False  # two plain whole numbers with different digits, by far the most frequent case
    if quotient := _QUOTIENT.fullmatch(reply):
        numerator, denominator = map(int, quotient.groups())
        if denominator <= 1 or math.gcd(numerator, denominator) != 1:
            return False  # 1200/100 repeats a division and does not carry it out
    return _verify(answer, reply)


@lru_cache(maxsize=65_536)
def _verify(answer: str, reply: str) -> bool:
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns at every call that its limits are off
    # Time limits off: math-verify's own use SIGALRM and raise outside the main thread. The literals that get
    # here are forty characters without powers or functions, which sympy cannot be slow on.
    gold, guess = (parse(f"${text}$", parsing_timeout=None, raise_on_error=False) for text in (answer, reply))
    return bool(gold and guess and verify(gold, guess, timeout_seconds=None, raise_on_error=False))
