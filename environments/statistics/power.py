"""What an experiment of a given size can detect, before it is run or when it found nothing."""

from tasks.errors import check_range


def minimum_detectable_effect(
    n: int,
    accuracy: float = 0.2,
    discordant: float | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
) -> float:
    """The smallest true gain, in points, that a two-sided test finds with the given power.

    Unpaired, two independent samples of n instances at this accuracy are compared: the standard error of the
    difference is ``sqrt(2 p (1 - p) / n)``. Paired, only instances whose score changed count: it is
    ``sqrt(discordant / n)``, with the variance under "no difference", which errs on the large side by less than
    a tenth of a point from 400 instances on.

    Args:
        n: Instances in each evaluation.
        accuracy: Expected accuracy, for the unpaired comparison.
        discordant: Share of instances whose 0/1 score differs between the two evaluations, for the paired one; None
            for the unpaired comparison.
        power: Chance of finding the gain if it is real.
        confidence: One minus the level of the test.
    """
    from scipy import stats

    check_range("minimum_detectable_effect", n=n)
    check_range("minimum_detectable_effect", 0, 1, accuracy=accuracy, discordant=discordant)
    check_range("minimum_detectable_effect", 0, 1, open_ends=True, power=power, confidence=confidence)
    variance = 2 * accuracy * (1 - accuracy) if discordant is None else discordant
    reach = float(stats.norm.ppf(1 - (1 - confidence) / 2) + stats.norm.ppf(power))
    return float(100 * reach * (variance / n) ** 0.5)
