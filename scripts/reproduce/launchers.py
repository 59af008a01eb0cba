"""Where the cells of a grid run: side by side on this machine, or on a Ray cluster that shares its file system."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

# How long a cell that is told to stop may take to do so, before it is killed: the end of a batch, not of a step.
_GRACE_SECONDS = 60


@dataclass(frozen=True)
class Job:
    """A command to run.

    Args:
        name: What to call it.
        command: Its words.
        folder: Where it runs.
        log: The file that its output is added to.
        environ: Environment variables besides those of this process.
        retries: How often it is tried again if it dies.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    log: Path
    environ: Mapping[str, str]
    retries: int = 1


@dataclass(frozen=True)
class Finished:
    """How a job ended.

    Args:
        name: The job's name.
        seconds: How long it took, all tries together.
        tries: How often it was tried.
        log: Its output.
        error: What went wrong in the last try; None if all is well.
    """

    name: str
    seconds: float
    tries: int
    log: Path
    error: str | None = None


def launch(jobs: Sequence[Job], launcher: str, parallel: int, threads: int, gpus: float) -> Iterator[Finished]:
    """Runs jobs and hands each over when it has ended.

    Args:
        jobs: The jobs.
        launcher: ``local`` or ``ray``.
        parallel: Jobs side by side on this machine; a cluster has as many as its resources admit.
        threads: CPU cores of each job, for Ray.
        gpus: GPUs of each job, for Ray.

    Raises:
        SystemExit: Ray is asked for and not installed, or cannot be reached.
    """
    if not jobs:
        return iter(())
    if launcher == "ray":
        return _on_ray(jobs, parallel, threads, gpus)
    return _here(jobs, parallel)


def execute(job: Job, stop: threading.Event | None = None) -> Finished:
    """Runs one job to its end, again if it dies.

    Args:
        job: The job.
        stop: Once it is set, the job is interrupted and not tried again.
    """
    begun, error, tries = time.monotonic(), None, 0
    job.log.parent.mkdir(parents=True, exist_ok=True)
    while tries <= job.retries and not (stop is not None and stop.is_set()):
        tries += 1
        with open(job.log, "a+b") as log:
            mark = log.seek(0, os.SEEK_END)
            code = _run(job, log.fileno(), stop)
            log.seek(mark)
            said = log.read().decode(errors="replace").strip().splitlines()
        if code == 0:
            return Finished(job.name, time.monotonic() - begun, tries, job.log)
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        error = f"{how}: {said[-1].strip()}" if said else how
    return Finished(job.name, time.monotonic() - begun, tries, job.log, error or "interrupted before it began")


def _run(job: Job, output: int, stop: threading.Event | None) -> int:
    """The exit status of one try."""
    # A session of its own, so that Ctrl-C reaches this process alone, which then ends the jobs one by one.
    process = subprocess.Popen(
        job.command,
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


def _here(jobs: Sequence[Job], parallel: int) -> Iterator[Finished]:
    stop = threading.Event()
    with ThreadPoolExecutor(max(1, parallel)) as pool:
        futures = [pool.submit(execute, job, stop) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:  # an interrupt, or a reader that went away
            stop.set()
            for future in futures:
                future.cancel()


def _on_ray(jobs: Sequence[Job], parallel: int, threads: int, gpus: float) -> Iterator[Finished]:
    address = os.environ.get("RAY_ADDRESS")
    if address is None:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # a cluster of this machine alone has nobody to keep out
    try:
        import ray
    except ImportError:
        raise SystemExit("--launcher ray needs Ray: pip install 'dataenvgym[ray]', or use --launcher local.") from None
    here = {} if address else {"num_cpus": max(1, parallel) * threads, "include_dashboard": False}
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            # Workers find this module by its name: the repository lies at the same path on every node.
            runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parent)}},
            **here,
        )
    except ConnectionError as error:
        raise SystemExit(
            f"No Ray cluster at RAY_ADDRESS={address} ({error}): start it, or unset the variable."
        ) from None
    waiting: dict[ray.ObjectRef, Job] = {}
    try:
        task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=1)(execute)
        waiting |= {task.remote(job): job for job in jobs}
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
