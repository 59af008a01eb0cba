"""Requests on their way: attempts, retries, the dollars reserved for each, and what is noted before and after."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from tasks.errors import DataEnvGymError
from teachers.chat.background import BackgroundLoop
from teachers.chat.concurrency import Backoff, Limiter, Slot
from teachers.chat.entry import Entry
from teachers.chat.journal import Journal
from teachers.chat.meter import Meter, Price, most_tokens
from teachers.chat.types import AttemptError, Chat, ChatReply, ChatRequest

# When an endpoint turns out to be unusable, calls in flight get this many seconds to come back, because what they
# bring is paid for. Refusals, which is what they mostly are then, come at once.
_GRACE = 5.0


@dataclass
class Books:
    """What is known of one run's calls.

    Args:
        journal: The calls themselves.
        meter: Dollars.
        counters: What went wrong, by name.
        paid_calls: Calls that were made now, not replayed.
        paid_usd: What those cost; None once one has no known price.
        replayed: Calls that were answered from the journal.
        asked: Requests in flight by key: who asks the same at the same time waits for the one reply.
    """

    journal: Journal
    meter: Meter
    counters: Counter[str] = field(default_factory=Counter)
    paid_calls: int = 0
    paid_usd: float | None = 0.0
    replayed: int = 0
    asked: dict[str, asyncio.Future[Entry]] = field(default_factory=dict)


@dataclass(frozen=True)
class Errand:
    """A request to be sent.

    Args:
        index: The question's index among those that are asked together.
        turn: How many exchanges its conversation has had.
        request: The request.
        asked: The exchange that it begins.
    """

    index: int
    turn: int
    request: ChatRequest
    asked: Entry


class Exchanges:
    """The requests of one round of questions. Made and read by the thread that asks, run by the loop's.

    Args:
        chat: The chat model.
        price: Its price, if known.
        limiter: How many calls may be in flight.
        books: Where they are noted.
        loop: Where they run.
    """

    def __init__(self, chat: Chat, price: Price | None, limiter: Limiter, books: Books, loop: BackgroundLoop) -> None:
        self._chat = chat
        self._price = price
        self._limiter = limiter
        self._books = books
        self._loop = loop
        self._backoff = Backoff()
        self._results: SimpleQueue[list[tuple[int, Entry | BaseException]]] = SimpleQueue()
        self._finished_now: list[tuple[int, Entry | BaseException]] = []
        self._received: deque[tuple[int, Entry | BaseException]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sending: set[asyncio.Task[Any]] = set()
        self._stopped = False
        self._outstanding = 0

    def send(self, errands: Sequence[Errand]) -> None:
        """Has requests sent, as soon as there is room for them."""
        self._outstanding += len(errands)

        def start() -> None:
            for errand in errands:
                task = asyncio.get_running_loop().create_task(self._exchange(errand))
                self._tasks.add(task)
                task.add_done_callback(functools.partial(self._finished, errand.index))

        self._loop.call(start)

    def receive(self) -> tuple[int, Entry]:
        """Waits for the next reply: the question's index and the exchange.

        Raises:
            ChatError: The endpoint cannot be used.
        """
        index, result = self._next()
        if isinstance(result, BaseException):
            raise result
        return index, result

    def stop(self, grace: bool) -> None:
        """Sends nothing more and waits until nothing is in flight; what comes back meanwhile is in the journal.

        Args:
            grace: Wait some seconds for calls in flight before they are given up.
        """

        def cancel(everything: bool) -> None:
            self._stopped = True
            for task in self._tasks if everything else self._tasks - self._sending:
                task.cancel()

        def cancel_later() -> None:
            cancel(everything=False)
            asyncio.get_running_loop().call_later(_GRACE, cancel, True)

        if self._outstanding:
            self._loop.call(cancel_later if grace else lambda: cancel(everything=True))
        while self._outstanding:
            self._next()

    def _next(self) -> tuple[int, Entry | BaseException]:
        if not self._received:
            self._received.extend(self._results.get())
        self._outstanding -= 1
        return self._received.popleft()

    def _finished(self, index: int, task: asyncio.Task[Entry]) -> None:
        self._tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        # Handed over together once a turn of the loop: each handing over makes the two threads wait for each other.
        if not self._finished_now:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._finished_now.append((index, task.result() if error is None else error))

    def _hand_over(self) -> None:
        finished, self._finished_now = self._finished_now, []
        self._results.put(finished)

    async def _exchange(self, errand: Errand) -> Entry:
        asked, books = errand.asked, self._books
        if not books.journal.texts:
            return await self._attempts(asked, errand)
        found = books.journal.find(asked)  # made for another question since this one was looked up
        if found is not None:
            return found
        if asked.key in books.asked:
            return await asyncio.shield(books.asked[asked.key])
        shared = books.asked[asked.key] = asyncio.get_running_loop().create_future()
        try:
            entry = await self._attempts(asked, errand)
        except BaseException as error:
            shared.set_exception(error if isinstance(error, Exception) else RuntimeError("cancelled"))
            shared.exception()  # so that asyncio does not report it as unread
            raise
        else:
            shared.set_result(entry)
            return entry
        finally:
            del books.asked[asked.key]

    async def _attempts(self, asked: Entry, errand: Errand) -> Entry:
        """Sends a request until there is a reply or no sense in trying again."""
        bound = most_tokens(errand.request)
        usd = None if self._price is None else self._price.usd(bound)
        for attempt in range(1, self._chat.max_attempts + 1):
            wait = 0.0
            async with self._limiter.slot(first=errand.turn > 0 or attempt > 1) as slot:
                if self._stopped:
                    raise asyncio.CancelledError
                if usd is not None and not await self._books.meter.reserve(usd, (errand.index, errand.turn, attempt)):
                    return Entry(asked.key, asked.label, failure="over_cap")
                try:
                    return await self._attempt(asked, errand.request, usd)
                except AttemptError as error:
                    self._books.counters[f"retries/{error.reason}"] += 1
                    wait = self._note(error, slot, attempt)
                except DataEnvGymError:
                    self._stopped = True  # before this slot is free: whoever waits for it would ask the same endpoint
                    raise
            if attempt < self._chat.max_attempts:
                await asyncio.sleep(wait)
        return Entry(asked.key, asked.label, failure="gave_up")

    async def _attempt(self, asked: Entry, request: ChatRequest, usd: float | None) -> Entry:
        """One attempt; its reservation ends with it, however it ends."""
        books, task = self._books, asyncio.current_task()
        assert task is not None
        spent = 0.0
        billed = False
        try:
            number = books.journal.begin(asked.key, asked.label, usd)
            self._sending.add(task)
            try:
                started = time.monotonic()
                reply = await self._chat.complete(request)
                billed = True
                self._fill(asked, reply, request, time.monotonic() - started)
                spent = asked.usd or 0.0
                books.journal.done(number, asked)
            except (AttemptError, asyncio.CancelledError) as error:
                if not isinstance(error, AttemptError) or error.maybe_billed:
                    spent = usd or 0.0
                    books.counters["lost"] += 1
                    books.journal.lose(number)
                else:
                    books.journal.freed(number)
                raise
            except Exception:
                if not billed:
                    with contextlib.suppress(OSError):  # the first error is the one to tell
                        books.journal.freed(number)
                raise
            finally:
                self._sending.discard(task)
        finally:
            if usd is not None:
                books.meter.settle(usd, spent)
        self._limiter.succeeded()
        books.paid_calls += 1
        books.paid_usd = None if books.paid_usd is None or asked.usd is None else books.paid_usd + asked.usd
        return asked

    def _fill(self, entry: Entry, reply: ChatReply, request: ChatRequest, seconds: float) -> None:
        # Without word from the endpoint the most that it can be is written down: a cap must not rest on a guess.
        entry.usage = reply.usage or most_tokens(request)
        entry.estimated = reply.usage is None
        entry.reply, entry.finish_reason = reply.text, reply.finish_reason
        entry.usd = None if self._price is None else self._price.usd(entry.usage)
        entry.seconds = round(seconds, 3)

    def _note(self, error: AttemptError, slot: Slot, attempt: int) -> float:
        """Passes a failed attempt on to the limiter; returns how long to wait before the next."""
        if error.reason == "rate_limit":
            self._limiter.rate_limited(slot)
        if error.retry_after:
            self._limiter.pause(error.retry_after)
        return self._backoff.seconds(attempt, error.retry_after)
