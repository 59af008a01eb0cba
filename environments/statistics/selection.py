"""The best of several steps, with the optimism of having chosen it taken out."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from tasks.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class BestStep:
    """The step of the highest validation accuracy; accuracies are fractions.

    Args:
        step: Its number; the earliest of equals.
        naive: Its accuracy on the validation instances that chose it: too high, since what was chosen for being high
            is partly luck.
        corrected: What such a choice is worth on instances that took no part in it.
    """

    step: int
    naive: float
    corrected: float

    @property
    def optimism(self) -> float:
        """What the choice added to the naive accuracy, in points."""
        return 100 * (self.naive - self.corrected)


def best_of_steps(
    val: Mapping[int, Sequence[float]],
    clusters: Sequence[Hashable] | None = None,
    splits: int = 500,
    seed: int = 0,
) -> BestStep:
    """Chooses the best step on validation, and says what it is worth with the optimism of the choice taken out.

    The corrected accuracy is held out: the validation instances are split into two halves at random, the step is
    chosen on one half and measured on the other, both ways, over many splits. A choice on half of the instances is a
    little worse than one on all, so that the corrected number errs, if at all, on the low side.

    Args:
        val: By step, the validation score of every instance, in the same order in every step.
        clusters: The group of each validation instance, if they come in groups: a group stays whole.
        splits: How many random splits are averaged.
        seed: Seed of the splits.

    Raises:
        ConfigurationError: There is no step or fewer than two instances (groups), or steps differ in their number.
    """
    import numpy as np

    steps = sorted(val)
    sizes = {len(val[step]) for step in steps}
    if len(sizes) != 1:
        raise ConfigurationError(
            f"The best step needs scores of the same instances in every step, got {sorted(sizes) or 'no step'}."
        )
    scores = np.asarray([val[step] for step in steps], dtype=np.float64)
    groups = list(range(scores.shape[1]) if clusters is None else clusters)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if len(groups) != scores.shape[1] or len(numbers) < 2:
        raise ConfigurationError(
            f"The best step needs a group for each instance and two groups or more, got {len(numbers)} groups of "
            f"{len(groups)} instances and {scores.shape[1]} scores."
        )
    of = np.asarray([numbers[group] for group in groups])
    rng = np.random.default_rng(seed)
    total = scores.sum(axis=1)
    overall = total / scores.shape[1]
    best = int(overall.argmax())  # the first of equals, as in the summary
    found = []
    for _ in range(splits if len(steps) > 1 else 0):
        chosen = (rng.permutation(len(numbers)) < len(numbers) // 2)[of]
        kept, size = (scores * chosen).sum(axis=1), int(chosen.sum())
        means = kept / size, (total - kept) / (len(of) - size)
        found += [means[1][means[0].argmax()], means[0][means[1].argmax()]]
    return BestStep(
        step=steps[best],
        naive=float(overall[best]),
        corrected=float(np.mean(found)) if found else float(overall[best]),  # a single step is no choice
    )
