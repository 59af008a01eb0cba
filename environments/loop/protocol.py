"""What an environment works with: a student that it trains and evaluates, and a recorder that keeps what happened."""

import time
from collections.abc import Callable, Sequence
from typing import Literal, Protocol, TypeVar

from environments.results import Evaluation, KeptCall, RestoredEpisode, StepResult
from environments.skills.assignment import SkillAssignment
from tasks.types import Prediction, TaskInstance, TrainingRecord
from teachers.observation import Observation

Start = Literal["base", "previous"]
T = TypeVar("T")


class StudentLoop(Protocol):
    """Trains and evaluates the student of one episode."""

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
        """Trains a student on records, then evaluates it; it is the present student from then on.

        Args:
            step: The step.
            records: What to train on; none in step 0, which evaluates the untouched student.
            start: Whether training starts from the base weights or from those of ``previous``.
            previous: The last step that trained a student, if any.
            skills: The skills that the teacher is shown, for files that say what it may know.
        """

    def answer(self, instances: Sequence[TaskInstance]) -> Sequence[Prediction]:
        """The present student's answers to any instances, in their order."""

    def load(self, step: int) -> None:
        """Makes the student that a step trained the present one, when an interrupted run goes on."""


class Recorder:
    """Keeps what happens in an episode. This one keeps nothing; ``RunRecorder`` keeps it in a run directory.

    Calls come in this order, which is what makes a resume exact: ``keep_call`` once for each teacher call, then the
    training, then ``keep_step``, and ``keep_observation`` before the next action. A kill between any two of them loses
    nothing but the unfinished one.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()

    def restore(self) -> RestoredEpisode | None:
        """What an earlier process kept of this run; None for a new run."""
        return None

    def elapsed(self) -> float:
        """Wall time of the run in seconds, the time before an interruption included."""
        return time.monotonic() - self._began

    def once(self, work: Callable[[], T]) -> T:
        """The result of ``work``, done by one process and shared with the others of a distributed run."""
        return work()

    def keep_call(self, call: KeptCall) -> None:
        """Keeps one teacher call, before any training on its records."""

    def keep_step(self, result: StepResult, evaluation: Evaluation) -> None:
        """Keeps a finished step with the student's answers after it."""

    def keep_observation(self, observation: Observation) -> None:
        """Keeps what the policy is about to be given."""
