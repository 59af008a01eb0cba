"""Records and instances as JSON lines: reading with the line number in every error, writing that a kill cannot tear."""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tasks.errors import MissingFileError, RecordError, StorageError, reason
from tasks.images import Image
from tasks.types import TrainingRecord

_OPTIONAL_TEXT = ("skill", "subskill")
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # gzip, zip, bzip2, xz, zstd
_LEFT_OUT = ("image", "rejected", "cluster")  # most rows have none of them


def record_from_mapping(row: Mapping[str, Any], folder: Path | None = None) -> TrainingRecord:
    """A training record from a mapping; a missing ``answer`` defaults to the response.

    The row's ``image`` is a path, which must lie in ``folder``, that of the row's file (Image.within). Rows from no
    file (None), such as a language model's reply, may name no image.

    Raises:
        RecordError: A key is missing, empty or not text, or the image cannot be used.
        MissingFileError: The image does not exist.
    """
    for key in ("instruction", "response"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise RecordError(f"a record needs a non-empty text {key!r}, found {row.get(key)!r:.60}")
    for key in (*_OPTIONAL_TEXT, "answer", "source", "image", "rejected"):
        if not isinstance(row.get(key, ""), str | None):
            raise RecordError(f"a record's {key!r} must be text, found {row[key]!r:.60}")
    for key in ("instruction", "response", *_OPTIONAL_TEXT, "answer", "source", "image", "rejected"):
        if not is_text(row.get(key) or ""):
            raise RecordError(f"a record's {key!r} is no text (NUL or half a surrogate pair): {row[key]!r:.60}")
    image = None
    if row.get("image") is not None:
        if folder is None:
            raise RecordError(f"a record that is from no file cannot name an image file, found {row['image']!r:.60}")
        image = Image.within(folder, row["image"])
        image.picture()  # one that cannot be decoded is reported here, with its line, and not in the middle of a fit
    return TrainingRecord(
        instruction=row["instruction"],
        response=row["response"],
        answer=row.get("answer") or row["response"],
        skill=row.get("skill"),
        subskill=row.get("subskill"),
        source=row.get("source") or "",
        image=image,
        rejected=row.get("rejected"),
    )


def is_text(text: str) -> bool:
    """Whether a text can be stored and encoded: Unicode without NUL and without halves of surrogate pairs."""
    try:
        return "\0" not in text and bool(text.encode("utf-8") or True)
    except UnicodeEncodeError:
        return False


def read_records(path: str | Path, may_be_empty: bool = False) -> list[TrainingRecord]:
    """The training records of a JSON-lines file; unless it may be empty, a file without any is refused.

    Raises:
        MissingFileError: There is no such file.
        RecordError: A line is not a record (the message names file and line), or the file holds none.
    """
    path = Path(path)
    records = []
    for number, row in read_json_lines(path):
        try:
            records.append(record_from_mapping(row, path.parent))
        except (RecordError, MissingFileError) as error:
            raise RecordError(f"{path}, line {number}: {error}; mend or delete that line.") from None
    if not records and not may_be_empty:
        raise RecordError(f"{path} holds no records: pass a records.jsonl of a run, or write one record per line.")
    return records


def read_json_lines(path: str | Path) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a JSON-lines file with their 1-based line numbers; blank lines are skipped.

    Raises:
        MissingFileError: There is no such file.
        RecordError: It is no file of text, or a line is not a JSON object.
    """
    path = Path(path)
    rows = []
    for number, line in enumerate(read_file(path).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{path}, line {number}: not JSON ({reason(error)}); mend or delete that line.") from None
        if not isinstance(row, dict):
            raise RecordError(f"{path}, line {number}: expected a JSON object, found {type(row).__name__}.")
        rows.append((number, row))
    return rows


def read_json(path: str | Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        MissingFileError: There is no such file.
        RecordError: It is not a JSON object.
    """
    try:
        value = json.loads(read_file(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged, not JSON ({reason(error)}): restore it.") from None
    if not isinstance(value, dict):
        raise RecordError(f"{path} is damaged: expected a JSON object, found {type(value).__name__}; restore it.")
    return value


def read_file(path: str | Path) -> bytes:
    """The content of a file that a user names; folders, devices and compressed files are refused.

    Raises:
        MissingFileError: There is no such file.
        RecordError: It is a folder or a device, is compressed, or may not be read.
    """
    path = Path(path)
    if not path.is_file():
        if path.exists():
            raise RecordError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}: name a file.")
        raise MissingFileError(f"{path} does not exist (looked in {path.absolute().parent}): check the path.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({reason(error)}): check its permissions.") from error
    if content.startswith(_COMPRESSED):
        raise RecordError(f"{path} is compressed: unpack it first.")
    return content


def write_json_lines(path: str | Path, rows: Iterable[Any], images: Path | None = None) -> None:
    """Writes dataclasses or mappings as JSON lines, atomically.

    Images among their values are stored once each, in ``images`` beside the file if no other folder is given, and the
    line holds the path relative to the file's folder. Empty fields for an image, a rejected response or a cluster are
    left out.
    """
    path = Path(path)
    plain = partial(_plain, path.parent, images or path.parent / "images")
    lines = []
    for row in rows:
        fields = dict(row) if isinstance(row, Mapping) else asdict(row)
        kept = {key: value for key, value in fields.items() if value is not None or key not in _LEFT_OUT}
        lines.append(_json(kept, sort_keys=True, default=plain) + "\n")
    write_atomic(path, "".join(lines))


def write_json(path: str | Path, value: Any, images: Path | None = None) -> None:
    """Writes one JSON document for people and programs, atomically; images as in write_json_lines()."""
    path = Path(path)
    plain = partial(_plain, path.parent, images or path.parent / "images")
    write_atomic(path, _json(value, indent=2, default=plain) + "\n")


def _json(value: Any, **settings: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, **settings)
    # A language model may write half a surrogate pair, which UTF-8 cannot hold: an escape can.
    return text if is_text(text) else json.dumps(value, ensure_ascii=True, **settings)


def _plain(folder: Path, images: Path, value: Any) -> Any:
    """A value that JSON does not know as one that it does: an image as the path where it is stored."""
    if not isinstance(value, Image):
        return dict(value)
    path = images / value.name
    if not path.is_file():
        try:
            images.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot make {images} ({error.strerror}): choose another folder.") from error
        write_atomic(path, value.content)
    return os.path.relpath(path, folder)


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Writes a file so that a reader, or a kill at any moment, sees the old content or the new, never a part."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # it may never have been made
            part.unlink()
        raise StorageError(f"Cannot write {path} ({reason(error)}): free space or choose another folder.") from error
