"""What policies that order a share of the budget have in common, and what they need to be shown."""

from collections.abc import Mapping

from tasks.base import Task
from tasks.errors import ConfigurationError, check_range
from tasks.types import Accuracy
from teachers.observation import Observation, SkillListObservation, SkillTreeObservation
from teachers.teacher import Policy


class SharingPolicy(Policy):
    """A policy that orders a share of the budget in each call.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
    """

    def __init__(self, task: Task, records_per_step: int | None = None) -> None:
        check_range(type(self).__name__, records_per_step=records_per_step)
        self.records_per_step = records_per_step

    def share(self, observation: Observation) -> int:
        """Records to order in this call, never more than the budget still admits."""
        return share_of(observation, self.records_per_step)


def share_of(observation: Observation, records_per_step: int | None) -> int:
    """Records to order in a call, never more than the budget still admits; None for an even share of it."""
    if records_per_step is None:
        return observation.even_share()
    return records_per_step if observation.records_left is None else min(records_per_step, observation.records_left)


def skills_shown(policy: object, observation: Observation) -> Mapping[str, Accuracy]:
    """The accuracies by skill of an observation."""
    if not isinstance(observation, SkillListObservation):
        raise ConfigurationError(
            f"{type(policy).__name__} needs to see skills: use the Skill-List or the Skill-Tree environment."
        )
    return observation.skills


def trees_shown(policy: object, observation: Observation) -> SkillTreeObservation:
    """The observation, if it shows trees."""
    if not isinstance(observation, SkillTreeObservation):
        raise ConfigurationError(f"{type(policy).__name__} acts on skill trees: use the Skill-Tree environment.")
    return observation


def exam_shares(skills: Mapping[str, Accuracy]) -> dict[str, float]:
    """How often each skill is asked, with 1 for the one asked most: by the number of its validation instances.

    Where no skill was measured, nothing is known of what is asked, and all are 1.
    """
    most = max((skill.n for skill in skills.values()), default=0)
    return {name: skill.n / most if most else 1.0 for name, skill in skills.items()}


def error_rates(observation: Observation, skills: Mapping[str, Accuracy]) -> dict[str, float]:
    """Error rate by skill; the overall one where a skill's accuracy is unknown."""
    overall = 0.0 if observation.accuracy.value is None else observation.accuracy.value
    return {name: 1 - (overall if skill.value is None else skill.value) for name, skill in skills.items()}
