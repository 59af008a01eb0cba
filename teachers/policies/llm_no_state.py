"""The language model that knows the domain and sees nothing of the student: what feedback is compared with."""

from typing import Annotated, Any

from pydantic import BaseModel

from tasks.base import Task
from tasks.errors import check_range
from teachers.observation import Observation
from teachers.plan import Action, DataSpec
from teachers.policies.llm_base import LLMPolicy, Share, Words, deal, some_share


class ProblemKind(BaseModel):
    """One kind of problem, and how many of the records shall be of it compared with the others."""

    description: Words
    share: Share


class ProblemKinds(BaseModel):
    """A varied list of kinds of problems."""

    kinds: Annotated[list[ProblemKind], some_share("kind")]


class LLMNoStatePolicy(LLMPolicy):
    """Asks for varied kinds of problems, whatever the student can do; without a usable reply it orders anything.

    Args:
        task: The task to teach.
        kinds: How many kinds of problems are asked for.
        settings: Those of LLMPolicy: records_per_step, text_limit and chat.

    Raises:
        ConfigurationError: A number is out of range, there is no chat model or the task no texts.
    """

    def __init__(
        self,
        task: Task,
        kinds: int = 12,
        **settings: Any,
    ) -> None:
        super().__init__(task, **settings)
        check_range(type(self).__name__, kinds=kinds)
        self.kinds = kinds

    def act(self, observation: Observation) -> Action:
        """An order for each kind, in proportion to its share."""
        kind = ProblemKind(description="problems of one kind, described in one or two sentences " * 2, share=1)
        question = self.prompts.question(
            observation, "no_state", ProblemKinds, ProblemKinds(kinds=[kind] * self.kinds), kinds=self.kinds
        )
        [reply] = self.prompts.ask([question])
        if reply is None:
            return deal(observation, self.share(observation), [DataSpec(0)], [1.0])
        specs = [DataSpec(0, description=kind.description) for kind in reply.kinds]
        return deal(observation, self.share(observation), specs, [kind.share for kind in reply.kinds])
