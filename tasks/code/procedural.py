"""Small programs from ``(seed, index)``: the offline task that a model of a million parameters can learn."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import ClassVar

from tasks.base import ProceduralTask
from tasks.code.generators import SKILLS
from tasks.code.records import join_answer, split_answer
from tasks.code.task import Problem, ProgrammingTask, Solution
from tasks.code.verdict import Job, Level
from tasks.errors import ConfigurationError
from tasks.prompting import DomainText, read_domain_text
from tasks.types import TaskInstance

_FUNCTION = "f"


class ProceduralCodeTask(ProgrammingTask, ProceduralTask):
    """Thirteen skills of elementary programming with three subskills each, judged by running the replies.

    A reply is a program: one that defines ``f``, or one that reads and prints, as the question asks. An answer is a
    right program with its tests below it.

    Args:
        seed: Seed of the evaluation instances, apart from the run's seed.
        val_size: Number of validation instances, dealt evenly over the 39 subskills.
        test_size: Number of test instances, dealt evenly over the 39 subskills.
        isolation: What programs run under; see Sandbox.
        strict: Refuse to run with less.
        seconds: Wall time of one test.
    """

    name: ClassVar[str] = "code_procedural"

    def __init__(
        self,
        seed: int = 0,
        val_size: int = 312,
        test_size: int = 624,
        isolation: Level = "full",
        strict: bool = False,
        seconds: float = 4.0,
    ) -> None:
        ProceduralTask.__init__(self, seed=seed, val_size=val_size, test_size=test_size)
        ProgrammingTask.__init__(self, isolation, strict, seconds, preamble=False)

    def skills(self) -> Sequence[str]:
        """The thirteen skills."""
        return tuple(SKILLS)

    def subskills(self, skill: str) -> Sequence[str]:
        """The three subskills of a skill.

        Raises:
            ConfigurationError: There is no such skill.
        """
        if skill not in SKILLS:
            raise ConfigurationError(f"{self.name} has no skill {skill!r}; its skills are {', '.join(SKILLS)}.")
        return tuple(SKILLS[skill])

    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        """One question of a subskill.

        Raises:
            ConfigurationError: There is no such skill or subskill.
        """
        if subskill not in self.subskills(skill):
            known = ", ".join(self.subskills(skill))
            raise ConfigurationError(f"{self.name} has no subskill {skill}/{subskill}; {skill} has {known}.")
        form = SKILLS[skill][subskill]
        question, program, tests = form.make(rng)
        answer = join_answer(program, tests, None if form.reads_input else _FUNCTION)
        return TaskInstance("", question, answer, skill, subskill)

    def solution(self, instance: TaskInstance) -> str:
        """The program alone, without its tests."""
        return split_answer(instance.answer)[0]

    def job(self, instance: TaskInstance, program: str) -> Job | None:
        """The answer's own tests; None for a text that cannot define the function, or print anything.

        Most wrong replies of an untaught student are such texts, and some would compute for a very long time.
        """
        _, tests, entry_point = split_answer(instance.answer)
        if not tests:
            return None
        needed = r"\bprint\b|\bwrite" if entry_point is None else rf"\b{re.escape(entry_point)}\b"
        if not re.search(needed, program):
            return None
        return Job(program.strip(), tests, entry_point)

    @property
    def domain_text(self) -> DomainText:
        """Problems of this size, first with their tests, then with their program."""
        return read_domain_text("tasks.code", self.name, (Problem, Solution))
