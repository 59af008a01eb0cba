"""A limit of time and memory around code of a model's folder, such as a chat template that loops for ever."""

import contextlib
import resource
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

_STATM = Path("/proc/self/statm")  # the first number is this process's address space, in pages


@contextlib.contextmanager
def bounded(seconds: float, memory: int) -> Iterator[None]:
    """Stops what runs inside after so many seconds of wall time, or where it takes so many more bytes of address space.

    Both limits are this process's, and are afterwards as they were. They hold in the main thread, where students are
    made and prompts encoded; in others, and the one on memory outside Linux, they are left out.

    Raises:
        TimeoutError: The time is up.
        MemoryError: The memory is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it took more than {seconds:g} seconds")

    begun = time.monotonic()
    handler = signal.signal(signal.SIGALRM, stop)
    timer, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    space = resource.getrlimit(resource.RLIMIT_AS)
    try:
        if _STATM.exists() and space[0] == resource.RLIM_INFINITY:
            used = int(_STATM.read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + memory, space[1]))
        yield
    finally:
        left = max(timer - (time.monotonic() - begun), 0.001) if timer else 0.0  # somebody else's timer goes on
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, space)
