"""Does a stronger teacher teach better? The same policies with a strong and with a weak engine, in each environment.

    python scripts/reproduce/table_teachers.py --preset embedded --seeds 3

Offline the weak teacher is a procedural engine that is wrong about a fifth of its records and off target with another
fifth; with language models it is the smaller one. Each has floors of its own: random records of the same engine, and
more epochs of its step 1's. The cells of the strong teacher are those of the main table.
"""

from collections.abc import Mapping
from typing import Any

from presets import PRESETS
from published import APART, accuracy_in_paper

from dataenvgym.studies.cells import Cell, more_epochs
from dataenvgym.studies.comparisons import bars, differences, gains, percent, rejected
from dataenvgym.studies.figures import draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Output, Rows, Study, run
from dataenvgym.studies.tables import INTERVALS, Value, published

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

# How cells' names go on after the environment, by the teacher's strength.
STRENGTHS = {"strong": "", "weak": "-weak"}

# The paper's weak teacher on MATH, Open-Ended: its student stays where it was.
_WEAK_IN_PAPER = {"open_ended": published(15.78, "B")}


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed."""
    strong = [preset.cell(DOMAIN, environment, seed) for environment in ENVIRONMENTS]
    random = preset.random_records(DOMAIN, seed)
    taught = [*strong, *(weak(preset, cell) for cell in strong)]
    return [*taught, *(more_epochs(cell) for cell in taught), random, weak(preset, random)]


def weak(preset: Preset, cell: Cell) -> Cell:
    """A cell with the preset's weak teacher."""
    return cell.changed("weak", WEAK[preset.teachers])


def summarise(preset: Preset, rows: Rows) -> Output:
    """Gains of both teachers, the difference between them, and what either leaves over its floors."""
    label = preset.domains[DOMAIN].label
    taught = [
        (name, strength, f"{DOMAIN}-{name}{ending}", f"{DOMAIN}-random{ending}")
        for name in ENVIRONMENTS
        for strength, ending in STRENGTHS.items()
    ]

    def beside(name: str, strength: str, cells: str, random: str) -> list[Value]:
        floors = percent(rows, random), percent(rows, f"{cells}-more_epochs")
        in_paper = _WEAK_IN_PAPER.get(name, "") if strength == "weak" else accuracy_in_paper(DOMAIN, name, "with")
        return [*floors, rejected(rows[cells]), in_paper]

    table = gains(
        f"Test accuracy (%) and gain of strong and weak teachers, {label}",
        ("environment", "teacher"),
        rows,
        (
            ((ENVIRONMENTS[name], strength), cells, beside(name, strength, cells, random))
            for name, strength, cells, random in taught
            if cells in rows
        ),
        ["floor: random records", "floor: step 1, more epochs", "rejected records of a run", "paper: after"],
    )
    table.notes += [
        _MEANT[preset.teachers],
        INTERVALS,
        f"{APART[preset.name]} Its weak teacher, GPT-4o-mini, has mean gains of +0.77† to +1.81† points by "
        "environment, none† on MATH, Open-Ended, and +4.65† on GQA, Skill-Tree.",
    ]
    compared = {
        **{said: f"{DOMAIN}-{name}" for name, said in ENVIRONMENTS.items()},
        "random records": f"{DOMAIN}-random",
    }
    tables = {
        "teachers": table,
        "teachers_strong_minus_weak": differences(
            f"The strong teacher against the weak one: test accuracy after the last step, {label}",
            rows,
            ((f"{said}, strong", "weak", cells, f"{cells}-weak") for said, cells in compared.items()),
        ),
        "teachers_floors": differences(
            f"Teachers against what would have been simpler with the same engine: test accuracy, {label}",
            rows,
            (
                (f"{ENVIRONMENTS[name]}, {strength}", floor, cells, other)
                for name, strength, cells, random in taught
                for floor, other in (("random records", random), ("step 1, more epochs", f"{cells}-more_epochs"))
            ),
        ),
    }
    panel = bars(
        label,
        rows,
        (
            (ENVIRONMENTS[name], series, shown)
            for name, strength, cells, _ in taught
            for series, shown in (
                (strength, cells),
                (f"floor: {strength}, step 1, more epochs", f"{cells}-more_epochs"),
            )
        ),
        {f"floor: {strength}, random records": f"{DOMAIN}-random{ending}" for strength, ending in STRENGTHS.items()},
    )
    return Output(tables, {"teachers": draw([panel], y="test gain, points")})


if __name__ == "__main__":
    run(Study(cells_of, summarise, domain=DOMAIN), PRESETS, __doc__)
