"""One exchange with a chat model, as a line of the journal, and what exchanges cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tasks.errors import RecordError
from teachers.chat.types import ChatRequest, Usage, key_of


@dataclass(slots=True)
class Entry:
    """One exchange; ``purpose``, ``step`` and ``item`` are what it was made for, and costs are reported by them."""

    key: str
    purpose: str
    step: int
    item: int | None
    model: str | None = None  # None if nobody was asked
    request: dict[str, Any] | None = None  # only until it is in the file
    reply: str | None = None  # None where texts are not kept or nothing came
    finish_reason: str = "stop"
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    estimated: bool = False  # the endpoint gave no usage, and this is the most that it can have been
    usd: float | None = None  # None without a known price
    seconds: float = 0.0  # from sending to receiving
    # Set where no reply came at all: gave_up, too_long, rejected or over_cap. Such a line is no paid exchange: it lets
    # a replay tell a call that failed from one that was never made.
    failure: str | None = None
    cause: str = field(default="", compare=False)  # what went wrong last, in a few words; not kept
    sealed: bool = field(default=False, compare=False)  # whether it is in calls.jsonl

    @staticmethod
    def asking(request: ChatRequest, purpose: str, step: int, item: int | None) -> Entry:
        """The exchange that begins with this request."""
        plain = request.plain()
        return Entry(key_of(plain), purpose, step, item, request.model, plain)

    def failed(self, failure: str, cause: str = "") -> Entry:
        """What is noted in its place if no reply comes."""
        return Entry(self.key, self.purpose, self.step, self.item, failure=failure, cause=cause)

    def made_for(self) -> dict[str, Any]:
        """What a line says of who asked."""
        return {"key": self.key, "purpose": self.purpose, "step": self.step, "item": self.item}

    def line(self, texts: bool) -> dict[str, Any]:
        """The exchange as a line of the journal, with or without request and reply."""
        fields = self.made_for()
        if self.failure is not None:
            return {**fields, "failure": self.failure}
        fields |= {"request": self.request, "reply": self.reply} if texts else {"model": self.model}
        fields |= {"finish_reason": self.finish_reason, "usage": asdict(self.usage)}
        if self.estimated:
            fields["estimated"] = True
        return {**fields, "usd": self.usd, "seconds": self.seconds}

    @staticmethod
    def of(row: Mapping[str, Any]) -> Entry:
        """Reads a line; its key is computed anew, so a line that was edited answers the request that it now holds.

        Raises:
            RecordError: A field is missing.
        """
        try:
            request = row.get("request")
            key = row["key"] if request is None else key_of(request)
            entry = Entry(key, row["purpose"], row["step"], row["item"])
            if "failure" in row:
                entry.failure = row["failure"]
                return entry
            return replace(
                entry,
                model=row.get("model") if request is None else request["model"],
                request=request,
                reply=row.get("reply"),
                finish_reason=row["finish_reason"],
                usage=Usage(**row["usage"]),
                estimated=row.get("estimated", False),
                usd=row["usd"],
                seconds=row["seconds"],
            )
        except (KeyError, TypeError) as error:
            raise RecordError(f"A line of calls.jsonl lacks a field of a call ({error!r}): {str(row)[:80]}.") from None


def sums(entries: Sequence[Entry]) -> dict[str, Any]:
    """What exchanges cost: ``usd`` (None if one has no known price), ``tokens`` and ``calls``."""
    dollars = [entry.usd for entry in entries]
    return {
        "usd": total(dollars),
        "tokens": sum(entry.usage.input + entry.usage.output for entry in entries),
        "calls": len(entries),
    }


def total(dollars: Sequence[float | None]) -> float | None:
    """The sum of dollars, the same in whatever order the calls were made; None if one is not known."""
    known = [usd for usd in dollars if usd is not None]
    return round(math.fsum(known), 9) if len(known) == len(dollars) else None
