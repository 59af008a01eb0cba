"""Every question of a teacher goes through here: journal, meter and cap, concurrency, retries, re-asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from teachers.chat.types import Answer, Chat, Question, Reply

JournalMode = Literal["record", "replay", "off"]


class Calls:
    """The telephone of a teacher: its policy, its engine and the environment's skill discovery share one.

    Args:
        chat: The chat model.
        max_usd: Dollars that may be spent in all, calls in flight included; None for no cap.
        journal: ``record`` keeps every call before its result is used and never makes a kept call again; ``replay``
            makes none, and a call that is not in the journal is an error; ``off`` keeps usage and no texts.
        journal_path: A run directory (or its ``calls.jsonl``) whose calls are replayed besides this run's own.
        prices: Dollars per million tokens by model, over the shipped table:
            ``{"my-model": {"input": 0.5, "output": 1.5, "cached": 0.25}}``.

    Raises:
        ConfigurationError: A setting cannot work, e.g. a cap on a model without a price.
        MissingFileError: ``journal_path`` does not exist.
    """

    def __init__(
        self,
        chat: Chat,
        max_usd: float | None = None,
        journal: JournalMode = "record",
        journal_path: str | None = None,
        prices: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        raise NotImplementedError

    @contextmanager
    def recording(self, path: Path) -> Iterator[None]:
        """Keeps calls in this file (``calls.jsonl`` of a run) while the context lasts, and continues what it holds."""
        raise NotImplementedError
        yield

    def using(self, chat: Chat | None) -> Calls:
        """The same journal, meter and cap with another chat model; these calls themselves for None."""
        raise NotImplementedError

    def ask(self, questions: Sequence[Question[Reply]]) -> list[Answer[Reply]]:
        """Asks all questions, as many at a time as the endpoint bears; the answers in their order.

        Raises:
            ChatError: The endpoint cannot be used at all (key, address, model name).
            JournalMissError: In ``replay``, a call is not in the journal.
        """
        raise NotImplementedError

    def cost(self) -> dict[str, Any]:
        """What the calls of this run cost: ``usd``, ``tokens`` and ``calls``; ``usd`` None without a known price."""
        raise NotImplementedError
