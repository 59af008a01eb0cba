"""The main table (Table 2 of the paper): what each environment's teacher does for a student, with and without state.

    python scripts/reproduce/table_main.py --preset embedded --seeds 3
    python scripts/reproduce/table_main.py --preset paper --dry_run

Rows are the three environments, each with the teacher as it is (*with state*) and with the same policy that is shown
nothing of the student (*no state*), and two floors: valid records at random, and more epochs of step 1's records. The
command can be stopped and started again: finished cells are skipped and interrupted ones go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from presets import PRESETS
from published import LABELS, accuracy_in_paper, apart_from_ours, benchmark_of, gain_in_paper

from dataenvgym.reading.over_seeds import TeacherRuns, p_values
from dataenvgym.studies.against import bar, differences
from dataenvgym.studies.cells import Cell
from dataenvgym.studies.figures import Panel, draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Outcome, Rows, Study, run
from dataenvgym.studies.tables import INTERVALS, Entry, Number, Table, compared

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Line:
    """A line of the table, in every domain.

    Args:
        label: What the table calls it.
        cells: What stands behind the domain in the names of its cells.
        environment: Its environment; ``before`` for the untouched student.
        state: ``no``, ``with`` or ``floor``; the paper has no floors.
    """

    label: str
    cells: str
    environment: str
    state: str = ""


def _lines() -> Iterator[Line]:
    for name, label in ENVIRONMENTS.items():
        # Without state, an Open-Ended teacher orders valid records at random: it is that floor itself.
        yield Line(f"{label}, no state", "random" if name == "open_ended" else f"{name}-no_state", name, "no")
        yield Line(f"{label}, with state", name, name, "with")


TAUGHT = tuple(_lines())
FLOORS = tuple(
    Line(f"floor: {label}, step 1, more epochs", f"{name}-more_epochs", name, "floor")
    for name, label in ENVIRONMENTS.items()
)


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed."""
    cells = []
    for domain in preset.domains:
        taught = [preset.cell(domain, environment, seed) for environment in ENVIRONMENTS]
        cells += [*taught, preset.random_records(domain, seed)]
        cells += [preset.without_state(cell) for cell in taught[1:]]
        cells += [preset.more_epochs(cell) for cell in taught]
    return cells


def summarise(preset: Preset, rows: Rows) -> Outcome:
    """Accuracies beside the paper's, gains with intervals, and what is left of them over the floors."""
    tables = {
        "main": accuracies(preset, rows),
        "main_gains": gains(preset, rows),
        "main_floors": floors(preset, rows),
    }
    return Outcome(tables, {"main": figure(preset, rows)})


def accuracies(preset: Preset, rows: Rows) -> Table:
    """The paper's Table 2: teachers by domains, the paper's numbers beside ours."""
    columns = ["teacher"]
    for name, domain in preset.domains.items():
        benchmark = benchmark_of(name)
        columns += [domain.label, *([f"paper: {LABELS[benchmark]}"] if benchmark else [])]
    table = Table(columns, "Test accuracy (%) after the last step, mean over seeds")

    def add(line: Line, own: dict[str, Number]) -> None:
        entries: list[Entry] = [line.label]
        for domain in preset.domains:
            entries.append(own[domain])
            if benchmark_of(domain):
                entries.append(_in_paper(domain, line))
        table.add(*entries)

    before = {domain: _before(preset, rows, domain) for domain in preset.domains}
    add(Line("before teaching", "", "before"), before)
    best = [_best_with_state(rows, domain) for domain in preset.domains]
    for line in (*TAUGHT, *FLOORS):
        found = {domain: rows.get(f"{domain}-{line.cells}") for domain in preset.domains}
        add(
            line,
            {
                domain: Number(None)
                if row is None
                else Number(100 * row.accuracy(), strong=any(row is one for one in best))
                for domain, row in found.items()
            },
        )
    table.notes.append(
        "Open-Ended without state orders valid records at random, and is the floor of that name. Bold: the best with "
        f"state. {apart_from_ours(preset.name)}"
    )
    return table


def gains(preset: Preset, rows: Rows) -> Table:
    """Gains over before teaching."""
    columns = [
        "domain",
        "teacher",
        "before",
        "after",
        "gain, points (by instance)",
        "(by seed)",
        "detectable",
        "p (Holm)",
    ]
    table = Table([*columns, "paper: gain"], "Test gain of the last step over before teaching, in points")
    found = [
        (domain, line, row)
        for domain in preset.domains
        for line in (*TAUGHT, *FLOORS)
        if (row := rows.get(f"{domain}-{line.cells}")) is not None
    ]
    made = [row.gain() for _, _, row in found]
    for (domain, line, row), one, p_value in zip(found, made, p_values(made), strict=True):
        table.add(
            preset.domains[domain].label,
            line.label,
            Number(100 * row.accuracy("before")),
            Number(100 * row.accuracy()),
            *compared(one, p_value),
            gain_in_paper(domain, line.environment, line.state),
        )
    table.notes += [INTERVALS, apart_from_ours(preset.name)]
    return table


def floors(preset: Preset, rows: Rows) -> Table:
    """What is left over the floors, and what the teacher's knowledge of the student is worth."""
    return differences(
        "Teachers with state against what would have been simpler: test accuracy after the last step",
        _over_floors(preset, rows),
        ("domain", "teacher with state", "minus"),
    )


def _over_floors(preset: Preset, rows: Rows) -> Iterator[tuple[str, str, str, TeacherRuns | None, TeacherRuns | None]]:
    for domain, place in preset.domains.items():
        for name, label in ENVIRONMENTS.items():
            against = {"random valid records": "random", "step 1, more epochs": f"{name}-more_epochs"}
            if name != "open_ended":  # there it is the random records
                against["the same without state"] = f"{name}-no_state"
            for what, other in against.items():
                yield place.label, label, what, rows.get(f"{domain}-{name}"), rows.get(f"{domain}-{other}")


def figure(preset: Preset, rows: Rows) -> Figure:
    """Bars of all teachers, with and without state, and of the second floor; a panel for each domain."""
    series = {"no": "no state", "with": "with state", "floor": "floor: step 1, more epochs"}
    panels = []
    for domain, place in preset.domains.items():
        bars = [
            bar(ENVIRONMENTS[line.environment], series[line.state], row)
            for line in (*TAUGHT, *FLOORS)
            if (row := rows.get(f"{domain}-{line.cells}")) is not None
        ]
        if bars:
            panels.append(Panel(place.label, bars))
    return draw(panels, y="test gain, points")


def _in_paper(domain: str, line: Line) -> Number:
    """The paper's accuracy, or its gain where only that is known; empty if neither is."""
    accuracy = accuracy_in_paper(domain, line.environment, line.state)
    gained = gain_in_paper(domain, line.environment, line.state)
    return accuracy if gained.value is None else replace(gained, label="gain")


def _before(preset: Preset, rows: Rows, domain: str) -> Number:
    """The same in all rows of a domain: the untouched student."""
    found = next((row for line in TAUGHT if (row := rows.get(f"{domain}-{line.cells}")) is not None), None)
    return Number(None if found is None else 100 * found.accuracy("before"))


def _best_with_state(rows: Rows, domain: str) -> TeacherRuns | None:
    found = [row for name in ENVIRONMENTS if (row := rows.get(f"{domain}-{name}")) is not None]
    return max(found, key=lambda row: row.accuracy(), default=None)


if __name__ == "__main__":
    run(Study(cells_of, summarise), PRESETS, __doc__)
