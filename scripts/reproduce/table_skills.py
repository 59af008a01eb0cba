"""Which skills gain? Gain by skill against the skill's accuracy before teaching and against the records it was given.

    python scripts/reproduce/table_skills.py --preset embedded --seeds 3

The cells are those of the main table with state. Skills are sorted into hard, middling and easy by *validation*
accuracy, and their gain is measured on *test*: sorted by the same instances that measure the gain, skills that were low
by chance would rise by chance.
"""

from collections import Counter

import numpy as np
import pandas as pd
from presets import PRESETS
from scipy import stats

from dataenvgym.reading.over_seeds import TeacherRuns
from dataenvgym.studies.cells import Cell
from dataenvgym.studies.figures import Panel, draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Output, Rows, Study, run
from dataenvgym.studies.tables import Number, Table, Value

_BINS = (("below 1/3", 0.0, 1 / 3), ("1/3 to 2/3", 1 / 3, 2 / 3), ("above 2/3", 2 / 3, 1.01))


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed: the teachers with state, and random records beside them."""
    cells = []
    for domain in preset.domains:
        cells += [preset.cell(domain, environment, seed) for environment in ENVIRONMENTS]
        cells.append(preset.random_records(domain, seed))
    return cells


def summarise(preset: Preset, rows: Rows) -> Output:
    """Gains by difficulty, every skill by itself, and a picture of both."""
    teachers = {"random": "random records (floor)", **ENVIRONMENTS}
    columns = ["domain", "teacher", *(f"{label}: gain (skills, records each)" for label, _, _ in _BINS)]
    by_difficulty = Table(
        [*columns, "gain and records, rank correlation"],
        "Test gain in points of skills by their validation accuracy before teaching",
    )
    every = Table(
        ["domain", "teacher", "skill", "n", "before", "after", "gain, points", "records"],
        "Every skill, mean over seeds",
    )
    panels = []
    for domain, place in preset.domains.items():
        panel = Panel(place.label)
        for name, label in teachers.items():
            row = rows.get(f"{domain}-{name}")
            if row is None:
                continue
            skills = skills_of(row)
            entries: list[Value] = [place.label, label]
            for _, low, high in _BINS:
                own = skills[(low <= skills.val) & (skills.val < high)]
                told = f"{own.gain.mean():+.1f} ({len(own)}, {own.records.mean():.0f})"
                entries.append(told if len(own) else "")
            varied = min(skills.gain.nunique(), skills.records.nunique()) > 1
            rank = float(stats.spearmanr(skills.gain, skills.records).statistic) if varied else None
            by_difficulty.add(*entries, Number(rank, digits=2, signed=True))
            for skill in skills.itertuples():
                numbers = Number(100 * skill.before), Number(100 * skill.after), Number(skill.gain, signed=True)
                every.add(place.label, label, skill.skill, str(skill.n), *numbers, Number(skill.records, digits=0))
                panel.points.append((label, 100 * skill.before, skill.gain))
        if panel.points:
            panels.append(panel)
    by_difficulty.notes.append(
        "The paper finds the largest gains on skills of middling difficulty and on frequent skills†. "
        "Here every skill has as many evaluation instances, so that frequent means: given more records."
    )
    figures = {"skills": draw(panels, "accuracy before teaching, %", "gain, points")} if panels else {}
    return Output({"skills": by_difficulty, "skills_each": every}, figures)


def skills_of(row: TeacherRuns) -> pd.DataFrame:
    """The skills of a row, means over seeds, in the order of the first run's report.

    Columns: ``skill``, its test instances ``n``, validation accuracy before teaching ``val`` (NaN without
    instances), test accuracies ``before`` and ``after`` (fractions), ``gain`` (points), and accepted ``records``.
    """
    runs = [row.runs[seed] for seed in row.seeds]
    first = runs[0].steps[0]
    records: Counter[str] = Counter()
    for run_ in runs:
        for line in run_.steps:
            records.update(line["allocation"])
    made = []
    for name, group in first["test"]["skills"].items():
        val = first["val"]["skills"].get(name, {}).get("value")
        scores = [[run_.steps[at]["test"]["skills"][name]["value"] for run_ in runs] for at in (0, -1)]
        before, after = (float(np.mean(values)) for values in scores)
        made.append([name, int(group["n"]), val, before, after, 100 * (after - before), records[name] / len(runs)])
    table = pd.DataFrame(made, columns=["skill", "n", "val", "before", "after", "gain", "records"])
    return table.astype({"val": float})


if __name__ == "__main__":
    run(Study(cells_of, summarise), PRESETS, __doc__)
