"""The caller's end of a fork server: starts it, sends it requests, hands on what comes back."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.code.confined import folders, values
from tasks.code.confined.frames import FrameBuffer, write_frame
from tasks.code.verdict import Isolation, Level, SandboxError

_ANSWER_LIMIT = 1 << 30
_SCRATCH_BYTES = 16 << 20  # of the folder that programs may write to, where it is a file system of its own
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


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What fork servers are started with.

    ``packages`` are imported, from the folders in ``imports``, before the first program; programs may also import from
    the ``readable`` folders.
    """

    level: Level
    readable: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


class ForkServer:
    """One fork server, which runs one thing at a time."""

    def __init__(self, settings: ServerSettings) -> None:
        if not hasattr(os, "fork"):
            raise SandboxError(
                f"Programs cannot be sandboxed on {sys.platform}, which has no fork: use Linux or macOS."
            )
        self._number = 0
        self._buffer = FrameBuffer(_ANSWER_LIMIT)
        self._frames: deque[bytes] = deque()
        self._folder = tempfile.mkdtemp(prefix="dataenvgym-sandbox-")
        ours, theirs = socket.socketpair()
        self._socket = ours
        told = {
            "level": settings.level,
            "folder": self._folder,
            "extra": list(settings.readable),
            "scratch_bytes": _SCRATCH_BYTES,
            "scratch_files": 2048,
            "io_bytes": _SCRATCH_BYTES + (256 << 20),
            "packages": list(settings.packages),
            "imports": list(settings.imports),
        }
        package = str(Path(__file__).resolve().parents[1])
        self._log = tempfile.TemporaryFile()
        process = subprocess.Popen(
            # No site-packages, no current folder, no .pyc files; one hash seed, so that verdicts repeat.
            [
                getattr(sys, "_base_executable", None) or sys.executable,
                "-s",
                "-S",
                "-P",
                "-B",
                "-c",
                _BOOTSTRAP,
                package,
                values.dumps(told).decode(),
            ],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            # Libraries that start threads when they are imported would take them from every program's.
            env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            cwd="/",
            start_new_session=True,
        )
        theirs.close()
        self._process = process
        # Runs at close(), when this object is collected, or when the interpreter ends, whichever comes first.
        self._end = weakref.finalize(self, _end, os.getpid(), ours, process, self._folder)
        hello = values.loads(self._next()[1:])
        self.isolation = Isolation(frozenset(hello["layers"]), dict(hello["missing"]))
        if "mount" in self.isolation.layers:
            shutil.rmtree(self._folder, ignore_errors=True)  # the server has left for file systems of its own

    def close(self) -> None:
        """Ends the server and removes its folder; may be called again."""
        self._end()

    def ask(self, request: Mapping[str, Any], payload: Mapping[str, Any], links: Sequence[int] = ()) -> None:
        """Sends the server a request: the mode, the number of tests, the limits.

        Only the process that it forks learns the payload; it gets copies of ``links``, for replies and then for calls.
        """
        self._number += 1
        told = values.dumps({**request, "id": self._number})
        with _file(values.dumps(payload)) as descriptor, contextlib.suppress(OSError):
            # If the server is gone, reading says so and why.
            socket.send_fds(self._socket, [len(told).to_bytes(4, "big") + told], [descriptor, *links])

    def cancel(self) -> None:
        """Has the server end what it runs."""
        with contextlib.suppress(OSError):
            write_frame(self._socket.fileno(), values.dumps({"cancel": self._number}))

    def answer(self) -> tuple[bytes | None, dict[str, Any]]:
        """The next report, which anything may have written, or, as the last, None and the server's own word.

        Raises:
            SandboxError: The server broke, or could not confine what it was to run.
        """
        frame = self._next()
        if frame[:1] == b"C":
            return frame[1:], {}
        status: dict[str, Any] = values.loads(frame[1:])
        if status["unconfined"] and status["ended"] in ("exit", "signal"):
            raise SandboxError(f"A program could not be confined ({status['unconfined']}), so it was not run.")
        return None, status

    def _next(self) -> bytes:
        while not self._frames:
            data = b""
            with contextlib.suppress(OSError):
                data = os.read(self._socket.fileno(), 1 << 18)
            if not data:
                self._log.seek(0)
                last = self._log.read().decode("utf-8", "replace").strip().splitlines()[-1:]
                raise SandboxError(f"The sandbox's server ended ({' '.join(last) or 'killed'}): run the program again.")
            self._frames.extend(self._buffer.feed(data))
        return self._frames.popleft()


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[int]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("payload")
        try:
            with open(descriptor, "wb", buffering=0, closefd=False) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) or 0 :]
            yield descriptor
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            yield file.fileno()


def _end(owner: int, connection: socket.socket, process: subprocess.Popen[bytes], folder: str) -> None:
    if owner != os.getpid():
        return  # a fork of the process that the server belongs to
    connection.close()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if os.path.isdir(folder):
        if folders.empty(folder):
            os.rmdir(folder)
        else:  # a program made more than can be removed while somebody waits
            subprocess.Popen(["rm", "-rf", folder], stderr=subprocess.DEVNULL, start_new_session=True)
