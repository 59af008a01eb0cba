"""Policies: the contract for every one, and the rules of each."""

import importlib
import inspect
import pkgutil
from dataclasses import replace
from functools import partial

import pytest

import teachers.policies
from tasks.errors import ConfigurationError
from tasks.types import Accuracy
from teachers.allocation import apportion, with_floor
from teachers.observation import (
    ErrorExample,
    Observation,
    PastStep,
    SkillListObservation,
    SkillTree,
    SkillTreeObservation,
    SubskillNode,
)
from teachers.plan import DataSpec, Explore
from teachers.policies import (
    AlternatingPolicy,
    ErrorProportionalPolicy,
    FixedListProposer,
    MasteryPolicy,
    NoStatePolicy,
    OpenEndedPolicy,
    RandomPolicy,
    RewardHistoryPolicy,
    StaticPolicy,
)
from teachers.teacher import Policy
from teachers.testing import check_policy, example_observations
from tests.environments.toy import ToyTask


def all_policies():
    for module in pkgutil.walk_packages(teachers.policies.__path__, "teachers.policies."):
        importlib.import_module(module.name)
    found, queue = set(), [Policy]
    while queue:
        kind = queue.pop()
        queue.extend(kind.__subclasses__())
        if not inspect.isabstract(kind) and kind.__module__.startswith("teachers."):
            found.add(kind)
    return sorted(found, key=lambda kind: kind.__name__)


POLICIES = all_policies()
# Those that ask a language model pass the same contract in test_llm_policies.py, with a model to ask.
OFFLINE = [kind for kind in POLICIES if not kind.__name__.startswith("LLM")]


@pytest.mark.parametrize("kind", OFFLINE)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(kind, seed):
    make = partial(kind, allocation={"skill0": 30, "skill2": 12}) if kind is StaticPolicy else kind
    check_policy(make, ToyTask(), seed)


@pytest.mark.parametrize("kind", POLICIES)
def test_names_and_exports(kind):
    assert kind.__name__.endswith("Policy")
    assert kind.__name__ in teachers.policies.__all__
    assert next(iter(inspect.signature(kind).parameters)) == "task"


def observe(skills, kind=SkillListObservation, **fields):
    accuracies = {name: Accuracy(value, 20) for name, value in skills.items()}
    known = {"step": 0, "seed": 3, "last": False, "accuracy": Accuracy(0.5, 60), "records_left": 100, "calls_left": 1}
    return kind(**{**known, "skills": accuracies, **fields})


def counts(action):
    return {spec.skill: spec.count for spec in action}


def test_apportion_is_exact_and_fair():
    assert apportion(10, [1, 1, 1]) == [4, 3, 3]
    assert apportion(7, [0, 0]) == [4, 3]
    assert apportion(0, [1, 2]) == [0, 0]
    assert apportion(3, []) == []
    assert sum(apportion(101, [0.1, 0.7, 0.2])) == 101
    assert with_floor([0, 1], 0.5) == [0.25, 0.75]


def test_no_state_ignores_the_student():
    task = ToyTask()
    weak, strong = observe({"skill0": 0.0}), observe({"skill0": 1.0})
    assert NoStatePolicy(task).act(weak) == NoStatePolicy(task).act(strong) == [DataSpec(100)]
    assert NoStatePolicy(task, 30).act(weak) == [DataSpec(30)]
    assert NoStatePolicy(task, 300).act(weak) == [DataSpec(100)]


def test_open_ended_orders_like_errors_with_replay():
    task = ToyTask()
    errors = tuple(ErrorExample(f"val-{i:05d}", "q", "?", "a") for i in range(20))
    observation = Observation(0, 0, False, Accuracy(0.5, 40), errors, records_left=100, calls_left=1)
    specs = OpenEndedPolicy(task, replay=0.2).act(observation)
    assert sum(spec.count for spec in specs) == 100
    assert specs[-1] == DataSpec(20)
    assert {spec.count for spec in specs[:-1]} == {4}
    assert {spec.like for spec in specs[:-1]} == {error.instance_id for error in errors}
    few = OpenEndedPolicy(task, records_per_step=10, replay=0.2, records_per_error=3).act(observation)
    assert [spec.count for spec in few] == [3, 3, 2, 2]
    assert OpenEndedPolicy(task, 10).act(replace(observation, errors=())) == [DataSpec(10)]
    drawn = [OpenEndedPolicy(task, 5).act(replace(observation, seed=seed)) for seed in (0, 1)]
    assert drawn[0] != drawn[1]


def test_error_proportional():
    task = ToyTask()
    observation = observe({"skill0": 0.9, "skill1": 0.6, "skill2": 0.5})
    by_rate = {"skill0": 10, "skill1": 40, "skill2": 50}
    assert counts(ErrorProportionalPolicy(task, floor=0.0).act(observation)) == by_rate
    with_a_floor = {"skill0": 17, "skill1": 38, "skill2": 45}
    assert counts(ErrorProportionalPolicy(task, floor=0.3).act(observation)) == with_a_floor
    sharp = counts(ErrorProportionalPolicy(task, floor=0.0, exponent=2).act(observation))
    assert sharp["skill2"] > 50
    even = counts(ErrorProportionalPolicy(task, exponent=0, floor=0.0).act(observation))
    assert set(even.values()) <= {33, 34}


def test_unknown_accuracy_counts_as_the_average():
    observation = observe({"skill0": None, "skill1": 0.5})
    assert set(counts(ErrorProportionalPolicy(ToyTask()).act(observation)).values()) == {50}


def past(step, skills, allocation):
    accuracies = {name: Accuracy(value, 20) for name, value in skills.items()}
    return PastStep(step, Accuracy(0.5, 60), sum(allocation.values()), accuracies, allocation)


def test_reward_history_starts_error_proportional_and_then_follows_gains():
    task = ToyTask()
    start = {"skill0": 0.5, "skill1": 0.5}
    first = observe(start, history=(past(0, start, {}),))
    assert RewardHistoryPolicy(task).act(first) == ErrorProportionalPolicy(task).act(first)
    later = {"skill0": 0.7, "skill1": 0.5}
    history = (past(0, start, {}), past(1, later, {"skill0": 50, "skill1": 50}))
    ordered = counts(RewardHistoryPolicy(task).act(observe({"skill0": 0.5, "skill1": 0.5}, history=history)))
    assert ordered["skill0"] > ordered["skill1"] > 0
    worse = (past(0, later, {}), past(1, start, {"skill0": 50, "skill1": 50}))
    assert set(counts(RewardHistoryPolicy(task).act(observe(start, history=worse))).values()) == {50}


def tree_observation(trees, skills):
    by_skill = {tree.skill: tree for tree in trees}
    return observe(skills, SkillTreeObservation, step=1, trees=by_skill, records_left=90)


def test_the_fixed_list_runs_out():
    task = ToyTask()
    proposer = FixedListProposer(task, {"skill0": ["a", "b", "c"]})
    known: tuple[str, ...] = ()
    asked = []
    for _ in range(3):
        tree = SkillTree("skill0", tuple(SubskillNode(name, 1) for name in known))
        names = proposer.propose("skill0", 2, tree_observation([tree], {"skill0": 0.5}))
        asked.append(len(names))
        known += names
    assert asked == [2, 1, 0]
    assert known == ("a", "b", "c")


def test_mastery_explores_everything_then_teaches_the_weak():
    task = ToyTask(skills=2, subskills=3)
    policy = MasteryPolicy(task, floor=0.2)
    skills = {"skill0": 0.2, "skill1": 0.95}
    first = policy.act(tree_observation([SkillTree("skill0"), SkillTree("skill1")], skills))
    assert isinstance(first["skill0"], Explore)
    assert first["skill0"].subskills == ("sub0", "sub1", "sub2")
    # 90 records: 18 dealt evenly, 72 by the error rates of 0.8 and 0.05.
    assert first["skill0"].records_each == 26
    assert first["skill1"].records_each == 5
    weak = (
        SubskillNode("learns", 20, 60, 0.5),
        SubskillNode("stuck", 20, 60, 0.0),
        SubskillNode("new", 20, 20, 0.0),
        SubskillNode("known", 20, 60, 1.0),
    )
    tree = SkillTree("skill0", weak, actions=("explore",))
    even = SkillTree("skill1", tuple(SubskillNode(f"sub{i}", 3, 3, 1.0) for i in range(3)), actions=("explore",))
    observation = tree_observation([tree, even], {"skill0": 0.4, "skill1": 0.97})
    action = policy.act(observation)
    wanted = {
        node.name: node.allocation + action[skill].change[node.name]
        for skill in ("skill0", "skill1")
        for node in observation.trees[skill].subskills
    }
    assert sum(wanted.values()) == 90
    assert min(wanted["learns"], wanted["new"]) > max(wanted["stuck"], wanted["known"])
    assert min(wanted.values()) >= 2  # the floor


def test_random_is_decided_by_the_seed():
    task = ToyTask()
    first, second = (example_observations(task, seed)[1] for seed in (0, 1))
    assert RandomPolicy(task).act(first) == RandomPolicy(task).act(first)
    assert RandomPolicy(task).act(first) != RandomPolicy(task).act(second)


def test_random_stays_within_its_ranges():
    task = ToyTask(skills=1, subskills=30)
    nodes = tuple(SubskillNode(f"sub{i}", 40 if i == 0 else 5) for i in range(15))
    tree = SkillTree("skill0", nodes, actions=("explore",))
    policy = RandomPolicy(task, max_data_per_subskill=20, max_active_subskills=10)
    for seed in range(200):
        action = policy.act(replace(tree_observation([tree], {"skill0": 0.5}), seed=seed))["skill0"]
        if isinstance(action, Explore):
            assert 1 <= len(action.subskills) <= 3
            assert 1 <= action.records_each <= 10
        else:
            after = [node.allocation + action.change[node.name] for node in nodes]
            assert all(0 <= n <= 20 for n in after)
            assert sum(n > 0 for n in after) <= 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda task: NoStatePolicy(task, 0), "records_per_step is 0"),
        (lambda task: OpenEndedPolicy(task, replay=1.5), "replay is 1.5"),
        (lambda task: OpenEndedPolicy(task, records_per_error=0), "records_per_error is 0"),
        (lambda task: ErrorProportionalPolicy(task, floor=-0.1), "floor is -0.1"),
        (lambda task: ErrorProportionalPolicy(task, exponent=-1), "exponent is -1"),
        (lambda task: RewardHistoryPolicy(task, prior_records=0), "prior_records is 0"),
        (lambda task: AlternatingPolicy(task, records_each=0), "records_each is 0"),
        (lambda task: AlternatingPolicy(task, max_data_for_skill=0), "max_data_for_skill is 0"),
        (lambda task: MasteryPolicy(task, exponent=-1), "exponent is -1"),
    ],
)
def test_bad_settings_are_one_line(make, message):
    with pytest.raises(ConfigurationError) as caught:
        make(ToyTask())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_policy_says_what_it_needs_to_see():
    bare = Observation(0, 0, False, Accuracy(0.5, 1))
    with pytest.raises(ConfigurationError, match="ErrorProportionalPolicy needs to see skills"):
        ErrorProportionalPolicy(ToyTask()).act(bare)
    with pytest.raises(ConfigurationError, match="MasteryPolicy acts on skill trees"):
        MasteryPolicy(ToyTask()).act(bare)
