"""Fits of a real student on records dealt to its skills, and what it could do after each: what a law is fitted to."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.errors import MissingFileError, RecordError, failing_as
from tasks.records import write_atomic
from tasks.types import Split


@dataclass(frozen=True)
class Fit:
    """One student, trained from the base weights on an allocation of records.

    Args:
        world: Everything but allocation and seed that the result depends on, by name: student, task, engine, replay.
        kind: How the allocation was chosen: ``base`` (no records), ``catalogue``, ``asked``, ``few``, ``even``, or
            ``optimum ROUND CHALLENGE``.
        seed: Seed of the records and of the fit.
        allocation: Records by skill; skills that are not named got none.
        scores: By split and skill, the score of every instance, in the order of the task.
        likelihoods: By split and skill, the mean likelihood of the reference replies.
    """

    world: str
    kind: str
    seed: int
    allocation: Mapping[str, int]
    scores: Mapping[Split, Mapping[str, Sequence[float]]]
    likelihoods: Mapping[Split, Mapping[str, float]]

    def accuracy(self, skill: str, split: Split | None = None) -> float:
        """Mean score of a skill on a split; on both together for None."""
        splits: tuple[Split, ...] = ("val", "test") if split is None else (split,)
        values = [score for each in splits for score in self.scores[each][skill]]
        return sum(values) / len(values)


def read_bank(path: Path) -> list[Fit]:
    """The fits of a file of one JSON object per line, gzipped or not; a last line that a kill cut off is left out.

    Raises:
        MissingFileError: There is no such file.
        RecordError: A line is damaged.
    """
    if not path.is_file():
        raise MissingFileError(f"There is no bank of fits {path}: make it with scripts/fit_bank.py.")
    with failing_as(RecordError, f"{path} is damaged, no bank of fits", "restore it"):
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
        whole, _, _ = text.rpartition("\n")
        return [_fit(json.loads(line)) for line in whole.split("\n") if line]


def write_bank(path: Path, fits: Sequence[Fit]) -> None:
    """Writes fits as a gzipped file that is the same for the same fits."""
    text = "".join(line_of(fit) for fit in fits)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, gzip.compress(text.encode("utf-8"), mtime=0))


def line_of(fit: Fit) -> str:
    """A fit as a line; scores of 0 and 1 are written as one digit each, in a string for each skill."""
    row = asdict(fit)
    row["scores"] = {
        split: {skill: packed(scores) for skill, scores in by_skill.items()} for split, by_skill in fit.scores.items()
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def packed(scores: Sequence[float]) -> str | list[float]:
    """Scores for a file: a string of one digit each where all are 0 or 1; ``[float(one) for one in …]`` reads both."""
    return "".join("01"[int(score)] for score in scores) if set(scores) <= {0.0, 1.0} else list(scores)


def _fit(row: dict[str, Any]) -> Fit:
    scores = {
        split: {skill: [float(score) for score in packed] for skill, packed in by_skill.items()}
        for split, by_skill in row.pop("scores").items()
    }
    return Fit(scores=scores, **row)
