"""Students that see: one prompt for training and evaluation, batches equal to one at a time, weights that travel."""

import copy
import io
import random

import pytest
import torch
from fitting import fitted, replies
from tiny_vision_models import FAMILIES, make_tiny_vision_model

from datamodules import StudentDataModule
from lightning_modules import CausalLMStudent, VisionLanguageStudent
from tasks.base import ProceduralTask
from tasks.errors import DataEnvGymError, StudentError
from tasks.images import Image
from tasks.types import TaskInstance, TrainingRecord


def picture(rng, width=40, height=32):
    from PIL import Image as pillow

    return Image.drawn(pillow.frombytes("RGB", (width, height), rng.randbytes(3 * width * height)))


class NoiseTask(ProceduralTask):
    name = "noise"

    def skills(self):
        return ("noise",)

    def subskills(self, skill):
        return ("short", "long")

    def generate(self, skill, subskill, rng):
        words = "What is the digit " + "after the digit " * rng.randrange(4 if subskill == "long" else 1)
        number = rng.randrange(10)
        image = picture(rng, width=rng.choice([24, 40, 56]))
        return TaskInstance("", f"{words}{number}", str(number), skill, subskill, image=image)

    def score(self, instance, text):
        return float(text.strip() == instance.answer)


@pytest.fixture(scope="module")
def noise():
    return NoiseTask(val_size=11, test_size=3)


@pytest.fixture(scope="module")
def noise_records(noise):
    rng = random.Random(1)
    return [noise.record("noise", ("short", "long")[index % 2], rng) for index in range(16)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("vision")
    return {family: make_tiny_vision_model(root / family, family) for family in FAMILIES}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def student_of(folder, **settings):
    return VisionLanguageStudent(str(folder), **{"max_new_tokens": 6, "lr": 1e-2, **settings})


def processed(student, item):
    """The model's own processor on the prompt as a user of Hugging Face writes it."""
    processor = student.prompt_format.prompts.processor
    if processor.chat_template is None:
        text = "<image>" + item.instruction
    else:
        content = [{"type": "image"}, {"type": "text", "text": item.instruction}]
        text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return processor(images=[[item.image.picture()]], text=[text], return_tensors="pt")


def test_prompts_are_the_processors_and_those_of_training(family, folders, noise, noise_records):
    student = student_of(folders[family])
    for item in (*noise.instances("val"), *noise_records):
        assert student.encode_prompt(item) == processed(student, item)["input_ids"][0].tolist()
    for record in noise_records:
        prompt, encoded = student.encode_prompt(record), student.encode_record(record)
        assert encoded.input_ids[: len(prompt)] == prompt
        assert encoded.labels[: len(prompt)] == [-100] * len(prompt)
        assert encoded.labels[len(prompt) :] == encoded.input_ids[len(prompt) :]
        assert encoded.labels[-1] in student.prompt_format.stop_ids
        assert student.prompt_format.decode(encoded.input_ids[len(prompt) :]).strip() == record.response


@torch.inference_mode()
def test_batched_replies_equal_generate_one_at_a_time(family, folders, noise, quiet_trainer):
    student = student_of(folders[family])
    found = replies(student, noise, quiet_trainer, tokens=400)
    stops = sorted(student.prompt_format.stop_ids)
    for row, instance in enumerate(noise.instances("val")):
        inputs = dict(processed(student, instance))
        inputs.pop("labels", None)
        made = student.network.generate(**inputs, max_new_tokens=6, do_sample=False, eos_token_id=stops)
        ids = made[0, inputs["input_ids"].shape[1] :].tolist()
        ends = [place for place, token in enumerate(ids) if token in stops]
        assert found[row] == student.prompt_format.decode(ids[: ends[0]] if ends else ids)
    assert len(set(found.values())) > 1, "the replies should depend on what is asked"


@torch.no_grad()
def test_replies_depend_on_the_image(family, folders, noise):
    student = student_of(folders[family])
    student.configure_model()
    one, two = noise_pair = [picture(random.Random(seed)) for seed in (1, 2)]
    instances = [TaskInstance("", "What is the digit", "1", image=image) for image in noise_pair]
    assert student.encode_prompt(instances[0]) == student.encode_prompt(instances[1])
    ids = torch.tensor([student.encode_prompt(instances[0])])
    logits = [
        student.network(input_ids=ids, **student.further_inputs({"input_ids": ids, **student.encode_images([image])}))
        for image in (one, two)
    ]
    assert not torch.allclose(logits[0].logits, logits[1].logits)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_fit_learns_and_save_and_load_give_the_same_replies(
    family, tuning, folders, noise, noise_records, quiet_trainer, tmp_path
):
    def loss_of(student):
        batches = StudentDataModule(noise, batch_size=16).with_records(noise_records)
        batches.trainer = type("Place", (), {"lightning_module": student, "global_rank": 0, "world_size": 1})
        with torch.no_grad():
            logits, targets = student.eval().labelled_logits(next(iter(batches.train_dataloader())))
        return torch.nn.functional.cross_entropy(logits, targets).item()

    pristine = student_of(folders[family], tuning=tuning)
    untouched = copy.deepcopy(pristine)
    untouched.configure_model()
    before = loss_of(untouched)
    student = copy.deepcopy(pristine)
    fitted(student, noise_records, noise, quiet_trainer, epochs=3, batch_size=4)
    assert loss_of(student) < 0.8 * before
    assert loss_of(untouched) == pytest.approx(before), "the cache was changed"
    expected = replies(student, noise, quiet_trainer, tokens=400)
    student.save_student(tmp_path / "saved")
    again = copy.deepcopy(pristine)
    again.load_student(tmp_path / "saved")
    assert replies(again, noise, quiet_trainer, tokens=400) == expected
    if tuning == "full":
        assert (tmp_path / "saved" / "processor_config.json").is_file()
        alone = student_of(tmp_path / "saved", tuning="full")
        assert replies(alone, noise, quiet_trainer, tokens=400) == expected


def test_lora_reaches_the_vision_tower_unless_told_otherwise(folders):
    names = {}
    for targets in ("all-linear", r".*language_model.*_proj"):
        student = student_of(folders["paligemma"], lora_target_modules=targets)
        student.configure_model()
        names[targets] = [name for name, weight in student.named_parameters() if weight.requires_grad]
    assert any("vision_tower" in name for name in names["all-linear"])
    assert any("multi_modal_projector" in name for name in names["all-linear"])
    assert not any("lm_head" in name for name in names["all-linear"])
    rest = names[r".*language_model.*_proj"]
    assert rest and all("language_model" in name for name in rest)


@torch.no_grad()
def test_paligemmas_prefix_sees_itself_in_both_directions(folders, noise_records):
    student = student_of(folders["paligemma"])
    student.configure_model()
    record = noise_records[0]
    encoded = student.encode_record(record)
    batch = {name: torch.tensor([getattr(encoded, name)]) for name in ("input_ids", "labels")}
    batch |= student.encode_images([record.image])
    prompt = len(student.encode_prompt(record))
    further = student.further_inputs(batch)
    assert further["token_type_ids"][0].tolist() == [0] * prompt + [1] * (len(encoded.labels) - prompt)
    # The loss must be that of Hugging Face's own suffix.
    processor = student.prompt_format.prompts.processor
    theirs = processor(
        images=[[record.image.picture()]],
        text=["<image>" + record.instruction],
        suffix=[record.response],
        return_tensors="pt",
    )
    assert theirs["input_ids"][0].tolist() == encoded.input_ids
    logits, targets = student.labelled_logits(batch)
    loss = torch.nn.functional.cross_entropy(logits, targets)
    torch.testing.assert_close(loss, student.network(**theirs).loss, atol=1e-5, rtol=1e-5)
    causal = dict(theirs)
    del causal["token_type_ids"]
    assert abs(student.network(**causal).loss - loss) > 1e-3, "without the types the prefix is causal"


def test_batches_make_pixels_when_they_are_asked_for(folders, noise, noise_records, monkeypatch):
    student = student_of(folders["paligemma"])
    made = []
    monkeypatch.setattr(type(student), "encode_images", lambda self, images: made.append(len(images)) or {"p": images})
    data = StudentDataModule(noise, batch_size=4).with_records(noise_records)
    data.trainer = type("Place", (), {"lightning_module": student, "global_rank": 0, "world_size": 1})
    loader = data.train_dataloader()
    assert made == []
    next(iter(loader))
    assert made == [4]


def test_an_image_token_in_an_instruction_is_no_second_image(family, folders, noise):
    student = student_of(folders[family])
    instance = noise.instances("val")[0]
    twice = TaskInstance("", f"<image>\n{instance.instruction}", "", image=instance.image)
    assert student.encode_prompt(twice) == student.encode_prompt(instance)


def test_what_a_student_cannot_see_is_one_line(folders, tiny_model, noise, tmp_path):
    text, seeing = CausalLMStudent(str(tiny_model)), student_of(folders["paligemma"])
    for student, item, words in (
        (text, noise.instances("val")[0], "reads text alone"),
        (seeing, TrainingRecord("What is shown?", "a", "a"), "comes with none"),
    ):
        with pytest.raises(StudentError, match=words) as caught:
            student.encode_prompt(item)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataEnvGymError, match="processor") as caught:
        VisionLanguageStudent(str(tiny_model))
    assert "\n" not in str(caught.value)


def test_pixels_are_those_of_pillow_in_rgb(folders):
    from PIL import Image as pillow

    student = student_of(folders["paligemma"])
    buffer = io.BytesIO()
    pillow.new("LA", (32, 32), (255, 10)).save(buffer, format="PNG")
    pixels = student.encode_images([Image(buffer.getvalue())])["pixel_values"]
    assert pixels.shape == (1, 3, 32, 32) and torch.allclose(pixels, torch.ones_like(pixels))
