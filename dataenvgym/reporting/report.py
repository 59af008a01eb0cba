"""report.html: one self-contained page about one run, or about several compared, made from their files alone."""

import base64
import itertools
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dataenvgym.reading.curves import CurvePoint, curve
from dataenvgym.reading.diagnostics import ledger, lineage
from dataenvgym.reading.run import SPLITS, Json, Run, read_run
from dataenvgym.reporting import charts
from dataenvgym.reporting.pages import UNKNOWN, page, points
from environments.run.episode_logger import spread
from environments.run.progress import duration
from tasks.errors import ConfigurationError, RecordError, failing_as
from tasks.images import Image
from tasks.records import write_atomic
from tasks.types import Split

_SPLIT_NAMES = {"val": "Validation", "test": "Test"}
_PHASES = ("teacher", "fit", "evaluate", "other")
_SHOWN_RECORDS, _SHOWN_ERRORS, _SHOWN_FORGOTTEN = 6, 12, 4

Curves = Mapping[Split, list[CurvePoint]]


def write_report(run_dirs: Sequence[Path], output: Path | None = None, regrets: bool = False) -> Path:
    """Writes the report of one run, or a comparison of several with a section for each; returns its path.

    By default it is report.html in the run directory, or in the folder that holds all of them. With ``regrets`` it says
    what runs whose student has a simulated twin fell short of the best allocation (``dataenvgym.suite.twins``), which
    takes some seconds for each.

    Raises:
        MissingFileError: A folder is not a run directory.
        RecordError: A file of a run is damaged, or names an image that cannot be shown.
        ConfigurationError: No folder was given.
        StorageError: The page cannot be written.
    """
    if not run_dirs:
        raise ConfigurationError("A report needs at least one run directory, got none: name one.")
    runs = [read_run(path) for path in run_dirs]
    if output is None:
        folder = runs[0].path if len(runs) == 1 else os.path.commonpath([run.path.absolute().parent for run in runs])
        output = Path(folder) / "report.html"
    # No schema can find values of a file that contradict those of another.
    shown = ", ".join(str(path) for path in run_dirs)
    with failing_as(RecordError, f"The files of {shown} do not fit together", "restore them"):
        text = render(runs, regrets)
    write_atomic(output, text.encode("utf-8", errors="replace"))  # a reply may hold half a surrogate pair
    return output


def render(runs: Sequence[Run], regrets: bool = False) -> str:
    """The page of one run or of several as HTML text; see ``write_report``."""
    names = [run.name for run in runs]
    if len(set(names)) < len(names):  # as much of the paths as tells folders of the same name apart
        paths = [run.path.resolve() for run in runs]
        root = Path(os.path.commonpath(paths))
        names = [name if path == root else os.path.relpath(path, root) for name, path in zip(names, paths, strict=True)]
    curves = [{split: found for split in SPLITS if (found := curve(run, split))} for run in runs]
    pairs = list(zip(names, runs, curves, strict=True))
    return page(
        "report.html.jinja",
        title=f"Run {names[0]}" if len(runs) == 1 else f"{len(runs)} runs compared",
        runs=[
            _section(run, f"r{index}", own) | {"name": name, "regret": _regret(run) if regrets else None}
            for index, (name, run, own) in enumerate(pairs)
        ],
        comparison={
            "charts": [
                {
                    "split": _SPLIT_NAMES[split],
                    **_drawn({name: own[split] for name, _, own in pairs if split in own}, f"all-{split}"),
                }
                for split in reversed(SPLITS)
            ],
            "rows": [
                {
                    "name": name,
                    "status": run.status,
                    **{key: _plain(run.summary.get(key)) for key in ("environment", "teacher", "seed", "records")},
                    "headlines": _headlines(run),
                }
                for name, run, _ in pairs
            ],
            "grouped": any(_grouped(run) for run in runs),
        }
        if len(runs) > 1
        else None,
    )


def _section(run: Run, prefix: str, curves: Curves) -> Json:
    summary = run.summary
    skills, cost = summary.get("skills") or {}, summary.get("cost") or {}
    errors = {step: run.error_rows(step) for step in run.trained}
    drawn = _drawn({_SPLIT_NAMES[split].lower(): own for split, own in curves.items()}, prefix)
    phases = [(f"step {line['step']}", _known(line.get("seconds"))) for line in run.steps]
    return {
        "prefix": prefix,
        "status": run.status,
        "done": run.last_step if run.steps else None,
        "notes": run.notes,
        "facts": _facts(run),
        "headlines": _headlines(run),
        "stages": [("first", run.before), ("best on validation", run.best), ("last", run.after)],
        "choice": (summary.get("best") or {}).get("val_of_choice"),
        "grouped": _grouped(run),
        "curve_by_step": drawn["by_step"],
        "curve_by_records": drawn["by_records"],
        "skill_bars": charts.skill_bars(skills, f"{prefix}-skills"),
        "skills": _group_rows(skills),
        "slices": _group_rows({**(summary.get("slices") or {}), **(summary.get("metrics") or {})}),
        "allocation": _counts(run, "allocation"),
        "rejections": _counts(run, "rejected"),
        "ledger": _ledger(run),
        "lineage": _lineage(run),
        "trees": [
            {
                "skill": _plain(tree.get("skill")),
                "subskills": tree.get("subskills") or [],
                "rewards": [points(100 * reward) for reward in tree.get("rewards") or ()],
                "actions": list(tree.get("actions") or ()),
                "generated": sum(int(node.get("generated") or 0) for node in tree.get("subskills") or ()),
            }
            for tree in run.trees()
        ],
        "phase_bars": charts.phase_bars(phases, f"{prefix}-seconds"),
        "seconds": [(phase, duration(value)) for phase, value in _known(summary.get("seconds")).items()],
        "cost": [
            ("teacher calls", _plain(cost.get("calls"))),
            ("tokens", _plain(cost.get("tokens"))),
            ("price", UNKNOWN if cost.get("usd") is None else f"${cost['usd']:.2f}"),
            *((name, str(n)) for kind in ("chat", "scoring") for name, n in (summary.get(kind) or {}).items()),
        ],
        "calls": calls_by_purpose(run),
        "records": [
            _sample(run, line["step"], run.record_rows(line["step"]), _SHOWN_RECORDS)
            for line in run.steps
            if line["step"] > 0
        ],
        "errors": [
            _sample(run, step, rows, _SHOWN_ERRORS) for step, rows in errors.items() if step in (0, max(errors))
        ],
    }


def _regret(run: Run) -> Json | None:
    from dataenvgym.suite.twins import regret_of

    found = regret_of(run)
    return None if found is None else {"law": found.law, "best": found.best, "points": found.points}


def _ledger(run: Run) -> list[Json]:
    """By step after the first: what was won and lost on each split, and the skills that lost most on test."""
    rows = ledger(run)
    found = []
    for line in run.steps[1:]:
        if not run.answers(line["step"]) or not run.answers(line["step"] - 1):
            continue  # not recorded, as the notes say
        mine = [row for row in rows if row.step == line["step"]]
        lost = Counter(row.skill or UNKNOWN for row in mine if (row.split, row.change) == ("test", "lost"))
        counts = Counter((row.split, row.change) for row in mine)
        forgotten = [f"{skill} ({n})" for skill, n in lost.most_common(_SHOWN_FORGOTTEN)]
        found.append({"step": line["step"], "counts": counts, "forgotten": ", ".join(forgotten)})
    return found


def _lineage(run: Run) -> list[Json]:
    """By step after the first, its orders; those that were read like errors are one row for each skill."""
    found = []
    for step, rows in itertools.groupby(lineage(run), key=lambda row: row.step):
        orders: dict[tuple[Any, ...], Json] = {}
        for row in rows:
            key = (row.skill, row.subskill, row.like is not None)
            one = orders.setdefault(key, {**asdict(row), "ordered": 0, "accepted": 0, "prompts": 0, "like": 0})
            for name, more in (("ordered", row.ordered), ("prompts", len(row.prompts))):
                one[name] += more
            one["accepted"] = None if None in (one["accepted"], row.accepted) else one["accepted"] + row.accepted
            one["like"] += row.like is not None
        found.append({"step": step, "rows": sorted(orders.values(), key=lambda one: -one["ordered"])})
    return found


def _drawn(series: Mapping[str, Sequence[CurvePoint]], prefix: str) -> Json:
    return {
        "by_step": charts.curves(series, "step", f"{prefix}-steps"),
        "by_records": charts.curves(series, "records", f"{prefix}-records"),
    }


def _sample(run: Run, step: int, rows: Sequence[Json], shown: int) -> Json:
    """Some rows; an image becomes a data address under ``picture``, so that the page stands alone."""
    pictured = []
    for row in spread(rows, shown):
        picture = None
        folder = run.folder(step)
        if row.get("image") and (folder / row["image"]).is_file():
            try:
                image = Image.within(folder, row["image"])
                image.picture()  # what Pillow cannot decode is no image, whatever its first bytes say
            except RecordError as error:
                raise RecordError(f"{folder} names the image {row['image']!r}: {error}") from None
            kind = image.suffix.removeprefix(".").replace("jpg", "jpeg")
            picture = f"data:image/{kind};base64,{base64.b64encode(image.content).decode()}"
        pictured.append({**row, "picture": picture})
    return {"step": step, "total": len(rows), "rows": pictured}


def _facts(run: Run) -> list[tuple[str, str]]:
    origin = {name: run.provenance.get(name) for name in ("git_commit", "host", "versions")}
    facts = {name: run.summary.get(name) for name in ("task", "environment", "teacher", "student", "seed")}
    facts |= {name: run.summary.get(name) for name in ("steps", "records")}
    facts |= {"commit": origin["git_commit"], "host": origin["host"], "versions": origin["versions"]}
    facts |= {name: value for name, value in run.provenance.items() if name not in {*origin, "seed"}}
    return [(name, _plain(value)) for name, value in facts.items()]


def _plain(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return str(value)


def _headlines(run: Run) -> list[Json]:
    return [
        {
            "split": _SPLIT_NAMES[split],
            "before": getattr(run.before, split),
            "after": getattr(run.after, split),
            "gain": getattr(run.gain, split),
        }
        for split in SPLITS
    ]


def _grouped(run: Run) -> bool:
    """Whether intervals are by groups of instances."""
    return any(one is not None and one.groups is not None for one in (run.after.val, run.after.test))


def _group_rows(skills: Mapping[str, Json]) -> list[Json]:
    rows = []
    for name, row in skills.items():
        before, after = row.get("before"), row.get("after")
        gain = None if before is None or after is None else 100 * (after - before)
        rows.append({"name": name, "before": before, "after": after, "n": row.get("n"), "points": gain})
    return rows


def _counts(run: Run, key: str) -> Json | None:
    if not any(key in line for line in run.steps):
        return None
    steps = [int(line["step"]) for line in run.steps if int(line["step"]) > 0]
    by_step = {int(line["step"]): line.get(key) or {} for line in run.steps}
    names = list(dict.fromkeys(itertools.chain.from_iterable(by_step.values())))
    rows = []
    for name in names:
        counts = [int(by_step[step].get(name) or 0) for step in steps]
        rows.append({"name": name, "counts": counts, "total": sum(counts)})
    largest = max((count for row in rows for count in row["counts"]), default=0)
    return {"steps": steps, "rows": rows, "largest": max(1, largest), "total": sum(row["total"] for row in rows)}


def _known(row: Mapping[str, float | None] | None) -> dict[str, float]:
    known = {name: value for name, value in (row or {}).items() if value is not None}
    return {
        name: known[name]
        for name in (*(phase for phase in _PHASES if phase in known), *sorted(known.keys() - set(_PHASES)))
    }


def calls_by_purpose(run: Run) -> dict[str, Json]:
    """Calls to a chat model that came back, with their tokens and dollars (None if not known), by purpose."""
    sums: dict[str, Json] = {}
    for row in run.call_rows():
        if "failure" in row:
            continue  # a question that got no reply: the exchanges that it took have lines of their own
        total = sums.setdefault(str(row.get("purpose")), {"calls": 0, "tokens": 0, "usd": 0.0})
        usage, usd = row.get("usage") or {}, row.get("usd")
        total["calls"] += 1
        total["tokens"] += (usage.get("input") or 0) + (usage.get("output") or 0)
        total["usd"] = None if usd is None or total["usd"] is None else total["usd"] + usd
    return sums
