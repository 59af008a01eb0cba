"""Rows in the MATH benchmark's own fields, of our own making."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tasks.math.benchmark import LEVELS, TOPICS


def make_row(number: int, level: str, topic: str) -> dict[str, str]:
    return {
        "problem": f"A shelf holds ${number}$ red books and ${number + 1}$ blue books. How many books does it hold?",
        "level": level,
        "type": topic,
        "solution": f"There are ${number} + {number + 1} = \\boxed{{{2 * number + 1}}}$ books.",
    }


def make_rows(each: int, start: int = 0) -> list[dict[str, str]]:
    cells = [(level, topic) for _ in range(each) for level in LEVELS for topic in TOPICS]
    return [make_row(start + number, *cell) for number, cell in enumerate(cells)]


def write_rows(folder: Path, **splits: Sequence[Mapping[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def write_splits(folder: Path, train: int = 4, test: int = 3) -> Path:
    return write_rows(folder, train=make_rows(train), test=make_rows(test, start=10_000))


@cache
def made() -> Path:
    return write_splits(Path(tempfile.mkdtemp(prefix="math_rows_")))
