"""Equality of short answers: the same words, whatever their case, white space and punctuation and what is said around.

GQA's own evaluation and that of DataEnvGym's authors compare letter by letter, so that "Yes." is wrong for "yes". Here
a reply may say the words in bold, in a box or in a sentence, but "a red car" is still not "red".
"""

from tasks.choices import TRUE_FALSE, YES_NO, choose
from tasks.replies import clean_answer, stated_answer


def same_answer(answer: str, reply: str) -> bool:
    """Whether a reply states the answer; of yes and no, and of true and false, whether it chooses it."""
    wanted = clean_answer(answer)
    for options in (YES_NO, TRUE_FALSE):
        if wanted in options.words:
            return choose(reply, options) == wanted
    return bool(wanted) and wanted in (stated_answer(reply), clean_answer(reply))
