"""A simulated student in the place of a real one: what it would answer after any records, by a law of real fits."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from environments.loop.protocol import Start, StudentLoop
from environments.results import Evaluation
from environments.run.directory import RunDir
from environments.simulation.law_files import LawFile, read_law, task_facts
from environments.skills.assignment import SkillAssignment
from lightning_modules import StudentModule
from lightning_modules.callbacks import FeedbackWriter, SkillMetrics
from lightning_modules.prompt_format import PromptFormat
from tasks.base import Task, identity
from tasks.errors import ConfigurationError, RecordError, check_range
from tasks.records import read_json, write_json
from tasks.types import Prediction, Split, TaskInstance, TrainingRecord

_SPLITS: tuple[Split, Split] = ("val", "test")
_COUNTS = "records_by_skill.json"


class SimulatedStudent(StudentModule):
    """A student that is not trained but looked up: its accuracy by skill follows from its records by skill.

    It takes a real student's place in every environment, and costs milliseconds instead of a fit. It is the student
    that its law was fitted to, on the task and with the replay of those fits; the texts of records make no difference
    to it. Policies that were developed on simulated students are judged on several of them, and on the real one.

    Args:
        law: Name of a shipped law (``environments/simulation/laws``), or the path of a file that scripts/fit_laws.py
            made.
        member: Which of its laws: 0 is fitted to all fits, the others to resampled ones.
        noise: Factor of the noise between runs; 0 leaves what follows from the number of instances.

    Raises:
        ConfigurationError: There is no such law or member.
    """

    auto_class = ""

    def __init__(self, law: str, member: int = 0, noise: float = 1.0) -> None:
        super(StudentModule, self).__init__()  # no weights, no tokenizer
        self.save_hyperparameters()
        self.file: LawFile = read_law(law)
        if type(member) is not int or not 0 <= member < self.file.members:
            raise ConfigurationError(
                f"SimulatedStudent: member is {member}; the law {law} has 0 to {self.file.members - 1}."
            )
        check_range("SimulatedStudent", 0, noise=noise)
        self.member = member
        self.noise = noise

    @property
    def prompt_format(self) -> PromptFormat:
        """There is none.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError("A simulated student has no weights and reads no text: use it in an episode.")

    def configure_model(self) -> None:
        """There is no network: a Trainer has nothing to do here.

        Raises:
            ConfigurationError: Always.
        """
        self.prompt_format  # noqa: B018


class SimulatedLoop(StudentLoop):
    """The student's side of an episode with a simulated student; files of a step are those of a real one.

    Instances differ in difficulty, and keep it: which of a skill's instances are right agrees between runs as much as
    it did between fits of the real student on one allocation. The untrained student is the same in all runs, as the
    real one is. Replies that are wrong are empty texts.

    Args:
        task: A task as the law's own: of its class, with its skills, of which the same cannot be learnt.
        student: The student.
        seed: The run's seed.
        run_dir: Where the files of a step are written; None writes none.

    Raises:
        ConfigurationError: The task is another one than the law's.
    """

    def __init__(self, task: Task, student: SimulatedStudent, seed: int, run_dir: RunDir | None = None) -> None:
        self.task = task
        self._student = student
        self._seed = seed
        self._run_dir = run_dir
        self._file = student.file
        self._place = {skill: place for place, skill in enumerate(self._file.law.skills)}
        of, given = {key: self._file.facts[key] for key in ("task", "unlearnable")}, task_facts(task)
        asked = {task.skill_of(instance) for split in _SPLITS for instance in task.instances(split)}
        if given != of or not asked <= set(self._place):
            raise ConfigurationError(
                f"The law {self._file.name} is of {_said(**of)}, and the task is {_said(**given)}: give a law of this "
                "task (scripts/fit_laws.py makes one)."
            )
        self._become(0, {})

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self._seed

    def run(
        self,
        step: int,
        records: Sequence[TrainingRecord],
        start: Start,
        previous: int | None,
        skills: SkillAssignment,
    ) -> Evaluation:
        """What a student trained on these records answers.

        Raises:
            ConfigurationError: Training is to go on from an earlier student, of which a static law knows nothing, or
                a record is of no skill of the law.
        """
        if start == "previous":
            raise ConfigurationError(
                "environment.init_args.start is previous: the laws of simulated students are of training from base."
            )
        self._become(step, Counter(record.skill for record in records))
        answers = {split: self._answers(self.task.instances(split), likelihoods=True) for split in _SPLITS}
        if self._run_dir is not None:
            self._write(step, answers, skills)
        return Evaluation(tuple(answers["val"]), tuple(answers["test"]))

    def answer(self, instances: Sequence[TaskInstance]) -> list[Prediction]:
        """The present student's answers; to evaluation instances, those that it gave."""
        return self._answers(instances, likelihoods=False)

    def load(self, step: int) -> None:
        """Makes the student that a step trained the present one.

        Raises:
            MissingFileError: Its file is missing.
            RecordError: Its file is damaged.
        """
        assert self._run_dir is not None, "only a run directory is resumed"
        path = self._run_dir.student(step) / _COUNTS
        counts = read_json(path)
        if set(counts) != set(self._place) or not all(type(n) is int and n >= 0 for n in counts.values()):
            raise RecordError(f"{path} is damaged: restore it, or begin a new run.")
        self._become(step, counts)

    def _become(self, step: int, counts: Mapping[Any, int]) -> None:
        """Makes the student of a step the present one: what it can do is drawn once."""
        import numpy as np

        self._counts = np.zeros(len(self._place))
        for skill, count in counts.items():
            self._counts[self._place_of(skill)] = count
        self._drawn_by = f"{self._seed}/{self._file.name}/{self._student.member}/{step}"
        rng = np.random.default_rng(random.Random(self._drawn_by).getrandbits(64))
        self._accuracies = self._file.accuracies(self._counts, self._student.member, self._student.noise, rng)

    def _place_of(self, skill: str | None) -> int:
        if skill not in self._place:
            raise ConfigurationError(
                f"A record or question is of the skill {skill}, of which the law {self._file.name} knows nothing: a "
                "simulated student knows the task's own skills alone."
            )
        return self._place[skill]

    def _answers(self, instances: Sequence[TaskInstance], likelihoods: bool) -> list[Prediction]:
        expected = self._file.likelihoods(self._accuracies)
        persisting = self._file.persistence**0.5 if self._counts.any() else 1.0
        made = []
        for instance in instances:
            place = self._place_of(self.task.skill_of(instance))
            known = identity(instance)
            own = random.Random(f"{self._drawn_by}/{known}")
            drawn = (random.Random(known) if own.random() < persisting else own).random()
            right = drawn < self._accuracies[place]
            text = (self.task.reference(instance) or instance.answer) if right else ""
            likelihood = round(float(expected[place]), 6) if likelihoods else None
            made.append(Prediction(instance.instance_id, text, float(right), likelihood=likelihood))
        return made

    def _write(self, step: int, answers: Mapping[Split, Sequence[Prediction]], skills: SkillAssignment) -> None:
        assert self._run_dir is not None, "the caller checks it"
        metrics = SkillMetrics(self.task)
        for split, predictions in answers.items():
            metrics.take(self.task, split, self.task.instances(split), predictions)
        FeedbackWriter(self._run_dir.step(step), metrics, self._run_dir.images, skills).write(metrics)
        if step:
            folder = self._run_dir.make(self._run_dir.student(step))
            write_json(folder / _COUNTS, {skill: int(self._counts[place]) for skill, place in self._place.items()})


def _said(task: str, unlearnable: Sequence[str]) -> str:
    return f"{task} where {', '.join(unlearnable)} cannot be learnt" if unlearnable else task
