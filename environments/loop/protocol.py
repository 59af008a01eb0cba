"""What an environment needs of the student's side and of the run directory, as one protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

from environments.results import Evaluation, Rejection, RestoredEpisode, StepResult
from environments.skills.assignment import SkillAssignment
from tasks.types import Prediction, TaskInstance, TrainingRecord
from teachers.observation import Observation
from teachers.plan import DataPlan

Start = Literal["base", "previous"]
Outcome = TypeVar("Outcome")


class StudentLoop(Protocol):
    """Trains, evaluates and probes the student of one episode, and keeps what happened.

    Writes come in this order, which is what makes a resume exact: ``keep_call`` once for each teacher call, then
    ``run``, then ``keep_step``, and ``keep_observation`` before the next action. A kill between any two of them loses
    nothing but the unfinished one.
    """

    @property
    def seed(self) -> int:
        """The run's seed."""

    def run(
        self,
        step: int,
        records: Sequence[TrainingRecord],
        start: Start,
        previous: int | None,
        skills: SkillAssignment,
    ) -> Evaluation:
        """Trains a student on records, then evaluates it.

        Args:
            step: The step.
            records: What to train on; none in step 0, which evaluates the untouched student.
            start: Whether training starts from the base weights or from those of ``previous``.
            previous: The last step that trained a student, if any.
            skills: The skills that the teacher is shown, for files that say what it may know.
        """

    def answer(self, instances: Sequence[TaskInstance]) -> Sequence[Prediction]:
        """The present student's answers to any instances, in their order."""

    def once(self, work: Callable[[], Outcome]) -> Outcome:
        """What ``work`` gives, done by one process and shared with the others of a distributed run."""

    def elapsed(self) -> float:
        """Wall time of the run in seconds, the time before an interruption included."""

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

    def keep_step(self, result: StepResult) -> None:
        """Keeps a finished step."""

    def keep_observation(self, observation: Observation) -> None:
        """Keeps what the policy is about to be given."""

    def restore(self) -> RestoredEpisode | None:
        """What an earlier process kept of this run, its student made the present one; None for a new run."""
