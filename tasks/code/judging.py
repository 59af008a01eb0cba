"""Judges programs: a fork server that runs them, another for checks, and what is made of all that comes back.

Nothing that a program reports is trusted. Reading, comparing and showing it take time and memory in proportion to its
length, which is limited, and whatever goes wrong with it is a verdict on the program.
"""

import contextlib
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.code.comparison import excerpt, one_line, same_data, same_output
from tasks.code.confined import values
from tasks.code.confined.program import OUTPUT
from tasks.code.fork_server import ForkServer, ServerSettings
from tasks.code.verdict import CallTest, Isolation, Job, Limits, Outcome, SandboxError, StdinTest, Verdict
from tasks.errors import ConfigurationError

_LIMIT_OUTCOMES: Mapping[str, Outcome] = {"time": "time_limit", "output": "output_limit", "memory": "memory_limit"}
_FORBIDDEN_SIGNAL, _MEMORY_SIGNAL, _CPU_SIGNAL, _FILE_SIGNAL = 31, 9, 24, 25
_GARBLED: tuple[Outcome, str] = ("runtime_error", "the program garbled its own report")
_CHECK_SECONDS = 1.0  # how much longer than its program a check may take


class JudgingServer(ForkServer):
    """A fork server of programs; another, of checks, starts with the first check."""

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__(settings)
        self.clean = True
        self._settings = settings
        self._lock = threading.Lock()
        self._checks: ForkServer | None = None

    def close(self) -> None:
        """Ends both servers."""
        super().close()
        if self._checks is not None:
            self._checks.close()

    def judge(self, job: Job, limits: Limits) -> Verdict:
        """The verdict on one program; afterwards ``clean`` says whether another may be judged here.

        Raises:
            ConfigurationError: A test holds something else than plain data.
            SandboxError: A server broke.
        """
        with self._lock:
            return self._checked(job, limits) if job.check is not None else self._tested(job, limits)

    def _tested(self, job: Job, limits: Limits) -> Verdict:
        judgement = _Judgement(job, self.isolation, limits)
        self._ask(job, limits, "stdin" if job.entry_point is None else "call")
        while True:
            report, status = self.answer()
            if report is None:
                self.clean = status["clean"]
                return judgement.end(status)
            if judgement.take(report):
                self.cancel()

    def _checked(self, job: Job, limits: Limits) -> Verdict:
        """A program and its check meet in two pipes and nowhere else."""
        if self._checks is None:
            self._checks = ForkServer(self._settings)
        calls, replies = os.pipe(), os.pipe()
        try:
            self._ask(job, limits, "check", (replies[1], calls[0]))
            longer = replace(limits, seconds=limits.seconds + _CHECK_SECONDS)
            task = {"check": job.check, "prelude": job.prelude, "entry": job.entry_point}
            self._checks.ask(_request("judge", 1, longer, 0), task, (replies[0], calls[1]))
        finally:
            for fd in (*calls, *replies):
                os.close(fd)
        judgement = _Judgement(job, self.isolation, limits)
        while (answer := self.answer())[0] is not None:
            judgement.take(answer[0])
        while (reply := self._checks.answer())[0] is not None:
            judgement.checked = _check_report(reply[0])
        self.clean = answer[1]["clean"] and reply[1]["clean"]
        return judgement.end(answer[1])

    def _ask(self, job: Job, limits: Limits, mode: str, links: tuple[int, ...] = ()) -> None:
        tests = [test.stdin if isinstance(test, StdinTest) else _plain(list(test.arguments)) for test in job.tests]
        payload = {"source": job.source, "tests": tests, "entry": job.entry_point, "preamble": job.preamble}
        longest = max((len(test.stdin) for test in job.tests if isinstance(test, StdinTest)), default=0)
        self.ask(_request(mode, max(1, len(tests)), limits, longest), payload, links)


def _check_report(report: bytes) -> dict[str, Any]:
    with contextlib.suppress(values.NotPlainError):
        row = values.loads_forged(report)
        if isinstance(row, dict) and isinstance(row.get("calls"), int):
            return row
    return {"broken": "the check wrote to its own report"}


def _plain(value: Any) -> Any:
    try:
        return values.encode(value)
    except (values.NotPlainError, RecursionError) as error:
        raise ConfigurationError(f"A test holds no plain data ({error}): use lists, numbers, texts.") from None


def _request(mode: str, count: int, limits: Limits, longest: int) -> dict[str, Any]:
    return {
        "mode": mode,
        "count": count,
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


class _Judgement:
    """Compares what a program reports, in the order of its tests, with what is expected; all of it may be forged."""

    def __init__(self, job: Job, isolation: Isolation, limits: Limits) -> None:
        self.job = job
        self.isolation = isolation
        self.limits = limits
        self.expected = [_plain(test.expected) for test in job.tests if isinstance(test, CallTest)]
        self.done = 0
        self.failure: tuple[Outcome, str] | None = None
        self.checked: dict[str, Any] = {}

    def take(self, report: bytes) -> bool:
        """Takes a report; whether what follows does not matter."""
        if self.failure is not None:
            return False
        try:
            self.failure = self._fault(report)
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, MemoryError):
            # No plain data, or more of it than can be dealt with.
            self.failure = _GARBLED
        if self.failure is None:
            self.done += 1
        return self.failure is not None and self.done < len(self.job.tests) - 1

    def _fault(self, report: bytes) -> tuple[Outcome, str] | None:
        test = None if self.job.check is not None or self.done >= len(self.job.tests) else self.job.tests[self.done]
        if report.startswith(OUTPUT):
            if not isinstance(test, StdinTest):
                return _GARBLED
            if len(report) > self.limits.output + len(OUTPUT):
                return "output_limit", f"more than {self.limits.output} bytes"
            output = report[len(OUTPUT) :].decode("utf-8", "replace")
            if same_output(test.expected, output, self.job.exact):
                return None
            return "wrong_answer", f"expected {excerpt(test.expected)}, found {excerpt(output)}"
        row = values.loads_forged(report)
        if not isinstance(row, dict):
            return _GARBLED
        for key, outcome in (("forbidden", "forbidden"), ("compile", "compile_error")):
            if key in row:
                return outcome, one_line(row[key])  # type: ignore[return-value]
        if "error" in row:
            kind = row["error"] if isinstance(row["error"], str) else ""
            return _LIMIT_OUTCOMES.get(kind, "runtime_error"), one_line(row.get("message", ""))
        if not isinstance(test, CallTest) or "value" not in row:
            return _GARBLED
        expected = self.expected[self.done]
        if same_data(expected, row["value"]):
            return None
        return "wrong_answer", f"expected {excerpt(expected)}, found {excerpt(row['value'])}"

    def end(self, status: Mapping[str, Any]) -> Verdict:
        outcome, message = self._outcome(status)
        test: int | None = self.done
        if self.job.check is not None:
            test = max(0, self.checked.get("calls", 0) - 1)
        if outcome in ("accepted", "compile_error"):
            test = None
        return Verdict(outcome, self.isolation, test, one_line(message), status["seconds"])

    def _outcome(self, status: Mapping[str, Any]) -> tuple[Outcome, str]:
        ended, code = status["ended"], -status["code"]
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
            raise SandboxError(f"{one_line(self.checked['broken'])}: mend the benchmark's row.")
        if "failed" in self.checked:
            return "wrong_answer", str(self.checked["failed"])
        if not self.checked:
            return "runtime_error", "the check could not deal with what the program returned"
        return "runtime_error", f"the program ended itself with exit code {status['code']}"
