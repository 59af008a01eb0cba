"""Which skills gain? Gain by skill against the skill's accuracy before teaching and against the records it was given.

    python scripts/reproduce/table_skills.py --preset embedded --seeds 3

The cells are those of the main table with state. Skills are sorted into hard, middling and easy by *validation*
accuracy, and their gain is measured on *test*: sorted by the same instances that measure the gain, skills that were low
by chance would rise by chance.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from presets import PRESETS

from dataenvgym.reading.over_seeds import TeacherRuns
from dataenvgym.studies.cells import Cell
from dataenvgym.studies.figures import Panel, draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Output, Rows, Study, run
from dataenvgym.studies.tables import Number, Table

_BINS = (("below 1/3", 0.0, 1 / 3), ("1/3 to 2/3", 1 / 3, 2 / 3), ("above 2/3", 2 / 3, 1.01))


@dataclass(frozen=True)
class Skill:
    """A skill in one row, averaged over seeds: accuracies (fractions) on test before and after, and accepted records.

    ``n`` counts its test instances. ``val`` is validation accuracy before teaching; None without instances.
    """

    name: str
    n: int
    val: float | None
    before: float
    after: float
    records: float

    @property
    def gain(self) -> float:
        """The gain on test, in points."""
        return 100 * (self.after - self.before)


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
            by_difficulty.add(place.label, label, *(_bin(skills, low, high) for _, low, high in _BINS), _rank(skills))
            for skill in skills:
                numbers = Number(100 * skill.before), Number(100 * skill.after), Number(skill.gain, signed=True)
                every.add(place.label, label, skill.name, str(skill.n), *numbers, Number(skill.records, digits=0))
            panel.points += [(label, 100 * skill.before, skill.gain) for skill in skills]
        if panel.points:
            panels.append(panel)
    by_difficulty.notes.append(
        "The paper finds the largest gains on skills of middling difficulty and on frequent skills†. "
        "Here every skill has as many evaluation instances, so that frequent means: given more records."
    )
    figures = {"skills": draw(panels, "accuracy before teaching, %", "gain, points")} if panels else {}
    return Output({"skills": by_difficulty, "skills_each": every}, figures)


def skills_of(row: TeacherRuns) -> list[Skill]:
    """The skills of a row, in the order of the first run's report."""
    runs = [row.runs[seed] for seed in row.seeds]
    first = runs[0].steps[0]["test"]["skills"]
    records: Counter[str] = Counter()
    for run_ in runs:
        for line in run_.steps:
            records.update(line["allocation"])
    made = []
    for name, group in first.items():
        lines = [(run_.steps[0], run_.steps[-1]) for run_ in runs]
        val = lines[0][0]["val"]["skills"].get(name, {}).get("value")
        before, after = (float(np.mean([pair[at]["test"]["skills"][name]["value"] for pair in lines])) for at in (0, 1))
        made.append(Skill(name, int(group["n"]), val, before, after, records[name] / len(runs)))
    return made


def _bin(skills: Sequence[Skill], low: float, high: float) -> str:
    chosen = [skill for skill in skills if skill.val is not None and low <= skill.val < high]
    if not chosen:
        return ""
    gain, records = (float(np.mean([getattr(skill, name) for skill in chosen])) for name in ("gain", "records"))
    return f"{gain:+.1f} ({len(chosen)}, {records:.0f})"


def _rank(skills: Sequence[Skill]) -> Number:
    """Spearman's correlation of records and gain over skills; empty where either does not vary."""
    from scipy import stats

    gains, records = [skill.gain for skill in skills], [skill.records for skill in skills]
    if len(set(gains)) < 2 or len(set(records)) < 2:
        return Number(None)
    return Number(float(stats.spearmanr(gains, records).statistic), digits=2, signed=True)


if __name__ == "__main__":
    run(Study(cells_of, summarise), PRESETS, __doc__)
