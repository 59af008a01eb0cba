"""MATH (Hendrycks et al., 2021): 12,500 competition problems by level and topic, answers scored by equivalence."""

import logging
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from tasks.base import SplitTask, normalise_text
from tasks.benchmark_rows import BenchmarkRows
from tasks.errors import ConfigurationError, MissingFileError, RecordError, check_choice, check_range
from tasks.math.answers import extract_answer, last_boxed
from tasks.math.equivalence import asked_formulas, equivalent, repeats_question
from tasks.math.records import MATHRecord, read_reply, render_response
from tasks.math.sympy_process import counts
from tasks.types import Split, TaskInstance, TrainingRecord

logger = logging.getLogger(__name__)

_EVALUATED: tuple[Split, Split] = ("val", "test")
LEVELS = tuple(f"Level {number}" for number in range(1, 6))
TOPICS = (
    "Algebra",
    "Counting & Probability",
    "Geometry",
    "Intermediate Algebra",
    "Number Theory",
    "Prealgebra",
    "Precalculus",
)

# The authors' own repositories on the hub are gone; this copy has the same rows, fields and splits. Its card and two
# projects that pin it name this commit; it could not be downloaded where this was written.
HUB_ID = "DigitalLearningGmbH/MATH-lighteval"
REVISION = "0530c78699ea5e8eb5530600900e1f328b48acad"


@dataclass(frozen=True, slots=True)
class _Problem:
    """A row that can be asked: its place in its split, its answer, and its own fields."""

    index: int
    text: str
    answer: str
    level: str
    topic: str
    fields: Mapping[str, Any]

    @property
    def cell(self) -> tuple[str, str]:
        return self.level, self.topic

    @property
    def known_cell(self) -> bool:
        return self.level in LEVELS and self.topic in TOPICS


class MATHTask(SplitTask):
    r"""The MATH benchmark, with a validation set balanced over level and topic.

    Rows come from ``path``, else from ``$DATAENVGYM_DATA_DIR/math``, else from the hub. The skill of an instance is
    its topic; results are also reported by level.

    Args:
        path: A local folder with ``train.jsonl`` and ``test.jsonl`` in the benchmark's own fields (``problem``,
            ``level``, ``type``, ``solution``).
        hub_id: The data set on the Hugging Face hub.
        revision: Its commit; None takes the newest.
        val_from: The split that validation is drawn from. The paper drew it from the test split.
        overlap: With ``val_from: test``, leave the validation rows in the test set too, as in the paper: then the
            test accuracy is not independent of what the teacher saw.
        val_per_group: Random validation rows of each of the 35 cells of level and topic; smaller cells give all.
        seed: Seed of that draw and of the test subset, apart from the run's seed.
        test_size: Size of a random subset of the test set, for quick runs; None takes all of it.
        instruction_suffix: Added to every problem after a blank line, in evaluation, records and training pool alike:
            "Put the final answer in \\boxed{}.", say, which tells the format to a student that was not trained.

    Raises:
        ConfigurationError: A setting has a value that cannot work.
        MissingFileError: The local folder, or the split that validation is drawn from, does not exist.
    """

    name: ClassVar[str] = "math"
    schemas = (MATHRecord,)

    def __init__(
        self,
        path: str | None = None,
        hub_id: str = HUB_ID,
        revision: str | None = REVISION,
        val_from: Literal["train", "test"] = "train",
        overlap: bool = False,
        val_per_group: int = 50,
        seed: int = 0,
        test_size: int | None = None,
        instruction_suffix: str = "",
    ) -> None:
        check_choice("task.init_args", ("train", "test"), val_from=val_from)
        if overlap and val_from == "train":
            raise ConfigurationError("task.init_args.overlap is true: it needs task.init_args.val_from test.")
        check_range("task.init_args", val_per_group=val_per_group, test_size=test_size)
        self.val_from = val_from
        self.overlap = overlap
        self.val_per_group = val_per_group
        self.seed = seed
        self.test_size = test_size
        self.instruction_suffix = instruction_suffix.strip()
        self._rows = BenchmarkRows("math", path, hub_id, revision)
        if val_from == "train" and not self._rows.has("train"):
            raise MissingFileError(
                f"{self._rows.folder} has no train.jsonl to draw validation from: add it, or pass "
                "--task.init_args.val_from test."
            )

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 if the reply's last answer is equivalent to the instance's, else 0.0."""
        answer, gold = extract_answer(text), instance.answer
        if answer is None:
            return 0.0
        if "," in gold and "separated by commas" in instance.instruction:
            gold, answer = (re.sub(r",(?=\d)", ", ", side) for side in (gold, answer))  # 70,110 is a list there
        if repeats_question(instance.instruction, gold, answer):
            return 0.0
        return float(equivalent(gold, answer, asked=asked_formulas(instance.instruction)))

    def reference(self, instance: TaskInstance) -> str | None:
        """The row's own solution, in the target format."""
        solution = instance.metadata.get("solution")
        return None if solution is None else render_response(str(solution), instance.answer)

    def slices_of(self, instance: TaskInstance) -> Mapping[str, str]:
        """The level of an instance; with ``overlap``, also whether a test row is in validation as well."""
        slices = {"level": str(instance.metadata["level"])} if "level" in instance.metadata else {}
        if self.overlap and instance.metadata.get("split") == "test" and not instance.instance_id.endswith("-val"):
            slices["test rows"] = "in validation" if instance.instance_id in self._overlapping else "not in validation"
        return slices

    @cached_property
    def _overlapping(self) -> frozenset[str]:
        return frozenset(instance.instance_id.removesuffix("-val") for instance in self.instances("val"))

    def parse_record(self, reply: Mapping[str, Any]) -> TrainingRecord:
        """A record from a reply's ``problem``, ``solution`` and ``answer``, the response in the target format.

        Raises:
            RecordError: A field is missing or no text, the answer is not a single one, or the solution boxes another.
        """
        record = read_reply(reply)
        boxed = last_boxed(record.solution)
        if boxed is not None and not equivalent(record.answer, boxed):
            raise RecordError(f"a record's solution arrives at {boxed!r:.60}, its 'answer' is {record.answer!r:.60}")
        # A teacher that was shown instructions may have copied what is added to each of them.
        problem = record.problem.removesuffix(self.instruction_suffix).strip() or record.problem
        return TrainingRecord(self._ask(problem), render_response(record.solution, record.answer), record.answer)

    def training_pool(self) -> Sequence[TrainingRecord]:
        """The train split without the validation instances, in the target format.

        Raises:
            ConfigurationError: There is no train split here.
            RecordError: A row lacks a field.
        """
        if not self._rows.has("train"):
            raise ConfigurationError(
                f"{self.name} has no training split in {self._rows.folder}: add train.jsonl, or choose an engine that "
                "writes its records."
            )
        return self._pool

    @property
    def split_note(self) -> str:
        """Where validation and test come from, in one sentence for reports."""
        val, test = (len(self.instances(split)) for split in _EVALUATED)
        drawn = f"Validation: {val} rows of the {self.val_from} split, at most {self.val_per_group} per cell."
        apart = {
            ("train", False): "no validation row is among them",
            ("test", False): "validation rows taken out",
            ("test", True): "validation rows are among them, as in the paper",
        }[self.val_from, self.overlap]
        return f"{drawn} Test: {test} of {len(self._problems('test'))} rows of the test split; {apart}."

    @property
    def counters(self) -> Mapping[str, int]:
        """What was left out or went wrong so far: rows read, and comparisons in this process."""
        process = counts()
        return {
            **self._dropped,
            "scoring_timeouts": process["timeouts"],
            "scoring_crashes": process["crashes"],
        }

    def _ask(self, problem: str) -> str:
        return f"{problem}\n\n{self.instruction_suffix}" if self.instruction_suffix else problem

    def _instance(self, split: str, problem: _Problem, mark: str = "") -> TaskInstance:
        return TaskInstance(
            instance_id=f"math-{split}-{problem.index:05d}{mark}",
            instruction=self._ask(problem.text),
            answer=problem.answer,
            skill=problem.topic,
            metadata={**problem.fields, "split": split},
        )

    @cached_property
    def _dropped(self) -> Counter[str]:
        return Counter(rows_without_answer=0, rows_of_unknown_group=0, short_groups=0)

    @cached_property
    def _splits(self) -> dict[str, tuple[_Problem, ...]]:
        return {}

    def _problems(self, split: Literal["train", "test"]) -> tuple[_Problem, ...]:
        if split not in self._splits:
            rows = self._rows.read(split)
            problems = []
            for row in rows:
                text, level, topic, solution = map(row.text, ("problem", "level", "type", "solution"))
                problems.append(_Problem(row.index, text, last_boxed(solution) or "", level, topic, row.fields))
            kept = tuple(problem for problem in problems if problem.answer)
            unknown = Counter(problem.cell for problem in kept if not problem.known_cell)
            self._dropped["rows_without_answer"] += len(rows) - len(kept)
            self._dropped["rows_of_unknown_group"] += sum(unknown.values())
            if len(kept) < len(rows):
                logger.warning("%d %s rows are left out: their solution boxes no answer.", len(rows) - len(kept), split)
            if unknown:
                logger.warning("%s rows of unknown level or type are in no group: %s.", split, dict(unknown))
            self._splits[split] = kept
        return self._splits[split]

    @cached_property
    def _val_problems(self) -> tuple[_Problem, ...]:
        cells: dict[tuple[str, str], list[_Problem]] = {(level, topic): [] for level in LEVELS for topic in TOPICS}
        for problem in self._problems(self.val_from):
            if problem.known_cell:
                cells[problem.cell].append(problem)
        drawn: list[_Problem] = []
        short = {}
        for (level, topic), problems in cells.items():
            if len(problems) < self.val_per_group:
                short[f"{level}, {topic}"] = len(problems)
            rng = random.Random(f"{self.name}/{self.seed}/val/{level}/{topic}")
            drawn += rng.sample(problems, min(self.val_per_group, len(problems)))
        if short:
            self._dropped["short_groups"] = len(short)
            logger.warning("Groups with fewer than %d rows give all that they have: %s.", self.val_per_group, short)
        return tuple(sorted(drawn, key=lambda problem: problem.index))

    def make_split(self, split: Split) -> list[TaskInstance]:
        """The instances of a split in the order of its rows; ``train`` is without those of validation."""
        if split == "train":
            return [self._instance("train", problem) for problem in self._training]
        if split == "val":
            # An instance that is in both sets is two: ids are unique within a task.
            mark = "-val" if self.overlap else ""
            return [self._instance(self.val_from, problem, mark) for problem in self._val_problems]
        taken = set()
        if self.val_from == "test" and not self.overlap:
            taken = {problem.index for problem in self._val_problems}
        left = [problem for problem in self._problems("test") if problem.index not in taken]
        if self.test_size is not None and self.test_size < len(left):
            rng = random.Random(f"{self.name}/{self.seed}/test")
            left = sorted(rng.sample(left, self.test_size), key=lambda problem: problem.index)
        if not left:
            raise ConfigurationError(
                "Validation takes every row of the test split: lower task.init_args.val_per_group "
                f"({self.val_per_group})."
            )
        return [self._instance("test", problem) for problem in left]

    @cached_property
    def _training(self) -> tuple[_Problem, ...]:
        # By text, not by row: a problem that the two splits share must not be trained on either.
        evaluated = {normalise_text(one.instruction) for split in _EVALUATED for one in self.instances(split)}
        return tuple(
            problem for problem in self._problems("train") if normalise_text(self._ask(problem.text)) not in evaluated
        )

    @cached_property
    def _pool(self) -> tuple[TrainingRecord, ...]:
        return tuple(
            TrainingRecord(
                instruction=self._ask(problem.text),
                response=render_response(problem.fields["solution"], problem.answer),
                answer=problem.answer,
                skill=problem.topic,
                source=f"math-train-{problem.index:05d}",
            )
            for problem in self._training
        )
