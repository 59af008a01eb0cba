"""Every task that the package holds passes the contract, and the contract catches what breaks it."""

import importlib
import inspect
import pkgutil
import random
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import pytest

import tasks
from tasks.base import ProceduralTask, Task
from tasks.code import HumanEvalTask, LiveCodeBenchTask
from tasks.errors import ConfigurationError
from tasks.math import MATHTask, ProceduralMathTask
from tasks.prompting import DomainText, PlainRecord, RecordStage
from tasks.testing import HOSTILE_REPLIES, check_task
from tasks.tool_use import MnmsTask, ProceduralToolUseTask
from tasks.types import Split, TaskInstance
from tasks.vqa import GQATask, NaturalBenchTask, NLVRTask, ProceduralVQATask
from tests.tasks.code_rows import made_humaneval, made_livecodebench
from tests.tasks.math_rows import made as made_math
from tests.tasks.tool_use_rows import made as made_mnms
from tests.tasks.vqa_folders import made

# Tasks that need arguments (a folder of rows, say) name their factory here; procedural ones are made small.
FACTORIES: dict[str, Callable[[], Task]] = {
    "HumanEvalTask": lambda: HumanEvalTask(str(made_humaneval()), val_size=4),
    "LiveCodeBenchTask": lambda: LiveCodeBenchTask(str(made_livecodebench())),
    "MATHTask": lambda: MATHTask(str(made_math()), val_per_group=1, test_size=35),
    "GQATask": lambda: GQATask(str(made("gqa"))),
    "NaturalBenchTask": lambda: NaturalBenchTask(str(made("naturalbench")), groups=2),
    "MnmsTask": lambda: MnmsTask(str(made_mnms())),
    "NLVRTask": lambda: NLVRTask(str(made("nlvr"))),
}


def every_task() -> list[type[Task]]:
    found = []
    for module in pkgutil.walk_packages(tasks.__path__, "tasks."):
        for _, value in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(value, Task) and not inspect.isabstract(value) and value.__module__ == module.name:
                found.append(value)
    return found


def test_tasks_are_found() -> None:
    assert {"ProceduralMathTask", "ReasoningGymTask"} <= {task.__name__ for task in every_task()}


def factory(task: type[Task]) -> Callable[[], Task]:
    return partial(task, val_size=60, test_size=60) if issubclass(task, ProceduralTask) else FACTORIES[task.__name__]


@pytest.mark.parametrize("task", every_task(), ids=lambda task: task.__name__)
def test_every_task_keeps_the_contract(task: type[Task]) -> None:
    check_task(factory(task))


@pytest.mark.parametrize("kind", [ProceduralMathTask, ProceduralToolUseTask, MnmsTask, ProceduralVQATask])
def test_replies_that_break_careless_scorers_are_right_nowhere(kind: type[Task]) -> None:
    task = factory(kind)()
    for instance in (*task.instances("val"), *task.instances("test")):
        assert not any(task.score(instance, reply) for reply in (*HOSTILE_REPLIES, instance.instruction))


@pytest.mark.parametrize("kind", [task for task in every_task() if issubclass(task, ProceduralTask)])
def test_unknown_names_and_sizes_are_one_line_errors(kind: type[ProceduralTask]) -> None:
    task = kind(val_size=1, test_size=1)
    for call, words in (
        (lambda: task.subskills("magic"), "has no skill 'magic'"),
        (lambda: task.generate(task.skills()[0], "magic", random.Random(0)), f"no subskill {task.skills()[0]}/magic"),
        (lambda: task.similar_record("test-00000", random.Random(0)), "no instance 'test-00000'"),
        (lambda: task.instances("train"), "no fixed train split"),
        (lambda: kind(val_size=0, test_size=1), "val_size is 0"),
    ):
        with pytest.raises(ConfigurationError, match=words) as error:
            call()
        assert "\n" not in str(error.value)


class SumTask(ProceduralTask):
    """A small procedural task that keeps the contract; the tests break it in one place each."""

    name: ClassVar[str] = "sums"

    def __init__(self, seed: int = 0, val_size: int = 20, test_size: int = 20) -> None:
        super().__init__(seed, val_size, test_size)

    def skills(self) -> Sequence[str]:
        return ("adding",)

    def subskills(self, skill: str) -> Sequence[str]:
        return ("small", "large")

    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        left, right = (rng.randrange(10 if subskill == "small" else 100, 1000) for _ in range(2))
        return TaskInstance("", self.question(skill, left, right), str(left + right), skill, subskill)

    def question(self, skill: str, left: int, right: int) -> str:
        return f"{left} + {right} ="

    def score(self, instance: TaskInstance, text: str) -> float:
        return float(text.strip() == instance.answer)


def test_a_good_task_passes() -> None:
    check_task(SumTask)


class Raises(SumTask):
    def score(self, instance: TaskInstance, text: str) -> float:
        return float(int(text) == int(instance.answer))


class OutOfRange(SumTask):
    def score(self, instance: TaskInstance, text: str) -> float:
        return 1.0 if text == instance.answer else -1.0


class AlwaysRight(SumTask):
    def score(self, instance: TaskInstance, text: str) -> float:
        return float(bool(text) and text != instance.instruction)


class EchoIsRight(SumTask):
    def score(self, instance: TaskInstance, text: str) -> float:
        return float(text in (instance.answer, instance.instruction))


class Unstable(SumTask):
    def __init__(self, seed: int = 0, val_size: int = 20, test_size: int = 20) -> None:
        super().__init__(seed, val_size, test_size)
        self.seed = random.SystemRandom().randrange(10**9)


class SeedIgnored(SumTask):
    def __init__(self, seed: int = 0, val_size: int = 20, test_size: int = 20) -> None:
        super().__init__(0, val_size, test_size)


class Labelled(SumTask):
    def question(self, skill: str, left: int, right: int) -> str:
        return f"[{skill}] {left} + {right} ="


class WrongSolution(SumTask):
    def solution(self, instance: TaskInstance) -> str:
        return "42"


class WrongExample(SumTask):
    @property
    def domain_text(self) -> DomainText:
        example = {"instruction": "1 + 1 =", "response": "3", "answer": "2"}
        return DomainText("You add.", "sums", (RecordStage("One sum.", PlainRecord, example),))


class TooSmall(SumTask):
    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        left, right = rng.randrange(10), rng.randrange(20)
        return TaskInstance("", f"{subskill}, {left} + {right} =", str(left + right), skill, subskill)


class EmptyGroup(SumTask):
    def cluster_of(self, instance: TaskInstance) -> str | None:
        return ""


class SharedQuestions(SumTask):
    def instances(self, split: Split) -> Sequence[TaskInstance]:
        rows = super().instances("val")
        return [TaskInstance(f"{split}-{i}", r.instruction, r.answer, r.skill, r.subskill) for i, r in enumerate(rows)]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (OutOfRange, "scores -1.0"),
        (AlwaysRight, "other instances' answers score 1.00"),
        (EchoIsRight, "repeating the question"),
        (Unstable, "two constructions differ"),
        (SeedIgnored, "another seed gives the same"),
        (Labelled, "names its skill"),
        (WrongSolution, "reference reply '42' scores 0.0"),
        (WrongExample, "the domain text's example scores its own '3'"),
        (TooSmall, "distinct train questions"),
        (EmptyGroup, "is in the group ''"),
        (SharedQuestions, "val and test share"),
    ],
)
def test_the_contract_catches(task: type[Task], message: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_task(task)


def test_a_scorer_that_raises_shows_its_own_error() -> None:
    with pytest.raises(ValueError):
        check_task(Raises)
