"""Elementary mathematics from ``(seed, index)``: the offline task that a model of a million parameters can learn."""

import random
from collections.abc import Callable, Mapping
from typing import ClassVar

from tasks.base import ProceduralTask
from tasks.math.generators import SKILLS
from tasks.math.scoring import final_answer, same_decimal, same_text, same_value
from tasks.prompting import PlainRecord
from tasks.types import TaskInstance
from tasks.variant import Variant

# Where the question asks for a notation, an equal value in another notation is a wrong answer; elsewhere it is right.
_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    **dict.fromkeys(("parity", "expanded_form", "sorting", "money", "clock"), same_text),
    **dict.fromkeys(("number_words", "powers_of_ten", "percent", "decimals"), same_decimal),
}


class ProceduralMathTask(ProceduralTask):
    """Eighteen skills of elementary mathematics with three subskills each.

    Args:
        seed: Seed of the evaluation instances, apart from the run's seed.
        val_size: Number of validation instances, dealt evenly over the 54 subskills.
        test_size: Number of test instances, dealt evenly over the 54 subskills.
        variant: What is asked unevenly, or cannot be learnt; None for neither.
    """

    name: ClassVar[str] = "math_procedural"
    table = SKILLS
    schemas = (PlainRecord,)

    def __init__(
        self, seed: int = 0, val_size: int = 432, test_size: int = 864, variant: Variant | None = None
    ) -> None:
        super().__init__(seed, val_size, test_size, variant)

    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        """One question of a subskill."""
        instruction, answer = self.entry(skill, subskill)(rng)
        return TaskInstance("", instruction, answer, skill, subskill)

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 for the right answer, else 0.0: by notation where the skill is one, by value elsewhere."""
        same = _COMPARISONS.get(instance.skill or "", same_value)
        return float(same(instance.answer, final_answer(text)))
