"""The journal of calls: what was paid for is on disk before it is used, and is never asked again.

``calls.jsonl`` holds one line per exchange with a chat model, in the order of the questions (fields:
docs/run_directory.md). While questions are open, ``.calls.part.jsonl`` takes each event as it happens; then their
exchanges move to ``calls.jsonl``. So a run that was killed and resumed ends with the same lines, ``seconds`` aside:

    {"intent": 7, "key": …, "usd": 0.02}    call 7 is about to be sent and can cost this much
    {"done": 7, "key": …, "reply": …}       it came back: the line that calls.jsonl will hold
    {"freed": 7}                            it was refused, and not billed
    {"lost": 7, "key": …, "usd": 0.02}      it may have been billed, and nothing came back

An intent that nothing follows was in flight at the kill and counts as lost. Only such a call can be billed twice,
unless the endpoint honours the header ``Idempotency-Key`` (the call's key).
"""

from __future__ import annotations

import errno
import json
import math
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any

from tasks.errors import MissingFileError, RecordError, StorageError
from tasks.records import write_atomic
from teachers.chat.types import ChatRequest, Usage, key_of


@dataclass(slots=True)
class Call:
    """One exchange; ``purpose``, ``step`` and ``item`` are what it was made for, and costs are reported by them."""

    key: str
    purpose: str
    step: int
    item: int | None
    model: str | None = None  # None if nobody was asked
    request: dict[str, Any] | None = None  # only until it is in the file
    reply: str | None = None  # None where texts are not kept or nothing came
    finish_reason: str = "stop"
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    estimated: bool = False  # the endpoint gave no usage, and this is the most that it can have been
    usd: float | None = None  # None without a known price
    seconds: float = 0.0  # from sending to receiving
    # Set where no reply came: gave_up, too_long, rejected or over_cap. Such a line is no paid exchange: it lets a
    # replay distinguish a call that failed from one that was never made.
    failure: str | None = None
    cause: str = field(default="", compare=False)  # what went wrong last, in a few words; not kept
    sealed: bool = field(default=False, compare=False)  # whether it is in calls.jsonl

    @staticmethod
    def asking(request: ChatRequest, purpose: str, step: int, item: int | None) -> Call:
        """The exchange that begins with this request."""
        plain = request.plain()
        return Call(key_of(plain), purpose, step, item, request.model, plain)

    def failed(self, failure: str, cause: str = "") -> Call:
        """What is noted in its place if no reply comes."""
        return Call(self.key, self.purpose, self.step, self.item, failure=failure, cause=cause)

    def made_for(self) -> dict[str, Any]:
        """What a line says of who asked."""
        return {"key": self.key, "purpose": self.purpose, "step": self.step, "item": self.item}

    def line(self, texts: bool) -> dict[str, Any]:
        """The exchange as a line of the journal, with or without request and reply."""
        fields = self.made_for()
        if self.failure is not None:
            return {**fields, "failure": self.failure}
        fields |= {"request": self.request, "reply": self.reply} if texts else {"model": self.model}
        fields |= {"finish_reason": self.finish_reason, "usage": asdict(self.usage)}
        if self.estimated:
            fields["estimated"] = True
        return {**fields, "usd": self.usd, "seconds": self.seconds}

    @staticmethod
    def of(row: Mapping[str, Any]) -> Call:
        """Reads a line; its key is computed again, so an edited line answers the request that it now holds."""
        try:
            request = row.get("request")
            key = row["key"] if request is None else key_of(request)
            entry = Call(key, row["purpose"], row["step"], row["item"])
            if "failure" in row:
                entry.failure = row["failure"]
                return entry
            return replace(
                entry,
                model=row.get("model") if request is None else request["model"],
                request=request,
                reply=row.get("reply"),
                finish_reason=row["finish_reason"],
                usage=Usage(**row["usage"]),
                estimated=row.get("estimated", False),
                usd=row["usd"],
                seconds=row["seconds"],
            )
        except (KeyError, TypeError) as error:
            raise RecordError(f"A line of calls.jsonl lacks a field of a call ({error!r}): {str(row)[:80]}.") from None


def sums(entries: Sequence[Call]) -> dict[str, Any]:
    """What exchanges cost: ``usd`` (None if one has no known price), ``tokens`` and ``calls``."""
    dollars = [entry.usd for entry in entries]
    return {
        "usd": total(dollars),
        "tokens": sum(entry.usage.input + entry.usage.output for entry in entries),
        "calls": len(entries),
    }


def total(dollars: Sequence[float | None]) -> float | None:
    """The sum of dollars, the same in whatever order the calls were made; None if one is not known."""
    known = [usd for usd in dollars if usd is not None]
    return round(math.fsum(known), 9) if len(known) == len(dollars) else None


class Journal:
    """The calls of one run, in the file ``path`` (which is continued) or in memory only.

    Without ``texts``, requests and replies are not kept, and nothing can be replayed. ``others`` are calls of other
    runs by key, that are replayed too and become this run's own then.

    Raises:
        RecordError: A line of the file is not a call.
        StorageError: The file cannot be written.
    """

    def __init__(self, path: Path | None = None, texts: bool = True, others: Mapping[str, Call] | None = None) -> None:
        self.path = path
        self.texts = texts
        self.sealed: list[Call] = []
        self.lost: dict[int, dict[str, Any]] = {}
        self._others = others or {}
        self._known: dict[str, Call] = {}
        self._failed: dict[str, Call] = {}
        self._loose: dict[int, Call] = {}
        self._intents: dict[int, dict[str, Any]] = {}
        self._next = 0
        self._part: FileIO | None = None
        self._lock = threading.RLock()
        if path is not None:
            self._part_path = path.with_name(f".{path.stem}.part.jsonl")
            self._open(path)

    @property
    def paid(self) -> list[Call]:
        """Every exchange that was paid for, also those that no finished round of questions rests on yet."""
        return [*self.sealed, *self._loose.values()]

    def find(self, asked: Call) -> Call | None:
        """The exchange for a request, if it was made before; until it is sealed, to the last question."""
        with self._lock:
            entry = self._known.get(asked.key)
            if entry is None and asked.key in self._others:
                entry = self._known[asked.key] = replace(self._others[asked.key], sealed=False)
            if entry is not None and not entry.sealed:
                entry.purpose, entry.step, entry.item = asked.purpose, asked.step, asked.item
                entry.request = asked.request
            return entry

    def failure(self, key: str) -> Call | None:
        """What was noted of a request that got no reply."""
        return self._failed.get(key)

    def begin(self, asked: Call, usd: float | None) -> int:
        """Notes that a call is about to be sent and can cost this much; returns its number."""
        with self._lock:
            number = self._next
            self._next += 1
            self._intents[number] = {**asked.made_for(), "usd": usd}
            self._write({"intent": number, **self._intents[number]})
            return number

    def done(self, number: int, entry: Call) -> None:
        """Keeps what came back."""
        with self._lock:
            self._write({"done": number, **entry.line(self.texts)})
            del self._intents[number]
            self._loose[number] = entry
            if self.texts:
                self._known[entry.key] = entry

    def freed(self, number: int) -> None:
        """Notes that a call was not billed."""
        with self._lock:
            self._write({"freed": number})
            del self._intents[number]

    def lose(self, number: int) -> None:
        """Notes that a call may have been billed, and that nothing usable came back."""
        with self._lock:
            self._write({"lost": number, **self._intents[number]})
            self.lost[number] = self._intents.pop(number)

    def seal(self, entries: Iterable[Call]) -> None:
        """Appends the exchanges that a finished round of questions rests on, in this order, each once."""
        with self._lock:
            new: dict[int, Call] = {}
            for entry in entries:
                kept = self._failed.get(entry.key)
                # The same failure without a reply is noted once; one that takes a reply back, each time.
                known = entry.sealed or (entry.failure is not None and kept == entry and entry.key not in self._known)
                if not known:
                    new.setdefault(id(entry), entry)
                if entry.failure is not None:
                    self._failed[entry.key] = entry
                    self._known.pop(entry.key, None)
            if self.path is not None and new:
                self._append(self.path, b"".join(_encode(entry.line(self.texts)) for entry in new.values()))
            for entry in new.values():
                entry.sealed, entry.request = True, None  # the file holds it; memory need not
                if entry.failure is None:
                    self.sealed.append(entry)
            loose = len(self._loose)
            self._loose = {number: entry for number, entry in self._loose.items() if not entry.sealed}
            if self._part is not None or len(self._loose) < loose:
                self._rewrite_part()

    def close(self) -> None:
        """Closes the files; what is asked from here on is kept in memory."""
        with self._lock:
            self._close_part()
            self.path = None

    def _open(self, path: Path) -> None:
        for row in read_lines(path, mend=True):
            entry = Call.of(row)
            entry.sealed, entry.request = True, None
            if entry.failure is not None:
                self._failed[entry.key] = entry
                self._known.pop(entry.key, None)
                continue
            self.sealed.append(entry)
            if entry.reply is not None and self.texts:
                self._known[entry.key] = entry
        sealed_lines = {_encode(entry.line(self.texts)) for entry in self.sealed} if not self.texts else set()
        rows = read_lines(self._part_path, mend=True)
        for row in rows:
            event = next((name for name in ("intent", "done", "freed", "lost") if name in row), None)
            if event is None:
                raise RecordError(f"{self._part_path} has a line that is no event of a call: {str(row)[:80]}.")
            number = int(row.pop(event))
            self._next = max(self._next, number + 1)
            if event == "intent":
                self._intents[number] = row
                continue
            self._intents.pop(number, None)
            if event == "lost":
                self.lost[number] = row
            elif event == "done":
                entry = Call.of(row)
                # A kill while calls were being appended leaves them in both files.
                if entry.key not in self._known and _encode(entry.line(self.texts)) not in sealed_lines:
                    self._loose[number] = entry
                    if entry.reply is not None:
                        self._known[entry.key] = entry
        if rows:
            self.lost.update(self._intents)
            self._intents.clear()
            self._rewrite_part()

    def _write(self, event: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        try:
            if self._part is None:
                self._part = open(self._part_path, "ab", buffering=0)
            # One write, no buffer and no fsync: a kill of the process cannot lose it, a power failure can.
            line = _encode(event)
            if self._part.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise _unwritable(self._part_path, error) from error

    def _append(self, path: Path, lines: bytes) -> None:
        size = path.stat().st_size if path.exists() else 0
        try:
            with open(path, "ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if path.exists():
                os.truncate(path, size)  # all of a round or nothing
            raise _unwritable(path, error) from error

    def _rewrite_part(self) -> None:
        if self.path is None:
            return
        self._close_part()
        rows = [{"lost": number, **row} for number, row in self.lost.items()]
        rows += [{"intent": number, **row} for number, row in self._intents.items()]
        rows += [{"done": number, **entry.line(self.texts)} for number, entry in self._loose.items()]
        if rows:
            write_atomic(self._part_path, b"".join(_encode(row) for row in rows))
        else:
            self._part_path.unlink(missing_ok=True)

    def _close_part(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None


def read_lines(path: Path, mend: bool = False) -> list[dict[str, Any]]:
    """The lines of a journal; none if there is no file. ``mend`` cuts off a last line that a kill left unfinished."""
    if not path.exists():
        return []
    *lines, torn = path.read_bytes().split(b"\n")
    if torn and mend:
        os.truncate(path, path.stat().st_size - len(torn))
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise RecordError(f"{path}, line {number}: not a JSON object ({line[:60]!r}); mend or delete that line.")
        rows.append(row)
    return rows


def calls_of_run(path: Path) -> dict[str, Call]:
    """The calls of another run by key, given by its directory or its ``calls.jsonl``.

    Raises:
        MissingFileError: There is no such file.
        RecordError: A line of it is not a call.
    """
    file = path / "calls.jsonl" if path.is_dir() else path
    if not file.is_file():
        raise MissingFileError(f"teacher.init_args.journal_path: {file} does not exist; name a run with calls.jsonl.")
    entries = [replace(Call.of(row), request=None) for row in read_lines(file)]  # the asker has the request
    return {entry.key: entry for entry in entries if entry.reply is not None}


def _encode(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"Cannot write {path} ({error.strerror}): free space or choose another --run_dir.")
