"""The student's side of a step: fresh Trainer, fit, evaluation; the only place that knows Lightning's lifecycle."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import TensorBoardLogger

from datamodules import StudentDataModule
from environments.loop.protocol import Start
from environments.quiet import contained
from environments.refusals import refused_training
from environments.results import Evaluation
from environments.skills.assignment import SkillAssignment
from lightning_modules import StudentModule
from lightning_modules.callbacks import FeedbackWriter, SampleLogger, SkillMetrics
from tasks.base import Task
from tasks.errors import ConfigurationError, DataEnvGymError, StorageError
from tasks.types import Prediction, TaskInstance, TrainingRecord

if TYPE_CHECKING:
    from environments.run.progress import EpisodeProgress
    from environments.run.recorder import RunRecorder

# Weights built in configure_model stay in the child with these: the run would end with an untrained student.
_UNUSABLE_STRATEGIES = ("spawn", "fork", "notebook")


class MakeTrainer(Protocol):
    """Makes a new Trainer from the template; ``callbacks`` are added to the template's."""

    def __call__(self, **overrides: Any) -> Trainer:
        """A new Trainer with these arguments replaced."""


class LightningStudentLoop:
    """Trains and evaluates the student of one episode, with a fresh Trainer for each step.

    The given student is deep-copied for every step and never changed. ``make_trainer`` must not give a strategy that
    forks or spawns; ``recorder`` names the folder of each step, and takes the times.
    """

    def __init__(
        self,
        task: Task,
        student: StudentModule,
        data: StudentDataModule,
        make_trainer: MakeTrainer,
        recorder: RunRecorder,
        seed: int,
        progress: EpisodeProgress,
    ) -> None:
        self.task = task
        self.seed = seed
        self._student = student
        self._data = data
        self._make_trainer = make_trainer
        self._recorder = recorder
        self._run_dir = recorder.run_dir
        self._progress = progress
        self._current: StudentModule | None = None
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

    @contained()
    def run(
        self,
        step: int,
        records: Sequence[TrainingRecord],
        start: Start,
        previous: int | None,
        skills: SkillAssignment,
    ) -> Evaluation:
        """Trains a fresh student on records and evaluates it on validation and test.

        The step seeds everything random here. Without records (step 0) the untouched student is evaluated. ``previous``
        is the last step that trained a student; feedback.json is by ``skills``, which the teacher is shown.
        """
        seed = random.Random(f"{self.seed}/{step}/fit").getrandbits(31)
        seed_everything(seed, verbose=False)
        student = copy.deepcopy(self._student)
        if start == "previous" and previous is not None:
            student.load_student(self._run_dir.student(previous))
        folder, truncated, replayed = self._run_dir.step(step), 0, 0
        metrics = SkillMetrics(self.task)
        trainer = self._trainer(
            folder=folder,
            callbacks=[
                metrics,
                FeedbackWriter(folder, metrics, self._run_dir.images, skills),
                SampleLogger(),
                _PhaseTicks(self._progress),
            ],
        )
        if records:
            data = self._data.with_records(records, seed=seed)
            with self._recorder.timed("fit"):
                self._call(trainer, trainer.fit, student, datamodule=data)
            truncated, replayed = data.truncated_records or 0, data.replay
            if trainer.is_global_zero:
                target = self._run_dir.student(step)
                try:
                    student.save_student(target)
                except Exception as error:
                    # safetensors raises its own error type, not OSError, for a failed write.
                    if not isinstance(error, OSError) and "SafetensorError" not in type(error).__name__:
                        raise
                    raise StorageError(
                        f"Cannot write {target} ({error}): free space or choose another --run_dir."
                    ) from error
        else:
            data = self._data.with_instances({split: self.task.instances(split) for split in ("val", "test")})
        with self._recorder.timed("evaluate"):
            self._call(trainer, trainer.predict, student, datamodule=data, return_predictions=False)
        self._current = student
        return Evaluation(tuple(metrics.predictions("val")), tuple(metrics.predictions("test")), truncated, replayed)

    @contained()
    def answer(self, instances: Sequence[TaskInstance]) -> list[Prediction]:
        """The present student's scored answers to any instances, in their order."""
        if not instances:
            return []
        if self._current is None:
            self._current = copy.deepcopy(self._student)
        metrics = SkillMetrics(self.task)
        trainer = self._trainer(folder=None, callbacks=[metrics, _PhaseTicks(self._progress)])
        data = self._data.with_instances({"probe": instances}, likelihood=False)
        with self._recorder.timed("evaluate"):
            self._call(trainer, trainer.predict, self._current, datamodule=data, return_predictions=False)
        return metrics.predictions("probe")

    def load(self, step: int) -> None:
        """Makes the student that a step trained the present one."""
        self._current = copy.deepcopy(self._student)
        self._current.load_student(self._run_dir.student(step))

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
