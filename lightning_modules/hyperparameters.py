"""A student's hyperparameters: whether they can work, and the optimiser and schedule that they ask for."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import nn

from tasks.errors import ConfigurationError, check_choice, check_range

_CHOICES = {
    "tuning": ("lora", "full"),
    "objective": ("sft", "dpo"),
    "optimizer": ("adamw", "adam"),
    "schedule": ("cosine", "constant"),
}


def check_hyperparameters(values: Mapping[str, Any]) -> None:
    """Refuses a student's hyperparameters that cannot work."""
    for name, choices in _CHOICES.items():
        check_choice("model.init_args", choices, **{name: values[name]})

    def check(*names: str, **limits: Any) -> None:
        check_range("model.init_args", **limits, **{name: values[name] for name in names})

    check("lora_rank", "lora_alpha", "max_new_tokens")
    check("max_length", low=2)
    check("dpo_beta", "lr", low=0, open_ends=True)
    check("weight_decay", "warmup_steps", "temperature", low=0)
    check("warmup_ratio", "lora_dropout", low=0, high=1)
    if values["lora_dropout"] == 1:
        raise ConfigurationError("model.init_args.lora_dropout is 1, which leaves nothing: choose less.")
    dtype = None if values["dtype"] is None else getattr(torch, values["dtype"], None)
    if values["dtype"] is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ConfigurationError(f"model.init_args.dtype is {values['dtype']!r}: choose bfloat16, float16 or float32.")


def make_optimizer(values: Mapping[str, Any], weights: Iterable[nn.Parameter], trainer: Trainer) -> dict[str, Any]:
    """AdamW or Adam for the weights that are not frozen, with the schedule stepped per batch, as Lightning takes them.

    Raises:
        ConfigurationError: The schedule needs an end and the trainer has none.
    """
    from transformers import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup

    trainable = [weight for weight in weights if weight.requires_grad]
    decay = values["weight_decay"]
    groups: list[dict[str, Any]] = [{"params": trainable, "weight_decay": decay}]
    if decay:  # biases and norms are not decayed
        groups = [
            {"params": [weight for weight in trainable if weight.ndim > 1], "weight_decay": decay},
            {"params": [weight for weight in trainable if weight.ndim <= 1], "weight_decay": 0.0},
        ]
    kind = torch.optim.AdamW if values["optimizer"] == "adamw" else torch.optim.Adam
    # The fused step is a third of the time of a tiny model's; Lightning cannot clip around it in mixed precision.
    mixed = str(trainer.precision).endswith("-mixed")
    fused = trainer.precision != "16-mixed" and not (mixed and trainer.gradient_clip_val)
    optimizer = kind(groups, lr=values["lr"], fused=fused)
    steps, warmup = trainer.estimated_stepping_batches, values["warmup_steps"]
    cosine = values["schedule"] == "cosine"
    if math.isinf(steps) and (cosine or (warmup is None and values["warmup_ratio"])):
        raise ConfigurationError(
            "The training has no end (max_epochs: -1): set trainer.max_epochs or trainer.max_steps, or choose "
            "schedule: constant with warmup_steps."
        )
    if warmup is None:
        warmup = math.ceil(steps * values["warmup_ratio"]) if values["warmup_ratio"] else 0
    if cosine:
        schedule = get_cosine_schedule_with_warmup(optimizer, warmup, int(steps))
    else:
        schedule = get_constant_schedule_with_warmup(optimizer, warmup)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
