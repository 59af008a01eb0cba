"""What the last layer leaves out changes neither the loss nor a gradient, whatever the architecture."""

import pytest
import torch
import transformers

from lightning_modules.last_layer import last_layer_at
from lightning_modules.objectives import labelled_logits, response_loss

SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
# The name of an architecture, and whether its feed-forward part is one that the saving knows.
ARCHITECTURES = {
    "Llama": True,
    "Mistral": True,
    "Qwen2": True,
    "Qwen3": True,  # norms of queries, which are zero where they are left out
    "Gemma2": True,  # norms after the feed-forward part, and capped logits
    "Phi3": True,  # one projection for queries, keys and values
    "Mixtral": False,
    "GPTNeoX": True,  # attention beside the feed-forward part, not before it
}


def network_of(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    settings = dict(SMALL, num_local_experts=2) if name == "Mixtral" else SMALL
    if name == "GPTNeoX":
        settings = {key: value for key, value in SMALL.items() if key not in ("num_key_value_heads", "head_dim")}
        settings |= {"hidden_dropout": 0.0, "attention_dropout": 0.0}
    config = getattr(transformers, f"{name}Config")(**settings)
    return getattr(transformers, f"{name}ForCausalLM")(config).train()


def a_batch(labelled: bool = True) -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 60, (5, 12), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    for row, start in enumerate((9, 4, 11, 12, 7)):  # one row has no label at all
        labels[row, : start if labelled else 12] = -100
    return {"input_ids": ids, "labels": labels}


def plain(network: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    logits = network(input_ids=batch["input_ids"]).logits[:, :-1].flatten(0, 1)
    return torch.nn.functional.cross_entropy(logits, batch["labels"][:, 1:].flatten(), reduction="sum")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_loss_and_gradients_stay(name: str) -> None:
    batch, found = a_batch(), []
    for loss_of in (plain, lambda network, batch: response_loss(*labelled_logits(network, batch, {})).total):
        network = network_of(name)
        loss = loss_of(network, batch)
        loss.backward()
        found.append((loss, {name: weight.grad for name, weight in network.named_parameters()}))
    (expected, gradients), (loss, ours) = found
    torch.testing.assert_close(loss, expected)
    for name, gradient in gradients.items():
        torch.testing.assert_close(ours[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize(("name", "saves"), ARCHITECTURES.items())
def test_the_feed_forward_part_sees_what_is_learnt_alone(name: str, saves: bool) -> None:
    network, seen = network_of(name), []
    blocks = [module for module in network.modules() if type(module).__name__.endswith("MLP")]
    for block in blocks:
        block.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].shape[:-1].numel()))
    labelled_logits(network, a_batch(), {})
    assert seen == ([60, 17] if saves else [60] * len(blocks))


def test_a_batch_without_labels_is_a_loss_of_zero() -> None:
    network = network_of("Llama")
    loss = response_loss(*labelled_logits(network, a_batch(labelled=False), {})).total
    loss.backward()
    assert loss == 0
    assert all(weight.grad is None or not weight.grad.any() for weight in network.parameters())


def test_outside_the_block_and_under_checkpointing_nothing_is_left_out() -> None:
    network, batch = network_of("Llama"), a_batch()
    before = network(input_ids=batch["input_ids"]).logits
    with last_layer_at(network, torch.zeros(5, 12, dtype=torch.bool)):
        assert not torch.equal(network(input_ids=batch["input_ids"]).logits, before)
    assert torch.equal(network(input_ids=batch["input_ids"]).logits, before)
    network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    with last_layer_at(network, torch.zeros(5, 12, dtype=torch.bool)):
        assert torch.equal(network(input_ids=batch["input_ids"]).logits, before)
