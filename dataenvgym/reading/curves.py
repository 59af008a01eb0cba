"""Accuracy step by step, with intervals from the single scores."""

from dataclasses import dataclass

from dataenvgym.reading.run import Run
from environments.statistics import Interval, accuracy_interval, proportion_interval
from environments.statistics.clusters import clusters_of
from tasks.types import Split


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One step on a curve: accuracy as a fraction, and the number of records accepted so far; None if not known."""

    step: int
    records: int | None
    value: float
    ci95: Interval | None


def curve(run: Run, split: Split) -> list[CurvePoint]:
    """The accuracy after each step that measured the split."""
    points = []
    for line in run.steps:
        overall = (line.get(split) or {}).get("overall") or {}
        value, n = overall.get("value"), int(overall.get("n") or 0)
        if value is None:
            continue
        own = [row for row in run.answers(line["step"]) if row["split"] == split]
        # The interval needs the single scores; from the mean alone Wilson's is exact only if they are 0 or 1.
        if len(own) == n:
            clusters = clusters_of((row["instance_id"], row.get("cluster")) for row in own)
            interval = accuracy_interval([float(row["score"]) for row in own], clusters=clusters)
        else:
            interval = proportion_interval(round(value * n), n)
        pool = line.get("pool")
        points.append(CurvePoint(int(line["step"]), None if pool is None else int(pool), float(value), interval))
    return points
