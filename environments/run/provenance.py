"""Where a run came from: versions, commit, host, and fingerprints of the model and of the data."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from tasks.base import Task
from tasks.types import TaskInstance

_PACKAGES = ("dataenvgym", "torch", "lightning", "transformers", "peft", "torchmetrics", "scipy", "numpy", "tokenizers")


def provenance(task: Task, model: str, seed: int) -> dict[str, Any]:
    """All that a reader needs to judge or to repeat a run, apart from its configuration.

    Fingerprinted are the task's evaluation instances and, if ``model`` is a folder, its files.
    """
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "git_commit": _git_commit(),
        "host": {
            "platform": platform.platform(),
            "processor": platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        },
        "seed": seed,
        "model": {"name": model, "fingerprint": fingerprint_folder(Path(model))},
        "data": {split: fingerprint_instances(task.instances(split)) for split in ("val", "test")},
        **({"splits": task.split_note} if task.split_note else {}),
    }


def fingerprint_instances(instances: Sequence[TaskInstance]) -> str:
    """SHA-256 over ids, questions, answers and images, in order."""
    digest = hashlib.sha256()
    for instance in instances:
        digest.update(f"{instance.instance_id}\0{instance.instruction}\0{instance.answer}\0".encode())
        if instance.image is not None:
            digest.update(instance.image.digest.encode())
    return digest.hexdigest()


def fingerprint_folder(folder: Path) -> str | None:
    """SHA-256 over a model folder's file names and contents; None for a name on the hub."""
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit of the checkout that this code lives in, with "+changes" if it differs; None away from one."""
    folder = Path(__file__).parents[2]
    if not (folder / "setup.py").is_file():
        return None  # installed: the commit of a checkout around it would be another program's
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit
