"""What the sandbox is given and what it answers: tests, limits, isolation, verdict."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tasks.errors import DataEnvGymError, check_range

Outcome = Literal[
    "accepted",
    "wrong_answer",
    "time_limit",
    "memory_limit",
    "runtime_error",
    "compile_error",
    "output_limit",
    "forbidden",
]
Level = Literal["limits", "filtered", "full"]


class SandboxError(DataEnvGymError, RuntimeError):
    """The sandbox cannot be had as it was asked for, or broke."""


@dataclass(frozen=True, slots=True)
class StdinTest:
    """A test of a whole program: what it reads, and what it should print, up to what same_output() forgives."""

    stdin: str
    expected: str


@dataclass(frozen=True, slots=True)
class CallTest:
    """A test of one function: positional arguments and the value to return (a tuple equals a list); plain data both."""

    arguments: tuple[Any, ...]
    expected: Any


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use.

    Args:
        seconds: Wall time of one test; the first includes compiling.
        total_seconds: Wall time, and about the CPU time, of all tests together; None for what they add up to.
        memory: Address space beyond the interpreter's own, in bytes.
        output: Standard output, or a returned value, in bytes.
        file: Longest file, in bytes.
        processes: Threads; starting processes is forbidden outright where the machine allows to forbid it.
    """

    seconds: float = 4.0
    total_seconds: float | None = None
    memory: int = 512 << 20
    output: int = 4 << 20
    file: int = 8 << 20
    processes: int = 16

    def __post_init__(self) -> None:
        check_range("Limits", 0, open_ends=True, **asdict(self))


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a program ran under.

    Args:
        layers: The layers in force: ``limits`` (rlimits, a process of its own, an empty environment), ``audit`` (a hook
            in the interpreter), ``seccomp``, ``landlock``, and the namespaces ``user``, ``pid``, ``mount``,
            ``network``, ``ipc``.
        missing: Why a layer that was asked for is not among them.
    """

    layers: frozenset[str]
    missing: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "+".join(sorted(self.layers))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.layers, dict(self.missing))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one program.

    Args:
        outcome: ``accepted`` or what was wrong first.
        isolation: What the program ran under.
        test: Number of the first failing test (or, of a check, of the failing call), from 0; None if all passed or
            none was reached.
        message: One line for people: the exception, the assertion, what was forbidden.
        seconds: Wall time.
    """

    outcome: Outcome
    isolation: Isolation
    test: int | None = None
    message: str = ""
    seconds: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether every test passed."""
        return self.outcome == "accepted"


@dataclass(frozen=True, slots=True)
class Job:
    """One program and what to judge it by.

    Args:
        source: The program.
        tests: All of one kind; empty if there is a check.
        entry_point: The function, for call tests and checks.
        check: Source that defines ``check(candidate)`` and asserts; see Sandbox.check.
        prelude: Source that the check may use names of.
        preamble: Whether the names that LiveCodeBench's harness defines are there for the program.
        limits: What it may use; None takes the sandbox's.
        exact: Compare printed numbers by value, and count blank lines; see same_output().
    """

    source: str
    tests: tuple[StdinTest | CallTest, ...] = ()
    entry_point: str | None = None
    check: str | None = None
    prelude: str = ""
    preamble: bool = False
    limits: Limits | None = None
    exact: bool = False
