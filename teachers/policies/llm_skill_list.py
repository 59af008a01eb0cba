"""The language model that is shown one skill after another: how much it needs, and what records would help."""

from typing import Any

from pydantic import BaseModel, field_validator

from tasks.base import Task
from tasks.errors import check_range
from teachers.chat.types import Question
from teachers.observation import Observation
from teachers.plan import Action, DataSpec
from teachers.policies.llm_base import LLMPolicy, Share, Words, deal, draw_errors
from teachers.policies.sharing import skills_shown


class HypothesisSpec(BaseModel):
    """Records that would help if a hypothesis is right."""

    description: Words
    share: Share


class Hypothesis(BaseModel):
    """Something that the student may be missing, and records against it."""

    weakness: Words
    specs: list[HypothesisSpec]


class SkillLesson(BaseModel):
    """What to do for one skill; ``priority`` is from 0 (no records) to 10, on one scale for all skills."""

    reasoning: str
    priority: Share
    hypotheses: list[Hypothesis]

    @field_validator("priority")
    @classmethod
    def _on_the_scale(cls, priority: float) -> float:
        if priority > 10:
            raise ValueError("priority must be from 0 to 10")
        return priority


# What a skill without a usable reply counts as: the middle of the scale.
_MIDDLE = 5.0


class LLMSkillListPolicy(LLMPolicy):
    """Asks about each skill by itself, all at once, with the accuracies of all skills beside it.

    One question per skill keeps prompts short however many skills there are, shows each skill's errors and history in
    full, and loses one skill's specs if a reply fails. Each asks for a priority on one scale, so that records go where
    they are needed most. A skill without a usable reply gets an order in the middle of the scale, without description.

    Args:
        task: The task to teach.
        errors_shown: Most errors of a skill in its prompt; drawn for every call.
        hypotheses: Hypotheses about what the student is missing, asked for each skill.
        specs_per_hypothesis: Data specs asked for each of them.
        settings: Those of LLMPolicy: records_per_step, text_limit and chat.

    Raises:
        ConfigurationError: A number is out of range, there is no chat model or the task no texts.
    """

    def __init__(
        self,
        task: Task,
        errors_shown: int = 8,
        hypotheses: int = 2,
        specs_per_hypothesis: int = 2,
        **settings: Any,
    ) -> None:
        super().__init__(task, **settings)
        check_range(
            type(self).__name__,
            errors_shown=errors_shown,
            hypotheses=hypotheses,
            specs_per_hypothesis=specs_per_hypothesis,
        )
        self.errors_shown = errors_shown
        self.hypotheses = hypotheses
        self.specs_per_hypothesis = specs_per_hypothesis

    def act(self, observation: Observation) -> Action:
        """Orders for every skill, in proportion to its priority and to the shares of its specs."""
        skills = list(skills_shown(self, observation))
        lessons = self.prompts.ask([self._question(observation, skill) for skill in skills])
        specs: list[DataSpec] = []
        shares: list[float] = []
        for skill, lesson in zip(skills, lessons, strict=True):
            parts = [] if lesson is None else [(each, spec) for each in lesson.hypotheses for spec in each.specs]
            priority = _MIDDLE if lesson is None else lesson.priority
            weight = sum(spec.share for _, spec in parts)
            if not weight:
                specs.append(DataSpec(0, skill=skill))
                shares.append(priority)
                continue
            for hypothesis, spec in parts:
                words = f"{spec.description} The student's weakness: {hypothesis.weakness}"
                specs.append(DataSpec(0, skill=skill, description=words))
                shares.append(priority * spec.share / weight)
        return deal(observation, self.share(observation), specs, shares)

    def _question(self, observation: Observation, skill: str) -> Question[SkillLesson]:
        text = "one or two sentences about what the student is missing or what to write "
        hypothesis = Hypothesis(
            weakness=text, specs=[HypothesisSpec(description=text * 2, share=1)] * self.specs_per_hypothesis
        )
        return self.prompts.question(
            observation,
            "skill_list",
            SkillLesson,
            SkillLesson(reasoning=text, priority=5, hypotheses=[hypothesis] * self.hypotheses),
            skill=skill,
            skill_errors=[error for error in observation.errors if error.skill == skill],
            errors=draw_errors(observation, self.errors_shown, skill),
            total=self.share(observation),
            hypotheses=self.hypotheses,
            specs_per_hypothesis=self.specs_per_hypothesis,
        )
