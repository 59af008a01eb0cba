"""How a part of a teacher asks a question: strict templates, students' words quoted as data, the task's persona."""

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, TypeVar

import jinja2
from pydantic import BaseModel, create_model, model_validator

from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.types import Accuracy
from teachers.chat.calls import Calls
from teachers.chat.types import Answer, Chat, EndpointError, Question, Reply, failed_calls

Value = TypeVar("Value")


def render(package: str, template: str, **values: Any) -> str:
    """The template ``<package>/prompts/<template>.jinja``, filled.

    A template that reads a field which is not there is an error and not a blank: feedback that silently fails to reach
    a prompt is no feedback. Besides jinja's own, templates have the filters ``quote`` (a text as data, ``> `` before
    each line, cut to a length), ``line`` (a text on one line), ``accuracy``, ``points`` and ``json``.

    Raises:
        ConfigurationError: There is no such template, it is no valid one, or it reads what it was not given.
    """
    where = f"{package.replace('.', '/')}/prompts/{template}.jinja"
    try:
        text = _environment(package).get_template(f"{template}.jinja").render(**values).strip()
    except (jinja2.TemplateNotFound, ModuleNotFoundError) as error:
        raise ConfigurationError(f"{where} does not exist ({error}): write it, or name another template.") from None
    except jinja2.TemplateError as error:
        raise ConfigurationError(f"{where} cannot be filled: {error}; give it that value or mend the name.") from None
    return re.sub(r"\n{3,}", "\n\n", text)  # what was left out leaves no holes


def quote(text: str, limit: int | None = None) -> str:
    """Someone else's text as data: every line is marked, so that none can pass for ours; cut visibly at ``limit``."""
    kept = text if limit is None else text[:limit]
    lines = kept.splitlines() or ["(empty)"]
    if len(kept) < len(text):
        lines.append(f"[... cut here, {len(text) - len(kept)} of {len(text)} characters are left out]")
    return "\n".join(f"> {line}" for line in lines)


def line(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def accuracy(value: Accuracy | float | None) -> str:
    """An accuracy for a reader, with the number of instances where that is known."""
    if isinstance(value, Accuracy):
        return f"{accuracy(value.value)} (n = {value.n})"
    return "unknown" if value is None else f"{100 * value:.1f} %"


def points(change: float) -> str:
    """A change of accuracy in percentage points."""
    return f"{100 * change:+.1f} points"


@cache
def _environment(package: str) -> jinja2.Environment:
    try:
        loader = jinja2.PackageLoader(package, "prompts")
    except ValueError as error:
        raise ConfigurationError(f"{package} has no folder 'prompts' ({error}): put its templates there.") from None
    environment = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # prompts are plain text; nothing here is shown as HTML
    )
    environment.filters |= {
        "quote": quote,
        "line": line,
        "accuracy": accuracy,
        "points": points,
        "json": lambda value: json.dumps(value, ensure_ascii=False),
    }
    return environment


def checked(schema: type[Reply], check: Callable[[Reply], None]) -> type[Reply]:
    """A schema that also checks what only the asker knows; its name and JSON schema stay the same.

    ``check`` raises ValueError with a message for the model, which is then asked again.
    """

    def run(reply: Reply) -> Reply:
        check(reply)
        return reply

    validators: dict[str, Any] = {"check_what_the_asker_knows": model_validator(mode="after")(run)}
    return create_model(schema.__name__, __base__=schema, __doc__=schema.__doc__, __validators__=validators)


class Asker:
    """Asks the questions of one part of a teacher, as the persona that the task gives it."""

    def __init__(
        self, part: object, task: Task, purpose: Literal["policy", "engine"], chat: Chat | Calls | None
    ) -> None:
        self.domain = task.domain_text
        self._purpose = purpose
        self._calls = Calls.of(part, chat)

    def question(
        self,
        prompt: str,
        schema: type[Reply],
        example: BaseModel,
        step: int,
        sample: int = 0,
        item: int | None = None,
    ) -> Question[Reply]:
        """A question, with the persona as its system message; the arguments are those of Question."""
        valid = schema.model_validate(example.model_dump())
        return Question(prompt, schema, valid, self._purpose, step, item, self.domain.persona, sample)

    def ask(self, questions: Sequence[Question[Reply]]) -> list[Answer[Reply]]:
        """Asks all questions at once; the answers in their order."""
        return self._calls.ask(questions) if questions else []


def replies(answers: Sequence[Answer[Reply]]) -> list[Reply | None]:
    """The reply of each, or None where there is none and the asker has to do without.

    Raises:
        SpendingCapError: The dollars did not cover a call.
        EndpointError: No reply came at all: what the asker does without one must not pass for its decision.
    """
    found = [usable(answer) for answer in answers]
    if found and not any(found) and any(answer.failure == "gave_up" for answer in answers):
        raise EndpointError(
            f"A part of the teacher got no reply ({failed_calls(answers)}): see to the endpoint; the same command with "
            "--resume continues."
        )
    return found


def usable(answer: Answer[Reply]) -> Reply | None:
    """The reply, or None if the asker does without it (``Calls`` has counted the failure).

    SpendingCapError ends it instead where the dollars did not cover the call.
    """
    return answer.get() if answer.value is not None or answer.failure == "over_cap" else None
