"""A tokenizer's chat template applied to instructions and responses, the same in training and in evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tasks.errors import StudentError

# What the template writes around a response is read off a rendering of this word; any word would do.
_STAND_IN = "response-stands-here"

# Some templates print today's date unless they are given one, and the same run would differ from day to day.
_FIXED_DATE = "26 Jul 2024"

# Evaluation asks the same questions at every step; encoding them anew is a tenth of a tiny student's evaluation.
_REMEMBERED_PROMPTS = 4_096


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A training record as token ids.

    Args:
        input_ids: Prompt, response and end-of-turn token.
        labels: The same ids, with -100 on the prompt: the loss falls on the response and the end-of-turn token.
        truncated: True if the record was longer than the limit and its end was cut off.
    """

    input_ids: list[int]
    labels: list[int]
    truncated: bool


class ChatFormat:
    """Encodes instructions and records through a tokenizer's chat template.

    The ids of an instruction are made by one function for training and evaluation alike, and a record is those
    ids, the ids of its response, and the end-of-turn token: the model learns exactly the continuation that it is
    asked for, and to stop after it. What a template writes after the end of a turn (a line break, say) is left
    out, because decoding stops before it.

    Args:
        tokenizer: A tokenizer with a chat template and a pad token.
        name: The model's name, for messages.

    Raises:
        StudentError: The tokenizer lacks a chat template, a pad token or any token that ends a turn.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        if tokenizer.chat_template is None:
            raise StudentError(
                f"The tokenizer of {name} has no chat template: set tokenizer.chat_template, save, use that folder."
            )
        if tokenizer.pad_token_id is None:
            raise StudentError(
                f"The tokenizer of {name} has no pad token: set tokenizer.pad_token, save, use that folder."
            )
        self.tokenizer = tokenizer
        prompt = self._render([{"role": "user", "content": "x"}], add_generation_prompt=True)
        turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": _STAND_IN}]
        before, _, after = self._render(turns, add_generation_prompt=False).rpartition(_STAND_IN)
        lead = before.removeprefix(prompt) if before.startswith(prompt) else ""
        # White space before a response belongs to its first token; anything else there (an empty "thinking" part)
        # is something that templates write for past turns only and that a student need not learn.
        self._lead = lead if lead.isspace() else ""
        self._prompt = lru_cache(maxsize=_REMEMBERED_PROMPTS)(self._encode_prompt)
        self.closing_ids = self._closing(after, name)

    @property
    def pad_token_id(self) -> int:
        """The token that fills batches."""
        return int(self.tokenizer.pad_token_id)

    @property
    def stop_ids(self) -> frozenset[int]:
        """The tokens at which a reply ends: the template's end of turn and the tokenizer's end of sequence."""
        eos = self.tokenizer.eos_token_id
        return frozenset({self.closing_ids[-1]} | (set() if eos is None else {int(eos)}))

    def encode_prompt(self, instruction: str) -> list[int]:
        """The ids of an instruction up to where the reply begins."""
        return list(self._prompt(instruction))

    def encode_record(self, instruction: str, response: str, max_length: int) -> EncodedRecord:
        """The ids and labels of a record, cut at ``max_length`` tokens."""
        prompt = self.encode_prompt(instruction)
        answer = self._ids(self._lead + response) + self.closing_ids
        ids, labels = prompt + answer, [-100] * len(prompt) + answer
        return EncodedRecord(ids[:max_length], labels[:max_length], truncated=len(ids) > max_length)

    def decode(self, ids: list[int]) -> str:
        """The text of a reply, special tokens removed."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _encode_prompt(self, instruction: str) -> tuple[int, ...]:
        messages = [{"role": "user", "content": instruction}]
        return tuple(self._ids(self._render(messages, add_generation_prompt=True)))

    def _render(self, messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=add_generation_prompt, date_string=_FIXED_DATE
            )
        )

    def _ids(self, text: str) -> list[int]:
        # The template has written the beginning-of-sequence token if the model wants one: never add a second.
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _closing(self, after: str, name: str) -> list[int]:
        """The ids from the end of a response up to the first control token, which ends the turn."""
        control = set(self.tokenizer.all_special_ids) | set(self.tokenizer.added_tokens_decoder)
        ids = self._ids(after)
        for place, token in enumerate(ids):
            # Line breaks are added tokens in some vocabularies (Gemma's), but they end nothing.
            if token in control and self.tokenizer.decode([token]).strip():
                return ids[: place + 1]
        if self.tokenizer.eos_token_id is None:
            raise StudentError(
                f"The chat template of {name} ends a turn with {after!r}, which holds no control token, and its "
                "tokenizer has no eos_token: set tokenizer.eos_token, save, use that folder."
            )
        return [int(self.tokenizer.eos_token_id)]
