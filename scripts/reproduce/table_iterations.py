"""Step by step: curves of the episodes, and the best step with its records, its cost and the luck of choosing it.

    python scripts/reproduce/table_iterations.py --preset embedded --seeds 3

The cells are those of the main table with state. The best step is chosen on validation, and the highest of several
validation accuracies is too high: *corrected* is what such a choice is worth on instances that took no part in it.
"""

from collections.abc import Sequence

import numpy as np
from presets import PRESETS
from table_skills import cells_of

from dataenvgym.reading.over_seeds import TeacherRuns
from dataenvgym.studies.figures import Curve, Panel, draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Output, Rows, Study, run
from dataenvgym.studies.tables import Number, Table, accuracy

_TEACHERS = {"random": "random records (floor)", **ENVIRONMENTS}


def summarise(preset: Preset, rows: Rows) -> Output:
    """The best steps, and the curves."""
    columns = ["domain", "teacher", "best step", "records", "dollars", "val at best, as chosen", "val, corrected"]
    columns += ["luck, points", "test at best", "test after the last", "test gain at best (by instance)"]
    table = Table(columns, "The best step on validation: what it took, and what it is worth; means over seeds")
    panels = []
    for domain, place in preset.domains.items():
        found = [(label, row) for name, label in _TEACHERS.items() if (row := rows.get(f"{domain}-{name}")) is not None]
        for label, row in found:
            best = row.best()
            records, usd = (_at_best(row, key) for key in ("pool", "usd"))
            gain = row.gain("best").by_instance
            table.add(
                place.label,
                label,
                ", ".join(str(one.step) for one in best),
                Number(records, digits=0),
                "unknown" if usd is None else Number(usd, digits=2),
                Number(100 * _mean([one.naive for one in best])),
                Number(100 * _mean([one.corrected for one in best])),
                Number(_mean([one.optimism for one in best]), signed=True),
                accuracy(row.accuracies("best")),
                Number(100 * row.accuracy()),
                Number(gain.points, gain.ci95, signed=True),
            )
        panel = Panel(place.label)
        for label, row in found:
            runs = row.runs.values()
            steps = range(min(len(one.steps) for one in runs))
            values = np.array([[100 * one.accuracy(step) for step in steps] for one in runs])
            pool = [_mean([float(one.steps[step]["pool"]) for one in runs]) for step in steps]
            panel.curves.append(Curve(label, pool, values.mean(axis=0), values.min(axis=0), values.max(axis=0)))
        panels += [panel] if found else []
    table.notes.append(
        "The paper's best student on MATH, Open-Ended: iteration 10, 752† records, about $17† and 4† GPU-hours."
    )
    return Output({"iterations": table}, {"iterations": draw(panels, "records", "test accuracy, %")} if panels else {})


def _at_best(row: TeacherRuns, key: str) -> float | None:
    """Records or dollars spent up to the best step, mean over seeds; None if a price is not known."""
    lines = [run_.steps[run_.best_step] for run_ in row.runs.values()]
    values = [line["cost"].get("usd") if key == "usd" else line[key] for line in lines]
    return None if None in values else _mean([float(value) for value in values])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    run(Study(cells_of, summarise), PRESETS, __doc__)
