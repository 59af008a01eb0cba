"""What policies that ask a language model share: the question with what was observed, and records from shares."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel

from tasks.base import Task
from tasks.errors import check_range
from teachers.allocation import apportion
from teachers.chat.calls import Calls
from teachers.chat.types import Chat, Question, Reply
from teachers.observation import ErrorExample, Observation
from teachers.plan import DataSpec
from teachers.policies.sharing import SharingPolicy
from teachers.prompting import Asker, render, replies


def _share(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError("a share must be a number of at least 0")
    return value


def _words(value: str) -> str:
    if not value.strip():
        raise ValueError("the text must not be empty")
    return " ".join(value.split())


def some_share(what: str) -> AfterValidator:
    """Refuses a list of parts of which none has a share above 0; ``what`` is what a part is called."""

    def check(parts: list[Any]) -> list[Any]:
        if not any(part.share for part in parts):
            raise ValueError(f"name at least one {what} with a share above 0")
        return parts

    return AfterValidator(check)


# Checked here and not by keywords of the JSON schema, of which endpoints support different few.
Share = Annotated[float, AfterValidator(_share)]
Words = Annotated[str, AfterValidator(_words)]


class PolicyPrompts:
    """Makes a policy's questions from the templates of a package; they see ``topic``, ``observation`` and ``limit``.

    ``text_limit`` is the most characters of each text of a student or a benchmark in a prompt.

    Raises:
        ConfigurationError: ``text_limit`` is not positive, there is no chat model or the task no texts.
    """

    def __init__(
        self, part: object, task: Task, text_limit: int, chat: Chat | Calls | None, package: str = "teachers.policies"
    ) -> None:
        check_range(type(part).__name__, text_limit=text_limit)
        self._asker = Asker(part, task, "policy", chat)
        self._limit = text_limit
        self._package = package

    def question(
        self, observation: Observation, template: str, schema: type[Reply], example: BaseModel, **values: Any
    ) -> Question[Reply]:
        """The question of a template about an observation, for the coming step."""
        prompt = render(
            self._package,
            template,
            topic=self._asker.domain.topic,
            observation=observation,
            limit=self._limit,
            **values,
        )
        # The same prompt in another step or call is another question: a kept reply must not answer both.
        sample = 100 * observation.step + observation.call
        return self._asker.question(prompt, schema, example, observation.step + 1, sample)

    def ask(self, questions: Sequence[Question[Reply]]) -> list[Reply | None]:
        """Asks all questions at once; None where there is no usable reply."""
        return replies(self._asker.ask(questions))


class LLMPolicy(SharingPolicy):
    """A policy that orders its share of the budget as a language model proposes.

    A subclass elsewhere names the module beside whose file its folder ``prompts`` lies: ``templates = __name__``.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
        text_limit: Most characters of each text of a student or a benchmark in a prompt; what is cut is marked.
        chat: A chat model or a teacher's calls; None takes those of the teacher that makes it.

    Raises:
        ConfigurationError: A number is out of range, there is no chat model or the task no texts.
    """

    templates: ClassVar[str] = "teachers.policies"

    def __init__(
        self, task: Task, records_per_step: int | None = None, text_limit: int = 1000, chat: Chat | Calls | None = None
    ) -> None:
        super().__init__(task, records_per_step)
        self.prompts = PolicyPrompts(self, task, text_limit, chat, self.templates)


def draw_errors(observation: Observation, count: int, skill: str | None = None) -> list[ErrorExample]:
    """Up to ``count`` errors at random, all of one skill if one is named; drawn again in every step and call."""
    errors = [error for error in observation.errors if skill is None or error.skill == skill]
    observation.generator(f"errors shown/{skill}").shuffle(errors)
    return errors[:count]


def deal(observation: Observation, total: int, specs: Sequence[DataSpec], shares: Sequence[float]) -> list[DataSpec]:
    """The specs with counts that sum to ``total``, in proportion to shares; those that get none are left out."""
    counts = apportion(total, shares, observation.generator("ties"))
    return [
        DataSpec(count, spec.skill, spec.subskill, spec.like, spec.description)
        for spec, count in zip(specs, counts, strict=True)
        if count
    ]
