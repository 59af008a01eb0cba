"""A teacher is a policy, which decides what to teach, and an engine, which makes the records."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from tasks.base import Task
from tasks.errors import ConfigurationError, failing_as
from teachers.batch import Batch
from teachers.chat.calls import Calls, JournalMode
from teachers.chat.types import Chat
from teachers.observation import Observation
from teachers.plan import Action, DataPlan

Part = TypeVar("Part")


class Policy(ABC):
    """Decides from an observation what data to make. A subclass with arguments takes the task as the first of them.

    A policy keeps no state between calls, so that an interrupted run can resume: it remembers only
    ``observation.history``, and draws from ``observation.generator(...)``.
    """

    def __init__(self, task: Task) -> None:  # noqa: B027
        """A policy that needs nothing of the task has no ``__init__`` of its own."""

    @abstractmethod
    def act(self, observation: Observation) -> Action:
        """The action for an observation: data specs, or one tree action per skill."""


class Engine(ABC):
    """Makes the records of a plan. A subclass with arguments takes the task as the first of them."""

    def __init__(self, task: Task) -> None:  # noqa: B027
        """An engine that needs nothing of the task has no ``__init__`` of its own."""

    @abstractmethod
    def generate(self, plan: DataPlan) -> Batch:
        """The records of a plan, at most ``spec.count`` for each spec, in the order of the specs."""

    def rehearse(self, plan: DataPlan) -> None:  # noqa: B027
        """Hook of dry runs: an engine that asks a chat model asks here what ``generate`` would ask first."""


class Teacher:
    """A data generation agent.

    Args:
        task: The task to teach.
        policy: Makes the policy for the task, e.g. ``teachers.policies.NoStatePolicy``.
        engine: Makes the engine for the task, e.g. ``teachers.engines.ProceduralEngine``.
        chat: The chat model of the parts that ask one, e.g. ``teachers.chat.OpenAIChat``.
        max_usd: Dollars that the chat model may cost in all; a call is made only if its highest possible cost is
            still covered. None for no cap.
        journal: ``record`` keeps every call before its result is used and makes none twice; ``replay`` makes none, and
            a call that was not kept is an error; ``off`` keeps usage and no texts.
        journal_path: A run directory whose kept calls are used besides the run's own.
        prices: Dollars per million tokens by model, over the shipped table:
            ``{my-model: {input: 0.5, output: 1.5}}``.

    Raises:
        ConfigurationError: There is a setting for a chat model and none is given, or policy or engine cannot be made.
    """

    def __init__(
        self,
        task: Task,
        policy: Callable[[Task], Policy],
        engine: Callable[[Task], Engine],
        chat: Chat | None = None,
        max_usd: float | None = None,
        journal: JournalMode = "record",
        journal_path: str | None = None,
        prices: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        if chat is None and (max_usd is not None or journal_path is not None):
            raise ConfigurationError("teacher.init_args.max_usd and journal_path need a chat model: set chat as well.")
        self.max_usd = max_usd
        self.calls = None if chat is None else Calls(chat, max_usd, journal, journal_path, prices)
        self.policy = _made("policy", policy, task, self.calls)
        self.engine = _made("engine", engine, task, self.calls)


def _made(name: str, make: Callable[[Task], Part], task: Task, calls: Calls | None) -> Part:
    """A part of a teacher. A class without an argument for the task would take it for its first other one."""
    with failing_as(ConfigurationError, f"teacher.init_args.{name} cannot be made", "its first argument is the task"):
        part = make_part(make, task, chat=calls)
    first = next(iter(inspect.signature(type(part)).parameters), "task")
    if first != "task" and getattr(part, first, None) is task:
        raise ConfigurationError(
            f"teacher.init_args.{name}: the first argument of {type(part).__name__} is {first!r}, and has to be the "
            "task: def __init__(self, task, ...)."
        )
    return part


def make_part(make: Callable[..., Part], *inputs: Any, chat: Chat | Calls | None) -> Part:
    """A part of a teacher, of another part or of an environment; it is given the chat model if it takes ``chat``.

    ``make`` may be a ``functools.partial``, as YAML's parts are. A chat model that a partial sets itself is asked
    instead, and shares journal, meter and cap of the teacher's calls. ``inputs`` are its positional arguments.
    """
    own = make.keywords.get("chat") if isinstance(make, partial) else None
    if isinstance(own, Chat) and isinstance(chat, Calls):
        return make(*inputs, chat=chat.using(own))
    if own is not None or chat is None or not _takes_chat(make):
        return make(*inputs)
    return make(*inputs, chat=chat)


def _takes_chat(make: Callable[..., object]) -> bool:
    """Whether something has a parameter ``chat``, of its own or of a base class to which it forwards the rest."""
    if isinstance(make, partial):
        # YAML's partials are of a function that makes any class, with the class as its argument.
        return any(_takes_chat(each) for each in (make.func, *make.args) if callable(each))
    for kind in make.__mro__ if inspect.isclass(make) else (make,):
        parameters = inspect.signature(kind).parameters
        if "chat" in parameters:
            return True
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    return False
