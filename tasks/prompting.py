"""What a task tells a teacher that reads: who it is, how a record is written, and one worked example.

A teacher's prompt is put together from two sides that never see each other: a policy or an engine brings the strategy
("here are the errors"), the task brings this. A domain's texts lie in ``tasks/<domain>/prompts/<task name>.yaml``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.errors import ConfigurationError, MissingFileError


class PlainRecord(BaseModel):
    """The fields of a record of most text tasks."""

    model_config = ConfigDict(extra="forbid")

    instruction: str
    response: str
    answer: str


@dataclass(frozen=True, slots=True)
class RecordStage:
    """One kind of reply out of which records are made; most tasks have one, which gives whole records.

    The first stage is asked for many items at once. Each further stage is asked once for each item as it is so far, and
    adds its fields (first a problem, say, and then its solution). ``Task.parse_record`` gets the merged fields.

    Args:
        guide: How to write an item: what each field holds, what makes it right. Plain text for a model to read.
        schema: The fields of an item.
        example: One worked item, valid under the schema.
    """

    guide: str
    schema: type[BaseModel]
    example: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DomainText:
    """A task's part of every prompt.

    Args:
        persona: Who the teacher is, in the second person; one or two sentences.
        topic: What the student learns, as a noun phrase ("elementary mathematics").
        stages: How records are written, at least one stage.
    """

    persona: str
    topic: str
    stages: tuple[RecordStage, ...]

    @property
    def example(self) -> dict[str, Any]:
        """The worked example of all stages, merged: what ``Task.parse_record`` gets."""
        return {key: value for stage in self.stages for key, value in stage.example.items()}


def read_domain_text(package: str, name: str, schemas: Sequence[type[BaseModel]] = (PlainRecord,)) -> DomainText:
    """The domain text of a task, from ``<package>/prompts/<name>.yaml``.

    The file has the keys ``persona``, ``topic`` and ``stages``: a ``guide`` and an ``example`` for each schema.

    Raises:
        MissingFileError: There is no such file.
        ConfigurationError: The file lacks a key, or an example does not fit its schema.
    """
    where = f"{package.replace('.', '/')}/prompts/{name}.yaml"
    file = resources.files(package) / "prompts" / f"{name}.yaml"
    if not file.is_file():
        raise MissingFileError(f"{where} does not exist: a task that language models teach needs its texts there.")
    try:
        plain = yaml.safe_load(file.read_text(encoding="utf-8"))
        stages = tuple(
            RecordStage(stage["guide"].strip(), schema, schema.model_validate(stage["example"]).model_dump())
            for stage, schema in zip(plain["stages"], schemas, strict=True)
        )
        return DomainText(plain["persona"].strip(), plain["topic"].strip(), stages)
    except (KeyError, TypeError, AttributeError, ValueError, ValidationError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{where} is not a domain text ({type(error).__name__}: {error}).") from None
