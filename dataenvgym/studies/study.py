"""What every ``table_*.py`` does: read the options, run the grid, write the tables and the figures.

A study is its cells and what is made of them; ``run`` is the rest. The results are in ``<out>/tables``: every table as
Markdown, CSV and LaTeX, every figure as PNG and SVG.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dataenvgym.reading.over_seeds import TeacherRuns
from dataenvgym.studies.cells import ROOT, Cell, undiscovered
from dataenvgym.studies.figures import save
from dataenvgym.studies.grid import PROGRAM, Results, add_grid_arguments, run_from, seeds_of
from dataenvgym.studies.presets import Preset
from dataenvgym.studies.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = Mapping[str, TeacherRuns]


@dataclass
class Output:
    """What is made of a finished grid: tables and figures by the names of their files."""

    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A table of the paper, as data.

    Args:
        cells_of: The episodes of a seed.
        summarise: Tables and figures of the finished rows; a row of which every cell failed is missing.
        seeds: How many seeds are run unless the command says otherwise.
        domain: The one domain that it is about; None if it is about all.
    """

    cells_of: Callable[[Preset, int], list[Cell]]
    summarise: Callable[[Preset, Rows], Output]
    seeds: int = 3
    domain: str | None = None


def run(study: Study, presets: Mapping[str, Preset], description: str | None) -> None:
    """The command line of a study on one of the presets, the first by default; the description is what ``--help`` says.

    If cells failed, the tables are written without them, with a note, and the program exits.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--preset",
        choices=tuple(presets),
        default=next(iter(presets)),
        help="embedded: procedural tasks and tiny students, offline; paper: benchmarks, large students, chat models; "
        "rehearsal: the paper's from end to end with stand-ins for all that costs money",
    )
    parser.add_argument(
        "--dry_run", action="store_true", help="print calls, dollars and GPU-hours to expect; run nothing"
    )
    parser.add_argument("--domains", nargs="+", metavar="NAME", help="of these domains only")
    add_grid_arguments(parser, out=None, seeds=None, launcher=None)
    arguments = parser.parse_args()
    preset = replace(presets[arguments.preset], options=tuple(arguments.options))
    if arguments.out is not None:
        preset = replace(preset, out=arguments.out.absolute())
    if names := arguments.domains:
        if unknown := [name for name in names if name not in preset.domains]:
            raise SystemExit(f"--domains {unknown[0]}: preset {preset.name} has {', '.join(preset.domains)}.")
        if study.domain is not None and study.domain not in names:
            raise SystemExit(
                f"--domains {' '.join(names)}: this table is about {study.domain} alone; leave the option out."
            )
        preset = replace(preset, domains={name: preset.domains[name] for name in names})
    arguments.out, arguments.launcher = preset.folder, arguments.launcher or preset.launcher
    arguments.seeds = preset.seeds or study.seeds if arguments.seeds is None else arguments.seeds
    cells = [cell for seed in seeds_of(arguments) for cell in study.cells_of(preset, seed)]
    with nullcontext() if preset.surroundings is None else preset.surroundings():
        if arguments.dry_run:
            from dataenvgym.studies.forecast import forecast

            print(forecast(cells, preset, arguments.jobs))
            return
        discover_skills(cells)
        results = run_from(arguments, cells)
    output = study.summarise(preset, results.teachers())
    for figure in output.figures.values() if preset.note else ():
        figure.suptitle(preset.name.upper(), color="#b00000")
    notes = [*([f"**{preset.note}**"] if preset.note else []), *provenance(arguments, results)]
    written = write(output, preset.folder / "tables", notes)
    for table in output.tables.values():
        print(f"\n{table.markdown()}")
    print("\n".join(str(path) for path in written))
    results.check()


def write(output: Output, folder: Path, notes: Sequence[str] = ()) -> list[Path]:
    """Writes tables and figures; the notes go below every table."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, table in output.tables.items():
        table.notes += notes
        made += table.write(folder / name)
    for name, figure in output.figures.items():
        made += save(figure, folder / name)
    return made


def provenance(arguments: argparse.Namespace, results: Results) -> list[str]:
    """How the numbers came about: command, seeds, machine, and what failed."""
    seeds = seeds_of(arguments)
    seconds = [sum(run.summary["seconds"].values()) for run in results.runs.values()]
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    lines = [
        f"`python scripts/reproduce/{command}`; seeds {min(seeds)} to {max(seeds)}, {len(seconds)} episodes of "
        f"{sum(seconds) / max(1, len(seconds)):.0f} s on average, {arguments.threads} thread(s) each; "
        f"{platform.machine()}, {os.cpu_count()} cores.",
    ]
    return lines + [f"Failed, and not in the table: {name} ({why})." for name, why in results.failures.items()]


def discover_skills(cells: Sequence[Cell]) -> None:
    """Makes the files of discovered skills that cells name and that are not there yet.

    Cells of all seeds share them; side by side, each would discover its own.
    """
    for cell in cells:
        if (settings := undiscovered(cell)) is None:
            continue
        words = ["discover-skills", *cell.setting_words(("task", "teacher")), "--out", settings["path"]]
        if settings.get("num_categories"):
            words += ["--num_categories", str(settings["num_categories"])]
        if code := subprocess.run([*PROGRAM, *words], cwd=ROOT, check=False).returncode:
            raise SystemExit(code)
