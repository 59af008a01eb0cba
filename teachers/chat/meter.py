"""What calls cost: prices by model, the most that a call can cost, and a cap that calls in flight count against."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from tasks.errors import ConfigurationError
from teachers.chat.types import ChatRequest, Usage

# Tokens that an endpoint may add to what is sent: roles and separators of each message, and its own wrapping of the
# schema. Generous on purpose: it only makes the reserved amount larger.
_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_CALL = 512

_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


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
    """The shipped prices (``prices.json``) under a user's own.

    Args:
        prices: Dollars per million tokens by model: ``{"my-model": {"input": 0.5, "output": 1.5, "cached": 0.25}}``;
            without ``cached``, cached input costs as much as other input.

    Raises:
        ConfigurationError: A price lacks a part, has one too many, or is not a number from 0 upwards.
    """

    def __init__(self, prices: Mapping[str, Mapping[str, float]] | None = None) -> None:
        shipped = json.loads(files("teachers.chat").joinpath("prices.json").read_text(encoding="utf-8"))
        self._prices = {model: Price(**price) for model, price in shipped["models"].items()}
        self._prices.update({model: _price(model, price) for model, price in (prices or {}).items()})

    def of(self, model: str) -> Price | None:
        """A model's price, None if unknown; ``gpt-4o-2024-11-20`` costs what ``gpt-4o`` costs."""
        return self._prices.get(model) or self._prices.get(_DATED.sub("", model))


def _price(model: str, given: Mapping[str, float]) -> Price:
    where = f"teacher.init_args.prices of {model!r}"
    if not isinstance(given, Mapping) or not {"input", "output"} <= set(given) <= {"input", "output", "cached"}:
        raise ConfigurationError(f"{where} is {given!r}: give input and output, and cached if you like.")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ConfigurationError(f"{where} has {name}: {value!r}, not dollars per million tokens.")
    return Price(given["input"], given["output"], given.get("cached", given["input"]))


def most_tokens(request: ChatRequest) -> Usage:
    """More tokens than a request can be billed for.

    A token of a byte-level vocabulary is at least one byte long, so the bytes of all that is sent bound the input;
    ``max_tokens``, which every request carries, bounds the output.
    """
    schema = json.dumps(dict(request.schema), ensure_ascii=False)
    texts = [request.schema_name, schema, *(message.content for message in request.messages)]
    sent = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return Usage(sent + _TOKENS_PER_MESSAGE * len(request.messages) + _TOKENS_PER_CALL, request.max_tokens)


class Meter:
    """Dollars spent and dollars reserved for calls in flight, under a cap.

    Every attempt reserves the most that it can cost before it is sent. So the sum of what was billed never exceeds
    the cap, however many calls are in flight and however they end.

    ``reserve`` and ``settle`` belong to one event loop.

    Args:
        max_usd: The cap; None for none.
        spent: Dollars that were spent before.
    """

    def __init__(self, max_usd: float | None = None, spent: float = 0.0) -> None:
        self.max_usd = max_usd
        self.spent = spent
        self.reserved = 0.0
        self._in_flight = 0
        self._waiting: list[tuple[tuple[int, ...], int, float, asyncio.Future[bool]]] = []
        self._ticket = itertools.count()

    async def reserve(self, usd: float, order: tuple[int, ...]) -> bool:
        """Waits until this many dollars are free; False if they never will be, because what is spent stays spent.

        Args:
            usd: The most that the call can cost.
            order: Who comes first when dollars get short; smaller is earlier.
        """
        granted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._ticket), usd, granted))
        self._admit()
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.result():
                self.settle(usd, 0.0)
            raise

    def settle(self, reserved: float, usd: float) -> None:
        """A call has ended: what it had reserved is free again, what it cost is spent."""
        self._in_flight -= 1
        # Back to exactly 0 between batches: sums of floats would leave crumbs.
        self.reserved = self.reserved - reserved if self._in_flight else 0.0
        self.spent += usd
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            _, _, usd, granted = self._waiting[0]
            fits = self.max_usd is None or self.spent + self.reserved + usd <= self.max_usd
            hopeless = self.max_usd is not None and self.spent + usd > self.max_usd
            if not (granted.done() or fits or hopeless or not self._in_flight):
                return  # calls in flight will free some of what they reserved
            heapq.heappop(self._waiting)
            if granted.done():  # cancelled while it waited
                continue
            if fits:
                self.reserved += usd
                self._in_flight += 1
            granted.set_result(fits)
