"""What an episode may cost, before anything is paid: ``dataenvgym episode --config … --dry_run``.

The environment, its budget, the policies and their prompts are the real ones. Half of the student's answers are wrong,
the chat model's replies have the size that each question expects, and engines make as many records as each plan orders.
Retries, replies that do not fit and records that have to be made up for are not estimated: they come on top.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from environments.base import MakeEnvironment
from environments.loop.protocol import Recorder, Start
from environments.results import Evaluation
from environments.skills.assignment import SkillAssignment
from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.types import Prediction, TaskInstance, TrainingRecord
from teachers.chat.meter import Rehearsal
from teachers.plan import DataPlan
from teachers.teacher import Teacher, make_part

# How often the stand-in for the student is right. Errors are what prompts grow with, so half is on the safe side for
# most students; open-ended policies show a fixed number of errors anyway.
_ACCURACY = 0.5

# A reply of a student is taken for as long as the worked example's, and this many characters where there is none.
_REPLY_CHARACTERS = 200


def dry_run(task: Task, make_environment: MakeEnvironment, teacher: Teacher, seed: int) -> Rehearsal:
    """Goes through an episode without a student and without a chat model; returns what would have been asked."""
    rehearsal = Rehearsal()
    if teacher.calls is None:
        return rehearsal
    with teacher.calls.rehearsing(rehearsal):
        environment = make_part(make_environment, task, _StandIn(task, seed), Recorder(), chat=teacher.calls)
        observation = environment.reset()
        while not observation.last:
            plan = environment.plan(teacher.policy.act(observation))
            teacher.engine.rehearse(plan)
            observation = environment.step(_records(task, plan))
    return rehearsal


def expectation(rehearsal: Rehearsal, max_usd: float | None) -> str:
    """A dry run in words: a table by purpose, and whether the cap covers it."""
    sums = rehearsal.sums()
    if not rehearsal.calls:
        return "This teacher asks no chat model: 0 calls, $0."
    lines = [f"{'purpose':<10}{'calls':>8}{'input tokens':>15}{'output tokens':>15}{'dollars':>10}"]
    for name, row in sums.items():
        usd = "unknown" if row["usd"] is None else f"{row['usd']:.2f}"
        lines.append(f"{name:<10}{row['calls']:>8}{row['input']:>15,}{row['output']:>15,}{usd:>10}")
    models = ", ".join(dict.fromkeys(call.model for call in rehearsal.calls))
    lines.append(f"Expected of {models}; retries and records that have to be made up for come on top.")
    total = sums["total"]["usd"]
    if total is None:
        lines.append("No price is known for a model: give teacher.init_args.prices to see dollars.")
    elif max_usd is not None:
        verdict = "covers it" if total <= max_usd else "does NOT cover it: the episode would end early"
        lines.append(f"teacher.init_args.max_usd is {max_usd:.2f}: {verdict}.")
    return "\n".join(lines)


def _records(task: Task, plan: DataPlan) -> list[TrainingRecord]:
    """As many records as a plan orders, each acceptable: the worked example under instructions of random words."""
    example = task.parse_record(task.domain_text.example)
    rng = plan.generator(0)
    return [
        replace(
            example,
            instruction=" ".join(f"{rng.getrandbits(40):010x}" for _ in range(8)),
            skill=spec.skill,
            subskill=spec.subskill,
        )
        for spec in plan.specs
        for _ in range(spec.count)
    ]


class _StandIn:
    """A student loop whose student is right in half of the cases and never learns."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task = task
        self.seed = seed
        try:
            self._reply = task.parse_record(task.domain_text.example).response
        except ConfigurationError:  # a task without texts for language models has an estimate for its engine alone
            self._reply = "x" * _REPLY_CHARACTERS

    def run(
        self,
        step: int,
        records: Sequence[TrainingRecord],
        start: Start,
        previous: int | None,
        skills: SkillAssignment,
    ) -> Evaluation:
        val, test = (tuple(self.answer(self.task.instances(split))) for split in ("val", "test"))
        return Evaluation(val, test)

    def answer(self, instances: Sequence[TaskInstance]) -> Sequence[Prediction]:
        rights = (random.Random(f"{self.seed}/{one.instance_id}").random() < _ACCURACY for one in instances)
        return [
            Prediction(one.instance_id, self._reply, float(right)) for one, right in zip(instances, rights, strict=True)
        ]

    def load(self, step: int) -> None:
        """There is only one student."""
