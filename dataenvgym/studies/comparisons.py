"""What tables make of rows: gains, one row minus another, bars; each is named by its cells, and left out if missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dataenvgym.reading.over_seeds import TeacherRuns, When, p_values
from dataenvgym.studies.figures import Bar, Panel
from dataenvgym.studies.study import Rows
from dataenvgym.studies.tables import INTERVALS, Number, Table, Value, compared

_COMPARED = ("(by seed)", "detectable", "p (Holm)")


def gains(
    caption: str,
    labels: Sequence[str],
    rows: Rows,
    lines: Iterable[tuple[Sequence[str], str, Sequence[Value]]],
    further: Sequence[str] = (),
) -> Table:
    """Test accuracy before and after the last step, and the gain; p-values are Holm's over the table.

    Each of ``lines`` holds what a row is called, under the columns ``labels``, its name, and the entries that follow
    its gain, under the columns ``further``.
    """
    found = [line for line in lines if line[1] in rows]
    table = Table([*labels, "before", "after", "gain, points (by instance)", *_COMPARED, *further], caption)
    made = [rows[name].gain() for _, name, _ in found]
    for (said, name, values), gain, p_value in zip(found, made, p_values(made), strict=True):
        table.add(*said, percent(rows, name, "before"), percent(rows, name), *compared(gain, p_value), *values)
    return table


def differences(
    caption: str,
    rows: Rows,
    pairs: Iterable[tuple[*tuple[str, ...], str, str]],
    labels: Sequence[str] = ("teacher", "minus"),
) -> Table:
    """Test accuracy of rows after the last step minus that of others.

    Each pair is what the two are called, under the columns ``labels``, and the names of the two.
    """
    table = Table([*labels, "points (by instance)", *_COMPARED, "seeds won"], caption, [INTERVALS])
    found = [(said, rows[own].minus(rows[base])) for *said, own, base in pairs if own in rows and base in rows]
    for (said, one), p_value in zip(found, p_values(one for _, one in found), strict=True):
        table.add(*said, *compared(one, p_value), f"{one.won} of {len(one.seeds)}")
    return table


def bars(
    title: str, rows: Rows, wanted: Iterable[tuple[str, str, str]], levels: Mapping[str, str] | None = None
) -> Panel:
    """Test gains of rows as bars, with intervals by instance, and of others as horizontal lines.

    ``wanted`` holds for each bar its group on the axis, its series (which has a colour) and the row's name.
    """
    known = {said: rows[name] for said, name in (levels or {}).items() if name in rows}
    panel = Panel(title, levels={said: row.gain().points for said, row in known.items()})
    for group, series, name in wanted:
        if name in rows:
            gain = rows[name].gain().by_instance
            panel.bars.append(Bar(group, series, gain.points, gain.ci95))
    return panel


def percent(rows: Rows, name: str, when: When = "last") -> Number:
    """Test accuracy of a row before teaching or after a step; empty if there is no such row."""
    return Number(100 * rows[name].accuracy(when) if name in rows else None)


def rejected(row: TeacherRuns) -> str:
    """Rejected records of a run, on average over the seeds, with the reasons."""
    reasons: Counter[str] = Counter()
    for run in row.runs.values():
        reasons.update(run.summary.get("rejected") or {})
    of_a_run = {reason: number / len(row.runs) for reason, number in reasons.most_common()}
    listed = ", ".join(f"{reason} {number:.1f}" for reason, number in of_a_run.items())
    return f"{sum(of_a_run.values()):.1f}" + (f" ({listed})" if listed else "")
