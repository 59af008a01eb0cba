"""What every student shares: LoRA or full fine-tuning, objectives, evaluation steps, saving."""

import contextlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_modules.base_weights import fresh_network, resolve_model
from lightning_modules.generation import Generations, decode, merged_adapters, model_stop_ids, row_uniforms
from lightning_modules.hyperparameters import check_hyperparameters, make_optimizer
from lightning_modules.last_layer import last_layer
from lightning_modules.objectives import (
    IGNORED,
    Loss,
    labelled_logits,
    preference_loss,
    response_log_probabilities,
    response_loss,
)
from lightning_modules.prompt_format import EncodedRecord, PromptFormat, require_pairs
from lightning_modules.trained_weights import (
    add_adapter,
    check_weights,
    read_weights,
    trainable_state,
    without_adapter,
    write_weights,
)
from tasks.base import Asked
from tasks.errors import StudentError
from tasks.images import Image
from tasks.records import read_records
from tasks.types import TrainingRecord

_LABELS_AT_ONCE = 4_096  # tokens of reference replies whose probabilities are computed together


class StudentModule(LightningModule):
    """The model being improved: a Hugging Face model that continues prompts, trained on the responses of its records.

    A subclass says how prompts are encoded and which class reads the weights. There are no weights before
    ``configure_model``, so a copy of an untouched student is cheap, and the loop makes one for every step. Everything
    random follows from torch's seed as the caller has set it.

    Args:
        model_name_or_path: A Hugging Face model folder, the name of a student of this package (``tiny_text``), or a
            hub id.
        tuning: Train a LoRA adapter on frozen base weights, or all weights.
        objective: Learn responses (``sft``), or to prefer them to the records' rejected ones (``dpo``).
        dpo_beta: DPO's penalty for moving away from the base weights.
        lora_rank: Rank of the adapter.
        lora_alpha: Scale of the adapter; the update is multiplied by ``lora_alpha / lora_rank``.
        lora_dropout: Dropout before the adapter.
        lora_target_modules: ``all-linear`` for every linear layer but the output's (also in a vision tower and its
            projector), or a regular expression of full layer names, e.g. ``.*language_model.*_proj``.
        optimizer: AdamW or Adam.
        lr: Learning rate after the warm-up.
        weight_decay: Weight decay of matrices; biases and norms have none.
        schedule: Cosine decay to zero at the end of the fit, or a constant rate.
        warmup_ratio: Share of the steps over which the rate rises from zero.
        warmup_steps: Number of those steps; takes precedence over the ratio.
        max_length: Longest training record in tokens, prompt (images included) and response; longer ones are cut and
            counted.
        max_new_tokens: Longest reply in evaluation, in tokens.
        temperature: 0 decodes greedily; above, replies are sampled, from torch's seed and the instance's index.
        revision: Commit, tag or branch of a hub model.
        dtype: Type of the base weights in memory, e.g. ``bfloat16``; None keeps the stored type under LoRA and takes
            float32 for full fine-tuning. The precision of the computation is the Trainer's.
        gradient_checkpointing: Computes activations again in the backward pass instead of keeping them: for models
            that fill the accelerator, at the price of about a third of the speed.

    Raises:
        ConfigurationError: A setting has a value that cannot work.
        MissingFileError: The model folder does not exist.
        StudentError: The model's tokenizer or processor lacks something that prompts need.
    """

    # The class of transformers that reads the weights.
    auto_class: str

    def __init__(
        self,
        model_name_or_path: str,
        tuning: Literal["lora", "full"] = "lora",
        objective: Literal["sft", "dpo"] = "sft",
        dpo_beta: float = 0.1,
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
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        check_hyperparameters(self.hparams)
        self.network: Any = None
        # A LoRA checkpoint holds the adapter alone.
        self.strict_loading = tuning != "lora"
        self._epoch_losses: list[Tensor] = []
        # In a list, since a module in an attribute would be trained, moved and saved with the student.
        self._reference: list[Any] = []
        self._location = resolve_model(model_name_or_path)
        # A tokenizer that cannot be used is reported here and not in the middle of a run.
        self.prompt_format  # noqa: B018

    @property
    @abstractmethod
    def prompt_format(self) -> PromptFormat:
        """How prompts are encoded; held by the process and not by the student, which is copied at every step."""

    @property
    def pad_token_id(self) -> int:
        """The token that fills batches."""
        return self.prompt_format.pad_token_id

    @property
    def max_new_tokens(self) -> int:
        """The longest reply, in tokens: what a batch must leave room for."""
        return int(self.hparams["max_new_tokens"])

    def encode_prompt(self, item: Asked) -> list[int]:
        """The token ids of what an instance or record asks, up to where the reply begins.

        Raises:
            StudentError: The item has an image that this student cannot see, or lacks one that it needs.
        """
        return self.prompt_format.encode_prompt(item)

    def encode_record(self, record: TrainingRecord) -> EncodedRecord:
        """The token ids and labels of a training record, with those of its rejected response under DPO."""
        return self.prompt_format.encode_record(record, self.hparams["max_length"], self._learns_from_pairs)

    def encode_records(self, records: Sequence[TrainingRecord]) -> list[EncodedRecord]:
        """The records of a fit, encoded; a student that learns from pairs refuses those without a rejected response.

        Raises:
            RecordError: The student learns from pairs, and some have no rejected response.
            StudentError: As in encode_prompt().
        """
        if self._learns_from_pairs:
            require_pairs(records)
        return [self.encode_record(record) for record in records]

    def replay_records(self) -> Sequence[TrainingRecord]:
        """Records of what the student was pretrained on, from ``replay.jsonl`` in its folder.

        Raises:
            StudentError: There is no such file.
            RecordError: It is damaged.
        """
        path = Path(self._location) / "replay.jsonl"
        if not path.is_file():
            raise StudentError(
                f"{self._location} has no replay.jsonl with records of what the student was pretrained on: add it, or "
                "set data.init_args.replay to 0."
            )
        return read_records(path)

    @property
    def _learns_from_pairs(self) -> bool:
        return bool(self.hparams["objective"] == "dpo")

    def encode_reference(self, item: Asked, reply: str | None) -> EncodedRecord:
        """The token ids and labels of a right reply to what is asked; without labels if it is None or too long."""
        encoded = self.prompt_format.encode_reply(item, reply or "", self.hparams["max_length"])
        if reply is not None and not encoded.truncated:
            return encoded
        return replace(encoded, labels=[IGNORED] * len(encoded.labels))

    def encode_images(self, images: Sequence[Image]) -> dict[str, Tensor]:
        """What the network is given of images, made when a batch is; nothing for a student of text alone."""
        return {}

    def further_inputs(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the network is given of a batch except its tokens; in decoding, with the prompts alone."""
        return {}

    def base_network(self, share: bool) -> Any:
        """The network with the base weights: frozen on shared storage, or trainable copies.

        Raises:
            StudentError: The weights cannot be read, or are of another vocabulary than the tokenizer's.
        """
        dtype = self.hparams["dtype"] or (None if self.hparams["tuning"] == "lora" else "float32")
        network = fresh_network(self._location, self.hparams["revision"], dtype, self.auto_class, share)
        rows, tokens = network.get_input_embeddings().weight.shape[0], len(self.prompt_format.tokenizer)
        if tokens > rows:
            raise StudentError(
                f"The tokenizer in {self._location} has {tokens} tokens and the model {rows}: "
                "they are not of one model; download the folder again."
            )
        return network

    def configure_model(self) -> None:
        """Puts the base weights, and for LoRA a fresh adapter, in place; does nothing if they are."""
        if self.network is not None:
            return
        if self.hparams["tuning"] == "full":
            self.network = self.base_network(share=False).requires_grad_(True)
            return
        self.network = add_adapter(self.base_network(share=True), self.hparams)

    def on_fit_start(self) -> None:
        """Switches dropout on: a pretrained network comes in evaluation mode and Lightning leaves it there."""
        self.train()
        if self.hparams["gradient_checkpointing"]:
            # Not reentrant: that needs inputs with gradients, which a LoRA student's frozen embeddings have not.
            self.network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            # What the last layer has computed, the backward pass needs at once: nothing is gained by doing it twice.
            if (last := last_layer(self.network)) is not None:
                last.gradient_checkpointing = False
        if self._learns_from_pairs and self.hparams["tuning"] == "full":
            first = next(self.network.parameters())
            self._reference = [self.base_network(share=True).to(first.device, first.dtype)]

    def on_fit_end(self) -> None:
        """Lets go of what only the fit needs: DPO's reference would fill memory in evaluation."""
        self._reference = []
        if self.hparams["gradient_checkpointing"]:
            self.network.gradient_checkpointing_disable()

    def on_train_start(self) -> None:
        """Logs how many records were cut at ``max_length``."""
        truncated = getattr(getattr(self.trainer, "datamodule", None), "truncated_records", None)
        if truncated is not None and self.trainer.logger is not None:
            self.trainer.logger.log_metrics({"train/truncated_records": float(truncated)}, step=self.global_step)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The objective, averaged over the labelled tokens (sft) or pairs (dpo) of all ranks."""
        found = self._loss(batch)
        loss = found.mean(self.trainer)
        self._epoch_losses.append(loss.detach())
        # Logging costs as much as a layer of a tiny model, so only when Lightning hands it on to the loggers.
        every = cast(Any, self.trainer).log_every_n_steps  # 0 logs nothing
        if every and (self.global_step + 1) % every == 0:
            self.log_dict({"train/loss": loss.detach(), **found.measures})
        return loss

    def _loss(self, batch: dict[str, Tensor]) -> Loss:
        if not self._learns_from_pairs:
            return response_loss(*self.labelled_logits(batch))
        with torch.no_grad(), self._untrained() as network:
            logits, targets = self.labelled_logits(batch, network)
            reference = response_log_probabilities(logits, targets, batch["labels"])
            del logits  # a row of the vocabulary for each token: not to be kept together with the student's own
        logits, targets = self.labelled_logits(batch)
        policy = response_log_probabilities(logits, targets, batch["labels"])
        return preference_loss(policy, reference, self.hparams["dpo_beta"])

    def _untrained(self) -> contextlib.AbstractContextManager[Any]:
        """The network as it was before training, for DPO to compare with."""
        return contextlib.nullcontext(self._reference[0]) if self._reference else without_adapter(self.network)

    def labelled_logits(self, batch: dict[str, Tensor], network: Any = None) -> tuple[Tensor, Tensor]:
        """The logits that predict a batch's labels, and those labels; by another network than its own if given."""
        return labelled_logits(self.network if network is None else network, batch, self.further_inputs(batch))

    def on_train_epoch_end(self) -> None:
        """Logs the mean loss of the epoch's batches."""
        if self._epoch_losses:
            mean = torch.stack(self._epoch_losses).mean()
            self.log("train/loss_epoch", mean, sync_dist=self.trainer.world_size > 1)
        self._epoch_losses = []

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int = 0, dataloader_idx: int = 0) -> Generations:
        """The replies to an evaluation batch, in its order; the prompts are padded on the left."""
        index = batch["index"].tolist()
        if not index:  # a rank's share of a batch smaller than the number of ranks
            return Generations([], [], [], [])
        temperature, count = self.hparams["temperature"], self.max_new_tokens
        style = self.prompt_format
        with merged_adapters(self.network):
            replies = decode(
                self.network,
                batch["input_ids"],
                batch["attention_mask"],
                stop_ids=style.stop_ids | model_stop_ids(self.network),
                pad_id=style.pad_token_id,
                max_new_tokens=count,
                temperature=temperature,
                uniforms=row_uniforms(torch.initial_seed(), index, count) if temperature else None,
                first_inputs=self.further_inputs(batch),
            )
            likelihoods = self._likelihoods(batch)
        texts, truncated = [style.decode(ids) for ids, _ in replies], [cut for _, cut in replies]
        return Generations(index, texts, truncated, likelihoods)

    def _likelihoods(self, batch: dict[str, Any]) -> list[float | None]:
        """The probability of each row's reference reply, all its tokens and its end; None where there is none."""
        if (references := batch.get("references")) is None:
            return [None] * len(batch["index"])
        counts = (references["labels"] != IGNORED).sum(dim=1)
        found: list[float | None] = []
        # A row of the vocabulary for each token of the replies: not for a whole batch of long ones at once.
        rows = max(1, _LABELS_AT_ONCE // max(1, int(counts.max())))
        for start in range(0, len(counts), rows):
            part = {name: value[start : start + rows] for name, value in references.items()}
            logits, targets = self.labelled_logits(part)
            logs = response_log_probabilities(logits, targets, part["labels"]).double()
            found += logs.exp().tolist()
        return [value if count else None for value, count in zip(found, counts.tolist(), strict=True)]

    validation_step: Any = predict_step
    test_step: Any = predict_step

    def configure_optimizers(self) -> Any:
        """AdamW or Adam with the schedule, stepped per batch."""
        return make_optimizer(self.hparams, self.parameters(), self.trainer)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the adapter alone in a LoRA checkpoint: the base weights are on disk already."""
        if self.hparams["tuning"] == "lora":
            checkpoint["state_dict"] = trainable_state(self, checkpoint["state_dict"])

    def save_student(self, folder: str | Path) -> None:
        """Writes the adapter, or the whole model as a student in its own right; call it on rank 0 alone."""
        if self.network is None:
            raise StudentError("This student has no weights to save yet: fit it, or call configure_model() first.")
        write_weights(self.network, self.hparams["tuning"], Path(folder))
        if self.hparams["tuning"] == "full":
            self.prompt_format.save(folder)

    def load_student(self, folder: str | Path) -> None:
        """Takes up the weights that save_student() wrote.

        Raises:
            MissingFileError: The folder holds no such weights.
            StudentError: The weights do not fit this student.
        """
        check_weights(self.hparams["tuning"], Path(folder))
        self.configure_model()
        read_weights(self.network, self.hparams["tuning"], Path(folder))
