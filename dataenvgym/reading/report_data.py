"""What a report shows of one run, read from the files of its run directory and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from environments.run.files import (
    Answer,
    Called,
    Feedback,
    Line,
    Provenance,
    ReadRecord,
    Summary,
    check_answers,
    check_row,
    read_document,
    read_rows,
)
from environments.statistics import Interval, accuracy_interval, proportion_interval
from environments.statistics.clusters import clusters_of
from tasks.errors import MissingFileError, RecordError, reason
from tasks.records import read_file

Row = dict[str, Any]
SPLITS = ("val", "test")


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One step on a curve.

    Args:
        step: Its number.
        records: Records accepted up to it; None if not recorded.
        value: Accuracy, a fraction.
        ci95: Its 95 % interval; None if it cannot be said.
    """

    step: int
    records: int | None
    value: float
    ci95: Interval | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run directory, read.

    Args:
        path: The folder.
        summary: summary.json; empty if there is none.
        lines: The lines of episode.jsonl, by step.
        provenance: provenance.json; empty if there is none.
        curves: Accuracy by step for each split that was measured.
        samples: Accepted records of each step.
        errors: feedback.json's errors of each step that trained, and of step 0.
        calls: What was asked of a chat model, by purpose: ``calls``, ``tokens`` and ``usd`` (None if unknown).
        notes: What is missing or damaged, for the reader.
    """

    path: Path
    summary: Row
    lines: list[Row]
    provenance: Row
    curves: Mapping[str, list[CurvePoint]]
    samples: Mapping[int, list[Row]]
    errors: Mapping[int, list[Row]]
    calls: Mapping[str, Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def status(self) -> str:
        """The summary's status; "not recorded" without one."""
        return str(self.summary.get("status") or "not recorded")

    def trees(self) -> list[Row]:
        """The skill trees after the last step that has any; empty outside the Skill-Tree environment."""
        for line in reversed(self.lines):
            if trees := (line.get("state") or {}).get("trees"):
                return list(trees.values() if isinstance(trees, Mapping) else trees)
        return []


def read_run(path: Path) -> Run:
    """Reads a run directory; files that may be missing are noted, not required.

    Raises:
        MissingFileError: The folder does not exist or is no run directory.
        RecordError: A file is damaged other than by an interrupted last line.
    """
    if not path.is_dir():
        raise MissingFileError(f"{path} is not a folder: pass a run directory that `dataenvgym episode` wrote.")
    if not any((path / name).is_file() for name in ("summary.json", "episode.jsonl")):
        raise MissingFileError(
            f"{path} is not a run directory (neither summary.json nor episode.jsonl in it): "
            "pass a folder that `dataenvgym episode` wrote and that has finished a step."
        )
    notes: list[str] = []
    lines = sorted(_episode_lines(path / "episode.jsonl", notes), key=lambda line: int(line["step"]))
    steps = [int(line["step"]) for line in lines]
    # A step without new records trained nothing: its answers and errors are the previous step's.
    trained = [int(line["step"]) for line in lines if line.get("trained", True) or line["step"] == 0]
    predictions = {step: _rows(path, step, "predictions.jsonl", notes, Answer) for step in trained}
    for step, rows in predictions.items():
        check_answers(_step_folder(path, step) / "predictions.jsonl", rows)
    return Run(
        path=path,
        summary=_document(path / "summary.json", notes, Summary),
        lines=lines,
        provenance=_document(path / "provenance.json", notes, Provenance),
        curves={split: curve for split in SPLITS if (curve := _curve(lines, predictions, split))},
        samples={step: _rows(path, step, "records.jsonl", notes, ReadRecord) for step in steps if step > 0},
        errors={step: _errors(path, step, predictions[step], notes) for step in trained},
        calls=_calls(path / "calls.jsonl"),
        notes=notes,
    )


def _errors(path: Path, step: int, predictions: list[Row], notes: list[str]) -> list[Row]:
    """The errors of a step; where the teacher was shown no skills, people see the task's own."""
    own = {row.get("instance_id"): row.get("skill") for row in predictions}
    errors = _document(_step_folder(path, step) / "feedback.json", notes, Feedback).get("errors") or ()
    return [{**row, "skill": row.get("skill") or own.get(row.get("instance_id"))} for row in errors]


def _calls(path: Path) -> dict[str, Row]:
    sums: dict[str, Row] = {}
    for row in read_rows(path, Called) if path.exists() else ():
        if "failure" in row:
            continue  # a question that got no reply: the exchanges that it took have lines of their own
        total = sums.setdefault(str(row.get("purpose")), {"calls": 0, "tokens": 0, "usd": 0.0})
        usage, usd = row.get("usage") or {}, row.get("usd")
        total["calls"] += 1
        total["tokens"] += (usage.get("input") or 0) + (usage.get("output") or 0)
        total["usd"] = None if usd is None or total["usd"] is None else total["usd"] + usd
    return sums


def _step_folder(path: Path, step: int) -> Path:
    return path / f"step_{step:02d}"


def _document(path: Path, notes: list[str], schema: type[BaseModel]) -> Row:
    if path.exists():
        return read_document(path, schema)
    notes.append(f"{_short(path)} is not recorded.")
    return {}


def _rows(path: Path, step: int, name: str, notes: list[str], schema: type[BaseModel]) -> list[Row]:
    file = _step_folder(path, step) / name
    if file.exists():
        return read_rows(file, schema)
    notes.append(f"{_short(file)} is not recorded.")
    return []


def _short(path: Path) -> str:
    """A file's name with its step folder, if it lies in one."""
    return f"{path.parent.name}/{path.name}" if path.parent.name.startswith("step_") else path.name


def _episode_lines(path: Path, notes: list[str]) -> list[Row]:
    """The finished steps; a last line that a kill cut off is noted, since its step will be made again."""
    if not path.is_file():
        notes.append("episode.jsonl is not recorded.")
        return []
    text = read_file(path).decode("utf-8", errors="replace").split("\n")
    written = [(number, line) for number, line in enumerate(text, start=1) if line.strip()]
    lines: list[Row] = []
    for position, (number, line) in enumerate(written):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError) as error:
            if position == len(written) - 1:
                notes.append(f"The last line of episode.jsonl (line {number}) is cut off and left out.")
                break
            raise RecordError(f"{path}, line {number}: not a finished step ({reason(error)}); restore it.") from None
        check_row(path, number, row, Line)
        if any(row["step"] == other["step"] for other in lines):
            raise RecordError(f"{path}, line {number} is damaged: step {row['step']} is there twice; restore it.")
        lines.append(row)
    return lines


def _curve(lines: list[Row], predictions: Mapping[int, list[Row]], split: str) -> list[CurvePoint]:
    points = []
    for line in lines:
        overall = (line.get(split) or {}).get("overall") or {}
        value, n = overall.get("value"), int(overall.get("n") or 0)
        if value is None:
            continue
        rows = predictions.get(max((step for step in predictions if step <= line["step"]), default=-1), [])
        own = [row for row in rows if row.get("split") == split]
        # The interval needs the single scores; from the mean alone Wilson's is exact only if they are 0 or 1.
        if len(own) == n:
            clusters = clusters_of((str(row.get("instance_id")), row.get("cluster")) for row in own)
            interval = accuracy_interval([float(row["score"]) for row in own], clusters=clusters)
        else:
            interval = proportion_interval(round(value * n), n)
        pool = line.get("pool")
        points.append(CurvePoint(int(line["step"]), None if pool is None else int(pool), float(value), interval))
    return points
