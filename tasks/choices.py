"""Which of two options a reply chooses: yes or no, true or false, A or B.

Like the benchmarks' own readers (NaturalBench, ``extract_answer``), this takes the first option that occurs as a word,
except where a careful reader would see no answer: an article, a negated option, an open "yes or no".
"""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from tasks.replies import plain_text, statements


@dataclass(frozen=True)
class Options:
    """What a reply may choose from: two words in lower case; with ``opposites``, "not" before one means the other."""

    words: tuple[str, str]
    opposites: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Either option as a word of its own: not the A of "A-frame" or "A's", nor the no of "no-entry"."""
        return re.compile(rf"(?<!\w)(?<!\w['-])(?:{'|'.join(self.words)})(?!\w)(?!['-]\w)", re.IGNORECASE)


YES_NO = Options(("yes", "no"))
TRUE_FALSE = Options(("true", "false"), opposites=True)
LETTERS = Options(("a", "b"))


@dataclass(frozen=True, slots=True)
class _Mention:
    """An option in a text; ``weak`` is one that may well be no answer, as in "there is no cat" and "option A says"."""

    start: int
    end: int
    option: str
    weak: bool


# "A" before a word is an article ("It is a B", "A banana"), unless the word can only follow a subject ("A is right").
_AFTER_LETTER = (
    "is|was|because|since|as|and|or|nor|seems|looks|appears|shows|has|would|does|matches|fits|depicts|contains|describes"
    "|for|but|not|isn't|doesn't|the|this|that|these|there|it|its|he|she|they|we|you|i|in|on|at|with|to|of"
)
_ARTICLE = re.compile(rf"[ \t]+[\"'(]*(?!(?:{_AFTER_LETTER})\b)\w", re.IGNORECASE)
_CALLED = re.compile(r"\b(?:option|answer|choice|letter)\s*:?\s*[\"'(\[]*$", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n])[\s\"'(\[]*$")
_SHOUTED = re.compile(r"[ \t]+[A-Z]{2}")

# "No" as an answer is followed by a pause or a new sentence; before a noun ("no cat") it may be part of the reasoning.
_NO_ANSWER = re.compile(
    r"[ \t]+(?:idea|clue|way|doubt|matter|problem|worries|image|picture|photo|info\w*|context|answer|question|clear"
    r"|definite|definitive)\b",
    re.IGNORECASE,
)
_NO_NOUN = re.compile(
    r"[ \t]+(?!(?:there|it|he|she|they|this|that|these|those|the|i|we|you|not|because|since|as|but|so|his|her|in|on)\b)"
    r"\w",
    re.IGNORECASE,
)

_SUBJECT = re.compile(
    r"[ \t]+(?:says|shows|states|describes|mentions|claims|refers|would|suggests|depicts)\b", re.IGNORECASE
)

_EITHER = re.compile(
    r"[\"')\].]*\s*(?:,?\s*(?:or|nor)|and|and/or|/|&|\||vs\.?|versus|,\s*(?=maybe|perhaps|partially|partly)|,\s*but(?=\s*also))"
    r"\s*(?:(?:the|option|answer|choice|both|also|maybe|perhaps|possibly|partially|partly)\s+)*[\"'(\[]*(?:a\s+)?",
    re.IGNORECASE,
)
_LISTED = re.compile(r"[\"')\]]*[ \t]*[,;+]?[ \t]*[\"'(\[]*")
_LIST_ENDS = re.compile(r"[\"')\]}.]*\s*(?:\n|$)")
_BETWEEN = (
    "a|an|the|it|is|it's|be|being|that|this|to|say|choose|pick|select|think|believe|call|case|option|answer|choice"
    "|letter|statement|sentence|claim|correct|right|really|necessarily|quite|entirely|completely|strictly|actually"
    "|exactly|simply|at|all|either|with|fully|always|definitely"
)
_NEGATED_BEFORE = re.compile(
    r"(?:\bnot|n't|\bcannot|\bnever|\bneither|\bnor|\brather\s+than|\binstead\s+of|\brul\w+\s+out|\bexclud\w+"
    rf"|\beliminat\w+|\bdiscard\w*|\breject\w*)(?:\s+(?:{_BETWEEN})){{0,8}}\s+[\"'(\[]*$",
    re.IGNORECASE,
)
_WRONG_AFTER = re.compile(
    r"[\"')\]]*\s+(?:(?:is|was|seems|looks|does|did|can|could|would|must|may|might)(?:n't|\s*not)\b|can't\b"
    r"|(?:is|was|seems|looks|appears)(?:\s+(?:to|be|the|clearly|definitely|also|obviously|simply|just))*"
    r"\s+(?:wrong|incorrect|false|untrue|inaccurate|ruled|out|excluded)\b)",
    re.IGNORECASE,
)
# "It is hard to say whether it is true", "I doubt it is true", "half true": neither true nor false.
_UNCERTAIN = re.compile(
    r"\b(?:whether|if|unless|doubt|hardly|almost|half|partly|partially|nothing|not\s+necessarily"
    rf"|(?:cannot|can\s?not|can't|couldn't|hard\s+to)\s+(?:say|tell|know))(?:\s+(?:{_BETWEEN}))*\s+[\"'(\[]*$",
    re.IGNORECASE,
)
_QUESTIONED = re.compile(r"[\"')\]]*\s?\?")
_ITEM = re.compile(r"[).:]\s+\w")
_ITEM_START = re.compile(r"(?:^|\n|;)[ \t]*\(?$")

_LEAD_IN = re.compile(
    r"[\W_]*(?:(?:it(?:'s|\s+is)|that(?:'s|\s+is)|i(?:'d|\s+would)?\s+(?:say|choose|pick|select|go\s+with|answer))\s+)?"
    r"(?:(?:the|correct|right|best|definitely|certainly|clearly|probably|likely|option|answer|choice|letter|statement"
    r"|sentence|claim|is)\b[\W_]*){0,6}",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(r"\b(?:so|therefore|thus|hence|in\s+conclusion|in\s+summary|overall)\b", re.IGNORECASE)
_CORRECTION = re.compile(
    r"(?:^|[.!?,;\n(]|\b(?:yes|no|true|false|a|b))[\s\u2014\u2013-]{0,3}"
    r"(?:no,?\s+)?(?:(?:oh,?\s+)?wait\b[\s,.!:;\u2026\u2014\u2013-]|scratch\s+that\b|on\s+second\s+thoughts?\b"
    r"|correction\b|let\s+me\s+correct\b|i\s+mean\b)",
    re.IGNORECASE,
)


def choose(reply: str, options: Options) -> str | None:
    """The option that a reply chooses, in lower case; None if it chooses none, or leaves it open.

    In this order: what is called the final answer (a box, an answer tag), the option that the reply begins with, what
    is called the answer, a conclusion ("so no", a last sentence "Yes."), and then the first option that occurs at
    all. What follows "wait" or "I mean" replaces what was said before, if it chooses an option.
    """
    text = plain_text(reply)
    corrections = [match.end() for match in _CORRECTION.finditer(text)]
    for start in [corrections[-1], 0] if corrections else [0]:
        if (chosen := _chosen(text[start:], options)) is not None:
            return chosen
    return None


def _chosen(text: str, options: Options) -> str | None:
    every = list(options.pattern.finditer(text))
    left_open = _left_open(text, every)
    mentions = _mentions(text, [match for match in every if match not in left_open], options)
    strong = {mention.start: mention.option for mention in mentions if not mention.weak}

    def leads(place: int) -> str | None:
        match = _LEAD_IN.match(text, place)
        return strong.get(match.end()) if match else None

    stated = [(place, final) for place, final in statements(text)]
    final = [leads(place) for place, is_final in stated if is_final]
    answer = [leads(place) for place, is_final in stated if not is_final]
    conclusion = [leads(match.end()) for match in _CONCLUSION.finditer(text)]
    for found in (
        reversed(final),
        [leads(0)],
        reversed(answer),
        [_last_sentence(text, mentions)],
        reversed(conclusion),
    ):
        if (chosen := next((one for one in found if one), None)) is not None:
            return chosen
    return next((one.option for one in sorted(mentions, key=lambda one: (one.weak, one.start))), None)


def _mentions(text: str, every: list[re.Match[str]], options: Options) -> list[_Mention]:
    mentions: list[_Mention] = []
    for match in every:
        start, end = match.span()
        option, before = match.group().lower(), text[max(0, start - 80) : start]
        if _is_article(text, match, before):
            continue
        if (option == "no" and _NO_ANSWER.match(text, end)) or _UNCERTAIN.search(before):
            continue
        if _QUESTIONED.match(text, end) and re.search(r"\w", text[:start] + text[end:]):
            continue
        if _NEGATED_BEFORE.search(before):
            if not options.opposites:
                continue
            option = next(word for word in options.words if word != option)
        elif len(option) == 1 and _WRONG_AFTER.match(text, end):
            continue
        goes_on = _NO_NOUN if option == "no" else _SUBJECT
        mentions.append(_Mention(start, end, option, goes_on.match(text, end) is not None))
    return mentions


def _left_open(text: str, every: list[re.Match[str]]) -> set[re.Match[str]]:
    """Mentions in "yes or no", "A and B", "A, B", and of lists of the options, "A) cat", "B) dog"."""
    found: set[re.Match[str]] = set()
    for left, right in pairwise(every):
        between = text[left.end() : right.start()]
        if left.group().lower() == right.group().lower() or len(between) > 40:
            continue
        both = _LISTED.fullmatch(between) and left.group().isupper() and len(left.group()) == 1
        if _EITHER.fullmatch(between) or (both and _LIST_ENDS.match(text, right.end())):
            found |= {left, right}
    items = [
        match
        for match in every
        if _ITEM.match(text, match.end()) and _ITEM_START.search(text[max(0, match.start() - 20) : match.start()])
    ]
    return found | set(items) if len({match.group().lower() for match in items}) > 1 else found


def _is_article(text: str, match: re.Match[str], before: str) -> bool:
    if match.group().lower() != "a" or not _ARTICLE.match(text, match.end()) or _CALLED.search(before):
        return False
    # In the middle of a sentence, a capital is no article: "The answer is A cat".
    inside = match.group() == "A" and not _SENTENCE_START.search(before)
    return not inside or _SHOUTED.match(text, match.end()) is not None


def _last_sentence(text: str, mentions: list[_Mention]) -> str | None:
    last = mentions[-1] if mentions else None
    if last is None or last.weak or re.search(r"\w", text[last.end :]):
        return None
    return last.option if _SENTENCE_START.search(text[max(0, last.start - 40) : last.start]) else None
