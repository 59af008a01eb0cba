"""Skill-List: the teacher also sees accuracy by skill, and ties what it orders to a listed skill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Literal

from environments.actions import check_specs
from environments.base import Environment
from environments.budget import Budget
from environments.loop.protocol import Start, StudentLoop
from environments.quality import QualityFilters
from environments.results import StepResult
from environments.skills.assignment import GoldSkills, SkillAssignment
from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.types import Accuracy, Prediction, TaskInstance
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import ErrorExample, Observation, PastStep, SkillListObservation
from teachers.plan import Action, DataSpec
from teachers.teacher import make_part


class SkillListEnvironment(Environment):
    """The environment that shows skills.

    Args:
        task: The task of the episode.
        loop: Trains and evaluates the student, and keeps what happened.
        budget: Limits of the episode.
        skills: Makes the skills for the task.
        pool: Whether a step trains on all records so far or on its own only.
        start: Whether a step starts from the base weights or from the last trained student's.
        calls_per_step: Teacher calls whose records are gathered before a training.
        filters: Quality filters beyond the exact ones.
        chat: The teacher's calls, or a chat model, for skills that are found by asking one.
    """

    def __init__(
        self,
        task: Task,
        loop: StudentLoop,
        budget: Budget,
        skills: Callable[[Task], SkillAssignment] = GoldSkills,
        pool: Literal["all", "latest"] = "all",
        start: Start = "base",
        calls_per_step: int = 1,
        filters: QualityFilters | None = None,
        chat: Chat | Calls | None = None,
    ) -> None:
        assignment = make_part(skills, task, chat=chat)
        super().__init__(task, loop, budget, assignment, pool, start, calls_per_step, filters)

    def _prepare(self) -> None:
        """Prepares the skills.

        Raises:
            ConfigurationError: There are no skills to list.
        """
        super()._prepare()
        if not self.assignment.skills():
            raise ConfigurationError(
                f"{self.task.name} has no skills to list: choose another skill assignment, "
                "or the Open-Ended environment."
            )

    @property
    def _shown_skills(self) -> SkillAssignment:
        return self.assignment

    def _show(self, core: Observation) -> Observation:
        return SkillListObservation(**shown_fields(core), skills=self._listed(self._results[-1]))

    def _past_step(self, result: StepResult, errors: tuple[ErrorExample, ...]) -> PastStep:
        allocation = {skill: n for skill, n in result.allocation.items() if skill in self.assignment.skills()}
        return PastStep(result.step, result.val.overall, result.records, self._listed(result), allocation, errors)

    def _specs(self, action: Action) -> Sequence[DataSpec]:
        return check_specs(action, {instance.instance_id for instance in self._val}, self.assignment.skills())

    def _error(self, instance: TaskInstance, prediction: Prediction) -> ErrorExample:
        return replace(super()._error(instance, prediction), skill=self.assignment.skill_of(instance))

    def _listed(self, result: StepResult) -> dict[str, Accuracy]:
        """Validation accuracy of every listed skill; of unknown value where no instance counts under it."""
        return {skill: result.val.skills.get(skill, Accuracy(None, 0)) for skill in self.assignment.skills()}


def shown_fields(observation: Observation) -> dict[str, Any]:
    """An observation's fields, for one that shows more (dataclasses.asdict would turn the nested ones to dicts)."""
    return {field.name: getattr(observation, field.name) for field in fields(observation)}
