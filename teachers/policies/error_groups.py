"""A policy that finds groups among the errors, for environments that show no skills, and teaches them like skills."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from tasks.base import Task
from tasks.errors import ConfigurationError, check_range
from tasks.similarity import clusters, plain
from tasks.types import Accuracy
from teachers.allocation import apportion
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import ErrorExample, Observation, PastStep, SkillListObservation
from teachers.plan import Action, DataSpec
from teachers.policies.expected_gain import ExpectedGainPolicy
from teachers.policies.sharing import share_of
from teachers.teacher import Policy, make_part


class ErrorGroupsPolicy(Policy):
    """Groups the untaught student's errors by their texts, and lets a policy on skill lists teach the groups.

    The accuracy of a group is the share of its questions that the student has come to answer; what a group was given
    is what this policy ordered for it, worked out again from the history, since the Open-Ended environment shows no
    allocation. Records of a group are ordered like the errors of it that are left. Questions that the untaught student
    answered are in no group.

    Args:
        task: The task to teach.
        policy: Makes the policy that shares the records out over the groups, for the task.
        groups: How many groups, at most as many as errors differ, numbers aside.
        chat: What the policy asks if it has no chat model of its own; None takes the teacher's calls.
    """

    def __init__(
        self,
        task: Task,
        policy: Callable[[Task], Policy] = ExpectedGainPolicy,
        groups: int = 12,
        chat: Chat | Calls | None = None,
    ) -> None:
        check_range(type(self).__name__, groups=groups)
        self.policy = make_part(policy, task, chat=chat)
        self.groups = groups

    def act(self, observation: Observation) -> Action:
        """Orders like errors; an open one as long as there are none."""
        if observation.call:
            raise ConfigurationError(
                "ErrorGroupsPolicy works out again what it ordered in each step, and knows one call in each: set "
                "environment.init_args.calls_per_step to 1."
            )
        past_steps = observation.history or (
            PastStep(observation.step, observation.accuracy, 0, errors=observation.errors),
        )
        first = past_steps[0].errors
        if not first:
            return [DataSpec(share_of(observation, None))]
        labels = _groups(tuple(error.instruction for error in first), self.groups)
        group_of = {error.instance_id: label for error, label in zip(first, labels, strict=True)}
        sizes = Counter(labels)

        def accuracies(accuracy: Accuracy, errors: Sequence[ErrorExample]) -> dict[str, Accuracy]:
            if accuracy.value is None:  # not measured, or not shown
                return dict.fromkeys(sizes, Accuracy(None, 0))
            wrong = Counter(group_of[error.instance_id] for error in errors if error.instance_id in group_of)
            return {group: Accuracy(1 - wrong[group] / size, size) for group, size in sizes.items()}

        history: list[PastStep] = []
        for index, past in enumerate(past_steps):
            given: dict[str, int] = {}
            if index:  # what this policy ordered at the step before
                later = past_steps[index:]
                records = _plus(observation.records_left, sum(one.records for one in later))
                calls = _plus(observation.calls_left, len(later))
                ordered = self._ordered(self._observed(observation, history, records, calls))
                totals = Counter[str]()
                for spec in ordered:
                    totals[spec.skill or ""] += spec.count
                given = dict(zip(totals, apportion(past.records, list(totals.values())), strict=True))
            shown = accuracies(past.accuracy, past.errors)
            errors = tuple(replace(error, skill=group_of.get(error.instance_id)) for error in past.errors)
            history.append(PastStep(past.step, past.accuracy, past.records, shown, given, errors))
        now = self._observed(observation, history, observation.records_left, observation.calls_left)

        left = {error.instance_id for error in observation.errors}
        specs = []
        for order in self._ordered(now):
            members = [error.instance_id for error in first if group_of[error.instance_id] == order.skill]
            like = [name for name in members if name in left] or members
            observation.generator(f"errors/{order.skill}").shuffle(like)
            counts = apportion(order.count, [1.0] * len(like))
            dealt = zip(like, counts, strict=True)
            specs += [DataSpec(n, like=name, description=order.description) for name, n in dealt if n]
        return specs

    def _observed(
        self, at: Observation, history: Sequence[PastStep], records_left: int | None, calls_left: int | None
    ) -> SkillListObservation:
        """What the inner policy was shown when ``history`` was all that had happened."""
        latest = history[-1]
        return SkillListObservation(
            step=latest.step,
            seed=at.seed,
            last=False,
            accuracy=latest.accuracy,
            errors=latest.errors,
            history=tuple(history),
            records_left=records_left,
            calls_left=calls_left,
            skills=latest.skills,
        )

    def _ordered(self, observation: SkillListObservation) -> Sequence[DataSpec]:
        action = self.policy.act(observation)
        if isinstance(action, Mapping) or any(spec.skill is None for spec in action):
            raise ConfigurationError(
                f"ErrorGroupsPolicy: {type(self.policy).__name__} does not order records for skills; give it a policy "
                "on skill lists."
            )
        return action


def _plus(limit: int | None, used: int) -> int | None:
    return None if limit is None else limit + used


@lru_cache(maxsize=8)
def _groups(texts: tuple[str, ...], number: int) -> list[str]:
    return [f"group {label + 1}" for label in clusters(texts, min(number, len(set(map(plain, texts)))))]
