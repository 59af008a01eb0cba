"""What a leaderboard holds: boards, the standing of each teacher on them, and what was refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from dataenvgym.reading.numbers import Accuracy
from dataenvgym.reading.over_seeds import TeacherRuns
from environments.statistics import Gain, Interval, accuracy_interval, paired_by_seed

Ranking = Literal["last", "best"]
Floor = Literal["no_state", "more_epochs"]

FLOORS: Mapping[Floor, str] = {"no_state": "no-state teacher", "more_epochs": "more epochs of step 1's records"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run that is not ranked, and why; ``unread`` if its files could not be read or its episode has not ended."""

    path: Path
    reason: str
    unread: bool = False


@dataclass
class Standing:
    """One teacher on a board, or a floor. Accuracies are fractions of the test split.

    Args:
        teacher: Its runs; its name is policy and engine (and chat model), with the settings that tell it from others
            of that name.
        by: The step that the board ranks by.
        floor: Which floor it is; None for a teacher. Floors have no rank: they are what a rank is measured by.
        notes: What a reader should know.
        over: Over each floor, paired by the seeds that both have; by instances if that is one.
        adjusted: Holm's p-value of ``over["no_state"]`` among the teachers of the board.
        below: The floors that it is not above; a teacher with any has no rank.
        rank: Its place among the teachers that are above all floors; None without a place.
    """

    teacher: TeacherRuns
    by: Ranking
    floor: Floor | None
    notes: tuple[str, ...] = ()
    over: Mapping[Floor, Gain] = field(default_factory=dict)
    adjusted: float | None = None
    below: tuple[Floor, ...] = ()
    rank: int | None = None

    @property
    def name(self) -> str:
        """The teacher's name."""
        return self.teacher.name

    @property
    def before(self) -> float:
        """Mean accuracy of the untouched student."""
        return self.teacher.accuracy("before")

    @cached_property
    def after(self) -> float:
        """Mean accuracy after the step that the board ranks by."""
        return self.teacher.accuracy(self.by)

    @cached_property
    def interval(self) -> Interval | None:
        """The 95 % interval of ``after``, over seeds; over instances (or groups of them) if there is one seed."""
        after = self.teacher.accuracies(self.by)
        if len(after) > 1:
            return _shares(paired_by_seed(after).ci95)
        (run,) = self.teacher.runs.values()
        step = run.last_step if self.by == "last" else run.best_step
        return accuracy_interval(run.scores[step]["test"], clusters=run.clusters.get("test"))

    @property
    def likelihood(self) -> Accuracy | None:
        """Mean likelihood of the reference replies of test after that step, with an interval like ``interval``."""
        stages = [run.after if self.by == "last" else run.best for run in self.teacher.runs.values()]
        found = [stage.likelihood.test for stage in stages if stage.likelihood.test is not None]
        if not found or len(found) < len(stages):
            return None
        if len(found) == 1:
            return found[0]
        return Accuracy(_mean(found), _shares(paired_by_seed(found).ci95))

    @cached_property
    def gain(self) -> Gain:
        """The gain over the untouched student, over seeds or instances like the interval."""
        return self.teacher.gain(self.by).headline

    @cached_property
    def choice(self) -> tuple[float, float]:
        """Mean validation accuracy of the best step: as its choice saw it, and without the optimism of the choice."""
        best = self.teacher.best()
        return _mean(one.naive for one in best), _mean(one.corrected for one in best)

    @property
    def best(self) -> float:
        """Mean test accuracy after the best step."""
        return self.teacher.accuracy("best")

    @property
    def usd(self) -> float | None:
        """Mean dollars of a run; None if a price is not known."""
        usd = [(run.summary.get("cost") or {}).get("usd") for run in self.teacher.runs.values()]
        return None if None in usd else _mean(value for value in usd if value is not None)

    @property
    def tokens(self) -> float:
        """Mean tokens of a run."""
        return _mean((run.summary.get("cost") or {}).get("tokens") or 0 for run in self.teacher.runs.values())

    @property
    def records(self) -> float:
        """Mean accepted records of a run."""
        return _mean(run.summary.get("records") or 0 for run in self.teacher.runs.values())

    @property
    def place(self) -> str:
        """The rank in words."""
        if self.floor is not None:
            return "floor"
        return "below a floor" if self.rank is None else str(self.rank)


@dataclass(frozen=True, slots=True)
class Board:
    """Comparable runs: the same task, environment, student, training and budget (in words).

    ``apart`` says in which settings it differs from an earlier board of the same names. Teachers with a rank come
    before those without; within each group, and among the floors, the best comes first.
    """

    task: str
    environment: str
    student: str
    budget: str
    apart: str
    teachers: tuple[Standing, ...]
    floors: tuple[Standing, ...]

    @property
    def title(self) -> str:
        """The board's names and budget, and how it differs from an earlier one."""
        apart = f" ({self.apart})" if self.apart else ""
        return f"{self.task}, {self.environment}, {self.student}: {self.budget}{apart}"

    @property
    def lines(self) -> list[Standing]:
        """All standings in the order of the page: teachers with a rank, then floors and all others by accuracy."""
        others = [*self.floors, *(one for one in self.teachers if one.rank is None)]
        return [*(one for one in self.teachers if one.rank is not None), *sorted(others, key=lambda one: -one.after)]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """All boards of some runs, and what was refused."""

    boards: tuple[Board, ...]
    refused: tuple[Refusal, ...]
    by: Ranking


def _shares(points: Interval | None) -> Interval | None:
    """An interval of points as one of fractions, which end at 0 and 1."""
    return None if points is None else (max(0.0, points[0] / 100), min(1.0, points[1] / 100))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
