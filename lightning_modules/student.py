"""What every student shares: LoRA or full fine-tuning, optimiser, schedule, loss, evaluation steps, saving."""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lightning_modules.base_weights import is_dtype
from lightning_modules.generation import Generations
from tasks.errors import ConfigurationError, MissingFileError, StudentError

ADAPTER_FILE = "adapter_model.safetensors"


class StudentModule(LightningModule):
    """The model being improved. A subclass's ``__init__`` is its signature; its arguments become ``hparams``.

    No weights hang on a student before ``configure_model``, so a copy of an untouched one is cheap, and the loop
    makes one for every step. Everything random follows from torch's seed as the caller has set it.

    Raises:
        ConfigurationError: A hyperparameter has a value that cannot work.
    """

    def __init__(self) -> None:
        super().__init__()
        self.save_hyperparameters()
        self._check_hyperparameters()
        self.network: Any = None
        # A LoRA checkpoint holds the adapter alone.
        self.strict_loading = self.hparams["tuning"] != "lora"
        self._epoch_losses: list[Tensor] = []

    @abstractmethod
    def base_network(self, share: bool) -> Any:
        """The network with the base weights: frozen on shared storage, or trainable copies."""

    @abstractmethod
    def labelled_logits(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The logits that predict labelled tokens, of shape (labels, vocabulary), and those tokens."""

    @abstractmethod
    def answer(self, batch: dict[str, Tensor]) -> Generations:
        """The replies to an evaluation batch (``input_ids``, ``attention_mask``, ``index``)."""

    @property
    def max_new_tokens(self) -> int:
        """The longest reply, in tokens: what a batch must leave room for."""
        return int(self.hparams["max_new_tokens"])

    def configure_model(self) -> None:
        """Puts the base weights, and for LoRA a fresh adapter, in place; does nothing if they are."""
        if self.network is not None:
            return
        if self.hparams["tuning"] == "full":
            self.network = self.base_network(share=False).requires_grad_(True)
            return
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=self.hparams["lora_rank"],
            lora_alpha=self.hparams["lora_alpha"],
            lora_dropout=self.hparams["lora_dropout"],
            target_modules=self.hparams["lora_target_modules"],
            bias="none",
            task_type="CAUSAL_LM",
        )
        try:
            network = get_peft_model(self.base_network(share=True), config)
        except ValueError as error:
            wanted = self.hparams["lora_target_modules"]
            raise StudentError(f"LoRA fits no layer with lora_target_modules {wanted!r}: {error}") from error
        # peft keeps a set here, whose order differs from process to process, and would save it as it comes.
        adapter: Any = network.peft_config["default"]
        if isinstance(adapter.target_modules, set):
            adapter.target_modules = sorted(adapter.target_modules)
        self.network = network.eval()

    def on_fit_start(self) -> None:
        """Switches dropout on: a pretrained network comes in evaluation mode and Lightning leaves it there."""
        self.train()

    def on_train_start(self) -> None:
        """Logs how many records were cut at ``max_length``."""
        truncated = getattr(getattr(self.trainer, "datamodule", None), "truncated_records", None)
        if truncated is not None and self.trainer.logger is not None:
            self.trainer.logger.log_metrics({"train/truncated_records": float(truncated)}, step=self.global_step)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The cross-entropy of the labelled tokens, averaged over those of all ranks."""
        logits, targets = self.labelled_logits(batch)
        count = torch.tensor(float(targets.numel()), device=logits.device)
        world = self.trainer.world_size
        if world > 1:
            # DDP averages gradients over ranks, whose batches hold different numbers of labels. Dividing by the
            # mean number makes the result the gradient of one process on the union of the batches.
            count = cast(Tensor, self.trainer.strategy.reduce(count, reduce_op="mean"))
        # The sum of no labels (a batch of truncated prompts) is 0 with a gradient of 0, where a mean would be NaN.
        loss = nn.functional.cross_entropy(logits.float(), targets, reduction="sum") / count.clamp(min=1 / world)
        self._epoch_losses.append(loss.detach())
        # Logging costs as much as a layer of a tiny model, so only when Lightning hands it on to the loggers.
        if (self.global_step + 1) % cast(Any, self.trainer).log_every_n_steps == 0:
            self.log("train/loss", loss.detach())
        return loss

    def on_train_epoch_end(self) -> None:
        """Logs the mean loss of the epoch's batches."""
        if self._epoch_losses:
            mean = torch.stack(self._epoch_losses).mean()
            self.log("train/loss_epoch", mean, sync_dist=self.trainer.world_size > 1)
        self._epoch_losses = []

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> Any:
        """The replies to a batch of validation instances."""
        return self.answer(batch)

    def test_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> Any:
        """The replies to a batch of test instances."""
        return self.answer(batch)

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> Generations:
        """The replies to a batch of any evaluation set."""
        return self.answer(batch)

    def configure_optimizers(self) -> Any:
        """AdamW or Adam with the schedule, stepped per batch.

        Raises:
            ConfigurationError: The schedule needs an end and the trainer has none.
        """
        from transformers import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup

        trainable = [weight for weight in self.parameters() if weight.requires_grad]
        decay = self.hparams["weight_decay"]
        groups = [{"params": trainable, "weight_decay": decay}]
        if decay:  # biases and norms are not decayed
            groups = [
                {"params": [weight for weight in trainable if weight.ndim > 1], "weight_decay": decay},
                {"params": [weight for weight in trainable if weight.ndim <= 1], "weight_decay": 0.0},
            ]
        kind = torch.optim.AdamW if self.hparams["optimizer"] == "adamw" else torch.optim.Adam
        # The fused step is a third of the time of a tiny model's; Lightning cannot clip around it with 16-mixed.
        optimizer = kind(groups, lr=self.hparams["lr"], fused=self.trainer.precision != "16-mixed")
        steps, warmup = self.trainer.estimated_stepping_batches, self.hparams["warmup_steps"]
        cosine = self.hparams["schedule"] == "cosine"
        if math.isinf(steps) and (cosine or (warmup is None and self.hparams["warmup_ratio"])):
            raise ConfigurationError(
                "The training has no end (max_epochs: -1): set trainer.max_epochs or trainer.max_steps, or choose "
                "schedule: constant with warmup_steps."
            )
        if warmup is None:
            warmup = math.ceil(steps * self.hparams["warmup_ratio"]) if self.hparams["warmup_ratio"] else 0
        if cosine:
            schedule = get_cosine_schedule_with_warmup(optimizer, warmup, int(steps))
        else:
            schedule = get_constant_schedule_with_warmup(optimizer, warmup)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the adapter alone in a LoRA checkpoint: the base weights are on disk already."""
        if self.hparams["tuning"] == "lora":
            trainable = {name for name, weight in self.named_parameters() if weight.requires_grad}
            state = checkpoint["state_dict"]
            checkpoint["state_dict"] = {name: state[name] for name in state if name in trainable}

    def save_student(self, folder: str | Path) -> None:
        """Writes the adapter (LoRA) or the whole model (full), as safetensors; call it on rank 0 alone.

        Raises:
            StudentError: There are no weights yet.
        """
        if self.network is None:
            raise StudentError("This student has no weights to save yet: fit it, or call configure_model() first.")
        folder = Path(folder)
        if self.hparams["tuning"] == "full":
            self.network.save_pretrained(folder)
            return
        # "auto" would ask the hub whether the vocabulary was resized.
        self.network.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty model card

    def load_student(self, folder: str | Path) -> None:
        """Takes up the weights that save_student() wrote.

        Raises:
            MissingFileError: The folder holds no such weights.
            StudentError: The weights do not fit this student.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file, load_model

        wanted = Path(folder) / (ADAPTER_FILE if self.hparams["tuning"] == "lora" else "model.safetensors")
        index = wanted.with_name("model.safetensors.index.json")
        if not wanted.is_file() and not index.is_file():
            tuning = self.hparams["tuning"]
            raise MissingFileError(
                f"{wanted} does not exist: pass the folder of a student saved with tuning: {tuning}."
            )
        self.configure_model()
        try:
            if self.hparams["tuning"] == "lora":
                from peft import set_peft_model_state_dict

                set_peft_model_state_dict(self.network, load_file(wanted))
            elif wanted.is_file():
                load_model(self.network, wanted)
            else:
                for shard in sorted(wanted.parent.glob("model-*.safetensors")):
                    self.network.load_state_dict(load_file(shard), strict=False)
        except (RuntimeError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0]
            raise StudentError(
                f"The weights in {folder} do not fit this student ({reason}): use its settings."
            ) from error

    def _check_hyperparameters(self) -> None:
        values = self.hparams
        allowed = {"tuning": ("lora", "full"), "optimizer": ("adamw", "adam"), "schedule": ("cosine", "constant")}
        for name, choices in allowed.items():
            if values[name] not in choices:
                raise ConfigurationError(f"model.init_args.{name} is {values[name]!r}: choose {' or '.join(choices)}.")
        limits = {
            "lora_rank": values["lora_rank"] >= 1,
            "lora_dropout": 0 <= values["lora_dropout"] < 1,
            "lr": values["lr"] > 0,
            "weight_decay": values["weight_decay"] >= 0,
            "warmup_ratio": 0 <= values["warmup_ratio"] <= 1,
            "warmup_steps": values["warmup_steps"] is None or values["warmup_steps"] >= 0,
            "max_length": values["max_length"] >= 2,
            "max_new_tokens": values["max_new_tokens"] >= 1,
            "temperature": values["temperature"] >= 0,
            "dtype": values["dtype"] is None or is_dtype(values["dtype"]),
        }
        for name, holds in limits.items():
            if not holds:
                raise ConfigurationError(f"model.init_args.{name} is {values[name]!r}, which is out of range.")
