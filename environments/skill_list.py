"""Skill-List: the teacher also sees accuracy by skill, and ties what it orders to a listed skill."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from environments.actions import check_specs
from environments.base import Environment
from environments.results import StepResult
from environments.skills.assignment import SkillAssignment
from tasks.errors import ConfigurationError
from tasks.types import Accuracy, Prediction, TaskInstance
from teachers.observation import ErrorExample, Observation, PastStep, SkillListObservation
from teachers.plan import Action, DataSpec


class SkillListEnvironment(Environment):
    """The environment that shows skills."""

    def _prepare(self) -> None:
        super()._prepare()
        if not self.assignment.skills():
            raise ConfigurationError(
                f"{self.task.name} has no skills to list: add --config skills/discovered (the teacher's chat model "
                "finds them) or --config skills/clustered, or choose the Open-Ended environment."
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
