"""Which skill an instance counts under: the benchmark's own, or any other partition that a discovery found."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from tasks.base import ProceduralTask, Task
from tasks.types import Prediction, SkillReport, TaskInstance

T = TypeVar("T")


class Once(Protocol):
    """Has one process of a distributed run do some work, and shares the result with the others."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """What ``work`` gives."""


class SkillAssignment(ABC):
    """A partition of a task's instances into named skills. Subclasses take the task as their first argument."""

    def prepare(self, once: Once) -> None:  # noqa: B027
        """Does what must be done once before skills are asked for; nothing by default.

        ``once`` runs work on rank 0 and shares its result, e.g. ``Recorder.once``.
        """

    @abstractmethod
    def skills(self) -> Sequence[str]:
        """The listed skills, in a fixed order; later calls may append new ones."""

    @abstractmethod
    def skill_of(self, instance: TaskInstance) -> str | None:
        """The skill that an instance counts under; None if it belongs to none."""


class GoldSkills(SkillAssignment):
    """The task's own skills: the oracle that skill discovery is compared with.

    Args:
        task: Its skills are listed in its own order if it is procedural, else as they first appear in validation.
    """

    def __init__(self, task: Task) -> None:
        self._task = task

    def skills(self) -> Sequence[str]:
        """The gold skills; none if the benchmark has none."""
        if isinstance(self._task, ProceduralTask):
            return tuple(self._task.skills())
        found = (self._task.skill_of(instance) for instance in self._task.instances("val"))
        return tuple(dict.fromkeys(skill for skill in found if skill is not None))

    def skill_of(self, instance: TaskInstance) -> str | None:
        """The gold skill."""
        return self._task.skill_of(instance)


class NoSkills(SkillAssignment):
    """The assignment of an environment that shows no skills."""

    def skills(self) -> Sequence[str]:
        """None."""
        return ()

    def skill_of(self, instance: TaskInstance) -> None:
        """None."""
        return None


def skill_report(
    predictions: Sequence[Prediction],
    instances: Sequence[TaskInstance],
    skill_of: Callable[[TaskInstance], str | None],
    slices_of: Callable[[TaskInstance], Mapping[str, str]] | None = None,
) -> SkillReport:
    """Accuracy overall, by skill and by the groups of ``slices_of``; instances of no skill count overall only."""
    by_id = {prediction.instance_id: prediction for prediction in predictions}
    return SkillReport.of(
        [by_id[instance.instance_id] for instance in instances],
        [skill_of(instance) for instance in instances],
        None if slices_of is None else [slices_of(instance) for instance in instances],
    )
