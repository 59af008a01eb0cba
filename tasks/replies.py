"""What a student's reply says: its text without reasoning and markup, and where it states its answer.

Scorers of short answers read replies through here, so that none depends on markdown, LaTeX, JSON, tags and sentences
around an answer. Every pattern takes linear time, and no text raises.
"""

import re
import unicodedata
from collections.abc import Iterator

# Short answers stand at the beginning or at the end: of a longer reply, half of this is read from either.
MAX_CHARACTERS = 20_000

_REASONING_ENDS = re.compile(r"</(?:think|thinking|thought|reasoning|scratchpad)>", re.IGNORECASE)
_REASONING_STARTS = re.compile(r"<(?:think|thinking|thought|reasoning|scratchpad)>", re.IGNORECASE)

_CHARACTERS = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"', "\r": "\n"}
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\x00", "")
)
# A box or an answer tag is the same statement as a line "Final answer: ..."; the reader needs to know only the one.
_REWRITES = (
    (re.compile(r"<\|[^|<>\n]{0,40}\|>"), "\n"),
    (re.compile(r"\\(?:text|math)(?:bf|it|rm|sf|tt|normal)?\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\f?boxed\s*(?:\{([^{}]*)\}|(\w+))"), r"\nFinal answer: \1\2\n"),
    (re.compile(r"<(?:final_?)?answer>([^<]*)</(?:final_?)?answer>", re.IGNORECASE), r"\nFinal answer: \1\n"),
    (re.compile(r"</?[a-zA-Z][^<>\n]{0,60}>"), " "),
    (re.compile(r"^[ \t]*(?:```|~~~)\w*[ \t]*$", re.MULTILINE), ""),
    (re.compile(r"[*`$~]|\\[()\[\],;!]|(?<!\w)_+|_+(?!\w)"), ""),
    (re.compile(r"^[ \t]*(?:#{1,6}|>|[-\u2022\u2013\u2014+])[ \t]+", re.MULTILINE), ""),
    (re.compile(r"\A\s*(?:assistant|model|bot|ai)\s*:", re.IGNORECASE), ""),
)
# A base model writes on: after its answer, the next question.
_NEXT_TURN = re.compile(r"\n(?:question|q|user|human|input)\s*:", re.IGNORECASE)

_CUE = re.compile(
    r"\b(?P<final>final[\s_-]+)?(?:answer|choice|option|verdict|conclusion|prediction|selection|response|label)\b"
    r"(?:\s+(?:to|for|of|here)\b[^.:\n]{0,200}?)?"
    r"[\"']?\s*(?:(?:is|would\s+be|should\s+be|must\s+be)\b(?![\"']?\s*not\b)|:|=|-{1,2}>)[\s:]*(?P<quote>[\"']?)",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"(?:it|this|that|these|those|they|the(?:\s+(?!is\b|are\b|not\b)[\w'-]+){1,7}?)"
    r"(?:'s|'re|\s+(?:is|are|looks|seems|appears\s+to\s+be))\s+",
    re.IGNORECASE,
)
_NOT_BUT = re.compile(r"not\s+[^.,;]{1,40}?,?\s+but\s+", re.IGNORECASE)
_REASON = re.compile(
    r",?\s+(?:because|since|as|due\s+to)\s|,\s+(?:not|rather\s+than|instead\s+of)\s|[.!?](?:\s|$)|;|\s[-\u2013\u2014]\s",
    re.IGNORECASE,
)
_EDGES = " \t\n.,;:!?\"'()[]{}"


def without_reasoning(reply: str) -> str:
    """A reply without the reasoning that some models write first, between ``<think>`` and ``</think>``.

    Of reasoning that never ends only what stands before it is left: such a reply has no answer yet.
    """
    end = 0
    for match in _REASONING_ENDS.finditer(reply):
        end = match.end()
    start = _REASONING_STARTS.search(reply, end)
    return reply[end : start.start()] if start else reply[end:]


def plain_text(reply: str) -> str:
    """A reply without reasoning, markup, typographic variants of characters, and the turns that a base model adds."""
    text = without_reasoning(reply)
    if len(text) > MAX_CHARACTERS:
        text = f"{text[: MAX_CHARACTERS // 2]}\n{text[-MAX_CHARACTERS // 2 :]}"
    text = unicodedata.normalize("NFKC", text.translate(_CHARACTERS))[: 2 * MAX_CHARACTERS]
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    # No run of white space is left, so that no pattern can go over one again and again.
    text = "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip())
    following = _NEXT_TURN.search(text)
    return text[: following.start()] if following else text


def statements(text: str) -> Iterator[tuple[int, bool]]:
    """Where a text states its answer ("the answer is", "Answer:", ``"answer":``), and whether it is the final one."""
    for match in _CUE.finditer(text):
        yield match.end(), match["final"] is not None


def clean_answer(text: str) -> str:
    """An answer without case, needless white space and punctuation around it."""
    return " ".join(text.lower().split()).strip(_EDGES)


def stated_answer(reply: str) -> str:
    """The short open answer that a reply states, clean; empty if it says nothing.

    That is what follows "the answer is", the final one if one is called final; else the first line. Of either, the
    part up to the end of the sentence or to a reason ("red, because ..."), without "it is" or "the car is". Nothing
    else is left out: "a red car" does not state "red".
    """
    text = plain_text(reply)
    found = list(_CUE.finditer(text))
    chosen = next((cue for cue in reversed(found) if cue["final"]), found[0] if found else None)
    rest = text[chosen.end() :].lstrip() if chosen else text
    line = rest.split("\n", 1)[0]
    if chosen and chosen["quote"]:
        line = line.split(chosen["quote"], 1)[0]
    line = line.strip().lstrip(_EDGES)
    for pattern in (_SUBJECT, _NOT_BUT):
        if match := pattern.match(line):
            line = line[match.end() :]
    return clean_answer(_REASON.split(line, maxsplit=1)[0])
