"""Calls at the same time: their event loop, how many are in flight, and how long a retry waits."""

import asyncio
import os
import random
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any

# Calls at the start: accounts of the lowest paid tier allow them; a refusal halves the number and is not billed.
_START = 64

# A retry waits up to 0.5 s, 1 s, 2 s … of this much. Rate limits are per minute, so waiting longer gains nothing.
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0

# Calls that failed must not be sent again in step. Its own: no result may depend on how often a call failed.
_CHANCE = random.Random()

# An endpoint that asks for more than this (a daily limit) is asked again after it.
_LONGEST_PAUSE = 600.0

# Seconds that connections get to close when the process ends.
_LONGEST_CLOSING = 2.0


class Limiter:
    """Adapts the number of calls in flight to an endpoint; belongs to one event loop.

    Like TCP's: each success makes room for one more call until the first rate limit, four of them do after it, and a
    rate limit halves the room (once for all calls of a burst). While ``alone``, calls go one at a time, so that all
    others know what the first ones teach of the endpoint; the caller resets it.
    """

    def __init__(self, most: int, alone: bool = False) -> None:
        self.room = float(min(most, _START))
        self._most = most
        self._threshold = float(most)
        self._halvings = 0
        self._in_flight = 0
        self.alone = alone
        self._resume = 0.0
        self._alarm: asyncio.Handle | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self, first: bool = False) -> AsyncIterator[int]:
        """Waits until there is room for a call; gives the number of halvings so far, which ``rate_limited`` takes.

        ``first`` goes before those that wait: a retry or a re-ask ends a conversation that is paid for in part.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if first else self._waiting.append)(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise
        try:
            yield self._halvings
        finally:
            self._leave()

    def succeeded(self) -> None:
        """A call came back: makes room for more."""
        grown = self.room + (1.0 if self.room < self._threshold else 0.25)
        self.room = min(grown, float(self._most))
        self._let_in()

    def rate_limited(self, slot: int) -> None:
        """A call was refused; one that was sent before the last halving says nothing about the new room."""
        if slot == self._halvings:
            self._halvings += 1
            self.room = self._threshold = max(self.room / 2, 1.0)

    def pause(self, seconds: float) -> None:
        """The endpoint asks to wait: nothing is sent before then."""
        self._resume = max(self._resume, time.monotonic() + min(seconds, _LONGEST_PAUSE))

    def _leave(self) -> None:
        self._in_flight -= 1
        self._let_in()

    def _wake(self) -> None:
        self._alarm = None
        self._let_in()

    def _let_in(self) -> None:
        """Lets one call in and, a turn of the loop later, the next.

        Let in at once, a room full of calls would be prepared, sent and returned in step, over and over, with the
        client and the endpoint idle in turns.
        """
        while self._waiting and self._waiting[0].done():  # cancelled while it waited
            self._waiting.popleft()
        if not self._waiting or self._in_flight >= (1 if self.alone else int(self.room)) or self._alarm is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._resume - time.monotonic()
        if wait > 0:
            self._alarm = loop.call_later(wait, self._wake)
            return
        self._in_flight += 1
        self._waiting.popleft().set_result(None)
        self._alarm = loop.call_soon(self._wake)


def backoff(failures: int, retry_after: float | None) -> float:
    """Seconds that a call waits after so many failures: longer each time, and at least what the endpoint asks for."""
    wait = _CHANCE.uniform(0.5, 1.0) * min(_FIRST_WAIT * 2.0 ** (failures - 1), _LONGEST_WAIT)
    return max(wait, min(retry_after or 0.0, _LONGEST_PAUSE))


class BackgroundLoop:
    """An event loop in a thread of its own, so that connections outlive the call that opened them."""

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
