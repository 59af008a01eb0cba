"""The policy that orders a skill's records like its errors."""

from collections import Counter

import pytest

from tasks.errors import ConfigurationError
from tasks.types import Accuracy
from teachers.observation import ErrorExample, SkillListObservation
from teachers.plan import DataSpec
from teachers.policies import (
    ErrorProportionalPolicy,
    LikeErrorsPolicy,
    MasteryPolicy,
    NoStatePolicy,
    RewardHistoryPolicy,
)
from teachers.testing import check_policy, example_observations
from tests.environments.toy import ToyTask

WRONG = {"found a": 8, "found b": 3, "mastered": 0}


def observe(wrong=WRONG, **fields):
    errors = tuple(
        ErrorExample(f"val-{index:05d}", "q", "?", "a", skill)
        for index, skill in enumerate(skill for skill, number in wrong.items() for _ in range(number))
    )
    skills = {skill: Accuracy(1 - number / 10, 10) for skill, number in wrong.items()}
    fields = {"step": 0, "seed": 0, "records_left": 100, "calls_left": 1} | fields
    return SkillListObservation(last=False, accuracy=Accuracy(0.6, 30), errors=errors, skills=skills, **fields)


def test_contract():
    check_policy(LikeErrorsPolicy, ToyTask())
    check_policy(lambda task: LikeErrorsPolicy(task, NoStatePolicy), ToyTask())


def test_each_skill_gets_what_the_other_policy_gives_it():
    observation = observe()
    inner = {spec.skill: spec.count for spec in RewardHistoryPolicy(ToyTask()).act(observation)}
    ours = LikeErrorsPolicy(ToyTask()).act(observation)
    given = Counter()
    for spec in ours:
        given[spec.skill] += spec.count
    assert given == {"found a": inner["found a"], "found b": inner["found b"], None: inner["mastered"]}


def test_records_are_dealt_evenly_over_the_skills_own_errors():
    observation = observe()
    skill_of = {error.instance_id: error.skill for error in observation.errors}
    ours = LikeErrorsPolicy(ToyTask()).act(observation)
    assert ours[-1] == DataSpec(ours[-1].count)
    liked = ours[:-1]
    assert all(skill_of[spec.like] == spec.skill for spec in liked)
    assert {spec.like for spec in liked} == set(skill_of)
    for skill in ("found a", "found b"):
        counts = {spec.count for spec in liked if spec.skill == skill}
        assert max(counts) - min(counts) <= 1


def test_few_records_go_to_drawn_errors():
    def policy(task):
        return ErrorProportionalPolicy(task, records_per_step=2, floor=0.0, exponent=100)

    drawn = {
        tuple(spec.like for spec in LikeErrorsPolicy(ToyTask(), policy).act(observe(seed=seed))) for seed in range(20)
    }
    assert all(len(likes) == len(set(likes)) == 2 for likes in drawn)
    assert len(drawn) > 10


def test_all_is_replay_without_errors():
    nothing = observe(dict.fromkeys(WRONG, 0))
    assert LikeErrorsPolicy(ToyTask()).act(nothing) == [DataSpec(100)]


def test_open_orders_stay_as_they_are():
    assert LikeErrorsPolicy(ToyTask(), NoStatePolicy).act(observe()) == [DataSpec(100)]


def test_a_policy_on_trees_is_refused():
    with pytest.raises(ConfigurationError, match="LikeErrorsPolicy: MasteryPolicy acts on skill trees"):
        LikeErrorsPolicy(ToyTask(), MasteryPolicy).act(example_observations(ToyTask())[0])
