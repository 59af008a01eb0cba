"""Rows of a table over their seeds: accuracies, gains with intervals by instance and by seed, and what they can detect.

A row is one teacher in one setting; its runs differ in the seed alone and answer the same instances. Two kinds of
intervals say two things: *by instance* (scores averaged over the seeds, then compared instance by instance, groups of
instances kept whole) says how the result would change with other questions; *by seed* (one difference for each seed,
Student's t) says how it would change with other seeds, and is wide with three of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dataenvgym.reading.finished_run import FinishedRun, read_finished
from dataenvgym.studies.grid import Results
from environments.statistics import (
    BestStep,
    Gain,
    best_of_steps,
    gain_by_instance,
    minimum_detectable_effect,
    paired_by_seed,
)
from tasks.types import Split

When = Literal["before", "last", "best"]


@dataclass(frozen=True)
class Row:
    """One teacher in one setting.

    Args:
        name: The name of its cells.
        runs: Its finished runs by seed.
    """

    name: str
    runs: Mapping[int, FinishedRun]

    @property
    def seeds(self) -> list[int]:
        """Its seeds, in order."""
        return sorted(self.runs)

    def accuracies(self, when: When = "last", split: Split = "test", seeds: Sequence[int] | None = None) -> list[float]:
        """Accuracy (a fraction) of each seed.

        Args:
            when: Before, after the last step, or after the best one on validation.
            split: ``val`` or ``test``.
            seeds: Of these seeds only.
        """
        return [
            self.runs[seed].accuracy(_step(self.runs[seed], when), split)
            for seed in (self.seeds if seeds is None else seeds)
        ]

    def accuracy(self, when: When = "last", split: Split = "test") -> float:
        """Mean accuracy over the seeds, a fraction."""
        return float(np.mean(self.accuracies(when, split)))

    def scores(self, when: When = "last", split: Split = "test", seeds: Sequence[int] | None = None) -> list[float]:
        """Score of every instance, averaged over the seeds."""
        chosen = self.seeds if seeds is None else seeds
        return [
            float(v) for v in np.mean([self.runs[s].scores[_step(self.runs[s], when)][split] for s in chosen], axis=0)
        ]

    def gain(self, when: When = "last") -> Comparison:
        """What the test accuracy rose by since before teaching."""
        return compare(self, self, when, "before")

    def best(self) -> list[BestStep]:
        """For each seed the best step on validation, with the optimism of the choice taken out."""
        return [
            best_of_steps(
                {step: by_split["val"] for step, by_split in run.scores.items()}, clusters=run.clusters.get("val")
            )
            for run in (self.runs[seed] for seed in self.seeds)
        ]


@dataclass(frozen=True)
class Comparison:
    """One row against another (or against itself before teaching) on test, over the seeds that both have.

    Args:
        by_instance: Interval over instances.
        by_seed: Interval over seeds; without an interval if there is one seed.
        detectable: The smallest true difference, in points, that this many instances which differ as these do would
            show in four of five cases.
        seeds: The seeds that both have.
        won: Seeds on which the first row is ahead.
    """

    by_instance: Gain
    by_seed: Gain
    detectable: float
    seeds: tuple[int, ...]
    won: int

    @property
    def points(self) -> float:
        """The difference, in points."""
        return self.by_instance.points


def read_rows(results: Results, out: Path) -> dict[str, Row]:
    """The rows of a finished grid, by name.

    Args:
        results: What came of it.
        out: Folder of its run directories.
    """
    runs: dict[str, dict[int, FinishedRun]] = {}
    for name, seed in sorted(results.summaries):
        runs.setdefault(name, {})[seed] = read_finished(out / f"{name}-seed{seed}")
    return {name: Row(name, by_seed) for name, by_seed in runs.items()}


def compare(row: Row, other: Row, when: When = "last", other_when: When | None = None) -> Comparison:
    """One row minus another on the test split.

    Args:
        row: The row.
        other: What it is compared with.
        when: Which step of both.
        other_when: Which step of the other; as ``when`` if None.
    """
    seeds = sorted(set(row.runs) & set(other.runs))
    assert seeds, f"{row.name} and {other.name} have no seed in common"
    base_when = other_when or when
    own, base = row.scores(when, seeds=seeds), other.scores(base_when, seeds=seeds)
    clusters = row.runs[seeds[0]].clusters.get("test")
    pairs = list(zip(row.accuracies(when, seeds=seeds), other.accuracies(base_when, seeds=seeds), strict=True))
    return Comparison(
        gain_by_instance(base, own, clusters),
        paired_by_seed([a - b for a, b in pairs]),
        _detectable(np.asarray(own) - np.asarray(base), clusters),
        tuple(seeds),
        sum(a > b for a, b in pairs),
    )


def _detectable(differences: np.ndarray, clusters: Sequence[str] | None) -> float:
    """In points; groups count as the units if instances come in groups."""
    if clusters is not None:
        _, places = np.unique(clusters, return_inverse=True)
        differences = np.bincount(places, weights=differences) / np.bincount(places)
    return minimum_detectable_effect(len(differences), discordant=float(np.mean(differences**2)))


def _step(run: FinishedRun, when: When) -> int:
    return {"before": 0, "last": run.last, "best": run.best}[when]
