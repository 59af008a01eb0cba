"""Where the cells of a grid run: side by side on this machine, or on a Ray cluster that shares its file system.

``local`` starts a program for each cell. ``warm`` forks each from a process that has imported what an episode needs,
which spares a short cell the seconds of its imports. ``ray`` goes where RAY_ADDRESS says.
"""

import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path

from environments.quiet import VARIABLES

# How long a cell that is told to stop may take to do so, before it is killed: the end of a batch, not of a step.
_GRACE_SECONDS = 60

# Time-out of a cluster that does not answer.
_ANSWER_SECONDS = 10

# Runs a command in its own place, to be killed by the kernel (PR_SET_PDEATHSIG) when the process that started it dies:
# a cell that outlived a killed grid would write into its run directory beside the cell of the next one.
_TIE = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""

# A Ray of this machine alone, made to run cells as they run without it: nobody to keep out, no lower priority than what
# runs beside it (its own default is 15), and no monitor that kills cells for the memory of others, again and again.
_RAY_HERE = {"RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0", "RAY_memory_monitor_refresh_ms": "0"}

# What goes with a job to nodes that have an environment of their own: where data, models and endpoints are, and keys.
_CARRIED = ("DATAENVGYM_", "HF_", "OPENAI_", "AZURE_OPENAI_")

# What episodes import, and what takes long.
_PRELOADED = (
    "dataenvgym.cli.episode",
    "lightning.pytorch",
    "transformers.generation",
    "peft",
    "datamodules",
    "scipy.stats",
)

# multiprocessing looks after all processes of a thread's whenever one is started or asked: one thread at a time, since
# what two read of one process is lost to the second.
_POLLING = threading.Lock()

# The least that Ray admits; what passes through it are descriptions of jobs.
_OBJECT_STORE_BYTES = 80 * 2**20


@dataclass(frozen=True)
class Job:
    """A command to run in a folder, tried again up to ``retries`` times if it dies; its output is added to ``log``.

    ``environ`` comes on top of this process's variables. The file ``begun`` exists once a try has begun its work: the
    next one is then called with ``--resume``.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    log: Path
    environ: Mapping[str, str] = field(repr=False)  # there may be keys among them
    retries: int = 1
    begun: Path | None = None


@dataclass(frozen=True)
class Finished:
    """How a job ended, all tries together; ``error`` is of the last try, None if all is well."""

    name: str
    seconds: float
    tries: int
    log: Path
    error: str | None = None


def launch(jobs: Sequence[Job], launcher: str, parallel: int, threads: int, gpus: float) -> Iterator[Finished]:
    """Runs jobs, ``local``, ``warm`` or by ``ray``, and yields each when it has ended.

    On this machine ``parallel`` of them run side by side; a cluster runs as many as its CPU cores (``threads`` for each
    job) and GPUs admit.
    """
    if not jobs:
        return iter(())
    if launcher == "ray":
        return _on_ray(jobs, parallel, threads, gpus)
    return _here(jobs, parallel, warm=launcher == "warm")


def execute(job: Job, stop: threading.Event | None = None, warm: ForkServerContext | None = None) -> Finished:
    """Runs one job to its end, again if it dies; once ``stop`` is set, it is interrupted and not tried again.

    With ``warm`` it is forked there, if it is a command of this package.
    """
    begun, error, tries = time.monotonic(), None, 0
    job.log.parent.mkdir(parents=True, exist_ok=True)
    while tries <= job.retries and not (stop is not None and stop.is_set()):
        tries += 1
        with open(job.log, "a+b") as log:
            mark = log.seek(0, os.SEEK_END)
            code = _run(job, log.fileno(), stop) if warm is None else _run_warm(job, stop, warm)
            log.seek(mark)
            said = log.read().decode(errors="replace").strip().splitlines()
        if code == 0:
            return Finished(job.name, time.monotonic() - begun, tries, job.log)
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        error = f"{how}: {said[-1].strip()}" if said else how
    return Finished(job.name, time.monotonic() - begun, tries, job.log, error or "interrupted before it began")


def _run(job: Job, output: int, stop: threading.Event | None) -> int:
    tie = [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid())] if sys.platform == "linux" else []
    # A session of its own, so that Ctrl-C reaches this process alone, which then ends the jobs one by one.
    resume = ("--resume",) if job.begun is not None and job.begun.is_file() else ()
    process = subprocess.Popen(
        [*tie, *job.command, *resume],
        cwd=job.folder,
        env={**os.environ, **job.environ},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        while True:
            try:
                return process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                if stop is not None and stop.is_set():
                    return _interrupted(process)
    except BaseException:
        _interrupted(process)
        raise


def _interrupted(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _run_warm(job: Job, stop: threading.Event | None, context: ForkServerContext) -> int:
    place = job.command.index("dataenvgym")  # python -m dataenvgym episode …
    resume = ("--resume",) if job.begun is not None and job.begun.is_file() else ()
    words = [*job.command[place + 1 :], *resume]
    process = context.Process(target=_warm_cell, args=(words, job.folder, job.log, dict(job.environ)))
    with _POLLING:
        process.start()
    try:
        while not wait([process.sentinel], timeout=0.5):
            if stop is not None and stop.is_set():
                break
    finally:
        if not wait([process.sentinel], timeout=0):
            os.kill(process.pid or 0, signal.SIGINT)
            if not wait([process.sentinel], timeout=_GRACE_SECONDS):
                process.kill()
                wait([process.sentinel])
    with _POLLING:
        process.join()
        return 1 if process.exitcode is None else process.exitcode


def _warm_cell(words: Sequence[str], folder: Path, log: Path, environ: Mapping[str, str]) -> None:
    """A command of this package, in a process forked for it, which ends at once if the grid does."""
    import random
    import tempfile

    grid = multiprocessing.parent_process()
    assert grid is not None, "a cell is started by a grid"

    def end_with_the_grid() -> None:
        wait([grid.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end_with_the_grid, daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    with open(log, "ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(folder)
    os.environ.update(environ)
    sys.path[:0] = [place for place in environ.get("PYTHONPATH", "").split(os.pathsep) if place not in ("", *sys.path)]
    random.seed()  # the forks of one process would draw the same numbers, of names of temporary files for one
    tempfile._name_sequence = None  # type: ignore[attr-defined]

    import torch

    from dataenvgym.cli.main import console

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    sys.argv = ["dataenvgym", *words]
    console()


def _here(jobs: Sequence[Job], parallel: int, warm: bool = False) -> Iterator[Finished]:
    stop, context = threading.Event(), None
    if warm:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_PRELOADED))
        for name, value in {**VARIABLES, **jobs[0].environ}.items():  # some are read at the import of torch
            os.environ.setdefault(name, value)
    with ThreadPoolExecutor(max(1, parallel)) as pool:
        futures = [pool.submit(execute, job, stop, context) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:  # an interrupt, or a reader that went away
            stop.set()
            for future in futures:
                future.cancel()


def _on_ray(jobs: Sequence[Job], parallel: int, threads: int, gpus: float) -> Iterator[Finished]:
    _start_ray(parallel * threads)
    import ray

    waiting: dict[ray.ObjectRef, Job] = {}
    try:
        task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=1)(execute)
        carried = {name: value for name, value in os.environ.items() if name.startswith(_CARRIED)}
        waiting |= {task.remote(replace(job, environ={**carried, **job.environ})): job for job in jobs}
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(ready)
            try:
                yield ray.get(ready)
            except ray.exceptions.RayError as error:
                said = str(error).strip().splitlines()[-1]
                yield Finished(job.name, 0.0, 1, job.log, f"{type(error).__name__}: {said}")
    finally:
        for reference in waiting:  # an interrupt: workers must end their jobs before they are ended themselves
            ray.cancel(reference)
        if waiting:
            ray.wait(list(waiting), num_returns=len(waiting), timeout=_GRACE_SECONDS)
        ray.shutdown()


def _start_ray(cores: int) -> None:
    """Joins the cluster at RAY_ADDRESS, or starts one of this machine."""
    address = os.environ.get("RAY_ADDRESS")
    if address is None:
        for name, value in _RAY_HERE.items():
            os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise SystemExit("--launcher ray needs Ray: pip install 'dataenvgym[ray]', or use --launcher local.") from None
    here = {"num_cpus": max(1, cores), "include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    try:
        host, _, port = (address or "").removeprefix("ray://").rpartition(":")
        if host and port.isdigit():  # Ray itself tries for minutes before it says that nobody listens there
            socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
        ray.init(
            address=address or "local",  # None would join whatever cluster was last started here
            log_to_driver=False,
            logging_level=logging.WARNING,
            # Workers find this module by its name: the repository lies at the same path on every node.
            runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parents[2])}},
            **({} if address else here),
        )
    except Exception as error:  # Ray raises bare Exceptions too, for one when a busy machine takes too long to start it
        said = " ".join(str(error).split())
        if address:
            raise SystemExit(
                f"No Ray cluster at RAY_ADDRESS={address} ({said}): start it, or unset the variable."
            ) from None
        raise SystemExit(f"Ray does not start here ({said}): try again, or use --launcher local.") from None
