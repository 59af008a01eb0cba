"""report.html: one self-contained page about one run, or about several compared, made from their files alone."""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from dataenvgym.reading.report_data import SPLITS, Row, Run, read_run
from dataenvgym.reporting import charts
from environments.run.episode_logger import spread
from environments.run.progress import duration
from tasks.errors import ConfigurationError, RecordError, failing_as
from tasks.images import Image
from tasks.records import write_atomic

_UNKNOWN = "not recorded"
_MINUS = "\u2212"
_SPLIT_NAMES = {"val": "Validation", "test": "Test"}
_PHASES = ("teacher", "fit", "evaluate", "other")
_SHOWN_RECORDS, _SHOWN_ERRORS = 6, 12


def write_report(run_dirs: Sequence[Path], output: Path | None = None) -> Path:
    """Writes the report of one run, or a comparison of several with a section for each.

    Args:
        run_dirs: Run directories.
        output: The page to write; by default report.html in the run directory, or in the folder that holds
            all of them.

    Returns:
        The page's path.

    Raises:
        MissingFileError: A folder is not a run directory.
        RecordError: A file of a run is damaged, or names an image that cannot be shown.
        ConfigurationError: No folder was given.
        StorageError: The page cannot be written.
    """
    if not run_dirs:
        raise ConfigurationError("A report needs at least one run directory, got none: name one.")
    runs = [read_run(Path(path)) for path in run_dirs]
    if output is None:
        folder = runs[0].path if len(runs) == 1 else os.path.commonpath([run.path.absolute().parent for run in runs])
        output = Path(folder) / "report.html"
    # What no schema can foresee: values of a file that contradict those of another.
    shown = ", ".join(str(path) for path in run_dirs)
    with failing_as(RecordError, f"The files of {shown} do not fit together", "restore them"):
        page = render(runs)
    write_atomic(output, page.encode("utf-8", errors="replace"))  # a reply may hold half a surrogate pair
    return output


def render(runs: Sequence[Run]) -> str:
    """The page of one run or of several as HTML text."""
    import jinja2

    template = (
        resources.files("dataenvgym.reporting").joinpath("templates/report.html.jinja").read_text(encoding="utf-8")
    )
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"pct": pct, "points": points, "interval": interval, "pvalue": p_value}
    sections = [_section(run, f"r{index}") for index, run in enumerate(runs)]
    names = _distinct_names(runs)
    title = f"Run {names[0]}" if len(runs) == 1 else f"{len(runs)} runs compared"
    return environment.from_string(template).render(
        title=title,
        runs=[section | {"name": name} for section, name in zip(sections, names, strict=True)],
        comparison=_comparison(runs, names) if len(runs) > 1 else None,
    )


def pct(value: float | None) -> str:
    """A fraction as percent."""
    return _UNKNOWN if value is None else f"{100 * value:.1f}\u00a0%"


def points(value: float | None) -> str:
    """A gain in points with its sign."""
    return _UNKNOWN if value is None else f"{value:+.1f}".replace("-", _MINUS)


def interval(ends: Sequence[float] | None, signed: bool = False, scale: float = 1.0) -> str:
    """The two ends of an interval."""
    if ends is None:
        return _UNKNOWN
    low, high = (f"{scale * end:+.1f}" if signed else f"{scale * end:.1f}" for end in ends)
    return f"{low} to {high}".replace("-", _MINUS)


def p_value(value: float | None) -> str:
    """A p-value with its relation sign."""
    if value is None:
        return f"p {_UNKNOWN}"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _section(run: Run, prefix: str) -> Row:
    """All that the template shows of a run."""
    summary = run.summary
    done = max((int(line["step"]) for line in run.lines), default=None)
    skills = summary.get("skills") or {}
    return {
        "prefix": prefix,
        "status": run.status,
        "done": done,
        "notes": run.notes,
        "facts": _facts(run),
        "headlines": [_headline(summary, split) for split in SPLITS],
        "stages": _stages(summary),
        "choice": (summary.get("best") or {}).get("val_of_choice"),
        "grouped": _grouped(summary),
        "curve_by_step": charts.curves(_named(run.curves), "step", f"{prefix}-steps"),
        "curve_by_records": charts.curves(_named(run.curves), "records", f"{prefix}-records"),
        "skill_bars": charts.skill_bars(skills, f"{prefix}-skills"),
        "skills": _group_rows(skills),
        "slices": _group_rows({**(summary.get("slices") or {}), **(summary.get("metrics") or {})}),
        "allocation": _counts(run, "allocation"),
        "rejections": _counts(run, "rejected"),
        "trees": _tree_rows(run),
        "phase_bars": charts.phase_bars(
            [(f"step {line['step']}", _known(line.get("seconds"))) for line in run.lines], f"{prefix}-seconds"
        ),
        "seconds": [(phase, duration(value)) for phase, value in _known(summary.get("seconds")).items()],
        "cost": _cost(summary),
        "calls": run.calls,
        "records": [
            {"step": step, "total": len(rows), "rows": _pictured(run, step, spread(rows, _SHOWN_RECORDS))}
            for step, rows in run.samples.items()
        ],
        "errors": [
            {"step": step, "total": len(rows), "rows": _pictured(run, step, spread(rows, _SHOWN_ERRORS))}
            for step, rows in run.errors.items()
            if step in (0, max(run.errors))
        ],
    }


def _pictured(run: Run, step: int, rows: Sequence[Row]) -> list[Row]:
    """Rows with their image, if they have one, as a data address under ``picture``: the page stands alone."""
    pictured = []
    for row in rows:
        picture = None
        folder = run.path / f"step_{step:02d}"
        if row.get("image") and (folder / row["image"]).is_file():
            try:
                image = Image.within(folder, row["image"])
                image.picture()  # what Pillow cannot decode is no image, whatever its first bytes say
            except RecordError as error:
                raise RecordError(f"{folder} names the image {row['image']!r}: {error}") from None
            kind = image.suffix.removeprefix(".").replace("jpg", "jpeg")
            picture = f"data:image/{kind};base64,{base64.b64encode(image.content).decode()}"
        pictured.append({**row, "picture": picture})
    return pictured


def _facts(run: Run) -> list[tuple[str, str]]:
    """The run's settings and origin, as (name, value)."""
    facts = [(name, _plain(run.summary.get(name))) for name in ("task", "environment", "teacher", "student", "seed")]
    facts.append(("steps", _plain(run.summary.get("steps"))))
    facts.append(("records", _plain(run.summary.get("records"))))
    facts.append(("commit", _plain(run.provenance.get("git_commit"))))
    facts.append(("host", _plain(run.provenance.get("host"))))
    facts.append(("versions", _plain(run.provenance.get("versions"))))
    shown = {"git_commit", "host", "versions", "seed"}
    facts += [(name, _plain(value)) for name, value in run.provenance.items() if name not in shown]
    return facts


def _plain(value: Any) -> str:
    if value is None:
        return _UNKNOWN
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return str(value)


def _headline(summary: Row, split: str) -> Row:
    before, after = ((summary.get(stage) or {}).get(split) or {} for stage in ("before", "after"))
    gain = (summary.get("gain") or {}).get(split) or {}
    return {
        "split": _SPLIT_NAMES[split],
        "before": before.get("accuracy"),
        "after": after.get("accuracy"),
        "n": after.get("n"),
        "groups": after.get("groups"),
        "points": gain.get("points"),
        "ci95": gain.get("ci95"),
        "p_value": gain.get("p_value"),
    }


def _grouped(summary: Row) -> bool:
    """Whether intervals are by groups of instances."""
    return any("groups" in ((summary.get("after") or {}).get(split) or {}) for split in SPLITS)


def _stages(summary: Row) -> list[Row]:
    """First, best and last step side by side; the best was chosen on validation."""
    stages = []
    for name, key in (("first", "before"), ("best on validation", "best"), ("last", "after")):
        stage = summary.get(key) or {}
        gain = {"before": {}, "best": stage.get("gain") or {}, "after": summary.get("gain") or {}}[key]
        stages.append(
            {
                "name": name,
                "step": stage.get("step"),
                "splits": [
                    {
                        "accuracy": (stage.get(split) or {}).get("accuracy"),
                        "ci95": (stage.get(split) or {}).get("ci95"),
                        "gain": gain.get(split) or {},
                    }
                    for split in SPLITS
                ],
                "is_first": key == "before",
            }
        )
    return stages


def _named(curves: Mapping[str, Any]) -> dict[str, Any]:
    return {_SPLIT_NAMES[split].lower(): curve for split, curve in curves.items()}


def _group_rows(skills: Mapping[str, Row]) -> list[Row]:
    rows = []
    for name, row in skills.items():
        before, after = row.get("before"), row.get("after")
        gain = None if before is None or after is None else 100 * (after - before)
        rows.append({"name": name, "before": before, "after": after, "n": row.get("n"), "points": gain})
    return rows


def _counts(run: Run, key: str) -> Row | None:
    """Counts by name and step, as a table with totals; None if no line has them."""
    if not any(key in line for line in run.lines):
        return None
    steps = [int(line["step"]) for line in run.lines if int(line["step"]) > 0]
    by_step = {int(line["step"]): line.get(key) or {} for line in run.lines}
    names = list(dict.fromkeys(itertools.chain.from_iterable(by_step.values())))
    rows = []
    for name in names:
        counts = [int(by_step[step].get(name) or 0) for step in steps]
        rows.append({"name": name, "counts": counts, "total": sum(counts)})
    largest = max((count for row in rows for count in row["counts"]), default=0)
    return {"steps": steps, "rows": rows, "largest": max(1, largest), "total": sum(row["total"] for row in rows)}


def _tree_rows(run: Run) -> list[Row]:
    return [
        {
            "skill": _plain(tree.get("skill")),
            "subskills": tree.get("subskills") or [],
            "rewards": [points(100 * reward) for reward in tree.get("rewards") or ()],
            "actions": list(tree.get("actions") or ()),
            "generated": sum(int(node.get("generated") or 0) for node in tree.get("subskills") or ()),
        }
        for tree in run.trees()
    ]


def _known(row: Mapping[str, float | None] | None) -> dict[str, float]:
    """Seconds by phase, in the order in which the phases happen."""
    known = {name: value for name, value in (row or {}).items() if value is not None}
    return {
        name: known[name]
        for name in (*(phase for phase in _PHASES if phase in known), *sorted(known.keys() - set(_PHASES)))
    }


def _cost(summary: Row) -> list[tuple[str, str]]:
    cost = summary.get("cost") or {}
    usd = cost.get("usd")
    return [
        ("teacher calls", _plain(cost.get("calls"))),
        ("tokens", _plain(cost.get("tokens"))),
        ("price", _UNKNOWN if usd is None else f"${usd:.2f}"),
        *((name, str(n)) for kind in ("chat", "scoring") for name, n in (summary.get(kind) or {}).items()),
    ]


def _distinct_names(runs: Sequence[Run]) -> list[str]:
    """Folder names, or as much of the paths as tells folders of the same name apart."""
    names = [run.name for run in runs]
    if len(set(names)) == len(names):
        return names
    paths = [run.path.resolve() for run in runs]
    root = os.path.commonpath(paths)
    return [
        os.path.relpath(path, root) if path != Path(root) else run.name for path, run in zip(paths, runs, strict=True)
    ]


def _comparison(runs: Sequence[Run], names: Sequence[str]) -> Row:
    pairs = list(zip(names, runs, strict=True))
    return {
        "charts": [
            {
                "split": _SPLIT_NAMES[split],
                "by_step": charts.curves(_series(pairs, split), "step", f"all-{split}-steps"),
                "by_records": charts.curves(_series(pairs, split), "records", f"all-{split}-records"),
            }
            for split in reversed(SPLITS)
        ],
        "rows": [
            {
                "name": name,
                "status": run.status,
                "environment": _plain(run.summary.get("environment")),
                "teacher": _plain(run.summary.get("teacher")),
                "seed": _plain(run.summary.get("seed")),
                "records": _plain(run.summary.get("records")),
                "headlines": [_headline(run.summary, split) for split in SPLITS],
            }
            for name, run in pairs
        ],
        "grouped": any(_grouped(run.summary) for run in runs),
    }


def _series(pairs: Sequence[tuple[str, Run]], split: str) -> dict[str, Any]:
    return {name: run.curves[split] for name, run in pairs if split in run.curves}
