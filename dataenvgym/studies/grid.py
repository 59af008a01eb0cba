"""Grids of episodes: all cells run to their end, even if some die, and their summaries read.

A cell is one ``dataenvgym episode`` in a run directory of its own (cells.py). A script that makes a table lists its
cells, calls ``run_from`` and writes the results with tables.py; feedback_ablation.py is an example.

Finished cells are skipped without starting a process if their command and the files that it names have not changed;
interrupted ones are resumed; one that dies is tried again and, if that fails too, reported while the others go on.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dataenvgym.reading.over_seeds import TeacherRuns
from dataenvgym.reading.run import Run
from dataenvgym.studies.cells import ROOT, Cell
from dataenvgym.studies.launchers import Finished, Job, launch

PROGRAM = (sys.executable, "-m", "dataenvgym")


@dataclass(frozen=True)
class Results:
    """The run of every finished cell, by name and seed, and why others failed, by the name of the run directory."""

    runs: Mapping[tuple[str, int], Run]
    failures: Mapping[str, str]

    def teachers(self) -> dict[str, TeacherRuns]:
        """The runs of each row over its seeds, by the row's name."""
        found: dict[str, dict[int, Run]] = {}
        for (name, seed), run in sorted(self.runs.items(), key=lambda item: item[0]):
            run.check_finished()
            found.setdefault(name, {})[seed] = run
        return {name: TeacherRuns(name, runs) for name, runs in found.items()}

    def check(self) -> None:
        """Ends the program with the failed cells, one in a line, if there are any."""
        if self.failures:
            lines = [f"{folder}: {why}" for folder, why in self.failures.items()]
            raise SystemExit(
                "\n".join([f"{len(lines)} of the cells failed; the same command tries them again:", *lines])
            )


def run_grid(
    cells: Sequence[Cell],
    out: Path,
    jobs: int = 1,
    threads: int = 1,
    launcher: str = "local",
    gpus: float = 0.0,
    retries: int = 1,
    program: Sequence[str] = PROGRAM,
) -> Results:
    """Runs all cells that are not finished, and reads all.

    Args:
        cells: The cells; those of the same name and seed count once.
        out: Folder of the run directories; ``out/.grid`` keeps their logs.
        jobs: Cells side by side.
        threads: Threads of each cell: two cells of one thread finish sooner than one after the other with two.
        launcher: ``local``, ``warm`` or ``ray``.
        gpus: GPUs of each cell, for Ray.
        retries: How often a cell that died is tried again.
        program: What runs a cell, before its words.
    """
    out = out.absolute()
    (out / ".grid").mkdir(parents=True, exist_ok=True)
    unique = {cell.folder: cell for cell in cells}
    due = unfinished(cells, out)
    words = {cell.folder: cell.words(out) for cell in due}
    stamps = {folder: _stamp(said) for folder, said in words.items()}
    # A cell's process starts in this package's folder: parts named my_module.MyPolicy are looked for where the user is.
    paths = dict.fromkeys([str(ROOT), os.environ.get("PYTHONPATH", ""), os.getcwd()])
    environ = {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    work = [
        Job(
            folder,
            (*program, *said),
            ROOT,
            out / ".grid" / f"{folder}.log",
            environ,
            retries,
            begun=out / folder / "config.yaml",
        )
        for folder, said in words.items()
    ]
    failures = {}
    for end in _shown(launch(work, launcher, jobs, threads, gpus), len(unique), len(unique) - len(due), out):
        if end.error is None:
            (out / ".grid" / f"{end.name}.json").write_text(stamps[end.name], encoding="utf-8")
        else:
            failures[end.name] = f"{end.error} (tried {end.tries} times, log in {end.log})"
    finished = {
        (cell.name, cell.seed): Run(out / cell.folder) for cell in unique.values() if cell.folder not in failures
    }
    return Results(finished, failures)


def unfinished(cells: Sequence[Cell], out: Path) -> list[Cell]:
    """What ``run_grid`` has to run of these cells."""
    out = out.absolute()
    left = []
    for folder, cell in {cell.folder: cell for cell in cells}.items():
        kept = out / ".grid" / f"{folder}.json"
        # Another command, or other files that it names, are for ``dataenvgym episode`` to refuse.
        same = kept.is_file() and kept.read_text(encoding="utf-8") == _stamp(cell.words(out))
        if not same or Run(out / folder).status != "finished":
            left.append(cell)
    return left


def add_grid_arguments(
    parser: argparse.ArgumentParser,
    out: Path | None,
    seeds: int | None = 8,
    jobs: int = 2,
    launcher: str | None = "local",
) -> None:
    """The options that every grid has; what follows ``--`` on the command line goes to all cells."""
    parser.add_argument("--seeds", type=int, default=seeds, help="number of seeds, from 0")
    parser.add_argument("--first_seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=jobs, help="episodes side by side")
    parser.add_argument("--threads", type=int, default=1, help="threads of each episode")
    parser.add_argument("--out", type=Path, default=out, help="folder of the run directories")
    parser.add_argument(
        "--launcher",
        choices=("local", "warm", "ray"),
        default=launcher,
        help="warm: forked from one process that has imported all; ray: at RAY_ADDRESS, or here",
    )
    parser.add_argument("--gpus_per_cell", type=float, default=0.0, help="GPUs of each episode, for ray")
    parser.add_argument("options", nargs="*", help="further options of `dataenvgym episode`, after --")


def add_budget_arguments(parser: argparse.ArgumentParser, task: str) -> None:
    """The options of grids that teach one student one task."""
    parser.add_argument("--task", default=task, help="fragment under configs/tasks")
    parser.add_argument("--student", default="tiny_text", help="fragment under configs/students")
    parser.add_argument("--max_records", type=int, default=1000)
    parser.add_argument("--max_steps", type=int, default=5)


def cell_from(arguments: argparse.Namespace, name: str, seed: int, environment: str, teacher: str) -> Cell:
    """An episode with the options of ``add_budget_arguments``."""
    fragments = (
        f"tasks/{arguments.task}",
        f"students/{arguments.student}",
        f"environments/{environment}",
        f"teachers/{teacher}",
    )
    budget = {f"environment.budget.{limit}": getattr(arguments, limit) for limit in ("max_records", "max_steps")}
    return Cell(name, seed, fragments, budget, tuple(arguments.options))


def run_from(arguments: argparse.Namespace, cells: Sequence[Cell]) -> Results:
    """Runs cells as the options of ``add_grid_arguments`` say."""
    return run_grid(
        cells, arguments.out, arguments.jobs, arguments.threads, arguments.launcher, arguments.gpus_per_cell
    )


def seeds_of(arguments: argparse.Namespace) -> list[int]:
    """The seeds that the options of ``add_grid_arguments`` name."""
    return list(range(arguments.first_seed, arguments.first_seed + arguments.seeds))


def _shown(ends: Iterator[Finished], total: int, skipped: int, out: Path) -> Iterator[Finished]:
    console = Console(highlight=False, soft_wrap=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("episodes", total=total, completed=skipped)
        if skipped:
            console.print(f"{skipped} of {total} episodes are finished already", markup=False)
        for end in ends:
            if end.error is None:
                run = Run(out / end.name)
                text = f"test {run.before.test:.3f} → {run.after.test:.3f}"
            else:
                text = f"FAILED, {end.error}"
            console.print(f"{end.name:<24} {text}  ({end.seconds:.0f} s)", markup=False)
            progress.advance(bar)
            yield end


def _stamp(words: Sequence[str]) -> str:
    files = [Path(word) for word in words if word.endswith((".yaml", ".yml")) and Path(word).is_file()]
    hashes = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return json.dumps({"words": list(words), "files": hashes}, indent=1)
