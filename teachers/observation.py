"""What a teacher sees: one observation per environment, each with more structure than the one before."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.types import Accuracy


@dataclass(frozen=True, slots=True)
class ErrorExample:
    """One validation instance that the student got wrong; ``skill`` is None in the Open-Ended environment."""

    instance_id: str
    instruction: str
    student_answer: str
    right_answer: str
    skill: str | None = None


@dataclass(frozen=True, slots=True)
class PastStep:
    """One finished step; ``skills`` and ``allocation`` are empty in the Open-Ended environment.

    Args:
        step: 0 is the untrained student.
        accuracy: Validation accuracy after it.
        records: Number of records accepted in it.
        skills: Validation accuracy by skill after it.
        allocation: Accepted records by skill.
        errors: Every validation instance that the student got wrong after it, with its answer at that time.
    """

    step: int
    accuracy: Accuracy
    records: int
    skills: Mapping[str, Accuracy] = field(default_factory=dict)
    allocation: Mapping[str, int] = field(default_factory=dict)
    errors: tuple[ErrorExample, ...] = ()


@dataclass(frozen=True, slots=True)
class SubskillNode:
    """A subskill that the teacher proposed under a skill.

    Args:
        name: Unique under its skill.
        allocation: Records ordered for it in every step, until an action changes that.
        generated: Records accepted for it so far.
        accuracy: Mean score of the student on the latest records before it trained on them; None if not measured.
    """

    name: str
    allocation: int
    generated: int = 0
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class SkillTree:
    """A skill with its subskills and what happened to it.

    Args:
        skill: The skill.
        subskills: In the order of their proposal.
        rewards: Change of the skill's validation accuracy at each step since the first action.
        actions: Kind of each action so far, oldest first: "explore" or "exploit".
    """

    skill: str
    subskills: tuple[SubskillNode, ...] = ()
    rewards: tuple[float, ...] = ()
    actions: tuple[str, ...] = ()

    @property
    def generated(self) -> int:
        """Records accepted for the skill so far."""
        return sum(node.generated for node in self.subskills)


@dataclass(frozen=True, slots=True)
class Observation:
    """What the Open-Ended environment shows; the others show it too.

    Args:
        step: Number of finished steps; 0 is the untrained student.
        call: Number of the teacher call within the coming step (0 unless several calls share a step).
        seed: The run's seed, for ``generator()``.
        last: True if the budget is spent: there will be no further action.
        accuracy: Validation accuracy of the student now.
        errors: Every validation instance that it got wrong.
        history: All finished steps, step 0 first.
        records_left: Records that the budget still allows; None without a limit.
        calls_left: Teacher calls that the budget still allows, this one included; None without a limit.
    """

    step: int
    seed: int
    last: bool
    accuracy: Accuracy
    errors: tuple[ErrorExample, ...] = ()
    history: tuple[PastStep, ...] = ()
    records_left: int | None = None
    calls_left: int | None = None
    call: int = 0

    def generator(self, purpose: str) -> random.Random:
        """A random generator of this seed, step and call: policies keep no random state of their own."""
        return random.Random(f"{self.seed}/{self.step}/{self.call}/{purpose}")

    def even_share(self, default: int = 100) -> int:
        """Records for this call if what is left of the budget is spread evenly over the calls left."""
        if self.records_left is None:
            return default
        if self.calls_left is None:
            return min(default, self.records_left)
        return -(-self.records_left // max(1, self.calls_left))


@dataclass(frozen=True, slots=True)
class SkillListObservation(Observation):
    """What the Skill-List environment shows.

    Args:
        skills: Validation accuracy at present by skill; its keys are the listed skills.
    """

    skills: Mapping[str, Accuracy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SkillTreeObservation(SkillListObservation):
    """What the Skill-Tree environment shows.

    Args:
        trees: One tree for each listed skill.
    """

    trees: Mapping[str, SkillTree] = field(default_factory=dict)
