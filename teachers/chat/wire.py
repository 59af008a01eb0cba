"""What comes over the wire: the body of a reply, its usage, an error's message, how long to wait."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from teachers.chat.conversation import REFUSED
from teachers.chat.schema import clean
from teachers.chat.secrets import redact
from teachers.chat.types import AttemptError, ChatReply, Usage

if TYPE_CHECKING:
    from openai import APIStatusError

_LONGEST_COMPLAINT = 300


def read_completion(content: bytes, key: str) -> ChatReply:
    """Reads the body of a reply.

    Raises:
        AttemptError: It is not a chat completion, and was billed probably.
    """
    try:
        body = json.loads(content)
        choice = body["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        if not isinstance(text, str | None) or not isinstance(refusal, str | None):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise AttemptError("broken_body", maybe_billed=True) from None
    finish_reason = REFUSED if refusal else str(choice.get("finish_reason") or "stop")
    text = redact(clean(refusal or text or ""), key)
    return ChatReply(text, _usage(body.get("usage")), redact(clean(finish_reason), key)[:40])


def _usage(given: Any) -> Usage | None:
    """What the endpoint says it bills; None if that is not a count of tokens."""
    if not isinstance(given, Mapping):
        return None
    details = given.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    counts = [given.get("prompt_tokens"), given.get("completion_tokens"), cached or 0]
    sane = [count for count in counts if isinstance(count, int) and not isinstance(count, bool) and count >= 0]
    # No request is of no token: proxies say 0 when the endpoint behind them does not say.
    return Usage(*sane) if len(sane) == len(counts) and sane[0] else None


def complaint_of(error: APIStatusError, key: str) -> str:
    """The endpoint's message, on one line."""
    body = error.body if isinstance(error.body, Mapping) else {}
    message = body.get("message") or error.response.text
    return " ".join(redact(clean(str(message)), key).split())[:_LONGEST_COMPLAINT] or "no message"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the endpoint asks to wait: in milliseconds, in seconds, or until a date."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        return max(parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time(), 0.0)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
