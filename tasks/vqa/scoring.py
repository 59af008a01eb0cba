"""Equality of short answers: the same words, whatever their case, white space and punctuation and what is said around.

GQA's own evaluation and that of DataEnvGym's authors compare letter by letter, so that "Yes." is wrong for "yes". Here
the words must be equal, too ("a red car" is not "red"), but a reply may say them as chat models do: in bold, in a box,
as "The answer is red.", or with an explanation on the next line.
"""

from __future__ import annotations

from tasks.choices import TRUE_FALSE, YES_NO, choose
from tasks.replies import clean_answer, stated_answer


def same_answer(answer: str, reply: str) -> bool:
    """Whether a reply states the answer; of yes and no, and of true and false, whether it chooses it."""
    wanted = clean_answer(answer)
    for options in (YES_NO, TRUE_FALSE):
        if wanted in options.words:
            return choose(reply, options) == wanted
    return bool(wanted) and wanted in (stated_answer(reply), clean_answer(reply))
