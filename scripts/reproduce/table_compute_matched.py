"""More data or more training? A tenth of the data for ten times the epochs, against all of it, at the same compute.

    python scripts/reproduce/table_compute_matched.py --preset embedded --seeds 3

The tenth is a tenth of the records in as many steps, so that every step trains on as many records, repeats counted, as
the full budget's does. The full cells and the floors are those of the main table.
"""

from presets import PRESETS
from published import APART, accuracy_in_paper

from dataenvgym.reading.over_seeds import p_values
from dataenvgym.studies.cells import Cell, more_epochs
from dataenvgym.studies.comparisons import bars, percent
from dataenvgym.studies.figures import draw
from dataenvgym.studies.presets import ENVIRONMENTS, Preset
from dataenvgym.studies.study import Output, Rows, Study, run
from dataenvgym.studies.tables import Table, compared, published

# The paper's control: on MATH, Open-Ended, 10 % of the data for 30 epochs in place of 3.
DOMAIN = "math"
# All records, a tenth of them, and step 1's, at the same compute: how cells' names go on after the environment.
SERIES = {"all records": "", "a tenth, ten times the epochs": "-tenth", "floor: step 1, more epochs": "-more_epochs"}
_PAPER_TENTH = published(13.98, "B")


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed."""
    full = [preset.cell(DOMAIN, environment, seed) for environment in ENVIRONMENTS]
    floors = [preset.random_records(DOMAIN, seed), *(more_epochs(cell) for cell in full)]
    # Where skills have limits and the episode has none, nobody knows beforehand what a tenth is: no control there.
    budget = preset.domains[DOMAIN].records or preset.records
    limited = [cell for cell in full if cell.setting("environment.budget.max_records") == budget]
    return [*full, *(tenth(preset, cell) for cell in limited), *floors]


def tenth(preset: Preset, cell: Cell) -> Cell:
    """A cell with a tenth of the records and ten times the epochs."""
    records, epochs = (cell.setting(key) for key in ("environment.budget.max_records", "trainer.max_epochs"))
    if records is None or epochs is None:
        raise SystemExit(f"{cell.name}: the control needs environment.budget.max_records and trainer.max_epochs.")
    changes = {"environment.budget.max_records": max(1, records // 10), "trainer.max_epochs": 10 * epochs}
    return cell.changed("tenth", changes)


def summarise(preset: Preset, rows: Rows) -> Output:
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
        table.notes.append(f"Before teaching: {before:.1f} % here, {there} there. {APART[preset.name]}")
    panel = bars(
        label,
        rows,
        (
            (ENVIRONMENTS[name], what, f"{DOMAIN}-{name}{ending}")
            for name in ENVIRONMENTS
            for what, ending in SERIES.items()
        ),
        {"floor: random records": f"{DOMAIN}-random"},
    )
    figure = draw([panel], y="test gain, points")
    return Output({"compute_matched": table}, {"compute_matched": figure} if found else {})


if __name__ == "__main__":
    run(Study(cells_of, summarise, domain=DOMAIN), PRESETS, __doc__)
