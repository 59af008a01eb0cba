"""The state of one spec while an engine works on it, and the checks that a record has to pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tasks.base import Task, identity
from tasks.errors import RecordError
from tasks.types import TrainingRecord
from teachers.batch import Drop
from teachers.engines.illustrators import Illustrator
from teachers.plan import DataSpec, Screen

# The field of a reply that says what its record's image shows.
DESCRIPTION = "image_description"


@dataclass
class Order:
    """One spec with what was made of it."""

    index: int  # its place in the plan
    spec: DataSpec
    rng: Random
    records: list[TrainingRecord] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # questions that exist already, here or in the environment
    idle: int = 0  # rounds in a row that gained nothing

    @property
    def missing(self) -> int:
        """Records still to be made."""
        return self.spec.count - len(self.records)

    @property
    def written(self) -> list[str]:
        """Questions that must not be written again; the same words about another image are another question."""
        return [*(record.instruction for record in self.records if record.image is None), *self.refused]


class Inspection:
    """Hands over what passes all checks, and keeps the rest with its reason.

    ``source`` is noted in every record; ``illustrator`` makes images that replies describe and the task does not draw.
    """

    def __init__(self, task: Task, screen: Screen | None, source: str, illustrator: Illustrator | None = None) -> None:
        self._task = task
        self._illustrator = illustrator
        self._screen = screen
        self._source = source
        self._seen: set[str] = set()
        self._accepted: list[TrainingRecord] = []
        self.dropped: list[Drop] = []

    def drop(self, order: Order, reason: str, text: str) -> None:
        """Notes that something is not handed over."""
        self.dropped.append(Drop(reason, text, order.spec.skill, order.spec.subskill))

    def take(self, made: Sequence[tuple[Order, Mapping[str, Any]]]) -> None:
        """Adds to each order the replies that pass, considered in this order, as far as it has room; once per round."""
        read = []
        for order, reply in made:
            try:
                read.append((order, reply, self._task.parse_record(reply)))
            except RecordError as error:
                self.drop(order, "unparsable", f"{error}: {dict(reply)}")
        sound = []
        for order, drawn in self._illustrated(read):
            record = self._sound(order, drawn)
            if record is not None:
                sound.append((order, record))
        verdicts = screened(self._screen, self._accepted, [record for _, record in sound])
        for (order, record), verdict in zip(sound, verdicts, strict=True):
            if verdict is not None:
                self.drop(order, verdict, record.instruction)
                self._refuse(order, record)
            elif order.missing <= 0:
                self.drop(order, "surplus", record.instruction)
            else:
                order.records.append(record)
                self._accepted.append(record)

    def _illustrated(
        self, read: Sequence[tuple[Order, Mapping[str, Any], TrainingRecord]]
    ) -> list[tuple[Order, TrainingRecord]]:
        """No more of a spec than it misses are illustrated, for each image costs."""
        room = {order.index: order.missing for order, _, _ in read}
        waiting: dict[int, str] = {}
        kept: list[tuple[Order, TrainingRecord]] = []
        for order, reply, record in read:
            description = str(reply.get(DESCRIPTION, ""))
            if self._illustrator is None or record.image is not None or not description:
                kept.append((order, record))
            elif room[order.index] <= 0:
                self.drop(order, "surplus", record.instruction)
            else:
                room[order.index] -= 1
                waiting[len(kept)] = description
                kept.append((order, record))
        if self._illustrator is None or not waiting:
            return kept
        images = dict(zip(waiting, self._illustrator.illustrate(list(waiting.values())), strict=True))
        done = []
        for place, (order, record) in enumerate(kept):
            if place in images and images[place] is None:
                self.drop(order, "not_drawn", f"{record.instruction} [{waiting[place]}]")
            else:
                done.append((order, replace(record, image=images.get(place, record.image))))
        return done

    def _sound(self, order: Order, record: TrainingRecord) -> TrainingRecord | None:
        if (fault := self._task.fault_of(record)) is not None:
            self.drop(order, fault, f"{record.instruction} -> {record.response}")
            return None
        question = identity(record)
        if question in self._seen:
            self.drop(order, "duplicate", record.instruction)
            self._refuse(order, record)
            return None
        self._seen.add(question)
        return replace(record, skill=order.spec.skill, subskill=order.spec.subskill, source=self._source)

    def _refuse(self, order: Order, record: TrainingRecord) -> None:
        if record.image is None:
            order.refused.append(record.instruction)


def screened(
    screen: Screen | None, accepted: Sequence[TrainingRecord], records: Sequence[TrainingRecord]
) -> Sequence[str | None]:
    """What the environment would say of records, compared also with ``accepted``, those handed over already."""
    if screen is None or not records:
        return [None] * len(records)
    return screen([*accepted, *records])[len(accepted) :]
