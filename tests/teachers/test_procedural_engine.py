"""The procedural engine: what each kind of spec becomes, determinism, and errors."""

from collections import Counter

import pytest

from tasks.base import Task, split_of
from tasks.errors import ConfigurationError
from tasks.math import ProceduralMathTask
from teachers.engines import ProceduralEngine
from teachers.plan import DataPlan, DataSpec
from tests.environments.toy import ToyTask


def make(specs, task=None, seed=0):
    task = task or ToyTask()
    return ProceduralEngine(task).generate(DataPlan(step=1, seed=seed, specs=tuple(specs)))


def test_a_subskill():
    records = make([DataSpec(5, "skill1", "sub2")])
    assert {(record.skill, record.subskill) for record in records} == {("skill1", "sub2")}
    assert {record.source for record in records} == {"procedural: skill1/sub2"}
    assert len({record.instruction for record in records}) == 5


def test_a_skill_is_dealt_evenly_over_its_subskills():
    made = Counter(record.subskill for record in make([DataSpec(10, "skill1")]))
    assert sorted(made.values()) == [2, 2, 3, 3]


def test_an_open_spec_is_dealt_evenly_over_everything():
    made = Counter((record.skill, record.subskill) for record in make([DataSpec(25)]))
    assert len(made) == 12
    assert set(made.values()) == {2, 3}
    firsts = {make([DataSpec(1)], seed=seed)[0].source for seed in range(30)}
    assert len(firsts) > 6


def test_like_an_error():
    task = ToyTask()
    error = task.instances("val")[12]
    records = make([DataSpec(3, like=error.instance_id)], task)
    assert {(record.skill, record.subskill) for record in records} == {(error.skill, error.subskill)}
    assert {record.source for record in records} == {f"procedural: like {error.instance_id}"}
    assert all(split_of(record) == "train" for record in records)


def test_the_same_plan_gives_the_same_records():
    specs = [DataSpec(5), DataSpec(5, "skill0"), DataSpec(0)]
    assert make(specs) == make(specs)
    assert make(specs) != make(specs, seed=1)


def test_a_used_up_subskill_falls_short_without_duplicates():
    task = ToyTask(numbers=100, val_size=12)
    records = make([DataSpec(80, "skill0", "sub0"), DataSpec(80, "skill0", "sub0")], task)
    assert len({record.instruction for record in records}) == len(records) < 160


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            DataSpec(1, "skill0", "painting"),
            "toy has no subskill 'painting' of 'skill0'; it has sub0, sub1, sub2, sub3.",
        ),
        (DataSpec(1, "painting"), "toy has no skill 'painting'"),
        (DataSpec(1, like="test-00001"), "toy has no instance 'test-00001'"),
    ],
)
def test_unknown_names(spec, message):
    with pytest.raises(ConfigurationError) as caught:
        make([spec])
    assert message in str(caught.value)


def test_a_task_without_generator():
    class Bare(Task):
        name = "bare"

        def instances(self, split):
            return []

        def score(self, instance, text):
            return 0.0

    with pytest.raises(ConfigurationError, match="needs a procedural task, and bare is none"):
        ProceduralEngine(Bare())


def test_on_the_real_task():
    task = ProceduralMathTask(val_size=54, test_size=54)
    records = make([DataSpec(54), DataSpec(5, like="val-00007")], task)
    assert len(records) == 59
    assert len({(record.skill, record.subskill) for record in records}) == 54
    assert all(task.score(task.as_instance(record), record.response) == 1.0 for record in records)
