"""The loop: budgets, calls per step, pools and rejected records."""

import json
from dataclasses import asdict

import pytest

from environments import Budget, OpenEndedEnvironment, SkillListEnvironment
from tasks.errors import ConfigurationError
from tasks.types import TrainingRecord
from teachers.batch import Batch
from teachers.engines import ProceduralEngine
from teachers.plan import DataSpec
from teachers.policies import NoStatePolicy, OpenEndedPolicy
from tests.environments.toy import Kept, LookupLoop, MemoryRecorder, ToyTask, made, run


def test_rejected_records_use_up_no_budget():
    class Repeating(ProceduralEngine):
        def generate(self, plan):
            records = tuple(super().generate(plan))
            return Batch(records + records)

    environment = made(OpenEndedEnvironment, Budget(max_records=40, max_steps=6))
    observations = run(environment, NoStatePolicy(environment.task, 10), Repeating(environment.task))
    assert [seen.records_left for seen in observations] == [40, 30, 20, 10, 0]
    assert [result.rejected for result in environment.results[1:]] == 4 * [{"duplicate": 10}]


@pytest.mark.parametrize(("hard", "sizes"), [(True, [120, 240, 300]), (False, [120, 240, 360])])
def test_the_budget_counts_all_records_not_the_last_batch(hard, sizes):
    class Stubborn(NoStatePolicy):
        def act(self, observation):
            return [DataSpec(120)]

    environment = made(OpenEndedEnvironment, Budget(max_records=300, max_steps=5, hard=hard))
    observations = run(environment, Stubborn(environment.task))
    assert environment.loop.trained_on == sizes
    assert [past.step for past in environment.history] == [0, 1, 2, 3]
    assert observations[-1].last


def test_several_calls_per_step():
    environment = made(OpenEndedEnvironment, Budget(max_steps=3), calls_per_step=2)
    observations = run(environment, NoStatePolicy(environment.task, records_per_step=10))
    assert environment.loop.trained_on == [20, 40, 60]
    assert [(o.step, o.call) for o in observations] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]
    assert [o.calls_left for o in observations] == [6, 5, 4, 3, 2, 1, 0]
    assert observations[1].accuracy == observations[0].accuracy
    assert observations[1].errors == observations[0].errors


@pytest.mark.parametrize(("records", "calls"), [(20, 2), (15, 3)])
def test_a_budget_that_ends_with_or_within_a_step_trains_once_and_stops(records, calls):
    environment = made(OpenEndedEnvironment, Budget(max_records=records, max_steps=4), calls_per_step=calls)
    observations = run(environment, NoStatePolicy(environment.task, records_per_step=10))
    assert environment.loop.trained_on == [records]
    assert len(environment.results) == 2
    assert observations[-1].last


def test_a_perfect_student_stays_perfect():
    class Perfect(LookupLoop):
        def _knows(self, instance):
            return True

    environment = made(OpenEndedEnvironment, Budget(max_steps=3), loop=Perfect(ToyTask()))
    observations = run(environment, OpenEndedPolicy(environment.task))
    assert [o.accuracy.value for o in observations] == [1.0] * 4
    assert all(o.errors == () for o in observations)


def test_a_finished_run_is_not_run_again():
    kept, states = Kept(), []
    for _ in range(2):
        task = ToyTask()
        parts = {"loop": LookupLoop(task, kept=kept), "recorder": MemoryRecorder(kept)}
        environment = made(SkillListEnvironment, Budget(max_steps=2), task, **parts)
        observations = run(environment, NoStatePolicy(task))
        states.append(json.dumps([asdict(step) for step in kept.steps]))
    assert states[0] == states[1]
    assert len(observations) == 1 and observations[0].last
    assert environment.loop.trained_on == []


def test_time_runs_out_at_the_end_of_a_step():
    environment = made(OpenEndedEnvironment, Budget(max_seconds=10), recorder=MemoryRecorder(), calls_per_step=2)
    environment.reset()
    environment.plan([DataSpec(5)])
    environment.recorder.seconds = 11
    plan = environment.plan([DataSpec(5)])
    observation = environment.step(ProceduralEngine(environment.task).generate(plan))
    assert environment.loop.trained_on == [5]
    assert observation.last


def test_pool_latest_trains_on_the_step_alone_and_start_previous_continues():
    environment = made(OpenEndedEnvironment, Budget(max_steps=3), pool="latest", start="previous")
    run(environment, NoStatePolicy(environment.task, records_per_step=12))
    assert environment.loop.trained_on == [12, 12, 12]
    assert environment.loop.kept.students[3].total() == 36


def test_an_idle_step_keeps_the_student_and_three_end_the_episode():
    environment = made(OpenEndedEnvironment, Budget(max_records=1000))
    observation = environment.reset()
    engine = ProceduralEngine(environment.task)
    for count in (5, 0, 0, 5, 0, 0, 0):
        assert not observation.last
        observation = environment.step(engine.generate(environment.plan([DataSpec(count)])))
    assert observation.last
    assert environment.loop.trained_on == [5, 10]
    assert [result.trained for result in environment.results] == [False, True, False, False, True, False, False, False]


def record(text, answer="1", response=None):
    return TrainingRecord(text, answer if response is None else response, answer)


def test_every_rejected_record_has_its_reason():
    environment = made(OpenEndedEnvironment, Budget(max_records=100))
    environment.reset()
    environment.plan([DataSpec(2)])
    batch = [
        record("one"),
        record(" ", "1"),
        record("no answer", " "),
        record("wrong", "1", "2"),
        record("  ONE "),
        record(environment.task.instances("val")[0].instruction),
        record(environment.task.instances("test")[0].instruction.upper()),
        record("two"),
        record("three"),
    ]
    environment.step(batch)
    result = environment.results[-1]
    assert result.rejected == {
        "answer_mismatch": 1, "duplicate": 1, "leak": 2, "over_budget": 1, "schema": 2
    }  # fmt: skip
    assert result.records == 2
    assert result.allocation == {"unassigned": 2}
    environment.plan([DataSpec(2)])
    with pytest.raises(ConfigurationError, match=r"this is a tuple \(\('ONE',\)\): return teachers\.Batch\(records\)"):
        environment.step(("ONE",))
    environment.step([record("ONE")])
    assert environment.results[-1].rejected == {"duplicate": 1}
    assert environment.state_dict()["rejected"]["duplicate"] == 2
