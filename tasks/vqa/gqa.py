"""GQA: compositional questions about photographs, some of each detailed question type (Hudson and Manning, 2019)."""

import logging
import random
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

from tasks.base import identity
from tasks.benchmark_rows import BenchmarkRow, BenchmarkRows
from tasks.errors import ConfigurationError, RecordError, check_range
from tasks.images import Image
from tasks.types import Split, TaskInstance, TrainingRecord
from tasks.vqa.rows import DescribedTask, image_by_id, image_of, plain_fields
from tasks.vqa.scoring import same_answer

logger = logging.getLogger(__name__)

HUB_ID = "lmms-lab/GQA"  # GQA's balanced questions and its images, in one configuration each
_SPLITS: Mapping[Split, str] = {"val": "val", "test": "testdev", "train": "train"}
_ID = re.compile(r"\w+")


class GQATask(DescribedTask):
    """A seeded sample of the balanced validation questions as validation, of testdev as test; the skills are the types.

    A question that an earlier one lists as equivalent to itself is left out, as in the authors' sample. They score by
    equality of every letter; here case, white space and final punctuation do not count.

    Args:
        path: Folder with ``val.jsonl``, ``testdev.jsonl`` and, for a training pool, ``train.jsonl`` (``id``,
            ``imageId``, ``question``, ``answer``, ``types``, ``equivalent``), and the images in ``images``. None takes
            ``gqa`` under DATAENVGYM_DATA_DIR, or else the hub.
        seed: Seed of the samples.
        per_type: Questions of each detailed type; a type that has fewer gives all of them.
        hub_id: The data set on the Hugging Face hub.
        revision: Its commit; None takes the newest.

    Raises:
        ConfigurationError: The number of questions is not positive.
        MissingFileError: The folder does not exist.
    """

    name: ClassVar[str] = "gqa"
    no_train = "GQA's train split is not evaluated on: its records come from training_pool()."

    def __init__(
        self,
        path: str | None = None,
        seed: int = 0,
        per_type: int = 5,
        hub_id: str = HUB_ID,
        revision: str | None = None,
    ) -> None:
        check_range("task.init_args", per_type=per_type)
        self.seed = seed
        self.per_type = per_type
        self._path = path
        self._hub_id, self._revision = hub_id, revision
        self._folder = self._source("val", "instructions").folder

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 for the right answer, whatever its case and final punctuation, else 0.0."""
        return float(same_answer(instance.answer, text))

    def reference(self, instance: TaskInstance) -> str | None:
        """The bare answer."""
        return instance.answer

    def cluster_of(self, instance: TaskInstance) -> str | None:
        """The image: what a student does not see in it, it gets wrong in all questions about it."""
        image_id = instance.metadata.get("imageId")
        return None if image_id is None else str(image_id)

    def training_pool(self) -> Sequence[TrainingRecord]:
        """The questions of ``train.jsonl``; from a local folder only, since the hub's training images are 10 GB.

        Raises:
            ConfigurationError: There is no such file.
            MissingFileError: An image is missing.
            RecordError: A row lacks a field.
        """
        return self._pool

    @cached_property
    def _pool(self) -> tuple[TrainingRecord, ...]:
        source = self._source("train", "instructions")
        if source.folder is None or not source.has("train"):
            raise ConfigurationError(
                "GQA's training pool needs --task.init_args.path, a folder with train.jsonl and its images: the hub's "
                "training images are 10 GB."
            )
        splits: tuple[Split, ...] = ("val", "test")
        taken = {identity(instance) for split in splits for instance in self.instances(split)}
        rows = source.read("train")
        instances = self._with_images("train", rows)
        return tuple(
            TrainingRecord(instance.instruction, instance.answer, instance.answer, instance.skill, image=instance.image)
            for instance in instances
            if identity(instance) not in taken
        )

    def _source(self, split: Split, kind: str) -> BenchmarkRows:
        config = f"{_SPLITS[split]}_balanced_{kind}"
        return BenchmarkRows(self.name, self._path, self._hub_id, self._revision, config_name=config)

    def make_split(self, split: Split) -> tuple[TaskInstance, ...]:
        """The sampled questions of a split, by type."""
        by_type: dict[str, list[BenchmarkRow]] = {}
        for row in without_equivalents(self._source(split, "instructions").read(_SPLITS[split])):
            by_type.setdefault(_type_of(row), []).append(row)
        short = sorted(kind for kind, rows in by_type.items() if len(rows) < self.per_type)
        if short:
            logger.warning("GQA %s: %d types have fewer than %d questions.", split, len(short), self.per_type)
        chosen: list[BenchmarkRow] = []
        for kind in sorted(by_type):
            rows = by_type[kind]
            rng = random.Random(f"gqa/{self.seed}/{split}/{kind}")
            chosen += sorted(rng.sample(rows, min(self.per_type, len(rows))), key=lambda row: row.index)
        return self._with_images(split, chosen)

    def _with_images(self, split: Split, rows: Sequence[BenchmarkRow]) -> tuple[TaskInstance, ...]:
        images = self._images(split, rows)
        return tuple(
            TaskInstance(
                instance_id=row.text("id"),
                instruction=row.text("question").strip(),
                answer=row.text("answer").strip(),
                skill=_type_of(row),
                metadata=plain_fields(row.fields, "image"),
                image=images[row.text("imageId")],
            )
            for row in rows
        )

    def _images(self, split: Split, rows: Sequence[BenchmarkRow]) -> Mapping[str, Image]:
        ids = {row.text("imageId") for row in rows}
        if self._folder is not None:
            return {image_id: image_by_id(self._folder, image_id) for image_id in ids}
        found = self._source(split, "images").read(_SPLITS[split], only=("id", ids))
        images = {row.text("id"): image_of(row.fields.get("image"), None, row.where) for row in found}
        if missing := sorted(ids - images.keys()):
            raise RecordError(
                f"{self._hub_id} has no image {missing[0]} ({len(missing)} are missing): pass a revision."
            )
        return images


def without_equivalents(rows: Sequence[BenchmarkRow]) -> list[BenchmarkRow]:
    """The rows without those that an earlier row, one that was kept, lists as equivalent to itself."""
    kept, taken = [], set[str]()
    for row in rows:
        if row.text("id") not in taken:
            kept.append(row)
            listed = row.fields.get("equivalent") or ()
            # The hub's rows hold the list as text, "['04667647', '04667648']".
            taken.update(_ID.findall(listed) if isinstance(listed, str) else map(str, listed))
    return kept


def _type_of(row: BenchmarkRow) -> str:
    types = row.fields.get("types")
    detailed = types.get("detailed") if isinstance(types, Mapping) else None
    if not isinstance(detailed, str) or not detailed:
        raise RecordError(f"{row.where}: the field types.detailed is {detailed!r}, it must be text; mend that row.")
    return detailed
