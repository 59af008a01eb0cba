"""Intervals and p-values against known values, on degenerate data, and by a small coverage simulation."""

import random
import warnings

import pytest

from environments.run.summary import summarise
from environments.statistics import accuracy_interval, paired_by_seed, paired_gain, proportion_interval
from tasks.errors import ConfigurationError


def test_points_and_exact_p_of_zero_one_scores() -> None:
    before = [0.0] * 90 + [1.0] * 10
    after = [1.0] * 30 + [0.0] * 60 + [1.0] * 5 + [0.0] * 5
    gain = paired_gain(before, after)
    assert gain.points == pytest.approx(25.0)
    assert gain.ci95 is not None and gain.ci95[0] < 25 < gain.ci95[1]
    # 30 up, 5 down: twice the binomial tail P(X <= 5), X ~ B(35, 1/2).
    assert gain.p_value == pytest.approx(2 * sum(_choose(35, k) for k in range(6)) / 2**35, rel=1e-9)


def _choose(n: int, k: int) -> int:
    result = 1
    for i in range(k):
        result = result * (n - i) // (i + 1)
    return result


def test_gain_is_antisymmetric_up_to_resampling() -> None:
    rng = random.Random(0)
    before = [float(rng.random() < 0.4) for _ in range(200)]
    after = [float(rng.random() < 0.6) for _ in range(200)]
    there, back = paired_gain(before, after), paired_gain(after, before)
    assert there.points == pytest.approx(-back.points)
    assert there.p_value == back.p_value
    assert there.ci95 is not None and back.ci95 is not None
    assert there.ci95[0] == pytest.approx(-back.ci95[1], abs=1.0)


def test_same_input_same_output() -> None:
    rng = random.Random(1)
    before, after = ([rng.random() for _ in range(50)] for _ in range(2))
    assert paired_gain(before, after, seed=3) == paired_gain(before, after, seed=3)


def test_graded_scores_agree_with_exhaustive_sign_flips() -> None:
    before, after = [0.0, 0.1, 0.2, 0.3, 0.1, 0.5, 0.2, 0.0], [0.4, 0.3, 0.1, 0.9, 0.4, 0.6, 0.9, 0.8]
    differences = [b - a for a, b in zip(before, after, strict=True)]
    observed = abs(sum(differences)) - 1e-9
    flips = [abs(sum(d if mask >> i & 1 else -d for i, d in enumerate(differences))) for mask in range(2**8)]
    exact = sum(flip >= observed for flip in flips) / len(flips)
    assert paired_gain(before, after).p_value == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 0.25])
def test_equal_differences_have_zero_width_and_no_warning(value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gain = paired_gain([0.0] * 20, [value] * 20)
        seeds = paired_by_seed([value] * 8)
    assert gain.ci95 == pytest.approx((100 * value, 100 * value))
    assert gain.p_value == pytest.approx(1.0 if value == 0 else 2 * 0.5**20)
    assert seeds.ci95 == pytest.approx((100 * value, 100 * value))
    assert seeds.p_value == pytest.approx(1.0 if value == 0 else 2 * 0.5**8)


@pytest.mark.parametrize(("ups", "instances"), [(1, 30), (2, 30), (1, 2)])
def test_nearly_degenerate_differences_give_numbers(ups: int, instances: int) -> None:
    gain = paired_gain([0.0] * instances, [1.0] * ups + [0.0] * (instances - ups))
    assert gain.points == pytest.approx(100 * ups / instances)
    assert gain.ci95 is not None and all(end == end for end in gain.ci95)
    assert gain.ci95[0] <= gain.points <= gain.ci95[1]


def test_one_instance_has_no_interval_and_none_is_an_error() -> None:
    gain = paired_gain([0.0], [1.0])
    assert (gain.points, gain.ci95, gain.p_value) == (100.0, None, None)
    assert paired_by_seed([0.1]).ci95 is None
    for call in (lambda: paired_gain([], []), lambda: paired_by_seed([]), lambda: paired_gain([0.0], [])):
        with pytest.raises(ConfigurationError):
            call()


def test_wilson_known_value() -> None:
    # Newcombe (1998), table I: 81 of 263 has Wilson interval 0.2553 to 0.3662.
    low, high = proportion_interval(81, 263) or (0.0, 0.0)
    assert (low, high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    assert accuracy_interval([1.0] * 81 + [0.0] * 182) == (low, high)


def test_accuracy_interval_edges() -> None:
    assert accuracy_interval([]) is None
    assert accuracy_interval([0.3]) is None
    all_right = accuracy_interval([1.0] * 10)
    assert all_right is not None and all_right[1] == 1.0 and 0.6 < all_right[0] < 0.8
    assert accuracy_interval([0.5] * 10) == (0.5, 0.5)
    graded = accuracy_interval([0.1, 0.9, 0.5, 0.7, 0.2])
    assert graded is not None and 0 <= graded[0] < 0.48 < graded[1] <= 1


def test_t_interval_known_value() -> None:
    # mean 0.03, standard deviation 0.01581, t(4, 0.975) = 2.7764
    gain = paired_by_seed([0.01, 0.02, 0.03, 0.04, 0.05])
    assert gain.points == pytest.approx(3.0)
    assert gain.ci95 == (pytest.approx(1.0368, abs=1e-3), pytest.approx(4.9632, abs=1e-3))
    assert gain.p_value == pytest.approx(0.01324, abs=1e-4)


def test_coverage_of_the_paired_interval() -> None:
    """In 120 simulated experiments with a true gain of 20 points the 95 % interval holds it at least 87 % of times."""
    covered = 0
    for seed in range(120):
        rng = random.Random(seed)
        before = [float(rng.random() < 0.4) for _ in range(80)]
        after = [float(rng.random() < 0.6) for _ in range(80)]
        low, high = paired_gain(before, after, seed=seed, resamples=499).ci95 or (0.0, 0.0)
        covered += low <= 20 <= high
    assert covered >= 0.87 * 120


def test_the_best_step_is_chosen_on_validation_and_is_the_earliest_of_equals() -> None:
    val = ((1, 0, 0, 0), (1, 1, 1, 0), (0, 1, 1, 1), (1, 1, 0, 0))
    test = ((1, 1, 1, 0), (1, 0, 0, 0), (1, 1, 1, 1), (1, 1, 0, 0))
    scores = {step: {"val": list(val[step]), "test": list(test[step])} for step in range(4)}

    def report(values):
        return {"overall": {"value": sum(values) / len(values), "n": len(values)}, "skills": {}, "metrics": {}}

    lines = [
        {"step": step, "records": 0, "rejected": {}, "truncated_records": 0, "seconds": {}}
        | {split: report(values) for split, values in scores[step].items()}
        for step in range(4)
    ]
    told = summarise(lines, scores, {}, "finished", {})
    for name, accuracies in {"before": (0.25, 0.75), "after": (0.5, 0.5), "best": (0.75, 0.25)}.items():
        assert (told[name]["val"]["accuracy"], told[name]["test"]["accuracy"]) == accuracies
    assert told["best"]["step"] == 1
    assert [told["gain"][split]["points"] for split in ("val", "test")] == pytest.approx([25, -25])
    assert [told["best"]["gain"][split]["points"] for split in ("val", "test")] == pytest.approx([50, -50])
