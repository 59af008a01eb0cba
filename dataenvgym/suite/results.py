"""What is kept of the suite's runs: the scores of every instance, so that any comparison can be made of them."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from environments.simulation.bank import packed
from tasks.errors import MissingFileError, RecordError, failing_as
from tasks.records import write_atomic


@dataclass(frozen=True)
class Result:
    """One run of a policy on a challenge.

    Args:
        challenge: The challenge with its version.
        policy: The name that the policy goes by.
        seed: The run's seed.
        test: The score of every test instance after the last step.
        likelihood: Mean likelihood of the reference replies on test; None where there are none.
        val: Validation accuracy after every step, step 0 first.
        allocation: Accepted records by skill, over all steps.
        seconds: Wall time of the run.
        settings: The policy's ``class_path`` and ``init_args``, or the teacher's block of a file.
        code: Hash of the source of the policy's class (``code_of``).
        fingerprint: What the scores rest on: instances, weights, settings (``fingerprints.py``).
    """

    challenge: str
    policy: str
    seed: int
    test: Sequence[float]
    likelihood: float | None
    val: Sequence[float]
    allocation: dict[str, int]
    seconds: float
    settings: Mapping[str, Any]
    code: str
    fingerprint: str

    @property
    def accuracy(self) -> float:
        """Test accuracy after the last step."""
        return sum(self.test) / len(self.test)


def read_results(path: Path) -> list[Result]:
    """The results of a file, one JSON object per line, gzipped or not.

    Raises:
        MissingFileError: There is no such file.
        RecordError: It is damaged.
    """
    if not path.is_file():
        raise MissingFileError(f"There are no results {path}: run `dataenvgym suite` first.")
    with failing_as(RecordError, f"{path} is damaged, no results of a suite", "restore it"):
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
        return [_result(json.loads(line)) for line in text.splitlines() if line.strip()]


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Writes results, sorted; a name that ends in ``.gz`` is gzipped, the same bytes for the same results."""
    ordered = sorted(results, key=lambda one: (one.challenge, one.policy, one.seed))
    text = "".join(
        json.dumps({**asdict(one), "test": packed(one.test)}, separators=(",", ":")) + "\n" for one in ordered
    )
    data = text.encode("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _result(row: dict[str, Any]) -> Result:
    return Result(**{**row, "test": [float(score) for score in row["test"]]})
