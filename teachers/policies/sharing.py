"""What policies that order a share of the budget have in common."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.errors import ConfigurationError
from tasks.types import Accuracy
from teachers.observation import Observation, SkillListObservation, SkillTreeObservation


def checked_share(policy: object, records_per_step: int | None) -> int | None:
    """``records_per_step`` as given.

    Raises:
        ConfigurationError: It is not positive.
    """
    if records_per_step is not None and records_per_step < 1:
        raise ConfigurationError(
            f"{type(policy).__name__}: records_per_step is {records_per_step}; give at least 1, or null to spread "
            "the budget evenly over the steps."
        )
    return records_per_step


def checked_fraction(policy: object, name: str, value: float) -> float:
    """A setting between 0 and 1, as given.

    Raises:
        ConfigurationError: It is not.
    """
    if not 0 <= value <= 1:
        raise ConfigurationError(f"{type(policy).__name__}: {name} is {value}; it must lie between 0 and 1.")
    return value


def share_of(observation: Observation, records_per_step: int | None) -> int:
    """Records to order in this call, never more than the budget still admits."""
    if records_per_step is None:
        return observation.even_share()
    return records_per_step if observation.records_left is None else min(records_per_step, observation.records_left)


def skills_shown(policy: object, observation: Observation) -> Mapping[str, Accuracy]:
    """The accuracies by skill of an observation.

    Raises:
        ConfigurationError: It shows no skills.
    """
    if not isinstance(observation, SkillListObservation):
        raise ConfigurationError(
            f"{type(policy).__name__} needs to see skills: use the Skill-List or the Skill-Tree environment."
        )
    return observation.skills


def trees_shown(policy: object, observation: Observation) -> SkillTreeObservation:
    """The observation, known to show trees.

    Raises:
        ConfigurationError: It shows no trees.
    """
    if not isinstance(observation, SkillTreeObservation):
        raise ConfigurationError(f"{type(policy).__name__} acts on skill trees: use the Skill-Tree environment.")
    return observation


def error_rates(observation: Observation, skills: Mapping[str, Accuracy]) -> dict[str, float]:
    """Error rate by skill; where a skill's accuracy is unknown, the overall one stands in."""
    overall = 0.0 if observation.accuracy.value is None else observation.accuracy.value
    return {name: 1 - (overall if skill.value is None else skill.value) for name, skill in skills.items()}
