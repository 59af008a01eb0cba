"""The last layer of a decoder, computed only at the positions whose output is used."""

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from lightning_modules.generation import unwrapped


@contextlib.contextmanager
def last_layer_at(network: Any, positions: Tensor) -> Iterator[None]:
    """While the block runs, a forward pass leaves out of the last layer what does not reach these positions.

    No later layer reads the other positions, so outputs and gradients at the given ones stay the same, up to the
    rounding of matrix products of another height. A student of four layers whose replies are a quarter of the tokens
    saves a seventh of a training step; the more layers, the smaller the share. A last layer without the usual parts
    (a mixture of experts, a fused projection) runs as it is, wholly or in part.

    Args:
        network: A causal language model, in a LoRA wrapper or not.
        positions: True where the output is used, of shape (rows, width).
    """
    index = positions.flatten().nonzero().squeeze(1)

    def gather(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        (hidden,) = inputs
        return (hidden.reshape(positions.numel(), -1).index_select(0, index).unsqueeze(0),)

    def scatter(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        everywhere = output.new_zeros(positions.numel(), output.shape[-1])
        return everywhere.index_copy(0, index, output.squeeze(0)).view(*positions.shape, -1)

    with contextlib.ExitStack() as hooks:
        for part in _parts_by_position(last_layer(network)):
            hooks.callback(part.register_forward_pre_hook(gather).remove)
            hooks.callback(part.register_forward_hook(scatter).remove)
        yield


def last_layer(network: Any) -> Any:
    """The last layer of a network's decoder, None where it is not kept as those of transformers usually are."""
    base = unwrapped(network)
    layers = getattr(base.get_decoder() if hasattr(base, "get_decoder") else base, "layers", None)
    return layers[-1] if isinstance(layers, nn.ModuleList) and len(layers) else None


def _parts_by_position(layer: nn.Module | None) -> list[nn.Module]:
    """What acts on each position by itself; keys and values are needed everywhere."""
    if getattr(layer, "gradient_checkpointing", True):  # computed again when the hooks are gone
        return []
    mlp, attention = getattr(layer, "mlp", None), getattr(layer, "self_attn", None)
    parts = [getattr(attention, "q_proj", None), getattr(attention, "o_proj", None)]
    # By name, since a mixture of experts may route positions together, or return more than a tensor.
    parts.append(mlp if type(mlp).__name__.endswith("MLP") else None)
    return [part for part in parts if isinstance(part, nn.Module)]
