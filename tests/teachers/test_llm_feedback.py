"""Feedback arrives: everything that an observation feeds back stands in the prompt, and nothing of the test split."""

from dataclasses import replace

import pytest
from procedural_brain import ProceduralBrain

from tasks.types import Accuracy
from teachers.engines import LLMEngine, SeededLLMEngine
from teachers.observation import ErrorExample, Observation, PastStep, SkillListObservation, SkillTree, SubskillNode
from teachers.observation import SkillTreeObservation as TreeObservation
from teachers.plan import DataPlan, DataSpec
from teachers.policies import (
    LLMNoStatePolicy,
    LLMOpenEndedPolicy,
    LLMSkillListPolicy,
    LLMSkillTreePolicy,
    LLMSubskillProposer,
)
from tests.teachers.taught import TaughtToyTask, taught_by

# Accuracies and counts that occur once, so that each can be told apart in a prompt.
ERRORS = tuple(
    ErrorExample(f"val-0000{i}", f"ASKED{i} of you", f"REPLIED{i} by it", f"RIGHT{i} it is", f"skill{i}")
    for i in range(3)
)
SKILLS = {f"skill{i}": Accuracy(0.111 + i / 100, 31 + i) for i in range(3)}
PAST = {f"skill{i}": Accuracy(0.511 + i / 100, 41 + i) for i in range(3)}
HISTORY = (
    PastStep(0, Accuracy(0.613, 301), 0, PAST),
    PastStep(1, Accuracy(0.627, 302), 1234, SKILLS, {f"skill{i}": 501 + i for i in range(3)}),
)
TREES = {
    f"skill{i}": SkillTree(
        f"skill{i}",
        (SubskillNode(f"TWIG{i}A", 601 + i, 701 + i, 0.811 + i / 100), SubskillNode(f"TWIG{i}B", 0, 0, None)),
        rewards=(0.0911 + i / 100, -0.0333),
        actions=("explore", "exploit"),
    )
    for i in range(3)
}
PLAIN = {
    "step": 1,
    "seed": 0,
    "last": False,
    "accuracy": Accuracy(0.627, 302),
    "history": HISTORY,
    "records_left": 777,
    "calls_left": 1,
}
OPEN = Observation(errors=tuple(replace(error, skill=None) for error in ERRORS), **PLAIN)
LIST = SkillListObservation(errors=ERRORS, skills=SKILLS, **PLAIN)
TREE = TreeObservation(errors=ERRORS, skills=SKILLS, trees=TREES, **PLAIN)


def error_texts(i):
    return [f"> ASKED{i} of you", f"> REPLIED{i} by it", f"> RIGHT{i} it is"]


OVERALL = ["62.7 % (n = 302)", "61.3 % (n = 301)", "Step 0:", "Step 1:", "1234 records"]


def skill_texts(i):
    """What belongs to one skill: its name, accuracy now and then, records, errors; and all others' accuracies."""
    own = [f"Skill: skill{i}", f"{11.1 + i:.1f} % (n = {31 + i})", *error_texts(i)]
    history = [f"{51.1 + i:.1f} % (n = {41 + i})", f"{501 + i} records"]
    others = [f"skill{j}: {11.1 + j:.1f} % (n = {31 + j})" for j in range(3)]
    return own, [*history, *others, *OVERALL, "777"]


def asked_by(make, observation):
    task = TaughtToyTask()
    with taught_by(ProceduralBrain(task)) as heard:
        heard.part(make, task).act(observation)
    return heard


def test_open_ended_shows_every_fed_back_item():
    [prompt] = asked_by(LLMOpenEndedPolicy, OPEN).prompts
    for text in [*(text for i in range(3) for text in error_texts(i)), *OVERALL, "777"]:
        assert text in prompt, text
    assert "Errors in all: 3" in prompt


def test_skill_list_shows_every_fed_back_item():
    prompts = sorted(asked_by(LLMSkillListPolicy, LIST).prompts, key=lambda prompt: prompt.index("Skill: "))
    by_skill = {prompt.split("Skill: ")[1].split("\n")[0]: prompt for prompt in prompts}
    assert set(by_skill) == set(SKILLS)
    for i in range(3):
        own, rest = skill_texts(i)
        for text in [*own, *rest, "Errors on it: 1"]:
            assert text in by_skill[f"skill{i}"], text
        for j in set(range(3)) - {i}:
            assert f"ASKED{j}" not in by_skill[f"skill{i}"]


def test_skill_tree_shows_every_fed_back_item():
    prompts = asked_by(LLMSkillTreePolicy, TREE).of("TreeDecision")
    by_skill = {prompt.split("Skill: ")[1].split("\n")[0]: prompt for prompt in prompts}
    assert set(by_skill) == set(SKILLS)
    for i in range(3):
        own, rest = skill_texts(i)
        tree = [
            f"TWIG{i}A | allocation: {601 + i} per step | written so far: {701 + i} | accuracy: {81.1 + i:.1f} %",
            f"TWIG{i}B | allocation: 0 per step | written so far: 0 | accuracy: unknown",
            "explore, exploit",
            f"{9.1 + i:+.1f} points, -3.3 points",
            f"now, all skills together: {601 + 602 + 603}",
        ]
        for text in [*own, *rest, *tree]:
            assert text in by_skill[f"skill{i}"], text


def test_proposer_shows_the_subskills_that_exist_and_the_errors():
    task = TaughtToyTask()
    with taught_by(ProceduralBrain(task)) as heard:
        LLMSubskillProposer(task, chat=heard.calls).propose("skill1", 2, TREE)
    [prompt] = heard.prompts
    for text in ["Skill: skill1", "- TWIG1A", "- TWIG1B", "12.1 % (n = 32)", *error_texts(1), "wanted: 2"]:
        assert text in prompt, text


def test_no_state_shows_nothing_of_the_student():
    bare = Observation(1, 0, False, Accuracy(None, 0), records_left=777, calls_left=1)
    prompts = [asked_by(LLMNoStatePolicy, observation).prompts for observation in (bare, OPEN, LIST, TREE)]
    assert prompts == [prompts[0]] * 4


def test_long_texts_are_cut_where_everybody_sees_it():
    task = TaughtToyTask()
    long = replace(OPEN, errors=(replace(ERRORS[0], student_answer="x" * 500),))
    with taught_by(ProceduralBrain(task)) as heard:
        LLMOpenEndedPolicy(task, text_limit=120, chat=heard.calls).act(long)
    [prompt] = heard.prompts
    assert "> " + "x" * 120 + "\n> [... cut here, 380 of 500 characters are left out]" in prompt


def test_the_domain_says_who_asks_and_what_about():
    heard = asked_by(LLMOpenEndedPolicy, OPEN)
    assert heard.bodies[0]["messages"][0] == {"role": "system", "content": "You teach saying."}
    assert "saying numbers" in heard.prompts[0]


@pytest.mark.parametrize("kind", [LLMEngine, SeededLLMEngine])
def test_the_engine_shows_the_order_and_nothing_of_the_test_split(kind):
    task = TaughtToyTask()
    val = task.instances("val")[5]
    specs = (
        DataSpec(2, "skill1", "sub2", description="ORDERED thing"),
        DataSpec(2, like=val.instance_id),
        DataSpec(30),
    )
    with taught_by(ProceduralBrain(task)) as heard:
        kind(task, chat=heard.calls).generate(DataPlan(1, 0, specs))
    first, second = (next(p for p in heard.prompts if mark in p) for mark in ("ORDERED thing", "shall resemble"))
    for text in ("Skill: skill1", "Subskill: sub2", "What to write: ORDERED thing", "Records to write: 2"):
        assert text in first, text
    assert f"> {val.instruction}\n" in second and f"Its right answer:\n> {val.answer}\n" in second
    for instance in task.instances("test"):
        assert not any(f"{instance.instruction}\n" in prompt for prompt in heard.prompts)


@pytest.mark.parametrize("make", [LLMOpenEndedPolicy, LLMSkillListPolicy, LLMSkillTreePolicy])
def test_no_policy_sees_the_test_split(make):
    task = TaughtToyTask()
    val = [instance for instance in task.instances("val")][:30]
    errors = tuple(ErrorExample(one.instance_id, one.instruction, "?", one.answer, one.skill) for one in val)
    observation = replace(TREE, errors=errors)
    prompts = asked_by(make, observation).prompts
    assert any(one.instruction in prompt for one in val for prompt in prompts)
    for instance in task.instances("test"):
        assert not any(instance.instruction in prompt for prompt in prompts), instance.instruction
