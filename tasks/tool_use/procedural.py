"""Tool use from ``(seed, index)``: requests with gold plans that a model of a million parameters can learn."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

from tasks.base import ProceduralTask
from tasks.errors import check_choice
from tasks.prompting import DomainText
from tasks.tool_use.checking import checked_record, plan_domain_text
from tasks.tool_use.metrics import EXACT_METRICS, Headline, aggregate_metrics, plan_score
from tasks.tool_use.parsing import parse_plan
from tasks.tool_use.plans import Notation, render
from tasks.tool_use.templates import SKILLS
from tasks.types import Prediction, Split, TaskInstance, TrainingRecord
from tasks.variant import Variant


class ProceduralToolUseTask(ProceduralTask):
    """Ten skills over the 33 tools of m&m's, with three to five subskills each.

    Args:
        seed: Seed of the evaluation instances, apart from the run's seed.
        val_size: Number of validation instances, dealt evenly over the 35 subskills.
        test_size: Number of test instances, dealt evenly over the 35 subskills.
        notation: How gold plans are written: ``short`` (positional arguments, one letter for a result), the
            benchmark's ``code``, or ``json``. A reply is read in any of them.
        headline: What the score is: ``plan`` (all calls and their arguments, compared as data flow) or the
            benchmark's ``plan_tool`` (the tools in order).
    """

    name: ClassVar[str] = "tool_use_procedural"
    table = SKILLS

    def __init__(
        self,
        seed: int = 0,
        val_size: int = 210,
        test_size: int = 420,
        notation: Notation = "short",
        headline: Headline = "plan",
        variant: Variant | None = None,
    ) -> None:
        super().__init__(seed, val_size, test_size, variant)
        check_choice("task.init_args", get_args(Notation), notation=notation)
        check_choice("task.init_args", EXACT_METRICS, headline=headline)
        self.notation: Notation = notation
        self.headline = headline

    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        """One request of a subskill with its gold plan."""
        request, plan = self.entry(skill, subskill)(rng)
        return TaskInstance("", request, render(plan, self.notation), skill, subskill)

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 if the reply's plan is the gold plan, by the headline's rule, else 0.0."""
        return plan_score([parse_plan(instance.answer)], parse_plan(text), self.headline)

    def extra_metrics(self, split: Split, predictions: Sequence[Prediction]) -> Mapping[str, float]:
        """Precision, recall and F1 of tools, arguments and edges, and every exact measure, each in [0, 1]."""
        return aggregate_metrics(
            (parse_plan(instance.answer), parse_plan(prediction.text))
            for instance, prediction in zip(self.instances(split), predictions, strict=True)
        )

    def parse_record(self, reply: Mapping[str, Any]) -> TrainingRecord:
        """A record whose response is a plan that the tools' signatures allow."""
        return checked_record(reply)

    @property
    def domain_text(self) -> DomainText:
        """The tools, how requests name their items, the short notation, and one worked example."""
        return plan_domain_text(self.name)
