"""Pretrains the tiny student that sees, which ships in lightning_modules/pretrained/tiny_vlm.

    python scripts/pretrain_tiny_vlm.py --out lightning_modules/pretrained/tiny_vlm

A PaliGemma of a million and a half parameters (SigLIP tower, Gemma, their processor) learns an uneven mixture on
purpose. Its tower first learns to tell shapes apart, patch by patch, as PaliGemma's comes trained; then all learns

- the subskills of ProceduralVQATask that COVERAGE names, as they are asked;
- to list the shapes of a scene and their places, which teaches it to see;
- nearly every other subskill in a terse notation ("XCB: red"), never in the words of its questions: the student can
  then do most of what a question asks for, but not when it is asked that way.

Only questions of the train split are used, so that no evaluation instance is ever seen. Images of 64 pixels are scaled
to 48 and cut into nine patches: few tokens are what makes an episode take minutes.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from pretraining import Stream, code_of, parse, save, train, train_bpe
from torch.utils.data import DataLoader, IterableDataset
from transformers import (
    GemmaConfig,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
)

from lightning_modules.image_format import ImagePrefixFormat, image_format
from lightning_modules.prompt_format import EncodedRecord
from tasks.images import Image
from tasks.types import TrainingRecord
from tasks.vqa import ProceduralVQATask
from tasks.vqa.questions import SKILLS
from tasks.vqa.scenes import COLOURS, SHAPES, SIZES, Scene, scene_of

IMAGE_SIZE, PATCH, WIDTH = 48, 16, 128
KINDS = {"colour": COLOURS, "shape": SHAPES, "size": SIZES}
ACROSS, DOWN = ("left", "", "right"), ("top", "", "bottom")

# Share of the questions that are asked in their own words; what is not named is never asked so.
COVERAGE: dict[str, dict[str, float]] = {
    "colour": {"alone": 0.7, "by_shape": 1.5, "by_size_and_shape": 1},
    "shape": {"alone": 0.7, "by_colour": 1.5, "by_size_and_colour": 1},
    "size": {"by_colour": 1, "which_colour": 1},
    "existence": {"shown_colour": 1.5},
    "counting": {"all_shapes": 1},
    "left_right": {"side": 1, "furthest": 1},
    "position": {"alone": 0.7},
}

# Subskills that stay hard because no notation of them is ever seen.
HARD = {("comparison", "two_shapes"), ("counting", "of_one_shape"), ("repetition", "shape_twice")}

# Subskills whose scenes are listed: of one to six shapes, quickly drawn.
LISTED = [
    ("counting", "all_shapes"),
    ("existence", "missing_colour"),
    ("counting", "of_one_shape"),
    ("shape", "by_colour"),
]

# Kinds of examples: lists of scenes, terse questions; the rest is asked in words.
LIST_SHARE, TERSE_SHARE = 0.2, 0.3

# Batches that are drawn together, to be sorted by length, and how often each is shown: drawing is half of the work.
CHUNK, PASSES = 60, 2


def listing(scene: Scene) -> str:
    """A scene's shapes in reading order, each with its place."""
    placed = [(3 * figure.y // 64, 3 * figure.x // 64, figure) for figure in scene.figures]
    words = []
    for row, column, figure in sorted(placed, key=lambda one: one[:2]):
        place = "-".join(word for word in (DOWN[row], ACROSS[column]) if word) or "middle"
        words.append(f"{place} {figure.size} {figure.colour} {figure.shape}")
    return ", ".join(words)


def terse(skill: str, subskill: str, question: str) -> str:
    """A question without its sentence: a name for what to do, and the words to do it with."""
    words = SKILLS[skill][subskill].read(question.lower().rstrip("?")) or {}
    return f"{code_of(SKILLS, skill, subskill)}: {' '.join(words.values())}"


T = TypeVar("T")


def drawn(given: T | None) -> T:
    """An image or a scene that is there because the task draws one for each record."""
    assert given is not None, "the task draws a scene for each record"
    return given


class Mixture(Stream):
    """An endless, seeded stream of records."""

    def __init__(self, seed: int) -> None:
        super().__init__(ProceduralVQATask(), seed, COVERAGE, HARD, known=0.3)

    def image(self) -> Image:
        """A scene of one to six shapes."""
        return drawn(self.task.record(*self.rng.choice(LISTED), self.rng).image)

    def draw(self) -> TrainingRecord:
        """The next example."""
        kind = self.rng.random()
        if kind < LIST_SHARE:
            image = self.image()
            return TrainingRecord("list", listing(drawn(scene_of(image))), "", image=image)
        if kind < LIST_SHARE + TERSE_SHARE:
            skill, subskill = self.tersely()
            record = self.task.record(skill, subskill, self.rng)
            question = terse(skill, subskill, record.instruction)
            return TrainingRecord(question, record.response, record.answer, image=record.image)
        return self.task.record(*self.in_words(), self.rng)


class Batches(IterableDataset[Any]):
    """Endless batches of similar lengths, made as the student's own data module would."""

    def __init__(self, mixture: Mixture, style: ImagePrefixFormat, batch_size: int) -> None:
        self.mixture = mixture
        self.style = style
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[Any]:
        torch.set_num_threads(1)
        while True:
            records = [self.mixture.draw() for _ in range(self.batch_size * CHUNK)]
            rows = [(record, self.style.encode_record(record, 256)) for record in records]
            rows.sort(key=lambda row: len(row[1].input_ids))
            batches = [
                self._batch(rows[start : start + self.batch_size]) for start in range(0, len(rows), self.batch_size)
            ]
            for _ in range(PASSES):
                self.mixture.rng.shuffle(batches)
                for batch in batches:
                    yield dict(batch)

    def _batch(self, rows: list[tuple[TrainingRecord, EncodedRecord]]) -> dict[str, torch.Tensor]:
        pad = torch.nn.utils.rnn.pad_sequence
        labels = pad([torch.tensor(one.labels) for _, one in rows], True, -100)
        ids = pad([torch.tensor(one.input_ids) for _, one in rows], True, self.style.pad_token_id)
        pixels = self.style.prompts.pixels([drawn(record.image) for record, _ in rows])
        return {"input_ids": ids, "labels": labels, **pixels, **self.style.token_types(ids, labels)}


class Scenes(Batches):
    """Endless batches of scenes: their pixels, and what is in each patch. Arguments: those of Batches."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        torch.set_num_threads(1)
        while True:
            images = [self.mixture.image() for _ in range(self.batch_size)]
            inside = torch.zeros(len(images), 9, len(KINDS), dtype=torch.long)
            for row, image in enumerate(images):
                for figure in drawn(scene_of(image)).figures:
                    cell = 3 * (3 * figure.y // 64) + 3 * figure.x // 64
                    inside[row, cell] = torch.tensor(
                        [1 + names.index(getattr(figure, kind)) for kind, names in KINDS.items()]
                    )
            yield self.style.prompts.pixels(images)["pixel_values"], inside


def train_tokenizer(mixture: Mixture, vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer that is trained on the mixture and every question's wording."""
    records = [mixture.draw() for _ in range(2_000)]
    records += [mixture.task.record(*pair, mixture.rng) for pair in mixture.task.subskill_pairs() for _ in range(60)]
    texts = [text for one in records for text in (one.instruction, one.response)]
    return PreTrainedTokenizerFast(
        tokenizer_object=train_bpe(texts, vocabulary, ["<pad>", "<eos>", "<bos>"]),
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )


def make_model(processor: Any) -> Any:
    """An untrained network."""
    tokenizer = processor.tokenizer
    ids: dict[str, Any] = {
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }
    shape: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 384,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
    }
    seeing: dict[str, Any] = {**shape, "projection_dim": WIDTH}
    config = PaliGemmaConfig(
        text_config=GemmaConfig(
            **shape,
            vocab_size=len(tokenizer),
            head_dim=32,
            num_key_value_heads=4,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            **ids,
        ),
        vision_config=SiglipVisionConfig(
            **seeing,
            image_size=IMAGE_SIZE,
            patch_size=PATCH,
            vision_use_head=False,
        ),
        image_token_index=processor.image_token_id,
        projection_dim=WIDTH,
        hidden_size=WIDTH,
        **ids,
    )
    model = PaliGemmaForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        # The usual 0.02 is made for wider models: from it this one took a long time to look at its image at all.
        if weight.ndim > 1 and ("language_model.layers" in name or "multi_modal" in name):
            torch.nn.init.normal_(weight, std=0.08)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model.train()


def train_tower(
    tower: torch.nn.Module, stream: Iterator[tuple[torch.Tensor, torch.Tensor]], steps: int, lr: float
) -> float:
    """Teaches the tower what is in each patch, by heads that are thrown away; returns the share it got right."""
    sizes = [len(names) + 1 for names in KINDS.values()]
    head = torch.nn.Linear(WIDTH, sum(sizes))
    optimizer = torch.optim.AdamW([*tower.parameters(), *head.parameters()], lr=lr, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    right = []
    for step in range(1, steps + 1):
        pixels, inside = next(stream)
        parts = head(tower(pixels).last_hidden_state).flatten(0, 1).split(sizes, dim=-1)
        truth = inside.flatten(0, 1).unbind(dim=-1)
        losses = [torch.nn.functional.cross_entropy(part, names) for part, names in zip(parts, truth, strict=True)]
        loss = sum(losses, torch.zeros(()))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        found = torch.stack([part.argmax(dim=-1) == names for part, names in zip(parts, truth, strict=True)]).all(dim=0)
        right.append(found[truth[0] > 0].float().mean().item())
        if step % 50 == 0:
            print(f"tower: step {step}/{steps} loss {loss.item():.4f} right {sum(right[-20:]) / 20:.3f}", flush=True)
    return round(sum(right[-20:]) / 20, 3)


def main() -> None:
    """Trains, saves the model folder and its provenance."""
    arguments = parse(__doc__, threads=1, tower_steps=240, steps=1_500, batch_size=96, lr=2e-3)
    images: Any = SiglipImageProcessorPil(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE})
    images.image_seq_length = (IMAGE_SIZE // PATCH) ** 2
    processor = PaliGemmaProcessor(images, train_tokenizer(Mixture(arguments.seed), vocabulary=512))
    style = image_format(processor, "tiny_vlm")
    assert isinstance(style, ImagePrefixFormat), "a PaliGemma has no chat template"
    model = make_model(processor)

    def stream(dataset: IterableDataset[Any]) -> Iterator[Any]:
        # Drawing takes one core while training takes the other.
        return iter(DataLoader(dataset, batch_size=None, num_workers=1, prefetch_factor=16))

    scenes = Scenes(Mixture(arguments.seed + 2), style, arguments.batch_size)
    tower = model.model.vision_tower
    seen = train_tower(tower, stream(scenes), arguments.tower_steps, 2e-3)
    tower.requires_grad_(False)  # it sees well, and would unlearn that before the rest learns to look
    batches = stream(Batches(Mixture(arguments.seed + 1), style, arguments.batch_size))

    def next_loss() -> tuple[torch.Tensor, int]:
        batch = next(batches)
        labels = batch.pop("labels")
        taught = labels[:, 1:] != -100
        keep = torch.nn.functional.pad(taught, (0, 1))
        logits = model(**batch, use_cache=False, logits_to_keep=keep).logits
        return torch.nn.functional.cross_entropy(logits, labels[:, 1:][taught]), len(labels)

    found = {"tower_right": seen, **train(model, next_loss, "examples", arguments.steps, arguments.lr)}
    data = "train split of ProceduralVQATask by coverage, lists of scenes, terse notation; see the script"
    save(model.requires_grad_(True), processor, arguments, **found, data=data, coverage=COVERAGE)


if __name__ == "__main__":
    main()
