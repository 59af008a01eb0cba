"""The text student: any causal language model of the Hugging Face hub, by name or folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from lightning_modules.base_weights import fresh_network, load_chat_format, resolve_model
from lightning_modules.chat_format import ChatFormat, EncodedRecord
from lightning_modules.generation import Generations, accepts, decode, merged_adapters, row_uniforms, unwrapped
from lightning_modules.student import StudentModule


class InstructionAndResponse(Protocol):
    """What is read of a training record."""

    @property
    def instruction(self) -> str:
        """What is asked."""

    @property
    def response(self) -> str:
        """What the student learns to reply."""


class CausalLMStudent(StudentModule):
    """A causal language model with a chat template, trained on the responses of its records.

    Args:
        model_name_or_path: A Hugging Face model folder, the name of a student of this package (``tiny_text``), or a
            hub id.
        tuning: Train a LoRA adapter on frozen base weights, or all weights.
        lora_rank: Rank of the adapter.
        lora_alpha: Scale of the adapter; the update is multiplied by ``lora_alpha / lora_rank``.
        lora_dropout: Dropout before the adapter.
        lora_target_modules: ``all-linear`` for every linear layer but the output's, or a regular expression that
            the full names of the layers match.
        optimizer: AdamW or Adam.
        lr: Learning rate after the warm-up.
        weight_decay: Weight decay of matrices; biases and norms have none.
        schedule: Cosine decay to zero at the end of the fit, or a constant rate.
        warmup_ratio: Share of the steps over which the rate rises from zero.
        warmup_steps: Number of those steps; takes precedence over the ratio.
        max_length: Longest training record, prompt and response, in tokens; longer ones are cut and counted.
        max_new_tokens: Longest reply in evaluation, in tokens.
        temperature: 0 decodes greedily; above, replies are sampled, from torch's seed and the instance's index.
        revision: Commit, tag or branch of a hub model.
        dtype: Type of the base weights in memory, e.g. ``bfloat16``. None keeps the stored type under LoRA and
            takes float32 for full fine-tuning. The precision of the computation is the Trainer's.

    Raises:
        ConfigurationError: A setting has a value that cannot work.
        MissingFileError: The model folder does not exist.
        StudentError: The model has no tokenizer with a chat template and a pad token.
    """

    def __init__(
        self,
        model_name_or_path: str,
        tuning: Literal["lora", "full"] = "lora",
        lora_rank: int = 16,
        lora_alpha: int = 32,
        lora_dropout: float = 0.05,
        lora_target_modules: str = "all-linear",
        optimizer: Literal["adamw", "adam"] = "adamw",
        lr: float = 1e-4,
        weight_decay: float = 0.0,
        schedule: Literal["cosine", "constant"] = "cosine",
        warmup_ratio: float = 0.0,
        warmup_steps: int | None = None,
        max_length: int = 1024,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        revision: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__()
        self._location = resolve_model(model_name_or_path)
        # A tokenizer that cannot be used is reported here and not in the middle of a run.
        load_chat_format(self._location, revision)

    @property
    def chat(self) -> ChatFormat:
        """The chat format; held by the process and not by the student, which is copied at every step."""
        return load_chat_format(self._location, self.hparams["revision"])

    @property
    def pad_token_id(self) -> int:
        """The token that fills batches."""
        return self.chat.pad_token_id

    def encode_prompt(self, instruction: str) -> list[int]:
        """The token ids of an instruction, up to where the reply begins."""
        return self.chat.encode_prompt(instruction)

    def encode_record(self, record: InstructionAndResponse) -> EncodedRecord:
        """The token ids and labels of a training record."""
        return self.chat.encode_record(record.instruction, record.response, self.hparams["max_length"])

    def base_network(self, share: bool) -> Any:
        """The network with the base weights: frozen on shared storage, or trainable copies.

        Raises:
            StudentError: The weights cannot be read.
        """
        dtype = self.hparams["dtype"] or (None if share else "float32")
        return fresh_network(self._location, self.hparams["revision"], dtype, share)

    def save_student(self, folder: str | Path) -> None:
        """Writes the adapter, or the whole model with its tokenizer: a folder that is a student in its own right.

        Raises:
            StudentError: There are no weights yet.
        """
        super().save_student(folder)
        if self.hparams["tuning"] == "full":
            self.chat.tokenizer.save_pretrained(folder)

    def labelled_logits(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The logits that predict labelled tokens, of shape (labels, vocabulary), and those tokens.

        No attention mask: batches are padded on the right, and a causal model sees nothing to the right.
        """
        targets = batch["labels"][:, 1:]
        labelled = targets != -100
        if self._computes_masked_logits:
            # The output layer is run on the positions that count: a few tokens of each record.
            keep = torch.nn.functional.pad(labelled, (0, 1))
            logits = self.network(input_ids=batch["input_ids"], use_cache=False, logits_to_keep=keep).logits
        else:
            logits = self.network(input_ids=batch["input_ids"], use_cache=False).logits[:, :-1][labelled]
        return logits, targets[labelled]

    def answer(self, batch: dict[str, Tensor]) -> Generations:
        """The replies to an evaluation batch, in its order; the prompts are padded on the left."""
        index = batch["index"].tolist()
        if not index:  # a rank's share of a batch smaller than the number of ranks
            return Generations([], [], [])
        temperature, count = self.hparams["temperature"], self.max_new_tokens
        chat = self.chat
        with merged_adapters(self.network):
            replies = decode(
                self.network,
                batch["input_ids"],
                batch["attention_mask"],
                stop_ids=chat.stop_ids | self._model_stop_ids,
                pad_id=chat.pad_token_id,
                max_new_tokens=count,
                temperature=temperature,
                uniforms=row_uniforms(torch.initial_seed(), index, count) if temperature else None,
            )
        return Generations(index, [chat.decode(ids) for ids, _ in replies], [truncated for _, truncated in replies])

    @property
    def _model_stop_ids(self) -> frozenset[int]:
        """The end tokens of the model's own generation settings."""
        eos = self.network.generation_config.eos_token_id
        return frozenset() if eos is None else frozenset([eos] if isinstance(eos, int) else eos)

    @property
    def _computes_masked_logits(self) -> bool:
        """Whether ``logits_to_keep`` may be a mask, which it may in modules that use the helper for it."""
        base = unwrapped(self.network)
        module = sys.modules[type(base).__module__]
        return accepts(base, "logits_to_keep") and hasattr(module, "slice_logits_to_keep")
