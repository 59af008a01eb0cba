"""Policies that are language models: the contract, exact budgets, and what happens when a reply cannot be used."""

from dataclasses import replace
from functools import partial
from random import Random

import pytest
from procedural_brain import ProceduralBrain

from tasks.errors import ConfigurationError
from teachers.chat.types import SpendingCapError
from teachers.engines import LLMEngine, SeededLLMEngine
from teachers.observation import SkillTree, SubskillNode
from teachers.plan import DataSpec, Exploit, Explore
from teachers.policies import (
    AlternatingPolicy,
    LLMNoStatePolicy,
    LLMOpenEndedPolicy,
    LLMSkillListPolicy,
    LLMSkillTreePolicy,
    LLMSubskillProposer,
    MasteryPolicy,
)
from teachers.policies.llm_skill_tree import fit
from teachers.policies.skill_tree import Growth
from teachers.testing import check_action, check_policy, example_observations
from tests.environments.toy import ToyTask
from tests.teachers.taught import TaughtToyTask, saying, taught_by
from tests.teachers.test_policies import OFFLINE, POLICIES

KINDS = [LLMNoStatePolicy, LLMOpenEndedPolicy, LLMSkillListPolicy, LLMSkillTreePolicy]
ENGINE_COUNTS = ("records_per_call", "max_rounds", "text_limit")
TASK = TaughtToyTask()
FIRST, LATE, UNLIMITED, NEARLY_SPENT, PERFECT = example_observations(TASK)


def test_all_of_them_are_tested_here():
    assert set(POLICIES) - set(OFFLINE) == set(KINDS)


def act(make, observation, brain=None):
    with taught_by(brain or ProceduralBrain(TASK)) as heard:
        return heard.part(make, TASK).act(observation), heard


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(kind, seed):
    with taught_by(ProceduralBrain(TASK)) as heard:
        check_policy(partial(kind, chat=heard.calls), TASK, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_contract_holds_with_a_model_that_says_nothing_usable(kind):
    with taught_by(saying("I would rather not.")) as heard:
        check_policy(partial(kind, chat=heard.calls), TASK)
    assert heard.calls.counters["failures/invalid_reply"] > 0


@pytest.mark.parametrize("kind", [*KINDS, LLMSubskillProposer, LLMEngine, SeededLLMEngine])
def test_without_a_chat_model_it_says_what_to_set(kind):
    with pytest.raises(ConfigurationError, match=r"(Seeded)?LLM\w+ asks a language model.*teacher\.init_args\.chat"):
        kind(TASK)
    with (
        taught_by(saying("")) as heard,
        pytest.raises(ConfigurationError, match="toy has no texts for language models"),
    ):
        kind(ToyTask(), chat=heard.calls)


@pytest.mark.parametrize("kind", KINDS)
def test_without_money_it_stops(kind):
    prices = {"test-model": {"input": 1.0, "output": 1.0}}
    with taught_by(saying("no"), max_usd=1e-9, prices=prices) as heard, pytest.raises(SpendingCapError):
        kind(TASK, chat=heard.calls).act(LATE)
    assert heard.bodies == []


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("records_per_step", [None, 7, 100])
def test_orders_are_exact(kind, records_per_step):
    for observation in (FIRST, LATE, UNLIMITED, NEARLY_SPENT, PERFECT):
        action, _ = act(partial(kind, records_per_step=records_per_step), observation)
        wanted = records_per_step or observation.even_share()
        left = observation.records_left
        assert sum(spec.count for spec in action) == (wanted if left is None else min(wanted, left))


def test_shares_become_whole_records():
    specs = [
        {"weakness": "w", "description": name, "share": share, "like_error": None}
        for name, share in (("a", 3), ("b", 1.5), ("c", 0))
    ]
    action, _ = act(partial(LLMOpenEndedPolicy, records_per_step=9), LATE, saying({"specs": specs}))
    assert [(spec.description.split()[0], spec.count) for spec in action] == [("a", 6), ("b", 3)]


def test_open_ended_ties_specs_to_the_errors_that_it_showed():
    action, heard = act(LLMOpenEndedPolicy, LATE)
    shown = [error for error in LATE.errors if f"> {error.instruction}\n" in heard.prompts[0]]
    assert len(shown) == 20 < len(LATE.errors)
    assert {spec.like for spec in action} <= {error.instance_id for error in shown}
    _, other = act(LLMOpenEndedPolicy, replace(LATE, call=1))
    assert other.prompts[0].split("drawn at random")[1] != heard.prompts[0].split("drawn at random")[1]


def test_an_error_that_was_not_shown_is_asked_about_again():
    spec = {"weakness": "w", "description": "d", "share": 1, "like_error": 99}
    right = {"specs": [spec | {"like_error": None}]}
    action, heard = act(LLMOpenEndedPolicy, LATE, saying({"specs": [spec]}, right))
    assert [spec.like for spec in action] == [None]
    assert "like_error is 99: it must be null or from 1 to 20" in heard.bodies[-1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "reply",
    [
        {"specs": []},
        {"specs": [{"weakness": "w", "description": "d", "share": 0, "like_error": None}]},
        {"specs": [{"weakness": "w", "description": "d", "share": -1, "like_error": None}]},
        {"specs": [{"weakness": "w", "description": " ", "share": 1, "like_error": None}]},
    ],
)
def test_replies_that_order_nothing_are_asked_about_again(reply):
    _, heard = act(LLMOpenEndedPolicy, LATE, saying(reply))
    assert len(heard.bodies) == 3
    assert heard.calls.counters["failures/invalid_reply"] == 1


def test_open_ended_falls_back_on_the_errors_shown():
    action, _ = act(partial(LLMOpenEndedPolicy, errors_shown=4), LATE, saying("no"))
    assert len(action) == 4 and all(spec.like for spec in action)
    action, _ = act(LLMOpenEndedPolicy, PERFECT, saying("no"))
    assert action == [DataSpec(PERFECT.even_share())]


def lesson(priority, shares=(1,)):
    specs = [{"description": "d", "share": share} for share in shares]
    return {"reasoning": "r", "priority": priority, "hypotheses": [{"weakness": "w", "specs": specs}]}


def test_skill_list_deals_by_priority_and_keeps_skills_without_errors():
    priorities = {"skill0": 6, "skill1": 0, "skill2": 2}

    def brain(body):
        prompt = body["messages"][1]["content"]
        skill = prompt.split("Skill: ")[1].split("\n")[0]
        return saying(lesson(priorities[skill], (1, 1)))(body)

    action, heard = act(partial(LLMSkillListPolicy, records_per_step=40), PERFECT, brain)
    assert len(heard.bodies) == 3
    counts = dict.fromkeys(priorities, 0)
    for spec in action:
        counts[spec.skill] += spec.count
    assert counts == {"skill0": 30, "skill1": 0, "skill2": 10}


def test_skill_list_loses_one_skill_and_not_all_if_a_reply_fails():
    def brain(body):
        if "Skill: skill1\n" in body["messages"][1]["content"]:
            return "no"
        return saying(lesson(5))(body)

    action, _ = act(partial(LLMSkillListPolicy, records_per_step=30), LATE, brain)
    assert [(spec.skill, spec.count, bool(spec.description)) for spec in action] == [
        ("skill0", 10, True),
        ("skill1", 10, False),
        ("skill2", 10, True),
    ]


def test_a_priority_off_the_scale_is_asked_about_again():
    _, heard = act(LLMSkillListPolicy, LATE, saying(lesson(11), lesson(11), lesson(11), lesson(5)))
    assert heard.calls.counters["reasks"] == 3


def test_no_state_asks_anew_in_every_step_and_call():
    with taught_by(ProceduralBrain(TASK)) as heard:
        policy = LLMNoStatePolicy(TASK, chat=heard.calls)
        for observation in (FIRST, LATE, replace(LATE, call=1), LATE):
            policy.act(observation)
    assert len(set(heard.prompts)) == len(heard.prompts) == 3  # the last one is kept in the journal


def decision(**fields):
    return {"reasoning": "r", "action": "exploit", "new_subskills": None, "records_each": None, "changes": []} | fields


def test_tree_begins_with_explorations_that_fill_the_first_share():
    action, heard = act(LLMSkillTreePolicy, FIRST)
    assert heard.of("TreeDecision") == []
    assert len(heard.of("SubskillNames")) == 3
    assert all(isinstance(change, Explore) and len(change.subskills) == 3 for change in action.values())
    ordered = sum(len(change.subskills) * change.records_each for change in action.values())
    # As even as one number for all subskills can be, and no more than the share.
    assert FIRST.even_share() - 9 < ordered <= FIRST.even_share()


def test_tree_exploits_as_the_model_says():
    changes = [{"subskill": "sub1", "change": 4}, {"subskill": "sub1", "change": -1}, {"subskill": "sub0", "change": 2}]
    action, _ = act(LLMSkillTreePolicy, LATE, saying(decision(changes=changes)))
    assert action == dict.fromkeys(TASK.skills(), Exploit({"sub1": 3, "sub0": 2}))


def test_tree_explores_as_the_model_says_up_to_the_most():
    def brain(body):
        if body["response_format"]["json_schema"]["name"] == "SubskillNames":
            return saying({"subskills": [f"new {i}" for i in range(9)]})(body)
        return saying(decision(action="explore", new_subskills=50, records_each=2, changes=None))(body)

    action, _ = act(partial(LLMSkillTreePolicy, new_subskills=2), LATE, brain)
    assert action == dict.fromkeys(TASK.skills(), Explore(("new 0", "new 1"), 2))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (decision(changes=None), "exploit needs changes"),
        (decision(action="explore", changes=None), "explore needs new_subskills and records_each"),
        (decision(action="explore", new_subskills=0, records_each=1), "must be at least 1"),
        (decision(changes=[{"subskill": "sub9", "change": 1}]), "there is no subskill 'sub9'; the subskills are sub0"),
    ],
)
def test_a_decision_without_its_fields_is_asked_about_again(wrong, message):
    def brain(body):
        return saying(wrong if len(body["messages"]) == 2 else decision())(body)

    action, heard = act(LLMSkillTreePolicy, LATE, brain)
    assert message in heard.bodies[-1]["messages"][-1]["content"]
    assert action == dict.fromkeys(TASK.skills(), Exploit({}))


def test_tree_keeps_allocations_and_explores_what_is_empty_without_a_reply():
    empty = replace(LATE.trees["skill0"], subskills=())

    def brain(body):
        return ProceduralBrain(TASK)(body) if "wanted" in body["messages"][1]["content"] else "no"

    action, _ = act(LLMSkillTreePolicy, replace(LATE, trees={**LATE.trees, "skill0": empty}), brain)
    assert isinstance(action["skill0"], Explore) and action["skill0"].subskills
    assert action["skill1"] == action["skill2"] == Exploit({})


def test_orders_beyond_the_budget_are_scaled_down_alike():
    nodes = (SubskillNode("a", 10), SubskillNode("b", 30))
    trees = {name: SkillTree(name, nodes) for name in ("x", "y", "z")}
    wishes = {"x": Exploit({"a": 10, "b": -10}), "y": Growth(2, 10), "z": Exploit({"b": -100})}
    assert fit(wishes, trees, 110, Random(0)) == wishes
    fitted = fit(wishes, trees, 75, Random(0))
    # 40 stay with y's old subskills; the other 35 go to 20 + 20 (x), 20 (y's new ones) and 10 + 0 (z) in proportion.
    assert fitted["x"] == Exploit({"a": 0, "b": -20})
    assert fitted["y"] == Growth(2, 5)
    assert fitted["z"] == Exploit({"a": -5, "b": -30})
    assert fit(wishes, trees, 0, Random(0))["y"] == Growth(2, 1)


def test_proposer_cuts_what_is_too_many_and_takes_no_name_twice():
    names = {"subskills": ["Sub0", "new  one", "NEW ONE", "another", "third"]}
    with taught_by(saying(names)) as heard:
        assert LLMSubskillProposer(TASK, chat=heard.calls).propose("skill0", 2, LATE) == ("new one", "another")
    assert len(heard.bodies) == 1


def test_proposer_asks_once_more_for_what_is_missing_and_shows_what_there_is():
    with taught_by(saying({"subskills": ["one"]}, {"subskills": ["one", "two"]}, {"subskills": ["x"]})) as heard:
        assert LLMSubskillProposer(TASK, chat=heard.calls).propose("skill0", 4, LATE) == ("one", "two")
    assert len(heard.bodies) == 2
    assert "- one\n" in heard.prompts[1] and "- sub0\n" in heard.prompts[1] and "wanted: 3" in heard.prompts[1]


def test_proposer_gives_nothing_where_no_reply_is_usable():
    with taught_by(saying("no")) as heard:
        proposer = LLMSubskillProposer(TASK, chat=heard.calls)
        assert proposer.propose_all({"skill0": 2, "skill1": 1}, LATE) == {"skill0": (), "skill1": ()}
        assert not proposer.exhausted("skill0", LATE)


@pytest.mark.parametrize("policy", [AlternatingPolicy, MasteryPolicy])
def test_other_tree_policies_have_all_skills_named_at_once(policy):
    rounds = []

    class Noting(LLMSubskillProposer):
        def propose_all(self, wanted, observation):
            rounds.append(set(wanted))
            return super().propose_all(wanted, observation)

    action, heard = act(partial(policy, proposer=Noting), FIRST)
    check_action(action, FIRST)
    assert rounds == [set(TASK.skills())]
    assert {prompt.split("Skill: ")[1].split("\n")[0] for prompt in heard.prompts} == set(TASK.skills())


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        (LLMNoStatePolicy, {"kinds": 0}),
        (LLMOpenEndedPolicy, {"errors_shown": 0}),
        (LLMOpenEndedPolicy, {"specs": -1}),
        (LLMSkillListPolicy, {"hypotheses": 0}),
        (LLMSkillTreePolicy, {"errors_shown": 0}),
        (LLMSkillTreePolicy, {"records_per_step": 0}),
        (LLMSubskillProposer, {"text_limit": 0}),
        *((kind, {name: 0}) for kind in (LLMEngine, SeededLLMEngine) for name in ENGINE_COUNTS),
    ],
)
def test_bad_settings_are_one_line(kind, setting):
    [(name, value)] = setting.items()
    with taught_by(saying("")) as heard, pytest.raises(ConfigurationError, match=f"{name} is {value}") as caught:
        kind(TASK, chat=heard.calls, **setting)
    assert "\n" not in str(caught.value)
