"""The command in a process of its own, without the seconds of a fresh import: forked from one that has the modules.

Such a process is as real as any other: it has its own id, session, streams and exit status, dies by signals and takes
nothing of what a test has changed in its own process but its environment variables.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    ["lightning.pytorch", "transformers.models.auto", "torch.utils.tensorboard", "dataenvgym.cli.episode", "processes"]
)


class Command:
    """A command that runs; what tests use of ``subprocess.Popen``, with texts.

    ``words`` come after ``dataenvgym``, or are a script's path and its words. ``before`` is called in the new process
    before the command.
    """

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        script: bool = False,
        cwd: Path = ROOT,
        environ: dict[str, str] | None = None,
        before: Callable[[], Any] | None = None,
    ) -> None:
        self._streams = tempfile.TemporaryDirectory()
        self._paths = [Path(self._streams.name) / name for name in ("out", "err")]
        told = dict(os.environ if environ is None else environ)
        told.pop("PYTEST_XDIST_WORKER", None)
        _start_server()
        arguments = ([str(word) for word in words], script, str(cwd), told, [str(path) for path in self._paths], before)
        self._process = _forks.Process(target=_run, args=arguments)
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status; minus the signal that killed it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills it and every process that it started in its session, and waits for its end."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.join()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(["dataenvgym"], timeout or 0)
        out, err = (path.read_text(encoding="utf-8", errors="surrogateescape") for path in self._paths)
        return out, err


def run(words: Sequence[str | Path], timeout: float = 300, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = Command(words, **settings)
    try:
        out, err = command.communicate(timeout)
    finally:
        if command.poll() is None:
            command.kill()
    return subprocess.CompletedProcess(list(words), command.returncode, out, err)


def _start_server() -> None:
    """Starts the process that all others are forked from: it needs to find our packages before it knows of any test."""
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests"), *([known] if known else [])])
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        if known is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = known


def _run(
    words: list[str],
    script: bool,
    cwd: str,
    environ: dict[str, str],
    streams: list[str],
    before: Callable[[], Any] | None,
) -> None:
    os.setsid()
    # A suite that was started in the background has SIGINT ignored, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environ)
    for number, path in enumerate(streams, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    os.chdir(cwd)
    if before is not None:
        before()
    if script:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")
        return
    from dataenvgym.cli.main import console

    sys.argv = ["dataenvgym", *words]
    console()
