"""reasoning-gym as a task: levels, verifier scores, records without metadata, and the missing package."""

import importlib.util
import random

import pytest

from tasks.errors import ConfigurationError
from tasks.math import ReasoningGymTask
from tasks.math.reasoning_gym_task import DATASETS
from tasks.records import record_from_mapping
from tasks.types import TaskInstance

TASK = ReasoningGymTask(val_size=36, test_size=36)


def test_items_hold_their_entry() -> None:
    instance = TASK.instances("val")[0]
    assert instance.metadata["source_dataset"] == DATASETS[str(instance.skill)][0]


@pytest.mark.parametrize("skill", DATASETS)
def test_records_are_scored_without_metadata(skill: str) -> None:
    rng = random.Random(skill)
    for subskill in TASK.subskills(skill):
        record = TASK.record(skill, subskill, rng)
        plain = {"instruction": record.instruction, "response": record.response, "skill": skill}
        instance = TASK.as_instance(record_from_mapping(plain))
        assert not instance.metadata
        assert TASK.score(instance, f" {record.answer}\n") == 1.0
        assert TASK.score(instance, "no idea") < 0.1


@pytest.mark.parametrize(
    ("skill", "answer", "reply", "score"),
    [
        ("sums", "1000", "+1,000.00", 1.0),
        ("sums", "1000", "1001", 0.0),
        ("decimal_sums", "0.5", "0.50", 1.0),
        ("factorisation", "2 \u00d7 3 \u00d7 7", "7 \u00d7 2 \u00d7 3", 1.0),
        ("factorisation", "2 \u00d7 3 \u00d7 7", "6 \u00d7 7", 0.5),
        ("factorisation", "2 \u00d7 3 \u00d7 7", "two", 0.0),
        ("factorisation", "2 \u00d7 3 \u00d7 7", "", 0.0),
        ("common_divisors", "12", "12", 1.0),
        ("sums", "1000", "The answer is $1000$.", 1.0),
        ("common_divisors", "12", "So it is \\boxed{12}.", 1.0),
        ("factorisation", "2 \u00d7 3 \u00d7 7", "Answer: 7 \u00d7 2 \u00d7 3.", 1.0),
        ("unheard of", "12", " 12", 1.0),
    ],
)
def test_scores_are_the_verifier_s(skill: str, answer: str, reply: str, score: float) -> None:
    assert TASK.score(TaskInstance("x", "?", answer, skill), reply) == score


def test_levels_differ() -> None:
    lengths = [len(TASK.generate("sums", level, random.Random(1)).instruction) for level in ("easy", "medium", "hard")]
    assert lengths == sorted(lengths) and lengths[0] < lengths[2]


def test_skills_can_be_chosen() -> None:
    task = ReasoningGymTask(val_size=6, test_size=6, skills=["sums", "common_divisors"])
    assert {instance.skill for instance in task.instances("test")} == {"sums", "common_divisors"}
    for skills in (["sums", "magic"], []):
        with pytest.raises(ConfigurationError, match="sums"):
            ReasoningGymTask(skills=skills)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r'pip install "dataenvgym\[reasoning-gym\]"'):
        ReasoningGymTask()
