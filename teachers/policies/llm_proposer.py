"""The language model that names new subskills, for all skills at once."""

from collections.abc import Mapping

from pydantic import BaseModel

from tasks.base import Task
from tasks.errors import check_range
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import SkillTreeObservation
from teachers.policies.llm_base import PolicyPrompts, Words, draw_errors
from teachers.policies.proposers import SubskillProposer

Names = dict[str, tuple[str, ...]]


class SubskillNames(BaseModel):
    """Names of new subskills."""

    subskills: list[Words]


class LLMSubskillProposer(SubskillProposer):
    """Asks for subskills that a tree does not have yet; skills that got too few are asked once more.

    A skill without a usable reply gets none.

    Args:
        task: The task to teach.
        errors_shown: Most errors of a skill in its prompt; drawn for every call.
        text_limit: Most characters of each text of a student or a benchmark in a prompt; what is cut is marked.
        chat: A chat model or a teacher's calls; None takes those of the teacher that makes it.

    Raises:
        ConfigurationError: A number is out of range, there is no chat model or the task no texts.
    """

    def __init__(
        self, task: Task, errors_shown: int = 5, text_limit: int = 1000, chat: Chat | Calls | None = None
    ) -> None:
        check_range(type(self).__name__, errors_shown=errors_shown)
        self.errors_shown = errors_shown
        self.prompts = PolicyPrompts(self, task, text_limit, chat)

    def propose(self, skill: str, count: int, observation: SkillTreeObservation) -> tuple[str, ...]:
        """Up to ``count`` new names for one skill."""
        return self.propose_all({skill: count}, observation)[skill]

    def propose_all(self, wanted: Mapping[str, int], observation: SkillTreeObservation) -> Names:
        """Up to so many new names for each skill; no name differs from another one by case or spaces alone."""
        found: Names = dict.fromkeys(wanted, ())
        for _ in range(2):
            short = {skill: count - len(found[skill]) for skill, count in wanted.items()}
            self._extend(found, {skill: count for skill, count in short.items() if count > 0}, observation)
        return found

    def exhausted(self, skill: str, observation: SkillTreeObservation) -> bool:
        """Never: a language model always has one more name, and asking costs."""
        return False

    def _extend(self, found: Names, wanted: Mapping[str, int], observation: SkillTreeObservation) -> None:
        present = {
            skill: [*(node.name for node in observation.trees[skill].subskills), *found[skill]] for skill in wanted
        }
        questions = [
            self.prompts.question(
                observation,
                "subskills",
                SubskillNames,
                SubskillNames(subskills=[f"a subskill's name {number}" for number in range(count)]),
                skill=skill,
                present=present[skill],
                errors=draw_errors(observation, self.errors_shown, skill),
                count=count,
            )
            for skill, count in wanted.items()
        ]
        for (skill, count), reply in zip(wanted.items(), self.prompts.ask(questions), strict=True):
            taken = {name.casefold() for name in present[skill]}
            fresh = {name.casefold(): name for name in reversed(reply.subskills if reply else [])}
            new = [name for key, name in reversed(fresh.items()) if key not in taken]
            found[skill] = (*found[skill], *new[:count])
