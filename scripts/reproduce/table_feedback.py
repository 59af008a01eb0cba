"""What is feedback worth? The Skill-List teacher under true, no, shuffled and stale feedback, in every domain.

    python scripts/reproduce/table_feedback.py --preset embedded --seeds 3

``teachers.policies.FeedbackAblationPolicy`` stands between the same policy and its observation. True and no feedback
are the main table's cells with and without state. ``feedback_ablation.py`` does the same for any teacher.
"""

from collections.abc import Mapping

from presets import PRESETS

from dataenvgym.reading.over_seeds import TeacherRuns, p_values
from dataenvgym.studies.cells import Cell, more_epochs, with_feedback
from dataenvgym.studies.comparisons import bars
from dataenvgym.studies.figures import draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Output, Rows, Study, run
from dataenvgym.studies.tables import INTERVALS, Number, Table, accuracy, compared, gain
from environments.statistics import holm, paired_by_seed

ENVIRONMENT = "skill_list"
# By what tables call it, the end of the cells' names; the first is what the others are compared with.
_KINDS = {
    "true feedback": "",
    "no feedback": "-no_state",
    "shuffled feedback": "-shuffled",
    "stale feedback": "-stale",
    "floor: step 1, more epochs": "-more_epochs",
}
_FLOOR = "floor: random records"

COLUMNS: tuple[str, ...] = ("teacher", "test after, % (by seed)", "true minus this, points (by instance)", "(by seed)")
COLUMNS += ("detectable", "p (Holm)", "seeds won")


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed."""
    cells = []
    for domain in preset.domains:
        true = preset.cell(domain, ENVIRONMENT, seed)
        cells += [true, preset.without_state(true), with_feedback(true, "shuffled"), with_feedback(true, "stale")]
        cells += [preset.random_records(domain, seed), more_epochs(true)]
    return cells


def summarise(preset: Preset, rows: Rows) -> Output:
    """Each domain by itself, and all together."""
    table = Table(["domain", *COLUMNS], f"What feedback is worth to the {ENVIRONMENTS[ENVIRONMENT]} teacher")
    panels = []
    by_kind: dict[str, list[tuple[TeacherRuns, TeacherRuns]]] = {}
    for domain, place in preset.domains.items():
        names = {kind: f"{domain}-{ENVIRONMENT}{end}" for kind, end in _KINDS.items()} | {_FLOOR: f"{domain}-random"}
        found = {kind: rows[name] for kind, name in names.items() if name in rows}
        if next(iter(_KINDS)) not in found:
            continue
        for line in lines(found):
            table.add(place.label, *line)
        panels.append(bars(place.label, rows, (("", kind, name) for kind, name in names.items())))
        for kind, row in found.items():
            by_kind.setdefault(kind, []).append((next(iter(found.values())), row))
    table.notes.append(INTERVALS)
    tables = {"feedback": table, "feedback_all": together(by_kind)} if panels else {"feedback": table}
    return Output(tables, {"feedback": draw(panels, y="test gain, points")} if panels else {})


def lines(rows: Mapping[str, TeacherRuns]) -> list[list[str | Number]]:
    """Rows against the first of them, as lines of a table with ``COLUMNS``; p-values are Holm's over these rows."""
    (true_label, true), *others = rows.items()
    made = [true.minus(row) for _, row in others]
    lines: list[list[str | Number]] = [[true_label, accuracy(true.accuracies())]]
    for (label, row), one, p_value in zip(others, made, p_values(made), strict=True):
        won = f"{one.won} of {len(one.seeds)}"
        lines.append([label, accuracy(row.accuracies()), *compared(one, p_value), won])
    return lines


def together(pairs: Mapping[str, list[tuple[TeacherRuns, TeacherRuns]]]) -> Table:
    """True feedback against each kind over all domains and seeds: one difference for each of them."""
    columns = ["teacher", "pairs of domain and seed", "true minus this, points", "p (Holm)", "pairs won"]
    table = Table(columns, "What feedback is worth over all domains")
    differences = {}
    for kind, own in list(pairs.items())[1:]:
        differences[kind] = [
            true.accuracies(seeds=[seed])[0] - row.accuracies(seeds=[seed])[0]
            for true, row in own
            for seed in sorted(set(true.runs) & set(row.runs))
        ]
    made = {kind: paired_by_seed(values) for kind, values in differences.items()}
    for (kind, one), p_value in zip(made.items(), holm([one.p_value for one in made.values()]), strict=True):
        values = differences[kind]
        won = f"{sum(value > 0 for value in values)} of {len(values)}"
        table.add(kind, str(len(values)), gain(one), "" if p_value is None else f"{p_value:.2g}", won)
    table.notes.append("95 % intervals: Student's t over pairs of domain and seed; bold leaves out zero.")
    return table


if __name__ == "__main__":
    run(Study(cells_of, summarise), PRESETS, __doc__)
