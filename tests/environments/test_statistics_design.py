"""Comparisons, power, groups and best steps: known values, the paper's numbers, simulations without a difference."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from environments.statistics import (
    accuracy_interval,
    best_of_steps,
    clustered_gain,
    gain_by_instance,
    gain_of_proportions,
    holm,
    mcnemar,
    minimum_detectable_effect,
    paired_by_seed,
    paired_gain,
)
from tasks.errors import ConfigurationError

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import statistics_check

PAIRS = 1000  # the standard error of a coverage of 95 % is then 0.7 points


@pytest.mark.parametrize("name", [name for name in statistics_check.COMPARISONS if "ignored" not in name])
def test_without_a_difference_intervals_hold_zero_in_95_percent(name: str) -> None:
    held, found = statistics_check.coverage(PAIRS, statistics_check.COMPARISONS[name])
    if "McNemar" not in name:
        assert held == pytest.approx(0.95, abs=0.02)
    assert 0.02 <= found <= 0.07


def test_ignoring_groups_makes_intervals_too_narrow() -> None:
    held, found = statistics_check.coverage(200, statistics_check.COMPARISONS["groups of 4, groups ignored"])
    assert held < 0.90 and found > 0.10


def test_the_best_of_ten_steps_of_noise_is_biased_and_the_corrected_number_is_not() -> None:
    biases = statistics_check.best_of_noise(400)
    assert biases["naive"] > 2.5
    assert abs(biases["corrected"]) < 0.35  # three standard errors of 400 episodes
    assert abs(biases["test"]) < 0.35


def test_the_papers_gain_on_400_problems_is_not_significant() -> None:
    gain = gain_of_proportions(0.2, 0.2241, 400)  # from which accuracy is not known; at any from 10 % up it is not
    assert gain.points == pytest.approx(2.41)
    assert gain.ci95 is not None and gain.ci95[0] < 0 < gain.ci95[1]
    assert gain.p_value is not None and gain.p_value > 0.3
    assert stats.norm.isf(gain.p_value / 2) == pytest.approx(0.83, abs=0.05)


def test_newcombe_known_value() -> None:
    # Newcombe (1998), table II, method 10: 56/70 against 48/80 has the interval 0.0524 to 0.3339.
    gain = gain_of_proportions(48 / 80, 56 / 70, 80, 70)
    assert gain.points == pytest.approx(20.0)
    assert gain.ci95 == (pytest.approx(5.24, abs=0.01), pytest.approx(33.39, abs=0.01))


def test_gain_of_proportions_edges() -> None:
    same = gain_of_proportions(0.0, 0.0, 100)
    assert same.points == 0 and same.p_value == 1.0
    assert same.ci95 is not None and same.ci95[0] < 0 < same.ci95[1]
    for wrong in ((15.78, 23.44, 5000), (0.1, 0.2, 0)):
        with pytest.raises(ConfigurationError):
            gain_of_proportions(*wrong)


@pytest.mark.parametrize(
    ("n", "unpaired", "paired"), [(400, 7.9, 5.4), (1000, 5.0, 3.4), (5000, 2.2, 1.5)], ids=["400", "1000", "5000"]
)
def test_minimum_detectable_effects_of_the_papers_benchmarks(n: int, unpaired: float, paired: float) -> None:
    assert minimum_detectable_effect(n) == pytest.approx(unpaired, abs=0.05)
    assert minimum_detectable_effect(n, discordant=0.15) == pytest.approx(paired, abs=0.05)


def test_an_effect_of_the_detectable_size_is_found_in_80_percent() -> None:
    n, discordant = 400, 0.15
    effect = minimum_detectable_effect(n, discordant=discordant) / 100
    rng = np.random.default_rng(0)
    changed = rng.binomial(n, discordant, size=2000)
    won = rng.binomial(changed, 0.5 + effect / (2 * discordant))
    p_values = [
        mcnemar([0.0] * w + [1.0] * (c - w), [1.0] * w + [0.0] * (c - w)) for w, c in zip(won, changed, strict=True)
    ]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.80, abs=0.04)


@pytest.mark.parametrize("bad", [{"n": 0}, {"n": 9, "accuracy": 2}, {"n": 9, "discordant": -1}, {"n": 9, "power": 1}])
def test_power_of_the_impossible(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        minimum_detectable_effect(**bad)


def test_mcnemar_against_the_binomial() -> None:
    before, after = [0.0] * 8 + [1.0] * 2 + [1.0] * 30, [1.0] * 8 + [0.0] * 2 + [1.0] * 30
    exact = stats.binomtest(2, 10, 0.5).pvalue
    assert mcnemar(before, after, mid_p=False) == pytest.approx(exact)
    assert mcnemar(before, after, mid_p=False) == paired_gain(before, after).p_value
    assert mcnemar(before, after) == pytest.approx(exact - stats.binom.pmf(2, 10, 0.5))
    assert mcnemar([1.0, 0.0], [1.0, 0.0]) == 1.0
    assert mcnemar([0.0, 1.0], [1.0, 0.0]) == pytest.approx(1.0)
    for wrong in (([0.5], [1.0]), ([0.0], [])):
        with pytest.raises(ConfigurationError):
            mcnemar(*wrong)


def test_holm_known_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2, None, 0.9]) == [0.4, None, 0.9]
    assert holm([]) == [] and holm([0.8, 0.7]) == [1.0, 1.0]


def test_groups_of_one_are_instances() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.random(60).tolist(), rng.random(60).tolist()
    clustered = clustered_gain(before, after, range(60))
    by_t = paired_by_seed([b - a for a, b in zip(before, after, strict=True)])
    assert clustered.ci95 == pytest.approx(by_t.ci95) and clustered.p_value == pytest.approx(by_t.p_value)


def test_copies_of_an_instance_add_nothing() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.random(50).tolist(), rng.random(50).tolist()
    copied = clustered_gain(before * 4, after * 4, [*range(50)] * 4)
    assert copied.ci95 == pytest.approx(clustered_gain(before, after, range(50)).ci95)


def test_degenerate_groups() -> None:
    assert clustered_gain([0.0, 0.0], [1.0, 0.0], ["a", "a"]).ci95 is None
    equal = clustered_gain([0.0] * 8, [1.0] * 8, [0, 0, 1, 1, 2, 2, 3, 3])
    assert equal.ci95 == pytest.approx((100, 100)) and equal.p_value == pytest.approx(2 * 0.5**4)
    with pytest.raises(ConfigurationError):
        clustered_gain([0.0] * 3, [1.0] * 3, [1, 2])


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_the_interval_of_an_accuracy_holds_it_however_alike_groups_are(alike: float) -> None:
    """Fifty groups of four; a share of the groups has one answer to all of its instances."""
    rng, clusters = np.random.default_rng(0), np.repeat(np.arange(50), 4).tolist()
    held = ignored = 0
    for _ in range(300):
        each, shared = rng.random((50, 4)) < 0.2, np.repeat(rng.random((50, 1)) < 0.2, 4, axis=1)
        scores = np.where(rng.random((50, 1)) < alike, shared, each).astype(float).ravel().tolist()
        low, high = accuracy_interval(scores, clusters=clusters) or (1.0, 0.0)
        held += low <= 0.2 <= high
        low, high = accuracy_interval(scores) or (1.0, 0.0)
        ignored += low <= 0.2 <= high
    assert held >= 0.92 * 300
    assert alike == 0 or ignored < 0.90 * 300


def test_the_interval_of_an_accuracy_in_groups() -> None:
    rng = np.random.default_rng(6)
    scores = (rng.random(80) < 0.3).astype(float).tolist()
    alone, fourfold = accuracy_interval(scores, clusters=range(80)), accuracy_interval(scores * 4)
    copied = accuracy_interval(scores * 4, clusters=[*range(80)] * 4)
    assert alone is not None and copied is not None and fourfold is not None
    assert copied == pytest.approx(alone)  # copies of an instance add nothing
    assert copied[1] - copied[0] > 1.8 * (fourfold[1] - fourfold[0])
    graded = [0.1, 0.3, 0.2, 0.9, 0.7, 0.9]
    low, high = accuracy_interval(graded, clusters="aabbcc") or (0.0, 0.0)
    t = stats.t.interval(0.95, 2, np.mean(graded), stats.sem([0.2, 0.55, 0.8]))
    assert (low, high) == (max(0.0, t[0]), min(1.0, t[1]))


def test_the_interval_of_an_accuracy_in_degenerate_groups() -> None:
    assert accuracy_interval([1.0, 0.0], clusters="aa") is None
    low, high = accuracy_interval([1.0] * 40, clusters=[i // 4 for i in range(40)]) or (0.0, 0.0)
    assert low < (accuracy_interval([1.0] * 10) or (0.0,))[0] and high == 1.0  # ten groups say no more than ten
    balanced = accuracy_interval([1.0, 0.0] * 20, clusters=[i // 2 for i in range(40)])
    plain = accuracy_interval([1.0, 0.0] * 20)
    assert balanced is not None and plain is not None and balanced[0] <= plain[0] and balanced[1] >= plain[1]
    with pytest.raises(ConfigurationError):
        accuracy_interval([1.0, 0.0], clusters="a")


def test_a_gain_by_instance_takes_the_groups_that_there_are() -> None:
    before, after = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0, 0.0, 1.0]
    assert gain_by_instance(before, after) == paired_gain(before, after)
    assert gain_by_instance(before, after, "aabbcc") == clustered_gain(before, after, "aabbcc")


def test_a_single_step_is_no_choice() -> None:
    best = best_of_steps({0: [1.0, 0.0, 1.0]})
    assert best.corrected == best.naive and best.optimism == 0.0


def test_a_real_best_step_keeps_most_of_its_gain() -> None:
    rng = np.random.default_rng(0)
    val = {step: (rng.random(800) < level).astype(float).tolist() for step, level in enumerate((0.2, 0.3, 0.5, 0.4))}
    best = best_of_steps(val)
    assert best.step == 2
    assert best.corrected == pytest.approx(best.naive, abs=0.005)
    assert best == best_of_steps(val)


def test_ties_go_to_the_earliest_step() -> None:
    same = [1.0, 0.0, 1.0, 0.0]
    best = best_of_steps({0: same, 1: same, 2: same})
    assert (best.step, best.naive, best.corrected, best.optimism) == (0, 0.5, 0.5, 0.0)


def test_groups_stay_whole_in_a_choice() -> None:
    """Four copies of each instance: split one by one, the same answers would choose and measure."""
    rng = np.random.default_rng(1)
    naive, loose, whole = [], [], []
    for _ in range(60):
        once = {step: (rng.random(40) < 0.5).astype(float) for step in range(8)}
        val = {step: np.repeat(scores, 4).tolist() for step, scores in once.items()}
        clusters = np.repeat(np.arange(40), 4).tolist()
        loose.append(best_of_steps(val, splits=40).corrected - 0.5)
        best = best_of_steps(val, clusters=clusters, splits=40)
        whole.append(best.corrected - 0.5)
        naive.append(best.naive - 0.5)
    assert np.mean(naive) > 0.08 and np.mean(loose) > 0.05
    assert abs(np.mean(whole)) < 0.03


def test_best_of_what_cannot_be_compared() -> None:
    for wrong in ({}, {0: [1.0, 0.0], 1: [1.0]}, {0: [1.0]}):
        with pytest.raises(ConfigurationError):
            best_of_steps(wrong)
    with pytest.raises(ConfigurationError):
        best_of_steps({0: [1.0, 0.0, 1.0]}, clusters=["a", "b"])
