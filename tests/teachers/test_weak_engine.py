"""The weak procedural engine: what share of its records is spoilt, how, and that the others are the strong engine's."""

import re

import pytest
from scipy.stats import binomtest

from tasks.base import identity, split_of
from tasks.code import ProceduralCodeTask
from tasks.errors import ConfigurationError
from tasks.math import ProceduralMathTask
from tasks.tool_use import ProceduralToolUseTask
from tasks.vqa import ProceduralVQATask
from teachers.engines import ProceduralEngine, WeakProceduralEngine
from teachers.plan import DataPlan, DataSpec
from tests.environments.toy import ToyTask


@pytest.fixture(scope="module")
def maths():
    return ProceduralMathTask(val_size=54, test_size=54)


def plan(*specs, seed=0):
    return DataPlan(step=1, seed=seed, specs=specs or (DataSpec(540), DataSpec(60, like="val-00007")))


def kinds(records):
    """The records off target, the wrong ones, and those that were not hit."""
    wrong = [record for record in records if ", wrong: " in record.source]
    strays = [record for record in records if ", off target: " in record.source]
    return wrong, strays, [record for record in records if record not in wrong and record not in strays]


def test_the_shares_are_hit(maths):
    records = WeakProceduralEngine(maths, wrong=0.3, off_target=0.1).generate(plan())
    wrong, strays, right = kinds(records)
    assert len(records) == 600
    for found, share in ((wrong, 0.3), (strays, 0.1), (right, 0.6)):
        assert binomtest(len(found), 600, share).pvalue > 1e-4


def test_all_of_them(maths):
    everything = plan(DataSpec(60))
    assert len(kinds(WeakProceduralEngine(maths, wrong=1.0, off_target=0.0).generate(everything))[0]) == 60
    assert len(kinds(WeakProceduralEngine(maths, wrong=0.0, off_target=1.0).generate(everything))[1]) == 60


def test_what_is_not_hit_is_the_strong_engines(maths):
    strong = ProceduralEngine(maths).generate(plan())
    weak = WeakProceduralEngine(maths).generate(plan())
    for ours, theirs in zip(weak, strong, strict=True):
        assert (ours.skill, ours.subskill) == (theirs.skill, theirs.subskill)
        assert ours.source.startswith(theirs.source)
        assert (ours == theirs) == (ours.source == theirs.source)


def test_no_shares_make_the_strong_engine(maths):
    assert WeakProceduralEngine(maths, 0.0, 0.0).generate(plan()) == ProceduralEngine(maths).generate(plan())


@pytest.mark.parametrize("make", [ProceduralMathTask, ProceduralToolUseTask, ProceduralVQATask])
def test_wrong_records_score_0_by_the_true_answer_and_agree_with_themselves(make):
    task = make()
    strong = ProceduralEngine(task).generate(plan(DataSpec(120)))
    weak = WeakProceduralEngine(task, wrong=0.5, off_target=0.0).generate(plan(DataSpec(120)))
    wrong = [(ours, theirs) for ours, theirs in zip(weak, strong, strict=True) if ours != theirs]
    assert len(wrong) > 30
    for ours, theirs in wrong:
        assert identity(ours) == identity(theirs)
        assert task.score(task.as_instance(theirs), ours.response) < 1.0
        assert task.score(task.as_instance(ours), ours.response) == 1.0
    # The offline tasks of texts have nothing to check an answer against; the one of images has the image.
    faults = {task.fault_of(ours) for ours, _ in wrong}
    assert faults == ({"image_mismatch"} if isinstance(task, ProceduralVQATask) else {None})


def test_wrong_programs_fail_the_questions_tests():
    task = ProceduralCodeTask(val_size=39, test_size=39)
    orders = plan(DataSpec(12))
    strong = ProceduralEngine(task).generate(orders)
    weak = WeakProceduralEngine(task, wrong=1.0, off_target=0.0).generate(orders)
    wrong = [(ours, theirs) for ours, theirs in zip(weak, strong, strict=True) if ours != theirs]
    assert wrong
    assert all(task.score(task.as_instance(theirs), ours.response) == 0.0 for ours, theirs in wrong)
    # The tests are part of the answer, so they are the other question's and pass: only the question is betrayed.
    assert {task.fault_of(ours) for ours, _ in wrong} == {None}


def test_off_target_records_are_of_another_skill_under_the_ordered_labels(maths):
    orders = plan(DataSpec(200, "addition"), DataSpec(20, like="val-00007"))
    ordered = maths.instances("val")[7]
    records = WeakProceduralEngine(maths, wrong=0.0, off_target=0.5).generate(orders)
    _, strays, _ = kinds(records)
    assert {record.skill for record in records} == {"addition", ordered.skill}
    assert all(record.subskill in maths.subskills(record.skill) for record in records)
    asked = [re.search(r"off target: asks ([^/]+)/", record.source)[1] for record in strays]
    assert all(skill != record.skill for skill, record in zip(asked, strays, strict=True))
    assert len(set(asked)) > 8
    assert all(split_of(record) == "train" for record in strays)


def test_questions_stay_distinct():
    task = ToyTask(numbers=100, val_size=12)
    records = WeakProceduralEngine(task, 0.0, 0.5).generate(plan(DataSpec(400)))
    assert len({record.instruction for record in records}) == len(records)


def test_the_same_plan_gives_the_same_records(maths):
    engine = WeakProceduralEngine(maths)
    assert engine.generate(plan()) == engine.generate(plan())
    assert engine.generate(plan()) != engine.generate(plan(seed=1))


def test_an_answer_without_alternative_stays_right():
    class OneAnswer(ToyTask):
        def generate(self, skill, subskill, rng):
            made = super().generate(skill, subskill, rng)
            return type(made)("", made.instruction, "yes", skill, subskill)

    task = OneAnswer()
    orders = plan(DataSpec(10))
    assert WeakProceduralEngine(task, 1.0, 0.0).generate(orders) == ProceduralEngine(task).generate(orders)


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        (ToyTask(), {"wrong": -0.1}, "WeakProceduralEngine: wrong is -0.1; it must lie between 0 and 1."),
        (ToyTask(), {"off_target": 1.5}, "off_target is 1.5; it must lie between 0 and 1."),
        (ToyTask(), {"wrong": 0.6, "off_target": 0.5}, "wrong is 0.6 and off_target 0.5; they must sum to at most 1."),
        (ToyTask(skills=1), {}, "off_target is 0.2, and toy has no other skill: set it to 0."),
    ],
)
def test_errors(task, options, message):
    with pytest.raises(ConfigurationError) as caught:
        WeakProceduralEngine(task, **options)
    assert message in str(caught.value)
