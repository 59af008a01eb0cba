"""Intervals and p-values beside every score: of an accuracy, and of a gain paired by instance, group or seed."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Interval = tuple[float, float]

# Sign flips per block: bounds the memory of the permutation test, not its result.
_BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class Gain:
    """A paired difference, "after" minus "before".

    Args:
        points: Mean difference in points (hundredths of accuracy).
        ci95: Its 95 % interval in points; None from a single pair, which says nothing about spread.
        p_value: Two-sided, for "no difference"; None from a single pair.
    """

    points: float
    ci95: Interval | None
    p_value: float | None


def paired_gain(before: Sequence[float], after: Sequence[float], seed: int = 0, resamples: int = 9_999) -> Gain:
    """The gain between two evaluations of the same instances, in the same order; scores are in [0, 1].

    The interval is a bootstrap over instances (BCa; percentile where BCa is undefined). The p-value flips the sign
    of each difference: exactly where all changed scores changed by the same amount, as 0/1 scores do, else by
    as many random flips as there are resamples.
    """
    differences = _differences(before, after)
    points = 100 * float(differences.mean())
    if differences.size == 1:
        return Gain(points, None, None)
    low, high = _bootstrap_mean(differences, seed, resamples)
    return Gain(points, (100 * low, 100 * high), _sign_flip_p(differences, seed, resamples))


def clustered_gain(before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable]) -> Gain:
    """The gain between two evaluations of instances that come in groups, e.g. four questions about two images.

    Instances of a group rise and fall together, so that treating them as independent makes intervals too narrow. The
    interval is Student's t with the cluster-robust standard error (CR1) and one degree of freedom less than groups
    (Cameron and Miller, 2015, "A practitioner's guide to cluster-robust inference").
    """
    import numpy as np
    from scipy import stats

    differences = _differences(before, after)
    of, groups = _numbered(clusters, differences.size)
    mean = float(differences.mean())
    if groups == 1:
        return Gain(100 * mean, None, None)
    error = _cluster_error(differences, of, groups)
    if error <= 1e-12:
        totals = np.bincount(of, weights=differences, minlength=groups).astype(np.float64)
        return Gain(100 * mean, (100 * mean, 100 * mean), _sign_flip_p(totals, seed=0, resamples=9_999))
    reach = float(stats.t.ppf(0.975, groups - 1)) * error
    p_value = 2 * float(stats.t.sf(abs(mean) / error, groups - 1))
    return Gain(100 * mean, (100 * (mean - reach), 100 * (mean + reach)), p_value)


def gain_by_instance(
    before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> Gain:
    """``clustered_gain`` where instances come in groups, ``paired_gain`` where they do not (``clusters`` is None)."""
    return paired_gain(before, after) if clusters is None else clustered_gain(before, after, clusters)


def paired_by_seed(differences: Sequence[float]) -> Gain:
    """The mean of one difference of accuracies (fractions, not points) per seed, with Student's t interval."""
    import numpy as np
    from scipy import stats

    values = np.asarray(differences, dtype=np.float64)
    if values.size == 0:
        raise ConfigurationError("A comparison by seed needs at least one seed, got none.")
    points = 100 * float(values.mean())
    if values.size == 1:
        return Gain(points, None, None)
    if _all_equal(values):
        # Student's t is undefined without spread; flipping signs still says how surprising n equal signs are.
        return Gain(points, (points, points), _sign_flip_p(values, seed=0, resamples=9_999))
    result = stats.ttest_1samp(values, 0.0)
    low, high = result.confidence_interval(0.95)
    return Gain(points, (100 * float(low), 100 * float(high)), float(result.pvalue))


def accuracy_interval(
    scores: Sequence[float], seed: int = 0, clusters: Sequence[Hashable] | None = None
) -> Interval | None:
    """The 95 % interval of a mean score: Wilson's for 0/1 scores, a bootstrap over instances otherwise.

    Where instances come in groups: for 0/1 scores Wilson's of the effective number of instances, that with which
    independent instances would have the cluster-robust standard error (CR1) found, never more than there are (Korn and
    Graubard, 1998, with Wilson's interval in place of the exact one); otherwise Student's t with that standard error.

    Returns:
        Lower and upper end, fractions in [0, 1]; None without scores, from a single graded one, or from a single group.
    """
    import numpy as np

    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        return None
    if clusters is not None:
        return _clustered_interval(values, clusters)
    if bool(np.isin(values, (0.0, 1.0)).all()):
        return proportion_interval(int(values.sum()), values.size)
    if values.size == 1:
        return None
    low, high = _bootstrap_mean(values, seed, resamples=9_999)
    return max(0.0, low), min(1.0, high)


def proportion_interval(successes: int, n: int) -> Interval | None:
    """Wilson's 95 % interval of a proportion, fractions in [0, 1]; None if n is 0."""
    if n == 0:
        return None
    from scipy import stats

    interval = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return max(0.0, float(interval.low)), min(1.0, float(interval.high))


def wilson_interval(accuracy: float, n: float) -> Interval:
    """Wilson's 95 % interval of a fraction in [0, 1], also where successes or trials are no whole number."""
    from scipy import stats

    z2 = float(stats.norm.ppf(0.975)) ** 2
    centre = (accuracy + z2 / (2 * n)) / (1 + z2 / n)
    reach = (z2 * (accuracy * (1 - accuracy) / n + z2 / (4 * n**2))) ** 0.5 / (1 + z2 / n)
    return centre - reach, centre + reach


def _differences(before: Sequence[float], after: Sequence[float]) -> Floats:
    import numpy as np

    if len(before) != len(after):
        raise ConfigurationError(
            f"A paired gain needs the same instances before and after, got {len(before)} and {len(after)} scores."
        )
    if not len(before):
        raise ConfigurationError("A paired gain needs at least one instance, got none: evaluate a non-empty split.")
    return np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)


def _numbered(clusters: Sequence[Hashable], n: int) -> tuple[list[int], int]:
    if len(clusters) != n:
        raise ConfigurationError(
            f"A clustered interval needs the group of every instance, got {len(clusters)} groups and {n} scores."
        )
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(cluster, len(numbers)) for cluster in clusters], len(numbers)


def _cluster_error(values: Floats, of: Sequence[int], groups: int) -> float:
    """The cluster-robust standard error (CR1) of the mean of values in at least two groups."""
    import numpy as np

    sums = np.bincount(of, weights=values - values.mean(), minlength=groups)
    return float(np.sqrt(groups / (groups - 1) * (sums**2).sum())) / values.size


def _clustered_interval(values: Floats, clusters: Sequence[Hashable]) -> Interval | None:
    import numpy as np
    from scipy import stats

    of, groups = _numbered(clusters, values.size)
    if groups == 1:
        return None
    mean, error = float(values.mean()), _cluster_error(values, of, groups)
    t = float(stats.t.ppf(0.975, groups - 1))
    if not bool(np.isin(values, (0.0, 1.0)).all()):
        return max(0.0, mean - t * error), min(1.0, mean + t * error)
    if mean in (0.0, 1.0):
        effective = float(groups)  # nothing says how similar a group's instances are: each group counts once
    else:
        effective = values.size / max(1.0, values.size * error**2 / (mean * (1 - mean)))
    low, high = wilson_interval(mean, effective * (float(stats.norm.ppf(0.975)) / t) ** 2)
    return max(0.0, low), min(1.0, high)


def _all_equal(values: Floats) -> bool:
    return float(values.max() - values.min()) <= 1e-12


def _bootstrap_mean(values: Floats, seed: int, resamples: int) -> Interval:
    """The 95 % bootstrap interval of the mean of at least two values; zero-width if all are equal."""
    import numpy as np
    from scipy import stats

    if _all_equal(values):
        return float(values.mean()), float(values.mean())
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            # scipy warns where BCa is undefined and returns NaN; that case is handled by the next method.
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            interval = stats.bootstrap(
                (values,),
                np.mean,
                n_resamples=resamples,
                method=method,
                batch=_BLOCK,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        if np.isfinite([interval.low, interval.high]).all():
            break
    return float(interval.low), float(interval.high)


def _sign_flip_p(differences: Floats, seed: int, resamples: int) -> float:
    """The two-sided p-value of the mean difference when each difference's sign is a fair coin."""
    import numpy as np
    from scipy import stats

    changed = differences[np.abs(differences) > 1e-12]
    if changed.size == 0:
        return 1.0
    if _all_equal(np.abs(changed)):
        # The sum of flipped signs is binomial, so the permutation test is exact (McNemar's).
        return float(stats.binomtest(int((changed > 0).sum()), changed.size, 0.5).pvalue)
    observed = abs(float(changed.sum())) - 1e-9  # sums of floats in another order differ in the last digits
    rng = np.random.default_rng(seed)
    extreme, left = 0, resamples
    while left:
        block = min(_BLOCK, left)
        signs = rng.integers(0, 2, size=(block, changed.size), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ changed) >= observed).sum())
        left -= block
    return (extreme + 1) / (resamples + 1)  # the observed signs are one of the possible flips
