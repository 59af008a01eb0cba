"""Discovered skills as a file: everything that was found, and which instances it was found for."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, model_validator

from environments.skills.schemas import Strict
from tasks.base import Task, identity
from tasks.errors import ConfigurationError, MissingFileError, RecordError
from tasks.records import write_json

_MEND = "name another path, or delete the file so that the skills are discovered anew"


class Fingerprint(Strict):
    """Which validation instances skills belong to.

    Args:
        task: The task's name.
        instances: How many validation instances it has.
        sha256: Hash of their ids and what they ask, in order.
    """

    task: str
    instances: int
    sha256: str

    @classmethod
    def of(cls, task: Task) -> Fingerprint:
        """The fingerprint of a task's validation instances."""
        instances = task.instances("val")
        texts = json.dumps([[instance.instance_id, identity(instance)] for instance in instances])
        return cls(task=task.name, instances=len(instances), sha256=hashlib.sha256(texts.encode()).hexdigest())


class FrozenCategory(Strict):
    """A skill and the labels that were sorted into it."""

    name: str
    labels: list[str]


class FrozenSkills(Strict):
    """What a discovery found; the content of its file.

    Args:
        format: Version of the file.
        fingerprint: Which instances it was found for.
        model: The chat model that labelled and sorted.
        num_categories: The number of categories that was asked for; None if it was left to the chat model.
        categories: The skills, in the order in which they are listed.
        labels: The label of each instance, by id; None where the chat model gave none.
        assignment: The skill of each instance, by id.
        counters: What went otherwise than it should, and how often.
    """

    format: Literal[1] = 1
    fingerprint: Fingerprint
    model: str
    num_categories: int | None
    categories: list[FrozenCategory]
    labels: dict[str, str | None]
    assignment: dict[str, str]
    counters: dict[str, int]

    @model_validator(mode="after")
    def _fits_together(self) -> FrozenSkills:
        names = [category.name for category in self.categories]
        if len(set(names)) < len(names):
            raise ValueError("two categories have the same name")
        if unknown := sorted(set(self.assignment.values()) - set(names)):
            raise ValueError(f"instances are assigned to {unknown[0]!r}, which is no category")
        if len(self.assignment) != self.fingerprint.instances:
            raise ValueError(f"{len(self.assignment)} of {self.fingerprint.instances} instances are assigned")
        return self

    @property
    def sizes(self) -> dict[str, int]:
        """The number of validation instances of each category."""
        counted = Counter(self.assignment.values())
        return {category.name: counted[category.name] for category in self.categories}


def write_skills(path: str | Path, skills: FrozenSkills) -> None:
    """Freezes skills in a file, atomically; folders on the way are made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_json(path, skills.model_dump())


def read_skills(path: str | Path, task: Task) -> FrozenSkills:
    """The skills of a file; a ConfigurationError if it belongs to other instances than the task's.

    Raises:
        MissingFileError: There is no such file.
        RecordError: The file is damaged, or no file of skills.
        ConfigurationError: It belongs to other instances than the task's.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist (looked in {path.absolute().parent}): check the path.")
    try:
        skills = FrozenSkills.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        message = " ".join(str(first["msg"]).split())
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RecordError(f"{path} holds no discovered skills ({where}: {message}): {_MEND}.") from None
    found_for, present = skills.fingerprint, Fingerprint.of(task)
    if found_for != present:
        if found_for.task != present.task:
            difference = f"of the task {found_for.task!r}, and this is {present.task!r}"
        elif found_for.instances != present.instances:
            difference = f"of {found_for.instances} validation instances, and this task has {present.instances}"
        else:
            difference = "of other validation instances than this task's, though as many (another seed or data?)"
        raise ConfigurationError(f"{path} holds the skills {difference}: {_MEND}.")
    for instance in task.instances("val"):
        if instance.instance_id not in skills.assignment:
            raise RecordError(f"{path} assigns no skill to validation instance {instance.instance_id}: {_MEND}.")
    return skills
