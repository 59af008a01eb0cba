"""Encoded records and prompts as datasets whose items are whole, padded batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from tasks.base import Asked
from tasks.images import Image
from tasks.types import TrainingRecord


class Encoded(Protocol):
    """A record as its student encodes it."""

    @property
    def input_ids(self) -> list[int]:
        """Token ids of prompt and response."""

    @property
    def labels(self) -> list[int]:
        """The ids that are learnt, -100 elsewhere."""

    @property
    def truncated(self) -> bool:
        """Whether the end was cut off."""

    @property
    def rejected(self) -> Encoded | None:
        """The same prompt with a worse response, if the student learns from both."""


class Encoder(Protocol):
    """What a data module asks of a student."""

    @property
    def pad_token_id(self) -> int:
        """The token that fills batches."""

    @property
    def max_new_tokens(self) -> int:
        """The longest reply, in tokens."""

    def encode_prompt(self, item: Asked) -> list[int]:
        """The token ids of what is asked, up to where the reply begins."""

    def encode_records(self, records: Sequence[TrainingRecord]) -> Sequence[Encoded]:
        """The token ids and labels of all training records."""

    def replay_records(self) -> Sequence[TrainingRecord]:
        """Records of what the student was pretrained on."""

    def encode_reference(self, item: Asked, reply: str | None) -> Encoded:
        """The token ids and labels of a right reply to what is asked; without labels if there is none."""

    def encode_images(self, images: Sequence[Image]) -> dict[str, Tensor]:
        """What the student is given of some images, first dimension images, by name."""


ImagesOfRows = Callable[[list[int]], dict[str, Tensor]]


def no_images(rows: list[int]) -> dict[str, Tensor]:
    """What a batch without images holds of them."""
    return {}


def images_of(items: Sequence[Asked], encoder: Encoder) -> ImagesOfRows:
    """Makes the images' part of a batch when the batch is made: their pixels would not fit in memory together."""
    if all(item.image is None for item in items):
        return no_images

    def make(rows: list[int]) -> dict[str, Tensor]:
        images = [image for row in rows if (image := items[row].image) is not None]
        return encoder.encode_images(images) if images else {}

    return make


class TrainingBatches(Dataset[dict[str, Tensor]]):
    """Records, indexed by a list of rows: ``input_ids`` and ``labels`` of shape (rows, width), padded on the right.

    Labels are padded with -100. If the student learns from pairs, the rows of the chosen responses come first and then,
    in the same order, those of the rejected. The images' part, if any, is as the student makes it.
    """

    def __init__(self, records: Sequence[Encoded], pad_token_id: int, images: ImagesOfRows = no_images) -> None:
        self._chosen = [_tensors(record) for record in records]
        self._rejected = [_tensors(record.rejected) for record in records if record.rejected is not None]
        self._pad = pad_token_id
        self._images = images
        self.lengths = [max(len(one.input_ids), _length(one.rejected)) for one in records]

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, rows: list[int]) -> dict[str, Tensor]:
        pairs = [self._chosen[row] for row in rows]
        images = self._images(rows)
        if self._rejected:
            pairs += [self._rejected[row] for row in rows]
            images = {name: torch.cat([part, part]) for name, part in images.items()}
        return {
            "input_ids": pad_sequence([ids for ids, _ in pairs], True, self._pad),
            "labels": pad_sequence([labels for _, labels in pairs], True, -100),
            **images,
        }


def _tensors(record: Encoded) -> tuple[Tensor, Tensor]:
    return torch.tensor(record.input_ids), torch.tensor(record.labels)


def _length(record: Encoded | None) -> int:
    return 0 if record is None else len(record.input_ids)


class PromptBatches(Dataset[dict[str, Any]]):
    """Prompts, indexed by a list of rows.

    An item holds ``input_ids`` and ``attention_mask`` of shape (rows, width), padded on the left so that every reply
    begins at the same column, ``index`` of shape (rows,): the rows themselves, the images' part, if any, and
    ``references``, if there are any: prompts with right replies, as a batch of TrainingBatches of the same rows.
    """

    def __init__(
        self,
        prompts: Sequence[list[int]],
        pad_token_id: int,
        images: ImagesOfRows = no_images,
        references: Sequence[Encoded] | None = None,
    ) -> None:
        self._ids = [torch.tensor(prompt) for prompt in prompts]
        self._pad = pad_token_id
        self._images = images
        self._references = None if references is None else TrainingBatches(references, pad_token_id)
        self.lengths = [len(prompt) for prompt in prompts]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, rows: list[int]) -> dict[str, Any]:
        index = torch.tensor(rows, dtype=torch.long)
        if not rows:
            nothing = torch.zeros(0, 0, dtype=torch.long)
            return {"input_ids": nothing, "attention_mask": nothing, "index": index}
        ids = pad_sequence([self._ids[row] for row in rows], True, self._pad, padding_side="left")
        lengths = torch.tensor([self.lengths[row] for row in rows])
        mask = torch.arange(ids.shape[1]) >= (ids.shape[1] - lengths).unsqueeze(1)
        images = self._images(rows)
        batch: dict[str, Any] = {"input_ids": ids, "attention_mask": mask.long(), "index": index, **images}
        if self._references is not None:
            batch["references"] = {**self._references[rows], **images}
        return batch
