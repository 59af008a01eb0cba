"""Runs untrusted programs against tests and gives a verdict on each.

    with Sandbox() as sandbox:
        print(sandbox.run("print(int(input()) * 2)", [StdinTest("21", "42")]))

What is defended against, and what is not, is said in tasks/code/README.md.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import queue
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from tasks.code.confined.walls import LEVELS
from tasks.code.fork_server import ServerSettings
from tasks.code.judging import JudgingServer
from tasks.code.verdict import CallTest, Isolation, Job, Level, Limits, SandboxError, StdinTest, Verdict
from tasks.errors import ConfigurationError, check_choice, check_range

logger = logging.getLogger(__name__)


class Sandbox:
    """Judges programs; its servers start with the first program and end with ``close()`` or with this process.

    Args:
        isolation: ``full`` (namespaces, seccomp, limits), ``filtered`` (no namespaces: seccomp, Landlock, limits) or
            ``limits`` (a process with limits and an audit hook: a guard against accidents, not against malice).
        strict: Refuse to run anything unless every layer of that level holds. Otherwise what the machine lacks is left
            out, with one warning, and each verdict says what was there.
        limits: What a program may use, unless its job says otherwise.
        workers: Most programs at a time, in run_many().
        packages: Installed packages that programs may import, such as ``numpy``; they are imported once, beforehand.
    """

    def __init__(
        self,
        isolation: Level = "full",
        strict: bool = False,
        limits: Limits | None = None,
        workers: int = 1,
        packages: Sequence[str] = (),
    ) -> None:
        check_choice("Sandbox", LEVELS, isolation=isolation)
        check_range("Sandbox", workers=workers)
        self.level: Level = isolation
        self.strict = strict
        self.limits = limits or Limits()
        self.workers = workers
        folders, imports = _found_packages(packages)
        self.settings = ServerSettings(isolation, folders, tuple(packages), imports)
        self._reset()

    def _reset(self) -> None:
        self._owner = os.getpid()
        self._idle: queue.LifoQueue[JudgingServer] = queue.LifoQueue()
        self._all: list[JudgingServer] = []
        self._guard = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        # A copy starts servers of its own: processes and sockets have one owner.
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the servers; the next program starts new ones."""
        with self._guard:
            servers, self._all = self._all, []
            self._idle = queue.LifoQueue()
        for server in servers:
            server.close()

    @property
    def isolation(self) -> Isolation:
        """What programs run under on this machine."""
        server = self._take()
        self._idle.put(server)
        return server.isolation

    def run(
        self,
        source: str,
        tests: Sequence[StdinTest | CallTest],
        entry_point: str | None = None,
        limits: Limits | None = None,
        preamble: bool = False,
    ) -> Verdict:
        """The verdict on a program by its tests: it stops at the first that fails.

        Tests are StdinTests of the whole program, or CallTests of ``entry_point``, a function or a method of its
        class ``Solution``. With ``preamble``, the names that LiveCodeBench's harness defines are there for the
        program. Limits of None are the sandbox's.

        Raises:
            ConfigurationError: There are no tests, or they do not fit the entry point.
            SandboxError: ``strict``, and a layer is missing; or the sandbox broke.
        """
        return self.judge(Job(source, tuple(tests), entry_point, preamble=preamble, limits=limits))

    def check(
        self, source: str, check: str, entry_point: str, prelude: str = "", limits: Limits | None = None
    ) -> Verdict:
        """The verdict on a function by a benchmark's own ``check(candidate)``.

        The check runs in a confined process of its own and calls the function over a pipe: arguments and results are
        plain data, and the program sees neither assertions nor expected values. ``prelude`` is source of further names
        that the check uses. Of the limits, ``seconds`` is for all calls together.

        Raises:
            SandboxError: ``strict``, and a layer is missing; the check is broken; or the sandbox broke.
        """
        return self.judge(Job(source, (), entry_point, check, prelude, limits=limits))

    def judge(self, job: Job) -> Verdict:
        """The verdict on a job; see run() and check()."""
        _require(job)
        server = self._take()
        try:
            verdict = server.judge(job, job.limits or self.limits)
        except BaseException:
            # Whatever it was, the server's next answer might be to this question.
            self._drop(server)
            raise
        if server.clean:
            self._idle.put(server)
        else:
            self._drop(server)  # with what the program left, which the next one does not see
        return verdict

    def run_many(self, jobs: Iterable[Job]) -> list[Verdict]:
        """The verdicts on many jobs, in their order, as many at a time as there are workers."""
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(self.judge, jobs))

    def _take(self) -> JudgingServer:
        if self._owner != os.getpid():
            self._reset()  # after a fork: the servers belong to the other process
        with contextlib.suppress(queue.Empty):
            return self._idle.get_nowait()
        server = JudgingServer(self.settings)
        with self._guard:
            self._all.append(server)
        lacking = sorted(LEVELS[self.level] - server.isolation.layers)
        if lacking:
            reasons = "; ".join(f"{name}: {server.isolation.missing.get(name, 'not here')}" for name in lacking)
            if self.strict:
                self._drop(server)
                raise SandboxError(
                    f"The sandbox was asked for {self.level!r} isolation and this machine lacks {reasons}: "
                    "use a machine that allows it, or strict: false."
                )
            _warn_once(f"Programs run without {', '.join(lacking)} ({reasons}); see tasks/code/README.md.")
        return server

    def _drop(self, server: JudgingServer) -> None:
        with self._guard:
            if server in self._all:
                self._all.remove(server)
        server.close()


@lru_cache(maxsize=64)
def _warn_once(text: str) -> None:
    logger.warning(text)


def _require(job: Job) -> None:
    if job.check is not None:
        if not job.entry_point or job.tests:
            raise ConfigurationError("A check needs an entry point and no tests.")
        return
    wanted = CallTest if job.entry_point else StdinTest
    if not job.tests or not all(isinstance(test, wanted) for test in job.tests):
        raise ConfigurationError(
            f"A program {'with' if job.entry_point else 'without'} an entry point is judged by one or more "
            f"{wanted.__name__}s, found {[type(test).__name__ for test in job.tests][:3]}."
        )


def _found_packages(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packages' own files and folders, and the folders that these are imported from."""
    own: list[str] = []
    for name in names:
        try:
            found = importlib.util.find_spec(name) if name.isidentifier() else None
        except (ImportError, ValueError):
            found = None
        places = [] if found is None else list(found.submodule_search_locations or filter(None, [found.origin]))
        if not all(map(os.path.exists, places)) or not places:
            raise ConfigurationError(
                f"packages: {name!r} is not installed here: pip install {name}, or leave it out of packages."
            )
        own += places
        # Where wheels put the libraries that a package brings along.
        own += [libraries for place in places if os.path.isdir(libraries := f"{place}.libs")]
    return tuple(own), tuple(dict.fromkeys(map(os.path.dirname, own)))
