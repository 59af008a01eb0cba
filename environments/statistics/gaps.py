"""How much of the gap between two yardsticks a teacher closes, and what a comparison of teachers can tell apart."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from environments.statistics.intervals import Interval
from tasks.errors import ConfigurationError

Scores = NDArray[np.float64]  # of shape (seeds, instances)

_RESAMPLES = 2_000


class Estimate(NamedTuple):
    """A number with its 95 % interval; None where there is too little to say."""

    value: float
    ci95: Interval | None


@dataclass(frozen=True)
class Contest:
    """The scores of one challenge: a teacher's and the two yardsticks', each of shape (seeds, instances).

    All answer the same instances; the seeds of one need not be those of another.
    """

    own: Scores
    low: Scores
    high: Scores

    def __post_init__(self) -> None:
        """Checks the shapes."""
        if len({part.shape[-1] for part in (self.own, self.low, self.high)}) > 1 or not all(
            part.ndim == 2 and part.size for part in (self.own, self.low, self.high)
        ):
            raise ConfigurationError("A teacher and its yardsticks must answer the same instances, on a seed at least.")

    @property
    def gap(self) -> float:
        """What the yardsticks differ by, a fraction."""
        return float(self.high.mean() - self.low.mean())

    @property
    def share(self) -> float:
        """The share of the gap that the teacher closes: 0 at the lower yardstick, 1 at the upper; may lie outside."""
        return float((self.own.mean() - self.low.mean()) / self.gap) if self.gap else float("nan")

    def resampled(self, rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
        """The share in ``resamples`` samples of seeds (each side's by itself) and of instances (the same for all)."""
        instances = self.own.shape[1]
        counts = rng.multinomial(instances, [1 / instances] * instances, size=resamples) / instances
        own, low, high = (_resampled_means(part, counts, rng) for part in (self.own, self.low, self.high))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((own - low) / (high - low))


def share_of_gap(contest: Contest, resamples: int = _RESAMPLES, seed: int = 0) -> Estimate:
    """The share of the gap that a teacher closes, with a bootstrap interval over seeds and instances at once.

    Teacher and both yardsticks are resampled, so that the interval of the ratio knows how uncertain its ends are. There
    is none where a sample has no gap.
    """
    found = contest.resampled(np.random.default_rng(seed), resamples)
    return Estimate(contest.share, _percentiles(found))


def overall_share(contests: Mapping[str, Contest], resamples: int = _RESAMPLES, seed: int = 0) -> Estimate:
    """The interquartile mean of the shares of all runs over all challenges, after rliable (Agarwal et al. 2021).

    The bootstrap is stratified: within each challenge seeds are resampled, those of the yardsticks as well, and beyond
    rliable the instances, which all sides of a challenge share. There is no interval where a sample has no gap.
    """
    if not contests:
        raise ConfigurationError("There is no challenge to take a mean over.")
    rng = np.random.default_rng(seed)
    value = interquartile_mean(
        np.concatenate([(one.own.mean(1) - one.low.mean()) / one.gap for one in contests.values()])
    )
    columns = []
    for one in contests.values():
        instances = one.own.shape[1]
        counts = rng.multinomial(instances, [1 / instances] * instances, size=resamples) / instances
        low, high = (_resampled_means(part, counts, rng) for part in (one.low, one.high))
        by_seed = counts @ one.own.T  # (resamples, seeds)
        picked = np.take_along_axis(by_seed, rng.integers(len(one.own), size=by_seed.shape), axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns.append((picked - low[:, None]) / (high - low)[:, None])
    return Estimate(value, _percentiles(interquartile_mean(np.concatenate(columns, axis=1), axis=1)))


def interquartile_mean(values: NDArray[np.float64], axis: int = -1) -> Any:
    """The mean of the middle half; with fewer than four values, of all."""
    ordered = np.sort(values, axis=axis)
    n = ordered.shape[axis]
    cut = n // 4
    return np.take(ordered, range(cut, n - cut), axis=axis).mean(axis=axis)


class Discrimination(NamedTuple):
    """What a table of teachers over seeds can tell apart (definitions: docs/suite.md).

    Args:
        signal: Range of the teachers' means, in points.
        noise: Standard deviation of a run about its teacher's mean, in points.
        snr: Their ratio.
        reliability: Share of the variance of published means that is not noise.
        agreement: Share of pairs of teachers that two tables of as many other seeds are expected to order alike.
    """

    signal: float
    noise: float
    snr: float
    reliability: float
    agreement: float


def discrimination(accuracies: Mapping[str, Sequence[float]]) -> Discrimination:
    """Signal, noise and reliability of teachers by the accuracies of their runs (fractions, one for each seed).

    Raises:
        ConfigurationError: There are fewer than two teachers, or one with a single seed.
    """
    rows = [np.asarray(values, dtype=np.float64) for values in accuracies.values()]
    if len(rows) < 2 or min(len(row) for row in rows) < 2:
        raise ConfigurationError("To tell teachers apart, there must be two of them, on two seeds each at least.")
    means = np.array([row.mean() for row in rows])
    variance = pooled_deviation(rows) ** 2
    between = float(means.var(ddof=1))
    of_mean = variance / float(np.mean([len(row) for row in rows]))
    reliability = max(0.0, (between - of_mean) / between) if between else 0.0
    signal, noise = 100 * float(np.ptp(means)), 100 * variance**0.5
    agreement = 0.5 + float(np.arcsin(reliability)) / np.pi
    return Discrimination(signal, noise, signal / noise if noise else float("inf"), reliability, agreement)


def pooled_deviation(rows: Sequence[Sequence[float] | NDArray[np.float64]]) -> float:
    """The standard deviation of values about the mean of their row; rows of one value say nothing, NaN without any."""
    known = [np.asarray(row, dtype=np.float64) for row in rows if len(row) > 1]
    freedom = sum(len(row) - 1 for row in known)
    return float(np.sqrt(sum(((row - row.mean()) ** 2).sum() for row in known) / freedom)) if freedom else float("nan")


def observed_agreement(
    one: Mapping[str, float], other: Mapping[str, float], among: Collection[tuple[str, str]] | None = None
) -> float:
    """The share of pairs of teachers that two sets of seeds order alike, by mean accuracy; a tie counts half.

    ``among`` are the pairs that count, each in alphabetical order; None takes all.
    """
    pairs = list(combinations(sorted(set(one) & set(other)), 2)) if among is None else list(among)
    if not pairs:
        raise ConfigurationError("Two teachers at least must be in both sets of seeds.")
    signs = [np.sign(one[a] - one[b]) * np.sign(other[a] - other[b]) for a, b in pairs]
    return float(np.mean([(1 + sign) / 2 for sign in signs]))


def seeds_needed(points: float, noise: float, power: float = 0.8, level: float = 0.05) -> int:
    """Seeds after which a paired difference of so many points shows with this power (two-sided t, noncentral).

    ``noise`` is the standard deviation of a difference on one seed, in points.
    """
    from scipy import stats

    if not 0 < points < float("inf") or not 0 <= noise < float("inf"):
        raise ConfigurationError(f"A plan needs a difference above 0 points and its noise, got {points} and {noise}.")
    for seeds in range(2, 10_000):
        critical = stats.t.ppf(1 - level / 2, seeds - 1)
        shift = points / noise * seeds**0.5 if noise else float("inf")
        reached = 1.0 if not noise else stats.nct.sf(critical, seeds - 1, shift)
        if reached >= power:
            return seeds
    return 10_000


def _resampled_means(scores: Scores, counts: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The mean over drawn seeds and over instances with these counts, for each row of counts."""
    seeds = len(scores)
    drawn = rng.multinomial(seeds, [1 / seeds] * seeds, size=len(counts)) / seeds
    return np.asarray(np.einsum("bs,bi,si->b", drawn, counts, scores, optimize=True))


def _percentiles(values: NDArray[np.float64]) -> Interval | None:
    if not np.isfinite(values).all():
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
