"""Resume: an episode killed at any moment ends as the uninterrupted one, and equal seeds give equal runs."""

import json
from dataclasses import asdict

import pytest

from environments import Budget, OpenEndedEnvironment, SkillListEnvironment, SkillTreeEnvironment
from teachers.policies import AlternatingPolicy, ErrorProportionalPolicy, MasteryPolicy, NoStatePolicy, OpenEndedPolicy
from tests.environments.toy import Kept, Killed, LookupLoop, MemoryRecorder, ToyTask, run


def cases(task):
    mixed = {"calls_per_step": 2, "start": "previous", "pool": "latest"}
    return [
        (OpenEndedEnvironment, {}, OpenEndedPolicy(task)),
        (SkillListEnvironment, mixed, ErrorProportionalPolicy(task)),
        (SkillTreeEnvironment, {}, MasteryPolicy(task)),
        (SkillTreeEnvironment, {"calls_per_step": 3}, AlternatingPolicy(task, new_subskills=1, records_each=9)),
    ]


@pytest.mark.parametrize("case", range(4))
def test_a_kill_at_any_moment_changes_nothing(case):
    task = ToyTask()
    kind, options, policy = cases(task)[case]

    def observed(kept):
        budget = Budget(max_records=150, max_steps=6)
        return run(kind(task, LookupLoop(task, kept=kept), MemoryRecorder(kept), budget, **options), policy)

    whole = Kept()
    expected = observed(whole)
    for moment in range(200):
        kept = Kept(kill_in=moment)
        try:
            observed(kept)
            break
        except Killed:
            kept.kill_in = None
        observations = observed(kept)
        assert observations == expected[-len(observations) :], moment
        assert kept == whole, moment
    assert moment > 10


def test_seeds_decide():
    task = ToyTask()

    def pool(seed):
        kept = Kept()
        loop, recorder = LookupLoop(task, seed), MemoryRecorder(kept)
        run(OpenEndedEnvironment(task, loop, recorder, Budget(max_steps=2)), NoStatePolicy(task, 20))
        return kept.pool

    assert pool(0) == pool(0)
    assert pool(0) != pool(1)


def test_step_results_are_json_able():
    task = ToyTask()
    kept = Kept()
    run(SkillTreeEnvironment(task, LookupLoop(task), MemoryRecorder(kept), Budget(max_steps=2)), MasteryPolicy(task))
    rows = [asdict(result) for result in kept.steps]
    assert json.loads(json.dumps(rows)) == rows
