"""The configurations of students that see run as they stand, but for the device: fit, then predict, by the commands."""

import random
from pathlib import Path

import pytest
import yaml
from tiny_vision_models import make_tiny_vision_model

from dataenvgym.cli.main import main
from datamodules import StudentDataModule
from lightning_modules import VisionLanguageStudent
from lightning_modules.callbacks import SkillMetrics
from tasks.records import write_json_lines
from tasks.vqa import ProceduralVQATask

CONFIGS = Path(__file__).parent.parent.parent / "configs"


@pytest.fixture(scope="module")
def vqa_records(tmp_path_factory):
    task, rng = ProceduralVQATask(preferences=True), random.Random(0)
    path = tmp_path_factory.mktemp("records") / "records.jsonl"
    write_json_lines(path, [task.record(*pair, rng) for pair in task.subskill_pairs()])
    return path


def words_of(command, config, model, out, *extra):
    return [
        command,
        *("--config", str(CONFIGS / "tasks/vqa_procedural.yaml")),
        *("--config", str(CONFIGS / "students" / f"{config}.yaml")),
        *("--model.init_args.model_name_or_path", str(model)),
        *("--model.init_args.max_new_tokens", "3"),
        *("--task.init_args.val_size", "6", "--task.init_args.test_size", "3"),
        *("--trainer.accelerator", "cpu", "--trainer.default_root_dir", str(out)),
        *("--data.init_args.num_workers", "0"),
        *extra,
    ]


@pytest.mark.parametrize(
    ("config", "family", "objective"),
    [
        ("paligemma_3b", "paligemma", "sft"),
        ("llava_1.5_7b", "llava", "sft"),
        ("tiny_vlm", "paligemma", "sft"),
        ("tiny_vlm", "llava", "dpo"),
    ],
)
def test_configuration_fits_and_predicts(config, family, objective, vqa_records, tmp_path, capfd):
    model = make_tiny_vision_model(tmp_path / "model", family)
    extra = ("--model.init_args.objective", objective, "--data.init_args.records", str(vqa_records))
    limits = ("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.logger", "false")
    assert main(words_of("fit", config, model, tmp_path, *extra, *limits)) == 0
    assert main(words_of("predict", config, model, tmp_path, "--trainer.logger", "false")) == 0


def test_the_shipped_student_starts_uneven(quiet_trainer):
    task, metrics = ProceduralVQATask(val_size=120, test_size=1), SkillMetrics()
    data = StudentDataModule(task).with_instances({"val": task.instances("val")})
    quiet_trainer(callbacks=[metrics]).predict(VisionLanguageStudent("tiny_vlm", max_new_tokens=6), data)
    report = metrics.report("val")
    assert 0.4 < report.overall.value < 0.7
    assert report.skills["size"].value > 0.85 and report.skills["comparison"].value < 0.4


def test_papers_hyperparameters_stand_in_the_configuration():
    config = yaml.safe_load((CONFIGS / "students/paligemma_3b.yaml").read_text())
    model, trainer = config["model"]["init_args"], config["trainer"]
    lora = [model[f"lora_{name}"] for name in ("rank", "alpha", "dropout", "target_modules")]
    assert lora == [16, 32, 0.05, "all-linear"]
    assert (model["optimizer"], model["lr"], model["weight_decay"], model["warmup_steps"]) == ("adamw", 2e-5, 1e-6, 2)
    accumulated = trainer.get("accumulate_grad_batches", 1)
    assert config["data"]["init_args"]["batch_size"] * accumulated == 16
    assert (trainer["max_epochs"], trainer["precision"]) == (10, "bf16-mixed")
    assert model["max_new_tokens"] == 100


def test_a_text_student_on_images_is_one_line(tiny_model, tmp_path, capfd):
    words = words_of("validate", "tiny_text", tiny_model, tmp_path, "--trainer.logger", "false")
    assert main(words) == 2
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert "reads text alone" in error and "VisionLanguageStudent" in error
