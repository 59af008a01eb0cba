"""What endpoints complain about, in the words of many servers and proxies."""

from __future__ import annotations

import re

_NUMBER = r"(\d[\d,]*)"

# vLLM, OpenAI, OpenRouter, SGLang, TGI: the context, and how much of it the prompt takes.
_CONTEXT = re.compile(rf"context (?:length|window|size|limit)\D{{0,25}}?{_NUMBER}|must be <= {_NUMBER}")
_INPUT = re.compile(
    rf"{_NUMBER}\s+(?:tokens?\s+)?(?:in|from|of)\s+(?:the\s+|your\s+)?(?:text\s+)?(?:input|messages|prompt)"
    rf"|{_NUMBER}\s+`?(?:inputs?|prompt)`?\s+tokens"
)
_SUM = re.compile(rf"{_NUMBER}\s*\+\s*{_NUMBER}\s*>\s*{_NUMBER}")  # Anthropic: prompt + limit > context

_LIMIT = re.compile(r"max_(?:completion_|new_|output_)?tokens|(?:output|completion) tokens")
_SIZE = re.compile(r"too (?:large|high|big|long|many)|at most|maxim|less than|exceed|between|range|greater|larger|[<>]")

_LENGTH = re.compile(
    r"context[ _]?(?:length|window|size|limit)|contextwindow|context.{0,20}(?:overflow|exceed)|exceed.{0,40}context"
    r"|too long|too many (?:input )?tokens|request[ _]too[ _]large"
    r"|(?:payload|entity|content|input|prompt) (?:is )?too large"
    r"|exceed.{0,60}tokens|tokens?\b.{0,40}exceed|token limit|(?:input|prompt) (?:length|tokens?)"
    r"|reduce the length|longer than|max_model_len|maximum model length|n_ctx|above_max_length"
)
_FORMAT = re.compile(
    r"response[ _]?format|json[ _-]?(?:schema|object|mode|output)|schema|guided|grammar|structured|constrained|xgrammar"
)


def room_in(said: str) -> int | None:
    """Tokens that a prompt leaves for the reply, where a complaint (in lower case) names context and prompt."""
    if (found := _SUM.search(said)) is not None:
        prompt, _, context = (_int(number) for number in found.groups())
        return context - prompt
    context_found, prompt_found = _CONTEXT.search(said), _INPUT.search(said)
    if context_found is None or prompt_found is None:
        return None
    return _int(next(filter(None, context_found.groups()))) - _int(next(filter(None, prompt_found.groups())))


def about_limit(said: str) -> bool:
    """Whether a complaint says that a longer reply was asked for than may be."""
    return _LIMIT.search(said) is not None and _SIZE.search(said) is not None


def limit_in(said: str, sent: int) -> int:
    """The longest reply that may be asked for after a complaint: the number that it names, or half of what was sent."""
    numbers = (_int(number) for number in re.findall(rf"(?<![\w.,-]){_NUMBER}(?![\w-])", said))
    return max((number for number in numbers if 16 <= number < sent), default=sent // 2 if sent >= 32 else 0)


def about_length(said: str) -> bool:
    """Whether a complaint says that the prompt is too long."""
    return _LENGTH.search(said) is not None


def about_format(said: str) -> bool:
    """Whether a complaint is about the schema, or the way in which it was sent."""
    return _FORMAT.search(said) is not None


def _int(number: str) -> int:
    return int(number.replace(",", ""))
