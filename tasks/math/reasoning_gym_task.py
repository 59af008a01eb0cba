"""Mathematics by the reasoning-gym package, for students of real size: its datasets, configurations and verifiers."""

import importlib.util
import json
import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from tasks.base import ProceduralTask
from tasks.errors import ConfigurationError
from tasks.math.scoring import clean_answer, final_answer
from tasks.prompting import PlainRecord
from tasks.types import TaskInstance
from tasks.variant import Variant

Settings = Mapping[str, Any]


def _digits(low: int, high: int, terms: int) -> Settings:
    return {"min_digits": low, "max_digits": high, "min_terms": 2, "max_terms": terms}


def _values(low: int, high: int, numbers: int) -> Settings:
    return {"min_value": low, "max_value": high, "min_numbers": 2, "max_numbers": numbers}


def _levels(easy: Settings, medium: Settings, hard: Settings) -> Mapping[str, Settings]:
    return {"easy": easy, "medium": medium, "hard": hard}


# skill -> (dataset, subskill -> configuration). Only datasets whose verifier reads the right answer and none of the
# item's metadata: a training record has no metadata, and it must be scorable like an instance. (Left out for that:
# fraction_simplification, complex_arithmetic, number_sorting.) Also left out: time_intervals (items depend on today's
# date), polynomial_multiplication (its verifier evaluates the reply as code), and polynomial_equations, where "no
# real solution" is an empty answer.
DATASETS: Mapping[str, tuple[str, Mapping[str, Settings]]] = {
    "sums": ("chain_sum", _levels(_digits(2, 2, 3), _digits(2, 4, 4), _digits(3, 6, 6))),
    "decimal_sums": (
        "decimal_chain_sum",
        _levels(
            {**_digits(1, 2, 2), "max_decimal_places": 1},
            {**_digits(1, 3, 3), "max_decimal_places": 2},
            {**_digits(2, 4, 5), "max_decimal_places": 4},
        ),
    ),
    "products": ("products", _levels(_digits(2, 2, 2), _digits(2, 3, 2), _digits(3, 5, 2))),
    "expressions": (
        "basic_arithmetic",
        _levels(
            {**_digits(1, 2, 3), "operators": ["+", "-"], "allow_negation": False},
            {**_digits(1, 2, 4), "operators": ["+", "-", "*"], "allow_negation": False},
            {**_digits(1, 3, 6), "operators": ["+", "-", "*", "/"]},
        ),
    ),
    "common_divisors": ("gcd", _levels(_values(1, 100, 2), _values(1, 1000, 2), _values(1, 5000, 4))),
    "common_multiples": ("lcm", _levels(_values(2, 50, 2), _values(2, 200, 2), _values(2, 100, 4))),
    "factorisation": (
        "prime_factorization",
        _levels(
            {"min_value": 2, "max_value": 1000},
            {"min_value": 1001, "max_value": 10_000},
            {"min_value": 10_001, "max_value": 100_000},
        ),
    ),
    "base_conversion": (
        "base_conversion",
        _levels(
            {"min_base": 2, "max_base": 4, "max_value": 500},
            {"min_base": 2, "max_base": 10, "max_value": 1000},
            {"min_base": 2, "max_base": 16, "max_value": 10_000},
        ),
    ),
    "linear_equations": (
        "simple_equations",
        _levels(
            {"max_terms": 2, "max_value": 20, "operators": ["+", "-"], "operators_weights": [0.5, 0.5]},
            {"max_terms": 3, "max_value": 50},
            {"max_terms": 5, "max_value": 200},
        ),
    ),
    "bit_counts": ("count_bits", _levels({"max_n": 2_000}, {"max_n": 100_000}, {"max_n": 2**31 - 1})),
    "prime_counts": ("count_primes", _levels({"max_n": 60}, {"max_n": 200}, {"max_n": 1000})),
    "leg_counting": (
        "leg_counting",
        _levels(
            {"min_animals": 2, "max_animals": 2, "max_instances": 9},
            {"min_animals": 3, "max_animals": 4, "max_instances": 12},
            {"min_animals": 5, "max_animals": 9, "max_instances": 15},
        ),
    ),
}


class ReasoningGymTask(ProceduralTask):
    """Twelve reasoning-gym datasets as skills, three of their configurations each as subskills.

    The last answer of a reply counts, in a box or a sentence. Its score is the dataset's own verifier's, which gives
    partial credit in places (for a right answer inside a longer text, for a factorisation that is right but not into
    primes).

    Args:
        seed: Seed of the evaluation instances, apart from the run's seed.
        val_size: Number of validation instances, dealt evenly over all subskills.
        test_size: Number of test instances, dealt evenly over all subskills.
        skills: The skills to use; all of them by default.
    """

    name: ClassVar[str] = "reasoning_gym"
    schemas = (PlainRecord,)
    table: ClassVar[Mapping[str, Mapping[str, Any]]] = {skill: subskills for skill, (_, subskills) in DATASETS.items()}

    def __init__(
        self,
        seed: int = 0,
        val_size: int = 396,
        test_size: int = 792,
        skills: Sequence[str] | None = None,
        variant: Variant | None = None,
    ) -> None:
        super().__init__(seed, val_size, test_size, variant)
        if importlib.util.find_spec("reasoning_gym") is None:
            raise ConfigurationError(
                f'{type(self).__name__} needs the package reasoning-gym: pip install "dataenvgym[reasoning-gym]".'
            )
        self._skills = tuple(DATASETS) if skills is None else tuple(skills)
        if not self._skills:
            raise ConfigurationError(f"task.init_args.skills is empty: name some of {', '.join(DATASETS)}.")
        for skill in self._skills:
            self.subskills(skill)  # raises for one that is unknown

    def skills(self) -> Sequence[str]:
        """The skills in use."""
        return self._skills

    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        """The first item of the configured dataset with a seed from ``rng``; its entry's metadata is kept."""
        self.entry(skill, subskill)
        entry = _dataset(skill, subskill, seed=rng.getrandbits(32))[0]
        # Through JSON, so that an instance equals itself after it was written and read: tuples become lists.
        metadata = json.loads(json.dumps(entry["metadata"], default=str))
        return TaskInstance("", entry["question"].strip(), entry["answer"], skill, subskill, metadata)

    def score(self, instance: TaskInstance, text: str) -> float:
        """The verifier's score of a reply; an empty one, or one that the verifier cannot read, scores 0.0."""
        text = clean_answer(final_answer(text))
        if not text:
            return 0.0  # some verifiers give a hundredth even for nothing
        # A record that a teacher wrote may name no skill of ours; then only the answer itself is right.
        if instance.skill not in DATASETS:
            return float(text == instance.answer)
        verifier = _verifier(instance.skill)
        entry = {"question": instance.instruction, "answer": instance.answer, "metadata": dict(instance.metadata)}
        try:
            score = float(verifier.score_answer(text, entry))
        except (ValueError, ArithmeticError):
            return 0.0  # verifiers parse numbers and do not all guard against what is none
        return min(1.0, max(0.0, score))


def _dataset(skill: str, subskill: str, seed: int) -> Any:
    import reasoning_gym

    dataset, subskills = DATASETS[skill]
    return reasoning_gym.create_dataset(dataset, seed=seed, size=1, **subskills[subskill])


@cache
def _verifier(skill: str) -> Any:
    """A dataset of the skill, for its verifier, which none of the configurations changes."""
    return _dataset(skill, next(iter(DATASETS[skill][1])), seed=0)
