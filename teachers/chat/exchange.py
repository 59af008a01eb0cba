"""Questions on their way: the event loop, attempts, retries, the dollars reserved for each, and what is noted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from tasks.errors import DataEnvGymError
from teachers.chat.concurrency import Backoff, Limiter
from teachers.chat.conversation import Conversation
from teachers.chat.entry import Entry
from teachers.chat.journal import Journal
from teachers.chat.meter import Meter, Price, most_tokens
from teachers.chat.types import AttemptError, Chat, ChatRequest, failed_calls

# When an endpoint turns out to be unusable, calls in flight get so many seconds: what they bring is paid for.
_GRACE = 5.0

# A call in flight is told of after so many seconds.
_LONG = 10.0

# Seconds that connections get to close when the process ends.
_LONGEST_CLOSING = 2.0


class BackgroundLoop:
    """An event loop in a thread of its own, so that connections outlive the call that opened them.

    It starts when it is first needed; a replay never needs it.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._closers: list[Callable[[], Awaitable[None]]] = []

    def start(self, work: Coroutine[Any, Any, None], closer: Callable[[], Awaitable[None]]) -> Future[None]:
        """Runs a coroutine in the loop; ``closer`` is called there before the loop ends."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="teacher calls", daemon=True)
                self._thread.start()
            if closer not in self._closers:
                self._closers.append(closer)
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, function: Callable[[], None]) -> None:
        """Calls a function in the loop's thread, after what was started before."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """Closes connections and ends the thread."""
        loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None or self._process != os.getpid():  # a forked child has no such thread
            return
        if thread is threading.current_thread():
            loop.stop()
            return

        async def close_all() -> None:
            for closer in self._closers:
                await closer()

        closing = asyncio.run_coroutine_threadsafe(close_all(), loop)
        try:
            closing.result(_LONGEST_CLOSING)
        except TimeoutError:
            closing.cancel()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_LONGEST_CLOSING)
        if not thread.is_alive():
            loop.close()


@dataclass
class Books:
    """What is known of one run's calls."""

    journal: Journal
    meter: Meter
    counters: Counter[str] = field(default_factory=Counter)  # what went wrong, by name
    paid_calls: int = 0  # made now, not replayed
    paid_usd: float | None = 0.0  # what those cost; None once one has no known price
    replayed: int = 0
    ended: dict[int, list[Conversation[Any]]] = field(default_factory=dict)  # by step, until ``failed`` tells of it
    asking: dict[str, asyncio.Lock] = field(default_factory=dict)  # held while a request is under way, by its key

    def note(self, conversations: Sequence[Conversation[Any]]) -> None:
        """Counts what became of questions."""
        for conversation in conversations:
            question, failure = conversation.question, conversation.outcome.failure
            self.ended.setdefault(question.step, []).append(conversation)
            self.counters["reasks"] += conversation.reasks
            if failure:
                self.counters[f"failures/{failure}"] += 1
                self.counters["policy_defaults"] += question.purpose == "policy"

    def forget_failures(self) -> None:
        """Has the journal not use unusable replies again: the run ends with them, and a resume is to ask anew."""
        failed = [each for every in self.ended.values() for each in every if each.outcome.failure]
        self.journal.seal(
            entry.failed(str(each.outcome.failure))
            for each in failed
            for entry in each.trail
            if entry.reply is not None
        )

    def failed(self, step: int) -> str:
        """What became of a step's questions, on one line, if some failed; it is told once."""
        asked = self.ended.pop(step, [])
        failed = Counter(each.question.purpose for each in asked if each.outcome.failure)
        if not failed:
            return ""
        whose = ", ".join(f"{n} of the {purpose}" for purpose, n in failed.items())
        told = f"{failed_calls([each.outcome for each in asked])}; {whose}"
        if failed["policy"] == sum(each.question.purpose == "policy" for each in asked):
            told += ", which acted by its default" if failed["policy"] else ""
        return told


class Round:
    """Questions that are asked at once, in an event loop; ``answered`` gets a 1 for each that has its answer."""

    def __init__(self, chat: Chat, price: Price | None, limiter: Limiter, books: Books) -> None:
        self.answered: SimpleQueue[int] = SimpleQueue()
        self._chat = chat
        self._price = price
        self._limiter = limiter
        self._books = books
        self._backoff = Backoff()
        self._sending: dict[asyncio.Task[Any], float] = {}  # with the time of sending
        self._waits: dict[str, tuple[float, str]] = {}  # by key: when it is sent again, and what failed
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False

    async def ask(self, conversations: Sequence[Conversation[Any]]) -> None:
        """Carries conversations on until each has its answer; what comes back is in the journal at once.

        Raises:
            ChatError: The endpoint cannot be used.
            StorageError: The journal cannot be written.
        """
        if self._stopped:
            return
        self._tasks = [asyncio.create_task(self._converse(index, each)) for index, each in enumerate(conversations)]
        done, left = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        if left:
            for task in left - self._sending.keys():
                task.cancel()
            await asyncio.wait(left, timeout=_GRACE)
            self.cancel()
            await asyncio.wait(left)
        for error in [task.exception() for task in done if not task.cancelled()]:
            if error is not None:
                raise error

    def cancel(self) -> None:
        """Gives up what is under way, calls in flight included; ``ask`` ends when all of it is noted."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    def waiting(self) -> str:
        """What is being waited for, in a few words for people; empty while replies come as usual."""
        now, waits, sent = time.monotonic(), list(self._waits.values()), list(self._sending.values())
        parts = []
        if waits:
            cause, _ = Counter(cause for _, cause in waits).most_common(1)[0]
            number = "1 retry" if len(waits) == 1 else f"{len(waits)} retries"
            parts.append(f"{number} ({cause[:80]}), next in {max(0.0, min(waits)[0] - now):.0f} s")
        if sent and (longest := now - min(sent)) > _LONG:
            parts.append(f"{len(sent)} in flight, the longest for {longest:.0f} s")
        return f"waiting for the endpoint: {'; '.join(parts)}" if parts else ""

    async def _converse(self, index: int, conversation: Conversation[Any]) -> None:
        books = self._books
        while conversation.answer is None:
            asked, order = conversation.asked, (index, len(conversation.trail))
            # Whoever asks the same at the same time waits, and finds the one reply in the journal.
            async with books.asking.setdefault(asked.key, asyncio.Lock()):
                entry = books.journal.find(asked) or await self._attempts(asked, conversation.request, order)
            conversation.take(entry)
        self.answered.put(1)

    async def _attempts(self, asked: Entry, request: ChatRequest, order: tuple[int, int]) -> Entry:
        """Sends a request until there is a reply or no sense in trying again."""
        usd = None if self._price is None else self._price.usd(most_tokens(request))
        cause = ""
        for attempt in range(1, self._chat.max_attempts + 1):
            async with self._limiter.slot(first=order[1] > 0 or attempt > 1) as slot:
                if self._stopped:
                    raise asyncio.CancelledError
                if usd is not None and not await self._books.meter.reserve(usd, (*order, attempt)):
                    return asked.failed("over_cap")
                try:
                    return await self._attempt(asked, request, usd)
                except AttemptError as error:
                    cause = error.detail
                    if error.reason in ("too_long", "rejected"):  # and would be again
                        return asked.failed(error.reason, cause)
                    self._books.counters[f"retries/{error.reason}"] += 1
                    if error.reason == "rate_limit":
                        self._limiter.rate_limited(slot)
                    self._limiter.pause(error.retry_after or 0.0)
                    wait = self._backoff.seconds(attempt, error.retry_after)
                except DataEnvGymError:
                    self._stopped = True  # before this slot is free: whoever waits for it would ask the same endpoint
                    raise
                finally:
                    self._limiter.alone = self._limiter.alone and self._chat.in_doubt
            if attempt < self._chat.max_attempts:
                self._waits[asked.key] = (time.monotonic() + wait, cause)
                try:
                    await asyncio.sleep(wait)
                finally:
                    del self._waits[asked.key]
        return asked.failed("gave_up", cause)

    async def _attempt(self, asked: Entry, request: ChatRequest, usd: float | None) -> Entry:
        """One attempt; its reservation ends with it, however it ends."""
        books, task = self._books, asyncio.current_task()
        assert task is not None
        spent = 0.0
        try:
            number = books.journal.begin(asked, usd)
            self._sending[task] = started = time.monotonic()
            try:
                reply = await self._chat.complete(request)
            except (AttemptError, asyncio.CancelledError) as error:
                if isinstance(error, AttemptError) and not error.maybe_billed:
                    books.journal.freed(number)
                else:
                    spent = usd or 0.0
                    books.counters["lost"] += 1
                    books.journal.lose(number)
                raise
            except Exception:
                with contextlib.suppress(OSError):  # the first error is the one to tell
                    books.journal.freed(number)
                raise
            asked.seconds = round(time.monotonic() - started, 3)
            # Without word from the endpoint the most that it can be is noted: a cap must not rest on a guess.
            asked.usage, asked.estimated = reply.usage or most_tokens(request), reply.usage is None
            asked.reply, asked.finish_reason = reply.text, reply.finish_reason
            asked.usd = None if self._price is None else self._price.usd(asked.usage)
            spent = asked.usd or 0.0
            books.journal.done(number, asked)
        finally:
            self._sending.pop(task, None)
            if usd is not None:
                books.meter.settle(usd, spent)
        self._limiter.succeeded()
        books.paid_calls += 1
        books.paid_usd = None if books.paid_usd is None or asked.usd is None else books.paid_usd + asked.usd
        return asked
