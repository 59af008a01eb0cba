"""An episode in a run directory: claiming it, resuming, saying what came of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from datamodules import StudentDataModule
from environments.base import MakeEnvironment
from environments.loop.episode import run_episode
from environments.loop.student_loop import LightningStudentLoop, MakeTrainer
from environments.run.directory import RunDir
from environments.run.progress import EpisodeProgress
from environments.run.provenance import provenance
from environments.run.recorder import RunRecorder
from lightning_modules import StudentModule
from lightning_modules.base_weights import resolve_model
from tasks.base import Task
from tasks.errors import ConfigurationError, DataEnvGymError, failing_as
from teachers.chat.secrets import conceal
from teachers.chat.types import SpendingCapError
from teachers.teacher import Teacher, make_part


def run_in_directory(
    *,
    task: Task,
    student: StudentModule,
    data: StudentDataModule,
    make_trainer: MakeTrainer,
    make_environment: MakeEnvironment,
    teacher: Teacher,
    run_dir: Path,
    config: str,
    seed: int,
    resume: bool,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Runs an episode into a run directory, or continues or reads the one that is there.

    Args:
        task: The task.
        student: The pristine student.
        data: The data module template.
        make_trainer: Makes a new Trainer from the template.
        make_environment: Makes the environment from the task, the student loop and the recorder.
        teacher: The teacher.
        run_dir: Where the run is written.
        config: The composed configuration as YAML.
        seed: The run's seed.
        resume: Whether an interrupted run may be continued.
        names: What summary.json calls task, environment, teacher and student.

    Returns:
        The content of summary.json.

    Raises:
        DataEnvGymError: Whatever a user can cause; the run directory then says ``failed``.
    """
    directory = RunDir(run_dir)
    rank_zero = getattr(rank_zero_only, "rank", 0) == 0
    if rank_zero and directory.check(config, resume) == "finished":
        _say(f"{run_dir} holds this run already, finished: nothing to do.")
        _say_result(directory.summary(), directory)
        return directory.summary()

    calls = teacher.calls
    stopped = None
    with ExitStack() as open_parts:
        progress = open_parts.enter_context(EpisodeProgress(enabled=rank_zero))
        recorder = RunRecorder(directory, {"seed": seed, **names}, rank_zero, calls, task, progress)
        loop = LightningStudentLoop(task, student, data, make_trainer, recorder, seed, progress)
        with failing_as(ConfigurationError, "The environment cannot be made"):
            # A skill discovery asks the same chat model.
            environment = make_part(make_environment, task, loop, recorder, chat=calls)
        if rank_zero:
            directory.claim(config, resume)  # only now: an environment that cannot be made leaves nothing behind
        if calls is not None and rank_zero:
            open_parts.enter_context(calls.recording(directory.calls_file))
            calls.report_to(progress.asked, progress.waiting)
        progress.step_started(0, environment.budget.max_steps)
        if rank_zero:
            name = student.hparams.get("model_name_or_path")
            model = resolve_model(name) if name else type(student).__name__
            directory.write_provenance(provenance(task, model, seed))
        try:
            loop.launch()
            run_episode(environment, teacher, progress.note)
        except Exception as error:
            # A spent cap is a budget like the others: what was taught is kept, if anything was measured.
            if not isinstance(error, SpendingCapError) or not recorder.lines:
                recorder.write_summary(
                    "failed", error=conceal(str(error)) if isinstance(error, DataEnvGymError) else None
                )
                raise
            stopped = "max_usd"
        finally:
            recorder.close()
        summary = recorder.write_summary("finished", stopped)
    if rank_zero:
        _say_result(summary, directory)
        if calls is not None:
            usd = "an unknown price" if calls.paid["usd"] is None else f"${calls.paid['usd']:.4f}"
            _say(f"calls        {calls.paid['calls']} paid now ({usd}), {calls.replayed} replayed")
    return summary


def _say_result(summary: Mapping[str, Any], directory: RunDir) -> None:
    """Prints before → after for each skill, the gains, and where to look further."""
    from dataenvgym.reporting.report import write_report

    width = max((len(name) for name in summary["skills"]), default=8)
    _say(f"\n{'skill':<{width}}  before → after (test accuracy, n)")
    for name, skill in summary["skills"].items():
        _say(f"{name:<{width}}  {_percent(skill['before'])} → {_percent(skill['after'])}  ({skill['n']})")
    for split in ("val", "test"):
        gain, before, after = summary["gain"][split], summary["before"][split], summary["after"][split]
        interval = f"95 % interval {gain['ci95'][0]:+.1f} to {gain['ci95'][1]:+.1f}" if gain["ci95"] else "no interval"
        p_value = f", p = {gain['p_value']:.2g}" if gain["p_value"] is not None else ""
        _say(
            f"{split:<4} {_percent(before['accuracy'])} → {_percent(after['accuracy'])}: "
            f"{gain['points']:+.1f} points ({interval}{p_value}, n = {after['n']})"
        )
    _say(f"report       {write_report([directory.path])}")
    _say(f"TensorBoard  tensorboard --logdir {directory.path}")


def _percent(value: float | None) -> str:
    return "  n/a " if value is None else f"{100 * value:5.1f}%"


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
