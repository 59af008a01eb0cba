"""Where a benchmark's own rows come from: a local folder of ``<split>.jsonl`` files, or the Hugging Face hub.

In this order: the folder that the task is given (``path``); the benchmark's folder under the directory that the
environment variable DATAENVGYM_DATA_DIR names; the hub, at a pinned commit. The rows are the same in all three.
"""

import contextlib
import importlib.util
import logging
import os
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.errors import ConfigurationError, MissingFileError, RecordError
from tasks.records import is_text, read_json_lines

DATA_DIR = "DATAENVGYM_DATA_DIR"

logger = logging.getLogger(__name__)

# Without a network the hub's client tries again for half a minute; a name that cannot be resolved says so at once.
_REACH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One row of a split: its place from 0, the benchmark's own fields, and where it is from, for messages."""

    index: int
    fields: Mapping[str, Any]
    where: str

    def text(self, field: str) -> str:
        """A field that must be text and not empty.

        Raises:
            RecordError: It is missing, empty or something else; the message names file, line and field.
        """
        value = self.fields.get(field)
        if not isinstance(value, str) or not value.strip() or not is_text(value):
            found = "is missing" if field not in self.fields else f"is {value!r:.60}"
            raise RecordError(f"{self.where}: the field {field!r} {found}, it must be text; mend or delete that row.")
        return value


class BenchmarkRows:
    """The splits of one benchmark.

    Args:
        name: The benchmark's folder under DATAENVGYM_DATA_DIR.
        path: A local folder with a file ``<split>.jsonl`` for each split; takes precedence over the others.
        hub_id: The data set on the Hugging Face hub.
        revision: Commit of the data set; None takes the newest.
        config_name: The configuration of the data set; None takes its default.
    """

    def __init__(
        self,
        name: str,
        path: str | None,
        hub_id: str,
        revision: str | None = None,
        config_name: str | None = None,
    ) -> None:
        self.name = name
        self.hub_id = hub_id
        self.revision = revision
        self.config_name = config_name
        self.folder = self._local_folder(path)

    @property
    def source(self) -> str:
        """Where the rows come from, for people: a folder, or a hub id with its commit."""
        if self.folder is not None:
            return str(self.folder)
        return self.hub_id + (f" @ {self.revision[:12]}" if self.revision else "")

    def has(self, split: str) -> bool:
        """Whether a split is there, as far as can be said without asking the hub."""
        return self.folder is None or self._file(split).is_file()

    def read(self, split: str, only: tuple[str, Collection[Any]] | None = None) -> list[BenchmarkRow]:
        """The rows of a split, in their order.

        Args:
            split: Its name; on the hub also a part of it, like ``train[:50]``.
            only: A field and the values that are wanted of it; None takes all rows. From the hub, no other row's
                images are read. Images are given undecoded, as their files' bytes.

        Raises:
            MissingFileError: The local folder has no such split, or the hub cannot be reached.
            RecordError: A line is not a JSON object, or there are no rows.
        """
        if self.folder is None:
            rows = self._from_hub(split, only)
        elif (file := self._file(split)).is_file():
            rows = [
                BenchmarkRow(index, fields, f"{file}, line {line}")
                for index, (line, fields) in enumerate(read_json_lines(file))
            ]
        else:
            there = ", ".join(sorted(other.name for other in file.parent.glob("*.jsonl"))) or "no .jsonl file"
            raise MissingFileError(f"{file} does not exist; {file.parent} has {there}: add the split's rows there.")
        if only is not None:
            rows = [row for row in rows if row.fields.get(only[0]) in only[1]]
        if not rows:
            raise RecordError(f"The split {split!r} of {self.source} holds no rows: check the file.")
        return rows

    def _local_folder(self, path: str | None) -> Path | None:
        if path is not None:
            folder = Path(path).expanduser()
            if not folder.is_dir():
                raise MissingFileError(
                    f"task.init_args.path {path!r} is no folder (looked from {Path.cwd()}): it must hold files such as "
                    "test.jsonl with the benchmark's rows."
                )
            return folder
        if not (directory := os.environ.get(DATA_DIR)):
            return None
        if not Path(directory).expanduser().is_dir():
            raise MissingFileError(f"{DATA_DIR} is {directory!r}, which is no folder (looked from {Path.cwd()}).")
        folder = Path(directory).expanduser() / self.name
        if folder.is_dir():
            return folder
        logger.info("%s has no folder %s: its rows come from the hub.", directory, self.name)
        return None

    def _file(self, split: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{split}.jsonl"

    def _from_hub(self, split: str, only: tuple[str, Collection[Any]] | None) -> list[BenchmarkRow]:
        if importlib.util.find_spec("datasets") is None:
            raise ConfigurationError(
                f"Reading {self.hub_id} from the hub needs the package datasets: pip install datasets, "
                f"or pass task.init_args.path, a local folder of its rows."
            )
        import datasets

        try:
            with _offline(not _reachable()):
                rows = datasets.load_dataset(self.hub_id, self.config_name, split=split, revision=self.revision)
        # The hub's client raises these and subclasses of them for a missing network, data set, commit or split.
        except (OSError, ValueError, RuntimeError) as error:
            raise self._unreachable(split, str(error).strip().split("\n")[0]) from error
        for name, feature in rows.features.items():
            if isinstance(feature, datasets.Image):
                rows = rows.cast_column(name, datasets.Image(decode=False))
        wanted: Sequence[int] = range(len(rows))
        if only is not None:
            wanted = [index for index, value in enumerate(rows[only[0]]) if value in only[1]]
        return [BenchmarkRow(index, dict(rows[index]), f"{self.source}, {split} row {index}") for index in wanted]

    def _unreachable(self, split: str, reason: str) -> MissingFileError:
        return MissingFileError(
            f"The split {split!r} of {self.source} cannot be read from the Hugging Face hub ({reason:.120}): pass "
            f"--task.init_args.path, a folder with {split}.jsonl, or set {DATA_DIR} to a folder that has "
            f"{self.name}/{split}.jsonl."
        )


@contextlib.contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """Lets the hub's client read its cache only; it takes that from a constant, which it read at import."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable() -> bool:
    """Whether the hub answers; True behind a proxy, which answers for itself."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    address = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "huggingface.co", port), timeout=_REACH_SECONDS).close()
    except OSError:
        return False
    return True
