"""The run directory: who may write where, in which order, and what an interrupted run left behind."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import yaml

from environments.run.files import Answer, Line, Summary, check_answers, read_document, read_rows
from tasks.errors import RecordError, RunDirectoryError, StorageError, failing_as, reason
from tasks.records import (
    read_file,
    read_json,
    read_json_lines,
    read_records,
    write_atomic,
    write_json,
    write_json_lines,
)
from tasks.types import TrainingRecord

State = Literal["new", "finished", "interrupted"]

# What the calls of an unfinished step leave behind; all else in its folder is made again after a resume.
_CALL_FILES = frozenset({"plan.json", "records.jsonl", "rejected.jsonl"})


class RunDir:
    """Paths, atomic writes and checked reads of one run; what is damaged raises a RecordError that names the file.

    The order of writes within a step is what makes resume exact:
    ``rejected.jsonl, records.jsonl``, then ``plan.json`` mark a teacher call as kept; ``predictions.jsonl,
    feedback.json, student/`` follow; the step's line in ``episode.jsonl`` is written last and marks it as finished.

    Raises:
        RunDirectoryError: The name is empty, or holds line breaks or other characters that cannot be shown.
    """

    def __init__(self, path: str | Path) -> None:
        if not str(path).strip() or not str(path).isprintable():
            raise RunDirectoryError(f"The run directory {str(path)!r} is no name for a folder: choose another.")
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

    def step(self, step: int) -> Path:
        """The folder of a step."""
        return self.path / f"step_{step:02d}"

    def student(self, step: int) -> Path:
        """The folder of the student that a step trained."""
        return self.step(step) / "student"

    def state(self) -> State:
        """Whether the folder is free, holds a finished run, or an interrupted one; anything else in it is an error."""
        try:
            there = self.path.exists()
        except OSError as error:  # a part of the path is too long, or may not be entered
            raise StorageError(f"Cannot use {self.path} ({reason(error)}): choose another --run_dir.") from error
        if not there or all(entry.name.startswith(".") for entry in self._entries()):
            return "new"
        if not self.config.is_file():
            raise RunDirectoryError(f"{self.path} exists and is not a run (no config.yaml): choose another --run_dir.")
        return "finished" if self.summary().get("status") == "finished" else "interrupted"

    def check(self, config: str, resume: bool) -> State:
        """Whether the folder may be taken for a run of this configuration; writes nothing and returns what it found.

        ``config`` is YAML without the run directory's own name. Refused are a run of another configuration, an
        interrupted run without ``resume``, a folder within another run, and with ``resume`` a folder without a run.

        Raises:
            RunDirectoryError: It holds a run of another configuration, or an interrupted run and resume is off; there
                is nothing to resume; or it lies within another run.
            RecordError: The configuration or the summary of the run that it holds is damaged.
        """
        found = self.state()
        if found == "new":
            if resume:
                raise RunDirectoryError(f"{self.path} holds no run to resume: leave --resume out to begin one there.")
            for folder in self.path.absolute().parents:
                if (folder / "config.yaml").is_file() and (folder / "episode.jsonl").is_file():
                    raise RunDirectoryError(f"{self.path} lies within the run {folder}: choose another --run_dir.")
            return found
        with failing_as(RecordError, f"{self.config} is damaged", "restore it"):
            kept = read_file(self.config).decode("utf-8")
        if (difference := _first_difference(kept, config)) is not None:
            raise RunDirectoryError(
                f"{self.path} holds a run of another configuration ({difference}): choose another --run_dir."
            )
        if found == "interrupted" and not resume:
            raise RunDirectoryError(
                f"{self.path} holds an interrupted run: continue it with --resume, or choose another --run_dir."
            )
        return found

    def claim(self, config: str, resume: bool) -> State:
        """Takes the folder for a run of this configuration, with the arguments and errors of check().

        Raises:
            RunDirectoryError: As in check().
            RecordError: As in check().
            StorageError: It cannot be written.
        """
        found = self.check(config, resume)
        if found == "new":
            self.make(self.path)
            write_atomic(self.config, config)
        return found

    def make(self, folder: Path) -> Path:
        """Makes a folder with its parents."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot make {folder} ({reason(error)}): choose another folder.") from error
        return folder

    def summary(self) -> dict[str, Any]:
        """The summary so far; empty before the first step is finished."""
        path = self.path / "summary.json"
        return read_document(path, Summary) if path.exists() else {}

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
        """The lines of episode.jsonl, one for each finished step, in order and without a gap."""
        path = self.path / "episode.jsonl"
        lines = read_rows(path, Line) if path.exists() else []
        if [line["step"] for line in lines] != list(range(len(lines))):
            raise RecordError(f"{path} is damaged: its steps are {[line['step'] for line in lines]}; restore it.")
        return lines

    def rows(self, step: int, name: str) -> list[dict[str, Any]]:
        """The rows of a JSON-lines file of a step; none if it was never written."""
        path = self.step(step) / name
        return [row for _, row in read_json_lines(path)] if path.exists() else []

    def records(self, step: int) -> list[TrainingRecord]:
        """The accepted records of a step; a MissingFileError if one of their images is missing.

        Raises:
            RecordError: A line is not a record, or its image cannot be used.
            MissingFileError: An image is missing.
        """
        path = self.step(step) / "records.jsonl"
        return read_records(path, may_be_empty=True) if path.exists() else []

    def answers(self, step: int) -> list[dict[str, Any]]:
        """The rows of a step's predictions.jsonl; none if it was never written."""
        path = self.step(step) / "predictions.jsonl"
        rows = read_rows(path, Answer) if path.exists() else []
        check_answers(path, rows)
        return rows

    def write_rows(self, step: int, name: str, rows: Sequence[Any]) -> None:
        """Replaces a JSON-lines file of a step."""
        write_json_lines(self.make(self.step(step)) / name, rows, self.images)

    def calls(self, step: int) -> list[dict[str, Any]]:
        """The kept teacher calls of a step, from its plan.json."""
        path = self.step(step) / "plan.json"
        calls = read_json(path).get("calls") if path.is_file() else []
        if not isinstance(calls, list):
            raise RecordError(f"{path} is damaged (no list of calls): delete {self.step(step)} and use --resume.")
        return calls

    def write_calls(self, step: int, calls: Sequence[Mapping[str, Any]]) -> None:
        """Replaces a step's plan.json: the mark that these teacher calls are kept."""
        write_json(self.make(self.step(step)) / "plan.json", {"calls": list(calls)})

    def discard_after(self, finished: int) -> None:
        """Deletes what an interruption left behind after this many finished steps, except kept teacher calls."""
        for folder in sorted(self.path.glob("step_*")):
            digits = folder.name.removeprefix("step_")
            number = int(digits) if digits.isdecimal() and folder.is_dir() else -1
            if number < finished:
                continue  # or somebody else's: a step_notes.txt of one's own is never deleted
            keep = _CALL_FILES if number == finished and (folder / "plan.json").is_file() else frozenset()
            for entry in folder.iterdir():
                if entry.name not in keep:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            if not keep:
                folder.rmdir()

    def _entries(self) -> list[Path]:
        if not self.path.is_dir():
            raise RunDirectoryError(f"{self.path} exists and is not a folder: choose another --run_dir.")
        try:
            return list(self.path.iterdir())
        except OSError as error:
            raise StorageError(f"Cannot read {self.path} ({reason(error)}): choose another --run_dir.") from error


def _first_difference(old: str, new: str) -> str | None:
    """The first line in which two YAML texts differ, as "old → new"; None if they say the same, in whatever order."""
    with suppress(yaml.YAMLError, ValueError, RecursionError):  # a damaged text differs, line by line
        # Written again, since values of other types may be equal in Python: true, 1 and 1.0.
        if yaml.safe_dump(yaml.safe_load(old)) == yaml.safe_dump(yaml.safe_load(new)):
            return None
    # The comment header (library versions) is no part of the configuration.
    before, after = ([line for line in text.splitlines() if not line.startswith("#")] for text in (old, new))
    for left, right in zip(before, after, strict=False):
        if left != right:
            return f"{left.strip()} → {right.strip()}"
    return None if len(before) == len(after) else "one has more settings"
