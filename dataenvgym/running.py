"""An episode in a run directory: claiming it, resuming, and how it ends; the command and the API alike."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from lightning.pytorch.utilities import rank_zero_only

from environments.base import Environment
from environments.loop.episode import run_episode
from environments.loop.student_loop import LightningStudentLoop
from environments.quiet import contained
from environments.run.directory import RunDir
from environments.run.progress import EpisodeProgress
from environments.run.provenance import provenance
from environments.run.recorder import RunRecorder
from environments.simulation.student import SimulatedLoop, SimulatedStudent
from lightning_modules.base_weights import resolve_model
from tasks.errors import ConfigurationError, DataEnvGymError, RunDirectoryError, failing_as
from teachers.chat.secrets import conceal
from teachers.chat.types import SpendingCapError
from teachers.teacher import make_part

if TYPE_CHECKING:
    from dataenvgym.cli.episode import EpisodeCLI


def run_in_directory(episode: EpisodeCLI, run_dir: Path, resume: bool, verbose: bool = True) -> None:
    """Runs an episode into a run directory, or continues it; a finished one is left as it is."""
    directory = RunDir(run_dir)
    if _writes() and directory.state() == "finished":
        directory.check(episode.config_text(), resume)
        if verbose:
            print(f"{run_dir} holds this run already, finished: nothing to do.", flush=True)
        _finish(directory, episode, verbose)
        return
    environment, progress = open_run(episode, run_dir, resume, verbose)
    try:
        with environment:
            run_episode(environment, episode.teacher, *([progress.note] if verbose else ()))
    except SpendingCapError:
        if not environment.results:  # else the run is finished
            raise


def open_run(
    episode: EpisodeCLI, run_dir: Path, resume: bool, verbose: bool = True
) -> tuple[Environment, EpisodeProgress]:
    """Takes a run directory; returns the environment that writes it (``close()`` ends the run) and its progress.

    Raises:
        RunDirectoryError: The run directory is taken, or its run is finished.
        DataEnvGymError: Whatever else a user can cause.
    """
    parts, directory, config, writes = episode.config_init, RunDir(run_dir), episode.config_text(), _writes()
    task, student, calls, seed = parts["task"], episode.model, episode.calls, episode.config.seed_everything
    if writes:
        if resume and episode.objects:
            raise RunDirectoryError(
                f"{run_dir} cannot be resumed: {', '.join(episode.objects)} was given as an object, and nothing says "
                "that it is the same one; give a class of a module, or begin a new run."
            )
        if directory.check(config, resume) == "finished":
            raise RunDirectoryError(f"{run_dir} holds this run already, finished: read it with dataenvgym.load().")
    with contained(), ExitStack() as opened:
        if writes:
            opened.callback(_finish, directory, episode, verbose)
        progress = opened.enter_context(EpisodeProgress(enabled=writes and verbose))
        recorder = RunRecorder(directory, {"seed": seed, **episode.names}, writes, calls, task, progress)
        loop: LightningStudentLoop | SimulatedLoop
        if isinstance(student, SimulatedStudent):
            loop = SimulatedLoop(task, student, seed, directory if writes else None)
        else:
            data, make_trainer = episode.datamodule, episode.instantiate_trainer
            loop = LightningStudentLoop(task, student, data, make_trainer, recorder, seed, progress)
        with failing_as(ConfigurationError, "The environment cannot be made"):
            # A skill discovery asks the same chat model.
            environment = make_part(parts["environment"], task, loop, recorder, chat=calls)
        if writes:
            directory.claim(config, resume)  # only now: an environment that cannot be made leaves nothing behind
        if calls is not None and writes:
            opened.enter_context(calls.recording(directory.calls_file))
            calls.report_to(progress.asked, progress.waiting)
        progress.step_started(0, environment.budget.max_steps)
        if writes:
            name = student.hparams.get("model_name_or_path")
            model = resolve_model(name) if name else type(student).__name__
            directory.write_provenance(provenance(task, model, seed))

        opened.push(lambda kind, error, trace: _end(recorder, environment.over, error))
        if isinstance(loop, LightningStudentLoop):
            loop.launch()
        environment.run_dir, environment.at_close = run_dir, opened.pop_all()
    return environment, progress


def _writes() -> bool:
    """Whether this is the process that writes: the first of a distributed run."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _end(recorder: RunRecorder, over: bool, error: BaseException | None) -> None:
    recorder.close()
    if error is None and not recorder.lines:
        recorder.write_summary("failed", error="closed before the first observation")
    elif error is None:
        recorder.write_summary("finished", None if over else "closed")
    # A spent cap is a budget like the others: what was taught is kept, if anything was measured.
    elif isinstance(error, SpendingCapError) and recorder.lines:
        recorder.write_summary("finished", "max_usd")
    elif isinstance(error, Exception):  # after Ctrl-C, an interrupted run stays what it is
        recorder.write_summary("failed", error=conceal(str(error)) if isinstance(error, DataEnvGymError) else None)


def _finish(directory: RunDir, episode: EpisodeCLI, verbose: bool) -> None:
    from dataenvgym.reporting.report import write_report

    summary, calls = directory.summary(), episode.calls
    if summary.get("status") != "finished":
        return
    report = write_report([directory.path])
    if not verbose:
        return
    width = max((len(name) for name in summary["skills"]), default=8)
    lines = [f"\n{'skill':<{width}}  before → after (test accuracy, n)"]
    for name, skill in summary["skills"].items():
        lines.append(f"{name:<{width}}  {_percent(skill['before'])} → {_percent(skill['after'])}  ({skill['n']})")
    for split in ("val", "test"):
        gain, before, after = summary["gain"][split], summary["before"][split], summary["after"][split]
        interval = f"95 % interval {gain['ci95'][0]:+.1f} to {gain['ci95'][1]:+.1f}" if gain["ci95"] else "no interval"
        p_value = f", p = {gain['p_value']:.2g}" if gain["p_value"] is not None else ""
        lines.append(
            f"{split:<4} {_percent(before['accuracy'])} → {_percent(after['accuracy'])}: "
            f"{gain['points']:+.1f} points ({interval}{p_value}, n = {after['n']})"
        )
    lines += [f"report       {report}", f"TensorBoard  tensorboard --logdir {directory.path}"]
    if calls is not None and (calls.paid["calls"] or calls.replayed):
        usd = "an unknown price" if calls.paid["usd"] is None else f"${calls.paid['usd']:.4f}"
        lines.append(f"calls        {calls.paid['calls']} paid now ({usd}), {calls.replayed} replayed")
    print("\n".join(lines), flush=True)


def _percent(value: float | None) -> str:
    return "  n/a " if value is None else f"{100 * value:5.1f}%"
