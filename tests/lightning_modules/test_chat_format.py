"""The chat format: the same text in training and evaluation, under templates like those of real models."""

import json

import pytest
from huggingface_hub import constants
from tiny_models import make_tiny_tokenizer
from transformers import AutoTokenizer

from lightning_modules.base_weights import load_chat_format, resolve_model
from lightning_modules.chat_format import ChatFormat
from tasks.errors import StudentError
from tasks.types import TrainingRecord

GEMMA = (
    "{{ bos_token }}{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else 'user' %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
QWEN = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}"
    "{% endfor %}"
)
NO_MARK = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
TEMPLATES = {
    "gemma": (GEMMA, ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"], "<end_of_turn>"),
    "llama": (
        LLAMA,
        ["<pad>", "<eos>", "<bos>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        "<|eot_id|>",
    ),
    "qwen": (QWEN, ["<pad>", "<eos>", "<bos>", "<|im_start|>", "<|im_end|>"], "<|im_end|>"),
    "mistral": (MISTRAL, ["<pad>", "</s>", "<bos>"], "</s>"),
    "no_mark": (NO_MARK, ["<pad>", "</s>", "<bos>"], "</s>"),
}


@pytest.fixture(scope="module", params=TEMPLATES)
def case(request):
    template, special, end = TEMPLATES[request.param]
    tokenizer = make_tiny_tokenizer(template, special, bos_token="<bos>")
    return ChatFormat(tokenizer, request.param), tokenizer, end


def asked(instruction, response=""):
    return TrainingRecord(instruction, response, response)


def test_training_prefix_is_the_evaluation_prompt(case):
    chat, tokenizer, _ = case
    for instruction in ("Sort 3 1 2", " What is 4 + 5? ", "a\n\nb"):
        record = chat.encode_record(asked(instruction, "6 7"), max_length=500)
        prompt = chat.encode_prompt(asked(instruction))
        assert record.input_ids[: len(prompt)] == prompt
        assert record.labels[: len(prompt)] == [-100] * len(prompt)
        assert record.labels[len(prompt) :] == record.input_ids[len(prompt) :]
        rendered = tokenizer.apply_chat_template(
            [{"role": "user", "content": instruction}], add_generation_prompt=True, return_dict=False
        )
        assert prompt == list(rendered)


def test_last_label_ends_the_turn_and_decoding_stops_there(case):
    chat, tokenizer, end = case
    end_id = tokenizer.convert_tokens_to_ids(end)
    record = chat.encode_record(asked("Sort 3 1 2", "1 2 3"), max_length=500)
    assert record.labels[-1] == end_id
    assert end_id in chat.stop_ids and tokenizer.eos_token_id in chat.stop_ids
    learnt = [label for label in record.labels if label != -100]
    assert chat.decode(learnt).strip() == "1 2 3", "no past-turn decoration may be learnt"


def test_one_beginning_of_sequence_at_most(case):
    chat, tokenizer, _ = case
    ids = chat.encode_record(asked("Sort 3 1 2", "1 2 3"), max_length=500).input_ids
    assert ids.count(tokenizer.bos_token_id) == int("bos_token" in tokenizer.chat_template)


def test_truncation_is_reported(case):
    chat, _, _ = case
    whole = chat.encode_record(asked("Sort 3 1 2", "1 2 3"), max_length=500)
    exact = chat.encode_record(asked("Sort 3 1 2", "1 2 3"), max_length=len(whole.input_ids))
    cut = chat.encode_record(asked("Sort 3 1 2", "1 2 3"), max_length=len(whole.input_ids) - 1)
    assert not whole.truncated and exact == whole
    assert cut.truncated and cut.input_ids == whole.input_ids[:-1] and cut.labels == whole.labels[:-1]


def test_date_in_a_template_is_fixed():
    dated = (
        "{% if date_string is not defined %}{{ strftime_now('%d') }}{% else %}{{ date_string }}{% endif %}" + MISTRAL
    )
    chat = ChatFormat(make_tiny_tokenizer(dated, ["<pad>", "</s>", "<bos>"], bos_token="<bos>"), "dated")
    assert "26 Jul 2024" in chat.decode(chat.encode_prompt(asked("x")))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"chat_template": None}, "has no chat template"),
        ({"pad_token": None, "eos_token": None}, "set tokenizer.pad_token"),
        ({"chat_template": NO_MARK, "eos_token": None}, "set tokenizer.eos_token"),
    ],
)
def test_a_tokenizer_that_lacks_something_is_one_line(settings, words):
    with pytest.raises(StudentError, match=words) as caught:
        ChatFormat(make_tiny_tokenizer(**settings), "my/model")
    assert "my/model" in str(caught.value) and "\n" not in str(caught.value).replace("'\\n'", "")


def test_a_tokenizer_without_a_pad_token_pads_with_its_end_of_sequence_token():
    chat = ChatFormat(make_tiny_tokenizer(pad_token=None), "my/model")
    assert chat.pad_token_id == chat.tokenizer.eos_token_id


@pytest.mark.parametrize("offline", [False, True])
def test_a_saved_tokenizer_does_not_tell_whether_it_was_read_offline(tmp_path, offline, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    location = resolve_model("tiny_text")
    assert "local_files_only" in AutoTokenizer.from_pretrained(location).init_kwargs, "nothing is left out any more"
    load_chat_format.__wrapped__(location, None).save(tmp_path)
    assert "local_files_only" not in json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))
