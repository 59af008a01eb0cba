"""The process that runs a benchmark's own check against a function which lives in another process.

The check's assertions and the values that they hold are here; the program sees the arguments of one call after another
and answers with data. So a program can neither read what is expected of it nor make an assertion pass by itself.
"""

from __future__ import annotations

import linecache
import random
import signal
from collections.abc import Mapping
from typing import Any, NoReturn

from tasks.code.confined import values
from tasks.code.confined.frames import FrameError, read_frame, write_frame
from tasks.code.confined.program import CALLS, CHANNEL, REPLIES, Surroundings, _leave, confine

_CHECK = "<check>"


class _Gone(BaseException):
    """The program failed or ended; no ``except Exception`` of a check catches this."""


class _Candidate:
    """Looks like the function that is checked, and asks the program for every result.

    Args:
        limit: Longest reply that is read, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.calls = 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        try:
            write_frame(CALLS, values.dumps(values.encode(list(arguments))))
            payload = read_frame(REPLIES, self.limit)
            row = None if payload is None else values.loads(payload)
            if isinstance(row, dict) and "value" in row:
                return values.decode(row["value"])
        except (OSError, FrameError, values.NotPlainError):
            pass
        raise _Gone


def run_check(request: Mapping[str, Any], around: Surroundings) -> NoReturn:
    """Runs ``check(candidate)`` and reports whether it passed, and if not, which line failed at which call."""
    confine(request["limits"], around, links=True)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    random.seed(0)
    candidate = _Candidate(int(request["limits"]["output"]))
    source = request["check"]
    linecache.cache[_CHECK] = (len(source), None, source.splitlines(keepends=True), _CHECK)
    namespace: dict[str, Any] = {"__name__": "check"}
    row: dict[str, Any] = {"passed": True}
    try:
        # Checks may use what the problem defines beside the function, and call the function by its name.
        exec(compile(request["prelude"], "<prelude>", "exec"), namespace)
        namespace[request["entry"]] = candidate
        exec(compile(source, _CHECK, "exec"), namespace)
        namespace["check"](candidate)
        if not candidate.calls:
            row = {"broken": "the check never calls the function"}
    except _Gone:
        row = {"gone": True}
    except AssertionError as error:
        row = {"failed": _line(error)}
    except Exception as error:  # a reply of another type than expected makes the check itself stumble
        row = {"failed": f"{_line(error)} ({type(error).__name__}: {error})"[:300]}
    row["calls"] = candidate.calls
    write_frame(CHANNEL, values.dumps(row))
    _leave(0)


def _line(error: BaseException) -> str:
    trace, number = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _CHECK:
            number = trace.tb_lineno
        trace = trace.tb_next
    return linecache.getline(_CHECK, number).strip()[:200]
