"""The engine that selects: from the training pool only, none twice, what was asked for or visibly fewer."""

from collections import Counter

import pytest

from environments.intake import Intake
from tasks.base import identity
from tasks.errors import ConfigurationError
from tasks.types import TaskInstance
from teachers.engines import SelectionEngine
from teachers.plan import DataPlan, DataSpec
from tests.environments.toy import ToyTask

TASK = ToyTask()
POOL = {identity(record) for record in TASK.training_pool()}


def select(*specs, step=1, seed=0, screen=None, task=TASK):
    return SelectionEngine(task).generate(DataPlan(step, seed, specs, screen=screen))


def test_it_selects_what_was_ordered_from_the_pool_and_nothing_twice():
    batch = select(DataSpec(30, "skill1"), DataSpec(20, "skill1", "sub3"), DataSpec(40))
    assert len(batch) == 90 and batch.dropped == ()
    assert {record.skill for record in batch[:50]} == {"skill1"}
    assert {record.subskill for record in batch[30:50]} == {"sub3"}
    texts = [identity(record) for record in batch]
    assert len(set(texts)) == 90 and set(texts) <= POOL
    assert not set(texts) & {identity(one) for split in ("val", "test") for one in TASK.instances(split)}


def test_seed_and_step_decide():
    assert select(DataSpec(30)) == select(DataSpec(30))
    assert select(DataSpec(30)) != select(DataSpec(30), step=2)
    assert select(DataSpec(30)) != select(DataSpec(30), seed=1)


def test_fewer_are_handed_over_where_the_pool_has_no_more():
    assert len(select(DataSpec(5, "no such skill"))) == 0
    small = ToyTask(skills=1, subskills=1, numbers=400)
    batch = select(DataSpec(10_000), task=small)
    assert len(batch) == len(small.training_pool()) < 400


def test_like_takes_the_skill_of_the_instance():
    instance: TaskInstance = TASK.instances("val")[7]
    assert {record.skill for record in select(DataSpec(20, like=instance.instance_id))} == {instance.skill}


def test_no_record_comes_again_in_a_later_step():
    intake = Intake(TASK)
    pool = []

    def screen(records):
        return intake.screen(records, pool)

    for step in range(1, 6):
        batch = select(DataSpec(300, "skill0"), step=step, screen=screen)
        pool += batch
        assert len(batch) == 300
        assert batch.dropped == ()  # what is there already was never a candidate
    assert len({identity(record) for record in pool}) == 1500


def test_what_is_refused_for_another_reason_is_counted_and_made_up_for():
    batch = select(
        DataSpec(50), screen=lambda records: [("leak" if "0" in r.instruction[-3:] else None) for r in records]
    )
    assert len(batch) == 50 and not any("0" in record.instruction[-3:] for record in batch)
    assert set(Counter(drop.reason for drop in batch.dropped)) == {"leak"}


def test_a_task_without_training_data_is_one_line():
    class Bare(ToyTask):
        def training_pool(self):
            return super(type(self).__mro__[2], self).training_pool()

    with pytest.raises(ConfigurationError, match="toy has no training split"):
        SelectionEngine(Bare())
