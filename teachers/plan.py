"""What a teacher orders: data specs, the two actions on a skill tree, and the plan that an engine carries out."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tasks.types import TrainingRecord


@dataclass(frozen=True, slots=True)
class DataSpec:
    """An order for records of one kind.

    Args:
        count: Number of records wanted.
        skill: What they are to teach; None leaves it open.
        subskill: A finer group under the skill; None leaves it open.
        like: Instance id of a validation error that the records are to resemble.
        description: What to write, in words, for engines that read.
    """

    count: int
    skill: str | None = None
    subskill: str | None = None
    like: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Explore:
    """Add subskills to a skill's tree, each with the same number of records in every step until an action changes it.

    Args:
        subskills: Names of the new subskills; those that the tree already has are ignored.
        records_each: Records per step for each of them.
    """

    subskills: tuple[str, ...]
    records_each: int
    kind: ClassVar[str] = "explore"


@dataclass(frozen=True, slots=True)
class Exploit:
    """Change how many records the existing subskills get.

    Args:
        change: Records per step to add by subskill (negative: to take away); subskills not named keep theirs.
    """

    change: Mapping[str, int]
    kind: ClassVar[str] = "exploit"


TreeAction = Explore | Exploit
Action = Sequence[DataSpec] | Mapping[str, TreeAction]

# Says of each record of a batch why the environment would not accept it, or None if it would.
Screen = Callable[[Sequence[TrainingRecord]], Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class DataPlan:
    """What an engine is to make: the specs of an action, expanded and cut to the budget by the environment.

    Args:
        step: The step that the records are for (1 is the first).
        call: Number of the teacher call within the step.
        seed: The run's seed, for ``generator()``.
        specs: The orders.
        screen: Tells an engine which records the environment would refuse, so that it can replace them; None in plans
            that no environment made.
    """

    step: int
    seed: int
    specs: tuple[DataSpec, ...]
    call: int = 0
    screen: Screen | None = field(default=None, compare=False, repr=False)

    @property
    def count(self) -> int:
        """Number of records ordered."""
        return sum(spec.count for spec in self.specs)

    def generator(self, index: int) -> random.Random:
        """A random generator for the spec of this index, independent of all other steps and specs."""
        return random.Random(f"{self.seed}/{self.step}/{self.call}/spec/{index}")
