"""Open-Ended: the teacher sees accuracy, errors and history, no skills, and may order anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from environments.actions import check_specs
from environments.base import Environment
from environments.budget import Budget
from environments.loop.protocol import Start, StudentLoop
from environments.quality import QualityFilters
from environments.results import StepResult
from environments.skills.assignment import GoldSkills
from tasks.base import Task
from teachers.observation import ErrorExample, Observation, PastStep
from teachers.plan import Action, DataSpec


class OpenEndedEnvironment(Environment):
    """The environment of least structure. Results are reported by gold skill, which the teacher does not see.

    Args:
        task: The task of the episode.
        loop: Trains and evaluates the student, and keeps what happened.
        budget: Limits of the episode.
        pool: Whether a step trains on all records so far or on its own only.
        start: Whether a step starts from the base weights or from the last trained student's.
        calls_per_step: Teacher calls whose records are gathered before a training.
        filters: Quality filters beyond the exact ones.
    """

    def __init__(
        self,
        task: Task,
        loop: StudentLoop,
        budget: Budget,
        pool: Literal["all", "latest"] = "all",
        start: Start = "base",
        calls_per_step: int = 1,
        filters: QualityFilters | None = None,
    ) -> None:
        super().__init__(task, loop, budget, GoldSkills(task), pool, start, calls_per_step, filters)

    def _show(self, core: Observation) -> Observation:
        return core

    def _past_step(self, result: StepResult, errors: tuple[ErrorExample, ...]) -> PastStep:
        return PastStep(result.step, result.val.overall, result.records, errors=errors)

    def _specs(self, action: Action) -> Sequence[DataSpec]:
        return check_specs(action, {instance.instance_id for instance in self._val}, listed=None)
