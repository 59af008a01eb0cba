"""Questions about drawn scenes from ``(seed, index)``: the offline task for small vision-language models."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from tasks.base import ProceduralTask
from tasks.errors import RecordError
from tasks.images import Image
from tasks.replies import clean_answer
from tasks.types import TaskInstance, TrainingRecord
from tasks.variant import Variant
from tasks.vqa.forms import PLURALS
from tasks.vqa.questions import CORNERS, EQUAL, PLACES, SKILLS, answer_of
from tasks.vqa.rows import DescribedRecord, described_record
from tasks.vqa.scenes import COLOURS, SHAPES, SIZES, draw_scene, read_scene, scene_of
from tasks.vqa.scoring import same_answer

# What is taken for what: a wrong answer of the same kind as the right one.
_KINDS = (
    COLOURS,
    SHAPES,
    SIZES,
    tuple(str(number) for number in range(10)),
    ("yes", "no"),
    PLACES,
    CORNERS,
    (*PLURALS, EQUAL),
)


class ProceduralVQATask(ProceduralTask):
    """Ten skills of looking at coloured shapes, with three subskills each.

    Args:
        seed: Seed of the evaluation instances, apart from the run's seed.
        val_size: Number of validation instances, dealt evenly over the 30 subskills.
        test_size: Number of test instances, dealt evenly over the 30 subskills.
        preferences: Whether records come with a rejected response, for students that learn from preferences.
    """

    name: ClassVar[str] = "vqa_procedural"
    table = SKILLS
    schemas = (DescribedRecord,)

    def __init__(
        self,
        seed: int = 0,
        val_size: int = 240,
        test_size: int = 480,
        preferences: bool = False,
        variant: Variant | None = None,
    ) -> None:
        super().__init__(seed, val_size, test_size, variant)
        self.preferences = preferences

    def generate(self, skill: str, subskill: str, rng: random.Random) -> TaskInstance:
        """One question of a subskill with its image; the metadata holds the scene's description."""
        question, scene, answer = self.entry(skill, subskill).make(rng)
        return TaskInstance("", question, answer, skill, subskill, {"scene": str(scene)}, draw_scene(scene))

    def record(self, skill: str, subskill: str, rng: random.Random) -> TrainingRecord:
        """One verified training record of a subskill, with a rejected response if the task was made so."""
        record = super().record(skill, subskill, rng)
        return self.with_rejected(record, rng) if self.preferences else record

    def with_rejected(self, record: TrainingRecord, rng: random.Random) -> TrainingRecord:
        """The record with a wrong answer as its rejected response: of one kind, if possible named in the question."""
        answer = clean_answer(record.answer)
        kind = next((kind for kind in _KINDS if answer in kind or (answer == EQUAL and kind is COLOURS)), None)
        if kind is None:
            raise RecordError(f"no wrong answer is known for {record.answer!r}: give the record its rejected response")
        words = record.instruction.lower().replace("?", " ").replace(",", " ").split()
        wrong = [word for word in kind if word != answer]
        return replace(record, rejected=rng.choice([word for word in wrong if word in words] or wrong))

    def score(self, instance: TaskInstance, text: str) -> float:
        """1.0 if the reply states the right answer in its own words (``same_answer``), else 0.0."""
        return float(same_answer(instance.answer, text))

    def draw(self, description: str) -> Image:
        """The picture of a scene's description, always the same bytes."""
        return draw_scene(read_scene(description))

    def parse_record(self, reply: Mapping[str, Any]) -> TrainingRecord:
        """A training record from ``instruction``, ``image_description`` and ``response``, its image drawn.

        Raises:
            RecordError: A key is missing or has the wrong type, or the description cannot be drawn.
        """
        record, description = described_record(reply)
        return replace(record, image=self.draw(description))

    def fault_of(self, record: TrainingRecord) -> str | None:
        """Why a record teaches something wrong, as far as it can be checked.

        ``answer_mismatch`` as everywhere; ``image_missing`` for a question without an image; ``image_mismatch`` if
        the image shows another answer, to a question that the task itself could have asked.
        """
        fault = super().fault_of(record)
        if fault is not None:
            return fault
        if record.image is None:
            return "image_missing"
        if record.skill in self.variant.unlearnable:  # its answers are another image's
            return None
        scene = scene_of(record.image)
        if scene is None:
            return None
        ours, answer = answer_of(record.instruction, scene)
        if not ours:
            return None
        return None if answer is not None and same_answer(answer, record.answer) else "image_mismatch"
