"""The simulated twin of a run's student, and what a run fell short of the best that could have been taught.

A run has a twin if its task, student, replay, training and engine are those of a challenge whose law ships; what its
exam asks, its budget and its seeds may be others. The law then says which allocation of the run's records would have
done best on its exam: *regret* is that expected accuracy minus the run's own, on test. It may be negative, by noise.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from dataenvgym.reading.run import Run
from dataenvgym.suite.challenges import Challenge, challenges, world_of
from dataenvgym.suite.fits import built
from dataenvgym.suite.simulated import law_of


@dataclass(frozen=True)
class Regret:
    """What a run fell short of.

    Args:
        law: The law of its student.
        best: Expected test accuracy of the best allocation of as many records.
        achieved: The run's test accuracy after its last step.
    """

    law: str
    best: float
    achieved: float

    @property
    def points(self) -> float:
        """The regret in points."""
        return 100 * (self.best - self.achieved)


def regret_of(run: Run) -> Regret | None:
    """The regret of a run; None if no simulated twin of its student ships, or nothing was taught yet.

    Takes some seconds.
    """
    from environments.simulation.law_files import read_law

    records = sum(int(line.get("records") or 0) for line in run.steps)
    law = twin_of(run.config) if records else None
    if law is None:
        return None
    exam = Counter(str(row.get("skill")) for row in run.answers(run.last_step) if row["split"] == "test")
    if not exam or not set(exam) <= set(read_law(law).law.skills):
        return None
    return Regret(law, _best(law, tuple(sorted(exam.items())), records), run.accuracy(run.last_step))


@lru_cache(maxsize=256)
def _best(name: str, exam: tuple[tuple[str, int], ...], records: int) -> float:
    """The expected accuracy of the best allocation, by the mean of a law's members."""
    import numpy as np

    from environments.simulation import best_allocation
    from environments.simulation.law_files import read_law
    from environments.simulation.optimum import exam_accuracy

    law, weights = read_law(name).law, dict(exam)
    best = best_allocation(law, weights, records)
    counts = np.array([[best.get(skill, 0) for skill in law.skills]])
    return float(exam_accuracy(law.accuracy(counts), law.skills, weights).mean())


def twin_of(config: Mapping[str, Any]) -> str | None:
    """The law of a run's student, by the run's configuration; None if none ships."""
    if not (config.get("task") or {}).get("class_path"):
        return None
    own = _world(config)
    for one, law in _worlds_with_laws():
        # Composing a challenge takes a second: first a look at its file, whose settings the run has to share.
        if _within(_world(one.config), own) and _composed(one) == own:
            return law
    return None


@lru_cache(maxsize=1)
def _worlds_with_laws() -> list[tuple[Challenge, str]]:
    """A challenge of each world that a law ships of: to name a world, its student's files are hashed."""
    found = {one.world: (one, law) for one in challenges() if (law := law_of(one)) is not None}
    return list(found.values())


def _world(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a twin has to share: all but exam, budget, allocation and seeds."""
    environment = (config.get("environment") or {}).get("init_args") or {}
    ordered = {name: environment.get(name) or usual for name, usual in (("start", "base"), ("pool", "all"))}
    return {**world_of(config), **ordered}


@lru_cache(maxsize=16)
def _composed(one: Challenge) -> dict[str, Any]:
    return _world(yaml.safe_load(built(one).config_text()))


def _within(part: Any, whole: Any) -> bool:
    """Whether every setting of one is in the other, with the same value."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(
            name in whole and _within(value, whole[name]) for name, value in part.items()
        )
    if isinstance(part, list) and isinstance(whole, list) and len(part) == len(whole):
        return all(_within(one, other) for one, other in zip(part, whole, strict=True))
    return bool(part == whole)
