"""Illustrators: exact drawing, a real HTTP endpoint for images, a real diffusion pipeline, and the engine's hook."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from raw_server import RawServer, http

from tasks.errors import ConfigurationError
from tasks.images import Image
from tasks.types import TaskInstance, TrainingRecord
from tasks.vqa import ProceduralVQATask
from tasks.vqa.rows import DescribedRecord, described_record
from teachers.engines import DiffusersIllustrator, LLMEngine, OpenAIImagesIllustrator, TaskIllustrator
from teachers.engines.illustrators import Illustrator
from teachers.plan import DataPlan, DataSpec
from tests.environments.toy import ToyTask
from tests.teachers.taught import TaughtToyTask, saying, taught_by

DRAWING = ProceduralVQATask()
RED = "red circle large at 12 40"
KEY = "image-key-0123456789"


def picture_of(description: str) -> bytes:
    """A picture that differs by description: a scene with so many shapes as the text has letters, up to three."""
    count = len(description) % 3 + 1
    return DRAWING.draw("; ".join(f"red circle large at {x} 32" for x in (11, 32, 53)[:count])).content


class ImagesServer(RawServer):
    """An images endpoint; ``behave`` gives a status and a body for a request and the number of times it came."""

    def __init__(self, behave: Callable[[dict[str, Any], int], tuple[int, Any]] | None = None) -> None:
        self.behave = behave or (lambda body, attempt: (200, sent(picture_of(body["prompt"]))))
        super().__init__(self.reply)

    def reply(self, number: int, body: dict[str, Any]) -> bytes:
        status, answer = self.behave(body, self.bodies.count(body) - 1)
        if not self.heads[-1].startswith("POST /v1/images/generations "):
            status, answer = 404, failed("no such path")
        elif f"Bearer {KEY}\r\n" not in self.heads[-1]:
            status, answer = 401, failed(f"Incorrect API key: {self.heads[-1]}")
        return http(status, json.dumps(answer), headers="Retry-After-Ms: 1\r\n")


def sent(content: bytes) -> dict[str, Any]:
    return {"created": 0, "data": [{"b64_json": base64.b64encode(content).decode()}]}


def failed(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": code or "error", "code": code, "param": None}}


@pytest.fixture(autouse=True)
def image_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_IMAGE_KEY", KEY)


def drawn_by(server: ImagesServer, **settings: Any) -> OpenAIImagesIllustrator:
    settings = {"model": "test-image", "folder": None, **settings}
    return OpenAIImagesIllustrator(DRAWING, base_url=server.url, api_key_env="TEST_IMAGE_KEY", **settings)


def test_the_task_draws_exactly_or_not_at_all() -> None:
    images = TaskIllustrator(DRAWING).illustrate([RED, "a cat", RED])
    assert images == [DRAWING.draw(RED), None, DRAWING.draw(RED)]
    with pytest.raises(ConfigurationError, match="cannot draw images itself"):
        TaskIllustrator(ToyTask()).illustrate([RED])


def test_an_endpoint_draws_each_description_once_and_in_order() -> None:
    with ImagesServer() as server:
        words = ["a", "bb", "a", "ccc"]
        images = drawn_by(server).illustrate(words)
        assert images == [Image(picture_of(word)) for word in words]
        assert sorted(body["prompt"] for body in server.bodies) == ["a", "bb", "ccc"]
        body = server.bodies[0]
        assert (body["model"], body["n"], body["size"]) == ("test-image", 1, "1024x1024")
        assert body["response_format"] == "b64_json"
        assert drawn_by(server).illustrate([]) == []


def test_models_that_always_send_images_are_not_asked_to() -> None:
    with ImagesServer() as server:
        assert drawn_by(server, model="gpt-image-1").illustrate(["a"]) != [None]
        assert "response_format" not in server.bodies[0]


def test_images_are_kept_and_never_asked_for_again(tmp_path: Path) -> None:
    with ImagesServer() as server:
        folder = str(tmp_path / "kept")
        first = drawn_by(server, folder=folder).illustrate(["a", "bb"])
        assert drawn_by(server, folder=folder).illustrate(["bb", "a"]) == first[::-1]
        assert len(server.bodies) == 2
        drawn_by(server, folder=folder, size="256x256").illustrate(["a"])
        assert len(server.bodies) == 3  # another size is another image


def test_what_passes_is_tried_again_within_bounds() -> None:
    def behave(body: dict[str, Any], attempt: int) -> tuple[int, Any]:
        if body["prompt"] == "a" and attempt < 2:
            return (429, failed("slow down"))
        return (500, failed("down")) if body["prompt"] == "bb" else (200, sent(picture_of(body["prompt"])))

    with ImagesServer(behave) as server:
        images = drawn_by(server, max_attempts=3).illustrate(["a", "bb"])
        assert images == [Image(picture_of("a")), None]
        assert Counter(body["prompt"] for body in server.bodies) == {"a": 3, "bb": 3}


@pytest.mark.parametrize(
    "answer",
    [
        (400, failed("your prompt was moderated", "moderation_blocked")),
        (200, {"created": 0, "data": []}),
        (200, {"created": 0, "data": [{"url": "http://nowhere/x.png"}]}),
        (200, {"created": 0, "data": [{"b64_json": "no base64!"}]}),
        (200, {"created": 0, "data": [{"b64_json": base64.b64encode(b"no image").decode()}]}),
    ],
)
def test_what_is_no_image_is_none(answer: tuple[int, Any]) -> None:
    with ImagesServer(lambda body, attempt: answer) as server:
        assert drawn_by(server).illustrate(["a"]) == [None]
        assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ((403, failed("not your model")), "403: .*not your model"),
        ((404, failed("no such model")), "404: .*no such model"),
        ((429, failed("pay first", "insufficient_quota")), "429: .*pay first"),
    ],
)
def test_what_can_never_work_ends_in_one_line_without_the_key(answer: tuple[int, Any], match: str) -> None:
    with ImagesServer(lambda body, attempt: answer) as server, pytest.raises(ConfigurationError, match=match) as error:
        drawn_by(server, max_attempts=1).illustrate(["a"])
    assert "\n" not in str(error.value) and KEY not in str(error.value)


def test_a_wrong_or_missing_key_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with ImagesServer() as server:
        monkeypatch.setenv("TEST_IMAGE_KEY", "another-key-987654")
        with pytest.raises(ConfigurationError, match="TEST_IMAGE_KEY") as error:
            drawn_by(server).illustrate(["a"])
        assert "987654" not in str(error.value)
        monkeypatch.delenv("TEST_IMAGE_KEY")
        with pytest.raises(ConfigurationError, match="TEST_IMAGE_KEY is not set"):
            drawn_by(server).illustrate(["a"])


def test_the_number_of_images_is_bounded() -> None:
    with ImagesServer() as server:
        illustrator = drawn_by(server, max_images=3)
        assert illustrator.illustrate(["a", "b"]).count(None) == 0
        assert illustrator.illustrate(["c", "d"])[1] is None
        assert illustrator.illustrate(["e"]) == [None] and len(server.bodies) == 3


def test_settings_that_cannot_work() -> None:
    for settings in ({"concurrency": 0}, {"max_attempts": 0}, {"max_images": 0}, {"timeout": 0.0}):
        with pytest.raises(ConfigurationError, match=next(iter(settings))):
            OpenAIImagesIllustrator(DRAWING, **settings)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r'pip install "dataenvgym\[diffusers\]"'):
        DiffusersIllustrator(DRAWING)


class PicturedTask(TaughtToyTask):
    @property
    def domain_text(self) -> Any:
        from tasks.prompting import DomainText, RecordStage

        example = {"instruction": "skill0 sub0: say 7", "image_description": "a seven", "response": "7"}
        return DomainText("You teach.", "saying", (RecordStage("Write it.", DescribedRecord, example),))

    def parse_record(self, reply: Any) -> TrainingRecord:
        return described_record(reply)[0]

    def score(self, instance: TaskInstance, text: str) -> float:
        return float(text.strip() == instance.answer)


class Recording(Illustrator):
    def __init__(self, task: Any) -> None:
        self.asked: list[list[str]] = []

    def illustrate(self, descriptions: Any) -> list[Image | None]:
        self.asked.append(list(descriptions))
        return [None if "sun" in description else Image(picture_of(description)) for description in descriptions]


def item(question: str, description: str, response: str = "7") -> dict[str, str]:
    return {"instruction": question, "image_description": description, "response": response}


def test_replies_get_their_images_and_failures_are_counted() -> None:
    items = [item("say 1", "a"), item("say 1", "bb"), item("say 2", "the sun"), item("say 1", "a"), item("say 3", "x")]
    with taught_by(saying({"items": items})) as heard:
        engine = LLMEngine(PicturedTask(), max_rounds=1, illustrator=Recording, chat=heard.calls)
        batch = engine.generate(DataPlan(1, 0, (DataSpec(4, "skill0"),)))
    illustrator = engine._illustrator
    assert isinstance(illustrator, Recording)
    assert illustrator.asked == [["a", "bb", "the sun", "a"]]  # no more than was ordered: each image costs
    assert [record.image for record in batch] == [Image(picture_of("a")), Image(picture_of("bb"))]
    assert Counter(drop.reason for drop in batch.dropped) == {"not_drawn": 1, "duplicate": 1, "surplus": 1}
    assert any("the sun" in drop.text for drop in batch.dropped)
    assert len(heard.prompts) == 1


def test_without_an_illustrator_such_a_task_cannot_be_taught() -> None:
    with (
        taught_by(saying({})) as heard,
        pytest.raises(ConfigurationError, match="set the engine's illustrator") as error,
    ):
        LLMEngine(PicturedTask(), chat=heard.calls)
    assert "\n" not in str(error.value)


def test_a_task_that_draws_needs_no_illustrator_and_checks_its_images() -> None:
    items = [
        item("What colour is the circle?", RED, "red"),
        item("What colour is the circle?", RED.replace("red", "blue"), "blue"),
        item("What colour is the circle?", RED, "blue"),
        item("What shape is shown?", "a cat", "circle"),
    ]
    with taught_by(saying({"items": items})) as heard:
        batch = LLMEngine(ProceduralVQATask(), max_rounds=2, chat=heard.calls).generate(
            DataPlan(1, 0, (DataSpec(4, "colour"),))
        )
    assert [record.answer for record in batch] == ["red", "blue"]
    reasons = Counter(drop.reason for drop in batch.dropped)
    assert reasons == {"image_mismatch": 2, "unparsable": 2, "duplicate": 2}
    # The same words may be asked of another picture, so they are not listed as written already.
    assert len(heard.prompts) == 2 and "# Written already" not in heard.prompts[1]


@pytest.fixture(scope="module")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("diffusers")
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("pipeline")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
    )
    shape = {"block_out_channels": (8, 8), "norm_num_groups": 4}
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2, **shape
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=16,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=16,
            attention_head_dim=2,
            **shape,
        ),
        scheduler=EulerDiscreteScheduler(),
        safety_checker=None,
        feature_extractor=None,
    )
    pipeline.save_pretrained(folder / "pipeline")
    yield str(folder / "pipeline")


def test_a_pipeline_draws_the_same_whatever_else_is_in_the_batch(tiny_pipeline: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"model": tiny_pipeline, "steps": 2, "side": 32, "device": "cpu"}
    words = ["a cat", "a dog", "a cow"]
    one = DiffusersIllustrator(DRAWING, batch_size=1, folder=None, **settings).illustrate(words)
    assert all(image is not None and image.picture().size == (32, 32) for image in one)
    assert len(set(one)) == 3
    kept = DiffusersIllustrator(DRAWING, batch_size=2, folder=str(tmp_path), **settings)
    for image, other in zip(one, kept.illustrate(words), strict=True):
        assert image is not None and other is not None
        left, right = image.picture().tobytes(), other.picture().tobytes()
        assert max(abs(a - b) for a, b in zip(left, right, strict=True)) <= 2  # batches round a little differently
    assert len(list(tmp_path.iterdir())) == 3
    again = DiffusersIllustrator(DRAWING, folder=str(tmp_path), **settings)
    assert again.illustrate(words) == kept.illustrate(words)
    reseeded = DiffusersIllustrator(DRAWING, folder=None, seed=1, **settings)
    assert reseeded.illustrate(words[:1]) != one[:1]


def test_a_pipeline_that_is_not_there_is_one_line() -> None:
    pytest.importorskip("diffusers")
    illustrator = DiffusersIllustrator(DRAWING, model="/nowhere", device="cpu", folder=None)
    with pytest.raises(ConfigurationError, match="cannot load '/nowhere'") as error:
        illustrator.illustrate(["a cat"])
    assert "\n" not in str(error.value)
