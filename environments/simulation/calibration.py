"""What a bank of fits says of runs besides their mean: noise, how instances keep their scores, likelihoods."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from environments.simulation.bank import Fit
from environments.simulation.law import StaticLaw, allocation_key, arrays_of, logit
from tasks.types import Split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def replicates(fits: Sequence[Fit]) -> list[list[Fit]]:
    """The fits of one allocation and several seeds, a list for each allocation."""
    groups: dict[tuple[tuple[str, int], ...], list[Fit]] = {}
    for fit in fits:
        groups.setdefault(allocation_key(fit.allocation), []).append(fit)
    return [group for group in groups.values() if len(group) > 1]


def persistence(fits: Sequence[Fit], skills: Sequence[str]) -> float:
    """Correlation of an instance's score, 0 or 1, between two fits of one allocation, over all skills, in [0, 1].

    Within a skill, so that what skills differ by does not count; where skills are always or never right, there is
    nothing to correlate. Two fits of accuracies a and b can agree no more than in the smaller one's instances: the
    covariance is taken as a share of min(a, b) - a b.
    """
    import numpy as np

    shared = most = 0.0
    for group in replicates(fits):
        for skill in skills:
            scores = np.array([[*fit.scores["val"][skill], *fit.scores["test"][skill]] for fit in group])
            means = scores.mean(1)
            chance = np.outer(means, means)
            pairs = ~np.eye(len(scores), dtype=bool)
            weight = scores.shape[1] / (len(scores) - 1)  # of a group's pairs, not more than of its fits
            shared += weight * float((scores @ scores.T / scores.shape[1] - chance)[pairs].sum())
            most += weight * float((np.minimum.outer(means, means) - chance)[pairs].sum())
    return float(np.clip(shared / most, 0, 1)) if most else 0.0


def run_noise(fits: Sequence[Fit], skills: Sequence[str], persisting: float) -> tuple[float, float]:
    """Standard deviations of a skill's logit between runs: of each skill by itself, and of what all share.

    From replicates alone, by moments: the variance of a skill's accuracy beyond what its instances account for, over
    the square of a logit's slope; the covariance of skills likewise.
    """
    import numpy as np

    own = shared = own_slopes = shared_slopes = 0.0
    for group in replicates(fits):
        _, accuracies = arrays_of(group, skills)
        mean = accuracies.mean(0)
        sizes = np.array([len(group[0].scores["val"][one]) + len(group[0].scores["test"][one]) for one in skills])
        slopes = mean * (1 - mean)
        off = accuracies - mean
        covariance = off.T @ off / (len(group) - 1)
        weight = len(group) - 1
        own += weight * float((covariance.diagonal() - slopes * (1 - persisting) / sizes).sum())
        own_slopes += weight * float((slopes**2).sum())
        outside = ~np.eye(len(skills), dtype=bool)
        shared += weight * float(covariance[outside].sum())
        shared_slopes += weight * float(np.outer(slopes, slopes)[outside].sum())
    common = max(0.0, shared / shared_slopes) if shared_slopes else 0.0
    whole = max(0.0, own / own_slopes) if own_slopes else 0.0
    return float(np.sqrt(max(0.0, whole - common))), float(np.sqrt(common))


def likelihood_link(fits: Sequence[Fit], law: StaticLaw) -> "NDArray[np.float64]":
    """Intercept and slope by skill, of shape (2, skills), of a mean likelihood's logit on that of the accuracy.

    The accuracy is the law's: a measured one has the noise of few instances, which would flatten the slope. Least
    squares with a ridge towards the slope of all skills together, since a skill that never moves has none.
    """
    import numpy as np

    counts, _ = arrays_of(fits, law.skills)
    splits: tuple[Split, Split] = ("val", "test")
    sizes = [len(fits[0].scores[split][law.skills[0]]) for split in splits]
    measured = np.array(
        [
            [np.average([fit.likelihoods[split][one] for split in splits], weights=sizes) for one in law.skills]
            for fit in fits
        ]
    )
    x, y = logit(law.accuracy(counts)[0]), logit(measured)
    centred = x - x.mean(0)
    slope_of_all = (centred * (y - y.mean(0))).sum() / max((centred**2).sum(), 1e-9)
    ridge = 1.0
    slopes = ((centred * (y - y.mean(0))).sum(0) + ridge * slope_of_all) / ((centred**2).sum(0) + ridge)
    return np.array([y.mean(0) - slopes * x.mean(0), slopes])


def resampled_weights(fits: Sequence[Fit], members: int, seed: int) -> "NDArray[np.float64]":
    """How much each fit counts in each law, of shape (members, fits).

    All count alike in the first law; the others are of allocations drawn with replacement, with all their replicates.
    The untrained student is in all.
    """
    import numpy as np

    groups = [allocation_key(fit.allocation) for fit in fits]
    distinct, rng = sorted(set(groups)), np.random.default_rng(seed)
    place = {group: index for index, group in enumerate(distinct)}
    drawn = rng.multinomial(len(distinct), [1 / len(distinct)] * len(distinct), size=members - 1)
    weights = np.vstack([np.ones(len(distinct)), drawn])[:, [place[group] for group in groups]].astype(np.float64)
    weights[:, [not group for group in groups]] = 1.0
    return np.asarray(weights)
