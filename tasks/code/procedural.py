"""Small programs from ``(seed, index)``: the offline task that a model of a million parameters can learn."""

import ast
import random
from typing import ClassVar

from tasks.base import ProceduralTask
from tasks.code.generators import SKILLS
from tasks.code.records import join_answer, split_answer, without_tests
from tasks.code.task import ProgrammingTask, may_answer
from tasks.code.verdict import Job, Level
from tasks.types import TaskInstance
from tasks.variant import Variant

_FUNCTION, _ARGUMENT = "f", "x"
_LONGEST = 200  # characters of an expression; what is longer is a program, or nothing


def _names(program: str) -> frozenset[str] | None:
    if len(program) > _LONGEST:
        return None
    try:
        tree = ast.parse(program.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


class ProceduralCodeTask(ProgrammingTask, ProceduralTask):
    """Thirteen skills of elementary programming with three subskills each, judged by running the replies.

    A reply is a program, as the question asks: one that reads and prints, or a function ``f``, for which the expression
    that it returns for its argument ``x`` is enough. An answer is a right program with its tests below it.

    Args:
        seed: Seed of the evaluation instances, apart from the run's seed.
        val_size: Number of validation instances, dealt evenly over the 39 subskills.
        test_size: Number of test instances, dealt evenly over the 39 subskills.
        isolation: What programs run under; see Sandbox.
        strict: Refuse to run with less.
        seconds: Wall time of one test.
    """

    name: ClassVar[str] = "code_procedural"
    table = SKILLS
    no_train = ProceduralTask.no_train

    def __init__(
        self,
        seed: int = 0,
        val_size: int = 312,
        test_size: int = 624,
        isolation: Level = "full",
        strict: bool = False,
        seconds: float = 2.0,
        variant: Variant | None = None,
    ) -> None:
        ProceduralTask.__init__(self, seed, val_size, test_size, variant)
        ProgrammingTask.__init__(self, seconds, isolation, strict)

    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        """One question of a subskill."""
        form = self.entry(skill, subskill)
        question, program, tests = form.make(rng)
        answer = join_answer(program, tests, None if form.reads_input else _FUNCTION)
        return TaskInstance("", question, answer, skill, subskill)

    def solution(self, instance: TaskInstance) -> str:
        """The program alone, without its tests."""
        return split_answer(instance.answer)[0]

    def render(self, program: str) -> str:
        """The reply that teaches a program: nothing but the program."""
        return program.strip()

    def job(self, instance: TaskInstance, program: str) -> Job | None:
        """The answer's own tests; None for a text that cannot depend on the argument, or print anything."""
        _, tests, entry_point = split_answer(instance.answer)
        program = without_tests(program).strip()
        if not tests:
            return None
        names = None if entry_point is None else _names(program)
        if names is not None:
            if _ARGUMENT not in names:
                return None
            program = f"{entry_point} = lambda {_ARGUMENT}: (\n{program}\n)"
        return Job(program, tests, entry_point) if may_answer(program, entry_point) else None
