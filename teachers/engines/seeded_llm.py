"""The language model that is shown records of the benchmark's own training data: a baseline without feedback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.types import TrainingRecord
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.engines.illustrators import Illustrator
from teachers.engines.llm import LLMEngine
from teachers.engines.order import Order


class SeededLLMEngine(LLMEngine):
    """An LLMEngine whose calls show records of the task's training pool as examples, drawn anew for every call.

    Args:
        task: The task to teach; it must have a training pool.
        examples_per_call: Records shown in each call.
        records_per_call: Most records that a call asks for.
        max_rounds: Most rounds, the first included; a spec that gains nothing in two rounds in a row is given up.
        text_limit: Most characters of each quoted text in a prompt; what is cut is marked.
        chat: The chat model that it asks, or a teacher's calls; None takes those of the teacher that makes it.
        illustrator: Makes the illustrator for the task, as for LLMEngine.

    Raises:
        ConfigurationError: A number is not positive, there is no chat model, the task no texts, or its records
            need an illustrator and there is none.
    """

    def __init__(
        self,
        task: Task,
        examples_per_call: int = 3,
        records_per_call: int = 10,
        max_rounds: int = 4,
        text_limit: int = 2000,
        chat: Chat | Calls | None = None,
        illustrator: Callable[[Task], Illustrator] | None = None,
    ) -> None:
        super().__init__(task, records_per_call, max_rounds, text_limit, chat, illustrator)
        if examples_per_call < 1:
            raise ConfigurationError(f"SeededLLMEngine: examples_per_call is {examples_per_call}; give at least 1.")
        self.examples_per_call = examples_per_call

    def _examples(self, order: Order) -> Sequence[TrainingRecord]:
        return order.rng.sample(self._pool, min(self.examples_per_call, len(self._pool)))

    @cached_property
    def _pool(self) -> Sequence[TrainingRecord]:
        return self.task.training_pool()
