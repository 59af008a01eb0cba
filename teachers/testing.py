"""The contract that every policy passes, as a checker for tests: ``check_policy(XPolicy, task)``."""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from tasks.base import ProceduralTask, Task
from tasks.errors import ConfigurationError
from tasks.types import Accuracy
from teachers.observation import (
    ErrorExample,
    Observation,
    PastStep,
    SkillListObservation,
    SkillTree,
    SkillTreeObservation,
    SubskillNode,
)
from teachers.plan import Action, DataSpec, Exploit, Explore
from teachers.teacher import Policy


def check_policy(make: Callable[[Task], Policy], task: ProceduralTask, seed: int = 0, everywhere: bool = True) -> None:
    """Checks a policy against the contract of Policy on a first, a late and an error-free observation.

    It must act on what the Skill-Tree environment shows; on less it acts too, or says in one line what it needs. It
    must order whole, non-negative numbers within the budget, decide by the observation alone (twice the same, and
    the same in any order of observations), and leave the observation as it is. ``everywhere`` is False for one that is
    not meant for environments that show less.
    """
    policy = make(task)
    known = {instance.instance_id for instance in task.instances("val")}
    richest = example_observations(task, seed)
    shown = copy.deepcopy(richest)
    actions = [policy.act(observation) for observation in richest]
    for action, observation in zip(actions, richest, strict=True):
        check_action(action, observation, known)
    again = make(task)
    backwards = [again.act(observation) for observation in reversed(richest)]
    assert backwards[::-1] == actions, "act() must depend on the observation alone, not on earlier calls"
    assert [policy.act(observation) for observation in richest] == actions, "act() must be repeatable"
    assert richest == shown, "act() must not change the observation"
    for observation in richest if everywhere else ():
        for kind in (SkillListObservation, Observation):
            plainer = kind(**{name: getattr(observation, name) for name in kind.__dataclass_fields__})
            try:
                check_action(policy.act(plainer), plainer, known)
            except ConfigurationError as error:
                assert "\n" not in str(error), "what a policy needs must be said in one line"


def check_action(action: Action, observation: Observation, known: Collection[str] | None = None) -> None:
    """Checks that an action is valid for an observation.

    ``known`` are the validation instances that ``like`` may name; None allows only the errors shown.
    """
    if isinstance(action, Mapping):
        assert isinstance(observation, SkillTreeObservation), "only the Skill-Tree environment takes tree actions"
        assert set(action) <= set(observation.trees), "an action names a skill that is not listed"
        for skill, change in action.items():
            names = [node.name for node in observation.trees[skill].subskills]
            if isinstance(change, Explore):
                _check_count(change.records_each)
                assert len(set(change.subskills)) == len(change.subskills), "proposed names must be unique"
            else:
                assert isinstance(change, Exploit), f"{change!r} is neither Explore nor Exploit"
                assert set(change.change) <= set(names), "Exploit names a subskill that the tree does not have"
                assert all(type(number) is int for number in change.change.values()), "changes must be int"
        return
    assert isinstance(action, Sequence), f"an action is a list of DataSpec or a mapping, got {action!r}"
    ids = {error.instance_id for error in observation.errors} if known is None else known
    for spec in action:
        assert isinstance(spec, DataSpec), f"{spec!r} is no DataSpec"
        _check_count(spec.count)
        assert spec.like is None or spec.like in ids, "like must name a validation instance, and one that was shown"
        if isinstance(observation, SkillListObservation):
            assert spec.skill is None or spec.skill in observation.skills, "a spec names a skill that is not listed"
    ordered = sum(spec.count for spec in action)
    left = observation.records_left
    assert left is None or ordered <= left, f"the action orders {ordered} records and the budget admits {left}"


def example_observations(task: ProceduralTask, seed: int = 0) -> list[SkillTreeObservation]:
    """A first observation, late ones with and without limits, and one of a student without errors."""
    skills = list(task.skills())
    before = {skill: Accuracy(index / len(skills), 10) for index, skill in enumerate(skills)}
    after = {skill: Accuracy(min(1.0, (accuracy.value or 0) + 0.1), 10) for skill, accuracy in before.items()}
    # One skill has no validation instance: its accuracy is unknown, and every policy has to cope with that.
    before[skills[-1]] = after[skills[-1]] = Accuracy(None, 0)
    errors = tuple(
        ErrorExample(instance.instance_id, instance.instruction, "?", instance.answer, instance.skill)
        for instance in task.instances("val")[::2]
    )
    first = SkillTreeObservation(
        step=0,
        seed=seed,
        last=False,
        accuracy=Accuracy(0.4, 100),
        errors=errors,
        history=(PastStep(0, Accuracy(0.4, 100), 0, before, {}, errors),),
        records_left=200,
        calls_left=3,
        skills=before,
        trees={skill: SkillTree(skill) for skill in skills},
    )
    past = PastStep(1, Accuracy(0.5, 100), 90, after, dict.fromkeys(skills, 5), errors)
    trees = {}
    for skill in skills:
        known = enumerate(task.subskills(skill)[:2])
        nodes = [SubskillNode(name, 3 * index, 3 * index, 0.5 if index else None) for index, name in known]
        trees[skill] = SkillTree(skill, tuple(nodes), rewards=(0.1,), actions=("explore",))
    history = (*first.history, past)
    late = replace(first, step=1, accuracy=past.accuracy, history=history, skills=after, trees=trees)
    unlimited = replace(late, records_left=None, calls_left=None)
    nearly_spent = replace(late, records_left=1, calls_left=1)
    perfect = replace(
        late,
        errors=(),
        history=(*first.history, replace(past, errors=())),
        skills=dict.fromkeys(skills, Accuracy(1.0, 10)),
    )
    return [first, late, unlimited, nearly_spent, perfect]


def _check_count(count: object) -> None:
    assert type(count) is int, f"a count must be an int, got {count!r}"
    assert count >= 0, f"a count must not be negative, got {count}"
