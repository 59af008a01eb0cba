"""One exchange with a chat model, as a line of the journal."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tasks.errors import RecordError
from teachers.chat.types import ChatRequest, Usage


def request_key(request: ChatRequest) -> str:
    """SHA-256 of a request's canonical JSON: the name under which its reply is kept."""
    return _key(_plain(request))


def _plain(request: ChatRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "messages": [asdict(message) for message in request.messages],
        "schema_name": request.schema_name,
        "schema": dict(request.schema),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "sample": request.sample,
    }


def _key(request: Mapping[str, Any]) -> str:
    canonical = json.dumps(request, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class Entry:
    """One exchange.

    Args:
        key: The request's key.
        purpose, step, item: What it was made for; costs are reported by it.
        model: Who was asked; None if nobody was.
        request: What was asked, as plain data; only until it is in the file.
        reply: What came back; None where texts are not kept or nothing came.
        finish_reason: Why the reply ended, as the endpoint names it.
        usage: Tokens it was billed for.
        estimated: The endpoint gave no usage; ``usage`` is the most that it can have been.
        usd: Dollars; None without a known price.
        seconds: From sending to receiving.
        failure: Set where no reply came at all: ``gave_up``, ``too_long``, ``rejected`` or ``over_cap``. Such a line
            is no paid exchange; it lets a replay tell a call that failed from one that was never made.
        cause: What went wrong last, in a few words for people; not kept.
        sealed: Whether it is in ``calls.jsonl``.
    """

    key: str
    purpose: str
    step: int
    item: int | None
    model: str | None = None
    request: dict[str, Any] | None = None
    reply: str | None = None
    finish_reason: str = "stop"
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    estimated: bool = False
    usd: float | None = None
    seconds: float = 0.0
    failure: str | None = None
    cause: str = field(default="", compare=False)
    sealed: bool = field(default=False, compare=False)

    @staticmethod
    def asking(request: ChatRequest, purpose: str, step: int, item: int | None) -> Entry:
        """The exchange that begins with this request."""
        plain = _plain(request)
        return Entry(_key(plain), purpose, step, item, request.model, plain)

    def failed(self, failure: str, cause: str = "") -> Entry:
        """What is noted in its place if no reply comes."""
        return Entry(self.key, self.purpose, self.step, self.item, failure=failure, cause=cause)

    def made_for(self) -> dict[str, Any]:
        """What a line says of who asked."""
        return {"key": self.key, "purpose": self.purpose, "step": self.step, "item": self.item}

    def copy(self) -> Entry:
        """The same exchange, for the journal of another run."""
        return replace(self, sealed=False)

    def line(self, texts: bool) -> dict[str, Any]:
        """As a line of the journal."""
        fields = self.made_for()
        if self.failure is not None:
            return {**fields, "failure": self.failure}
        if texts:
            fields |= {"request": self.request, "reply": self.reply}
        else:
            fields["model"] = self.model
        fields |= {"finish_reason": self.finish_reason, "usage": asdict(self.usage)}
        if self.estimated:
            fields["estimated"] = True
        return {**fields, "usd": self.usd, "seconds": self.seconds}

    @staticmethod
    def of(row: Mapping[str, Any]) -> Entry:
        """Reads a line.

        The key is computed anew from the request: a line that somebody edited answers the request that it now holds.

        Raises:
            RecordError: A field is missing.
        """
        try:
            request = row.get("request")
            key = row["key"] if request is None else _key(request)
            made_for = (row["purpose"], row["step"], row["item"])
            if "failure" in row:
                return Entry(key, *made_for, failure=row["failure"])
            return Entry(
                key,
                *made_for,
                row.get("model") if request is None else request["model"],
                request,
                row.get("reply"),
                row["finish_reason"],
                Usage(**row["usage"]),
                row.get("estimated", False),
                row["usd"],
                row["seconds"],
            )
        except (KeyError, TypeError) as error:
            raise RecordError(f"A line of calls.jsonl lacks a field of a call ({error!r}): {str(row)[:80]}.") from None


def sums(entries: Sequence[Entry]) -> dict[str, Any]:
    """What exchanges cost: ``usd`` (None if one has no known price), ``tokens`` and ``calls``."""
    dollars = [entry.usd for entry in entries]
    known = [usd for usd in dollars if usd is not None]
    return {
        # fsum and rounding: the same in whatever order the calls were made.
        "usd": round(math.fsum(known), 9) if len(known) == len(dollars) else None,
        "tokens": sum(entry.usage.input + entry.usage.output for entry in entries),
        "calls": len(entries),
    }
