"""Python processes of their own without the seconds of a fresh import: forked from one that has the modules.

Such a process is as real as any other: it has its own id, session, streams and exit status, dies by signals and takes
nothing of what a test has changed in its own process but its environment variables. What it starts itself by
``sys.executable`` (the cells of a grid, the other ranks of a distributed run) is forked as well.
"""

import atexit
import contextlib
import importlib
import os
import pickle
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_MODULES = (
    *("lightning.pytorch", "peft.tuners.lora.layer", "torch.utils.tensorboard"),
    *("transformers.models.auto", "transformers.models.llama.modeling_llama"),
    *("tasks.math", "teachers.policies", "dataenvgym.cli.episode", "dataenvgym.reporting.report"),
)

# Takes the place of Python: asks the server for a process with its words, variables, folder and streams, hands signals
# on and ends as that process ends, which is killed if this one is. All but programs of ours are left to Python.
_STAND_IN = """#!{python} -IS
import os, pickle, signal, socket, sys
words = sys.argv[1:]
if words[:2] not in (["-m", "dataenvgym"], ["-m", "dataenvgym.__main__"]) and not words[0].endswith(".py"):
    os.execv({python!r}, [{python!r}, *words])
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = pickle.dumps((words, os.getcwd(), dict(os.environ), None))
socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
server.sendall(request)
process = int.from_bytes(server.recv(8), "big")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(process, number))
code = os.waitstatus_to_exitcode(int.from_bytes(server.recv(8), "big"))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@cache
def python() -> str:
    """A program that does what Python does, sooner; the first call starts the server that processes are forked from."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    command = [sys.executable, __file__, str(folder)]
    # What it imports must be ours, whatever a test has done to the variables; it ends with this process.
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    environ.pop("PYTEST_XDIST_WORKER", None)
    server = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, env=environ, start_new_session=True)
    while not (folder / "python").exists():
        assert server.poll() is None, (
            f"the server of warm processes ended with {server.returncode}: see its error above"
        )
        time.sleep(0.05)
    return str(folder / "python")


class Command:
    """A command that runs; what tests use of ``subprocess.Popen``, with texts.

    ``words`` come after ``dataenvgym``, or are a script's path and its words; no file grows longer than ``file_bytes``.
    """

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        script: bool = False,
        cwd: Path = ROOT,
        environ: dict[str, str] | None = None,
        file_bytes: int | None = None,
    ) -> None:
        self.returncode: int | None = None
        self._streams = tempfile.TemporaryDirectory()
        self._paths = [Path(self._streams.name) / name for name in ("out", "err")]
        told = dict(os.environ if environ is None else environ)
        told.pop("PYTEST_XDIST_WORKER", None)
        called = [*([] if script else ["-m", "dataenvgym"]), *(str(word) for word in words)]
        request = pickle.dumps((called, str(cwd), told, file_bytes))
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(str(Path(python()).with_name("socket")))
        with open(os.devnull, "rb") as nothing, open(self._paths[0], "ab") as out, open(self._paths[1], "ab") as err:
            length = len(request).to_bytes(8, "big")
            socket.send_fds(self._server, [length], [file.fileno() for file in (nothing, out, err)])
        self._server.sendall(request)
        self.pid = int.from_bytes(self._server.recv(8), "big")

    def poll(self) -> int | None:
        """The exit status; minus the signal that killed it; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills it and every process that it started in its session, and waits for its end."""
        os.killpg(self.pid, signal.SIGKILL)
        self._wait(None)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self._wait(timeout)
        out, err = (path.read_text(encoding="utf-8", errors="surrogateescape") for path in self._paths)
        return out, err

    def _wait(self, timeout: float | None) -> None:
        if self.returncode is None:
            if not select.select([self._server], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(["dataenvgym"], timeout or 0)
            self.returncode = os.waitstatus_to_exitcode(int.from_bytes(self._server.recv(8), "big"))
            self._server.close()


def run(words: Sequence[str | Path], timeout: float = 300, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = Command(words, **settings)
    try:
        out, err = command.communicate(timeout)
    finally:
        if command.poll() is None:
            command.kill()
    return subprocess.CompletedProcess(list(words), command.returncode, out, err)


def _serve(folder: Path) -> None:
    """Imports the modules and forks a process for everyone who asks, until the test process has ended."""
    for name in _MODULES:
        importlib.import_module(name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    stand_in = folder / "python.new"
    stand_in.write_text(_STAND_IN.format(python=sys.executable, address=str(folder / "socket")))
    stand_in.chmod(0o700)
    stand_in.rename(folder / "python")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while 0 not in (ready := select.select([listener, 0], [], [])[0]):
        asker, _ = ready[0].accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _begin(asker, str(folder / "python"))
        asker.close()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _begin(asker: socket.socket, stand_in: str) -> None:
    """Forks a process, waits for its end beside it and says how it ended; kills it if nobody listens any more."""
    length, streams, _, _ = socket.recv_fds(asker, 8, 3)
    with asker.makefile("rb") as sent:
        words, cwd, environ, file_bytes = pickle.loads(sent.read(int.from_bytes(length, "big")))
    if pid := os.fork():
        asker.sendall(pid.to_bytes(8, "big"))
        ended = os.pidfd_open(pid)
        if ended not in select.select([asker, ended], [], [])[0]:
            os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            asker.sendall(status.to_bytes(8, "big"))
        os._exit(0)
    asker.close()
    os.setsid()
    # A suite that was started in the background has SIGINT ignored, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environ)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(cwd)
    if file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    sys.executable = stand_in
    sys.path[1:1] = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    code = 1
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            sys.path.insert(0, str(Path(words[0]).parent))
            runpy.run_path(words[0], run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if ended.code is not None and not isinstance(ended.code, int):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    # The end of Python itself takes seconds to tear down modules that are gone with the process anyhow.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
