"""The parent's side of the sympy worker: started when first needed, used again and again, replaced when it dies.

Works in any thread of any process: no signals, one worker per process (a forked child starts its own), one request at
a time. Time-outs and crashes are counted (``counts()``) and logged.
"""

import atexit
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tasks.errors import ConfigurationError

logger = logging.getLogger(__name__)

# What is asked of two formulas: one value, or that the first is a (positive) multiple of the second.
Mode = Literal["value", "multiple", "positive multiple"]

_PROGRAM = Path(__file__).with_name("sympy_worker.py")

# Wall-clock seconds for a start on a busy machine (a start takes one), and how many times an item's limit of processor
# time may pass on the clock, before a worker is taken for stuck. Generous: a result should not depend on the load.
_START_SECONDS = 120.0
_PATIENCE = 12.0


@dataclass
class Counts:
    """Pairs that needed sympy in this process, and of these the time-outs and crashes, which count as different."""

    compared: int = 0
    timeouts: int = 0
    crashes: int = 0


class SympyProcess:
    """Compares LaTeX expressions in a process that can be killed, within ``seconds`` of processor time each."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.seconds = seconds
        self.counts = Counts()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def same(self, first: str, second: str, mode: Mode = "value") -> tuple[bool, float]:
        """Whether two expressions have the same value, and the processor seconds that it took to say so.

        Other modes ask whether one is a constant multiple of the other, as the differences of the sides of two
        equations are that say the same, or a positive one, as those of two inequalities are. What cannot be said within
        the limit is False, and the seconds are the limit's.

        Raises:
            ConfigurationError: The worker cannot be started: sympy or the LaTeX grammar is not installed.
        """
        with self._lock:
            try:
                if self._process is None or self._process.poll() is not None:
                    self._end()
                    self._process = self._start()
                process = self._process
                self.counts.compared += 1
                reply = _ask(process, (first, second, mode), self.seconds * _PATIENCE)
            except BaseException:
                self._end()  # Ctrl-C, say: the reply under way must not be taken for that to the next request
                raise
            if reply:
                result, seconds = json.loads(reply)
                return bool(result), float(seconds)
            self._record_end(process, reply is None, first, second)
            return False, self.seconds

    def close(self) -> None:
        """Ends the worker; the next comparison starts another."""
        with self._lock:
            self._end()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            # -P: the folder of the program is not searched for modules, the names in it are our own.
            [sys.executable, "-P", str(_PROGRAM), str(self.seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the grammar prints what it cannot read
            env={**os.environ, "PYTHONHASHSEED": "0"},  # sympy's choices follow the order of sets
        )
        if _read_line(process, _START_SECONDS) != b"ready":
            process.kill()
            process.wait()
            raise ConfigurationError(
                f"The process that compares formulas does not start ({_PROGRAM.name} ended with {process.returncode}): "
                "reinstall math-verify and antlr4-python3-runtime as setup.py pins them."
            )
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                pass  # a request that the worker never read

    def _record_end(self, process: subprocess.Popen[bytes], stuck: bool, first: str, second: str) -> None:
        """Counts a worker that gave no answer, as a time-out or a crash, and clears it away."""
        if stuck:
            process.kill()
        status = process.wait()
        if stuck or status == -signal.SIGPROF:
            self.counts.timeouts += 1
            what = f"took more than {self.seconds:g} s"
        else:
            self.counts.crashes += 1
            what = f"ended the comparing process (status {status})"
        logger.warning("Comparing %.80r with %.80r %s: counted as different.", first, second, what)
        self._end()


def _ask(process: subprocess.Popen[bytes], request: tuple[str, str, Mode], seconds: float) -> bytes | None:
    assert process.stdin is not None
    try:
        # A request is shorter than a pipe's buffer (equivalence.py bounds it), so that writing never waits.
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        return b""  # it died between two requests
    return _read_line(process, seconds)


def _read_line(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    assert process.stdout is not None
    line, deadline = b"", time.monotonic() + seconds
    poller = select.poll()  # select() itself cannot watch a descriptor above 1023
    poller.register(process.stdout, select.POLLIN)
    while not line.endswith(b"\n"):
        if not poller.poll(1000 * max(0.0, deadline - time.monotonic())):
            return None
        piece = os.read(process.stdout.fileno(), 4096)
        if not piece:
            return b""
        line += piece
    return line.strip()


_shared = SympyProcess()


def shared_process() -> SympyProcess:
    """The one that all scoring in this Python process uses."""
    return _shared


def counts() -> dict[str, int]:
    """The counters of this process's worker."""
    return asdict(_shared.counts)


def _after_fork() -> None:
    # The pipes and perhaps a held lock are the parent's: the child has a worker of its own or none.
    global _shared
    _shared = SympyProcess(_shared.seconds)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: _shared.close())
