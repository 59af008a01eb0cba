"""Batched decoding with a key-value cache: greedy or sampled, finished rows dropped on the way."""

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# Finished rows are dropped once they are this share of the batch. Dropping copies the cache, which every further
# token does as well (it grows by concatenation), so it pays early.
_DROP_SHARE = 0.1


@dataclass(slots=True)  # not frozen: Lightning collects what predict_step returns, and refuses frozen dataclasses
class Generations:
    """Replies to one evaluation batch.

    Args:
        index: Position of each instance within its evaluation set.
        texts: The replies, special tokens removed.
        truncated: True where decoding ended at the token limit and not at an end-of-turn token.
        likelihoods: Probability of each instance's reference reply; None where it was not measured.
    """

    index: list[int]
    texts: list[str]
    truncated: list[bool]
    likelihoods: list[float | None]


def unwrapped(network: Any) -> Any:
    """The causal language model itself, out of its LoRA wrapper if it is in one."""
    return network.get_base_model() if hasattr(network, "get_base_model") else network


def accepts(network: Any, argument: str) -> bool:
    """Whether a network's forward takes an argument."""
    return argument in inspect.signature(unwrapped(network).forward).parameters


def model_stop_ids(network: Any) -> frozenset[int]:
    """The end tokens of a model's own generation settings."""
    eos = network.generation_config.eos_token_id
    return frozenset() if eos is None else frozenset([eos] if isinstance(eos, int) else eos)


def row_uniforms(seed: int, index: list[int], count: int) -> Tensor:
    """Random numbers in [0, 1) for sampling, of shape (rows, count).

    Each row's depend on the seed and the instance alone, so that a reply does not depend on the batch, the rank or
    the device that it is drawn in.
    """
    rows = []
    for instance in index:
        generator = torch.Generator().manual_seed((seed * 1_000_003 + instance) % (1 << 63))
        rows.append(torch.rand(count, generator=generator))
    return torch.stack(rows)


def decode(
    network: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    stop_ids: frozenset[int],
    pad_id: int,
    max_new_tokens: int,
    temperature: float = 0.0,
    uniforms: Tensor | None = None,
    first_inputs: Mapping[str, Tensor] | None = None,
) -> list[tuple[list[int], bool]]:
    """Continues a batch of prompts.

    Args:
        network: A causal language model in evaluation mode.
        input_ids: Prompts, padded on the left, of shape (rows, width).
        attention_mask: 1 on prompts, 0 on padding, of shape (rows, width).
        stop_ids: Tokens that end a reply.
        pad_id: Fills rows that have ended.
        max_new_tokens: Limit of a reply, in tokens.
        temperature: 0 for the likeliest token, else the temperature of sampling.
        uniforms: Random numbers for sampling, of shape (rows, max_new_tokens); see row_uniforms().
        first_inputs: What the network is given with the prompts alone, e.g. the pixels of their images; the cache
            keeps what comes of it.

    Returns:
        For each row the tokens of its reply, without the stop token, and whether it ran into the limit.
    """
    rows, width = input_ids.shape
    device = input_ids.device
    stops = torch.tensor(sorted(stop_ids), device=device)
    replies = torch.full((rows, max_new_tokens), pad_id, dtype=torch.long, device=device)
    alive = torch.arange(rows, device=device)  # the original row of each row still in the batch
    ended = torch.zeros(rows, dtype=torch.bool, device=device)
    # Without padding no mask is needed, and the attention kernels for that case are faster.
    mask = None
    if not bool(attention_mask.all()):
        mask = torch.cat([attention_mask, attention_mask.new_ones(rows, max_new_tokens)], dim=1)
    forward = _Stepper(network, first_inputs or {})
    tokens = input_ids
    for step in range(max_new_tokens):
        logits = forward(tokens, None if mask is None else mask[:, : width + step])
        chosen = _choose(logits, temperature, None if uniforms is None else uniforms[alive, step])
        chosen = chosen.masked_fill(ended, pad_id)
        replies[alive, step] = chosen
        ended = ended | torch.isin(chosen, stops)
        finished = int(ended.sum())
        if finished == len(alive):
            break
        if forward.can_drop and finished > _DROP_SHARE * len(alive):
            kept = (~ended).nonzero().squeeze(1)
            forward.keep(kept)
            alive, ended, chosen = alive[kept], ended[kept], chosen[kept]
            mask = None if mask is None else mask[kept]
        tokens = chosen.unsqueeze(1)
    return [_cut(row, stop_ids) for row in replies.tolist()]


def _cut(row: list[int], stop_ids: frozenset[int]) -> tuple[list[int], bool]:
    for place, token in enumerate(row):
        if token in stop_ids:
            return row[:place], False
    return row, True


def _choose(logits: Tensor, temperature: float, uniforms: Tensor | None) -> Tensor:
    """The next token of each row from logits of shape (rows, vocabulary)."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    if uniforms is None:
        raise AssertionError("sampling needs uniforms")
    cumulative = torch.softmax(logits.float() / temperature, dim=-1).cumsum(dim=-1)
    # Scaled to the total, which rounding keeps from being exactly 1, so that the search cannot run past the end.
    wanted = uniforms.to(logits.device).unsqueeze(1) * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, wanted, right=True).squeeze(1)
    return found.clamp(max=logits.shape[-1] - 1)


class _Stepper:
    """A network with its cache: takes the new tokens of a turn, gives the logits that follow them."""

    def __init__(self, network: Any, first_inputs: Mapping[str, Tensor]) -> None:
        self._network = network
        self._first_inputs = first_inputs
        self._cache: Any = None
        self._seen: Tensor | None = None  # all tokens so far, for networks without a cache
        self._positions = accepts(network, "position_ids")
        self._cached = accepts(network, "past_key_values")
        if first_inputs and not self._cached:
            raise AssertionError("a network that is given more than tokens needs a cache")
        self._keep_last = {"logits_to_keep": 1} if accepts(network, "logits_to_keep") else {}

    @property
    def can_drop(self) -> bool:
        """Whether rows can be taken out of the cache: true of attention layers, not of recurrent states."""
        from transformers.cache_utils import DynamicLayer

        if not self._cached:
            return True
        layers: list[Any] = getattr(self._cache, "layers", [])
        return bool(layers) and all(isinstance(layer, DynamicLayer) for layer in layers)

    def keep(self, rows: Tensor) -> None:
        """Drops all rows but these."""
        if self._cache is not None:
            self._cache.batch_select_indices(rows)
        if self._seen is not None:
            self._seen = self._seen[rows]

    def __call__(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        if not self._cached:
            tokens = self._seen = tokens if self._seen is None else torch.cat([self._seen, tokens], dim=1)
        extra: dict[str, Any] = {**self._keep_last, **self._first_inputs}
        self._first_inputs = {}
        if mask is not None and self._positions:
            # Padding on the left must not count as position: a prompt starts at 0 wherever it stands. (Where a model
            # starts at 1 by itself, as PaliGemma does, positions are rotary: only their differences count.)
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
            extra["position_ids"] = positions[:, -tokens.shape[1] :]
        if self._cached:
            extra.update(past_key_values=self._cache, use_cache=True)
        output = self._network(input_ids=tokens, attention_mask=mask, **extra)
        if self._cached:
            self._cache = output.past_key_values
        return torch.as_tensor(output.logits[:, -1])


@contextlib.contextmanager
def merged_adapters(network: nn.Module) -> Iterator[None]:
    """Adds LoRA adapters into the layers' weights while the block runs; afterwards the weights are the same objects.

    Saves two products per layer and token. Only for float32: in a narrower type the sum would round the adapter
    away. The base weights are shared between students, so these are new tensors and nothing is written into the old.
    """
    from peft.tuners.lora.layer import Linear

    swapped: list[tuple[Any, nn.Linear, Any]] = []
    try:
        layer: Any
        for layer in network.modules():
            if not isinstance(layer, Linear) or layer.merged or layer.lora_variant:
                continue
            base = layer.get_base_layer()
            if type(base) is not nn.Linear or base.weight.dtype != torch.float32:
                continue
            swapped.append((layer, base, base.weight))
            merged = base.weight.detach() + sum(layer.get_delta_weight(name) for name in layer.active_adapters)
            base.weight = nn.Parameter(merged, requires_grad=False)
            layer.merged_adapters.extend(layer.active_adapters)
        yield
    finally:
        for layer, base, weight in swapped:
            base.weight = weight
            layer.merged_adapters.clear()
