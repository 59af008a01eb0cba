"""The student's side of a step: fresh Trainer, fit, evaluation; the only place that knows Lightning's lifecycle."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import TensorBoardLogger

from datamodules import StudentDataModule
from environments.refusals import refused_training
from environments.results import Evaluation, Rejection, RestoredEpisode, StepResult
from environments.skills.assignment import SkillAssignment
from lightning_modules import StudentModule
from lightning_modules.callbacks import FeedbackWriter, SampleLogger, SkillMetrics
from tasks.base import Task
from tasks.errors import ConfigurationError, DataEnvGymError, StorageError
from tasks.types import Prediction, TaskInstance, TrainingRecord
from teachers.observation import Observation
from teachers.plan import DataPlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from environments.run.progress import EpisodeProgress
    from environments.run.recorder import Recorder

Outcome = TypeVar("Outcome")

# Weights built in configure_model stay in the child with these: the run would end with an untrained student.
_UNUSABLE_STRATEGIES = ("spawn", "fork", "notebook")


_PHASES = ("fit", "evaluate", "teacher")


class MakeTrainer(Protocol):
    """Makes a new Trainer from the template; ``callbacks`` are added to the template's."""

    def __call__(self, **overrides: Any) -> Trainer:
        """A new Trainer with these arguments replaced."""


class StudentLoop:
    """Trains and evaluates the student of one episode.

    Args:
        task: The task that scores.
        student: The pristine student; it is deep-copied for every step and never changed.
        data: The data module template.
        make_trainer: Makes a new Trainer from the template.
        recorder: Keeps what the environment hands over, and names the folder of each step.
        seed: The run's seed.
        progress: The terminal display.

    Raises:
        ConfigurationError: The Trainer's strategy forks or spawns.
    """

    def __init__(
        self,
        task: Task,
        student: StudentModule,
        data: StudentDataModule,
        make_trainer: MakeTrainer,
        recorder: Recorder,
        seed: int,
        progress: EpisodeProgress,
    ) -> None:
        self.task = task
        self.seed = seed
        self._seconds = dict.fromkeys(_PHASES, 0.0)
        self._truncated = 0
        self._student = student
        self._data = data
        self._make_trainer = make_trainer
        self._recorder = recorder
        self._folder = recorder.run_dir.step
        self._progress = progress
        self._current: StudentModule | None = None
        self._evaluation: Evaluation | None = None
        template = make_trainer(logger=False, enable_progress_bar=False)
        self.world_size: int = template.world_size
        launcher = type(template.strategy.launcher).__name__.lower()
        if "multiprocessing" in launcher or any(word in launcher for word in _UNUSABLE_STRATEGIES):
            raise ConfigurationError(
                "trainer.strategy forks or spawns its processes, and a student trained there never comes back: "
                "use trainer.strategy=ddp."
            )

    def launch(self) -> None:
        """Starts the other processes, if the Trainer has several, before anything that one rank does for all."""
        if self.world_size > 1:
            first = self.task.instances("val")[: self.world_size]
            self.answer(first)

    def run(
        self,
        step: int,
        records: Sequence[TrainingRecord],
        start: Literal["base", "previous"],
        previous: int | None,
        skills: SkillAssignment,
    ) -> Evaluation:
        """Trains a fresh student on records and evaluates it on validation and test.

        Args:
            step: The step; it seeds everything random here.
            records: What to train on; with none (step 0) the untouched student is evaluated.
            start: Whether training starts from the base weights or from those of ``previous``.
            previous: The last step that trained a student, if any.
            skills: The skills that the teacher is shown: feedback.json is by these.
        """
        self._seed(step)
        student = copy.deepcopy(self._student)
        if start == "previous" and previous is not None:
            student.load_student(self._folder(previous) / "student")
        folder = self._folder(step)
        metrics = SkillMetrics(self.task)
        trainer = self._trainer(
            folder=folder,
            callbacks=[
                metrics,
                FeedbackWriter(folder, metrics, self._recorder.run_dir.images, skills),
                SampleLogger(),
                _PhaseTicks(self._progress),
            ],
        )
        if records:
            data = self._data.with_records(records, seed=self._derive(step))
            with self._timed("fit"):
                self._call(trainer, trainer.fit, student, datamodule=data)
            self._truncated = data.truncated_records or 0
            if trainer.is_global_zero:
                _write_student(student, folder / "student")
        else:
            data = self._data.with_instances({split: self.task.instances(split) for split in ("val", "test")})
        with self._timed("evaluate"):
            self._call(trainer, trainer.predict, student, datamodule=data, return_predictions=False)
        self._current = student
        self._evaluation = Evaluation(tuple(metrics.predictions("val")), tuple(metrics.predictions("test")))
        return self._evaluation

    def answer(self, instances: Sequence[TaskInstance]) -> list[Prediction]:
        """The present student's scored answers to any instances, in their order."""
        if not instances:
            return []
        if self._current is None:
            self._current = copy.deepcopy(self._student)
        metrics = SkillMetrics(self.task)
        trainer = self._trainer(folder=None, callbacks=[metrics, _PhaseTicks(self._progress)])
        data = self._data.with_instances({"probe": instances})
        with self._timed("evaluate"):
            self._call(trainer, trainer.predict, self._current, datamodule=data, return_predictions=False)
        return metrics.predictions("probe")

    def elapsed(self) -> float:
        """Wall time of the run in seconds, the time before an interruption included; the same on every rank."""
        if self.world_size == 1:
            return self._recorder.elapsed()
        # Clocks differ, and ranks that disagree on whether the time is up would wait for each other forever.
        shared = [self._recorder.elapsed()]
        torch.distributed.broadcast_object_list(shared, src=0)
        return shared[0]

    def keep_call(
        self,
        step: int,
        call: int,
        plan: DataPlan,
        accepted: Sequence[TrainingRecord],
        rejected: Sequence[Rejection],
        state: Mapping[str, Any],
    ) -> None:
        """Keeps one teacher call, before any training on its records."""
        self._recorder.keep_call(plan, accepted, rejected, state)

    def keep_step(self, result: StepResult) -> None:
        """Keeps a finished step and shows it."""
        assert self._evaluation is not None, "a step is kept after it was evaluated"
        line = self._recorder.keep_step(result, self._evaluation, self._seconds, self._truncated)
        self._truncated = 0
        self._seconds = dict.fromkeys(_PHASES, 0.0)
        self._progress.step_finished(
            result.step, result.val.overall.value, result.test.overall.value, result.pool, sum(line["seconds"].values())
        )
        self._progress.step_started(result.step + 1)

    def keep_observation(self, observation: Observation) -> None:
        """Keeps what the policy is about to be given."""
        self._recorder.keep_observation(observation)

    def restore(self) -> RestoredEpisode | None:
        """What an earlier process kept of this run, its student made the present one; None for a new run."""
        restored = self._recorder.restore()
        if restored is None:
            return None
        self._evaluation = restored.evaluations[-1]
        for line in self._recorder.lines:
            accuracy, seconds = line["val"]["overall"]["value"], sum(line["seconds"].values())
            self._progress.step_restored(line["step"], accuracy, line["pool"], seconds)
        self._progress.step_started(len(restored.steps))
        self._current = copy.deepcopy(self._student)
        trained = [result.step for result in restored.steps if result.trained and result.step]
        if trained:
            self._current.load_student(self._folder(trained[-1]) / "student")
        return restored

    def once(self, work: Callable[[], Outcome]) -> Outcome:
        """What ``work`` gives, done by rank 0 alone and shared: a teacher is asked once, not once per process."""
        self._progress.phase("teach", None)
        with self._timed("teacher"):
            if self.world_size == 1:
                return work()
            shared: list[Any] = [None]
            if torch.distributed.get_rank() == 0:
                try:
                    shared = [(work(), None)]
                except DataEnvGymError as error:
                    shared = [(None, error)]
            torch.distributed.broadcast_object_list(shared, src=0)
            result, failure = shared[0]
            if failure is not None:
                raise failure
            return cast(Outcome, result)

    def _trainer(self, folder: Path | None, callbacks: list[Callback]) -> Trainer:
        logger = _FitLogger(folder, "tensorboard", "", prefix="fit", default_hp_metric=False) if folder else False
        return self._make_trainer(
            logger=logger,
            callbacks=callbacks,
            default_root_dir=str(folder) if folder is not None else None,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            limit_val_batches=0,  # evaluation is one predict after the fit, not a pass in every epoch
            use_distributed_sampler=False,  # the data module deals instances to ranks itself, each exactly once
        )

    def _call(self, trainer: Trainer, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Calls a Trainer entry point; Ctrl-C stays a KeyboardInterrupt and a full disk one clear error."""
        try:
            with refused_training("these trainer settings"):
                function(*args, **kwargs)
        except SystemExit as error:
            raise KeyboardInterrupt from error  # Lightning turns Ctrl-C into sys.exit(1)
        except OSError as error:
            if isinstance(error, DataEnvGymError):
                raise
            raise StorageError(f"Cannot write the step's files ({error.strerror or error}): free space.") from error

    def _derive(self, step: int) -> int:
        return random.Random(f"{self.seed}/{step}/fit").getrandbits(31)

    def _seed(self, step: int) -> None:
        seed_everything(self._derive(step), verbose=False)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] += time.monotonic() - start


class _FitLogger(TensorBoardLogger):
    """Curves under ``fit/…``, against optimiser steps: no chart of TensorBoard mixes them with the episode's."""

    LOGGER_JOIN_CHAR = "/"


class _PhaseTicks(Callback):
    """Moves the progress display on with every batch."""

    def __init__(self, progress: EpisodeProgress) -> None:
        self._progress = progress

    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        # Optimiser steps, of which several batches may share one; without an end (max_epochs -1) there is no total.
        steps = trainer.estimated_stepping_batches
        self._progress.phase("train", int(steps) if math.isfinite(steps) else None)

    def on_predict_start(self, trainer: Trainer, *_: Any) -> None:
        self._progress.phase("evaluate", sum(int(count) for count in trainer.num_predict_batches))

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self._progress.reached(trainer.global_step)

    def on_predict_batch_end(self, *_: Any, **__: Any) -> None:
        self._progress.advance()


def _write_student(student: StudentModule, folder: Path) -> None:
    """Writes a student's weights.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    try:
        student.save_student(folder)
    except Exception as error:
        # safetensors raises its own error type, not OSError, for a failed write.
        if isinstance(error, OSError) or "SafetensorError" in type(error).__name__:
            raise StorageError(f"Cannot write {folder} ({error}): free space or choose another --run_dir.") from error
        raise
