"""The language model that reads the student's errors and says what records would help against them."""

from typing import Annotated, Any

from pydantic import BaseModel

from tasks.base import Task
from tasks.errors import check_range
from teachers.observation import ErrorExample, Observation
from teachers.plan import Action, DataSpec
from teachers.policies.llm_base import LLMPolicy, Share, Words, deal, draw_errors, some_share
from teachers.prompting import checked


class WeaknessSpec(BaseModel):
    """Records against one weakness; ``like_error`` is the number of a shown error that they shall resemble."""

    weakness: Words
    description: Words
    share: Share
    like_error: int | None


class WeaknessSpecs(BaseModel):
    """What records to write next."""

    specs: Annotated[list[WeaknessSpec], some_share("spec")]


class LLMOpenEndedPolicy(LLMPolicy):
    """Shows accuracy, history and a drawn sample of errors, and asks what the student is missing.

    Without a usable reply it orders records like each error shown, and of anything if there is none.

    Args:
        task: The task to teach.
        errors_shown: Most errors in the prompt; drawn for every call.
        specs: How many data specs are asked for.
        settings: Those of LLMPolicy: records_per_step, text_limit and chat.

    Raises:
        ConfigurationError: A number is out of range, there is no chat model or the task no texts.
    """

    def __init__(
        self,
        task: Task,
        errors_shown: int = 20,
        specs: int = 12,
        **settings: Any,
    ) -> None:
        super().__init__(task, **settings)
        check_range(type(self).__name__, errors_shown=errors_shown, specs=specs)
        self.errors_shown = errors_shown
        self.specs = specs

    def act(self, observation: Observation) -> Action:
        """An order for each spec, in proportion to its share."""
        total = self.share(observation)
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
