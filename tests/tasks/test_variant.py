"""Variants of procedural tasks: what is asked unevenly, and what cannot be learnt."""

import random
from collections import Counter

import pytest

from tasks.base import ProceduralTask, identity
from tasks.code import ProceduralCodeTask
from tasks.errors import ConfigurationError
from tasks.math import ProceduralMathTask
from tasks.testing import check_task
from tasks.tool_use import ProceduralToolUseTask
from tasks.variant import Variant
from tasks.vqa import ProceduralVQATask

TASKS = (ProceduralMathTask, ProceduralCodeTask, ProceduralVQATask, ProceduralToolUseTask)


def test_instances_are_dealt_by_weight_and_the_catalogue_stays() -> None:
    exam = {"money": 3, "clock": 1, "parity": 0}
    task = ProceduralMathTask(val_size=40, test_size=81, variant=Variant(exam))
    assert Counter(one.skill for one in task.instances("val")) == {"money": 30, "clock": 10}
    assert Counter(one.skill for one in task.instances("test")) == {"money": 61, "clock": 20}
    subskills = Counter(one.subskill for one in task.instances("val") if one.skill == "money")
    assert set(subskills.values()) == {10}
    assert tuple(task.skills()) == tuple(ProceduralMathTask().skills())


def test_without_a_variant_nothing_changes() -> None:
    assert ProceduralMathTask(variant=Variant()).instances("val") == ProceduralMathTask().instances("val")


@pytest.mark.parametrize("kind", TASKS)
def test_an_unlearnable_skill_keeps_the_contract(kind: type[ProceduralTask]) -> None:
    skills = kind().skills()
    exam = {skills[0]: 2, skills[1]: 1}
    check_task(lambda: kind(val_size=30, test_size=30, variant=Variant(exam, skills[:1])), distinct=20)


@pytest.mark.parametrize("kind", TASKS)
def test_answers_of_an_unlearnable_skill_are_fixed_and_of_other_questions(kind: type[ProceduralTask]) -> None:
    plain = kind()
    skill = plain.skills()[0]
    pair = skill, plain.subskills(skill)[0]
    task = kind(variant=Variant(unlearnable=[skill]))
    truths = [plain.record(*pair, random.Random(seed)) for seed in range(40)]
    records = [task.record(*pair, random.Random(seed)) for seed in range(40)]
    assert [identity(one) for one in records] == [identity(one) for one in truths]
    wrong = sum(
        plain.score(plain.as_instance(true), one.response) < 1 for true, one in zip(truths, records, strict=True)
    )
    assert wrong > 10, "answers of other questions are seldom right"
    again = kind(variant=Variant(unlearnable=[skill]))
    assert [again.record(*pair, random.Random(seed)) for seed in range(40)] == records
    assert all(task.fault_of(one) is None for one in records), "they agree with themselves"
    other = plain.skills()[1]
    spared = other, plain.subskills(other)[0]
    assert task.record(*spared, random.Random(3)) == plain.record(*spared, random.Random(3))


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        (Variant({"geometry": 1}), "no such skill"),
        (Variant(unlearnable=["geometry"]), "no such skill"),
        (Variant({"money": -1, "clock": 2}), "0 or more"),
        (Variant({"money": 0}), "above 0"),
        (Variant({"money": float("nan")}), "above 0"),
    ],
)
def test_what_does_not_fit_is_refused(variant: Variant, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ProceduralMathTask(variant=variant).instances("val")
