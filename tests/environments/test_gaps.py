"""Shares of gaps and what they tell apart: known answers, and intervals that hold the truth as often as they say."""

import numpy as np
import pytest

from environments.statistics.gaps import (
    Contest,
    discrimination,
    interquartile_mean,
    observed_agreement,
    overall_share,
    seeds_needed,
    share_of_gap,
)
from tasks.errors import ConfigurationError


def runs(mean: float, rng: np.random.Generator, seeds: int = 5, instances: int = 300, noise: float = 0.02, hard=None):
    """Scores of runs whose accuracies vary about a mean, on instances of their own difficulty."""
    hard = np.zeros(instances) if hard is None else hard
    levels = mean + noise * rng.standard_normal(seeds)
    return (rng.random((seeds, instances)) < np.clip(levels[:, None] + hard[None, :], 0, 1)).astype(float)


def test_the_share_is_where_the_teacher_stands_between_the_yardsticks() -> None:
    half = Contest(np.full((2, 4), 0.5), np.full((3, 4), 0.2), np.full((1, 4), 0.8))
    assert half.share == pytest.approx(0.5)
    below = Contest(np.full((2, 4), 0.1), np.full((3, 4), 0.2), np.full((1, 4), 0.8))
    assert below.share == pytest.approx(-1 / 6)
    assert share_of_gap(half).ci95 == pytest.approx((0.5, 0.5))


def test_intervals_of_shares_hold_the_truth_in_95_percent() -> None:
    rng, held, games = np.random.default_rng(3), 0, 100
    hard = 0.2 * rng.standard_normal(300)
    hard -= hard.mean()
    for game in range(games):
        contest = Contest(runs(0.45, rng, hard=hard), runs(0.3, rng, hard=hard), runs(0.6, rng, hard=hard))
        low, high = share_of_gap(contest, resamples=300, seed=game).ci95
        held += low <= 0.5 <= high
    assert held / games > 0.9  # five seeds a side: the bootstrap of few seeds is a little too narrow


def test_without_a_gap_there_is_no_interval() -> None:
    same = np.zeros((2, 5))
    found = share_of_gap(Contest(same, same, same))
    assert np.isnan(found.value) and found.ci95 is None


def test_overall_is_the_interquartile_mean_of_all_runs() -> None:
    low, high = np.zeros((2, 10)), np.ones((2, 10))
    own = {f"c{place}": Contest(np.full((4, 10), place / 4), low, high) for place in range(4)}
    found = overall_share(own)
    assert found.value == pytest.approx((0.25 + 0.5) / 2) and found.ci95 == pytest.approx((found.value, found.value))
    assert interquartile_mean(np.array([0.0, 1.0, 2.0, 99.0])) == pytest.approx(1.5)
    assert interquartile_mean(np.array([1.0, 2.0, 6.0])) == pytest.approx(3.0)


def test_discrimination_by_hand() -> None:
    found = discrimination({"a": [0.50, 0.52], "b": [0.60, 0.62]})
    assert found.signal == pytest.approx(10) and found.noise == pytest.approx(2**0.5)
    assert found.reliability == pytest.approx((0.005 - 0.0001) / 0.005)
    assert 0.9 < found.agreement < 1
    nothing = discrimination({"a": [0.5, 0.6], "b": [0.6, 0.5]})
    assert nothing.reliability == 0 and nothing.agreement == 0.5


def test_agreement_counts_pairs() -> None:
    one = {"a": 0.1, "b": 0.2, "c": 0.3}
    assert observed_agreement(one, {"a": 1, "b": 2, "c": 3}) == 1
    assert observed_agreement(one, {"a": 3, "b": 2, "c": 1}) == 0
    assert observed_agreement(one, {"a": 1, "b": 1, "c": 2}) == pytest.approx((0.5 + 1 + 1) / 3)


def test_a_plan_reaches_its_power() -> None:
    seeds = seeds_needed(2.0, 1.5)
    rng = np.random.default_rng(0)
    from scipy import stats

    def power(n: int) -> float:
        draws = 2.0 + 1.5 * rng.standard_normal((4_000, n))
        return float(np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05))

    assert power(seeds) > 0.78 and power(seeds - 1) < 0.8
    assert seeds_needed(2.0, 0.0) == 2


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="same instances"):
        Contest(np.zeros((1, 3)), np.zeros((1, 4)), np.zeros((1, 3)))
    with pytest.raises(ConfigurationError, match="two of them"):
        discrimination({"a": [0.1, 0.2]})
    with pytest.raises(ConfigurationError, match="above 0"):
        seeds_needed(0, 1)
    with pytest.raises(ConfigurationError, match="Two teachers"):
        observed_agreement({"a": 1}, {"b": 1})
    with pytest.raises(ConfigurationError, match="no challenge"):
        overall_share({})
