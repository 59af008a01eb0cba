"""How the parts of a teacher get its calls: offered while they are built, taken in their constructors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from teachers.chat.calls import Calls
    from teachers.chat.types import Chat

_offered: ContextVar[Calls | None] = ContextVar("offered_calls", default=None)


@contextmanager
def offering(calls: Calls | None) -> Iterator[None]:
    """While this lasts, parts that are built may take these calls."""
    token = _offered.set(calls)
    try:
        yield
    finally:
        _offered.reset(token)


def offered_calls(part: object, chat: Chat | None = None) -> Calls:
    """The calls for a part that is being built.

    YAML gives a policy only its task and its own settings; the chat model, the journal and the cap belong to the
    teacher as a whole, so they are not among these.

    Args:
        part: Who asks, for the message.
        chat: The part's own chat model, over the teacher's; journal, meter and cap stay shared.

    Raises:
        ConfigurationError: The teacher has no chat model.
    """
    calls = _offered.get()
    if calls is None:
        raise ConfigurationError(
            f"{type(part).__name__} asks a language model, and the teacher has none: "
            "set teacher.init_args.chat (see configs/teachers/*_llm.yaml)."
        )
    return calls.using(chat)
