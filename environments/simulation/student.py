"""A simulated student in the place of a real one: what it would answer after any records, by a law of real fits."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from environments.loop.protocol import Start, StudentLoop
from environments.results import Evaluation
from environments.run.directory import RunDir
from environments.simulation.law_files import LawFile, read_law
from environments.skills.assignment import SkillAssignment
from lightning_modules import StudentModule
from lightning_modules.callbacks import FeedbackWriter, SkillMetrics
from lightning_modules.prompt_format import PromptFormat
from tasks.base import Task, identity
from tasks.errors import ConfigurationError, RecordError
from tasks.records import read_json, write_json
from tasks.types import Prediction, Split, TaskInstance, TrainingRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        if not 0 <= member < self.file.members:
            raise ConfigurationError(
                f"SimulatedStudent: member is {member}; the law {law} has 0 to {self.file.members - 1}."
            )
        if noise < 0:
            raise ConfigurationError(f"SimulatedStudent: noise is {noise}; it must be 0 or more.")
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
    it did between fits of the real student on one allocation.

    Args:
        task: Its skills must be those of the law.
        student: The student.
        seed: The run's seed.
        run_dir: Where the files of a step are written; None writes none.

    Raises:
        ConfigurationError: The task has other skills than the law.
    """

    def __init__(self, task: Task, student: SimulatedStudent, seed: int, run_dir: RunDir | None = None) -> None:
        self.task = task
        self._student = student
        self._seed = seed
        self._run_dir = run_dir
        self._file = student.file
        self._place = {skill: place for place, skill in enumerate(self._file.law.skills)}
        asked = {task.skill_of(instance) for split in _SPLITS for instance in task.instances(split)}
        if strange := sorted(str(skill) for skill in asked - set(self._place)):
            raise ConfigurationError(
                f"The law {self._file.name} knows nothing of {', '.join(strange)}: it is of {self._file.task}; give a "
                "law of this task's skills."
            )
        self._counts: NDArray[np.float64] | None = None

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
        import numpy as np

        if start == "previous":
            raise ConfigurationError(
                "environment.init_args.start is previous: the laws of simulated students are of training from base."
            )
        by_skill = Counter(self._skill_of(record) for record in records)
        if strange := sorted(str(skill) for skill in by_skill if skill not in self._place):
            raise ConfigurationError(
                f"Records are of the skill {strange[0]}, of which the law {self._file.name} knows nothing: a simulated "
                "student learns from records of the task's own skills alone."
            )
        self._counts = np.array([float(by_skill.get(skill, 0)) for skill in self._place])
        answers = {split: self._answers(self.task.instances(split), f"{step}") for split in _SPLITS}
        if self._run_dir is not None:
            self._write(step, answers, skills, dict(zip(self._place, self._counts.tolist(), strict=True)))
        return Evaluation(tuple(answers["val"]), tuple(answers["test"]))

    def answer(self, instances: Sequence[TaskInstance]) -> list[Prediction]:
        """The present student's answers."""
        return self._answers(instances, "answer")

    def load(self, step: int) -> None:
        """Makes the student that a step trained the present one.

        Raises:
            RecordError: Its file is missing or damaged.
        """
        import numpy as np

        assert self._run_dir is not None, "only a run directory is resumed"
        counts = read_json(self._run_dir.student(step) / _COUNTS)
        if set(counts) != set(self._place) or not all(isinstance(count, int | float) for count in counts.values()):
            raise RecordError(f"{self._run_dir.student(step) / _COUNTS} is damaged: delete the step, and resume.")
        self._counts = np.array([float(counts[skill]) for skill in self._place])

    def _skill_of(self, record: TrainingRecord) -> str | None:
        return record.skill if record.skill in self._place else self.task.skill_of(self.task.as_instance(record))

    def _answers(self, instances: Sequence[TaskInstance], purpose: str) -> list[Prediction]:
        import numpy as np

        counts = np.zeros(len(self._place)) if self._counts is None else self._counts
        # One student of a run has one ability: its noise follows from the run and what it was trained on.
        told = f"{self._seed}/{self._file.name}/{self._student.member}/{counts.tolist()}"
        rng = np.random.default_rng(random.Random(told).getrandbits(64))
        accuracies = self._file.accuracies(counts, self._student.member, self._student.noise, rng)
        likelihoods = self._file.likelihoods(accuracies)
        made = []
        for instance in instances:
            place = self._place[str(self.task.skill_of(instance))]
            own = random.Random(f"{told}/{purpose}/{identity(instance)}")
            kept = own.random() < self._file.persistence**0.5
            drawn = (random.Random(identity(instance)) if kept else own).random()
            right = drawn < accuracies[place]
            text = (self.task.reference(instance) or instance.answer) if right else ""
            likelihood = round(float(likelihoods[place]), 6)
            made.append(Prediction(instance.instance_id, text, float(right), likelihood=likelihood))
        return made

    def _write(
        self,
        step: int,
        answers: Mapping[Split, Sequence[Prediction]],
        skills: SkillAssignment,
        counts: Mapping[str, float],
    ) -> None:
        assert self._run_dir is not None, "the caller checks it"
        metrics = SkillMetrics(self.task)
        for split, predictions in answers.items():
            metrics.take(self.task, split, self.task.instances(split), predictions)
        FeedbackWriter(self._run_dir.step(step), metrics, self._run_dir.images, skills).write(metrics)
        if step:
            self._run_dir.make(self._run_dir.student(step))
            write_json(self._run_dir.student(step) / _COUNTS, counts)
