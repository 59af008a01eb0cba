"""Records and instances as JSON lines: reading with the line number in every error, writing that a kill cannot tear."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.errors import MissingFileError, RecordError, StorageError
from tasks.types import TrainingRecord

_OPTIONAL_TEXT = ("skill", "subskill")


def record_from_mapping(row: Mapping[str, Any]) -> TrainingRecord:
    """A training record from a mapping; a missing ``answer`` defaults to the response.

    Raises:
        RecordError: A key is missing, empty or not text.
    """
    for key in ("instruction", "response"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise RecordError(f"a record needs a non-empty text {key!r}, found {row.get(key)!r}")
    for key in (*_OPTIONAL_TEXT, "answer", "source"):
        if not isinstance(row.get(key, ""), str | None):
            raise RecordError(f"a record's {key!r} must be text, found {row[key]!r}")
    return TrainingRecord(
        instruction=row["instruction"],
        response=row["response"],
        answer=row.get("answer") or row["response"],
        skill=row.get("skill"),
        subskill=row.get("subskill"),
        source=row.get("source") or "",
    )


def read_records(path: str | Path) -> list[TrainingRecord]:
    """The training records of a JSON-lines file.

    Raises:
        MissingFileError: There is no such file.
        RecordError: A line is not a record (the message names file and line), or the file holds none.
    """
    path = Path(path)
    records = []
    for number, row in read_json_lines(path):
        try:
            records.append(record_from_mapping(row))
        except RecordError as error:
            raise RecordError(f"{path}, line {number}: {error}; mend or delete that line.") from None
    if not records:
        raise RecordError(f"{path} holds no records: pass a records.jsonl of a run, or write one record per line.")
    return records


def read_json_lines(path: str | Path) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a JSON-lines file with their 1-based line numbers; blank lines are skipped.

    Raises:
        MissingFileError: There is no such file.
        RecordError: A line is not a JSON object.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist (looked in {path.absolute().parent}): check the path.")
    rows = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise RecordError(f"{path}, line {number}: not JSON ({error}); mend or delete that line.") from None
        if not isinstance(row, dict):
            raise RecordError(f"{path}, line {number}: expected a JSON object, found {type(row).__name__}.")
        rows.append((number, row))
    return rows


def write_json_lines(path: str | Path, rows: Iterable[Any]) -> None:
    """Writes dataclasses or mappings as JSON lines, atomically.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    lines = []
    for row in rows:
        plain = row if isinstance(row, Mapping) else asdict(row)
        lines.append(json.dumps(plain, ensure_ascii=False, sort_keys=True, default=dict) + "\n")
    write_atomic(path, "".join(lines))


def write_json(path: str | Path, value: Any) -> None:
    """Writes one JSON document for people and programs, atomically."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_atomic(path: str | Path, text: str) -> None:
    """Writes a text file so that a reader, or a kill at any moment, sees the old content or the new, never a part.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(
            f"Cannot write {path} ({error.strerror}): free space or choose another --run_dir."
        ) from error
