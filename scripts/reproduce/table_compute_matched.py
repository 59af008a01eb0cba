"""More data or more training? A tenth of the data for ten times the epochs, against all of it, at the same compute.

    python scripts/reproduce/table_compute_matched.py --preset embedded --seeds 3

The tenth is a budget of a tenth of the records in as many steps, so that every step trains on as many records, repeats
counted, as the full budget's does. The full cells and the floors are those of the main table, and are not run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presets import PRESETS
from published import accuracy_in_paper, apart_from_ours

from dataenvgym.reading.over_seeds import p_values
from dataenvgym.studies.against import bar, percent
from dataenvgym.studies.cells import Cell
from dataenvgym.studies.figures import Panel, draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Outcome, Rows, Study, run
from dataenvgym.studies.tables import Table, compared, published

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The paper's control: on MATH, Open-Ended, 10 % of the data for 30 epochs in place of 3.
DOMAIN = "math"
_PAPER_TENTH = published(13.98, "B")


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed."""
    full = [preset.cell(DOMAIN, environment, seed) for environment in ENVIRONMENTS]
    floors = [preset.random_records(DOMAIN, seed), *(preset.more_epochs(cell) for cell in full)]
    return [*full, *(tenth(preset, cell) for cell in full), *floors]


def tenth(preset: Preset, cell: Cell) -> Cell:
    """A cell with a tenth of the records and ten times the epochs."""
    records, epochs = (cell.setting(key) for key in ("environment.budget.max_records", "trainer.max_epochs"))
    if records is None or epochs is None:
        raise SystemExit(f"{cell.name}: the control needs environment.budget.max_records and trainer.max_epochs.")
    changes = {"environment.budget.max_records": max(1, records // 10), "trainer.max_epochs": 10 * epochs}
    return cell.changed("tenth", changes)


def summarise(preset: Preset, rows: Rows) -> Outcome:
    """All records against a tenth of them."""
    label = preset.domains[DOMAIN].label
    columns = [
        "teacher",
        "all records",
        "a tenth, ten times the epochs",
        "all minus a tenth (by instance)",
        "(by seed)",
    ]
    columns += ["detectable", "p (Holm)", "floor: random records", "floor: step 1, more epochs"]
    table = Table([*columns, "paper: all", "paper: a tenth"], f"Test accuracy (%) after the last step, {label}")
    found = [name for name in ENVIRONMENTS if {f"{DOMAIN}-{name}", f"{DOMAIN}-{name}-tenth"} <= rows.keys()]
    made = [rows[f"{DOMAIN}-{name}"].minus(rows[f"{DOMAIN}-{name}-tenth"]) for name in found]
    for name, one, p_value in zip(found, made, p_values(made), strict=True):
        cells = (f"{DOMAIN}-{name}", f"{DOMAIN}-{name}-tenth"), (f"{DOMAIN}-random", f"{DOMAIN}-{name}-more_epochs")
        own, floors = ([percent(rows, cell) for cell in pair] for pair in cells)
        in_paper = [accuracy_in_paper(DOMAIN, name, "with"), _PAPER_TENTH if name == "open_ended" else ""]
        table.add(ENVIRONMENTS[name], *own, *compared(one, p_value), *floors, *in_paper)
    before = next((100 * row.accuracy("before") for row in rows.values()), None)
    if before is not None:
        there = accuracy_in_paper(DOMAIN, "before").text()
        table.notes.append(f"Before teaching: {before:.1f} % here, {there} there. {apart_from_ours(preset.name)}")
    return Outcome({"compute_matched": table}, {"compute_matched": figure(rows, label)} if found else {})


def figure(rows: Rows, label: str) -> Figure:
    """Bars of all records, a tenth of them, and step 1's, at the same compute."""
    series = {
        "all records": "",
        "a tenth, ten times the epochs": "-tenth",
        "floor: step 1, more epochs": "-more_epochs",
    }
    bars = [
        bar(ENVIRONMENTS[name], what, row)
        for name in ENVIRONMENTS
        for what, ending in series.items()
        if (row := rows.get(f"{DOMAIN}-{name}{ending}")) is not None
    ]
    random = rows.get(f"{DOMAIN}-random")
    levels = {} if random is None else {"floor: random records": random.gain().points}
    return draw([Panel(label, bars, levels=levels)], y="test gain, points")


if __name__ == "__main__":
    run(Study(cells_of, summarise, domain=DOMAIN), PRESETS, __doc__)
