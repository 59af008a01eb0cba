"""Cells of a grid as data: one episode each, and the floors and ablations that are made from another cell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"


@dataclass(frozen=True)
class Cell:
    """One episode.

    Args:
        name: The row that it belongs to, the same for all seeds.
        seed: Its seed.
        fragments: Names under configs/ (``tasks/math_procedural``) or paths of YAML files, in order.
        overrides: Settings over the fragments, by dotted key; mappings and lists are passed as JSON.
        options: Further words of the command line, which come last.
    """

    name: str
    seed: int
    fragments: tuple[str, ...]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The name of its run directory."""
        return f"{self.name}-seed{self.seed}"

    def words(self, out: Path) -> list[str]:
        """The words after ``dataenvgym``."""
        return [
            "episode",
            *self.setting_words(),
            "--seed_everything",
            str(self.seed),
            "--run_dir",
            str(out / self.folder),
            *self.options,
        ]

    def setting_words(self, blocks: Sequence[str] | None = None) -> list[str]:
        """Fragments and overrides as words; of the named blocks only, for commands that know no other."""
        words: list[str] = []
        for fragment in self.fragments:
            path = _path(fragment)
            if blocks is None or set(yaml.safe_load(path.read_text(encoding="utf-8"))) <= set(blocks):
                words += ["--config", str(path)]
        for key, value in self.overrides.items():
            if blocks is None or key.split(".")[0] in blocks:
                words += _as_option(key, value)
        return words

    def changed(self, name: str, settings: Mapping[str, Any]) -> Cell:
        """The cell with settings by dotted key as its last options, since the last one counts; ``name`` is appended."""
        options = [word for key, value in settings.items() for word in _as_option(key, value)]
        return replace(self, name=f"{self.name}-{name}", options=(*self.options, *options))

    def setting(self, key: str) -> Any:
        """What fragments, overrides and options say about a setting, the last of them first; None if nothing.

        The key is dotted, with or without ``init_args``: ``environment.budget.max_steps``.
        """
        given = list(pairwise((*self.options, "")))
        for word, value in reversed(given):
            name, is_joined, joined = word.partition("=")
            said = joined if is_joined else value
            if word.startswith("--") and _short(name.removeprefix("--")) == _short(key):
                return yaml.safe_load(said)
            if name in ("--config", "-c") and (found := _lookup(_path(said), key)) is not None:
                return found
        for name, value in reversed(list(self.overrides.items())):
            if _short(name) == _short(key):
                return value
        found = (_lookup(_path(fragment), key) for fragment in reversed(self.fragments))
        return next((value for value in found if value is not None), None)


def undiscovered(cell: Cell) -> Mapping[str, Any] | None:
    """The settings of a cell's discovered skills if the file that they name is not there yet; None otherwise."""
    skills = cell.setting("environment.skills")
    settings = (skills.get("init_args") or {}) if isinstance(skills, Mapping) else {}
    if "{task}" in str(settings.get("path")):
        raise SystemExit(
            f"{cell.name}: environment.skills.init_args.path is {settings['path']}, and cells side by side need a path "
            "without {task}: name one, which the grid makes once for all of them."
        )
    return settings if settings.get("path") and not Path(settings["path"]).exists() else None


def no_state(cell: Cell, teacher: str = "teachers/no_state_procedural") -> Cell:
    """The floor of a cell that sees nothing of the student: random valid records, all else the same."""
    fragments = tuple(teacher if name.startswith("teachers/") else name for name in cell.fragments)
    floor = replace(cell, name="no_state", fragments=fragments)
    policy = _lookup(_path(teacher), "teacher.policy")
    if _policy(floor) == policy:
        return floor
    # The cell's own options name another policy, and come last.
    return replace(floor, options=(*floor.options, *_as_option("teacher.init_args.policy", policy)))


def more_epochs(cell: Cell) -> Cell:
    """The floor of a cell that has its first step's records only, and as much training on them.

    The teacher stops after step 1, and the Trainer makes as many more epochs as the cell has steps: as many records,
    repeats counted, as the cell's last step trains on. It needs ``budget.max_steps`` and ``trainer.max_epochs``.
    """
    steps, epochs = (cell.setting(key) for key in ("environment.budget.max_steps", "trainer.max_epochs"))
    if steps is None or epochs is None:
        raise SystemExit(f"{cell.name}: the floor of more epochs needs environment.budget.max_steps and max_epochs.")
    policy = {"class_path": "teachers.policies.FirstStepPolicy", "init_args": {"policy": _policy(cell)}}
    return cell.changed("more_epochs", {"teacher.init_args.policy": policy, "trainer.max_epochs": steps * epochs})


def with_feedback(cell: Cell, feedback: str) -> Cell:
    """The cell under another kind of feedback: ``true``, ``none``, ``shuffled`` or ``stale``."""
    policy = {
        "class_path": "teachers.policies.FeedbackAblationPolicy",
        "init_args": {"policy": _policy(cell), "feedback": feedback},
    }
    return cell.changed(feedback, {"teacher.init_args.policy": policy})


def _as_option(key: str, value: Any) -> tuple[str, str]:
    return f"--{key}", value if isinstance(value, str) else json.dumps(value)


def _policy(cell: Cell) -> Any:
    policy = cell.setting("teacher.policy")
    if policy is None:
        raise SystemExit(f"{cell.name}: none of its fragments says teacher.init_args.policy.")
    return policy


def _path(fragment: str) -> Path:
    if fragment.endswith((".yaml", ".yml")):
        return Path(fragment)
    return CONFIGS / f"{fragment.removeprefix('configs/')}.yaml"


def _short(key: str) -> str:
    return ".".join(part for part in key.split(".") if part != "init_args")


def _lookup(path: Path, key: str) -> Any:
    value: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    for part in _short(key).split("."):
        if isinstance(value, Mapping) and part not in value:
            value = value.get("init_args")
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
