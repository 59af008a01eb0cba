"""The language model that is shown records of the benchmark's own training data: a baseline without feedback."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from tasks.base import Task
from tasks.errors import check_range
from tasks.types import TrainingRecord
from teachers.engines.llm import LLMEngine
from teachers.engines.order import Order


class SeededLLMEngine(LLMEngine):
    """An LLMEngine whose calls show records of the task's training pool as examples, drawn for every call.

    Args:
        task: The task to teach; it must have a training pool.
        examples_per_call: Records shown in each call.
        settings: Those of LLMEngine: records_per_call, max_rounds, text_limit, chat and illustrator.

    Raises:
        ConfigurationError: A number is not positive, there is no chat model, the task no texts, or its records
            need an illustrator and there is none.
    """

    def __init__(self, task: Task, examples_per_call: int = 3, **settings: Any) -> None:
        super().__init__(task, **settings)
        check_range(type(self).__name__, examples_per_call=examples_per_call)
        self.examples_per_call = examples_per_call

    def _examples(self, order: Order) -> Sequence[TrainingRecord]:
        return order.rng.sample(self._pool, min(self.examples_per_call, len(self._pool)))

    @cached_property
    def _pool(self) -> Sequence[TrainingRecord]:
        return self.task.training_pool()
