"""What a grid will cost, before it is run: the ``--dry_run`` of every table.

    python scripts/reproduce/table_main.py --preset paper --dry_run

Each row's first unfinished cell is gone through as ``dataenvgym episode --dry_run`` does it, and counts for all seeds.
GPU-hours are steps times ``presets.Domain.gpu_minutes``; minutes are the mean of the domain's finished episodes.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from dataenvgym.reading.run import Run
from dataenvgym.studies.cells import Cell, undiscovered
from dataenvgym.studies.grid import unfinished
from dataenvgym.studies.presets import Domain, Preset
from tasks.errors import ConfigurationError, DataEnvGymError, MissingFileError, causes, one_line
from teachers.chat.meter import Expected, Rehearsal

# Calls of this purpose find the skills of a domain, which study.discover_skills freezes once for all cells.
_DISCOVERY = "skills"

_COLUMNS = ("row", "episodes", "calls", "input tokens", "output tokens", "dollars", "GPU-hours", "minutes each")


@dataclass(frozen=True)
class Expectation:
    """One row of a forecast: its unfinished episodes with calls, tokens (``input``, ``output``), dollars, GPU-hours.

    ``minutes`` are those of one episode. None is what is not known, or GPU-hours of a row that needs no GPU; if there
    is a ``problem``, calls, tokens and dollars cannot be estimated and are 0.
    """

    name: str
    episodes: int
    calls: int = 0
    input: int = 0
    output: int = 0
    usd: float | None = 0.0
    gpu_hours: float | None = None
    minutes: float | None = None
    problem: str = ""
    note: str = ""


def forecast(cells: Sequence[Cell], preset: Preset, jobs: int) -> str:
    """What the unfinished cells will cost by row and in total: a table for a terminal, or else Markdown.

    Raises:
        SystemExit: Some rows cannot be estimated: their benchmark cannot be reached, or an option is wrong. The other
            rows have been printed, and the exit status is 2.
    """
    due = unfinished(cells, preset.folder)
    rows: dict[str, list[Cell]] = {}
    for cell in sorted(due, key=lambda cell: cell.seed):
        rows.setdefault(cell.name, []).append(cell)
    finished: dict[str, list[float]] = {}
    for path in sorted(preset.folder.glob("*")):
        domain = _domain(path.name, preset)
        if domain is not None and (run := Run(path)).status == "finished":
            finished.setdefault(domain.name, []).append(sum(run.summary["seconds"].values()))
    seconds = {name: sum(values) / len(values) for name, values in finished.items()}
    found: dict[str, Expectation] = {}
    unreachable: dict[tuple[str, ...], str] = {}
    with Console(stderr=True).status("") as status:
        for name, members in rows.items():
            status.update(f"going through {name}")
            for row in _expect(members, preset, seconds, unreachable):
                found.setdefault(row.name, row)
    expected = list(found.values())
    done = len({cell.folder for cell in cells}) - len(due)
    text = "\n".join([_drawn(expected), "", *_told(expected, done, jobs), *_missing(expected, preset)])
    if any(row.problem for row in expected):
        print(text)
        raise SystemExit(2)
    return text


def _expect(
    members: Sequence[Cell], preset: Preset, seconds: Mapping[str, float], unreachable: dict[tuple[str, ...], str]
) -> list[Expectation]:
    """A row, and the discovery of the skills that it shares with other rows, if they are not known yet.

    ``unreachable`` keeps why a task's files are out of reach, by its settings, so that each is tried once.
    """
    cell = members[0]
    domain, steps = _domain(cell.name, preset), cell.setting("environment.budget.max_steps")
    row = Expectation(cell.name, len(members))
    if domain is not None and domain.gpu_minutes is None and domain.name in seconds:
        row = replace(row, minutes=seconds[domain.name] / 60)
    elif domain is not None and domain.gpu_minutes is not None and steps is not None:
        minutes = steps * domain.gpu_minutes
        row = replace(row, minutes=minutes, gpu_hours=row.episodes * minutes / 60)
    task = (*cell.setting_words(("task",)), *cell.options)
    if task in unreachable:
        return [replace(row, problem=unreachable[task])]
    try:
        rehearsal, cap = _rehearse(cell.words(preset.folder))
    except DataEnvGymError as error:
        problem = " ".join(str(error).split())
        if isinstance(error, MissingFileError):
            unreachable[task] = problem
        return [replace(row, problem=problem)]
    to_find = undiscovered(cell)
    path = None if to_find is None else Path(to_find["path"])
    shared = [call for call in rehearsal.calls if path is not None and call.purpose == _DISCOVERY]
    own = [call for call in rehearsal.calls if not shared or call.purpose != _DISCOVERY]
    one = _priced(row, own, 1)
    if cap is not None and one.usd is not None and one.usd > cap:
        row = replace(row, note=f"teacher.init_args.max_usd is {cap:.2f} and ends an episode of ${one.usd:.2f} early.")
    rows = [_priced(row, own, len(members))]
    if path is not None and shared:
        rows.append(_priced(Expectation(f"skills of {path.stem}, once", 0), shared, 1))
    return rows


def _rehearse(words: Sequence[str]) -> tuple[Rehearsal, float | None]:
    from jsonargparse import ArgumentError

    from dataenvgym.cli.episode import rehearse_episode  # torch, which is not needed to print --help

    logger = logging.getLogger("tasks")
    level = logger.level
    logger.setLevel(logging.ERROR)  # a task would say the same for each of its rows
    try:
        return rehearse_episode(words[1:])  # the first word is the command
    except ArgumentError as error:
        raise ConfigurationError(one_line(str(error))) from None
    except Exception as error:
        known = next((cause for cause in causes(error) if isinstance(cause, DataEnvGymError)), None)
        if known is None or known is error:
            raise
        raise known from None
    finally:
        logger.setLevel(level)


def _priced(row: Expectation, calls: Sequence[Expected], episodes: int) -> Expectation:
    total = Rehearsal(list(calls)).sums()["total"]
    usd = None if total["usd"] is None else total["usd"] * episodes
    counts = {name: total[name] * episodes for name in ("calls", "input", "output")}
    return replace(row, usd=usd, **counts)


def _domain(name: str, preset: Preset) -> Domain | None:
    return next((domain for domain in preset.domains.values() if name.startswith(f"{domain.name}-")), None)


def _told(rows: Sequence[Expectation], finished: int, jobs: int) -> list[str]:
    due = sum(row.episodes for row in rows)
    lines = [f"{due} episodes to run" + (f", {finished} are finished already." if finished else ".")]
    if any(row.calls for row in rows):
        lines.append("Calls, tokens and dollars are estimates; retries and records made up for come on top.")
    if any(row.calls and row.usd is None for row in rows):
        lines.append("No price is known for a model: give teacher.init_args.prices to see dollars.")
    timed = [(row.minutes, row) for row in rows if row.minutes is not None and row.episodes]
    untimed = sum(row.minutes is None and row.episodes > 0 for row in rows)
    if timed:
        # However many run side by side, none is faster than the longest.
        minutes = sum(row.episodes * minutes for minutes, row in timed) / max(1, jobs)
        minutes = max(minutes, *(each for each, _ in timed))
        shared = " with a GPU each" if any(row.gpu_hours for _, row in timed) else ""
        side_by_side = f"{jobs} side by side{shared}" if jobs > 1 else "one after the other"
        hours, rest = divmod(max(1, round(minutes)), 60)
        about = f"{hours} h {rest} min" if hours else f"{rest} min"
        lines.append(f"Wall clock: about {about}, {side_by_side}; waiting for chat models not counted.")
    if untimed:
        known = f"{untimed} of {len(timed) + untimed} rows" if timed else "all rows"
        lines.append(f"Minutes not known of {known}: no episode of their domains is finished in this folder.")
    return [*lines, *(f"{row.name}: {row.note}" for row in rows if row.note)]


def _missing(rows: Sequence[Expectation], preset: Preset) -> list[str]:
    """Why some rows cannot be estimated, a line for each reason, and how many they are."""
    problems: dict[str, list[str]] = {}
    for row in rows:
        if row.problem:
            problems.setdefault(row.problem, []).append(row.name)
    lines = []
    for problem, names in problems.items():
        # A benchmark that cannot be reached is missing in every row of its domain.
        by_domain: dict[str, list[str]] = {}
        for name in names:
            domain = _domain(name, preset)
            by_domain.setdefault(name if domain is None else domain.name, []).append(name)
        said = [own[0] if len(own) == 1 else f"{len(own)} rows of {domain}" for domain, own in by_domain.items()]
        lines.append(f"{', '.join(said)}: {problem}")
    if problems:
        count = sum(map(len, problems.values()))
        lines.append(f"Missing from the total: calls, tokens and dollars of {count} of {len(rows)} rows.")
    return lines


def _drawn(rows: Sequence[Expectation]) -> str:
    on_terminal = sys.stdout.isatty()
    table = RichTable(box=box.SIMPLE_HEAD if on_terminal else box.MARKDOWN)
    known = [row for row in rows if not row.problem]
    dollars, hours = [row.usd for row in known], [row.gpu_hours for row in rows if row.gpu_hours is not None]
    total = Expectation(
        "total" if len(known) == len(rows) else f"total without {len(rows) - len(known)} rows",
        sum(row.episodes for row in rows),
        sum(row.calls for row in known),
        sum(row.input for row in known),
        sum(row.output for row in known),
        None if None in dollars else sum(usd or 0.0 for usd in dollars),
        sum(hours) if hours else None,
    )
    lines = []
    for row in (*rows, total):
        usd = "?" if row.usd is None else f"{row.usd:,.2f}"
        spent = ["?"] * 4 if row.problem else [f"{row.calls:,}", f"{row.input:,}", f"{row.output:,}", usd]
        taken = ["" if value is None else f"{value:.1f}" for value in (row.gpu_hours, row.minutes)]
        lines.append([row.name, str(row.episodes or ""), *spent, *taken])
    shown = [place for place in range(len(_COLUMNS)) if any(line[place] for line in lines)]
    for place in shown:
        table.add_column(_COLUMNS[place], justify="right" if place else "left", no_wrap=True)
    for line in lines:
        last = on_terminal and line is lines[-1]
        table.add_row(*(line[place] for place in shown), style="bold" if last else None)
    # Wide enough for any table, so that nothing is folded where no terminal reads it.
    console = Console(width=None if on_terminal else 400, highlight=False, soft_wrap=True)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines() if line.strip())
