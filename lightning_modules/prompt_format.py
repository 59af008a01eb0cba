"""How prompts and records become token ids, the same in training and in evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.base import Asked
from tasks.errors import RecordError, StudentError
from tasks.types import TrainingRecord

# Evaluation asks the same questions at every step; encoding them again is a tenth of a tiny student's evaluation.
REMEMBERED_PROMPTS = 4_096


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A training record as token ids.

    Args:
        input_ids: Prompt, response and end-of-turn token.
        labels: The same ids, with -100 on the prompt: the loss falls on the response and the end-of-turn token.
        truncated: True if the record was longer than the limit and its end was cut off.
        rejected: The same prompt with the rejected response, for students that learn from pairs.
    """

    input_ids: list[int]
    labels: list[int]
    truncated: bool
    rejected: EncodedRecord | None = None


def require_pairs(records: Sequence[TrainingRecord]) -> None:
    """Refuses records of which some have no rejected response."""
    missing = sum(record.rejected is None for record in records)
    if missing:
        raise RecordError(
            f"{missing} of {len(records)} records have no rejected response, and objective: dpo learns from pairs: "
            "choose an engine that writes both, or objective: sft."
        )


class PromptFormat(ABC):
    """Encodes what is asked, and responses to it.

    One function makes the ids of a prompt for training and evaluation alike, and a record is those ids, the ids of its
    response, and the token that ends it: the model learns exactly the continuation that it is asked for, and to stop.

    Args:
        tokenizer: A tokenizer; without a pad token (Llama 3's) it fills batches with its end-of-sequence token.
        name: The model's name, for messages.

    Raises:
        StudentError: The tokenizer lacks a token to pad with or any token that ends a response.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        # Any token would do: what pads is masked from attention, and labels are masked by place and not by token.
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        if pad is None:
            raise StudentError(
                f"The tokenizer of {name} has neither a pad nor an end-of-sequence token: set tokenizer.pad_token, "
                "save, use that folder."
            )
        self.pad_token_id = int(pad)
        self.tokenizer = tokenizer
        self.name = name
        self._lead, self.closing_ids = self._around_response()
        self._response_ids = lru_cache(maxsize=REMEMBERED_PROMPTS)(lambda text: self._ids(self._lead + text))

    @property
    def stop_ids(self) -> frozenset[int]:
        """The tokens at which a reply ends: the format's end of turn and the tokenizer's end of sequence."""
        eos = self.tokenizer.eos_token_id
        return frozenset({self.closing_ids[-1]} | (set() if eos is None else {int(eos)}))

    @abstractmethod
    def encode_prompt(self, item: Asked) -> list[int]:
        """The ids of what is asked, up to where the reply begins.

        Raises:
            StudentError: The item has an image that the model cannot see, or lacks one that it needs.
        """

    def encode_record(self, record: TrainingRecord, max_length: int, pairs: bool = False) -> EncodedRecord:
        """The ids and labels of a record, cut at ``max_length`` tokens; with ``pairs`` its rejected response too."""
        chosen = self.encode_reply(record, record.response, max_length)
        if not pairs or record.rejected is None:
            return chosen
        rejected = self.encode_reply(record, record.rejected, max_length)
        return replace(chosen, rejected=rejected, truncated=chosen.truncated or rejected.truncated)

    def decode(self, ids: list[int]) -> str:
        """The text of a reply, special tokens removed."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def save(self, folder: str | Path) -> None:
        """Writes the files that prompts need into the folder of the weights."""
        self.tokenizer.save_pretrained(folder)

    def encode_reply(self, item: Asked, response: str, max_length: int) -> EncodedRecord:
        """The ids and labels of what is asked with a response to it, cut at ``max_length`` tokens."""
        prompt = self.encode_prompt(item)
        answer = [*self._response_ids(response), *self.closing_ids]
        ids, labels = prompt + answer, [-100] * len(prompt) + answer
        return EncodedRecord(ids[:max_length], labels[:max_length], truncated=len(ids) > max_length)

    @abstractmethod
    def _around_response(self) -> tuple[str, list[int]]:
        """White space that belongs before a response, and the ids that end it."""

    def _end_of_sequence(self, why: str) -> list[int]:
        if self.tokenizer.eos_token_id is None:
            raise StudentError(
                f"{why}, and its tokenizer has no eos_token: set tokenizer.eos_token, save, use that folder."
            )
        return [int(self.tokenizer.eos_token_id)]

    def _ids(self, text: str) -> list[int]:
        # The template has written the beginning-of-sequence token if the model wants one: never add a second.
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
