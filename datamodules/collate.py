"""Encoded records and prompts as datasets whose items are whole, padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

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


class Encoder(Protocol):
    """What a data module asks of a student."""

    @property
    def pad_token_id(self) -> int:
        """The token that fills batches."""

    @property
    def max_new_tokens(self) -> int:
        """The longest reply, in tokens."""

    def encode_prompt(self, instruction: str) -> list[int]:
        """The token ids of an instruction, up to where the reply begins."""

    def encode_record(self, record: TrainingRecord) -> Encoded:
        """The token ids and labels of a training record."""


class TrainingBatches(Dataset[dict[str, Tensor]]):
    """Records, indexed by a list of rows: ``input_ids`` and ``labels`` of shape (rows, width), padded on the right.

    Args:
        records: Encoded records.
        pad_token_id: Fills ``input_ids``; ``labels`` are filled with -100.
    """

    def __init__(self, records: Sequence[Encoded], pad_token_id: int) -> None:
        self._ids = [torch.tensor(record.input_ids) for record in records]
        self._labels = [torch.tensor(record.labels) for record in records]
        self._pad = pad_token_id
        self.lengths = [len(record.input_ids) for record in records]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, rows: list[int]) -> dict[str, Tensor]:
        return {
            "input_ids": pad_sequence([self._ids[row] for row in rows], True, self._pad),
            "labels": pad_sequence([self._labels[row] for row in rows], True, -100),
        }


class PromptBatches(Dataset[dict[str, Tensor]]):
    """Prompts, indexed by a list of rows.

    An item holds ``input_ids`` and ``attention_mask`` of shape (rows, width), padded on the left so that every reply
    begins at the same column, and ``index`` of shape (rows,): the rows themselves.

    Args:
        prompts: Token ids of each instance of a set, in the set's order.
        pad_token_id: Fills ``input_ids``.
    """

    def __init__(self, prompts: Sequence[list[int]], pad_token_id: int) -> None:
        self._ids = [torch.tensor(prompt) for prompt in prompts]
        self._pad = pad_token_id
        self.lengths = [len(prompt) for prompt in prompts]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, rows: list[int]) -> dict[str, Tensor]:
        index = torch.tensor(rows, dtype=torch.long)
        if not rows:
            nothing = torch.zeros(0, 0, dtype=torch.long)
            return {"input_ids": nothing, "attention_mask": nothing, "index": index}
        ids = pad_sequence([self._ids[row] for row in rows], True, self._pad, padding_side="left")
        lengths = torch.tensor([self.lengths[row] for row in rows])
        mask = torch.arange(ids.shape[1]) >= (ids.shape[1] - lengths).unsqueeze(1)
        return {"input_ids": ids, "attention_mask": mask.long(), "index": index}
