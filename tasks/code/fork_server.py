"""The caller's end of a fork server: starts it, sends it programs, judges what comes back, and never trusts it to."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.code.comparison import same_output, same_value
from tasks.code.confined import values
from tasks.code.confined.frames import FrameBuffer, write_frame
from tasks.code.verdict import CallTest, Isolation, Job, Level, Limits, Outcome, SandboxError, StdinTest, Verdict

_ANSWER_LIMIT = 1 << 30
# The package is loaded without running ``tasks/__init__`` and ``tasks/code/__init__``, which import much more.
_BOOTSTRAP = """
import sys, types
folder, settings = sys.argv[1:3]
for name, path in (("tasks", folder), ("tasks.code", folder + "/code")):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = [path]
from tasks.code.confined.server import main
main(settings)
"""
_LIMIT_OUTCOMES: Mapping[str, Outcome] = {"time": "time_limit", "output": "output_limit", "memory": "memory_limit"}
_FORBIDDEN_SIGNAL, _MEMORY_SIGNAL, _CPU_SIGNAL, _FILE_SIGNAL = 31, 9, 24, 25


class ForkServer:
    """One fork server, one program at a time.

    Args:
        level: The isolation that is asked for.
        readable: Further folders that programs may import from.
        scratch_bytes: Size of the scratch folder, where it is a file system of its own.

    Raises:
        SandboxError: The server does not start.
    """

    def __init__(self, level: Level, readable: tuple[str, ...], scratch_bytes: int) -> None:
        if not hasattr(os, "fork"):
            raise SandboxError(
                f"Programs cannot be sandboxed on {sys.platform}, which has no fork: use Linux or macOS."
            )
        self.owner = os.getpid()
        self._number = 0
        self._lock = threading.Lock()
        self._buffer = FrameBuffer(_ANSWER_LIMIT)
        self._frames: deque[bytes] = deque()
        self._folder = tempfile.mkdtemp(prefix="dataenvgym-sandbox-")
        ours, theirs = socket.socketpair()
        self._socket = ours
        settings = {
            "level": level,
            "folder": self._folder,
            "extra": list(readable),
            "scratch_bytes": scratch_bytes,
            "scratch_files": 2048,
            "io_bytes": scratch_bytes + (256 << 20),
        }
        package = str(Path(__file__).resolve().parents[1])
        self._log = tempfile.TemporaryFile()
        process = subprocess.Popen(
            # No site-packages, no current folder, no .pyc files; one hash seed, so that verdicts repeat.
            [_interpreter(), "-s", "-S", "-P", "-B", "-c", _BOOTSTRAP, package, values.dumps(settings).decode()],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"},
            cwd="/",
            start_new_session=True,
        )
        theirs.close()
        self._process = process
        # Runs at close(), when this object is collected, or when the interpreter ends, whichever comes first.
        self._end = weakref.finalize(self, _end, self.owner, ours, process, self._folder)
        hello = self._next()
        self.isolation = Isolation(frozenset(hello[1]["layers"]), dict(hello[1]["missing"]))
        if "mount" in self.isolation.layers:
            shutil.rmtree(self._folder, ignore_errors=True)  # the server has left for file systems of its own

    def close(self) -> None:
        """Ends the server and removes its folder; may be called again."""
        self._end()

    def judge(self, job: Job, limits: Limits) -> Verdict:
        """The verdict on one program.

        Raises:
            SandboxError: The server broke.
        """
        with self._lock:
            self._number += 1
            self._write(self._request(job, limits))
            judge = _Judge(job, self.isolation)
            while True:
                kind, row = self._next()
                if kind == b"S":
                    return judge.end(row)
                if judge.take(kind, row) == "stop":
                    self._write({"cancel": self._number})

    def _request(self, job: Job, limits: Limits) -> dict[str, Any]:
        tests: list[Any] = []
        for test in job.tests:
            tests.append(test.stdin if isinstance(test, StdinTest) else values.encode(list(test.arguments)))
        mode = "check" if job.check is not None else "call" if job.entry_point is not None else "stdin"
        longest = max((len(test.stdin) for test in job.tests if isinstance(test, StdinTest)), default=0)
        count = max(1, len(job.tests))
        return {
            "id": self._number,
            "mode": mode,
            "source": job.source,
            "tests": tests,
            "entry": job.entry_point,
            "check": job.check,
            "prelude": job.prelude,
            "preamble": job.preamble,
            "limits": {
                "seconds": limits.seconds,
                "total": limits.total_seconds or limits.seconds * count,
                "memory": limits.memory,
                "output": limits.output,
                # One limit holds for standard output, for files and for the file that is standard input.
                "file": max(limits.output, limits.file, 4 * longest) + 1,
                "processes": limits.processes,
            },
        }

    def _write(self, row: Mapping[str, Any]) -> None:
        # If the server is gone, reading says so and why.
        with contextlib.suppress(OSError):
            write_frame(self._socket.fileno(), values.dumps(row))

    def _next(self) -> tuple[bytes, Any]:
        while not self._frames:
            data = b""
            with contextlib.suppress(OSError):
                data = os.read(self._socket.fileno(), 1 << 18)
            if not data:
                self._log.seek(0)
                last = self._log.read().decode("utf-8", "replace").strip().splitlines()[-1:]
                raise SandboxError(f"The sandbox's server ended ({' '.join(last) or 'killed'}): run the program again.")
            self._frames.extend(self._buffer.feed(data))
        payload = self._frames.popleft()
        try:
            return payload[:1], values.loads(payload[1:])
        except values.NotPlainError:
            return payload[:1], None  # only a program writes such a report


def _end(owner: int, connection: socket.socket, process: subprocess.Popen[bytes], folder: str) -> None:
    if owner != os.getpid():
        return  # a fork of the process that the server belongs to
    connection.close()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _interpreter() -> str:
    return getattr(sys, "_base_executable", None) or sys.executable


class _Judge:
    """Compares what a program reports, in the order of its tests, with what is expected; all of it may be forged.

    Args:
        job: The program's job.
        isolation: What it runs under.
    """

    def __init__(self, job: Job, isolation: Isolation) -> None:
        self.job = job
        self.isolation = isolation
        self.done = 0
        self.failure: tuple[Outcome, str] | None = None
        self.checked: dict[str, Any] = {}

    def take(self, kind: bytes, row: Any) -> str:
        """Takes a report; ``stop`` says that what follows does not matter."""
        if kind == b"J":
            self.checked = row if isinstance(row, dict) else {}
            return ""
        if self.failure is not None:
            return ""
        self.failure = self._fault(row)
        if self.failure is None:
            self.done += 1
            return ""
        return "stop" if self.done < len(self.job.tests) - 1 else ""

    def _fault(self, row: Any) -> tuple[Outcome, str] | None:
        if not isinstance(row, dict):
            return "runtime_error", "the program garbled its own report"
        if "unconfined" in row:
            raise SandboxError(f"A program could not be confined ({row['unconfined']}), so it was not run.")
        for key, outcome in (("forbidden", "forbidden"), ("compile", "compile_error")):
            if key in row:
                return outcome, str(row[key])  # type: ignore[return-value]
        if "error" in row:
            return _LIMIT_OUTCOMES.get(str(row["error"]), "runtime_error"), str(row.get("message", ""))
        if self.job.check is not None or self.done >= len(self.job.tests):
            return "runtime_error", "the program garbled its own report"
        return self._compared(self.job.tests[self.done], row)

    def _compared(self, test: StdinTest | CallTest, row: Mapping[str, Any]) -> tuple[Outcome, str] | None:
        try:
            if isinstance(test, StdinTest):
                found: Any = row["output"]
                same = isinstance(found, str) and same_output(test.expected, found)
            else:
                found = values.decode(row["value"])
                same = same_value(test.expected, found)
        except (KeyError, values.NotPlainError, RecursionError):
            return "runtime_error", "the program garbled its own report"
        return None if same else ("wrong_answer", f"expected {_short(test.expected)}, found {_short(found)}")

    def end(self, status: Mapping[str, Any]) -> Verdict:
        """The verdict, from the reports and how the process ended."""
        outcome, message = self._outcome(status)
        test: int | None = self.done
        if self.job.check is not None:
            test = max(0, int(self.checked.get("calls", 0)) - 1)
        if outcome in ("accepted", "compile_error"):
            test = None
        return Verdict(outcome, self.isolation, test, " ".join(message.split()), float(status["seconds"]))

    def _outcome(self, status: Mapping[str, Any]) -> tuple[Outcome, str]:
        ended, code = status["ended"], -int(status["code"])
        if ended == "signal" and code == _FORBIDDEN_SIGNAL:
            return "forbidden", "a system call that programs may not make"
        if self.failure is not None:
            return self.failure
        if ended in _LIMIT_OUTCOMES:
            return _LIMIT_OUTCOMES[ended], f"after {status['seconds']:.2f} s"
        if ended == "signal":
            named: Mapping[int, Outcome] = {_CPU_SIGNAL: "time_limit", _FILE_SIGNAL: "output_limit"}
            outcome = named.get(code, "memory_limit" if code == _MEMORY_SIGNAL else "runtime_error")
            return outcome, f"ended by signal {code}"
        if self.job.check is not None:
            return self._check_outcome(status)
        if self.done < len(self.job.tests):
            return "runtime_error", f"the program ended itself with exit code {status['code']}"
        return "accepted", ""

    def _check_outcome(self, status: Mapping[str, Any]) -> tuple[Outcome, str]:
        if self.checked.get("passed") is True:
            return "accepted", ""
        if "broken" in self.checked:
            raise SandboxError(f"{self.checked['broken']}: mend the benchmark's row.")
        if "failed" in self.checked:
            return "wrong_answer", str(self.checked["failed"])
        return "runtime_error", f"the program ended itself with exit code {status['code']}"


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or value.bit_length() < 4000 else "a very large number"
    return text if len(text) <= 80 else text[:77] + "..."
