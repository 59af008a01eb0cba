"""What feedback is worth on a student that learns by rule: nothing to a policy that ignores it, something to others."""

from functools import partial

from environments import Budget, OpenEndedEnvironment, SkillListEnvironment, SkillTreeEnvironment
from environments.statistics import paired_by_seed
from teachers.policies import ErrorProportionalPolicy, FeedbackAblationPolicy, NoStatePolicy
from tests.environments.toy import Kept, LookupLoop, MemoryRecorder, ToyTask, run

SEEDS = range(5)
KINDS = ("true", "none", "shuffled", "stale")


def episode(kind, policy, seed, environment=SkillListEnvironment):
    """Test accuracy after the last step, and the accepted records."""
    task, kept = ToyTask(skills=10, subskills=1, val_size=240), Kept()
    made = environment(task, LookupLoop(task, seed), MemoryRecorder(kept), Budget(max_records=60, max_steps=4))
    run(made, FeedbackAblationPolicy(task, policy, kind))
    return kept.steps[-1].test.overall.value, kept.pool


def test_true_feedback_is_worth_something_to_a_policy_that_uses_it_and_shuffled_feedback_is_not():
    policy = partial(ErrorProportionalPolicy, floor=0.0, exponent=2.0)
    accuracies = {kind: [episode(kind, policy, seed)[0] for seed in SEEDS] for kind in KINDS}

    def minus(one, other):
        pairs = zip(accuracies[one], accuracies[other], strict=True)
        return paired_by_seed([a - b for a, b in pairs])

    assert minus("true", "none").ci95[0] > 0
    assert minus("true", "shuffled").ci95[0] > 0
    assert minus("shuffled", "none").ci95[0] <= 0


def test_a_policy_that_looks_at_nothing_makes_the_same_records_with_any_feedback_in_every_environment():
    """Which is why its run is a floor in all of them."""
    kinds = (OpenEndedEnvironment, SkillListEnvironment, SkillTreeEnvironment)
    ends = [episode(kind, NoStatePolicy, 3, environment) for environment in kinds for kind in KINDS]
    assert all(end == ends[0] for end in ends)
