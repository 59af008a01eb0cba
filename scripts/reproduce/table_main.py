"""The main table (Table 2 of the paper): what each environment's teacher does for a student, with and without state.

    python scripts/reproduce/table_main.py --preset embedded --seeds 3
    python scripts/reproduce/table_main.py --preset paper --dry_run

Rows are the three environments, each with its teacher (*with state*) and with the same policy that is shown nothing of
the student (*no state*), and two floors: random valid records, and more epochs of step 1's records. The command can be
stopped and started again.
"""

from dataclasses import dataclass, replace

from presets import PRESETS
from published import APART, BENCHMARKS, LABELS, accuracy_in_paper, gain_in_paper

from dataenvgym.reading.over_seeds import When
from dataenvgym.studies.cells import Cell, more_epochs
from dataenvgym.studies.comparisons import bars, differences, gains, percent
from dataenvgym.studies.figures import draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Output, Rows, Study, run
from dataenvgym.studies.tables import INTERVALS, Number, Table, Value


@dataclass(frozen=True)
class Line:
    """A line of the table, in every domain: its label, and the end of the names of its cells.

    The environment is ``before`` for the untouched student; the state is ``no``, ``with`` or ``floor``.
    """

    label: str
    cells: str
    environment: str
    state: str = ""


TAUGHT = tuple(
    line
    for name, label in ENVIRONMENTS.items()
    for line in (
        # Without state, an Open-Ended teacher orders valid records at random: it is that floor itself.
        Line(f"{label}, no state", "random" if name == "open_ended" else f"{name}-no_state", name, "no"),
        Line(f"{label}, with state", name, name, "with"),
    )
)
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
        cells += [more_epochs(cell) for cell in taught]
    return cells


def summarise(preset: Preset, rows: Rows) -> Output:
    """Accuracies beside the paper's, gains with intervals, and what is left of them over the floors."""
    places = preset.domains.items()
    table = gains(
        "Test gain of the last step over before teaching, in points",
        ("domain", "teacher"),
        rows,
        (
            ((place.label, line.label), f"{domain}-{line.cells}", [gain_in_paper(domain, line.environment, line.state)])
            for domain, place in places
            for line in (*TAUGHT, *FLOORS)
        ),
        ["paper: gain"],
    )
    table.notes += [INTERVALS, APART[preset.name]]
    over_floors = differences(
        "Teachers with state against what would have been simpler: test accuracy after the last step",
        rows,
        (
            (place.label, label, what, f"{domain}-{name}", f"{domain}-{other}")
            for domain, place in places
            for name, label in ENVIRONMENTS.items()
            for what, other in _simpler(name).items()
        ),
        ("domain", "teacher with state", "minus"),
    )
    series = {"no": "no state", "with": "with state", "floor": "floor: step 1, more epochs"}
    panels = [
        bars(
            place.label,
            rows,
            (
                (ENVIRONMENTS[line.environment], series[line.state], f"{domain}-{line.cells}")
                for line in (*TAUGHT, *FLOORS)
            ),
        )
        for domain, place in places
    ]
    figure = draw([panel for panel in panels if panel.bars], y="test gain, points")
    tables = {"main": accuracies(preset, rows), "main_best": accuracies(preset, rows, "best")}
    tables |= {"main_gains": table, "main_floors": over_floors}
    return Output(tables, {"main": figure})


def _simpler(environment: str) -> dict[str, str]:
    """The label of what a teacher with state is compared with, and the end of the names of its cells."""
    simpler = {"random valid records": "random", "step 1, more epochs": f"{environment}-more_epochs"}
    if environment != "open_ended":  # there it is the random records
        simpler["the same without state"] = f"{environment}-no_state"
    return simpler


def accuracies(preset: Preset, rows: Rows, when: When = "last") -> Table:
    """The paper's Table 2: teachers by domains, the paper's numbers beside ours; the paper chose the best step."""
    columns = ["teacher"]
    for name, place in preset.domains.items():
        benchmark = BENCHMARKS.get(name)
        columns += [place.label, *([f"paper: {LABELS[benchmark]}"] if benchmark else [])]
    step = "after the last step" if when == "last" else "at the step that is best on validation"
    table = Table(columns, f"Test accuracy (%) {step}, mean over seeds")

    def add(line: Line, own: dict[str, Number]) -> None:
        entries: list[Value] = [line.label]
        for domain in preset.domains:
            entries.append(own[domain])
            if domain in BENCHMARKS:
                # The paper's accuracy, or its gain where only that is known; empty if neither is.
                gained = gain_in_paper(domain, line.environment, line.state)
                known = accuracy_in_paper(domain, line.environment, line.state)
                entries.append(known if gained.value is None else replace(gained, label="gain"))
        table.add(*entries)

    before = {}
    for domain in preset.domains:  # the untouched student is the same in all rows of a domain
        taught = [name for line in TAUGHT if (name := f"{domain}-{line.cells}") in rows]
        before[domain] = percent(rows, taught[0], "before") if taught else Number(None)
    add(Line("before teaching", "", "before"), before)
    best = []
    for domain in preset.domains:
        with_state = [name for name in (f"{domain}-{environment}" for environment in ENVIRONMENTS) if name in rows]
        best += [max(with_state, key=lambda name: rows[name].accuracy(when))] if with_state else []
    for line in (*TAUGHT, *FLOORS):
        found = {domain: f"{domain}-{line.cells}" for domain in preset.domains}
        add(
            line,
            {domain: replace(percent(rows, name, when), strong=name in best) for domain, name in found.items()},
        )
    table.notes.append(
        "Open-Ended without state orders valid records at random, and is the floor of that name. Bold: the best with "
        f"state. {APART[preset.name]}"
    )
    return table


if __name__ == "__main__":
    run(Study(cells_of, summarise), PRESETS, __doc__)
