"""Tests beside the intervals: paired 0/1 scores, two published proportions, and many p-values at once."""

from collections.abc import Sequence

from environments.statistics.intervals import Gain, wilson_interval
from tasks.errors import ConfigurationError


def mcnemar(before: Sequence[float], after: Sequence[float], mid_p: bool = True) -> float:
    """McNemar's two-sided p-value for 0/1 scores of the same instances.

    Only instances whose score changed count; without a difference each is as likely to have been won as lost. The
    exact test, which ``paired_gain`` reports, is conservative; the mid-p version, which counts half of the observed
    outcome, keeps its level in all but tiny samples and finds more (Fagerland, Lydersen and Laake, 2013).
    """
    from scipy import stats

    if len(before) != len(after):
        raise ConfigurationError(
            f"McNemar's test needs the same instances before and after, got {len(before)} and {len(after)} scores."
        )
    graded = next((score for score in (*before, *after) if score not in (0, 1)), None)
    if graded is not None:
        raise ConfigurationError(f"McNemar's test is for scores of 0 and 1, found {graded}: use paired_gain().")
    won = sum(new > old for old, new in zip(before, after, strict=True))
    lost = sum(new < old for old, new in zip(before, after, strict=True))
    changed, fewer = won + lost, min(won, lost)
    tail = float(stats.binom.cdf(fewer, changed, 0.5))
    if mid_p:
        tail -= 0.5 * float(stats.binom.pmf(fewer, changed, 0.5))
    return min(1.0, 2 * tail)


def gain_of_proportions(before: float, after: float, n: int, n_after: int | None = None) -> Gain:
    """The gain between two accuracies in [0, 1] of which nothing but the numbers is known, as in a published table.

    Without the single scores nothing can be paired, so the two count as independent samples of n and ``n_after`` (None:
    n) instances; the same instances would have a narrower interval. The interval is Newcombe's (1998, method 10), from
    the two Wilson intervals; the p-value is that of the z test with the pooled proportion.
    """
    from scipy import stats

    m = n if n_after is None else n_after
    for accuracy in (before, after):
        if not 0 <= accuracy <= 1:
            raise ConfigurationError(
                f"An accuracy is a fraction between 0 and 1, got {accuracy}: divide percents by 100."
            )
    for size in (n, m):
        if size < 1:
            raise ConfigurationError(f"An accuracy of {size} instances says nothing: give at least 1.")
    (low, high), (low_after, high_after) = wilson_interval(before, n), wilson_interval(after, m)
    difference = after - before
    down = ((after - low_after) ** 2 + (high - before) ** 2) ** 0.5
    up = ((high_after - after) ** 2 + (before - low) ** 2) ** 0.5
    pooled = (before * n + after * m) / (n + m)
    error = (pooled * (1 - pooled) * (1 / n + 1 / m)) ** 0.5
    p_value = 2 * float(stats.norm.sf(abs(difference) / error)) if error else 1.0
    return Gain(100 * difference, (100 * (difference - down), 100 * (difference + up)), p_value)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values: compared with 0.05, they bound the chance of one or more false finds in the table.

    They are in the same order and at most 1 each; None, where there was no comparison, counts for nothing.
    """
    order = sorted((value, place) for place, value in enumerate(p_values) if value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (value, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * value))
        adjusted[place] = largest
    return adjusted
