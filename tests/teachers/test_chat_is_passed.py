"""A part that asks a chat model is passed it: by a script its own, by a teacher the calls that its parts share."""

from dataclasses import replace
from functools import partial

import pytest
from jsonargparse import ArgumentParser
from llm_server import LLMServer
from procedural_brain import ProceduralBrain

from tasks.base import Task
from teachers import DataPlan, DataSpec, Teacher
from teachers.chat import Calls, OpenAIChat
from teachers.engines import LLMEngine
from teachers.policies import (
    AlternatingPolicy,
    FeedbackAblationPolicy,
    FillBalancedPolicy,
    FirstStepPolicy,
    LikeErrorsPolicy,
    LLMOpenEndedPolicy,
    LLMSkillListPolicy,
    LLMSkillTreePolicy,
    LLMSubskillProposer,
    MasteryPolicy,
    RandomPolicy,
    ThresholdPolicy,
)
from teachers.teacher import make_part
from teachers.testing import check_action, example_observations
from tests.teachers.taught import TaughtToyTask

TASK = TaughtToyTask()
FIRST, LATE, *_ = example_observations(TASK)
PLAN = DataPlan(1, 0, (DataSpec(6, "skill0"), DataSpec(6)))


@pytest.fixture
def server(monkeypatch):
    with LLMServer(ProceduralBrain(TASK)) as server:
        monkeypatch.setenv("OPENAI_API_KEY", server.key)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


def test_a_policy_and_an_engine_by_themselves_share_a_chat_model_and_nothing_else(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chat = OpenAIChat("model-a")
    policy, engine = LLMOpenEndedPolicy(TASK, chat=chat), LLMEngine(TASK, chat=chat)
    for call in range(2):  # in turns, each in an event loop of its own
        check_action(policy.act(replace(LATE, call=call)), LATE)
        batch = engine.generate(replace(PLAN, call=call))
        assert len(batch) == 12
    kinds = [body["response_format"]["json_schema"]["name"] for body in server.bodies]
    assert kinds[0] == "WeaknessSpecs" and set(kinds) == {"WeaknessSpecs", "RecordList"}
    assert list(tmp_path.iterdir()) == []


def test_what_was_asked_by_oneself_is_not_asked_twice(server):
    policy = LLMSkillTreePolicy(TASK, chat=OpenAIChat("model-a"))
    action = policy.act(FIRST)
    asked = len(server.bodies)
    assert policy.act(FIRST) == action
    assert asked == len(server.bodies) == 3  # the proposer was handed the policy's chat model


PROPOSING = [AlternatingPolicy, FillBalancedPolicy, LLMSkillTreePolicy, MasteryPolicy, RandomPolicy, ThresholdPolicy]


@pytest.mark.parametrize(
    "policy",
    [
        LLMOpenEndedPolicy,
        partial(FeedbackAblationPolicy, policy=LLMSkillListPolicy),
        partial(FirstStepPolicy, policy=partial(FeedbackAblationPolicy, policy=LLMOpenEndedPolicy)),
        partial(LikeErrorsPolicy, policy=LLMSkillListPolicy),
        *[partial(kind, proposer=LLMSubskillProposer) for kind in PROPOSING],
    ],
)
def test_a_teacher_passes_its_calls_through_every_policy_that_makes_another_part(policy, server):
    teacher = Teacher(TASK, policy, LLMEngine, OpenAIChat("model-a"))
    teacher.policy.act(FIRST)
    asked = len(server.bodies)
    assert asked == teacher.calls.paid["calls"] > 0
    teacher.engine.generate(PLAN)
    assert len(server.bodies) == teacher.calls.paid["calls"] > asked


def test_a_chat_model_of_its_own_shares_the_teachers_journal_meter_and_cap(server):
    parser = ArgumentParser()
    parser.add_subclass_arguments(Task, "task")
    parser.add_subclass_arguments(Teacher, "teacher")
    parser.link_arguments("task", "teacher.init_args.task", apply_on="instantiate")
    own = "teachers.chat.OpenAIChat"
    words = [
        "--task=tests.teachers.taught.TaughtToyTask",
        "--teacher=teachers.Teacher",
        "--teacher.policy=FirstStepPolicy",
        "--teacher.policy.policy=LLMOpenEndedPolicy",
        f"--teacher.policy.policy.chat={own}",
        "--teacher.policy.policy.chat.model=model-b",
        "--teacher.engine=LLMEngine",
        f"--teacher.chat={own}",
        "--teacher.chat.model=model-a",
        "--teacher.max_usd=1.0",
        "--teacher.prices={model-a: {input: 1, output: 1}, model-b: {input: 1, output: 1}}",
    ]
    teacher = parser.instantiate(parser.parse_args(words)).teacher
    teacher.policy.act(FIRST)
    teacher.engine.generate(PLAN)
    asked = [body["model"] for body in server.bodies]
    assert asked[0] == "model-b" and set(asked[1:]) == {"model-a"}
    assert teacher.calls.paid["calls"] == len(asked) and teacher.calls.paid["usd"] > 0


class Chatty:
    def __init__(self, task, chat=None):
        self.chat = chat


class Forwarding(Chatty):
    def __init__(self, task, size=1, **settings):
        super().__init__(task, **settings)


class Silent:
    def __init__(self, task: Task, **settings):
        self.settings = settings


def test_what_takes_no_chat_is_given_none(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    own, calls = OpenAIChat("model-a"), Calls(OpenAIChat("model-b"))
    assert make_part(Chatty, TASK, chat=calls).chat is calls
    assert make_part(Forwarding, TASK, chat=calls).chat is calls
    assert make_part(partial(Forwarding, size=2), TASK, chat=calls).chat is calls
    assert make_part(partial(Forwarding, chat=own), TASK, chat=calls).chat.model == "model-a"
    assert make_part(partial(Forwarding, chat=own), TASK, chat=None).chat is own
    assert make_part(Silent, TASK, chat=calls).settings == {}
    assert make_part(lambda task: task, TASK, chat=calls) is TASK
    assert make_part(lambda task, chat: chat, TASK, chat=calls) is calls
