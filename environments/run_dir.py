"""The run directory: who may write where, in which order, and what an interrupted run left behind (design §4)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tasks.errors import RecordError, RunDirectoryError, StorageError
from tasks.records import read_json_lines, write_atomic, write_json, write_json_lines

State = Literal["new", "finished", "interrupted"]

# What the calls of an unfinished step leave behind; all else in its folder is made again after a resume.
_CALL_FILES = frozenset({"plan.json", "records.jsonl", "rejected.jsonl"})


class RunDir:
    """Paths and atomic writes of one run.

    The order of writes within a step is what makes resume exact:
    ``rejected.jsonl, records.jsonl``, then ``plan.json`` mark a teacher call as kept; ``predictions.jsonl,
    feedback.json, student/`` follow; the step's line in ``episode.jsonl`` is written last and marks it as finished.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def config(self) -> Path:
        """The composed configuration."""
        return self.path / "config.yaml"

    @property
    def calls_file(self) -> Path:
        """Every call of the teacher to a chat model."""
        return self.path / "calls.jsonl"

    @property
    def images(self) -> Path:
        """Folder of all images of the run, each once, named by content."""
        return self.path / "images"

    @property
    def tensorboard(self) -> Path:
        """Folder of the episode-level curves."""
        return self.path / "tensorboard"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    def step(self, step: int) -> Path:
        """The folder of a step."""
        return self.path / f"step_{step:02d}"

    def student(self, step: int) -> Path:
        """The folder of the student that a step trained."""
        return self.step(step) / "student"

    def state(self) -> State:
        """Whether the folder is free, holds a finished run, or one that was interrupted.

        Raises:
            RunDirectoryError: The folder holds something that is not a run.
        """
        if not self.path.exists() or all(entry.name.startswith(".") for entry in self._entries()):
            return "new"
        if not self.config.is_file():
            raise RunDirectoryError(f"{self.path} exists and is not a run (no config.yaml): choose another --run_dir.")
        return "finished" if self.summary().get("status") == "finished" else "interrupted"

    def claim(self, config: str, resume: bool) -> State:
        """Takes the folder for a run of this configuration, or says why not; returns what it found.

        Args:
            config: The composed configuration as YAML, without the run directory's own name.
            resume: Whether an interrupted run may be continued.

        Raises:
            RunDirectoryError: It holds a run of another configuration, or an interrupted run and resume is off.
            StorageError: It cannot be written.
        """
        found = self.state()
        if found == "new":
            self.make(self.path)
            write_atomic(self.config, config)
            return found
        if (difference := _first_difference(self.config.read_text(encoding="utf-8"), config)) is not None:
            raise RunDirectoryError(
                f"{self.path} holds a run of another configuration ({difference}): choose another --run_dir."
            )
        if found == "interrupted" and not resume:
            raise RunDirectoryError(
                f"{self.path} holds an interrupted run: continue it with --resume, or choose another --run_dir."
            )
        return found

    def make(self, folder: Path) -> Path:
        """Makes a folder with its parents.

        Raises:
            StorageError: It cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot make {folder} ({error.strerror}): choose another --run_dir.") from error
        return folder

    def summary(self) -> dict[str, Any]:
        """The summary so far; empty before the first step is finished."""
        path = self.path / "summary.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replaces summary.json."""
        write_json(self.path / "summary.json", summary)

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Replaces provenance.json."""
        write_json(self.path / "provenance.json", provenance)

    def write_episode(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Replaces episode.jsonl by these lines, one for each finished step; a kill leaves the old or the new."""
        write_json_lines(self.path / "episode.jsonl", lines)

    def episode(self) -> list[dict[str, Any]]:
        """The lines of episode.jsonl, one for each finished step."""
        path = self.path / "episode.jsonl"
        return [row for _, row in read_json_lines(path)] if path.is_file() else []

    def rows(self, step: int, name: str) -> list[dict[str, Any]]:
        """The rows of a JSON-lines file of a step; none if it was never written."""
        path = self.step(step) / name
        return [row for _, row in read_json_lines(path)] if path.is_file() else []

    def write_rows(self, step: int, name: str, rows: Sequence[Any]) -> None:
        """Replaces a JSON-lines file of a step."""
        write_json_lines(self.make(self.step(step)) / name, rows, self.images)

    def calls(self, step: int) -> list[dict[str, Any]]:
        """The kept teacher calls of a step, from its plan.json."""
        path = self.step(step) / "plan.json"
        if not path.is_file():
            return []
        try:
            return list(json.loads(path.read_text(encoding="utf-8"))["calls"])
        except (ValueError, KeyError) as error:
            raise RecordError(f"{path} is damaged ({error}): delete {self.step(step)} and use --resume.") from None

    def write_calls(self, step: int, calls: Sequence[Mapping[str, Any]]) -> None:
        """Replaces a step's plan.json: the mark that these teacher calls are kept."""
        write_json(self.make(self.step(step)) / "plan.json", {"calls": list(calls)})

    def discard_after(self, finished: int) -> None:
        """Deletes what an interruption left behind after this many finished steps, but for kept teacher calls."""
        for folder in sorted(self.path.glob("step_*")):
            number = int(folder.name.removeprefix("step_"))
            if number < finished:
                continue
            keep = _CALL_FILES if number == finished and (folder / "plan.json").is_file() else frozenset()
            for entry in folder.iterdir():
                if entry.name not in keep:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            if not keep:
                folder.rmdir()

    def _entries(self) -> list[Path]:
        if not self.path.is_dir():
            raise RunDirectoryError(f"{self.path} exists and is not a folder: choose another --run_dir.")
        return list(self.path.iterdir())


def _first_difference(old: str, new: str) -> str | None:
    """The first line in which two YAML texts differ, as "old → new"; None if they are equal."""
    # The comment header (library versions) is no part of the configuration.
    before, after = ([line for line in text.splitlines() if not line.startswith("#")] for text in (old, new))
    for left, right in zip(before, after, strict=False):
        if left != right:
            return f"{left.strip()} → {right.strip()}"
    return None if len(before) == len(after) else "one has more settings"
