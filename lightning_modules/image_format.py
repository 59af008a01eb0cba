"""Prompts with an image in them, through a model's own processor: chat templates, and PaliGemma's bare prefix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_modules.chat_format import ChatFormat
from lightning_modules.prompt_format import REMEMBERED_PROMPTS, PromptFormat
from tasks.base import Asked
from tasks.errors import StudentError, failing_as
from tasks.images import Image

# What a processor gives for a text; everything else that it gives is of the image.
_OF_TEXT = {"input_ids", "attention_mask", "labels", "token_type_ids"}


def image_format(processor: Any, name: str) -> ImageFormat:
    """The format of a processor: its chat template's, or the bare prefix of models that have none."""
    for part in ("image_processor", "image_token", "tokenizer"):
        if getattr(processor, part, None) is None:
            raise StudentError(f"The processor of {name} has no {part}: choose a model that is asked about images.")
    template = processor.chat_template or processor.tokenizer.chat_template
    return ImagePrefixFormat(processor, name) if template is None else ImageChatFormat(processor, name, template)


class ImagePrompts:
    """A processor's token ids of rendered prompts, the image's places among them.

    How many places an image takes may depend on its size, never on its pixels; a blank of the same size stands for
    it, so that a prompt asked about many images of one size is encoded once.
    """

    def __init__(self, processor: Any, name: str) -> None:
        self.processor = processor
        self.name = name
        self.token_types = False
        self._remembered = lru_cache(maxsize=REMEMBERED_PROMPTS)(self._encode)

    def text(self, instruction: str) -> str:
        """An instruction without the image's token, which would be taken for a further image."""
        return instruction.replace(self.processor.image_token, "").strip()

    def ids(self, rendered: str, item: Asked) -> list[int]:
        """The ids of a rendered prompt about an item's image.

        Raises:
            StudentError: The item has no image, or the model needs more for each token than this package knows.
        """
        if item.image is None:
            raise StudentError(
                f"{self.name} is asked about images, and {item.instruction[:60]!r} comes with none: choose a task "
                "whose instances have images, or a text student (lightning_modules.CausalLMStudent)."
            )
        return list(self._remembered(rendered, item.image.size))

    def pixels(self, images: Sequence[Image]) -> dict[str, Tensor]:
        """What the model is given of images, first dimension images."""
        pictures = [[image.picture()] for image in images]  # a list for each prompt, or they count as one prompt's
        with failing_as(
            StudentError, f"The processor of {self.name} cannot take images of {pictures[0][0].size} pixels"
        ):
            return dict(self.processor.image_processor(images=pictures, return_tensors="pt"))

    def _encode(self, rendered: str, size: tuple[int, int]) -> tuple[int, ...]:
        from PIL import Image as pillow

        bos = self.processor.tokenizer.bos_token
        with failing_as(StudentError, f"The processor of {self.name} cannot take an image of {size} pixels"):
            made = self.processor(
                images=[[pillow.new("RGB", size)]],
                text=[rendered],
                # Some templates write the beginning of the sequence themselves: never add a second.
                add_special_tokens=bos is None or not rendered.startswith(bos),
            )
        ids = made["input_ids"][0]
        unknown = [key for key in made if key not in _OF_TEXT and len(made[key][0]) == len(ids)]
        if unknown or ("token_type_ids" in made and not self.token_types):
            wanted = ", ".join(unknown or ["token_type_ids"])
            raise StudentError(f"{self.name} wants {wanted} with its tokens, which is not supported: choose another.")
        return tuple(int(token) for token in ids)


class ImageChatFormat(ChatFormat):
    """A processor's chat template, the image before the instruction."""

    def __init__(self, processor: Any, name: str, template: str) -> None:
        self.prompts = ImagePrompts(processor, name)
        super().__init__(processor.tokenizer, name, template)

    def encode_prompt(self, item: Asked) -> list[int]:
        """The ids of image and instruction up to where the reply begins."""
        turn = self._turn("user", self.prompts.text(item.instruction))
        return self.prompts.ids(self._render([turn], add_generation_prompt=True), item)

    def save(self, folder: str | Path) -> None:
        """Writes the processor, the tokenizer in it."""
        self.prompts.processor.save_pretrained(folder)

    def token_types(self, input_ids: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Nothing: these models see every token causally."""
        return {}

    def _turn(self, role: str, text: str) -> dict[str, Any]:
        image = [{"type": "image"}] if role == "user" else []
        return {"role": role, "content": [*image, {"type": "text", "text": text}]}


class ImagePrefixFormat(PromptFormat):
    """PaliGemma's: image and instruction are a prefix that sees itself in both directions, the response follows."""

    def __init__(self, processor: Any, name: str) -> None:
        self.prompts = ImagePrompts(processor, name)
        self.prompts.token_types = True
        super().__init__(processor.tokenizer, name)

    def encode_prompt(self, item: Asked) -> list[int]:
        """The ids of image and instruction up to where the response begins."""
        return self.prompts.ids(self.prompts.processor.image_token + self.prompts.text(item.instruction), item)

    def save(self, folder: str | Path) -> None:
        """Writes the processor, the tokenizer in it."""
        self.prompts.processor.save_pretrained(folder)

    def token_types(self, input_ids: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """0 on the prefix and 1 from the response on; without them the model would see its prefix causally only."""
        if labels is None:
            return {"token_type_ids": torch.zeros_like(input_ids)}
        return {"token_type_ids": ((labels != -100).cumsum(dim=1) > 0).long()}

    def _around_response(self) -> tuple[str, list[int]]:
        return "", self._end_of_sequence(f"{self.name} has no chat template")


ImageFormat = ImageChatFormat | ImagePrefixFormat
