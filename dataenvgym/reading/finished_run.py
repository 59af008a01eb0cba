"""A finished run as others judge it: its configuration, its scores by step, its accepted records, and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from environments.run.directory import RunDir
from environments.run.files import Provenance, Summary, read_document
from environments.run.summary import best_step
from environments.statistics.clusters import clusters_of
from tasks.errors import MissingFileError, RecordError, failing_as
from tasks.records import read_file
from tasks.types import TrainingRecord

_BLOCKS = ("task", "model", "data", "trainer", "environment", "teacher")

Scores = Mapping[str, list[float]]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """One run directory whose episode has ended.

    Args:
        path: The folder.
        config: config.yaml.
        summary: summary.json.
        provenance: provenance.json.
        lines: The lines of episode.jsonl, by step.
        answered: By step and split, the instance ids in the order of the predictions.
        scores: By step and split, their scores. A step that trained nothing has the answers of the one before it.
        clusters: By split, the group of each instance in the order of the predictions, where the task has groups.
    """

    path: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]
    lines: list[dict[str, Any]]
    answered: Mapping[int, Mapping[str, list[str]]]
    scores: Mapping[int, Scores]
    clusters: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.summary["seed"])

    @property
    def last(self) -> int:
        """The number of its last step."""
        return int(self.lines[-1]["step"])

    @property
    def best(self) -> int:
        """The number of its best step, chosen on validation."""
        return best_step(self.lines)

    def block(self, name: str) -> Mapping[str, Any]:
        """The ``init_args`` of a block of its configuration; empty without any."""
        return dict((self.config.get(name) or {}).get("init_args") or {})

    def accuracy(self, step: int, split: str = "test") -> float:
        """Mean score after a step."""
        values = self.scores[step][split]
        return sum(values) / len(values)


def read_finished(path: Path) -> FinishedRun:
    """Reads a finished run.

    Raises:
        MissingFileError: The folder is no run directory, or it lacks a file.
        RecordError: The run is not finished, or a file is damaged.
    """
    directory = RunDir(path)
    if not path.is_dir():
        raise MissingFileError(f"{path} is not a folder: pass a run directory that `dataenvgym episode` wrote.")
    summary = read_document(path / "summary.json", Summary)
    status = summary.get("status")
    if status != "finished":
        raise RecordError(f"{path} is not finished (status: {status}): continue it with --resume.")
    lines = sorted(directory.episode(), key=lambda line: int(line["step"]))
    if not lines:
        raise MissingFileError(f"{path} has no finished step in episode.jsonl: restore it, or run the episode again.")
    answered: dict[int, dict[str, list[str]]] = {}
    scores: dict[int, dict[str, list[float]]] = {}
    clusters: dict[str, list[str]] = {}
    for line in lines:
        step = int(line["step"])
        if step and not line.get("trained"):
            answered[step], scores[step] = answered[step - 1], scores[step - 1]
            continue
        rows = directory.answers(step)
        for split in ("val", "test"):
            own = [row for row in rows if row["split"] == split]
            if not own:
                raise MissingFileError(f"{path} has no {split} predictions of step {step}: restore predictions.jsonl.")
            answered.setdefault(step, {})[split] = [str(row["instance_id"]) for row in own]
            scores.setdefault(step, {})[split] = [float(row["score"]) for row in own]
            groups = clusters_of((str(row["instance_id"]), row.get("cluster")) for row in own)
            if not step and groups is not None:
                clusters[split] = groups
    return FinishedRun(
        path=path,
        config=read_config(path / "config.yaml"),
        summary=summary,
        provenance=read_document(path / "provenance.json", Provenance),
        lines=lines,
        answered=answered,
        scores=scores,
        clusters=clusters,
    )


def accepted_records(path: Path) -> list[tuple[int, TrainingRecord]]:
    """The accepted records of all finished steps of a run, each with its step, in the order of acceptance.

    Raises:
        MissingFileError: The folder is no run directory, or an image is missing.
        RecordError: A step has not as many records as it counts, or a line is no record.
    """
    directory = RunDir(path)
    lines = directory.episode()
    if not lines:
        raise MissingFileError(
            f"{path} is not a run directory with a finished step (no episode.jsonl): "
            "pass a folder that `dataenvgym episode` wrote."
        )
    found = []
    for line in lines:
        step = int(line["step"])
        records = directory.records(step)
        if len(records) != line.get("records"):
            raise RecordError(
                f"{directory.step(step) / 'records.jsonl'} holds {len(records)} records and step {step} accepted "
                f"{line.get('records')}: it was changed; restore it."
            )
        found += [(step, record) for record in records]
    return found


def read_config(path: Path) -> dict[str, Any]:
    """The configuration of a run, as far as it can be read without its classes.

    Raises:
        MissingFileError: There is no such file.
        RecordError: It is not YAML, or no mapping of blocks.
    """
    with failing_as(RecordError, f"{path} is damaged, no configuration", "restore it"):
        config = yaml.safe_load(read_file(path).decode("utf-8"))
    if not isinstance(config, dict) or not all(isinstance(config.get(name) or {}, dict) for name in _BLOCKS):
        raise RecordError(f"{path} is damaged: expected blocks such as task and teacher; restore it.")
    return config
