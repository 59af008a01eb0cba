"""Challenges: configurations of ``configs/challenges``, each of which isolates one thing that a teacher has to do."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from dataenvgym import catalogue
from lightning_modules.base_weights import resolve_model
from tasks.errors import ConfigurationError

# What a student's results rest on, beside allocation and seed: the blocks of a configuration, without what only says
# what is asked of it and how often.
_WORLD = ("task", "model", "data", "trainer")
_OF_THE_STUDENT = ("*.safetensors", "*config.json", "tokenizer.json", "*.jinja", "replay.jsonl")
_OF_THE_EXAM = ("exam", "seed", "val_size", "test_size")


@dataclass(frozen=True)
class Challenge:
    """One challenge.

    Args:
        name: Its name with its version, ``relevance-v1``: whatever changes results makes a new version.
        path: Its configuration.
    """

    name: str
    path: Path

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The blocks of the configuration."""
        return dict(yaml.safe_load(self.path.read_text(encoding="utf-8")))

    @property
    def ability(self) -> str:
        """What it asks of a teacher: the comment at the head of its file."""
        return catalogue.head_comment(self.path.read_text(encoding="utf-8"))

    @property
    def exam(self) -> dict[str, float]:
        """Weight of each skill that is asked; empty for all evenly."""
        return dict((self._settings("task").get("variant") or {}).get("exam") or {})

    @property
    def max_records(self) -> int:
        """The budget of records."""
        return int(self._settings("environment")["budget"]["max_records"])

    @property
    def static(self) -> bool:
        """Whether a student depends on the set of its records alone, so that a best allocation bounds every teacher."""
        environment = self._settings("environment")
        return (environment.get("start") or "base", environment.get("pool") or "all") == ("base", "all")

    @cached_property
    def world(self) -> str:
        """The name of what fits are made in: the same for challenges that differ in exam and budget alone.

        It covers settings, engine and the student's files; code that changes results is what the canary is for.
        """
        said = json.dumps({**world_of(self.config), "student": self.student}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    @cached_property
    def student(self) -> str:
        """The hash of what the student's answers depend on: weights, configuration, tokenizer, replayed records."""
        folder = Path(resolve_model(self._settings("model")["model_name_or_path"]))
        digest = hashlib.sha256()
        for pattern in _OF_THE_STUDENT:
            for path in sorted(folder.glob(pattern)):
                digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def _settings(self, block: str) -> Mapping[str, Any]:
        return dict(self.config[block].get("init_args") or {})


def world_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a configuration that its student's results rest on, besides allocation and seed."""
    blocks: dict[str, Any] = {block: config.get(block) for block in _WORLD}
    task = config["task"]
    settings = dict(task.get("init_args") or {})
    variant = {key: value for key, value in (settings.pop("variant", None) or {}).items() if key != "exam" and value}
    kept = {key: value for key, value in settings.items() if key not in _OF_THE_EXAM}
    blocks["task"] = [task["class_path"], kept, variant]
    blocks["engine"] = ((config.get("teacher") or {}).get("init_args") or {}).get("engine")
    return blocks


def challenge(name: str) -> Challenge:
    """The shipped challenge of a name.

    Raises:
        ConfigurationError: There is none.
    """
    known = catalogue.names("challenges")
    if name not in known:
        raise ConfigurationError(f"There is no challenge {name!r}; the challenges are {', '.join(known)}.")
    return Challenge(name, catalogue.FOLDER / "challenges" / f"{name}.yaml")


def challenges() -> list[Challenge]:
    """All shipped challenges."""
    return [challenge(name) for name in catalogue.names("challenges")]
