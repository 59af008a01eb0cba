"""The fork server: a small, clean process that is walled in once and then forks one process per program."""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import gc
import itertools
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tasks.code.confined import kernel, seccomp, walls
from tasks.code.confined.checking import run_check
from tasks.code.confined.frames import FrameBuffer, FrameError, read_frame, write_all
from tasks.code.confined.program import CALLS, CHANNEL, REPLIES, Surroundings, limited_kinds, run_program
from tasks.code.confined.values import dumps, loads
from tasks.code.confined.warming import warm_up

# Imported once here and not by every program; what is not named is still there to be imported.
_PRELOADED = (
    *("array", "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "hashlib"),
    *("heapq", "io", "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "sys", "time"),
    *("typing",),
)
# Names that the benchmark's starter code takes for granted (its own harness imports all of these modules' names).
_STARRED = ("typing", "collections", "itertools", "functools", "heapq", "bisect", "string", "operator", "math")
_LARGEST_REQUEST = 1 << 30
_HOLD_MS = 5  # longest that a report waits for the next
_SLACK = 1 << 16  # bytes of a report beyond the output that it carries
_SWEPT = itertools.count()
_JUDGE_SECONDS = 1.0  # what a check may take after its program has ended


@dataclass(slots=True)
class Child:
    """A process that runs a program or a check.

    Args:
        pid: Its id here.
        channel: Where its reports come from.
        output: The file that is its standard output.
        frames: Reports that came so far.
        failed: Whether one of them was of anything but a test's output.
    """

    pid: int
    channel: int
    output: int
    frames: int = 0
    failed: bool = False


class Server:
    """Serves requests over one descriptor until it closes.

    Args:
        control: The descriptor; requests are frames of JSON, answers one byte of kind and JSON.
        settings: What build() needs.
    """

    def __init__(self, control: int, settings: Mapping[str, Any]) -> None:
        self.control = control
        self._alive: set[int] = set()
        self._held = bytearray()
        names = _preload()
        warm_up()
        base = walls.address_space()
        # This interpreter's own files, and what the caller adds.
        readable = tuple(path for path in (*sys.path, *settings["extra"]) if os.path.exists(path))
        built = walls.build(settings["level"], {**settings, "readable": readable})
        self._pid_namespace = built.pid_namespace
        own = (os.path.realpath(built.scratch),)
        self.around = Surroundings(
            layers=built.layers,
            scratch=built.scratch,
            io_folder=built.io_folder,
            own=own,
            seen=(*own, *map(os.path.realpath, readable)),
            user=built.user,
            base_memory=base,
            names=names,
            hard_limits=limited_kinds(),
            filter_code=seccomp.program_filter(kernel.MACHINE, 1) if "seccomp" in built.layers else b"",
        )
        self._null = os.open("/dev/null", os.O_WRONLY)
        # Where programs run as somebody else, they cannot touch the folder of the standard streams.
        folders = (built.scratch,) if built.user is not None else (built.scratch, built.io_folder)
        self._clean = {folder: set(os.listdir(folder)) for folder in folders}
        os.umask(0)
        self._send(b"S", {"layers": sorted(built.layers), "missing": dict(built.missing)})
        # Pages that the collector does not touch stay shared with every program.
        gc.collect()
        gc.freeze()
        gc.disable()

    def serve(self) -> None:
        """Answers requests until the caller is gone."""
        while (payload := read_frame(self.control, _LARGEST_REQUEST)) is not None:
            request = loads(payload)
            if "cancel" in request:
                continue  # of a request that was over before
            try:
                status = self._check(request) if request["mode"] == "check" else self._tests(request)
            finally:
                self._sweep()
            self._send(b"S", status)

    def _send(self, kind: bytes, row: Mapping[str, Any]) -> None:
        self._hold(kind + dumps(row))
        self._flush()

    def _hold(self, payload: bytes) -> None:
        # Reports wait for company: each message that is sent wakes the caller.
        self._held += len(payload).to_bytes(4, "big") + payload

    def _flush(self) -> None:
        write_all(self.control, bytes(self._held))
        self._held.clear()

    def _tests(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Runs all tests; in a new process from the next test on where a program ended its own without an error."""
        start, began = 0, time.monotonic()
        while True:
            child = self._fork(lambda first=start: run_program(request, first, self.around))  # type: ignore[misc]
            status = self._watch(child, request, len(request["tests"]) - start, began)
            start += child.frames
            output = os.pread(child.output, int(request["limits"]["output"]) + 1, 0)
            os.close(child.output)
            left_early = status["ended"] == "exit" and status["code"] == 0 and request["mode"] == "stdin"
            if not left_early or child.failed or start >= len(request["tests"]):
                return status
            self._hold(b"C" + dumps({"output": output.decode("utf-8", "replace")}))
            start += 1
            if start >= len(request["tests"]):
                return status

    def _check(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Runs a program and, in a process of its own, the check of it."""
        calls, replies, began = os.pipe(), os.pipe(), time.monotonic()
        try:
            links = {CALLS: calls[0], REPLIES: replies[1]}
            program = self._fork(lambda: run_program(request, 0, self.around), links)
            links = {CALLS: calls[1], REPLIES: replies[0]}
            judge = self._fork(lambda: run_check(request, self.around), links)
        finally:
            for fd in (*calls, *replies):
                os.close(fd)
        status = self._watch(program, request, 1, began)
        os.close(program.output)
        late = {**request, "limits": {**request["limits"], "seconds": _JUDGE_SECONDS}}
        self._watch(judge, late, 1, time.monotonic(), kind=b"J")
        os.close(judge.output)
        return status

    def _fork(self, run: Callable[[], NoReturn], links: Mapping[int, int] | None = None) -> Child:
        files = (self._open("stdin"), self._open("stdout"))
        channel, reports = os.pipe()
        isolated = "pid" in self.around.layers
        if isolated:
            kernel.unshare(kernel.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            try:
                _place({0: files[0], 1: files[1], 2: self._null, CHANNEL: reports, **(links or {})})
                run()
            finally:
                os._exit(72)
        if isolated:
            kernel.setns(self._pid_namespace, kernel.CLONE_NEWPID)
        for fd in (files[0], reports):
            os.close(fd)
        self._alive.add(pid)
        return Child(pid, channel, files[1])

    def _open(self, name: str) -> int:
        if "mount" not in self.around.layers and hasattr(os, "memfd_create"):
            return os.memfd_create(name)  # a file on disk would be written out again and again
        path = f"{self.around.io_folder}/{name}"
        if self.around.user is None:
            _remove(path)  # whatever an earlier program made of it is not opened
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)

    def _watch(
        self, child: Child, request: Mapping[str, Any], most: int, began: float, kind: bytes = b"C"
    ) -> dict[str, Any]:
        """Hands on what a process reports until it ends, its time is over, it floods, or the caller has seen enough."""
        limits, buffer = request["limits"], FrameBuffer(int(request["limits"]["output"]) * 6 + _SLACK)
        handle = os.pidfd_open(child.pid) if hasattr(os, "pidfd_open") else -1
        poll = select.poll()
        for fd in (child.channel, handle, self.control):
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        ended, deadline, over = "", time.monotonic() + limits["seconds"], began + limits["total"]
        while not ended:
            wait = min(deadline, over) - time.monotonic()
            if wait <= 0:
                ended = "time"
                break
            pause = wait * 1000 + 1
            ready = {fd for fd, _ in poll.poll(min(pause, _HOLD_MS) if self._held or handle < 0 else pause)}
            if not ready and self._held:
                self._flush()
            if child.channel in ready:
                before = child.frames
                ended, closed = self._hand_on(child, buffer, most, kind)
                if child.frames > before:
                    deadline = time.monotonic() + limits["seconds"]
                if closed:
                    poll.unregister(child.channel)
            elif self.control in ready:
                ended = self._interrupted(request)
            elif handle in ready or (handle < 0 and _is_over(child.pid)):
                ended = "exit"
        if handle >= 0:
            os.close(handle)
        return self._end(child, ended, began)

    def _hand_on(self, child: Child, buffer: FrameBuffer, most: int, kind: bytes) -> tuple[str, bool]:
        data = os.read(child.channel, 1 << 16)
        try:
            for payload in buffer.feed(data):
                child.frames += 1
                child.failed = child.failed or not payload.startswith(b'{"output":')
                self._hold(kind + payload)
                if child.frames > most:
                    return "output", False
        except FrameError:
            return "output", False
        return "", not data

    def _interrupted(self, request: Mapping[str, Any]) -> str:
        payload = read_frame(self.control, _LARGEST_REQUEST)
        if payload is None:
            return "orphaned"
        return "cancelled" if loads(payload).get("cancel") == request["id"] else ""

    def _end(self, child: Child, ended: str, began: float) -> dict[str, Any]:
        """Ends a process, with all that it started, and says how it ended."""
        if ended != "exit":
            os.kill(child.pid, signal.SIGKILL)
        os.close(child.channel)
        _, status, usage = os.wait4(child.pid, 0)
        self._alive.discard(child.pid)
        if "pid" not in self.around.layers:
            _end_descendants(child.pid, self._alive)
        if ended == "orphaned":
            self._sweep()
            os._exit(0)
        code = os.waitstatus_to_exitcode(status)
        return {
            "ended": "signal" if ended == "exit" and code < 0 else ended,
            "code": code,
            "seconds": time.monotonic() - began,
            "cpu": usage.ru_utime + usage.ru_stime,
            "written": os.fstat(child.output).st_size,
        }

    def _sweep(self) -> None:
        """Removes whatever a program left in its folders."""
        for folder, keep in self._clean.items():
            for name in set(os.listdir(folder)) - keep:
                _remove(f"{folder}/{name}")


def _place(wanted: dict[int, int]) -> None:
    """Moves descriptors to their numbers; first out of the way, so that none is overwritten before it has moved."""
    high = {number: fcntl.fcntl(fd, fcntl.F_DUPFD, 300) for number, fd in wanted.items()}
    for number, fd in high.items():
        os.dup2(fd, number)
        os.close(fd)


def _is_over(pid: int) -> bool:
    """Whether a process has ended, where the kernel has no descriptors of processes."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_descendants(session: int, keep: set[int]) -> None:
    """Without a pid namespace: what a program started has become ours by its death; ends and reaps it, to the last."""
    with contextlib.suppress(OSError):
        os.killpg(session, signal.SIGKILL)
    for _ in range(1000):
        orphans = [pid for pid in _children() if pid not in keep]
        if not orphans:
            return
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _remove(path: str) -> None:
    """Removes a file or a folder, however deep: what lies in a folder is moved up first, so that paths stay short."""
    with contextlib.suppress(OSError):  # what cannot be removed is tried again by the next sweep
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
        pending = [path]
        while pending:
            folder = pending.pop()
            os.chmod(folder, 0o700)
            for name in os.listdir(folder):
                inner = f"{folder}/{name}"
                if stat.S_ISDIR(os.lstat(inner).st_mode):
                    # Above the folder that it was in; no program's name has this form by chance, and none runs now.
                    moved = f"{os.path.dirname(path)}/.swept-{next(_SWEPT)}"
                    os.rename(inner, moved)
                    pending.append(moved)
                else:
                    os.unlink(inner)
            os.rmdir(folder)


def _preload() -> dict[str, Any]:
    """Imports what programs use and gives the names that function-style programs find defined."""
    import importlib

    modules = {name: importlib.import_module(name) for name in _PRELOADED}
    names: dict[str, Any] = dict(modules)
    for name in _STARRED:
        module = modules[name]
        public = getattr(module, "__all__", None) or [key for key in vars(module) if not key.startswith("_")]
        names |= {key: getattr(module, key) for key in public}
    return names | {name: value for name, value in vars(builtins).items() if not name.startswith("_")}


def main(settings: str) -> None:
    """Entry point of the process that Sandbox starts; its standard input is the socket to the caller."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who then closes the descriptor
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    Server(0, loads(settings.encode())).serve()
