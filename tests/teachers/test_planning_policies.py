"""Policies that let one on skill lists plan: over groups of errors (Open-Ended), and over subskills (Skill-Tree)."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from dataenvgym.suite.challenges import challenge
from dataenvgym.suite.runner import Entry
from dataenvgym.suite.simulated import simulate
from tasks.errors import ConfigurationError
from tasks.math import ProceduralMathTask
from tasks.types import Accuracy
from teachers.observation import ErrorExample, Observation, PastStep, SkillTree, SkillTreeObservation, SubskillNode
from teachers.plan import DataSpec, Exploit, Explore
from teachers.policies import (
    ErrorGroupsPolicy,
    ErrorProportionalPolicy,
    ExpectedGainPolicy,
    MasteryPolicy,
    NoStatePolicy,
    PlannedTreePolicy,
)
from teachers.testing import check_policy
from tests.environments.toy import ToyTask


@pytest.fixture(scope="module")
def wrong():
    """Errors of four skills whose questions differ in wording, and the skill of each."""
    task = ProceduralMathTask()
    skills = ("percent", "clock", "units", "sequences")
    members = [instance for instance in task.instances("val") if instance.skill in skills]
    errors = tuple(ErrorExample(one.instance_id, one.instruction, "?", one.answer) for one in members)
    return errors, {one.instance_id: one.skill for one in members}


def observed(steps, records=60, **fields):
    """What the Open-Ended environment shows after steps with these errors."""
    history = tuple(
        PastStep(number, Accuracy(1 - len(errors) / 432, 432), records if number else 0, errors=errors)
        for number, errors in enumerate(steps)
    )
    latest = history[-1]
    fields = {"records_left": 300 - records * latest.step, "calls_left": 5 - latest.step} | fields
    return Observation(latest.step, 0, False, latest.accuracy, latest.errors, history, **fields)


def test_contracts():
    check_policy(ErrorGroupsPolicy, ToyTask())
    check_policy(lambda task: ErrorGroupsPolicy(task, ErrorProportionalPolicy, groups=3), ToyTask())
    check_policy(PlannedTreePolicy, ToyTask())


def test_groups_of_errors_follow_what_is_learnt_and_leave_what_is_not(wrong):
    errors, skill_of = wrong
    learnt = [error for error in errors if skill_of[error.instance_id] == "percent"]
    rest = tuple(error for error in errors if error not in learnt)
    random.Random(0).shuffle(learnt)
    policy = ErrorGroupsPolicy(ProceduralMathTask())

    def by_skill(action):
        found = Counter()
        for spec in action:
            assert spec.skill is None and spec.like is not None
            found[skill_of[spec.like]] += spec.count
        return found

    first = by_skill(policy.act(observed([errors])))
    assert sum(first.values()) == 60 and min(first[skill] for skill in set(skill_of.values())) >= 5
    steps = [(*rest, *learnt[: left * len(learnt) // 12]) for left in (12, 9, 7, 5)]
    later = policy.act(observed(steps))
    given = by_skill(later)
    assert sum(given.values()) == 60
    assert given["percent"] > 2 * max(count for skill, count in given.items() if skill != "percent")
    left = {error.instance_id for error in steps[-1]}
    assert {spec.like for spec in later} <= left, "records are ordered like errors that are left"
    gone = policy.act(observed([errors, (), ()]))
    assert sum(spec.count for spec in gone) == 60 and all(spec.like in skill_of for spec in gone)


def test_what_groups_were_given_is_worked_out_again_from_the_history(wrong):
    errors, _ = wrong
    seen = []

    class Recording(ErrorProportionalPolicy):
        def act(self, observation):
            action = super().act(observation)
            seen.append((observation, {spec.skill: spec.count for spec in action}))
            return action

    policy = ErrorGroupsPolicy(ProceduralMathTask(), Recording, groups=4)
    shown = [errors, errors[5:], errors[15:], errors[30:]]
    ordered = []
    for steps in range(1, 5):
        seen.clear()
        policy.act(observed(shown[:steps]))
        observation, action = seen[-1]
        assert [past.allocation for past in observation.history[1:]] == ordered
        assert (observation.records_left, observation.calls_left) == (360 - 60 * steps, 6 - steps)
        ordered.append(action)


def test_without_errors_an_open_order_and_with_unknown_ones_no_crash(wrong):
    errors, _ = wrong
    task = ProceduralMathTask()
    assert ErrorGroupsPolicy(task).act(observed([()])) == [DataSpec(60)]
    stale = observed([errors, errors])
    hidden = replace(
        stale, history=(stale.history[0], replace(stale.history[1], accuracy=Accuracy(None, 0), errors=()))
    )
    assert sum(spec.count for spec in ErrorGroupsPolicy(task).act(hidden)) == 60


@pytest.mark.parametrize("inner", [NoStatePolicy, MasteryPolicy])
def test_an_inner_policy_that_orders_for_no_skills_is_refused(wrong, inner):
    task = ProceduralMathTask()
    with pytest.raises(ConfigurationError, match=inner.__name__):
        ErrorGroupsPolicy(task, inner).act(observed([wrong[0]]))
    with pytest.raises(ConfigurationError, match=inner.__name__):
        PlannedTreePolicy(task, inner).act(on_trees())


def on_trees(**trees):
    skills = {"percent": Accuracy(0.1, 24), "clock": Accuracy(0.0, 24)}
    shown = {skill: trees.get(skill, SkillTree(skill)) for skill in skills}
    start = PastStep(0, Accuracy(0.05, 48), 0, skills)
    return SkillTreeObservation(
        0, 0, False, start.accuracy, (), (start,), records_left=60, calls_left=1, skills=skills, trees=shown
    )


def test_a_planned_tree_explores_what_gets_records_and_sets_allocations_later():
    task = ProceduralMathTask()
    policy = PlannedTreePolicy(task, ErrorProportionalPolicy)
    action = policy.act(on_trees())
    assert all(isinstance(one, Explore) and len(one.subskills) == 3 for one in action.values())
    assert 54 <= sum(3 * one.records_each for one in action.values()) <= 60

    nodes = (SubskillNode("a", 5, 5, 1.0), SubskillNode("b", 5, 5, 0.0), SubskillNode("c", 5))
    trees = on_trees(percent=SkillTree("percent", nodes, actions=("explore",)))
    plan = {spec.skill: spec.count for spec in ErrorProportionalPolicy(task).act(trees)}
    change = policy.act(trees)["percent"]
    assert isinstance(change, Exploit)
    allocation = {node.name: node.allocation + change.change[node.name] for node in nodes}
    assert sum(allocation.values()) == plan["percent"]
    assert allocation["b"] == pytest.approx(allocation["c"], abs=1) and allocation["b"] > 2 * allocation["a"]


@pytest.mark.parametrize(
    ("policy", "environment", "least"),
    [("ErrorGroupsPolicy", "open_ended", 35), ("PlannedTreePolicy", "skill_tree", 35)],
)
def test_both_nearly_reach_in_their_environment_what_planning_reaches_on_skill_lists(policy, environment, least):
    """On a simulated student; ordering like errors without groups, or at random, stays below 30 points."""

    def points(name, where):
        settings = {"class_path": f"teachers.policies.{name}"}
        entry = Entry(challenge("global_math-v1"), name, settings, 0, environment=where)
        return 100 * simulate(entry).accuracy

    found = points(policy, environment)
    assert found > least and found == pytest.approx(points(ExpectedGainPolicy.__name__, None), abs=3)
    if environment == "open_ended":
        assert points("OpenEndedPolicy", environment) < 30


def test_errors_are_shown_under_their_groups_and_descriptions_are_handed_on(wrong):
    errors, _ = wrong
    seen = []

    class Describing(ErrorProportionalPolicy):
        def act(self, observation):
            seen.append(observation)
            return [replace(spec, description=f"about {spec.skill}") for spec in super().act(observation)]

    action = ErrorGroupsPolicy(ProceduralMathTask(), Describing, groups=4).act(observed([errors]))
    assert {error.skill for error in seen[0].errors} == set(seen[0].skills) == {f"group {n}" for n in range(1, 5)}
    group_of = {error.instance_id: error.skill for error in seen[0].errors}
    assert all(spec.description == f"about {group_of[spec.like]}" for spec in action)


def test_a_second_call_in_one_step_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="calls_per_step to 1"):
        ErrorGroupsPolicy(ProceduralMathTask()).act(replace(observed([wrong[0]]), call=1))
