"""Does a stronger teacher teach better? The same policies with a strong and with a weak engine, in each environment.

    python scripts/reproduce/table_teachers.py --preset embedded --seeds 3

Offline the weak teacher is a procedural engine that is wrong about a fifth of its records and off target with another
fifth; with language models it is the smaller one. Each has floors of its own: random records of the same engine, and
more epochs of its step 1's. The cells of the strong teacher are those of the main table, and are not run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from presets import PRESETS
from published import accuracy_in_paper, apart_from_ours

from dataenvgym.reading.over_seeds import TeacherRuns, p_values
from dataenvgym.studies.against import bar, differences, percent, rejected
from dataenvgym.studies.cells import Cell
from dataenvgym.studies.figures import Panel, draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Outcome, Rows, Study, run
from dataenvgym.studies.tables import INTERVALS, Entry, Number, Table, compared, published

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOMAIN = "math"

# What makes a teacher weak, by the preset's kind of teachers.
WEAK: Mapping[str, Mapping[str, Any]] = {
    "procedural": {
        "teacher.init_args.engine": {
            "class_path": "teachers.engines.WeakProceduralEngine",
            "init_args": {"wrong": 0.2, "off_target": 0.2},
        }
    },
    "llm": {"teacher.init_args.chat.init_args.model": "gpt-4o-mini"},
}
_MEANT = {
    "procedural": "Strong: every record is right. Weak: a fifth of the records are wrong, a fifth off target.",
    "llm": "Strong: GPT-4o, as policy and engine. Weak: GPT-4o-mini as both.",
}

# What the cells of a teacher's strength are called behind those of its environment.
STRENGTHS = {"strong": "", "weak": "-weak"}

# The paper's weak teacher on MATH, Open-Ended: its student stays where it was.
_WEAK_IN_PAPER = {"open_ended": published(15.78, "B")}


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed."""
    strong = [preset.cell(DOMAIN, environment, seed) for environment in ENVIRONMENTS]
    random = preset.random_records(DOMAIN, seed)
    taught = [*strong, *(weak(preset, cell) for cell in strong)]
    return [*taught, *(preset.more_epochs(cell) for cell in taught), random, weak(preset, random)]


def weak(preset: Preset, cell: Cell) -> Cell:
    """A cell with the preset's weak teacher."""
    return cell.changed("weak", WEAK[preset.teachers])


def summarise(preset: Preset, rows: Rows) -> Outcome:
    """Gains of both teachers, the difference between them, and what either leaves over its floors."""
    label = preset.domains[DOMAIN].label
    tables = {
        "teachers": gains(preset, rows),
        "teachers_strong_minus_weak": differences(
            f"The strong teacher against the weak one: test accuracy after the last step, {label}",
            (
                (f"{name}, strong", "weak", rows.get(cells), rows.get(f"{cells}-weak"))
                for name, cells in (
                    *((label_, f"{DOMAIN}-{name}") for name, label_ in ENVIRONMENTS.items()),
                    ("random records", f"{DOMAIN}-random"),
                )
            ),
        ),
        "teachers_floors": differences(
            f"Teachers against what would have been simpler with the same engine: test accuracy, {label}",
            _over_floors(rows),
        ),
    }
    return Outcome(tables, {"teachers": figure(preset, rows)})


def gains(preset: Preset, rows: Rows) -> Table:
    """Accuracies and gains of every row, with its floors and what was rejected, the paper's numbers beside them."""
    columns = ["environment", "teacher", "before", "after", "gain, points (by instance)", "(by seed)", "detectable"]
    columns += ["p (Holm)", "floor: random records", "floor: step 1, more epochs", "rejected records of a run"]
    table = Table(
        [*columns, "paper: after"],
        f"Test accuracy (%) and gain of strong and weak teachers, {preset.domains[DOMAIN].label}",
    )
    found = [
        (name, strength, row)
        for name in ENVIRONMENTS
        for strength, ending in STRENGTHS.items()
        if (row := rows.get(f"{DOMAIN}-{name}{ending}")) is not None
    ]
    made = [row.gain() for _, _, row in found]
    for (name, strength, row), one, p_value in zip(found, made, p_values(made), strict=True):
        ending = STRENGTHS[strength]
        table.add(
            ENVIRONMENTS[name],
            strength,
            Number(100 * row.accuracy("before")),
            Number(100 * row.accuracy()),
            *compared(one, p_value),
            percent(rows, f"{DOMAIN}-random{ending}"),
            percent(rows, f"{DOMAIN}-{name}{ending}-more_epochs"),
            rejected(row),
            _in_paper(name, strength),
        )
    table.notes += [
        _MEANT[preset.teachers],
        INTERVALS,
        f"{apart_from_ours(preset.name)} Its weak teacher, GPT-4o-mini, has mean gains of +0.77† to +1.81† points by "
        "environment, none† on MATH, Open-Ended, and +4.65† on GQA, Skill-Tree.",
    ]
    return table


def figure(preset: Preset, rows: Rows) -> Figure:
    """Bars of both teachers and of their second floor, the random records of either as lines."""
    bars = []
    for name, label in ENVIRONMENTS.items():
        for strength, ending in STRENGTHS.items():
            for series, cells in (
                (strength, f"{DOMAIN}-{name}{ending}"),
                (f"floor: {strength}, step 1, more epochs", f"{DOMAIN}-{name}{ending}-more_epochs"),
            ):
                if (row := rows.get(cells)) is not None:
                    bars.append(bar(label, series, row))
    levels = {
        f"floor: {strength}, random records": row.gain().points
        for strength, ending in STRENGTHS.items()
        if (row := rows.get(f"{DOMAIN}-random{ending}")) is not None
    }
    return draw([Panel(preset.domains[DOMAIN].label, bars, levels=levels)], y="test gain, points")


def _over_floors(rows: Rows) -> Iterator[tuple[str, str, TeacherRuns | None, TeacherRuns | None]]:
    for name, label in ENVIRONMENTS.items():
        for strength, ending in STRENGTHS.items():
            row = rows.get(f"{DOMAIN}-{name}{ending}")
            yield f"{label}, {strength}", "random records", row, rows.get(f"{DOMAIN}-random{ending}")
            longer = rows.get(f"{DOMAIN}-{name}{ending}-more_epochs")
            yield f"{label}, {strength}", "step 1, more epochs", row, longer


def _in_paper(name: str, strength: str) -> Entry:
    return _WEAK_IN_PAPER.get(name, "") if strength == "weak" else accuracy_in_paper(DOMAIN, name, "with")


if __name__ == "__main__":
    run(Study(cells_of, summarise, domain=DOMAIN), PRESETS, __doc__)
