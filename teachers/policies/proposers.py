"""Where the names of new subskills come from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from tasks.base import ProceduralTask, Task
from tasks.errors import ConfigurationError
from teachers.observation import SkillTreeObservation


class SubskillProposer(ABC):
    """Proposes subskills for a skill. Subclasses take the task as their first argument and keep no state."""

    @abstractmethod
    def propose(self, skill: str, count: int, observation: SkillTreeObservation) -> tuple[str, ...]:
        """Up to ``count`` names that the skill's tree does not have yet; none if nothing is left to propose."""

    def propose_all(self, wanted: Mapping[str, int], observation: SkillTreeObservation) -> dict[str, tuple[str, ...]]:
        """Up to so many names for each skill: a proposer that has to wait for an answer can ask for all at once."""
        return {skill: self.propose(skill, count, observation) for skill, count in wanted.items()}

    def exhausted(self, skill: str, observation: SkillTreeObservation) -> bool:
        """Whether nothing is left to propose for a skill."""
        return not self.propose(skill, 1, observation)


class FixedListProposer(SubskillProposer):
    """Hands out the names of a list in order, without those that the tree already has.

    Args:
        task: The task to teach.
        names: Subskills by skill; None takes those that a procedural task knows.
    """

    def __init__(self, task: Task, names: Mapping[str, Sequence[str]] | None = None) -> None:
        if names is None:
            if not isinstance(task, ProceduralTask):
                raise ConfigurationError(f"FixedListProposer: {task.name} knows no subskills; give their names.")
            names = {skill: task.subskills(skill) for skill in task.skills()}
        self.names = {skill: tuple(subskills) for skill, subskills in names.items()}

    def propose(self, skill: str, count: int, observation: SkillTreeObservation) -> tuple[str, ...]:
        """The next names of the skill's list; none for a skill without a list."""
        known = {node.name for node in observation.trees[skill].subskills}
        return tuple(name for name in self.names.get(skill, ()) if name not in known)[: max(0, count)]
