"""How long an episode still takes: pure functions of the times so far, for the terminal display.

A step trains on all records so far, so each takes longer than the one before: seconds are a line over records.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepTime:
    """One finished step: records accepted so far, its own included (0 for step 0), and how long it took."""

    records: float
    seconds: float


def steps_left(finished: Sequence[StepTime], steps: int, skip: int = 0) -> float:
    """Seconds of the ``steps`` after the finished ones, each with as many more records as those before had on average.

    ``finished`` has step 0 first and at least one more; ``skip`` leaves out the next ones (the one under way).
    """
    last, share = finished[-1].records, finished[-1].records / (len(finished) - 1)
    return sum(_foreseen(finished, last + share * step) for step in range(1 + skip, 1 + skip + steps))


def seconds_left(finished: Sequence[StepTime], elapsed: float, ahead: float, steps_after: int) -> float:
    """Seconds left while a step is under way, ``elapsed`` seconds of which are over.

    A step that is late (an endpoint that hangs) is taken to be delayed by as much again, and to say something about the
    steps after it: the estimate rises for as long as it waits. ``finished`` has step 0 first and at least one more;
    ``ahead`` is what the phases that have not begun took in the step before.
    """
    foreseen = steps_left(finished, 1)
    late = max(0.0, elapsed + ahead - foreseen)
    if not late:
        return foreseen - elapsed + steps_left(finished, steps_after, skip=1)
    rest = ahead + late
    records = finished[-1].records * len(finished) / (len(finished) - 1)
    return rest + steps_left([*finished, StepTime(records, elapsed + rest)], steps_after)


def _foreseen(finished: Sequence[StepTime], records: float) -> float:
    """Seconds of a step: on the line through the steps that trained, or their mean if that does not rise."""
    trained = finished[1:]
    # Of one step that trained, what its records cost is what it took longer than step 0, which had none.
    points = trained if len(trained) > 1 else finished
    if len({point.records for point in points}) < 2:
        return statistics.fmean(point.seconds for point in trained)
    line = statistics.linear_regression([one.records for one in points], [one.seconds for one in points])
    if line.slope <= 0:
        return statistics.fmean(point.seconds for point in trained)
    return line.intercept + line.slope * records
