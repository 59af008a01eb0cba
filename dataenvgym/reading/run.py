"""The reader of a run directory: each file is read when it is first asked for, and checked when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

from dataenvgym.reading.numbers import BySplit, Points, Stage, gains_of, stage_of
from environments.run.directory import RunDir
from environments.run.files import (
    Called,
    Feedback,
    Line,
    Provenance,
    ReadRecord,
    Summary,
    check_row,
    read_document,
    read_rows,
)
from environments.run.summary import best_step
from environments.statistics.clusters import clusters_of
from tasks.errors import MissingFileError, RecordError, failing_as, reason
from tasks.records import read_file
from tasks.types import Split, TrainingRecord

if TYPE_CHECKING:
    import pandas as pd

Json = dict[str, Any]
SPLITS: tuple[Split, Split] = ("val", "test")

_BLOCKS = ("task", "model", "data", "trainer", "environment", "teacher")


class Run:
    """A run directory, finished or not. Files that are not there are named in ``notes`` and read as empty.

    Whatever is asked of it may raise a RecordError in one line: the file that holds the answer is damaged.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._answers: dict[int, list[Json]] = {}

    def __repr__(self) -> str:
        """The folder and what came of the run."""
        before, after = self.before.test, self.after.test
        said = "" if before is None or after is None else f", test {before:.3f} to {after:.3f}: {self.gain.test}"
        return f"<Run {self.path}, {self.status}{said}>"

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def status(self) -> str:
        """``running``, ``finished`` or ``failed``; "not recorded" without a summary."""
        return str(self.summary.get("status") or "not recorded")

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.summary["seed"])

    @cached_property
    def summary(self) -> Json:
        """summary.json."""
        return self._document("summary.json", Summary)

    @cached_property
    def provenance(self) -> Json:
        """provenance.json."""
        return self._document("provenance.json", Provenance)

    @cached_property
    def config(self) -> Json:
        """config.yaml, as far as it can be read without the classes that it names."""
        path = self.path / "config.yaml"
        if not path.exists():
            return {}
        with failing_as(RecordError, f"{path} is damaged, no configuration", "restore it"):
            config = yaml.safe_load(read_file(path).decode("utf-8"))
        if not isinstance(config, dict) or not all(isinstance(config.get(name) or {}, dict) for name in _BLOCKS):
            raise RecordError(f"{path} is damaged: expected blocks such as task and teacher; restore it.")
        return config

    def block(self, name: str) -> Mapping[str, Any]:
        """The ``init_args`` of a block of the configuration; empty without any."""
        return dict((self.config.get(name) or {}).get("init_args") or {})

    @property
    def before(self) -> Stage:
        """The untouched student."""
        return stage_of(self.summary, "before")

    @property
    def after(self) -> Stage:
        """The student after the last step."""
        return stage_of(self.summary, "after")

    @property
    def best(self) -> Stage:
        """The student after the best step, chosen on validation."""
        return stage_of(self.summary, "best")

    @property
    def gain(self) -> BySplit[Points | None]:
        """What the last step gained over the untouched student, in points."""
        return gains_of(self.summary.get("gain") or {})

    @property
    def skills(self) -> pd.DataFrame:
        """Test accuracy by skill: ``skill``, ``before``, ``after`` (fractions) and ``n``."""
        import pandas as pd

        rows = [{"skill": name, **row} for name, row in (self.summary.get("skills") or {}).items()]
        return pd.DataFrame(rows, columns=["skill", "before", "after", "n"])

    def predictions(self, step: int | None = None) -> pd.DataFrame:
        """Every answer of the student after a step, the last one by default: the columns of predictions.jsonl."""
        import pandas as pd

        return pd.DataFrame(self.answers(self._finished(step)))

    def errors(self, step: int | None = None, skill: str | None = None) -> pd.DataFrame:
        """The validation instances that the student got wrong after a step: those of feedback.json.

        Args:
            step: The step; the last one by default.
            skill: Of this skill only.
        """
        import pandas as pd

        rows = self.error_rows(self._finished(step))
        return pd.DataFrame([row for row in rows if skill in (None, row["skill"])])

    def records(self, step: int | None = None) -> pd.DataFrame:
        """The accepted records of a step, or of all of them: ``step`` and the columns of records.jsonl."""
        import pandas as pd

        numbers = [line["step"] for line in self.steps] if step is None else [self._finished(step)]
        return pd.DataFrame([{"step": number, **row} for number in numbers for row in self.record_rows(number)])

    def ledger(self, split: Split | None = None) -> pd.DataFrame:
        """Every answer that was won or lost in a step: the columns of ``dataenvgym.reading.diagnostics.LedgerRow``.

        Args:
            split: ``val`` or ``test``; None for both.
        """
        import pandas as pd

        from dataenvgym.reading.diagnostics import LedgerRow, ledger

        return pd.DataFrame(ledger(self, split), columns=[field.name for field in fields(LedgerRow)])

    def lineage(self) -> pd.DataFrame:
        """Every order, with what it was made on and what followed: the columns of ``diagnostics.LineageRow``."""
        import pandas as pd

        from dataenvgym.reading.diagnostics import LineageRow, lineage

        return pd.DataFrame(lineage(self), columns=[field.name for field in fields(LineageRow)])

    @property
    def calls(self) -> pd.DataFrame:
        """Every call to a chat model that was paid for, and every one that failed: the columns of calls.jsonl."""
        import pandas as pd

        return pd.DataFrame(self.call_rows())

    @property
    def steps(self) -> list[Json]:
        """The lines of episode.jsonl, one for each finished step, in their order."""
        return self._episode[0]

    @property
    def last_step(self) -> int:
        """The number of the last finished step."""
        return int(self.steps[-1]["step"])

    @cached_property
    def best_step(self) -> int:
        """The number of the best step, chosen on validation."""
        return best_step(self.steps)

    @property
    def trained(self) -> list[int]:
        """The steps with answers of their own: step 0, and those that trained. The others have the previous one's."""
        return [line["step"] for line in self.steps if line.get("trained", True) or line["step"] == 0]

    def answers(self, step: int) -> list[Json]:
        """The rows of predictions.jsonl after a step."""
        own = self._answered(step)
        if own not in self._answers:
            self._answers[own] = RunDir(self.path).answers(own)
        return self._answers[own]

    @cached_property
    def scores(self) -> dict[int, dict[Split, list[float]]]:
        """By step and split, the score of every instance in the order of the predictions."""
        return {
            line["step"]: {
                split: [float(row["score"]) for row in self.answers(line["step"]) if row["split"] == split]
                for split in SPLITS
            }
            for line in self.steps
        }

    @cached_property
    def clusters(self) -> dict[Split, list[str]]:
        """By split, the group of every instance in the order of the predictions, where the task has groups."""
        found: dict[Split, list[str]] = {}
        for split in SPLITS:
            named = [(row["instance_id"], row.get("cluster")) for row in self.answers(0) if row["split"] == split]
            if (groups := clusters_of(named)) is not None:
                found[split] = groups
        return found

    def accuracy(self, step: int, split: Split = "test") -> float:
        """Mean score after a step."""
        values = self.scores[step][split]
        return sum(values) / len(values)

    def error_rows(self, step: int) -> list[Json]:
        """The errors of a step's feedback.json; where the teacher was shown no skills, with the task's own."""
        own = {row.get("instance_id"): row.get("skill") for row in self.answers(step)}
        errors = self._document(f"step_{self._answered(step):02d}/feedback.json", Feedback).get("errors") or ()
        return [{**row, "skill": row.get("skill") or own.get(row.get("instance_id"))} for row in errors]

    def record_rows(self, step: int) -> list[Json]:
        """The rows of a step's records.jsonl."""
        return self._rows(step, "records.jsonl", ReadRecord)

    def training_records(self) -> list[tuple[int, TrainingRecord]]:
        """The accepted records of all finished steps, each with its step, as a student learns from them.

        Raises:
            MissingFileError: No step is finished, or an image is missing.
            RecordError: A step has not as many records as it counts, or a line is no record.
        """
        directory = RunDir(self.path)
        lines = directory.episode()
        if not lines:
            raise MissingFileError(
                f"{self.path} is not a run directory with a finished step (no episode.jsonl): "
                "pass a folder that `dataenvgym episode` wrote."
            )
        found = []
        for line in lines:
            records = directory.records(line["step"])
            if len(records) != line.get("records"):
                raise RecordError(
                    f"{self.folder(line['step']) / 'records.jsonl'} holds {len(records)} records and step "
                    f"{line['step']} accepted {line.get('records')}: it was changed; restore it."
                )
            found += [(int(line["step"]), record) for record in records]
        return found

    def call_rows(self) -> list[Json]:
        """The rows of calls.jsonl."""
        path = self.path / "calls.jsonl"
        return read_rows(path, Called) if path.exists() else []

    def trees(self) -> list[Json]:
        """The skill trees after the last step that has any; empty outside the Skill-Tree environment."""
        for line in reversed(self.steps):
            if trees := (line.get("state") or {}).get("trees"):
                return list(trees.values() if isinstance(trees, Mapping) else trees)
        return []

    def folder(self, step: int) -> Path:
        """The folder of a step."""
        return RunDir(self.path).step(step)

    @property
    def notes(self) -> list[str]:
        """What is missing or cut off, a sentence each."""
        lines, cut_off = self._episode
        steps = [int(line["step"]) for line in lines]
        expected = [
            "episode.jsonl",
            *(f"step_{step:02d}/predictions.jsonl" for step in self.trained),
            *("summary.json", "provenance.json"),
            *(f"step_{step:02d}/records.jsonl" for step in steps if step > 0),
            *(f"step_{step:02d}/feedback.json" for step in self.trained),
        ]
        notes = [f"{name} is not recorded." for name in expected if not (self.path / name).exists()]
        if cut_off is not None:
            notes.insert(0, f"The last line of episode.jsonl (line {cut_off}) is cut off and left out.")
        return notes

    def check_finished(self) -> None:
        """Checks that the episode has ended, and that everything is there that it is judged by.

        Raises:
            MissingFileError: A file is missing.
            RecordError: The run is not finished, or a file is damaged.
        """
        read_file(self.path / "summary.json")
        if self.status != "finished":
            status = self.summary.get("status")
            raise RecordError(f"{self.path} is not finished (status: {status}): continue it with --resume.")
        if not RunDir(self.path).episode():
            raise MissingFileError(
                f"{self.path} has no finished step in episode.jsonl: restore it, or run the episode again."
            )
        for step, scores in self.scores.items():
            if missing := [split for split in SPLITS if not scores[split]]:
                raise MissingFileError(
                    f"{self.path} has no {missing[0]} predictions of step {step}: restore predictions.jsonl."
                )
        for name in ("config.yaml", "provenance.json"):
            read_file(self.path / name)
        assert self.config is not None and self.provenance is not None  # read, so not damaged

    def _finished(self, step: int | None) -> int:
        """The number of a finished step, the last one for None."""
        numbers = [int(line["step"]) for line in self.steps]
        if not numbers:
            raise MissingFileError(f"{self.path} has no finished step yet: wait for step 0, or run the episode again.")
        if step is not None and step not in numbers:
            raise MissingFileError(f"{self.path} has no step {step}; its finished steps are 0 to {numbers[-1]}.")
        return numbers[-1] if step is None else step

    def _answered(self, step: int) -> int:
        """The step whose answers and errors hold after a step: itself, or the last before it that trained."""
        return max((number for number in self.trained if number <= step), default=step)

    @cached_property
    def _episode(self) -> tuple[list[Json], int | None]:
        """The finished steps, and the number of a last line that a kill cut off: its step will be made again."""
        path = self.path / "episode.jsonl"
        if not path.is_file():
            return [], None
        text = read_file(path).decode("utf-8", errors="replace").split("\n")
        written = [(number, line) for number, line in enumerate(text, start=1) if line.strip()]
        found: dict[int, Json] = {}
        for number, line in written:
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("no object")
            except (ValueError, RecursionError) as error:
                if number == written[-1][0]:
                    return [found[step] for step in sorted(found)], number
                raise RecordError(
                    f"{path}, line {number}: not a finished step ({reason(error)}); restore it."
                ) from None
            check_row(path, number, row, Line)
            if row["step"] in found:
                raise RecordError(f"{path}, line {number} is damaged: step {row['step']} is there twice; restore it.")
            found[row["step"]] = row
        return [found[step] for step in sorted(found)], None

    def _document(self, name: str, schema: type[BaseModel]) -> Json:
        return read_document(self.path / name, schema) if (self.path / name).exists() else {}

    def _rows(self, step: int, name: str, schema: type[BaseModel]) -> list[Json]:
        path = self.folder(step) / name
        return read_rows(path, schema) if path.exists() else []


def read_run(path: str | Path, finished: bool = False) -> Run:
    """A run directory.

    Args:
        path: The folder.
        finished: Whether its episode must have ended, with every file by which a run is judged (``check_finished``).

    Raises:
        MissingFileError: The folder does not exist or is no run directory, or a file that it must have is missing.
        RecordError: The run is not finished though it must be, or a file is damaged.
    """
    path = Path(path)
    if not path.is_dir():
        raise MissingFileError(f"{path} is not a folder: pass a run directory that `dataenvgym episode` wrote.")
    if not any((path / name).is_file() for name in ("summary.json", "episode.jsonl")):
        raise MissingFileError(
            f"{path} is not a run directory (neither summary.json nor episode.jsonl in it): "
            "pass a folder that `dataenvgym episode` wrote and that has finished a step."
        )
    run = Run(path)
    if finished:
        run.check_finished()
    return run
