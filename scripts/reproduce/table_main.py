"""The main table (Table 2 of the paper): what each environment's teacher does for a student, with and without state.

    python scripts/reproduce/table_main.py --preset embedded --seeds 3
    python scripts/reproduce/table_main.py --preset paper --dry_run

Rows are the three environments, each with the teacher as it is (*with state*) and with the same policy that is shown
nothing of the student (*no state*), and two floors: valid records at random, and more epochs of step 1's records. The
command can be stopped and started again: finished cells are skipped and interrupted ones go on.
"""

from __future__ import annotations

from cells import Cell
from presets import ENVIRONMENTS, Preset


def cells_of(preset: Preset, seed: int) -> list[Cell]:
    """The episodes of a seed; an Open-Ended teacher without state is the floor of random records itself."""
    cells = []
    for domain in preset.domains:
        taught = [preset.cell(domain, environment, seed) for environment in ENVIRONMENTS]
        cells += [*taught, preset.random_records(domain, seed)]
        cells += [preset.without_state(cell) for cell in taught[1:]]
        cells += [preset.more_epochs(cell) for cell in taught]
    return cells
