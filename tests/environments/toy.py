"""A small task and a student that really learns by a simple rule, for tests of environments and teachers."""

import copy
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from environments.base import Environment
from environments.budget import Budget
from environments.loop.protocol import Recorder
from environments.results import Evaluation, KeptCall, RestoredEpisode, StepResult
from environments.skills.assignment import SkillAssignment
from tasks.base import ProceduralTask
from tasks.errors import ConfigurationError
from tasks.types import Prediction, TaskInstance, TrainingRecord
from teachers.engines import ProceduralEngine
from teachers.observation import Observation
from teachers.teacher import Engine, Policy


class ToyTask(ProceduralTask):
    """Asks for a number to be said again, under a few skills with many subskills each."""

    name: ClassVar[str] = "toy"

    def __init__(self, skills: int = 3, subskills: int = 4, numbers: int = 100_000, val_size: int = 48) -> None:
        super().__init__(seed=0, val_size=val_size, test_size=48)
        self._skills = {f"skill{i}": tuple(f"sub{j}" for j in range(subskills)) for i in range(skills)}
        self._numbers = numbers

    def skills(self) -> Sequence[str]:
        return tuple(self._skills)

    def subskills(self, skill: str) -> Sequence[str]:
        if skill not in self._skills:
            raise ConfigurationError(f"toy has no skill {skill!r}; its skills are {', '.join(self._skills)}.")
        return self._skills[skill]

    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        number = rng.randrange(self._numbers)
        return TaskInstance("", f"{skill} {subskill}: say {number}", str(number), skill, subskill)

    def score(self, instance: TaskInstance, text: str) -> float:
        return float(text.strip() == instance.answer)


@dataclass
class Kept:
    """What a run has kept: outlives loop and recorder, as a run directory outlives a process."""

    steps: list[StepResult] = field(default_factory=list)
    pool: list[TrainingRecord] = field(default_factory=list)
    calls: list[KeptCall] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    students: dict[int, Counter[str]] = field(default_factory=dict)
    observations: dict[tuple[int, int], Observation] = field(default_factory=dict)  # by step and call
    kill_in: int | None = None

    def tick(self) -> None:
        """Counts the moments at which a kill can come, and dies at the wanted one."""
        if self.kill_in is not None:
            if self.kill_in == 0:
                raise Killed
            self.kill_in -= 1


class Killed(Exception):
    """Raised where a test kills the process."""


class MemoryRecorder(Recorder):
    """Keeps a run in memory; its clock stands still unless a test moves it."""

    def __init__(self, kept: Kept | None = None) -> None:
        super().__init__()
        self.kept = kept or Kept()
        self.seconds = 0.0

    def elapsed(self) -> float:
        return self.seconds

    def keep_call(self, call: KeptCall) -> None:
        self.kept.tick()
        self.kept.calls.append(copy.deepcopy(replace(call, plan=replace(call.plan, screen=None))))
        self.kept.tick()

    def keep_step(self, result: StepResult, evaluation: Evaluation) -> None:
        self.kept.tick()
        for call in self.kept.calls:
            self.kept.pool.extend(call.accepted)
        self.kept.calls.clear()
        self.kept.steps.append(copy.deepcopy(result))
        self.kept.evaluations.append(evaluation)
        self.kept.tick()

    def keep_observation(self, observation: Observation) -> None:
        self.kept.tick()
        self.kept.observations[observation.step, observation.call] = observation
        self.kept.tick()

    def restore(self) -> RestoredEpisode | None:
        if not self.kept.steps:
            return None
        kept = self.kept
        return RestoredEpisode(tuple(kept.steps), tuple(kept.evaluations), tuple(kept.pool), tuple(kept.calls))


class LookupLoop:
    """A student whose accuracy on a subskill grows with the number of its records that it was trained on.

    It answers an instance rightly if the instance's own difficulty, a hash in [0, 1), is below n / (n + 10), where n
    counts the subskill's records (a head start by skill makes it uneven).
    """

    def __init__(self, task: ToyTask, seed: int = 0, kept: Kept | None = None) -> None:
        self.task = task
        self.seed = seed
        self.kept = kept or Kept()
        self.trained_on: list[int] = []
        self.probed = 0
        self._known: Counter[str] = Counter()

    def run(
        self,
        step: int,
        records: Sequence[TrainingRecord],
        start: str,
        previous: int | None,
        skills: SkillAssignment,
    ) -> Evaluation:
        self.kept.tick()
        known = self.kept.students[previous] if start == "previous" and previous is not None else Counter()
        self._known = known + Counter(f"{record.skill}/{record.subskill}" for record in records)
        self.kept.students[step] = self._known
        if records:
            self.trained_on.append(len(records))
        val, test = (tuple(self.answer(self.task.instances(split))) for split in ("val", "test"))
        return Evaluation(val, test)

    def answer(self, instances: Sequence[TaskInstance]) -> list[Prediction]:
        self.probed += len(instances)
        texts = [instance.answer if self._knows(instance) else "?" for instance in instances]
        return [
            Prediction(instance.instance_id, text, self.task.score(instance, text))
            for instance, text in zip(instances, texts, strict=True)
        ]

    def load(self, step: int) -> None:
        self._known = self.kept.students[step]

    def _knows(self, instance: TaskInstance) -> bool:
        digest = hashlib.sha256(instance.instruction.encode()).digest()
        n = self._known[f"{instance.skill}/{instance.subskill}"] + 5 * int((instance.skill or "0")[-1])
        return digest[0] / 256 < n / (n + 10)


def made(kind: type[Environment], budget: Budget, task: ToyTask | None = None, **options: Any) -> Environment:
    """An environment of the toy task with a new student; its recorder keeps nothing unless another is given."""
    task = task or ToyTask()
    parts = {"loop": LookupLoop(task), "recorder": Recorder()}
    return kind(task, budget=budget, **{**parts, **options})


def run(environment: Environment, policy: Policy, engine: Engine | None = None) -> list[Observation]:
    """All observations of one episode, with the procedural engine unless another is given."""
    engine = engine or ProceduralEngine(environment.task)
    observations = [environment.reset()]
    while not observations[-1].last:
        plan = environment.plan(policy.act(observations[-1]))
        observations.append(environment.step(engine.generate(plan)))
    return observations
