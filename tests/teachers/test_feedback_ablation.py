"""Feedback taken away or falsified: nothing true gets through, all else stays, and the policy still acts."""

from dataclasses import fields, replace
from functools import partial

import pytest
from procedural_brain import ProceduralBrain

from environments import Budget, OpenEndedEnvironment, Recorder, SkillListEnvironment, SkillTreeEnvironment
from tasks.errors import ConfigurationError
from tasks.types import Accuracy
from teachers.observation import Observation, SkillListObservation
from teachers.policies import (
    ErrorProportionalPolicy,
    FeedbackAblationPolicy,
    FirstStepPolicy,
    LLMOpenEndedPolicy,
    LLMSkillListPolicy,
    LLMSkillTreePolicy,
    MasteryPolicy,
    NoStatePolicy,
    OpenEndedPolicy,
    RewardHistoryPolicy,
)
from teachers.testing import check_policy
from tests.environments.toy import LookupLoop, MemoryRecorder, ToyTask, run
from tests.teachers.taught import TaughtToyTask, taught_by

TASK = ToyTask()
KINDS = ("true", "none", "shuffled", "stale")
INNER = (OpenEndedPolicy, ErrorProportionalPolicy, RewardHistoryPolicy, MasteryPolicy, NoStatePolicy)


def ablated(policy, feedback, **settings):
    return partial(FeedbackAblationPolicy, policy=policy, feedback=feedback, **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inner", INNER)
def test_contract_under_every_kind_of_feedback(inner, kind):
    check_policy(ablated(inner, kind), TASK)
    check_policy(ablated(inner, kind, lag=None), TASK)


@pytest.mark.parametrize("kind", ["none", "shuffled", "stale"])
@pytest.mark.parametrize("inner", [LLMOpenEndedPolicy, LLMSkillListPolicy, LLMSkillTreePolicy])
def test_language_models_can_be_asked_under_every_kind(inner, kind):
    task = TaughtToyTask()
    with taught_by(ProceduralBrain(task)) as heard:
        check_policy(partial(ablated(inner, kind), chat=heard.calls), task)


@pytest.mark.parametrize("inner", [FirstStepPolicy, partial(FirstStepPolicy, policy=MasteryPolicy, steps=2)])
def test_contract_of_the_first_step(inner):
    check_policy(inner, TASK)


def observations():
    environment = SkillTreeEnvironment(TASK, LookupLoop(TASK), Recorder(), Budget(max_records=120, max_steps=4))
    return run(environment, MasteryPolicy(TASK))


SEEN = observations()
LATE = SEEN[3]


def test_true_feedback_is_the_observation_itself():
    for observation in SEEN:
        assert FeedbackAblationPolicy(TASK, MasteryPolicy, "true").shown(observation) is observation


@pytest.mark.parametrize("kind", KINDS)
def test_the_budget_and_what_the_teacher_did_stay(kind):
    for observation in SEEN:
        shown = FeedbackAblationPolicy(TASK, feedback=kind).shown(observation)
        for name in ("step", "call", "seed", "last", "records_left", "calls_left"):
            assert getattr(shown, name) == getattr(observation, name)
        assert list(shown.skills) == list(observation.skills)
        for past, true in zip(shown.history, observation.history, strict=True):
            assert (past.step, past.records, past.allocation) == (true.step, true.records, true.allocation)
        for skill, tree in shown.trees.items():
            true = observation.trees[skill]
            assert (tree.skill, tree.actions) == (true.skill, true.actions)
            assert [(node.name, node.allocation, node.generated) for node in tree.subskills] == [
                (node.name, node.allocation, node.generated) for node in true.subskills
            ]


def measured(value):
    if isinstance(value, Accuracy):
        return [] if value.value is None else [value.value]
    if isinstance(value, dict):
        return [number for item in value.values() for number in measured(item)]
    if isinstance(value, tuple):
        return [number for item in value for number in measured(item)]
    if hasattr(value, "__dataclass_fields__"):
        found = [number for field in fields(value) for number in measured(getattr(value, field.name))]
        found += [value.accuracy] if isinstance(getattr(value, "accuracy", None), float) else []
        return found + list(getattr(value, "rewards", ()))
    return []


def errors_in(observation):
    return set(observation.errors).union(*(past.errors for past in observation.history))


def test_no_feedback_is_none():
    assert len(measured(LATE)) > 30 and len(errors_in(LATE)) > 30
    for observation in SEEN:
        shown = FeedbackAblationPolicy(TASK).shown(observation)
        assert measured(shown) == [] and errors_in(shown) == set()
    # Two students are the same to a policy without feedback.
    uneven = {skill: Accuracy(place / 3, 16) for place, skill in enumerate(LATE.skills)}
    other = replace(LATE, skills=uneven)
    policy = FeedbackAblationPolicy(TASK, RewardHistoryPolicy)
    assert policy.act(LATE) == policy.act(other)
    assert RewardHistoryPolicy(TASK).act(LATE) != RewardHistoryPolicy(TASK).act(other)


def test_shuffled_feedback_is_of_the_wrong_skills_and_always_the_same_ones():
    sources = []
    for observation in SEEN:
        shown = FeedbackAblationPolicy(TASK, feedback="shuffled").shown(observation)
        found = {}
        for skill, accuracy in shown.skills.items():
            matches = [other for other, true in observation.skills.items() if true is accuracy]
            assert len(matches) == 1 and matches[0] != skill
            found[skill] = matches[0]
            assert shown.trees[skill].rewards == observation.trees[matches[0]].rewards
        for past, true in zip(shown.history, observation.history, strict=True):
            assert past.skills == {skill: true.skills[other] for skill, other in found.items()}
        assert sorted(found.values()) == sorted(found)
        assert shown.accuracy == observation.accuracy
        sources.append(found)
    assert all(source == sources[0] for source in sources)
    policy = FeedbackAblationPolicy(TASK, feedback="shuffled")
    reached = [policy.shown(replace(LATE, seed=seed)).skills.values() for seed in range(8)]
    assert (
        len({tuple(id(accuracy) for accuracy in shown) for shown in reached}) == 2
    )  # three skills have two derangements, and seeds reach both


def test_shuffled_errors_are_of_other_instances_and_fit_their_skill():
    instances = {instance.instance_id: instance for instance in TASK.instances("val")}
    assert len(LATE.errors) > 5
    shown = FeedbackAblationPolicy(TASK, feedback="shuffled").shown(LATE)
    assert {error.instance_id for error in shown.errors} != {error.instance_id for error in LATE.errors}
    for error in shown.errors:
        instance = instances[error.instance_id]
        assert (error.instruction, error.right_answer, error.skill) == (
            instance.instruction,
            instance.answer,
            instance.skill,
        )
    for skill, accuracy in shown.skills.items():
        wrong = sum(error.skill == skill for error in shown.errors)
        assert wrong == round((1 - accuracy.value) * accuracy.n)  # as many as the accuracy shown says
    for past, true in zip(shown.history, LATE.history, strict=True):
        asked = {error.instance_id for error in true.errors}
        assert asked and {error.instance_id for error in past.errors} != asked
        for skill, accuracy in past.skills.items():
            assert sum(error.skill == skill for error in past.errors) == round((1 - accuracy.value) * accuracy.n)
    assert shown.history[-1].errors == shown.errors


def test_shuffled_errors_of_the_open_ended_environment_are_no_errors_of_the_student_by_rule():
    environment = OpenEndedEnvironment(TASK, LookupLoop(TASK), Recorder(), Budget(max_records=60, max_steps=2))
    observation = environment.reset()
    shown = FeedbackAblationPolicy(TASK, feedback="shuffled").shown(observation)
    true = {error.instance_id for error in observation.errors}
    assert len(shown.errors) == len(true) and all(error.skill is None for error in shown.errors)
    assert {error.instance_id for error in shown.errors} != true
    assert shown.history[-1].errors == shown.errors


def test_skills_that_are_not_the_tasks_own_are_shuffled_too():
    renamed = {skill: f"found {skill}" for skill in LATE.skills}
    plain = {field.name: getattr(LATE, field.name) for field in fields(SkillListObservation)}
    plain["skills"] = {renamed[skill]: accuracy for skill, accuracy in LATE.skills.items()}
    plain["errors"] = tuple(replace(error, skill=renamed[error.skill]) for error in LATE.errors)
    plain["history"] = ()
    observation = SkillListObservation(**plain)
    shown = FeedbackAblationPolicy(TASK, feedback="shuffled").shown(observation)
    assert len(shown.errors) == len(LATE.errors)
    assert {error.skill for error in shown.errors} <= set(observation.skills)
    assert [e.instance_id for e in shown.errors] != [e.instance_id for e in observation.errors]


@pytest.mark.parametrize(("lag", "known"), [(1, 2), (2, 1), (None, 0), (9, 0)])
def test_stale_feedback_is_that_of_an_earlier_step(lag, known):
    assert LATE.step == 3
    shown = FeedbackAblationPolicy(TASK, feedback="stale", lag=lag).shown(LATE)
    assert shown.accuracy == LATE.history[known].accuracy
    assert shown.skills == LATE.history[known].skills != LATE.skills
    assert shown.errors == LATE.history[known].errors != LATE.errors
    for past in shown.history[known + 1 :]:
        assert measured(past) == [] and past.errors == ()
    assert shown.history[: known + 1] == LATE.history[: known + 1]
    for skill, tree in shown.trees.items():
        assert tree.rewards == LATE.trees[skill].rewards[: len(tree.rewards)]
        assert len(tree.rewards) == max(0, len(LATE.trees[skill].rewards) - (3 - known))
        assert all(node.accuracy is None for node in tree.subskills)


@pytest.mark.parametrize("environment", [OpenEndedEnvironment, SkillListEnvironment, SkillTreeEnvironment])
def test_stale_feedback_is_what_the_step_before_was_shown(environment):
    seen = run(
        environment(TASK, LookupLoop(TASK), Recorder(), Budget(max_records=120, max_steps=4)), OpenEndedPolicy(TASK)
    )
    stale = [FeedbackAblationPolicy(TASK, feedback="stale").shown(observation) for observation in seen]
    for shown, before in zip(stale[1:], seen, strict=False):
        assert (shown.accuracy, shown.errors) == (before.accuracy, before.errors)
        assert shown.history[: before.step + 1] == before.history
        assert errors_in(shown) == errors_in(before)
    answers = [{error.instance_id: error.student_answer for error in shown.errors} for shown in stale]
    assert len(answers[-1]) > len({error.instance_id for error in seen[-1].errors})  # the student learned meanwhile


def test_stale_feedback_of_the_first_step_is_true():
    assert FeedbackAblationPolicy(TASK, feedback="stale").shown(SEEN[0]) is SEEN[0]


def test_records_follow_the_feedback_that_is_shown():
    def orders(kind):
        policy = FeedbackAblationPolicy(TASK, partial(ErrorProportionalPolicy, floor=0.0), kind)
        return {spec.skill: spec.count for spec in policy.act(observation)}

    uneven = dict(zip(SEEN[0].skills, (Accuracy(0.0, 16), Accuracy(0.5, 16), Accuracy(1.0, 16)), strict=True))
    observation = replace(SEEN[0], skills=uneven)
    assert orders("true") == {"skill0": 20, "skill1": 10}
    assert orders("none") == dict.fromkeys(uneven, 10)
    assert sorted(orders("shuffled").values()) == [10, 20]
    assert orders("shuffled").get("skill0", 0) < 20


def test_wrong_settings():
    for settings in ({"feedback": "wrong"}, {"feedback": "stale", "lag": 0}):
        with pytest.raises(ConfigurationError):
            FeedbackAblationPolicy(TASK, **settings)
    with pytest.raises(ConfigurationError):
        FirstStepPolicy(TASK, steps=0)


@pytest.mark.parametrize("environment", [OpenEndedEnvironment, SkillListEnvironment, SkillTreeEnvironment])
@pytest.mark.parametrize("inner", INNER)
def test_the_first_step_gets_the_records_that_it_gets_anyway_and_later_ones_none(environment, inner):
    pools = []
    for policy in (inner, partial(FirstStepPolicy, policy=inner)):
        loop, recorder = LookupLoop(TASK, seed=5), MemoryRecorder()
        made = environment(TASK, loop, recorder, Budget(max_records=120, max_steps=4))
        try:
            seen = run(made, policy(TASK))
        except ConfigurationError:
            pytest.skip("the policy needs to see more than this environment shows")
        assert isinstance(seen[0], Observation)
        pools.append((recorder.kept, loop, made))
    (own, _, _), (first, loop, stopped) = pools
    assert first.pool == own.pool[: len(first.pool)]
    assert len(first.pool) == own.steps[1].records > 0
    assert [result.trained for result in stopped.results] == [False, True, False, False, False]
    assert len(loop.trained_on) == 1
