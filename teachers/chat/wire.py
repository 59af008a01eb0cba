"""What endpoints send: the body of a reply, its usage, an error's message, how long to wait, what broke."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tasks.errors import causes
from teachers.chat.schema import clean
from teachers.chat.secrets import redact
from teachers.chat.types import REFUSED, AttemptError, ChatError, ChatReply, Usage

if TYPE_CHECKING:
    from openai import DefaultAsyncHttpxClient

# Bytes of a reply that are read. The longest that models write, with log probabilities, have a tenth of it.
_MOST_BYTES = 16 * 2**20


def read_completion(content: bytes, key: str) -> ChatReply:
    """Reads the body of a reply: a chat completion, or the events of a streamed one; AttemptError if it is neither.

    Only the answer counts: text, a refusal, or a tool call's arguments where there is no text. What a server puts into
    fields of its own (``reasoning_content``) is a draft.
    """
    try:
        streamed = content.lstrip().startswith((b"data:", b"event:", b":"))
        body = _joined(content.decode()) if streamed else json.loads(content)
        choice = body["choices"][0]
        message = choice["message"]
        text, refusal = _text(message.get("content")), message.get("refusal")
        if not text and (tools := message.get("tool_calls")):
            text = _text(tools[0]["function"]["arguments"])
        elif not text and (function := message.get("function_call")):
            text = _text(function["arguments"])
        if not isinstance(refusal, str | None):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise AttemptError("broken_body", f"no chat completion: {excerpt(content, key)}", maybe_billed=True) from None
    finish_reason = REFUSED if refusal else str(choice.get("finish_reason") or "stop")
    text = redact(clean(refusal or text), key)
    return ChatReply(text, _usage(body.get("usage")), redact(clean(finish_reason), key)[:40])


def _text(content: Any) -> str:
    """The text of a message: a string, a list of parts of which those that are text count, or JSON left as data."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, Mapping):
        return json.dumps(content)
    if not isinstance(content, list):
        raise TypeError
    parts = [part if isinstance(part, Mapping) else {"type": "text", "text": part} for part in content]
    return "".join(_text(part["text"]) for part in parts if part.get("type", "text") in ("text", "output_text"))


def _joined(events: str) -> dict[str, Any]:
    message: dict[str, Any] = {"content": ""}
    whole: dict[str, Any] = {}
    finish_reason, ended = None, False
    for line in events.splitlines():
        if not line.startswith("data:") or not (data := line.removeprefix("data:").strip()):
            continue
        if data == "[DONE]":
            ended = True
            break
        chunk = json.loads(data)
        if chunk.get("error"):
            raise ValueError
        whole |= {"usage": chunk.get("usage") or whole.get("usage")}
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or choice.get("message") or {}
            message["content"] += _text(delta.get("content"))
            if delta.get("refusal"):
                message["refusal"] = message.get("refusal", "") + delta["refusal"]
            finish_reason = choice.get("finish_reason") or finish_reason
    if not ended and finish_reason is None:
        raise ValueError
    return {**whole, "choices": [{"message": message, "finish_reason": finish_reason}]}


def _usage(given: Any) -> Usage | None:
    if not isinstance(given, Mapping):
        return None
    details = given.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    counts = [given.get("prompt_tokens"), given.get("completion_tokens"), cached or 0]
    sane = [count for count in counts if isinstance(count, int) and not isinstance(count, bool) and count >= 0]
    # No request is of no token: proxies say 0 when the endpoint behind them does not say.
    return Usage(*sane) if len(sane) == len(counts) and sane[0] else None


def error_in(content: bytes) -> tuple[int, str] | None:
    """Status and message of an error that an endpoint sent in place of a completion; None if it is no such body."""
    if b'"error"' not in content[:4096] or b'"choices"' in content[:4096]:
        return None
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    code = error.get("code", error.get("status")) if isinstance(error, Mapping) else None
    known = isinstance(code, int | str) and str(code).isdecimal() and 400 <= int(code) < 600
    return (int(code) if known and code is not None else 500), complaint_of(error, "")


def complaint_of(body: object, text: str) -> str:
    """An endpoint's complaint: the message, code and parameter that an error's body holds, or the text of it."""
    if isinstance(body, Mapping):
        said = [body.get(name) for name in ("message", "code", "type", "param")]
        if isinstance(said[0], str):
            return " ".join(dict.fromkeys(part for part in said if isinstance(part, str)))
    return body if isinstance(body, str) and body else text


def excerpt(content: bytes | str, key: str, length: int = 80) -> str:
    """The beginning of what an endpoint sent, fit for one line of a terminal."""
    text = content[: 8 * length].decode(errors="replace") if isinstance(content, bytes) else content
    shown = redact("".join(char if char.isprintable() else " " for char in clean(text)), key)
    return " ".join(shown.split())[:length] or "nothing"


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


def http_client() -> DefaultAsyncHttpxClient:
    """An HTTP client that reads no reply, and no error either, beyond a size."""
    import httpx2
    from openai import DefaultAioHttpClient

    class Capped(httpx2.AsyncByteStream):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            read = 0
            async for chunk in self._stream:
                read += len(chunk)
                if read > _MOST_BYTES:
                    raise AttemptError("broken_body", f"more than {_MOST_BYTES} bytes", maybe_billed=True)
                yield chunk

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def cap(response: httpx2.Response) -> None:
        response.stream = Capped(response.stream)

    return DefaultAioHttpClient(event_hooks={"response": [cap]})


def broken_connection(error: Exception) -> AttemptError | ChatError:
    """What became of a request without a reply; only one that was never sent is certainly not billed."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError
    from httpx2 import DecodingError, InvalidURL, TooManyRedirects, UnsupportedProtocol

    # The SDK's and its transport's classes do not tell a refused connection from one that was cut later; aiohttp's do.
    for cause in causes(error):
        match cause:
            case aiohttp.ClientConnectorDNSError():
                return AttemptError("connection", f"no host is known by the name {cause.host}")
            case aiohttp.ClientConnectorCertificateError():
                return AttemptError("connection", f"TLS: {cause.certificate_error}")
            case aiohttp.ClientSSLError():
                return AttemptError("connection", f"TLS: {cause.strerror or cause}")
            case aiohttp.ClientConnectorError():
                refused = isinstance(cause.os_error, ConnectionRefusedError)
                why = "connection refused" if refused else f"no connection ({cause.os_error.strerror or cause})"
                return AttemptError("connection", f"{why} by {cause.host}:{cause.port}")
            case aiohttp.ConnectionTimeoutError():
                return AttemptError("connection", "no connection in time")
            case aiohttp.SocketTimeoutError():
                return AttemptError("timeout", "the reply stopped coming", maybe_billed=True)
            case aiohttp.ClientPayloadError() | DecodingError():
                return AttemptError("broken_body", "a reply that broke off or is garbled", maybe_billed=True)
            case HttpProcessingError():
                return AttemptError("broken_body", "a reply that is not HTTP")
            case UnsupportedProtocol() | InvalidURL() | TooManyRedirects() | UnicodeError():
                return ChatError(f"The chat's address cannot be used ({excerpt(str(error), '')}): check base_url.")
    return AttemptError("connection", "connection closed without a reply", maybe_billed=True)
