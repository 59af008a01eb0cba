"""What a bank of fits says of runs besides their mean: noise between runs, stubborn instances, likelihoods."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from environments.simulation.bank import Fit
from environments.simulation.law import StaticLaw, arrays_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def replicates(fits: Sequence[Fit]) -> list[list[Fit]]:
    """The fits of one allocation and several seeds, a list for each allocation."""
    groups: dict[tuple[tuple[str, int], ...], list[Fit]] = {}
    for fit in fits:
        groups.setdefault(tuple(sorted(fit.allocation.items())), []).append(fit)
    return [group for group in groups.values() if len(group) > 1]


def persistence(fits: Sequence[Fit], skills: Sequence[str]) -> float:
    """Correlation of an instance's score between two fits of one allocation, over all skills, in [0, 1].

    Within a skill, so that what skills differ by does not count; where skills are always or never right, there is
    nothing to correlate.
    """
    import numpy as np

    shared = spread = 0.0
    for group in replicates(fits):
        for skill in skills:
            scores = np.array([[*fit.scores["val"][skill], *fit.scores["test"][skill]] for fit in group])
            runs = len(scores)
            rate = scores.mean(0)  # of each instance
            # The mean over pairs of runs of the product of an instance's scores, and what it were by chance.
            pairs = (scores.sum(0) ** 2 - (scores**2).sum(0)) / (runs * (runs - 1))
            means = scores.mean(1)
            chance = (means.sum() ** 2 - (means**2).sum()) / (runs * (runs - 1))
            shared += float(pairs.mean() - chance) * len(rate)
            spread += float((means * (1 - means)).mean()) * len(rate)
    return float(np.clip(shared / spread, 0, 1)) if spread else 0.0


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


def likelihood_link(fits: Sequence[Fit], skills: Sequence[str]) -> "NDArray[np.float64]":
    """Intercept and slope by skill, of shape (2, skills), of a mean likelihood's logit on that of the accuracy.

    Least squares with a ridge towards the slope of all skills together, since a skill that never moves has none.
    """
    import numpy as np

    _, accuracies = arrays_of(fits, skills)
    measured = np.array(
        [[np.mean([fit.likelihoods[split][one] for split in ("val", "test")]) for one in skills] for fit in fits]
    )

    def logit(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        inside = values.clip(0.002, 0.998)
        return np.asarray(np.log(inside / (1 - inside)))

    x, y = logit(accuracies), logit(measured)
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

    groups = [tuple(sorted(fit.allocation.items())) for fit in fits]
    distinct, rng = sorted(set(groups)), np.random.default_rng(seed)
    place = {group: index for index, group in enumerate(distinct)}
    drawn = rng.multinomial(len(distinct), [1 / len(distinct)] * len(distinct), size=members - 1)
    weights = np.vstack([np.ones(len(distinct)), drawn])[:, [place[group] for group in groups]].astype(np.float64)
    weights[:, [not group for group in groups]] = 1.0
    return np.asarray(weights)


def agreement(law: StaticLaw, fits: Sequence[Fit]) -> float:
    """Root mean square error of the first law's accuracies by skill."""
    import numpy as np

    counts, accuracies = arrays_of(fits, law.skills)
    return float(np.sqrt(np.mean((law.accuracy(counts)[0] - accuracies) ** 2)))
