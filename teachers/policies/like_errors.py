"""A policy that orders a skill's records like the errors on it, for engines that do not know the skill by name."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tasks.base import Task
from tasks.errors import ConfigurationError
from teachers.allocation import apportion
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import ErrorExample, Observation
from teachers.plan import Action, DataSpec
from teachers.policies.skill_list import RewardHistoryPolicy
from teachers.teacher import Policy, make_part


class LikeErrorsPolicy(Policy):
    """Lets another policy decide how many records each skill gets, and orders them like the skill's errors.

    The name of a discovered skill tells a procedural engine nothing; an error of it is an instance to write records
    like. A skill's records are dealt evenly over its errors in a drawn order; without errors they are records of
    anything, so that what is mastered is not forgotten.

    Args:
        task: The task to teach.
        policy: Makes the policy that shares the records out, for the task.
        chat: What the policy asks if it has no chat model of its own; None takes the teacher's calls.
    """

    def __init__(
        self,
        task: Task,
        policy: Callable[[Task], Policy] = RewardHistoryPolicy,
        chat: Chat | Calls | None = None,
    ) -> None:
        self.policy = make_part(policy, task, chat=chat)

    def act(self, observation: Observation) -> Action:
        """An order for each error that gets records, then an open one for the skills without errors."""
        action = self.policy.act(observation)
        if isinstance(action, Mapping):
            raise ConfigurationError(
                f"LikeErrorsPolicy: {type(self.policy).__name__} acts on skill trees; give it a policy that orders "
                "records for skills."
            )
        errors = list(observation.errors)
        observation.generator("like errors").shuffle(errors)
        by_skill: dict[str | None, list[ErrorExample]] = {}
        for error in errors:
            by_skill.setdefault(error.skill, []).append(error)
        specs: list[DataSpec] = []
        replay = 0
        for spec in action:
            if spec.skill is None:
                specs.append(spec)
            elif spec.skill in by_skill:
                like = by_skill[spec.skill]
                counts = apportion(spec.count, [1.0] * len(like))
                dealt = zip(counts, like, strict=True)
                specs += [replace(spec, count=n, like=error.instance_id) for n, error in dealt if n]
            else:
                replay += spec.count
        return [*specs, DataSpec(replay)] if replay else specs
