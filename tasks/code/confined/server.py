"""The fork server: a small, clean process that is walled in once and then forks one process per program.

It never holds what it runs: a request says how long and with how much, and names a file that the forked process alone
reads. So nothing of one program, nor of what any is judged by, is in the memory that the next one starts with.
"""

import _socket
import array
import contextlib
import fcntl
import gc
import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.code.confined import folders, kernel, seccomp, walls
from tasks.code.confined.checking import run_check
from tasks.code.confined.frames import FrameBuffer, FrameError, read_frame, write_all
from tasks.code.confined.modules import import_what_is_out_of_reach, preload
from tasks.code.confined.program import (
    CALLS,
    CHANNEL,
    CONFINED,
    OUTPUT,
    PAYLOAD,
    REPLIES,
    Surroundings,
    limited_kinds,
    run_program,
)
from tasks.code.confined.values import dumps, loads
from tasks.code.confined.warming import warm_up

_RECURSION = 50_000  # that harness's limit
_LARGEST_REQUEST = 1 << 16
_DESCRIPTORS = 3  # most that come with a request
_HOLD_MS = 5  # longest that a report waits for the next
_SLACK = 1 << 16  # bytes of a report beyond the output that it carries


@dataclass(slots=True)
class Child:
    """A process that runs a program or a check.

    Args:
        pid: Its id here.
        channel: Where its reports come from.
        confined: Where it says, before it runs anything, that it is confined, or why it is not.
        output: The file that is its standard output.
        frames: Reports that came so far.
        failed: Whether one of them was of anything but a test's output.
    """

    pid: int
    channel: int
    confined: int
    output: int
    frames: int = 0
    failed: bool = False


class Server:
    """Serves requests over one descriptor until it closes.

    Requests are frames of JSON that come with descriptors, answers one byte of kind and a report or JSON. ``settings``
    are build()'s.
    """

    def __init__(self, control: int, settings: Mapping[str, Any]) -> None:
        self.control = control
        # Not socket's, which imports much that every program's process would have to be forked with.
        self._requests = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, control)
        self._alive: set[int] = set()
        self._held = bytearray()
        names = preload(settings["packages"], settings["imports"])
        warm_up()
        if settings["level"] != "full" and os.geteuid() == 0:
            import_what_is_out_of_reach()
        base = walls.address_space()
        # This interpreter's own files, and what the caller adds.
        readable = tuple(path for path in (*sys.path, *settings["extra"]) if os.path.exists(path))
        built = walls.build(settings["level"], {**settings, "readable": readable})
        self._pid_namespace = built.pid_namespace
        own = (os.path.realpath(built.scratch),)
        own_files = "mount" in built.layers
        if built.user is not None and not own_files:
            import_what_is_out_of_reach()
        self.around = Surroundings(
            layers=built.layers,
            scratch=built.scratch,
            own=own,
            seen=(*own, *map(os.path.realpath, readable)),
            user=built.user,
            base_memory=base,
            names=names,
            hard_limits=limited_kinds(),
            filter_code=seccomp.program_filter(kernel.MACHINE, 1, own_files) if "seccomp" in built.layers else b"",
        )
        self._io_folder = built.io_folder
        self._null = os.open("/dev/null", os.O_WRONLY)
        # Where programs run as somebody else, or streams are no files there, they cannot touch the streams' folder.
        alone = built.user is not None or (not own_files and hasattr(os, "memfd_create"))
        cleaned = (built.scratch,) if alone else (built.scratch, built.io_folder)
        self._clean = {folder: (set(os.listdir(folder)), os.stat(folder).st_mode & 0o7777) for folder in cleaned}
        os.umask(0)
        sys.setrecursionlimit(_RECURSION)
        self._send(b"S", {"layers": sorted(built.layers), "missing": dict(built.missing)})
        # Pages that the collector does not touch stay shared with every program.
        gc.collect()
        gc.freeze()
        gc.disable()

    def serve(self) -> None:
        """Answers requests until the caller is gone, or a program has left what cannot be removed."""
        clean = True
        while clean and (received := self._receive()) is not None:
            request, files = received
            if "cancel" in request:
                continue  # of a request that was over before
            try:
                status = self._judged(request, files)
            finally:
                for fd in files:
                    os.close(fd)
                clean = self._sweep()
            self._send(b"S", {**status, "clean": clean})

    def _receive(self) -> tuple[dict[str, Any], list[int]] | None:
        """The next request, and the descriptors that came with its first byte."""
        files = array.array("i")
        header, ancillary, _, _ = self._requests.recvmsg(4, _socket.CMSG_SPACE(_DESCRIPTORS * files.itemsize))
        for _, _, data in ancillary:
            files.frombytes(data)
        payload = read_frame(self.control, _LARGEST_REQUEST, header) if header else None
        return None if payload is None else (loads(payload), list(files))

    def _send(self, kind: bytes, row: Mapping[str, Any]) -> None:
        self._hold(kind + dumps(row))
        self._flush()

    def _hold(self, payload: bytes) -> None:
        # Reports wait for company: each message that is sent wakes the caller.
        self._held += len(payload).to_bytes(4, "big") + payload

    def _flush(self) -> None:
        write_all(self.control, bytes(self._held))
        self._held.clear()

    def _judged(self, request: Mapping[str, Any], files: Sequence[int]) -> dict[str, Any]:
        """Runs all tests, or a check; in a new process from the next test on where a program ended without an error."""
        start, began, mode, count = 0, time.monotonic(), request["mode"], int(request["count"])
        places = (PAYLOAD, REPLIES, CALLS)[: len(files)]
        while True:
            child = self._fork(request, start, dict(zip(places, files, strict=True)))
            status = self._watch(child, request, count - start, began)
            start += child.frames
            output = b""
            left_early = mode == "stdin" and status["ended"] == "exit" and status["code"] == 0 and not child.failed
            if left_early and start < count:
                output = os.pread(child.output, int(request["limits"]["output"]) + 1, 0)
            os.close(child.output)
            if not left_early or start >= count:
                return status
            self._hold(b"C" + OUTPUT + output)
            start += 1
            if start >= count:
                return status

    def _fork(self, request: Mapping[str, Any], start: int, given: Mapping[int, int]) -> Child:
        files = (self._open("stdin"), self._open("stdout"))
        channel, confined = os.pipe(), os.pipe()
        isolated = "pid" in self.around.layers
        if isolated:
            kernel.unshare(kernel.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            try:
                own = {0: files[0], 1: files[1], 2: self._null, CHANNEL: channel[1], CONFINED: confined[1]}
                _place({**own, **given})
                run = run_check if request["mode"] == "judge" else run_program
                run(request, start, self.around)
            finally:
                os._exit(72)
        if isolated:
            kernel.setns(self._pid_namespace, kernel.CLONE_NEWPID)
        for fd in (files[0], channel[1], confined[1]):
            os.close(fd)
        self._alive.add(pid)
        return Child(pid, channel[0], confined[0], files[1])

    def _open(self, name: str) -> int:
        if "mount" not in self.around.layers and hasattr(os, "memfd_create"):
            return os.memfd_create(name)  # a file on disk would be written out again and again
        path = f"{self._io_folder}/{name}"
        if self.around.user is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # whatever an earlier program made of it is not opened
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)

    def _watch(self, child: Child, request: Mapping[str, Any], most: int, began: float) -> dict[str, Any]:
        """Hands on what a process reports until it ends, its time is over, it floods, or the caller has seen enough."""
        limits, buffer = request["limits"], FrameBuffer(int(request["limits"]["output"]) + _SLACK)
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
                ended, closed = self._hand_on(child, buffer, most)
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

    def _hand_on(self, child: Child, buffer: FrameBuffer, most: int) -> tuple[str, bool]:
        data = os.read(child.channel, 1 << 16)
        try:
            for payload in buffer.feed(data):
                child.frames += 1
                child.failed = child.failed or not payload.startswith(OUTPUT)
                self._hold(b"C" + payload)
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
        confined = os.read(child.confined, 1024).decode("utf-8", "replace")
        os.close(child.confined)
        code = os.waitstatus_to_exitcode(status)
        return {
            "ended": "signal" if ended == "exit" and code < 0 else ended,
            "code": code,
            "seconds": time.monotonic() - began,
            "cpu": usage.ru_utime + usage.ru_stime,
            "unconfined": "" if confined == "+" else confined or "it ended first",
        }

    def _sweep(self) -> bool:
        """Removes whatever a program left in its folders; whether they are as they were at the start."""
        clean = True
        for folder, (keep, mode) in self._clean.items():
            os.chmod(folder, mode)
            os.utime(folder, (0, 0))
            clean = folders.empty(folder, keep) and clean
        return clean


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


def main(settings: str) -> None:
    """Entry point of the process that Sandbox starts; its standard input is the socket to the caller."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who then closes the descriptor
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    Server(0, loads(settings.encode())).serve()
