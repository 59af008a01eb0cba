"""The accepted records of a run as a Hugging Face dataset: Parquet and a card, in a folder or on the hub."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataenvgym.reading.run import Run, read_run
from dataenvgym.reporting.export_card import card, default_license
from tasks.errors import ConfigurationError, MissingFileError, RecordError, RunDirectoryError, StorageError
from tasks.types import TrainingRecord

if TYPE_CHECKING:
    from datasets import Dataset

HUB = "hub:"
_PARQUET = "data/train-00000-of-00001.parquet"


def export_run(path: Path, to: str, license: str | None = None, private: bool = False) -> str:
    """Exports the accepted records of a run's finished steps; returns the folder or the repository's address.

    ``to`` is a folder that does not exist or is empty, or ``hub:<user>/<name>`` for a new repository on the hub; the
    licence is a name of the hub's, and that of ``default_license`` if None.

    Raises:
        MissingFileError: The folder is no run directory, or a file of it is missing.
        RecordError: The run has no accepted records, or a file of it is damaged.
        RunDirectoryError: The folder to write exists and holds something.
        StorageError: It cannot be written, or the hub refused or cannot be reached.
        ConfigurationError: The name of the repository is none.
    """
    run = read_run(path)
    records = run.training_records()
    if not records:
        raise RecordError(f"{path} has no accepted records: there is nothing to export.")
    if not run.summary:
        raise MissingFileError(f"{path} has no summary: pass a run that has finished a step.")
    chosen = license or default_license(run)
    if to.startswith(HUB):
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), records, run, chosen)
            return _push(Path(folder), to.removeprefix(HUB), run, private)
    folder_path = Path(to)
    if folder_path.exists() and (not folder_path.is_dir() or any(folder_path.iterdir())):
        raise RunDirectoryError(f"{to} exists and is not empty: nothing was overwritten; name another --to.")
    part = folder_path.absolute().with_name(f".{folder_path.absolute().name}.part")
    try:
        folder_path.absolute().parent.mkdir(parents=True, exist_ok=True)
        # Made beside its place and moved there whole: a folder that exists is a dataset that is complete.
        with tempfile.TemporaryDirectory(prefix=part.name, dir=part.parent) as made:
            _write(Path(made) / "dataset", records, run, chosen)
            (Path(made) / "dataset").rename(folder_path)
    except OSError as error:
        raise StorageError(f"Cannot write {to} ({error.strerror}): free space or name another --to.") from error
    return str(folder_path)


def to_dataset(records: Sequence[tuple[int, TrainingRecord]]) -> Dataset:
    """Records, each with its step, as a dataset: ``messages`` for trainers that chat, and the records' own fields.

    Columns for an image and for a worse response (``rejected``) are there only if a record has one.
    """
    from datasets import Dataset, Features, List, Value
    from datasets import Image as ImageFeature

    text = ("instruction", "response", "answer", "skill", "subskill", "source")
    features: dict[str, Any] = {"messages": List({"role": Value("string"), "content": Value("string")})}
    features |= {name: Value("string") for name in text} | {"step": Value("int32")}
    if any(record.rejected is not None for _, record in records):
        features["rejected"] = Value("string")
    if any(record.image is not None for _, record in records):
        features["image"] = ImageFeature()
    rows = []
    for step, record in records:
        said = (("user", record.instruction), ("assistant", record.response))
        row = {name: getattr(record, name) for name in text} | {"step": step, "rejected": record.rejected}
        row["messages"] = [{"role": role, "content": content} for role, content in said]
        row["image"] = None if record.image is None else {"bytes": record.image.content, "path": record.image.name}
        rows.append({name: row[name] for name in features})
    return Dataset.from_list(rows, features=Features(features))


def _write(folder: Path, records: Sequence[tuple[int, TrainingRecord]], run: Run, license: str) -> None:
    import datasets

    (folder / "data").mkdir(parents=True)
    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        dataset = to_dataset(records)
        dataset.to_parquet(folder / _PARQUET)
    finally:
        if not shown:
            datasets.enable_progress_bars()
    (folder / "README.md").write_text(card(records, dataset.column_names, run, license), encoding="utf-8")


def _push(folder: Path, repository: str, run: Run, private: bool) -> str:
    from huggingface_hub import HfApi, errors
    from huggingface_hub.utils.tqdm import disable_progress_bars

    unreachable = getattr(errors, "HTTPError", OSError)  # of the library that the hub's client talks HTTP with
    disable_progress_bars()
    api = HfApi()
    try:
        # An upload that failed leaves an empty repository behind: that one may be filled.
        address = api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        present = set(api.list_repo_files(address.repo_id, repo_type="dataset")) - {".gitattributes"}
        if present:
            raise RunDirectoryError(f"{address} holds files already: nothing was overwritten; name another repository.")
        message = f"Accepted records of {run.name}"
        api.upload_folder(folder_path=folder, repo_id=address.repo_id, repo_type="dataset", commit_message=message)
    except errors.HFValidationError as error:
        raise ConfigurationError(f"--to {HUB}{repository}: {_line(error)}") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        hints = {401: "log in with `hf auth login` or set HF_TOKEN", 403: "this token may not write there"}
        raise StorageError(
            f"The hub refused {repository} ({status}): {hints.get(status, 'try again later')}, or export to a folder."
        ) from None
    except RunDirectoryError:
        raise  # is an OSError too
    except (unreachable, OSError) as error:  # no network, offline mode, no token
        raise StorageError(
            f"The hub cannot be reached for {repository} ({_line(error)}): export to a folder and upload it later."
        ) from None
    return str(address)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
