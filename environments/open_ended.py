"""Open-Ended: the teacher sees accuracy, errors and history, no skills, and may order anything."""

from collections.abc import Sequence
from typing import Any

from environments.actions import check_specs
from environments.base import Environment
from environments.budget import Budget
from environments.loop.protocol import Recorder, StudentLoop
from environments.results import StepResult
from environments.skills.assignment import GoldSkills
from tasks.base import Task
from teachers.observation import ErrorExample, Observation, PastStep
from teachers.plan import Action, DataSpec


class OpenEndedEnvironment(Environment):
    """The environment of least structure. Results are reported by gold skill, which the teacher does not see.

    Args:
        task: As in Environment.
        loop: As in Environment.
        recorder: As in Environment.
        budget: Limits of the episode.
        options: Those of Environment, except ``skills``.
    """

    def __init__(self, task: Task, loop: StudentLoop, recorder: Recorder, budget: Budget, **options: Any) -> None:
        super().__init__(task, loop, recorder, budget, skills=GoldSkills, **options)

    def _show(self, core: Observation) -> Observation:
        return core

    def _past_step(self, result: StepResult, errors: tuple[ErrorExample, ...]) -> PastStep:
        return PastStep(result.step, result.val.overall, result.records, errors=errors)

    def _specs(self, action: Action) -> Sequence[DataSpec]:
        return check_specs(action, {instance.instance_id for instance in self._val}, listed=None)
