"""Tables of one row minus another, and what rows are set beside: their floors, and what was rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dataenvgym.reading.over_seeds import TeacherRuns, p_values
from dataenvgym.studies.figures import Bar
from dataenvgym.studies.study import Rows
from dataenvgym.studies.tables import INTERVALS, Number, Table, compared


def bar(group: str, series: str, row: TeacherRuns) -> Bar:
    """The bar of a row's gain, with its interval by instance."""
    one = row.gain()
    return Bar(group, series, one.points, one.by_instance.ci95)


def differences(
    caption: str,
    pairs: Iterable[tuple[*tuple[str, ...], TeacherRuns | None, TeacherRuns | None]],
    labels: Sequence[str] = ("teacher", "minus"),
) -> Table:
    """Test accuracy of rows after the last step minus that of others.

    Args:
        caption: What the table shows.
        pairs: What the row and the other are called, and the two; a pair of which one is missing is left out.
        labels: The columns of what they are called.
    """
    columns = [*labels, "points (by instance)", "(by seed)", "detectable", "p (Holm)", "seeds won"]
    table = Table(columns, caption, [INTERVALS])
    found = [(said, row.minus(base)) for *said, row, base in pairs if row is not None and base is not None]
    for (said, one), p_value in zip(found, p_values([one for _, one in found]), strict=True):
        table.add(*said, *compared(one, p_value), f"{one.won} of {len(one.seeds)}")
    return table


def percent(rows: Rows, name: str) -> Number:
    """Test accuracy of a row after the last step; empty if there is no such row."""
    return Number(100 * rows[name].accuracy() if name in rows else None)


def rejected(row: TeacherRuns) -> str:
    """Rejected records of a run, on average over the seeds, with the reasons."""
    reasons: Counter[str] = Counter()
    for run in row.runs.values():
        reasons.update(run.summary.get("rejected") or {})
    of_a_run = {reason: number / len(row.runs) for reason, number in reasons.most_common()}
    listed = ", ".join(f"{reason} {number:.1f}" for reason, number in of_a_run.items())
    return f"{sum(of_a_run.values()):.1f}" + (f" ({listed})" if listed else "")
