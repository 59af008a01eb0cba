"""What a leaderboard holds: boards, their rows, and what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dataenvgym.reading.finished_run import FinishedRun
from environments.statistics import Gain, Interval

Ranking = Literal["last", "best"]
Floor = Literal["no_state", "more_epochs"]

FLOORS: Mapping[Floor, str] = {"no_state": "no-state teacher", "more_epochs": "more epochs of step 1's records"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run that is not ranked.

    Args:
        path: Its folder.
        reason: Why not, in a line.
        unread: Whether its files could not even be read, or its episode has not ended.
    """

    path: Path
    reason: str
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One teacher on a board: its runs differ in the seed alone. Accuracies are fractions of the test split.

    Args:
        name: Policy and engine (and chat model), with the settings that tell it from others of that name.
        runs: By seed.
        floor: Which floor it is; None for a teacher. Floors have no rank: they are what a rank is measured by.
        before: Mean accuracy of the untouched student.
        after: Mean accuracy of the step that the board ranks by.
        interval: Its 95 % interval, over seeds; over instances (or groups of them) if there is one seed.
        gain: Over the untouched student, over seeds or instances likewise.
        over: Over each floor, paired by the seeds that both have; by instances if that is one.
        adjusted: Holm's p-value of ``over["no_state"]`` among the rows of the board.
        naive: Mean validation accuracy of the best step as its choice on validation saw it.
        corrected: The same without the optimism of the choice.
        best: Mean test accuracy of the best step.
        usd: Mean dollars of a run; None if a price is not known.
        tokens: Mean tokens of a run.
        records: Mean accepted records of a run.
        notes: What a reader should know.
        below: The floors that it is not above; a teacher with any has no rank.
        rank: Its place among the teachers that are above all floors; None without a place.
    """

    name: str
    runs: tuple[FinishedRun, ...]
    floor: Floor | None
    before: float
    after: float
    interval: Interval | None
    gain: Gain
    naive: float
    corrected: float
    best: float
    usd: float | None
    tokens: float
    records: float
    over: Mapping[Floor, Gain] = field(default_factory=dict)
    adjusted: float | None = None
    notes: tuple[str, ...] = ()
    below: tuple[Floor, ...] = ()
    rank: int | None = None

    @property
    def seeds(self) -> list[int]:
        """Its seeds."""
        return [run.seed for run in self.runs]


@dataclass(frozen=True, slots=True)
class Board:
    """Comparable runs: the same task, environment, student, training and budget.

    Args:
        task: The task's name.
        environment: The environment's.
        student: The student's.
        budget: Its budget in words.
        apart: In which settings it differs from an earlier board of the same names; empty for the first.
        rows: Teachers: those with a rank, then those without, the best first.
        floors: The floors, the highest first.
    """

    task: str
    environment: str
    student: str
    budget: str
    apart: str
    rows: tuple[Row, ...]
    floors: tuple[Row, ...]

    @property
    def lines(self) -> list[Row]:
        """All rows in the order of the page: teachers with a rank, then floors and all others by accuracy."""
        others = [*self.floors, *(row for row in self.rows if row.rank is None)]
        return [*(row for row in self.rows if row.rank is not None), *sorted(others, key=lambda row: -row.after)]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """All boards of some runs.

    Args:
        boards: By task, environment and student.
        refused: What is not on them.
        by: Which step they rank by: the last one, or the best one on validation.
    """

    boards: tuple[Board, ...]
    refused: tuple[Refusal, ...]
    by: Ranking
