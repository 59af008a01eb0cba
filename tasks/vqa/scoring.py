"""Equality of short answers: the same words, whatever their case, white space and final punctuation.

The authors' code compares GQA's answers letter by letter, so that "Yes." is wrong for "yes". A student that was taught
on short answers loses nothing by the stricter rule; one that was not is punished for its manners and not its sight.
"""

from __future__ import annotations


def clean_answer(text: str) -> str:
    """An answer without case, needless white space and punctuation at its end."""
    return " ".join(text.lower().split()).rstrip(" .,;:!?")


def same_answer(answer: str, reply: str) -> bool:
    """Whether a reply is the answer."""
    return bool(reply.strip()) and clean_answer(reply) == clean_answer(answer)
