"""Makes tiny, random Hugging Face model folders for tests."""

import random
from pathlib import Path

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}<|user|>{{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL_TOKENS = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"]

_SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}


def make_tiny_tokenizer(chat_template: str | None = CHAT_TEMPLATE, special_tokens: list[str] | None = None, **kwargs):
    """A byte-level BPE of some 350 tokens, digits split one by one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special_tokens = SPECIAL_TOKENS if special_tokens is None else special_tokens
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=350, special_tokens=special_tokens, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    rng = random.Random(0)
    words = ["What", "is", "the", "number", "after", "sort", "round", "digit", "larger", "of", "reverse", "write"]
    texts = [" ".join(rng.choices(words, k=8)) + f" {rng.randrange(10_000)}" for _ in range(200)]
    tokenizer.train_from_iterator(texts, trainer)
    settings = {
        "pad_token": special_tokens[0],
        "eos_token": special_tokens[1],
        "extra_special_tokens": special_tokens[2:],
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=chat_template,
        clean_up_tokenization_spaces=False,
        **{**settings, **kwargs},
    )


def tiny_config(architecture: str, vocabulary: int, pad: int, eos: int):
    """Width 32 and two layers: llama, qwen2, gemma2 (with a window of 8) or gpt2."""
    from transformers import Gemma2Config, GPT2Config, LlamaConfig, Qwen2Config

    ids = {"vocab_size": vocabulary, "pad_token_id": pad, "eos_token_id": eos, "bos_token_id": None}
    if architecture == "llama":
        return LlamaConfig(**_SHAPE, **ids)
    if architecture == "qwen2":
        return Qwen2Config(**_SHAPE, **ids)
    if architecture == "gemma2":
        return Gemma2Config(**_SHAPE, **ids, head_dim=16, sliding_window=8, query_pre_attn_scalar=16)
    if architecture == "gpt2":
        return GPT2Config(**ids, n_positions=256, n_embd=32, n_layer=2, n_head=2)
    raise ValueError(architecture)


def make_tiny_network(architecture: str, vocabulary: int, pad: int, eos: int, seed: int = 0):
    """A random network of a tiny configuration."""
    import torch
    from transformers import AutoModelForCausalLM

    config = tiny_config(architecture, vocabulary, pad, eos)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = AutoModelForCausalLM.from_config(config)
        for weight in network.parameters():  # from_config's are so small that every reply would be the same
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.3)
    return network.eval()


def make_tiny_model(folder: str | Path, architecture: str = "llama", seed: int = 0, **tokenizer_settings) -> Path:
    """Writes a model folder with network, tokenizer and chat template; the same files for the same arguments."""
    tokenizer = make_tiny_tokenizer(**tokenizer_settings)
    network = make_tiny_network(architecture, len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id, seed)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)
