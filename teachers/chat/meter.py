"""What calls cost: prices by model, the most that a call can cost, a cap, and the estimate of a dry run."""

import asyncio
import bisect
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from tasks.errors import ConfigurationError
from teachers.chat.types import Answer, ChatRequest, Question, Reply, Usage

# Tokens that an endpoint may add to what is sent: roles and separators of each message, and its own wrapping of the
# schema. Generous on purpose: it only makes the reserved amount larger.
_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_CALL = 512

# For estimates. Byte-pair vocabularies take some 4 for English prose and fewer for formulas and JSON.
_BYTES_PER_TOKEN = 3.5


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; ``cached`` is for input that the endpoint has seen before."""

    input: float
    output: float
    cached: float

    def usd(self, usage: Usage) -> float:
        """Dollars for these tokens, to a millionth of a millionth so that sums read well."""
        fresh = max(usage.input - usage.cached, 0)
        cached = min(usage.cached, usage.input)
        return round((fresh * self.input + cached * self.cached + usage.output * self.output) / 1e6, 12)


class PriceTable:
    """The shipped prices (``prices.json``) under a user's own, in dollars per million tokens by model.

    ``{"my-model": {"input": 0.5, "output": 1.5, "cached": 0.25}}``; without ``cached``, cached input costs as much as
    other input.

    Raises:
        ConfigurationError: A price lacks a part, has one too many, or is not a number from 0 upwards.
    """

    def __init__(self, prices: Mapping[str, Mapping[str, float]] | None = None) -> None:
        shipped = json.loads(files("teachers.chat").joinpath("prices.json").read_text(encoding="utf-8"))
        self._prices = {model: Price(**price) for model, price in shipped["models"].items()}
        for model, price in (prices or {}).items():
            where = f"teacher.init_args.prices of {model!r}"
            if not isinstance(price, Mapping) or not {"input", "output"} <= set(price) <= {"input", "output", "cached"}:
                raise ConfigurationError(f"{where} is {price!r}: give input and output, and cached if you like.")
            for name, value in price.items():
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                    raise ConfigurationError(f"{where} has {name}: {value!r}, not dollars per million tokens.")
            self._prices[model] = Price(price["input"], price["output"], price.get("cached", price["input"]))

    def of(self, model: str) -> Price | None:
        """A model's price, None if unknown; ``gpt-4o-2024-11-20`` costs what ``gpt-4o`` costs."""
        return self._prices.get(model) or self._prices.get(re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model))


def most_tokens(request: ChatRequest) -> Usage:
    """More tokens than a request can be billed for.

    A token of a byte-level vocabulary has at least one byte, so the bytes sent bound the input; ``max_tokens``, which
    every request carries, bounds the output.
    """
    schema = json.dumps(dict(request.schema), ensure_ascii=False)
    texts = [request.schema_name, schema, *(message.content for message in request.messages)]
    sent = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return Usage(sent + _TOKENS_PER_MESSAGE * len(request.messages) + _TOKENS_PER_CALL, request.max_tokens)


class Meter:
    """Dollars spent and dollars reserved for calls in flight, under a cap; belongs to one event loop.

    Every attempt first reserves the most that it can cost. So the sum of what was billed never exceeds the cap, however
    many calls are in flight and however they end. ``spent`` starts at what earlier processes spent.
    """

    def __init__(self, max_usd: float | None = None, spent: float = 0.0) -> None:
        self.max_usd = max_usd
        self.spent = spent
        self.reserved = 0.0
        self._in_flight = 0
        self._waiting: list[tuple[tuple[int, ...], float, asyncio.Future[bool]]] = []

    async def reserve(self, usd: float, order: tuple[int, ...]) -> bool:
        """Waits until this many dollars are free; False if they never will be, because what is spent stays spent.

        ``order`` decides who comes first when dollars get short; smaller is earlier.
        """
        granted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        bisect.insort(self._waiting, (order, usd, granted), key=lambda waiting: waiting[0])
        self._admit()
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.result():
                self.settle(usd, 0.0)
            raise

    def settle(self, reserved: float, usd: float) -> None:
        """Ends a call: what it had reserved is free again, what it cost is spent."""
        self._in_flight -= 1
        # Exactly 0 between batches: a sum of floats would not come back to it.
        self.reserved = self.reserved - reserved if self._in_flight else 0.0
        self.spent += usd
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            _, usd, granted = self._waiting[0]
            fits = self.max_usd is None or self.spent + self.reserved + usd <= self.max_usd
            hopeless = self.max_usd is not None and self.spent + usd > self.max_usd
            if not (granted.done() or fits or hopeless or not self._in_flight):
                return  # calls in flight will free some of what they reserved
            self._waiting.pop(0)
            if granted.done():  # cancelled while it waited
                continue
            if fits:
                self.reserved += usd
                self._in_flight += 1
            granted.set_result(fits)


@dataclass(frozen=True, slots=True)
class Expected:
    """One call that would have been made."""

    purpose: str
    step: int
    model: str
    input: int
    output: int
    usd: float | None


@dataclass
class Rehearsal:
    """The calls of a dry run, in the order in which they would have been made."""

    calls: list[Expected] = field(default_factory=list)

    def answer(self, questions: Sequence[Question[Reply]], model: str, price: Price | None) -> list[Answer[Reply]]:
        """Counts questions to a model and answers each with its example; nothing is sent."""
        for question in questions:
            schema = str(question.schema.model_json_schema())
            texts = (question.system + question.prompt + schema, question.example.model_dump_json())
            asked, replied = (math.ceil(len(text.encode()) / _BYTES_PER_TOKEN) for text in texts)
            usd = None if price is None else (asked * price.input + replied * price.output) / 1e6
            self.calls.append(Expected(question.purpose, question.step, model, asked, replied, usd))
        return [Answer(question.example) for question in questions]

    def sums(self) -> dict[str, dict[str, Any]]:
        """Calls, input and output tokens and dollars by purpose, and of all under ``total``."""
        sums = {}
        for name in (*dict.fromkeys(call.purpose for call in self.calls), "total"):
            calls = [call for call in self.calls if name in (call.purpose, "total")]
            dollars = [call.usd for call in calls]
            sums[name] = {
                "calls": len(calls),
                "input": sum(call.input for call in calls),
                "output": sum(call.output for call in calls),
                "usd": None if None in dollars else sum(usd for usd in dollars if usd is not None),
            }
        return sums
