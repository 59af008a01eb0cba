"""Questions about drawn scenes: balance, what the picture shows, and answers recomputed from the pixels."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.errors import RecordError
from tasks.images import Image
from tasks.types import TaskInstance, TrainingRecord
from tasks.vqa import ProceduralVQATask
from tasks.vqa.questions import SKILLS, answer_of
from tasks.vqa.scenes import COLOURS, read_scene

ROOT = Path(__file__).resolve().parents[2]
TASK = ProceduralVQATask(val_size=30, test_size=30)
PAIRS = TASK.subskill_pairs()
RED_AND_BLUE = "red circle large at 11 32; blue square small at 53 32"


def about(description: str, question: str, answer: str) -> TrainingRecord:
    return TrainingRecord(question, answer, answer, image=TASK.draw(description))


def test_the_task_has_the_size_that_it_promises() -> None:
    assert len(TASK.skills()) >= 8 and all(len(TASK.subskills(skill)) >= 3 for skill in TASK.skills())
    task = ProceduralVQATask()
    assert (task.val_size, task.test_size) == (240, 480) and len(TASK.instances("test")) == 30
    assert all(instance.image is not None for instance in TASK.instances("val"))


@pytest.mark.parametrize("skill", TASK.skills())
def test_no_constant_answer_is_right_often(skill: str) -> None:
    rng = random.Random(skill)
    subskills = TASK.subskills(skill)
    answers = Counter(TASK.entry(skill, subskills[turn % 3]).make(rng)[2] for turn in range(900))
    answer, count = answers.most_common(1)[0]
    assert count / answers.total() <= 0.30, f"{answer!r} is right for {count / answers.total():.0%} of {skill}"
    assert len(answers) >= 4


@pytest.mark.parametrize("pair", PAIRS, ids="/".join)
def test_questions_are_short_and_read_back(pair: tuple[str, str]) -> None:
    rng = random.Random("/".join(pair))
    for _ in range(15):
        instance = TASK.generate(*pair, rng)
        assert len(instance.instruction) <= 60 and len(instance.answer.split()) == 1
        scene = read_scene(instance.metadata["scene"])
        assert answer_of(instance.instruction, scene) == (True, instance.answer)
        assert answer_of(instance.instruction.upper().rstrip("?"), scene) == (True, instance.answer)


@pytest.mark.parametrize("pair", PAIRS, ids="/".join)
def test_every_wrong_answer_of_a_record_is_found(pair: tuple[str, str]) -> None:
    rng = random.Random("/".join(pair))
    for _ in range(8):
        record = TASK.record(*pair, rng)
        assert TASK.fault_of(record) is None and record.rejected is None
        rejected = TASK.with_rejected(record, rng).rejected
        assert rejected and TASK.score(TASK.as_instance(record), rejected) == 0.0
        wrong = replace(record, answer=rejected, response=rejected)
        assert TASK.fault_of(wrong) == "image_mismatch", (record.instruction, rejected)


def test_answers_follow_from_the_pixels_alone() -> None:
    """Counts and colours by looking at the picture, not at the scene that it was drawn from."""
    named = {(220, 40, 40): "red", (40, 165, 65): "green", (40, 80, 220): "blue"}
    named |= {(245, 205, 30): "yellow", (160, 60, 190): "purple", (20, 20, 20): "black"}
    rng = random.Random(0)
    for _ in range(60):
        alone = TASK.record("colour", "alone", rng)
        assert alone.image is not None
        seen = {named[pixel] for _, pixel in alone.image.picture().getcolors() if pixel in named}
        assert seen == {alone.answer}
        shown = TASK.record("existence", "shown_colour", rng)
        assert shown.image is not None
        seen = {named[pixel] for _, pixel in shown.image.picture().getcolors() if pixel in named}
        asked = set(shown.instruction.replace(",", " ").replace("?", " ").split()) & set(COLOURS)
        assert seen & asked == {shown.answer}


@pytest.mark.parametrize(
    ("question", "answer", "fault"),
    [
        ("What colour is the circle?", "red", None),
        ("What color is the circle", "Red.", None),
        ("What colour is the circle?", "blue", "image_mismatch"),
        ("What colour is the triangle?", "blue", "image_mismatch"),  # there is none
        ("What shape is small and blue?", "square", None),
        ("What colour is left of the square?", "red", None),
        ("What colour is right of the square?", "red", "image_mismatch"),
        ("What colour is above the square?", "red", "image_mismatch"),  # it is level with it
        ("What colour is on the right?", "blue", None),
        ("What colour is at the top?", "blue", "image_mismatch"),
        ("Which shape is highest?", "circle", "image_mismatch"),
        ("Where is the red shape?", "left", None),
        ("Which corner is the circle in?", "top-left", "image_mismatch"),
        ("Are more shapes red or blue?", "equal", None),
        ("Are more shapes red or red?", "equal", "image_mismatch"),
        ("Are more shapes green or black?", "equal", "image_mismatch"),  # there are none of either
        ("Which colour appears twice?", "red", "image_mismatch"),
        ("Which colour appears once?", "red", "image_mismatch"),  # both do
        ("How many crosses are there?", "0", None),
        ("Which is shown: red, green or black?", "red", None),
        ("Which is missing: red, green or black?", "green", "image_mismatch"),  # black is missing too
        ("Which is prettier?", "red", None),  # not ours: nothing is known
    ],
)
def test_what_a_picture_shows(question: str, answer: str, fault: str | None) -> None:
    assert TASK.fault_of(about(RED_AND_BLUE, question, answer)) == fault


def test_other_faults() -> None:
    record = about(RED_AND_BLUE, "What colour is the circle?", "red")
    assert TASK.fault_of(replace(record, response="blue")) == "answer_mismatch"
    assert TASK.fault_of(replace(record, image=None)) == "image_missing"
    assert record.image is not None
    foreign = Image.drawn(record.image.picture())  # the same pixels, from another program
    assert TASK.fault_of(replace(record, image=foreign, answer="blue", response="blue")) is None


def test_language_models_are_told_every_form() -> None:
    guide = TASK.domain_text.stages[0].guide
    samples = {"colour": "red", "colour2": "green", "colour3": "blue", "shape": "circle", "size": "large"}
    samples |= {"side": "left", "end": "top", "level": "above", "extreme": "highest"}
    samples |= {"shapes": "circles", "shapes2": "squares"}
    for forms in SKILLS.values():
        for form in forms.values():
            words = samples | ({"colour2": "blue"} if "{colour3}" not in form.text else {})
            assert f"- {form.text.format_map(words)}" in guide


def test_the_worked_example_is_a_record_without_fault() -> None:
    example = TASK.domain_text.example
    record = TASK.parse_record(example)
    assert record.image == TASK.draw(example["image_description"])
    assert TASK.fault_of(record) is None and answer_of(record.instruction, read_scene(example["image_description"]))[0]


@pytest.mark.parametrize("description", [None, "", 3, "a red circle", "red circle large at 1 1"])
def test_replies_that_cannot_be_drawn(description: object) -> None:
    reply = {"instruction": "What shape is shown?", "response": "circle", "image_description": description}
    with pytest.raises(RecordError) as error:
        TASK.parse_record(reply)
    assert "\n" not in str(error.value)


def test_preferences_come_with_every_record() -> None:
    task = ProceduralVQATask(preferences=True)
    record = task.record("counting", "all_shapes", random.Random(1))
    assert record.rejected is not None and record.rejected != record.answer and record.rejected.isdigit()
    with pytest.raises(RecordError, match="no wrong answer"):
        task.with_rejected(replace(record, answer="a walrus"), random.Random(1))


def test_scores_ignore_manners_only() -> None:
    instance = TaskInstance("x", "?", "red")
    assert [TASK.score(instance, reply) for reply in ("red", " Red.", "RED!\n")] == [1.0] * 3
    assert [TASK.score(instance, reply) for reply in ("red circle", "the red", "blue", "", ".")] == [0.0] * 5
