"""A teacher over its seeds: accuracies, gains, differences from other teachers, and what these can detect.

The runs of one teacher in one setting differ in the seed alone and answer the same instances. An interval *by instance*
(scores averaged over the seeds, then compared instance by instance, groups kept whole) says how the result would change
with other questions; one *by seed* (one difference for each seed, Student's t) how it would change with other seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from dataenvgym.reading.run import Run
from environments.statistics import (
    BestStep,
    Gain,
    best_of_steps,
    gain_by_instance,
    holm,
    minimum_detectable_effect,
    paired_by_seed,
)
from tasks.types import Split

When = Literal["before", "last", "best"]


@dataclass(frozen=True)
class TeacherRuns:
    """The finished runs of one teacher in one setting, by seed."""

    name: str
    runs: Mapping[int, Run]

    @property
    def seeds(self) -> list[int]:
        """Its seeds, in order."""
        return sorted(self.runs)

    def accuracies(self, when: When = "last", split: Split = "test", seeds: Sequence[int] | None = None) -> list[float]:
        """Accuracy of each seed, a fraction; ``best`` is the step that is best on validation, whatever the split."""
        runs = [self.runs[seed] for seed in (self.seeds if seeds is None else seeds)]
        return [run.accuracy(_step(run, when), split) for run in runs]

    def accuracy(self, when: When = "last", split: Split = "test") -> float:
        """Mean accuracy over the seeds, a fraction."""
        return float(np.mean(self.accuracies(when, split)))

    def gain(self, when: When = "last") -> Difference:
        """The change of test accuracy since before teaching."""
        return Difference(self, self, when, "before")

    def minus(self, other: TeacherRuns, when: When = "last") -> Difference:
        """The test accuracy minus that of another, over the seeds that both have."""
        return Difference(self, other, when, when)

    def best(self) -> list[BestStep]:
        """For each seed the best step on validation, with the optimism of the choice taken out."""
        return [
            best_of_steps(
                {step: by_split["val"] for step, by_split in run.scores.items()}, clusters=run.clusters.get("val")
            )
            for run in (self.runs[seed] for seed in self.seeds)
        ]


@dataclass(frozen=True)
class Difference:
    """One teacher (``own``, at ``when``) minus another or itself (``base``, at ``base_when``) on test.

    It is over the seeds that both have, and each number is computed when it is asked for.
    """

    own: TeacherRuns
    base: TeacherRuns
    when: When
    base_when: When

    def __post_init__(self) -> None:
        """Checks that the two have seeds in common."""
        assert self.seeds, f"{self.own.name} and {self.base.name} have no seed in common"

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds that both have."""
        return sorted(set(self.own.runs) & set(self.base.runs))

    @cached_property
    def by_instance(self) -> Gain:
        """The difference with an interval over instances."""
        return gain_by_instance(*self._scores, self._clusters)

    @cached_property
    def by_seed(self) -> Gain:
        """The difference with an interval over seeds, if there are several."""
        return paired_by_seed([own - base for own, base in self._accuracies])

    @property
    def headline(self) -> Gain:
        """By seed where there are several, by instance where there is one."""
        return self.by_seed if len(self.seeds) > 1 else self.by_instance

    @property
    def points(self) -> float:
        """The difference, in points."""
        return self.by_instance.points

    @cached_property
    def detectable(self) -> float:
        """The smallest true difference, in points, that would show in four of five cases.

        That is with as many instances that differ as these do; groups count as the units if instances come in groups.
        """
        base, own = self._scores
        differences = np.asarray(own) - np.asarray(base)
        if self._clusters is not None:
            _, places = np.unique(self._clusters, return_inverse=True)
            differences = np.bincount(places, weights=differences) / np.bincount(places)
        return minimum_detectable_effect(len(differences), discordant=float(np.mean(differences**2)))

    @property
    def won(self) -> int:
        """On how many seeds the teacher is ahead."""
        return sum(own > base for own, base in self._accuracies)

    @property
    def _accuracies(self) -> list[tuple[float, float]]:
        own = self.own.accuracies(self.when, seeds=self.seeds)
        return list(zip(own, self.base.accuracies(self.base_when, seeds=self.seeds), strict=True))

    @cached_property
    def _scores(self) -> tuple[list[float], list[float]]:
        """The base's score of every instance, averaged over the seeds, and the teacher's."""
        base, own = (
            np.mean([one.runs[seed].scores[_step(one.runs[seed], when)]["test"] for seed in self.seeds], axis=0)
            for one, when in ((self.base, self.base_when), (self.own, self.when))
        )
        return base.tolist(), own.tolist()

    @property
    def _clusters(self) -> list[str] | None:
        return self.own.runs[self.seeds[0]].clusters.get("test")


def p_values(differences: Iterable[Difference]) -> list[float | None]:
    """Holm's adjusted p-values of a table's differences, by instance."""
    return holm([difference.by_instance.p_value for difference in differences])


def _step(run: Run, when: When) -> int:
    if when == "before":
        return 0
    return run.last_step if when == "last" else run.best_step
