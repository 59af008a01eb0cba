"""The language model that reads the student's errors and says what records would mend them."""

from __future__ import annotations

from pydantic import BaseModel, field_validator

from tasks.base import Task
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import ErrorExample, Observation
from teachers.plan import Action, DataSpec
from teachers.policies.llm_base import LLMPolicy, Share, Words, at_least_one, deal, draw_errors
from teachers.prompting import checked


class WeaknessSpec(BaseModel):
    """Records against one weakness; ``like_error`` is the number of a shown error that they shall resemble."""

    weakness: Words
    description: Words
    share: Share
    like_error: int | None


class WeaknessSpecs(BaseModel):
    """What records to write next."""

    specs: list[WeaknessSpec]

    @field_validator("specs")
    @classmethod
    def _some(cls, specs: list[WeaknessSpec]) -> list[WeaknessSpec]:
        if not any(spec.share for spec in specs):
            raise ValueError("name at least one spec with a share above 0")
        return specs


class LLMOpenEndedPolicy(LLMPolicy):
    """Shows accuracy, history and a drawn sample of errors, and asks what the student is missing.

    Without a usable reply it orders records like each error shown, and of anything if there is none.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
        errors_shown: Most errors in the prompt; drawn anew for every call.
        specs: How many data specs are asked for.
        text_limit: Most characters of each text of a student or a benchmark in a prompt; what is cut is marked.
        chat: The chat model that it asks, or a teacher's calls; None takes those of the teacher that makes it.

    Raises:
        ConfigurationError: A number is out of range, there is no chat model or the task no texts.
    """

    def __init__(
        self,
        task: Task,
        records_per_step: int | None = None,
        errors_shown: int = 20,
        specs: int = 12,
        text_limit: int = 1000,
        chat: Chat | Calls | None = None,
    ) -> None:
        super().__init__(task, records_per_step, text_limit, chat)
        at_least_one(self, errors_shown=errors_shown, specs=specs)
        self.errors_shown = errors_shown
        self.specs = specs

    def act(self, observation: Observation) -> Action:
        """An order for each spec, in proportion to its share."""
        total = self._total(observation)
        errors = draw_errors(observation, self.errors_shown)
        reply = self._ask(observation, errors, total)
        if reply is None:
            fallback = [DataSpec(0, like=error.instance_id) for error in errors] or [DataSpec(0)]
            return deal(observation, total, fallback, [1.0] * len(fallback))
        specs = [
            DataSpec(
                0,
                like=None if spec.like_error is None else errors[spec.like_error - 1].instance_id,
                description=f"{spec.description} The student's weakness: {spec.weakness}",
            )
            for spec in reply.specs
        ]
        return deal(observation, total, specs, [spec.share for spec in reply.specs])

    def _ask(self, observation: Observation, errors: list[ErrorExample], total: int) -> WeaknessSpecs | None:
        def check(reply: WeaknessSpecs) -> None:
            for spec in reply.specs:
                if spec.like_error is not None and not 1 <= spec.like_error <= len(errors):
                    raise ValueError(f"like_error is {spec.like_error}: it must be null or from 1 to {len(errors)}")

        text = "one or two sentences about what the student is missing or what to write "
        spec = WeaknessSpec(weakness=text, description=text * 2, share=1, like_error=1 if errors else None)
        question = self.prompts.question(
            observation,
            "open_ended",
            checked(WeaknessSpecs, check),
            WeaknessSpecs(specs=[spec] * self.specs),
            errors=errors,
            total=total,
            specs=self.specs,
        )
        return self.prompts.ask([question])[0]
