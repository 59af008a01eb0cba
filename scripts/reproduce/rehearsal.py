"""The preset ``rehearsal``: the grid of ``paper`` from end to end on a laptop, so that no paid hour ends in a KeyError.

The same fragments, policies, engines, clients and tables. Instead of what costs money there stand

- students of two layers with random weights: the architecture, the tokenizer's class, the special tokens and the form
  of chat of the paper's student, its vocabulary learnt here;
- at most 24 rows of each split in the benchmark's own fields, made here;
- the tests' own server for chat models and images, through the real clients.

And only these settings are cut: see CUTS, which every page of results lists.
"""

import contextlib
import hashlib
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataenvgym.studies.cells import ROOT
from dataenvgym.studies.presets import Preset

ROWS = 24
CUTS = (
    f"two steps of ten, and so 150 of 750 records; at most {ROWS} rows a split; at most 32 new tokens; a CPU in the "
    "place of a GPU, and so float32 (bfloat16 takes several times as long there); images from an endpoint instead of "
    "SDXL-Turbo"
)
# Named by what makes it: what was made by other code is not used.
_MAKERS = [Path(__file__), ROOT / "tests/tasks/vqa_folders.py", *sorted((ROOT / "tests/tasks").glob("*_rows.py"))]
_MAKERS += sorted((ROOT / "tests").glob("tiny*.py"))
_HASH = hashlib.sha256(b"".join(path.read_bytes() for path in _MAKERS)).hexdigest()[:8]
MADE = ROOT / "runs" / "reproduce" / f"rehearsal-{_HASH}"
_STUDENTS = {"gemma2_2b": "gemma2", "llama3_8b": "llama3", "paligemma_3b": "paligemma"}
_SETTINGS: dict[str, dict[str, Any]] = {
    "math": {"task.init_args.val_per_group": 1},
    "naturalbench": {"task.init_args.groups": ROWS // 4},
}


def rehearsed(paper: Preset) -> Preset:
    """The rehearsal of a preset."""
    domains = {}
    for name, domain in paper.domains.items():
        settings = {
            **domain.overrides,
            **_SETTINGS.get(name, {}),
            "task.init_args.path": str(MADE / name),
            "model.init_args.model_name_or_path": str(MADE / domain.student),
            "model.init_args.max_new_tokens": 32,
            "model.init_args.dtype": "float32",
            "trainer.accelerator": "cpu",
            "trainer.precision": "32-true",
            "data.init_args.num_workers": 0,
        }
        if "teacher.init_args.engine" in settings:
            settings["teacher.init_args.engine"] = {
                "class_path": "teachers.engines.LLMEngine",
                "init_args": {
                    "illustrator": {
                        "class_path": "teachers.engines.OpenAIImagesIllustrator",
                        "init_args": {"folder": str(MADE / "illustrations")},
                    }
                },
            }
        domains[name] = replace(domain, overrides=settings)
    return replace(
        paper,
        name="rehearsal",
        domains=domains,
        records=150,
        steps=2,
        seeds=2,
        surroundings=surroundings,
        launcher="warm",
        note="A REHEARSAL, whose numbers mean nothing: random students of two layers, rows of our own, the tests' "
        f"server as chat model; cut: {CUTS}.",
    )


@contextlib.contextmanager
def surroundings() -> Iterator[None]:
    """Rows and students, made once, and a server for as long as cells run."""
    if not MADE.is_dir():
        MADE.parent.mkdir(parents=True, exist_ok=True)
        begun = Path(tempfile.mkdtemp(prefix=f"{MADE.name}.", dir=MADE.parent))
        make_rows(begun)
        for student, architecture in _STUDENTS.items():
            make_student(begun / student, architecture)
        with contextlib.suppress(OSError):  # another table made it meanwhile
            begun.rename(MADE)
        shutil.rmtree(begun, ignore_errors=True)
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "llm_server.py"), "--brain", "imitating_brain:imitating_brain"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    before = dict(os.environ)
    try:
        assert server.stdout is not None and server.stdin is not None
        os.environ["OPENAI_BASE_URL"] = json.loads(server.stdout.readline())["url"]
        os.environ["OPENAI_API_KEY"] = "test-key-0123456789"
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        if server.stdin is not None:
            server.stdin.close()  # at which it ends
        server.wait()


def make_rows(folder: Path) -> None:
    """Rows of the five benchmarks in their own fields, a folder for each."""
    code_rows, math_rows, tool_use_rows, vqa_folders = (
        _of_the_tests(f"tasks.{name}") for name in ("code_rows", "math_rows", "tool_use_rows", "vqa_folders")
    )
    math_rows.write_rows(
        folder / "math", train=math_rows.make_rows(1)[:ROWS], test=math_rows.make_rows(1, start=10_000)[:ROWS]
    )
    problems = [code_rows.livecodebench_row(number) for number in range(2 * ROWS)]
    math_rows.write_rows(folder / "livecodebench", release_v1=problems[:ROWS], release_v2=problems)
    requests = [
        {**row, "id": 100 * turn + row["id"], "user_request": f"{row['user_request']} Take {turn} minutes at most."}
        for turn in range(2 * ROWS // 6)
        for row in tool_use_rows.make_rows()
    ]
    random.Random(0).shuffle(requests)
    math_rows.write_rows(folder / "mnms", **{tool_use_rows.VERIFIED: requests, tool_use_rows.FILTERED: requests[:ROWS]})
    vqa_folders.make_gqa(folder / "gqa", per_type=ROWS // 4)
    vqa_folders.make_naturalbench(folder / "naturalbench", groups=ROWS // 2)


def _of_the_tests(name: str) -> Any:
    """A module of the tests: rows and models, which are not typed, and import one another from their folder."""
    for place in (str(ROOT / "tests"), str(ROOT)):  # here alone: every table imports this module, for the preset
        if place not in sys.path:
            sys.path.insert(0, place)
    return importlib.import_module(f"tests.{name}")


def make_student(folder: Path, architecture: str) -> None:
    """A student of two layers with random weights."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    if architecture == "paligemma":
        processor, config = _of_the_tests("tiny_vision_models").paligemma(gemma_tokenizer())
        network: Any = AutoModelForImageTextToText.from_config(config)
        processor.save_pretrained(folder)
    else:
        tokenizer = gemma_tokenizer() if architecture == "gemma2" else llama3_tokenizer()
        ids = {"pad": tokenizer.pad_token_id or tokenizer.eos_token_id, "eos": tokenizer.eos_token_id}
        config = _of_the_tests("tiny_models").tiny_config(
            "gemma2" if architecture == "gemma2" else "llama", len(tokenizer), **ids
        )
        config.max_position_embeddings = 2048
        network = AutoModelForCausalLM.from_config(config)
        tokenizer.save_pretrained(folder)
        ends = ["<eos>", "<end_of_turn>"] if architecture == "gemma2" else ["<|end_of_text|>", "<|eot_id|>"]
        network.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(ends)
    torch.manual_seed(0)
    for weight in network.parameters():  # those of from_config are so small that every reply would be the same
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.2)
    network.to(torch.bfloat16).save_pretrained(folder)


# The forms of a chat, as the makers of the students describe them.
_GEMMA_CHAT = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('there is no system role') }}{% endif %}"
    "{% for message in messages %}<start_of_turn>{{ 'model' if message['role'] == 'assistant' else 'user' }}\n"
    "{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
_LLAMA_CHAT = (
    "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}<|start_header_id|>{{ message['role'] }}"
    "<|end_header_id|>\n\n{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def gemma_tokenizer() -> Any:
    """Of Gemma's class: words behind a mark, bytes for what its vocabulary lacks."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import GemmaTokenizer

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    learnt = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    learnt.normalizer = normalizers.Replace(" ", "▁")
    learnt.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    learnt.train_from_iterator(_texts(), trainers.BpeTrainer(vocab_size=800, special_tokens=[*special, *bytes_]))
    model = json.loads(learnt.to_str())["model"]
    return GemmaTokenizer(
        vocab=model["vocab"],
        merges=[tuple(merge) for merge in model["merges"]],  # type: ignore[misc]  # pairs, as tokenizers has them
        extra_special_tokens=["<start_of_turn>", "<end_of_turn>"],
        chat_template=_GEMMA_CHAT,
    )


def llama3_tokenizer() -> Any:
    """Of Llama 3's class: byte-level, no padding token, turns that end with a token of their own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learnt.train_from_iterator(
        _texts(), trainers.BpeTrainer(vocab_size=800, special_tokens=special, initial_alphabet=alphabet)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=learnt,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        extra_special_tokens=special[1:4],
        chat_template=_LLAMA_CHAT,
        clean_up_tokenization_spaces=False,
    )


def _texts() -> list[str]:
    """What the vocabularies are learnt from: questions and answers of the offline tasks."""
    from tasks.code import ProceduralCodeTask
    from tasks.math import ProceduralMathTask

    texts = []
    for task in (ProceduralMathTask(), ProceduralCodeTask()):
        texts += [f"{instance.instruction} {instance.answer}" for instance in task.instances("val")]
    return texts
