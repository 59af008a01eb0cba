"""What a student minimises: the cross-entropy of responses, or DPO's loss on pairs of them."""

import sys
from typing import Any, NamedTuple, cast

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from lightning_modules.generation import accepts, unwrapped
from lightning_modules.last_layer import last_layer_at

IGNORED = -100  # labels that no loss falls on


class Loss(NamedTuple):
    """A batch's loss before it is averaged: its sum over so many labels or pairs, and further means to log."""

    total: Tensor
    counted: int
    measures: dict[str, Tensor]

    def mean(self, trainer: Trainer) -> Tensor:
        """The mean whose gradient, averaged over ranks, is that of one process on the union of their batches."""
        count = torch.tensor(float(self.counted), device=self.total.device)
        world = trainer.world_size
        if world > 1:
            # DDP averages gradients over ranks, whose batches hold different numbers of labels: each divides by the
            # mean number.
            count = cast(Tensor, trainer.strategy.reduce(count, reduce_op="mean"))
        # The sum of no labels (a batch of truncated prompts) is 0 with a gradient of 0, where a mean would be NaN.
        return self.total / count.clamp(min=1 / world)


def labelled_logits(network: Any, batch: dict[str, Tensor], further: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The logits that predict labelled tokens, of shape (labels, vocabulary), and those tokens.

    No attention mask: batches are padded on the right, and no token here sees what is to the right of a response.
    ``further`` holds the network's other inputs.
    """
    targets = batch["labels"][:, 1:]
    labelled = targets != IGNORED
    inputs = {"input_ids": batch["input_ids"], "use_cache": False, **further}
    keep = nn.functional.pad(labelled, (0, 1))
    with last_layer_at(network, keep):
        if _computes_masked_logits(network):
            # The output layer is run on the positions that count: a few tokens of each record.
            logits = network(**inputs, logits_to_keep=keep).logits
        else:
            logits = network(**inputs).logits[:, :-1][labelled]
    return logits, targets[labelled]


def _computes_masked_logits(network: Any) -> bool:
    """Whether ``logits_to_keep`` may be a mask, which it may in modules that use the helper for it."""
    base = unwrapped(network)
    module = sys.modules[type(base).__module__]
    return accepts(base, "logits_to_keep") and hasattr(module, "slice_logits_to_keep")


def response_loss(logits: Tensor, targets: Tensor) -> Loss:
    """The cross-entropy of labelled tokens (logits of shape (labels, vocabulary))."""
    return Loss(nn.functional.cross_entropy(logits.float(), targets, reduction="sum"), targets.numel(), {})


def response_log_probabilities(logits: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """The log-probability of each row's whole response, of shape (rows,).

    ``logits``, of shape (labels, vocabulary), and ``targets`` are of the labelled tokens alone, row after row; the
    batch's ``labels`` tell how many each row has.
    """
    each = -nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    counts = (labels[:, 1:] != IGNORED).sum(dim=1)
    rows = torch.repeat_interleave(torch.arange(len(labels), device=labels.device), counts)
    return each.new_zeros(len(labels)).index_add(0, rows, each)


def preference_loss(policy: Tensor, reference: Tensor, beta: float) -> Loss:
    """Direct Preference Optimization's loss (Rafailov et al. 2023, equation 7).

    Log-probabilities are of the chosen responses of all pairs, then of the rejected; ``reference`` are those before
    training, and ``beta`` is the penalty for moving away from them.
    """
    chosen, rejected = (beta * (policy - reference)).chunk(2)
    margins = chosen - rejected
    measures = {
        "train/dpo_margin": margins.detach().mean(),
        "train/dpo_accuracy": (margins.detach() > 0).float().mean(),
    }
    return Loss(-nn.functional.logsigmoid(margins).sum(), len(margins), measures)
