"""A policy that is shown other feedback than the true one: what its teacher then does shows what feedback is worth."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Literal, get_args

from tasks.base import Task
from tasks.errors import ConfigurationError, check_range
from tasks.types import Accuracy, TaskInstance
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import (
    ErrorExample,
    Observation,
    SkillListObservation,
    SkillTree,
    SkillTreeObservation,
    SubskillNode,
)
from teachers.plan import Action
from teachers.policies.open_ended import OpenEndedPolicy
from teachers.teacher import Policy, make_part

Feedback = Literal["true", "none", "shuffled", "stale"]

_UNKNOWN = Accuracy(None, 0)


class FeedbackAblationPolicy(Policy):
    """Lets a policy act on an observation whose feedback was taken away or falsified.

    Feedback is what tells about the student: accuracies, errors, rewards. What the teacher did itself (records,
    allocations, subskills, actions), the budget and the list of skills stay as they are in every kind:

    - ``true``: the observation as it is.
    - ``none``: every accuracy unknown, no errors, no rewards.
    - ``shuffled``: every skill shows another skill's accuracies and rewards, the same one's in the whole run: feedback
      that is consistent and about the wrong skills. Errors are of instances of the skill that they then count under; in
      the Open-Ended environment each error is shown as one of another validation instance.
    - ``stale``: the accuracies, errors and rewards of an earlier step, and nothing measured since. A history has no
      accuracies of subskills, so after the first step a policy sees none.

    Args:
        task: The task to teach.
        policy: Makes the policy that acts, for the task.
        feedback: What it sees.
        lag: How many steps stale feedback is old; None for that of step 0 in all steps.
        chat: What the policy asks if it has no chat model of its own; None takes the teacher's calls.
    """

    def __init__(
        self,
        task: Task,
        policy: Callable[[Task], Policy] = OpenEndedPolicy,
        feedback: Feedback = "none",
        lag: int | None = 1,
        chat: Chat | Calls | None = None,
    ) -> None:
        if feedback not in get_args(Feedback):
            raise ConfigurationError(
                f"FeedbackAblationPolicy: feedback is {feedback!r}; it must be one of {', '.join(get_args(Feedback))}."
            )
        check_range(type(self).__name__, lag=lag)
        self.task = task
        self.policy = make_part(policy, task, chat=chat)
        self.feedback: Feedback = feedback
        self.lag = lag

    def act(self, observation: Observation) -> Action:
        """The action of the inner policy on what it is shown."""
        return self.policy.act(self.shown(observation))

    def shown(self, observation: Observation) -> Observation:
        """What the inner policy sees."""
        if self.feedback == "none":
            return _blank(observation, known=-1)
        if self.feedback == "shuffled":
            return self._shuffled(observation)
        known = 0 if self.lag is None else max(0, observation.step - self.lag)
        return _blank(observation, known) if self.feedback == "stale" and known < observation.step else observation

    def _shuffled(self, observation: Observation) -> Observation:
        listed = observation.skills if isinstance(observation, SkillListObservation) else {}
        source = _others(list(listed), random.Random(f"{observation.seed}/feedback ablation/skills"))
        misplaced = partial(
            self._misplaced,
            other=_others(list(self._val), random.Random(f"{observation.seed}/feedback ablation/instances")),
            shown_as={taken: skill for skill, taken in source.items()},
        )
        changes: dict[str, Any] = {
            "errors": misplaced(observation.errors),
            "history": tuple(
                replace(past, skills=_moved(past.skills, source), errors=misplaced(past.errors))
                for past in observation.history
            ),
        }
        if isinstance(observation, SkillListObservation):
            changes["skills"] = _moved(listed, source)
        if isinstance(observation, SkillTreeObservation):
            trees = observation.trees
            changes["trees"] = {skill: _regraded(tree, trees[source[skill]]) for skill, tree in trees.items()}
        return replace(observation, **changes)

    def _misplaced(
        self, errors: Sequence[ErrorExample], other: Mapping[str, str], shown_as: Mapping[str, str]
    ) -> tuple[ErrorExample, ...]:
        """Two errors that fall on the same instance are shown once."""
        made: dict[str, ErrorExample] = {}
        for error in errors:
            skill = None if error.skill is None else shown_as.get(error.skill, error.skill)
            members = self._members.get(skill or "", ())
            if members:  # the skill is the task's own: an instance of it, so that what is shown fits together
                name = members[self._place[error.instance_id] % len(members)]
            else:
                name = other[error.instance_id]
            instance = self._val[name]
            made[name] = ErrorExample(name, instance.instruction, error.student_answer, instance.answer, skill)
        return tuple(made.values())

    @cached_property
    def _val(self) -> dict[str, TaskInstance]:
        return {instance.instance_id: instance for instance in self.task.instances("val")}

    @cached_property
    def _members(self) -> dict[str, list[str]]:
        members: dict[str, list[str]] = {}
        for name, instance in self._val.items():
            if (skill := self.task.skill_of(instance)) is not None:
                members.setdefault(skill, []).append(name)
        return members

    @cached_property
    def _place(self) -> dict[str, int]:
        """The place of each validation instance within its gold skill; within the split if it has none."""
        places = {name: place for place, name in enumerate(self._val)}
        return places | {name: place for names in self._members.values() for place, name in enumerate(names)}


def _others(names: list[str], rng: random.Random) -> dict[str, str]:
    """For each name another one, each taken once; a single name has but itself."""
    rng.shuffle(names)
    return dict(pairwise([*names, names[0]])) if names else {}


def _moved(skills: Mapping[str, Accuracy], source: Mapping[str, str]) -> dict[str, Accuracy]:
    return {skill: skills.get(source.get(skill, skill), _UNKNOWN) for skill in skills}


def _regraded(tree: SkillTree, other: SkillTree) -> SkillTree:
    accuracies = [node.accuracy for node in other.subskills]
    nodes = tuple(
        replace(node, accuracy=accuracies[place % len(accuracies)] if accuracies else None)
        for place, node in enumerate(tree.subskills)
    )
    return replace(tree, subskills=nodes, rewards=other.rewards)


def _blank(observation: Observation, known: int) -> Observation:
    """Without any feedback from after the step ``known``; -1 for none at all."""
    at = observation.history[known] if known >= 0 else None
    history = (
        past
        if past.step <= known
        else replace(past, accuracy=_UNKNOWN, skills=dict.fromkeys(past.skills, _UNKNOWN), errors=())
        for past in observation.history
    )
    changes: dict[str, Any] = {
        "accuracy": _UNKNOWN if at is None else at.accuracy,
        "errors": () if at is None else at.errors,
        "history": tuple(history),
    }
    if isinstance(observation, SkillListObservation):
        earlier = {} if at is None else at.skills
        changes["skills"] = {skill: earlier.get(skill, _UNKNOWN) for skill in observation.skills}
    if isinstance(observation, SkillTreeObservation):
        lost = observation.step - known if known >= 0 else None
        changes["trees"] = {skill: _ungraded(tree, lost) for skill, tree in observation.trees.items()}
    return replace(observation, **changes)


def _ungraded(tree: SkillTree, lost: int | None) -> SkillTree:
    """Without accuracies and the last ``lost`` rewards; None for all."""
    nodes: Sequence[SubskillNode] = [replace(node, accuracy=None) for node in tree.subskills]
    rewards = () if lost is None else tree.rewards[: max(0, len(tree.rewards) - lost)]
    return replace(tree, subskills=tuple(nodes), rewards=rewards)
