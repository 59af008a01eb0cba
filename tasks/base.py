"""What a task is: its instances, its scoring, and, for procedural tasks, an endless supply of verified items."""

import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from tasks.errors import ConfigurationError, check_range
from tasks.images import Image
from tasks.prompting import DomainText, read_domain_text
from tasks.records import record_from_mapping
from tasks.types import Prediction, Split, TaskInstance, TrainingRecord
from tasks.variant import Variant

# Shares of the question space, in tenths of the hash range. Training gets the most because a
# teacher draws thousands of records from it while evaluation needs some hundreds of instances.
_TRAIN_TENTHS, _VAL_TENTHS = 6, 2

# Size of a procedural task's training pool before repeated questions are left out: that of MATH's, in round numbers.
_POOL_SIZE = 7_500

# How often a generator may miss the wanted split before its space is declared too small.
_MAX_DRAWS = 2_000


def normalise_text(text: str) -> str:
    """Folds case and white space: two questions equal under this are the same question."""
    return " ".join(text.lower().split())


class Asked(Protocol):
    """What is asked, in an instance or a record."""

    @property
    def instruction(self) -> str:
        """The text."""

    @property
    def image(self) -> Image | None:
        """The image that it is about."""


def identity(item: Asked) -> str:
    """The same for two instances or records exactly if they ask the same: same normalised text, same image."""
    text = normalise_text(item.instruction)
    return text if item.image is None else f"{text}\n{item.image.digest}"


def split_of(item: Asked) -> Split:
    """The split that a question belongs to, by a hash of its identity: 60 % are train, 20 % val, 20 % test.

    So a training question never equals an evaluation question, whatever generator, seed or teacher made it.
    """
    digest = hashlib.sha256(identity(item).encode()).digest()
    tenth = int.from_bytes(digest[:8], "big") % 10
    if tenth < _TRAIN_TENTHS:
        return "train"
    return "val" if tenth < _TRAIN_TENTHS + _VAL_TENTHS else "test"


class Task(ABC):
    """One benchmark of one domain: the instances, and how an answer to one of them is scored."""

    name: ClassVar[str]
    # The fields of each stage of a record, where language models are told how to write one.
    schemas: ClassVar[Sequence[type[BaseModel]]] = ()
    # Whether several threads may score at once, which pays where a score is waited for (a program that runs).
    scores_in_parallel: ClassVar[bool] = False

    @abstractmethod
    def instances(self, split: Split) -> Sequence[TaskInstance]:
        """The evaluation instances of a split, in a fixed order."""

    @abstractmethod
    def score(self, instance: TaskInstance, text: str) -> float:
        """The score of a student's reply to an instance, in [0, 1]; never raises on any text."""

    def reference(self, instance: TaskInstance) -> str | None:
        """A right reply to an instance, in the form that students are taught; None where the benchmark has none."""
        return None

    def skill_of(self, instance: TaskInstance) -> str | None:
        """The gold skill of an instance, or None if the benchmark has none."""
        return instance.skill

    def parse_record(self, reply: Mapping[str, Any]) -> TrainingRecord:
        """A training record from a mapping with the keys ``instruction``, ``response`` and, optionally, ``answer``.

        Raises:
            RecordError: A key is missing or has the wrong type.
        """
        return record_from_mapping(reply)

    @property
    def domain_text(self) -> DomainText:
        """What this task tells teachers that are language models, from ``prompts/<name>.yaml`` of its package.

        Raises:
            ConfigurationError: The task has no such text.
        """
        owner = next((kind for kind in type(self).__mro__ if vars(kind).get("schemas")), None)
        if owner is None:
            raise ConfigurationError(f"{self.name} has no texts for language models: choose a procedural teacher.")
        return read_domain_text(owner.__module__.rpartition(".")[0], self.name, self.schemas)

    def training_pool(self) -> Sequence[TrainingRecord]:
        """The benchmark's own training data, evaluation instances excluded: for baselines that select or imitate it.

        Raises:
            ConfigurationError: The benchmark has no training split here.
        """
        raise ConfigurationError(f"{self.name} has no training split: choose an engine that writes its records.")

    @property
    def split_note(self) -> str:
        """Where validation and test come from, in a sentence for reports; empty where the name says it all."""
        return ""

    @property
    def counters(self) -> Mapping[str, int]:
        """What was left out or went wrong so far, by name: rows that could not be used, scorings that timed out."""
        return {}

    def slices_of(self, instance: TaskInstance) -> Mapping[str, str]:
        """Further groups that results are reported by, e.g. ``{"level": "Level 3"}``; no teacher sees them."""
        return {}

    def cluster_of(self, instance: TaskInstance) -> str | None:
        """The group of instances that this one belongs to; None if it is independent of all others.

        Questions about one picture, or one question asked of several, tend to be answered rightly or wrongly together:
        intervals would be too narrow if groups were not kept whole.
        """
        return None

    def fault_of(self, record: TrainingRecord) -> str | None:
        """Why a record teaches something wrong, as a counter's name; None if nothing shows that it does.

        Here ``answer_mismatch``: the response does not score 1 against the record's own answer. Tasks that can check
        more (an answer against its image, a program against its tests) add their own reasons.
        """
        return "answer_mismatch" if self.score(self.as_instance(record), record.response) < 1.0 else None

    def draw(self, description: str) -> Image:
        """The image that a description stands for, in tasks that can draw exactly.

        Raises:
            RecordError: The description is not one that the task can draw.
            ConfigurationError: The task cannot draw: images have to come from a text-to-image model.
        """
        raise ConfigurationError(f"{self.name} cannot draw images itself: choose a text-to-image illustrator.")

    def extra_metrics(self, split: Split, predictions: Sequence[Prediction]) -> Mapping[str, float]:
        """The benchmark's further scores of a whole split (``val`` or ``test``), in [0, 1] by name; none by default.

        There is one prediction for each instance of the split, in the order of the instances.
        """
        return {}

    def as_instance(self, record: TrainingRecord) -> TaskInstance:
        """A training record seen as an instance, so that a student can be probed on it."""
        return TaskInstance(
            instance_id=hashlib.sha256(identity(record).encode()).hexdigest()[:16],
            instruction=record.instruction,
            answer=record.answer,
            skill=record.skill,
            subskill=record.subskill,
            image=record.image,
        )


class SplitTask(Task):
    """A task whose splits are made when they are first asked for, and kept.

    ``no_train`` says why there is no train split to be evaluated on; None where there is one.
    """

    no_train: ClassVar[str | None] = None

    def instances(self, split: Split) -> Sequence[TaskInstance]:
        """The instances of a split, in a fixed order.

        Raises:
            ConfigurationError: The train split is asked for and there is none, or a setting does not fit the rows.
            MissingFileError: A benchmark's rows, or an image of them, cannot be read.
            RecordError: A row cannot be used.
        """
        if split == "train" and self.no_train is not None:
            raise ConfigurationError(self.no_train)
        if split not in self._made:
            self._made[split] = tuple(self.make_split(split))
        return self._made[split]

    @abstractmethod
    def make_split(self, split: Split) -> Iterable[TaskInstance]:
        """The instances of a split, made or read."""

    @cached_property
    def _made(self) -> dict[Split, tuple[TaskInstance, ...]]:
        return {}


class ProceduralTask(SplitTask):
    """A task whose items are made from ``(seed, index)``, with known skills and disjoint splits.

    A subclass sets ``table``: its skills, their subskills, and for each whatever ``generate`` makes questions from
    (or it says by ``skills`` and ``subskills`` what it has).

    Args:
        seed: Seed of the evaluation instances. It is apart from the run's seed, so that runs with
            different seeds are measured on the same instances.
        val_size: Number of validation instances, dealt evenly over all subskills.
        test_size: Number of test instances, dealt evenly over all subskills.
        variant: What is asked unevenly, or cannot be learnt; None for neither.

    Raises:
        ConfigurationError: A size is not positive.
    """

    no_train = "A procedural task has no fixed train split: draw records with record()."
    table: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(
        self, seed: int = 0, val_size: int = 400, test_size: int = 800, variant: Variant | None = None
    ) -> None:
        check_range("task.init_args", val_size=val_size, test_size=test_size)
        self.seed = seed
        self.val_size = val_size
        self.test_size = test_size
        self._variant = variant or Variant()

    @cached_property
    def variant(self) -> Variant:
        """How this task differs from its even form.

        Raises:
            ConfigurationError: It names a skill that the task does not have, or nothing is asked.
        """
        self._variant.check(self.name, self.skills())
        return self._variant

    def skills(self) -> Sequence[str]:
        """All skills, in a fixed order."""
        return tuple(self.table)

    def subskills(self, skill: str) -> Sequence[str]:
        """All subskills of a skill, in a fixed order."""
        if skill not in self.table:
            raise ConfigurationError(f"{self.name} has no skill {skill!r}; its skills are {', '.join(self.table)}.")
        return tuple(self.table[skill])

    def entry(self, skill: str, subskill: str) -> Any:
        """What the task's table holds for a subskill."""
        if subskill not in self.subskills(skill):
            known = ", ".join(self.subskills(skill))
            raise ConfigurationError(f"{self.name} has no subskill {skill}/{subskill}; {skill} has {known}.")
        return self.table[skill][subskill]

    @abstractmethod
    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        """One item of a subskill, of whichever split its text falls into; a function of the generator's state."""

    def record(self, skill: str, subskill: str, rng: random.Random) -> TrainingRecord:
        """One verified training record of a subskill; its text always belongs to the train split."""
        instance = self._draw(skill, subskill, "train", rng)
        response = self.solution(instance)
        return TrainingRecord(instance.instruction, response, instance.answer, skill, subskill, image=instance.image)

    def similar_record(self, instance_id: str, rng: random.Random) -> TrainingRecord:
        """One verified training record like an evaluation instance: same skill and subskill, other numbers."""
        by_id = {instance.instance_id: instance for instance in self.instances("val")}
        instance = by_id.get(instance_id)
        if instance is None or instance.skill is None or instance.subskill is None:
            raise ConfigurationError(f"{self.name} has no instance {instance_id!r} to write similar records for.")
        return self.record(instance.skill, instance.subskill, rng)

    def solution(self, instance: TaskInstance) -> str:
        """The response that a record teaches for an instance; the bare answer unless a task shows its working."""
        return instance.answer

    def reference(self, instance: TaskInstance) -> str | None:
        """What a record would teach for the instance."""
        return self.solution(instance)

    def training_pool(self) -> Sequence[TrainingRecord]:
        """Records of the train split, dealt evenly over all subskills: what a benchmark's training data would be."""
        return self._pool

    def subskill_pairs(self) -> list[tuple[str, str]]:
        """Every (skill, subskill) of the task, in order."""
        return [(skill, subskill) for skill in self.skills() for subskill in self.subskills(skill)]

    def _draw(self, skill: str, subskill: str, split: Split, rng: random.Random) -> TaskInstance:
        for _ in range(_MAX_DRAWS):
            instance = self.generate(skill, subskill, rng)
            if split_of(instance) == split:
                return self._unlearnable(instance) if skill in self.variant.unlearnable else instance
        raise ConfigurationError(
            f"{self.name}: {_MAX_DRAWS} draws of {skill}/{subskill} gave no question of the {split} split; "
            "its question space is too small, give it more distinct questions."
        )

    def _unlearnable(self, instance: TaskInstance) -> TaskInstance:
        """The instance with the answer of another question of its subskill, always the same one."""
        assert instance.skill is not None and instance.subskill is not None, "a procedural item has both"
        rng = random.Random(f"{self.name}/unlearnable/{identity(instance)}")
        other = self.generate(instance.skill, instance.subskill, rng)
        return replace(instance, answer=other.answer)

    def _asked(self, size: int) -> list[tuple[str, str]]:
        """The subskill of each of ``size`` evaluation instances."""
        if not self.variant.exam:
            pairs = self.subskill_pairs()
            return [pairs[index % len(pairs)] for index in range(size)]
        asked = []
        for skill, count in self.variant.shares(size, self.skills()).items():
            subskills = self.subskills(skill)
            asked += [(skill, subskills[turn % len(subskills)]) for turn in range(count)]
        return asked

    def make_split(self, split: Split) -> list[TaskInstance]:
        """The instances of a split: ``(seed, split, index)`` decides each, all texts distinct."""
        size = self.val_size if split == "val" else self.test_size
        seen: set[str] = set()
        made: list[TaskInstance] = []
        for index, (skill, subskill) in enumerate(self._asked(size)):
            rng = random.Random(f"{self.name}/{self.seed}/{split}/{index}")
            for _ in range(_MAX_DRAWS):
                instance = self._draw(skill, subskill, split, rng)
                if identity(instance) not in seen:
                    break
            else:
                raise ConfigurationError(
                    f"{self.name}: {skill}/{subskill} has too few distinct questions for {size} {split} instances."
                )
            seen.add(identity(instance))
            made.append(replace(instance, instance_id=f"{split}-{index:05d}", skill=skill, subskill=subskill))
        return made

    @cached_property
    def _pool(self) -> tuple[TrainingRecord, ...]:
        pairs = self.subskill_pairs()
        made: dict[str, TrainingRecord] = {}
        for index in range(_POOL_SIZE):
            rng = random.Random(f"{self.name}/{self.seed}/train/{index}")
            record = self.record(*pairs[index % len(pairs)], rng)
            made.setdefault(identity(record), record)
        return tuple(made.values())
