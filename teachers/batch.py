"""What an engine hands over: records, and what it threw away while making them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from tasks.errors import ConfigurationError
from tasks.types import TrainingRecord


@dataclass(frozen=True, slots=True)
class Drop:
    """Something that an engine made and did not hand over."""

    reason: str  # a counter's name: ``unparsable``, ``answer_mismatch``, ``surplus``…
    text: str
    skill: str | None = None
    subskill: str | None = None


@dataclass(frozen=True)
class Batch(Sequence[TrainingRecord]):
    """The records of a plan, as every engine returns them.

    Args:
        records: In the order of the plan's specs.
        dropped: Counted among the rejected by the environment.
        failed: What failed, on one line, where there is no record because calls to a chat model failed. It ends the
            episode.
    """

    records: tuple[TrainingRecord, ...]
    dropped: tuple[Drop, ...] = ()
    failed: str = ""

    @classmethod
    def of(cls, made: Sequence[TrainingRecord]) -> Batch:
        """What an engine or a script hands over; a plain list of records becomes a batch that dropped nothing."""
        if isinstance(made, Batch):
            return made
        if not isinstance(made, Sequence) or not all(isinstance(record, TrainingRecord) for record in made):
            raise ConfigurationError(
                f"Training records are wanted, and this is a {type(made).__name__} ({made!r:.60}): "
                "return teachers.Batch(records) from Engine.generate."
            )
        return cls(tuple(made))

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> TrainingRecord: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TrainingRecord, ...]: ...
    def __getitem__(self, index: int | slice) -> TrainingRecord | tuple[TrainingRecord, ...]:
        return self.records[index]
