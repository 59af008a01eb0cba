"""Statistics of accuracies and gains: intervals, tests, what an experiment can detect, and honest best steps."""

from environments.statistics.comparisons import gain_of_proportions, holm, mcnemar
from environments.statistics.intervals import (
    Gain,
    Interval,
    accuracy_interval,
    clustered_gain,
    gain_by_instance,
    paired_by_seed,
    paired_gain,
    proportion_interval,
)
from environments.statistics.power import minimum_detectable_effect
from environments.statistics.selection import BestStep, best_of_steps

__all__ = [
    "BestStep",
    "Gain",
    "Interval",
    "accuracy_interval",
    "best_of_steps",
    "clustered_gain",
    "gain_by_instance",
    "gain_of_proportions",
    "holm",
    "mcnemar",
    "minimum_detectable_effect",
    "paired_by_seed",
    "paired_gain",
    "proportion_interval",
]
