"""The language model that knows the domain and sees nothing of the student: what feedback is compared with."""

from __future__ import annotations

from pydantic import BaseModel, field_validator

from tasks.base import Task
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import Observation
from teachers.plan import Action, DataSpec
from teachers.policies.llm_base import LLMPolicy, Share, Words, at_least_one, deal


class ProblemKind(BaseModel):
    """One kind of problem, and how many of the records shall be of it compared with the others."""

    description: Words
    share: Share


class ProblemKinds(BaseModel):
    """A varied list of kinds of problems."""

    kinds: list[ProblemKind]

    @field_validator("kinds")
    @classmethod
    def _some(cls, kinds: list[ProblemKind]) -> list[ProblemKind]:
        if not any(kind.share for kind in kinds):
            raise ValueError("name at least one kind with a share above 0")
        return kinds


class LLMNoStatePolicy(LLMPolicy):
    """Asks for a varied list of kinds of problems of the domain, whatever the student can do.

    Without a usable reply it orders records of anything.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
        kinds: How many kinds of problems are asked for.
        text_limit: Most characters of each text of a student or a benchmark in a prompt; what is cut is marked.
        chat: The chat model that it asks, or a teacher's calls; None takes those of the teacher that makes it.

    Raises:
        ConfigurationError: A number is out of range, there is no chat model or the task no texts.
    """

    def __init__(
        self,
        task: Task,
        records_per_step: int | None = None,
        kinds: int = 12,
        text_limit: int = 1000,
        chat: Chat | Calls | None = None,
    ) -> None:
        super().__init__(task, records_per_step, text_limit, chat)
        at_least_one(self, kinds=kinds)
        self.kinds = kinds

    def act(self, observation: Observation) -> Action:
        """An order for each kind, in proportion to its share."""
        kind = ProblemKind(description="problems of one kind, described in one or two sentences " * 2, share=1)
        question = self.prompts.question(
            observation, "no_state", ProblemKinds, ProblemKinds(kinds=[kind] * self.kinds), kinds=self.kinds
        )
        [reply] = self.prompts.ask([question])
        if reply is None:
            return deal(observation, self._total(observation), [DataSpec(0)], [1.0])
        specs = [DataSpec(0, description=kind.description) for kind in reply.kinds]
        return deal(observation, self._total(observation), specs, [kind.share for kind in reply.kinds])
