"""An event loop in a thread of its own, so that connections outlive the call that opened them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable

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

    def call(self, function: Callable[[], None]) -> None:
        """Calls a function in the loop's thread, soon."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="teacher calls", daemon=True)
                self._thread.start()
            loop = self._loop
        loop.call_soon_threadsafe(function)

    def at_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Has something closed, in the loop, before it ends."""
        if closer not in self._closers:
            self._closers.append(closer)

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
