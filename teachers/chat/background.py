"""An event loop in a thread of its own, so that connections outlive the call that opened them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any

# Seconds that connections get to close when the process ends.
_LONGEST_CLOSING = 2.0


class BackgroundLoop:
    """Starts when it is first needed; a replay never needs it."""

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
        closing = asyncio.run_coroutine_threadsafe(self._close_all(), loop)
        try:
            closing.result(_LONGEST_CLOSING)
        except TimeoutError:
            closing.cancel()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_LONGEST_CLOSING)
        if not thread.is_alive():
            loop.close()

    async def _close_all(self) -> None:
        for closer in self._closers:
            await closer()
