"""Policies that learn nothing from the student: dealt at random, or by an allocation that was chosen beforehand."""

from collections import Counter
from collections.abc import Mapping

from tasks.base import Task
from tasks.errors import ConfigurationError, check_range
from teachers.allocation import apportion
from teachers.observation import Observation
from teachers.plan import Action, DataSpec
from teachers.policies.sharing import SharingPolicy, skills_shown
from teachers.teacher import Policy


class UniformPolicy(SharingPolicy):
    """Draws a skill of the catalogue for every record, each with the same probability: the floor of the teacher suite.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
    """

    def act(self, observation: Observation) -> Action:
        """One order for each skill that was drawn."""
        skills, rng = list(skills_shown(self, observation)), observation.generator("skills")
        drawn = Counter(rng.choice(skills) for _ in range(self.share(observation)))
        return [DataSpec(drawn[skill], skill=skill) for skill in skills if drawn[skill]]


class StaticPolicy(Policy):
    """Orders an allocation that was chosen beforehand, the same share of it in every call that is left.

    Args:
        task: The task to teach.
        allocation: Records by skill, of the whole episode; if they are fewer than the budget admits, the rest of it is
            not spent.

    Raises:
        ConfigurationError: An allocation is negative, or none is positive.
    """

    def __init__(self, task: Task, allocation: Mapping[str, int]) -> None:
        if not any(allocation.values()) or min(allocation.values()) < 0:
            raise ConfigurationError(
                f"StaticPolicy: allocation is {dict(allocation)}; give records by skill, e.g. {{percent: 40}}."
            )
        self.allocation = dict(allocation)

    def act(self, observation: Observation) -> Action:
        """What is due of the allocation in this call: all of it by the last one."""
        given = Counter[str]()
        for past in observation.history:
            given.update(past.allocation)
        owed = {skill: max(0, count - given[skill]) for skill, count in self.allocation.items()}
        calls = observation.calls_left or 1
        total = -(-sum(owed.values()) // calls)
        if observation.records_left is not None:
            total = min(total, observation.records_left)
        counts = apportion(total, list(owed.values()), observation.generator("ties"))
        return [DataSpec(count, skill=skill) for skill, count in zip(owed, counts, strict=True) if count]


class TopSkillsPolicy(SharingPolicy):
    """Gives all records to a few skills: the weakest, the strongest, or those that were never measured.

    Each is what somebody might do, and what one kind of challenge punishes: the weakest may be impossible to learn or
    hardly asked, the strongest need nothing, and what is never measured is not asked.

    Args:
        task: The task to teach.
        by: ``weakest``, ``strongest`` or ``unmeasured`` (any, if all were measured).
        top: How many skills.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
    """

    def __init__(self, task: Task, by: str = "weakest", top: int = 3, records_per_step: int | None = None) -> None:
        super().__init__(task, records_per_step)
        if by not in ("weakest", "strongest", "unmeasured"):
            raise ConfigurationError(f"TopSkillsPolicy: by is {by!r}; choose weakest, strongest or unmeasured.")
        check_range(type(self).__name__, top=top)
        self.by = by
        self.top = top

    def act(self, observation: Observation) -> Action:
        """The same number of records for each of the skills."""
        skills = skills_shown(self, observation)
        order = sorted(skills)
        observation.generator("ties").shuffle(order)
        measured = {name: value for name in order if (value := skills[name].value) is not None}
        if self.by == "unmeasured":
            found = [name for name in order if name not in measured]
        else:
            found = sorted(measured, key=measured.__getitem__, reverse=self.by == "strongest")
        chosen = (found or order)[: self.top]
        counts = apportion(self.share(observation), [1.0] * len(chosen))
        return [DataSpec(count, skill=skill) for skill, count in zip(chosen, counts, strict=True) if count]
