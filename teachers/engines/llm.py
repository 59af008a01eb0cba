"""The engine that has a language model write records, checks every one, and replaces those that fail."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel, create_model

from tasks.base import Task
from tasks.errors import ConfigurationError, check_range
from tasks.types import TaskInstance, TrainingRecord
from teachers.batch import Batch
from teachers.chat.calls import Calls
from teachers.chat.types import Answer, Chat, Question, failed_calls
from teachers.engines.illustrators import Illustrator
from teachers.engines.order import DESCRIPTION, Inspection, Order
from teachers.plan import DataPlan
from teachers.prompting import Asker, render, usable
from teachers.teacher import Engine

# Rounds in a row without one more record after which a spec is given up: what it asks for is used up.
_MAX_IDLE = 2
# Most questions of a spec that a prompt shows as written already, the newest ones, and most characters of each.
_WRITTEN_SHOWN, _WRITTEN_LIMIT = 60, 200

_PACKAGE = "teachers.engines"
Asked = list[tuple[Order, int, Question[BaseModel]]]


class LLMEngine(Engine):
    """Writes the records of a plan in rounds: all calls of a round at once, then those for what is still missing.

    Each call is for one spec. A record is handed over if the task can read it, its response scores full marks for its
    answer, its question is new in the plan and the environment would accept it; all others are dropped with a reason.
    There are fewer records than ordered where a spec is used up, the rounds are over, or the money is; where there is
    none because calls failed, the batch says so.

    Args:
        task: The task to teach.
        records_per_call: Most records that a call asks for.
        max_rounds: Most rounds, the first included; a spec that gains nothing in two rounds in a row is given up.
        text_limit: Most characters of each quoted text in a prompt; what is cut is marked.
        chat: A chat model or a teacher's calls; None takes those of the teacher that makes it.
        illustrator: Makes the illustrator for the task, e.g. ``teachers.engines.OpenAIImagesIllustrator``: for tasks
            whose records have images that the task does not draw itself.

    Raises:
        ConfigurationError: A number is not positive, there is no chat model, the task no texts, or its records
            need an illustrator and there is none.
    """

    def __init__(
        self,
        task: Task,
        records_per_call: int = 10,
        max_rounds: int = 4,
        text_limit: int = 2000,
        chat: Chat | Calls | None = None,
        illustrator: Callable[[Task], Illustrator] | None = None,
    ) -> None:
        name = type(self).__name__
        check_range(name, records_per_call=records_per_call, max_rounds=max_rounds, text_limit=text_limit)
        self.task = task
        self.records_per_call = records_per_call
        self.max_rounds = max_rounds
        self.text_limit = text_limit
        self._stages = task.domain_text.stages
        self._illustrator = None if illustrator is None else illustrator(task)
        example = task.domain_text.example
        if illustrator is None and DESCRIPTION in example and task.parse_record(example).image is None:
            raise ConfigurationError(
                f"The records of {task.name} need images that it does not draw itself: set the engine's illustrator, "
                "e.g. teachers.engines.DiffusersIllustrator or teachers.engines.OpenAIImagesIllustrator."
            )
        self._asker = Asker(self, task, "engine", chat)
        item: Any = self._stages[0].schema
        fields: dict[str, Any] = {"items": (list[item], ...)}
        self._list: type[BaseModel] = create_model("RecordList", **fields)

    def generate(self, plan: DataPlan) -> Batch:
        """The records of a plan, at most ``spec.count`` for each spec, and what was dropped.

        SpendingCapError ends it only if the money was out before the first record.

        Raises:
            ConfigurationError: A spec is like an instance that is no validation instance.
            SpendingCapError: The money was out before the first record.
        """
        orders = self._orders(plan)
        inspection = Inspection(self.task, plan.screen, type(self).__name__, self._illustrator)
        answers: list[Answer[Any]] = []
        over_cap: Answer[Any] | None = None
        for number in range(self.max_rounds):
            open_orders = [order for order in orders if order.missing > 0 and order.idle < _MAX_IDLE]
            if over_cap is not None or not open_orders:
                break
            before = [len(order.records) for order in open_orders]
            asked = self._first_stage(plan, open_orders, number)
            came = self._round(plan, asked, number, inspection)
            answers += came
            over_cap = next((answer for answer in came if answer.failure == "over_cap"), None)
            if all(answer.failure == "gave_up" for answer in came):
                break  # nobody is there: another round would wait as long for nothing
            for order, had in zip(open_orders, before, strict=True):
                order.idle = 0 if len(order.records) > had else order.idle + 1
        records = tuple(record for order in orders for record in order.records)
        if over_cap is not None and not records:
            over_cap.get()
        failures = sum(answer.failure is not None for answer in answers)
        # Without a record it is the calls' fault, and not the checks', if most of them failed.
        failed = failed_calls(answers) if not records and 2 * failures > len(answers) else ""
        return Batch(records, tuple(inspection.dropped), failed)

    def questions(self, plan: DataPlan) -> list[Question[BaseModel]]:
        """What a plan asks if every reply is flawless: the first round, and each further stage once for each record."""
        questions = [question for _, _, question in self._first_stage(plan, self._orders(plan), 0)]
        begun = self._stages[0].example
        for stage in range(1, len(self._stages)):
            questions += [self._further_stage(plan, stage, begun, 0, number) for number in range(plan.count)]
            begun = {**begun, **self._stages[stage].example}
        return questions

    def rehearse(self, plan: DataPlan) -> None:
        """Asks the questions of a plan without making records, for a dry run."""
        self._asker.ask(self.questions(plan))

    def _orders(self, plan: DataPlan) -> list[Order]:
        return [Order(index, spec, plan.generator(index)) for index, spec in enumerate(plan.specs)]

    def _round(self, plan: DataPlan, asked: Asked, number: int, inspection: Inspection) -> list[Answer[Any]]:
        answers = self._asker.ask([question for _, _, question in asked])
        items: list[tuple[Order, Mapping[str, Any]]] = []
        for (order, _, _), answer in zip(asked, answers, strict=True):
            reply = None if answer.failure == "over_cap" else usable(answer)
            items += [(order, item.model_dump()) for item in getattr(reply, "items", ())]
        came: list[Answer[Any]] = list(answers)
        for stage in range(1, len(self._stages)):
            items, completions = self._completed(plan, stage, items, number, inspection)
            came += completions
        inspection.take(items)
        return came

    def _first_stage(self, plan: DataPlan, orders: Sequence[Order], number: int) -> Asked:
        stage = self._stages[0]
        asked: Asked = []
        for order in orders:
            parts = -(-order.missing // self.records_per_call)
            for part in range(parts):
                count = min(self.records_per_call, order.missing - part * self.records_per_call)
                prompt = render(
                    _PACKAGE,
                    "records",
                    topic=self._asker.domain.topic,
                    count=count,
                    part=part + 1,
                    parts=parts,
                    # Without it the parts of an order would be one prompt, and at temperature 0 one reply.
                    variation=order.rng.randrange(10_000, 100_000),
                    spec=order.spec,
                    like=self._like(order.spec.like),
                    guide=stage.guide,
                    example=stage.example,
                    examples=self._examples(order),
                    written=[text[:_WRITTEN_LIMIT] for text in order.written[-_WRITTEN_SHOWN:]],
                    limit=self.text_limit,
                )
                example = self._list.model_validate({"items": [stage.example] * count})
                sample = _sample(plan, 0, number, len(asked))
                asked.append(
                    (order, count, self._asker.question(prompt, self._list, example, plan.step, sample, order.index))
                )
        return asked

    def _completed(
        self,
        plan: DataPlan,
        stage: int,
        items: Sequence[tuple[Order, Mapping[str, Any]]],
        number: int,
        inspection: Inspection,
    ) -> tuple[list[tuple[Order, Mapping[str, Any]]], Sequence[Answer[Any]]]:
        """No more of a spec than it misses, for each costs a call."""
        kept: list[tuple[Order, Mapping[str, Any]]] = []
        room = {order.index: order.missing for order, _ in items}
        for order, item in items:
            if room[order.index] <= 0:
                inspection.drop(order, "surplus", str(item))
                continue
            room[order.index] -= 1
            kept.append((order, item))
        answers = self._asker.ask(
            [
                self._further_stage(plan, stage, item, number, place, order.index)
                for place, (order, item) in enumerate(kept)
            ]
        )
        done: list[tuple[Order, Mapping[str, Any]]] = []
        for (order, item), answer in zip(kept, answers, strict=True):
            if answer.value is None:
                inspection.drop(order, "incomplete", str(item))
            else:
                done.append((order, {**item, **answer.value.model_dump()}))
        return done, answers

    def _further_stage(
        self, plan: DataPlan, stage: int, item: Mapping[str, Any], number: int, place: int, index: int | None = None
    ) -> Question[BaseModel]:
        texts = self._stages[stage]
        prompt = render(
            _PACKAGE,
            "stage",
            topic=self._asker.domain.topic,
            begun=item,
            guide=texts.guide,
            example=texts.example,
        )
        example = texts.schema.model_validate(texts.example)
        sample = _sample(plan, stage, number, place)
        return self._asker.question(prompt, texts.schema, example, plan.step, sample, index)

    def _examples(self, order: Order) -> Sequence[TrainingRecord]:
        """Hook: records to show in one call, drawn with the order's generator."""
        return ()

    def _like(self, instance_id: str | None) -> TaskInstance | None:
        if instance_id is None:
            return None
        if instance_id not in self._val:
            raise ConfigurationError(
                f"A DataSpec is like {instance_id!r}, which is no validation instance of {self.task.name}."
            )
        return self._val[instance_id]

    @cached_property
    def _val(self) -> dict[str, TaskInstance]:
        # Validation only: what is tested must not reach a prompt.
        return {instance.instance_id: instance for instance in self.task.instances("val")}


def _sample(plan: DataPlan, stage: int, number: int, place: int) -> int:
    """A number that no other call of the episode has: the same words in another round are another question."""
    sample = 0
    for part, base in ((plan.step, 1), (plan.call, 100), (stage, 10), (number, 100), (place, 100_000)):
        sample = sample * base + part
    return sample
