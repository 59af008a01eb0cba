"""What an engine hands over: records, and what it threw away on the way to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from tasks.types import TrainingRecord


@dataclass(frozen=True, slots=True)
class Drop:
    """Something that an engine made and did not hand over.

    Args:
        reason: Why, as a counter's name: ``unparsable``, ``answer_mismatch``, ``surplus``…
        text: What it was, as far as it can be shown.
        skill: The skill that it was ordered for.
        subskill: The subskill that it was ordered for.
    """

    reason: str
    text: str
    skill: str | None = None
    subskill: str | None = None


@dataclass(frozen=True)
class Batch(Sequence[TrainingRecord]):
    """The records of a plan; an engine that drops nothing may return any other sequence of records.

    Args:
        records: In the order of the plan's specs.
        dropped: What was thrown away; the environment counts it among the rejected.
        failed: Where there is no record because calls to a chat model failed: what failed, on one line. The episode
            ends with it.
    """

    records: tuple[TrainingRecord, ...]
    dropped: tuple[Drop, ...] = ()
    failed: str = ""

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> TrainingRecord: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TrainingRecord, ...]: ...
    def __getitem__(self, index: int | slice) -> TrainingRecord | tuple[TrainingRecord, ...]:
        return self.records[index]
