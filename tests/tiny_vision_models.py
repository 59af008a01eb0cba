"""Makes tiny, random vision-language model folders for tests: PaliGemma's way, LLaVA's and Idefics3's."""

from pathlib import Path

from tiny_models import make_tiny_tokenizer

IMAGE_SIZE, PATCH = 32, 8
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper }}: "
    "{% for part in message['content'] %}{{ '<image>\n' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "{{ '</s>' if message['role'] == 'assistant' else '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT: ' }}{% endif %}"
)
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": IMAGE_SIZE,
    "patch_size": PATCH,
}


def paligemma(tokenizer=None):
    """Processor and configuration of a PaliGemma: no chat template, prompts that see themselves both ways."""
    from transformers import GemmaConfig, PaliGemmaConfig, PaliGemmaProcessor, SiglipImageProcessorPil
    from transformers import SiglipVisionConfig as VisionConfig

    tokenizer = tokenizer or make_tiny_tokenizer(None, ["<pad>", "<eos>"], bos_token="<bos>")
    tokenizer.chat_template = None
    images = SiglipImageProcessorPil(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE})
    images.image_seq_length = (IMAGE_SIZE // PATCH) ** 2
    processor = PaliGemmaProcessor(images, tokenizer)  # adds a thousand tokens for places in images
    vocabulary = len(processor.tokenizer)
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": tokenizer.bos_token_id}
    config = PaliGemmaConfig(
        text_config=GemmaConfig(**_TEXT, vocab_size=vocabulary, head_dim=16, tie_word_embeddings=True, **ids),
        vision_config=VisionConfig(**_VISION, projection_dim=32, vision_use_head=False),
        image_token_index=processor.image_token_id,
        projection_dim=32,
        hidden_size=32,
        **ids,
    )
    return processor, config


def _llava():
    """Processor and configuration of a LLaVA: a chat template, a CLIP tower that is read before its last layer."""
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaProcessor

    tokenizer = make_tiny_tokenizer(None, ["<pad>", "</s>", "<image>"], bos_token="<s>")
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    images = CLIPImageProcessorPil(size={"shortest_edge": IMAGE_SIZE}, crop_size=size)
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": tokenizer.bos_token_id}
    config = LlavaConfig(
        text_config=LlamaConfig(**_TEXT, vocab_size=len(tokenizer), **ids),
        vision_config=CLIPVisionConfig(**_VISION, projection_dim=32),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
    )
    return processor, config


def _idefics3():
    """Processor and configuration of an Idefics3: a chat template, images cut into tiles of their own number."""
    from transformers import Idefics3Config, Idefics3ImageProcessorPil, Idefics3Processor, LlamaConfig

    special = ["<pad>", "</s>", "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    tokenizer = make_tiny_tokenizer(None, special, bos_token="<s>")
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * IMAGE_SIZE}, max_image_size={"longest_edge": IMAGE_SIZE}
    )
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=CHAT_TEMPLATE)
    vision = {**_VISION, "model_type": "idefics3_vision"}
    config = Idefics3Config(
        text_config=LlamaConfig(**_TEXT, vocab_size=len(processor.tokenizer), pad_token_id=0, eos_token_id=1),
        vision_config=vision,
        image_token_id=processor.tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
    )
    return processor, config


FAMILIES = {"paligemma": paligemma, "llava": _llava, "idefics3": _idefics3}


def make_tiny_vision_model(folder: str | Path, family: str, seed: int = 0) -> Path:
    """Writes a model folder with network and processor; the same files for the same arguments."""
    import torch
    from transformers import AutoModelForImageTextToText

    processor, config = FAMILIES[family]()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = AutoModelForImageTextToText.from_config(config)
        for weight in network.parameters():  # from_config's are so small that every reply would be the same
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.2)
    network.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return Path(folder)
