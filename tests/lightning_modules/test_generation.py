"""Decoding: equal to Hugging Face's greedy generate, and sampling that does not depend on the batch."""

import pytest
import torch
from tiny_models import make_tiny_network

from lightning_modules.generation import accepts, decode, merged_adapters, row_uniforms

VOCABULARY, PAD, EOS = 40, 0, 1


def prompts(lengths):
    generator = torch.Generator().manual_seed(3)
    width = max(lengths)
    ids, mask = torch.full((len(lengths), width), PAD), torch.zeros(len(lengths), width, dtype=torch.long)
    for row, length in enumerate(lengths):
        ids[row, width - length :] = torch.randint(4, VOCABULARY, (length,), generator=generator)
        mask[row, width - length :] = 1
    return ids, mask


def cut(row, stops):
    row = row.tolist()
    for place, token in enumerate(row):
        if token in stops:
            return row[:place], False
    return row, True


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma2", "gpt2"])
@pytest.mark.parametrize("lengths", [[3, 14, 7, 1, 14, 9, 12, 5], [6, 6, 6, 6]])
@torch.inference_mode()
def test_equals_hugging_face_generate(architecture, lengths):
    network = make_tiny_network(architecture, VOCABULARY, PAD, EOS)
    ids, mask = prompts(lengths)
    # Many stop tokens make the rows end at different steps, so that rows are dropped on the way.
    stops = frozenset({EOS, *range(4, 10)})
    expected = network.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=20,
        do_sample=False,
        pad_token_id=PAD,
        eos_token_id=sorted(stops),
    )[:, ids.shape[1] :]
    found = decode(network, ids, mask, stops, PAD, max_new_tokens=20)
    assert found == [cut(row, stops) for row in expected]
    assert len({len(tokens) for tokens, _ in found}) > 1, "the rows should end at different steps"


@torch.inference_mode()
def test_a_row_that_never_ends_is_truncated():
    network = make_tiny_network("llama", VOCABULARY, PAD, EOS)
    ids, mask = prompts([4, 6])
    found = decode(network, ids, mask, frozenset({VOCABULARY + 1}), PAD, max_new_tokens=5)
    assert [(len(tokens), truncated) for tokens, truncated in found] == [(5, True), (5, True)]


@torch.inference_mode()
def test_pad_token_may_be_the_stop_token():
    network = make_tiny_network("llama", VOCABULARY, EOS, EOS)
    ids, mask = prompts([4, 9, 2, 7])
    stops = frozenset({EOS, *range(4, 14)})
    with_other_pad = decode(network, ids, mask, stops, PAD, max_new_tokens=20)
    assert decode(network, ids, mask, stops, EOS, max_new_tokens=20) == with_other_pad


@torch.inference_mode()
def test_sampling_follows_seed_and_instance_and_not_the_batch():
    network = make_tiny_network("llama", VOCABULARY, PAD, EOS)
    ids, mask = prompts([5, 5, 5, 5])

    def sample(rows, seed):
        return decode(network, ids[rows], mask[rows], frozenset({EOS}), PAD, 10, 1.0, row_uniforms(seed, rows, 10))

    together = sample([0, 1, 2, 3], seed=1)
    assert together == sample([0, 1], seed=1) + sample([2, 3], seed=1)
    assert together != sample([0, 1, 2, 3], seed=2)
    assert together != decode(network, ids, mask, frozenset({EOS}), PAD, 10)


def test_samples_have_the_distribution_of_the_logits():
    class Fixed(torch.nn.Module):
        def forward(self, input_ids, attention_mask=None):
            logits = torch.tensor([0.7, 0.2, 0.1]).log().expand(*input_ids.shape, 3)
            return type("Output", (), {"logits": logits})

    rows = list(range(4_000))
    ids = torch.zeros(len(rows), 2, dtype=torch.long)
    for temperature, share in ((1.0, 0.7), (0.5, 0.49 / 0.54)):
        found = decode(Fixed(), ids, torch.ones_like(ids), frozenset({9}), 0, 1, temperature, row_uniforms(0, rows, 1))
        assert sum(tokens == [0] for tokens, _ in found) / len(rows) == pytest.approx(share, abs=0.03)


def test_merged_adapters_change_nothing_but_the_speed():
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    network = get_peft_model(make_tiny_network("llama", VOCABULARY, PAD, EOS), config).eval()
    assert accepts(network, "logits_to_keep")
    before = {name: (weight, weight.detach().clone()) for name, weight in network.named_parameters()}
    ids, _ = prompts([6, 6])
    with torch.inference_mode():
        plain = network(input_ids=ids).logits
        with merged_adapters(network):
            assert network.base_model.model.model.layers[0].mlp.up_proj.merged
            merged = network(input_ids=ids).logits
        after = network(input_ids=ids).logits
    torch.testing.assert_close(plain, merged, atol=1e-4, rtol=1e-4)
    assert torch.equal(plain, after)
    for name, weight in network.named_parameters():
        assert weight is before[name][0] and torch.equal(weight, before[name][1])


def test_inputs_of_the_first_turn_need_a_cache():
    class NoCache(torch.nn.Module):
        def forward(self, input_ids, pixel_values=None, attention_mask=None):
            raise NotImplementedError

    ids, mask = prompts([3, 3])
    with pytest.raises(AssertionError, match="needs a cache"):
        decode(NoCache(), ids, mask, frozenset({EOS}), PAD, 2, first_inputs={"pixel_values": torch.ones(2, 1)})
