"""What are discovered skills worth? Skill-List with the benchmark's own skills and with discovered ones.

    python scripts/reproduce/table_skill_discovery.py --preset embedded --seeds 3

Offline skills are clusters of the validation texts, and all teachers order records that resemble the errors of a skill,
since a procedural engine knows no discovered skill by its name; a further row shows what that alone costs. With
language models the teacher's own discovers the skills. The floors are those of the main table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presets import PRESETS

from dataenvgym.reading.over_seeds import TeacherRuns, p_values
from dataenvgym.studies.cells import Cell, more_epochs
from dataenvgym.studies.comparisons import bars, differences, percent, rejected
from dataenvgym.studies.figures import draw
from dataenvgym.studies.presets import Preset
from dataenvgym.studies.study import Output, Rows, Study, run
from dataenvgym.studies.tables import INTERVALS, Number, Table, Value, compared

if TYPE_CHECKING:
    from environments.skills import SkillAssignment

DOMAIN = "math"

_LIKE_ERRORS = {
    "teacher.init_args.policy": {
        "class_path": "teachers.policies.LikeErrorsPolicy",
        "init_args": {"policy": "teachers.policies.RewardHistoryPolicy"},
    }
}


@dataclass(frozen=True)
class Arm:
    """One way to come by skills: what the table calls it, and settings over the Skill-List cell's by dotted key.

    ``kind`` is the class of its skills in environments.skills, made with ``init_args``; None for the benchmark's own.
    """

    cells: str
    label: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    kind: str | None = None
    init_args: Mapping[str, Any] = field(default_factory=dict)

    def cell(self, preset: Preset, seed: int) -> Cell:
        """Its episode."""
        settings = dict(self.settings)
        if self.kind is not None:
            class_path = f"environments.skills.{self.kind}"
            settings["environment.skills"] = {"class_path": class_path, "init_args": dict(self.init_args)}
        base = preset.cell(DOMAIN, "skill_list", seed)
        return replace(base, name=self.cells, overrides={**base.overrides, **settings})


def arms_of(preset: Preset) -> list[Arm]:
    """The rows of a preset, the one that the others are compared with first."""
    base = f"{DOMAIN}-skill_list"
    if preset.teachers == "procedural":
        clustered = (
            Arm(f"{base}-clusters{n}", f"{n} clusters", _LIKE_ERRORS, "ClusteredSkills", {"num_categories": n})
            for n in (6, 18, 54)
        )
        return [Arm(f"{base}-like_errors", "gold", _LIKE_ERRORS), *clustered, Arm(base, "gold, ordered by name")]
    main = {"path": str(preset.skills_file(DOMAIN))}  # the main table's cell
    discovered = [Arm(base, "discovered, number left open", {}, "DiscoveredSkills", main)]
    for number in (5, 20):
        path = preset.skills_file(DOMAIN).with_name(f"{DOMAIN}-{number}.json")
        init_args = {"path": str(path), "num_categories": number}
        discovered.append(
            Arm(f"{base}-discovered_{number}", f"discovered, {number}", {}, "DiscoveredSkills", init_args)
        )
    return [Arm(f"{base}-gold", "gold", {}, "GoldSkills"), *discovered]


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed."""
    taught = [arm.cell(preset, seed) for arm in arms_of(preset)]
    return [*taught, *(more_epochs(cell) for cell in taught), preset.random_records(DOMAIN, seed)]


def summarise(preset: Preset, rows: Rows) -> Output:
    """Every way to come by skills against the benchmark's own, and what each leaves over its floors."""
    arms = arms_of(preset)
    label = preset.domains[DOMAIN].label
    random = f"{DOMAIN}-random"
    over_floors = differences(
        f"Skill-List teachers against what would have been simpler: test accuracy after the last step, {label}",
        rows,
        (
            (arm.label, floor, arm.cells, other)
            for arm in arms
            for floor, other in (("random records", random), ("step 1, more epochs", f"{arm.cells}-more_epochs"))
        ),
    )
    panel = bars(
        label,
        rows,
        (
            (arm.label.replace(", ", ",\n"), series, cells)
            for arm in arms
            for series, cells in (("teacher", arm.cells), ("floor: step 1, more epochs", f"{arm.cells}-more_epochs"))
        ),
        {"floor: random records": random},
    )
    tables = {"skill_discovery": minus_gold(preset, rows), "skill_discovery_floors": over_floors}
    return Output(tables, {"skill_discovery": draw([panel], y="test gain, points")})


def minus_gold(preset: Preset, rows: Rows) -> Table:
    """Skills, gains, and the difference from the benchmark's own skills."""
    columns = ["skills", "number", "agreement with gold", "before", "after", "gain, points (by instance)", "(by seed)"]
    columns += ["minus gold (by instance)", "minus gold (by seed)", "detectable", "p (Holm)"]
    columns += ["floor: random records", "floor: step 1, more epochs", "rejected records of a run"]
    table = Table(columns, f"Skill-List: test accuracy (%) and gain by skills, {preset.domains[DOMAIN].label}")
    gold, *others = arms_of(preset)
    base = rows.get(gold.cells)
    made = {arm.cells: rows[arm.cells].minus(base) for arm in others if base is not None and arm.cells in rows}
    adjusted = dict(zip(made, p_values(made.values()), strict=True))
    for arm in (gold, *others):
        if (row := rows.get(arm.cells)) is None:
            continue
        one = row.gain()
        against: list[Value] = ["", "", "", ""]
        if arm.cells in made:
            against = [*compared(made[arm.cells], adjusted[arm.cells])]
        table.add(
            arm.label,
            str(len(row.runs[row.seeds[0]].steps[0]["val"]["skills"])),
            agreement(arm, row),
            percent(rows, arm.cells, "before"),
            percent(rows, arm.cells),
            Number(one.points, one.by_instance.ci95, signed=True),
            "" if one.by_seed.ci95 is None else Number(one.by_seed.points, one.by_seed.ci95, signed=True),
            *against,
            percent(rows, f"{DOMAIN}-random"),
            percent(rows, f"{arm.cells}-more_epochs"),
            rejected(row),
        )
    table.notes += [
        "Agreement: adjusted mutual information of the skills of the validation instances with the benchmark's own (1: "
        "the same partition, 0: as by chance).",
        INTERVALS,
    ]
    return table


def agreement(arm: Arm, row: TeacherRuns) -> Number:
    """Adjusted mutual information of a row's discovered skills and the benchmark's own, on validation."""
    if arm.kind is None:
        return Number(1.0, digits=2)
    if "path" in arm.init_args and not Path(arm.init_args["path"]).is_file():
        return Number(None)
    from sklearn.metrics import adjusted_mutual_info_score

    import environments.skills
    from dataenvgym.reading.audit import build_task

    task = build_task(row.runs[row.seeds[0]].config)
    # Frozen skills are in their file by now: neither kind needs a language model.
    assignment: SkillAssignment = getattr(environments.skills, arm.kind)(task, **arm.init_args)
    assignment.prepare(lambda work: work())
    labelled = [(task.skill_of(each), assignment.skill_of(each)) for each in task.instances("val")]
    known = [(gold, found) for gold, found in labelled if gold is not None]
    if not known:
        return Number(None)
    return Number(float(adjusted_mutual_info_score(*zip(*known, strict=True))), digits=2)


if __name__ == "__main__":
    run(Study(cells_of, summarise, domain=DOMAIN), PRESETS, __doc__)
