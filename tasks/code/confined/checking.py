"""The process that runs a benchmark's own check against a function which lives in another process.

The check's assertions and the values that they hold are here; the program sees the arguments of one call after another
and answers with data. The check comes to a fork server of its own, which runs no programs. So a program can neither
read what is expected of it nor make an assertion pass by itself.
"""

import linecache
import random
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, NoReturn

from tasks.code.confined import values
from tasks.code.confined.frames import FrameError, read_frame, write_frame
from tasks.code.confined.program import CALLS, CHANNEL, REPLIES, Surroundings, _leave, confine, fault, read_payload

_CHECK = "<check>"


class _Gone(BaseException):
    """The program failed or ended; no ``except Exception`` of a check catches this."""


class _Program:
    """The program's functions, as seen from here; of a reply, ``limit`` bytes are read at most."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.calls = 0
        self.total = 0
        self.gone = False

    def function(self, name: str) -> Callable[..., Any]:
        """Looks like one of them, and asks the program for every result."""

        def ask(*arguments: Any) -> Any:
            return self._ask(name, arguments)

        return ask

    def _ask(self, name: str, arguments: tuple[Any, ...]) -> Any:
        self.calls += 1
        self.total += 1
        try:
            write_frame(CALLS, values.dumps([name, values.encode(list(arguments))]))
            payload = read_frame(REPLIES, self.limit)
            row = None if payload is None else values.loads(payload)
            if isinstance(row, dict) and "value" in row:
                return values.decode(row["value"])
        except (OSError, FrameError, values.NotPlainError):
            pass
        self.gone = True
        raise _Gone


def run_check(request: Mapping[str, Any], start: int, around: Surroundings) -> NoReturn:
    """Runs ``check(candidate)`` and reports whether it passed, and if not, which line failed at which call.

    A check may use what else the problem defines (an encoder, to test a decoder). It has to pass with the problem's own
    definitions, so that a program cannot pass by bending them, and then once more with the program's, as in the
    benchmark's own harness, where both are one. ``start`` is not used: a check is one test.
    """
    task = read_payload()
    confine(request["limits"], around, links=True)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    program = _Program(int(request["limits"]["output"]))
    source = task["check"]
    linecache.cache[_CHECK] = (len(source), None, source.splitlines(keepends=True), _CHECK)
    row: dict[str, Any] = {"passed": True}
    try:
        helpers = _checked(task, program, ())
        if not program.calls:
            row = {"broken": "the check never calls the function"}
        elif helpers:
            _checked(task, program, helpers)
    except _Gone:
        pass
    except AssertionError as error:
        row = {"failed": _line(error)}
    except Exception as error:  # a reply of another type than expected makes the check itself stumble
        told = fault(error)["message"][:200]
        # Before the first call nothing is there that could make it stumble but the check.
        if program.total:
            row = {"failed": f"{_line(error)} ({told})"}
        else:
            row = {"broken": f"the check fails by itself ({told})"}
    if program.gone:
        row = {"gone": True}  # whatever the check made of it
    row["calls"] = program.calls
    write_frame(CHANNEL, values.dumps(row))
    _leave(0)


def _checked(task: Mapping[str, Any], program: _Program, asked: Sequence[str]) -> list[str]:
    """Runs the check with some of the helpers asked of the program; gives the helpers that it uses."""
    random.seed(0)
    program.calls, entry = 0, task["entry"]
    namespace: dict[str, Any] = {"__name__": "check"}
    exec(compile(task["prelude"], "<prelude>", "exec"), namespace)
    defined = [name for name, value in namespace.items() if isinstance(value, FunctionType) and name != entry]
    code = compile(task["check"], _CHECK, "exec")
    namespace |= {name: program.function(name) for name in (entry, *asked)}
    exec(code, namespace)
    namespace["check"](namespace[entry])
    return [name for name in defined if re.search(rf"\b{name}\b", task["check"])]


def _line(error: BaseException) -> str:
    trace, number = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _CHECK:
            number = trace.tb_lineno
        trace = trace.tb_next
    return linecache.getline(_CHECK, number).strip()[:200]
