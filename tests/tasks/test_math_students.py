"""The students of the paper on MATH, by their configurations: tiny networks of the same architectures and templates."""

import csv
import json
from pathlib import Path

import pytest
import torch
import yaml
from tiny_models import make_tiny_model

from dataenvgym.cli.main import main
from tests.tasks.math_rows import made

CONFIGS = Path(__file__).parents[2] / "configs"

# In the manner of the two models' own: the beginning-of-sequence token, roles, and what ends a turn.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
LLAMA = (
    "{% for message in messages %}{% set turn = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + "
    "message['content'] | trim + '<|eot_id|>' %}{{ (bos_token if loop.first else '') + turn }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
STUDENTS = {
    "gemma2_2b": (
        "gemma2",
        {
            "chat_template": GEMMA,
            "special_tokens": ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"],
            "bos_token": "<bos>",
        },
    ),
    "llama3_8b": (
        "llama",
        {
            "chat_template": LLAMA,
            "special_tokens": [
                "<|end_of_text|>",
                "<|eot_id|>",
                "<|begin_of_text|>",
                "<|start_header_id|>",
                "<|end_header_id|>",
            ],
            "bos_token": "<|begin_of_text|>",
            "pad_token": None,  # the original tokenizer has none
        },
    ),
}


@pytest.fixture
def records(tmp_path):
    rows = [
        {
            "instruction": f"What is ${n} + {n}$?",
            "response": f"Twice ${n}$.\nThe final answer is $\\boxed{{ {2 * n} }}$.",
            "answer": str(2 * n),
        }
        for n in range(1, 17)
    ]
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def words(command, student, folder, tmp_path):
    return [
        *(command, "--config", str(CONFIGS / "tasks/math.yaml")),
        *("--config", str(CONFIGS / f"students/{student}.yaml")),
        *("--task.init_args.path", str(made()), "--task.init_args.val_per_group", "1"),
        *("--task.init_args.test_size", "20"),
        *("--model.init_args.model_name_or_path", str(folder), "--model.init_args.max_new_tokens", "8"),
        *("--trainer.accelerator", "cpu", "--trainer.log_every_n_steps", "1"),
        *("--trainer.logger", "lightning.pytorch.loggers.CSVLogger"),
        *("--trainer.logger.init_args.save_dir", str(tmp_path / "logs")),
        *("--trainer.default_root_dir", str(tmp_path)),
    ]


def column(tmp_path, name):
    files = sorted((tmp_path / "logs").rglob("metrics.csv"))
    rows = [row for file in files for row in csv.DictReader(file.open())]
    return [float(row[name]) for row in rows if row.get(name)]


@pytest.mark.parametrize("student", STUDENTS)
def test_the_paper_s_hyperparameters(student):
    plain = yaml.safe_load((CONFIGS / f"students/{student}.yaml").read_text())
    model, data, trainer = plain["model"]["init_args"], plain["data"]["init_args"], plain["trainer"]
    wanted = {
        **{
            "tuning": "lora",
            "lora_rank": 16,
            "lora_alpha": 32,
            "lora_dropout": 0.05,
            "lora_target_modules": "all-linear",
        },
        **{"optimizer": "adam", "lr": 1e-4, "schedule": "cosine", "warmup_ratio": 0.1, "max_length": 1024},
    }
    assert wanted.items() <= model.items()
    assert data["batch_size"] * trainer["accumulate_grad_batches"] * trainer["devices"] == 16
    assert trainer["max_epochs"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("student", STUDENTS)
def test_a_student_fits_and_is_evaluated(student, records, tmp_path):
    architecture, tokenizer = STUDENTS[student]
    folder = make_tiny_model(tmp_path / student, architecture, **tokenizer)
    fit = words("fit", student, folder, tmp_path)
    fit += ["--data.init_args.records", str(records), "--model.init_args.lr", "0.02", "--trainer.max_epochs", "3"]
    assert main(fit) == 0
    losses = column(tmp_path, "train/loss_epoch")
    assert len(losses) == 3 and losses[-1] < 0.8 * losses[0]
    assert len(column(tmp_path, "val/accuracy")) == 3, "each epoch ends with a validation"

    checkpoint = next((tmp_path / "logs").rglob("*.ckpt"))
    weights = torch.load(checkpoint, weights_only=False)["state_dict"]
    assert weights and all("lora_" in name for name in weights), "the base weights are on disk already"
    adapted = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in weights}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in weights.values())
    assert all(weight.any() for name, weight in weights.items() if "lora_B" in name), "they began at 0"

    assert main([*words("predict", student, folder, tmp_path), "--ckpt_path", str(checkpoint)]) == 0
