"""Discovered skills in use: frozen in a file, in an environment, and by the command that finds them."""

import json
import re
import socket
from pathlib import Path

import pytest

from dataenvgym.cli.discover_skills import discover_skills_command
from environments import Budget, SkillTreeEnvironment
from environments.skills import DiscoveredSkills
from environments.skills.discovery import discover_skills
from environments.skills.frozen import read_skills, write_skills
from environments.skills.nearest import NearestSkills
from environments.skills.schemas import clean_name
from tasks.errors import ConfigurationError, MissingFileError, RecordError, RunDirectoryError
from tasks.math import ProceduralMathTask
from tasks.types import TaskInstance, TrainingRecord
from teachers.chat import ChatError, SpendingCapError
from teachers.chat.meter import Rehearsal
from teachers.policies import AlternatingPolicy
from tests.environments.skill_sorter import Sorter, TaughtTask, ready, schema_of, true_skills
from tests.environments.toy import made, run
from tests.llm_server import LLMServer
from tests.procedural_brain import ProceduralBrain

ROOT = Path(__file__).parent.parent.parent


def test_frozen_skills_need_neither_chat_model_nor_network(calls_to, tmp_path, monkeypatch):
    task, path = TaughtTask(), tmp_path / "deep" / "skills.json"
    first = ready(task, calls_to(Sorter()), path=str(path))

    def refuse(*_):
        raise AssertionError("frozen skills opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    again = ready(TaughtTask(), path=str(path))
    assert again.skills() == first.skills() == ("the skill0", "the skill1", "the skill2")
    for split in ("val", "test"):
        assert {i.instance_id: again.skill_of(i) for i in task.instances(split)} == true_skills(task, split)
    assert ready(TaughtTask(), path=str(path), num_categories=3).skills() == first.skills()
    with pytest.raises(ConfigurationError, match=r"num_categories is 4, and .* holds 3 categories"):
        ready(TaughtTask(), path=str(path), num_categories=4)


def test_skills_are_not_to_be_had_before_they_are_known(calls_to, tmp_path):
    skills = DiscoveredSkills(TaughtTask(), chat=calls_to(Sorter()))
    with pytest.raises(ConfigurationError, match=r"call prepare\(\) first"):
        skills.skills()
    with pytest.raises(ConfigurationError, match=r"DiscoveredSkills asks a language model, and the teacher has none"):
        DiscoveredSkills(TaughtTask())
    with pytest.raises(ConfigurationError, match=r"none\.json does not exist: check the path"):
        DiscoveredSkills(TaughtTask(), path=str(tmp_path / "none.json"))


class OtherTask(TaughtTask):
    name = "other"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (OtherTask(), "skills of the task 'toy', and this is 'other'"),
        (TaughtTask(val_size=24), "skills of 48 validation instances, and this task has 24"),
        (TaughtTask(numbers=5000), "skills of other validation instances than this task's, though as many"),
    ],
)
def test_a_file_of_another_task_is_refused(calls_to, tmp_path, task, message):
    path = tmp_path / "skills.json"
    write_skills(path, discover_skills(TaughtTask(), calls_to(Sorter())))
    with pytest.raises(ConfigurationError, match=message) as caught:
        ready(task, path=str(path))
    assert "delete the file" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda plain: plain["assignment"].update({"val-00001": "painting"}), "to 'painting', which is no category"),
        (lambda plain: plain["assignment"].pop("val-00001"), "47 of 48 instances are assigned"),
        (
            lambda plain: plain["assignment"].update({"val-1": plain["assignment"].pop("val-00001")}),
            "no skill to validation instance val-00001",
        ),
        (lambda plain: plain.update(format=2), "format: "),
        (lambda plain: plain.pop("categories"), "categories: Field required"),
        (None, "Invalid JSON"),
    ],
)
def test_a_damaged_file_is_one_line(calls_to, tmp_path, damage, message):
    path, task = tmp_path / "skills.json", TaughtTask()
    write_skills(path, discover_skills(task, calls_to(Sorter())))
    assert read_skills(path, task).sizes["the skill0"] == 16
    plain = json.loads(path.read_text("utf-8"))
    if damage:
        damage(plain)
    path.write_text(json.dumps(plain) if damage else path.read_text("utf-8")[:100], encoding="utf-8")
    with pytest.raises(RecordError, match=message) as caught:
        read_skills(path, task)
    assert "\n" not in str(caught.value)
    with pytest.raises(MissingFileError):
        read_skills(tmp_path / "none.json", task)


def test_unknown_instances_get_the_skill_of_those_like_them(calls_to):
    task = TaughtTask()
    skills = ready(task, calls_to(Sorter()))
    record = TrainingRecord("skill2 sub0: say 77", "77", "77", skill="the skill0")
    assert skills.skill_of(task.as_instance(record)) == "the skill2"
    assert skills.skill_of(TaskInstance("x", "no word in common", "")) in skills.skills()
    assert skills.skill_of(TaskInstance("x", "", "")) in skills.skills()


def test_similarity_is_a_vote_and_ties_go_to_the_first():
    nearest = NearestSkills(["add 1 and 2", "add 3 and 5", "take 3 from 5", "take 9 from 11"], ["a", "a", "b", "b"], 2)
    assert nearest.skills_of(["add 100 and 7", "take 1 from 200", "zzz"]) == ["a", "b", "a"]
    assert nearest.skills_of([]) == []


def test_the_chat_model_may_choose_for_test_instances(calls_to):
    task, brain = TaughtTask(), Sorter()
    brain.choice = lambda prompt: {"name": "the skill0"}
    skills = ready(task, calls_to(brain), unknown="llm")
    assert len(brain.prompts("SkillChoice")) == 48
    assert {skills.skill_of(instance) for instance in task.instances("test")} == {"the skill0"}
    assert {instance.instance_id: skills.skill_of(instance) for instance in task.instances("val")} == true_skills(task)
    assert skills.skill_of(TaskInstance("x", "skill1 sub1: say 3", "3")) == "the skill1"  # similarity, no further call
    assert len(brain.prompts("SkillChoice")) == 48


def test_an_interrupted_discovery_goes_on_where_it_stopped(calls_to, tmp_path):
    task, brain, file = TaughtTask(), Sorter(), tmp_path / "skills.json"
    brain.broken.add("SkillCategories")
    calls = calls_to(brain)
    with calls.recording(tmp_path / "calls.jsonl"), pytest.raises(ChatError):
        ready(task, calls, path=str(file))
    assert not file.exists()
    assert len(brain.prompts("SkillLabel")) == 48
    brain.broken.clear()
    brain.bodies.clear()
    calls = calls_to(brain)
    with calls.recording(tmp_path / "calls.jsonl"):
        skills = ready(task, calls, path=str(file))
    assert [schema_of(body) for body in brain.bodies] == ["SkillCategories"]
    assert skills.skills() == ("the skill0", "the skill1", "the skill2")
    assert calls.cost()["calls"] == 49


def test_a_spent_cap_freezes_nothing(calls_to, tmp_path):
    prices = {"test-model": {"input": 1.0, "output": 1.0}}
    calls = calls_to(Sorter(), max_usd=0.001, prices=prices)
    with pytest.raises(SpendingCapError):
        ready(TaughtTask(), calls, path=str(tmp_path / "skills.json"))
    assert not (tmp_path / "skills.json").exists()


@pytest.mark.parametrize("number", [None, 20])
def test_a_dry_run_asks_everything_and_freezes_nothing(calls_to, tmp_path, number):
    brain, rehearsal = Sorter(), Rehearsal()
    calls = calls_to(brain)
    with calls.rehearsing(rehearsal):
        skills = ready(TaughtTask(), calls, path=str(tmp_path / "skills.json"), num_categories=number, unknown="llm")
    assert len(skills.skills()) == (number or 12)
    assert len(rehearsal.calls) == 48 + 1 + 48
    assert brain.bodies == []
    assert not (tmp_path / "skills.json").exists()


def test_an_episode_with_discovered_skills(calls_to):
    options = {"skills": DiscoveredSkills, "chat": calls_to(Sorter())}
    environment = made(SkillTreeEnvironment, Budget(max_steps=2), TaughtTask(), **options)
    observations = run(environment, AlternatingPolicy(OtherNames()))
    assert list(observations[-1].skills) == ["the skill0", "the skill1", "the skill2"]
    assert [accuracy.n for accuracy in observations[-1].skills.values()] == [16, 16, 16]
    assert all(accuracy.n == 16 for accuracy in environment.results[-1].test.skills.values())
    assert {error.skill for error in observations[0].errors} <= set(observations[0].skills)


class OtherNames(TaughtTask):
    """For a procedural policy: the task under the names that were discovered."""

    def subskills(self, skill):
        return super().subskills(skill.removeprefix("the "))


@pytest.fixture
def discover_words(monkeypatch, tmp_path):
    """The words of ``dataenvgym discover-skills`` on a procedural task, with the server's log; more may be added."""
    task = ProceduralMathTask(val_size=108, test_size=54)
    monkeypatch.setenv("OPENAI_API_KEY", LLMServer.key)
    with LLMServer(ProceduralBrain(task)) as server:
        chat = {"class_path": "teachers.chat.OpenAIChat", "init_args": {"model": "test-model", "base_url": server.url}}
        teacher = {"policy": "teachers.policies.NoStatePolicy", "engine": "teachers.engines.ProceduralEngine"}
        block = {"class_path": "teachers.Teacher", "init_args": {"chat": chat, **teacher}}
        (tmp_path / "teacher.yaml").write_text(json.dumps({"teacher": block}), encoding="utf-8")
        yield (
            server,
            [
                *("--config", str(ROOT / "configs/quickstart.yaml")),  # its other blocks are passed over
                *("--config", str(tmp_path / "teacher.yaml")),
                *("--task.init_args.val_size", "108", "--task.init_args.test_size", "54"),
                *("--out", str(tmp_path / "skills" / "found.json")),
            ],
        )


def test_the_command_freezes_skills_and_says_so(discover_words, tmp_path, capsys):
    server, words = discover_words
    out = tmp_path / "skills" / "found.json"
    assert discover_skills_command(words) == 0
    said = capsys.readouterr().out
    assert re.search(r"^percent +6$", said, re.MULTILINE)
    assert "18 skills of 108 validation instances of math_procedural" in said
    assert re.search(
        r"^cost +dollars unknown \(no price\), \d+ tokens, 109 calls, kept in .*found\.json\.calls\.jsonl$", said, re.M
    )
    assert str(out) in said
    task = ProceduralMathTask(val_size=108, test_size=54)
    assert len(read_skills(out, task).categories) == 18
    skills = ready(task, path=str(out))
    for instance in task.instances("val"):
        assert skills.skill_of(instance) == clean_name(instance.skill)

    before, frozen = len(server.log), out.read_bytes()
    with pytest.raises(RunDirectoryError, match=r"found\.json exists already: .* --overwrite"):
        discover_skills_command(words)
    assert discover_skills_command([*words, "--overwrite"]) == 0
    assert len(server.log) == before and out.read_bytes() == frozen  # out of the journal beside the file
    with pytest.raises(ConfigurationError, match="num_categories is 0"):
        discover_skills_command([*words, "--overwrite", "--num_categories", "0"])
    with pytest.raises(ConfigurationError, match="no chat model to discover skills with"):
        discover_skills_command([*words[:2], *words[4:], "--overwrite"])
