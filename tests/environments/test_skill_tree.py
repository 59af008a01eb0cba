"""Skill trees in the environment, with the policies that act on them."""

from itertools import pairwise

import pytest

from environments import Budget, SkillTreeEnvironment
from environments.skills.tree import absorb, apply_action, reward
from teachers.engines import ProceduralEngine
from teachers.observation import SkillTree, SubskillNode
from teachers.plan import DataSpec, Exploit, Explore
from teachers.policies import AlternatingPolicy, FillBalancedPolicy, RandomPolicy, ThresholdPolicy
from teachers.policies.tree_rules import next_allocation
from tests.environments.toy import LookupLoop, ToyTask, made, run


class Unmoved(LookupLoop):
    def _knows(self, instance):
        return False


def play(policy, rounds, loop=Unmoved, subskills=40, **options):
    """Records accepted per round for one skill, and the observations."""
    task = ToyTask(skills=1, subskills=subskills)
    budget = Budget(max_steps=rounds, max_idle_steps=rounds)
    environment = made(SkillTreeEnvironment, budget, task, loop=loop(task), probe=False, **options)
    observations = run(environment, policy(task))
    return [result.records for result in environment.results[1:]], observations


def allocations(observation):
    return [node.allocation for node in observation.trees["skill0"].subskills]


def test_alternating_soft_cap_ends_over_the_limit():
    rounds, observations = play(lambda task: AlternatingPolicy(task, max_data_for_skill=200, hard=False), 10)
    assert rounds == [60, 0, 60, 0, 60, 0, 60, 0, 0, 0]
    assert observations[-1].trees["skill0"].generated == 240


def test_alternating_hard_cap_ends_at_the_limit():
    rounds, _ = play(lambda task: AlternatingPolicy(task, max_data_for_skill=200), 10)
    assert rounds == [60, 0, 60, 0, 60, 0, 20, 0, 0, 0]


def test_hard_cap_never_exceeded_by_an_odd_remainder():
    rounds, _ = play(lambda task: AlternatingPolicy(task, max_data_for_skill=61), 12)
    assert rounds[:4] == [60, 0, 1, 0]
    assert sum(rounds) == 61


def test_alternating_with_a_smaller_start():
    rounds, observations = play(lambda task: AlternatingPolicy(task, initial_subskills=2, initial_records=10), 5)
    assert rounds == [20, 0, 60, 0, 60]
    assert allocations(observations[3]) == [0, 0, 30, 30]


@pytest.mark.parametrize("hard", [True, False])
def test_alternating_one_by_one(hard):
    rounds, _ = play(lambda task: AlternatingPolicy(task, 1, 1, max_data_for_skill=3, hard=hard), 9)
    assert rounds == [1, 0, 1, 0, 1, 0, 0, 0, 0]


def test_fill_balanced():
    def policy(task):
        return FillBalancedPolicy(
            task,
            max_subskills=3,
            max_data_per_subskill=20,
            max_allocation_per_subskill=6,
            new_subskills=1,
            records_each=1,
        )

    rounds, observations = play(policy, 12)
    assert rounds == [1, 0, 1, 0, 1, 18, 18, 18, 3, 0, 0, 0]
    assert [node.generated for node in observations[-1].trees["skill0"].subskills] == [20, 20, 20]
    assert [allocations(observation) for observation in observations[6:11]] == [
        [6] * 3,
        [6] * 3,
        [6] * 3,
        [1] * 3,
        [0] * 3,
    ]


def test_fill_balanced_fills_when_the_proposer_is_exhausted():
    rounds, observations = play(lambda task: FillBalancedPolicy(task, max_data_per_subskill=9), 8, subskills=3)
    assert sum(rounds) == 27
    assert {node.generated for node in observations[-1].trees["skill0"].subskills} == {9}


@pytest.mark.parametrize(
    ("generated", "current", "change"),
    [(4, 8, -3), (0, 0, 5), (0, 5, 0), (10, 5, -5), (8, 5, -3), (12, 2, -2)],
)
def test_next_allocation_as_a_change(generated, current, change):
    assert next_allocation(generated, max_data=10, max_allocation=5) - current == change


def test_threshold_explores_without_reward():
    rounds, _ = play(lambda task: ThresholdPolicy(task, initial_subskills=2, initial_records=3), 3)
    assert rounds == [6, 56, 106]


def test_threshold_exploits_after_a_reward():
    _, observations = play(
        lambda task: ThresholdPolicy(task, initial_subskills=2, initial_records=30), 2, LookupLoop, 2
    )
    tree = observations[-1].trees["skill0"]
    assert observations[1].trees["skill0"].rewards[-1] > 0.01
    assert tree.actions == ("explore", "exploit")
    assert allocations(observations[-1]) == [40, 40]


def test_reward_is_the_change_of_accuracy():
    tree = apply_action(SkillTree("a"), Explore(("x",), 1))
    tree = reward(reward(tree, 0.5, 0.5), 0.5, 1.0)
    assert tree.rewards == (0.0, 0.5)


def test_rewards_follow_the_students_accuracy():
    _, observations = play(lambda task: AlternatingPolicy(task, new_subskills=20), 4, LookupLoop)
    accuracies = [observation.skills["skill0"].value for observation in observations]
    rewards = observations[-1].trees["skill0"].rewards
    assert rewards == tuple(after - before for before, after in pairwise(accuracies))
    assert rewards[0] > 0


def test_allocations_are_made_again_every_round():
    rounds, _ = play(
        lambda task: ThresholdPolicy(task, new_subskills=1, records_each=2, initial_subskills=2, initial_records=3),
        3,
    )
    assert rounds == [6, 8, 10]


def test_a_subskill_is_measured_before_the_student_trains_on_it():
    task = ToyTask(skills=2)
    environment = made(SkillTreeEnvironment, Budget(max_steps=3), task, probe_size=4)
    loop, engine = environment.loop, ProceduralEngine(task)
    environment.reset()
    asked = loop.probed
    action = {"skill0": Explore(("sub0", "sub1"), 40), "skill1": Explore(("sub0",), 0)}
    observation = environment.step(engine.generate(environment.plan(action)))
    assert loop.probed - asked == 2 * 4 + len(task.instances("val")) + len(task.instances("test"))
    assert [node.accuracy for node in observation.trees["skill0"].subskills] == [0.0, 0.0]
    assert observation.trees["skill1"].subskills[0].accuracy is None
    observation = environment.step(engine.generate(environment.plan({})))
    assert all(node.accuracy > 0 for node in observation.trees["skill0"].subskills)


def test_ten_calls_leave_ten_actions_and_ten_rewards():
    _, observations = play(RandomPolicy, 10)
    tree = observations[-1].trees["skill0"]
    assert (len(tree.actions), len(tree.rewards)) == (10, 10)


def test_a_missing_subskill_stays_and_nothing_falls_below_zero():
    tree = apply_action(SkillTree("a"), Explore(("x", "y"), 2))
    tree = apply_action(tree, Exploit({"x": -50}))
    assert [node.allocation for node in tree.subskills] == [0, 2]


def test_an_empty_tree_is_allowed():
    tree = apply_action(apply_action(SkillTree("a"), Explore((), 3)), Exploit({}))
    assert tree.subskills == ()
    rounds, observations = play(AlternatingPolicy, 3, subskills=1)
    assert rounds == [30, 0, 30]  # nothing new: the known subskill takes its turn
    assert len(observations[-1].trees["skill0"].subskills) == 1


def test_names_are_unique():
    tree = apply_action(SkillTree("a"), Explore(("x", "x", "y"), 2))
    tree = apply_action(tree, Explore(("y", "z"), 5))
    assert [(node.name, node.allocation) for node in tree.subskills] == [("x", 2), ("y", 2), ("z", 5)]


def test_unknown_accuracy_is_none():
    tree = absorb(SkillTree("a", (SubskillNode("x", 3),)), [], {})
    assert tree.subskills[0].accuracy is None
    assert reward(SkillTree("a", actions=("explore",)), None, 0.5).rewards == ()


def test_a_skill_that_an_action_does_not_name_keeps_its_allocation():
    environment = made(SkillTreeEnvironment, Budget(max_steps=3), ToyTask(skills=2))
    environment.reset()
    environment.plan({"skill0": Explore(("sub0",), 3), "skill1": Explore(("sub1",), 4)})
    environment.step([])
    plan = environment.plan({"skill1": Exploit({"sub1": -4})})
    assert plan.specs == (DataSpec(3, "skill0", "sub0"),)


def test_a_plan_takes_effect_only_with_its_records():
    environment = made(SkillTreeEnvironment, Budget(max_steps=3), ToyTask(skills=1))
    environment.reset()
    environment.plan({"skill0": Explore(("sub0",), 3)})
    environment.plan({"skill0": Explore(("sub1",), 3)})
    observation = environment.step([])
    assert [node.name for node in observation.trees["skill0"].subskills] == ["sub1"]
