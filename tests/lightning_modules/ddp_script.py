"""Fits and evaluates on so many ranks and writes down what happened; test_ddp.py runs it in processes of its own."""

# ruff: noqa: E402

import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT)]

import torch
from lightning.pytorch import Trainer, seed_everything

from datamodules import StudentDataModule
from lightning_modules import CausalLMStudent
from lightning_modules.callbacks import FeedbackWriter, SkillMetrics
from tasks.math import ProceduralMathTask


def measure(model: str, out: Path, tuning: str, world: int) -> Path:
    seed_everything(3, verbose=False)
    task = ProceduralMathTask(val_size=55, test_size=1)  # uneven, and fewer test instances than ranks
    rng = random.Random(0)
    records = [task.record(*pair, rng) for pair in task.subskill_pairs()[:32]]
    # Without shuffling, the two ranks' batches of four are the single process's batch of eight.
    data = StudentDataModule(task, batch_size=8 // world, eval_tokens_per_batch=600, shuffle=False)
    student = CausalLMStudent(
        model, tuning=tuning, lr=1e-2, lora_dropout=0.0, max_new_tokens=5, schedule="constant", optimizer="adam"
    )
    metrics = SkillMetrics()
    settings = {
        "accelerator": "cpu",
        "devices": world,
        "strategy": "ddp" if world > 1 else "auto",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = Trainer(**settings, max_epochs=1, callbacks=[metrics])
    trainer.fit(student, data.with_records(records))
    within_fit = [prediction.instance_id for prediction in metrics.predictions("val")]
    trainer = Trainer(**settings, callbacks=[metrics, FeedbackWriter(out / f"{tuning}{world}")])
    trainer.predict(student, data)
    weights = torch.cat([weight.detach().flatten() for weight in student.parameters() if weight.requires_grad])
    found = {
        "within_fit": within_fit,
        "val": [[one.instance_id, one.text, one.score] for one in metrics.predictions("val")],
        "test": [one.instance_id for one in metrics.predictions("test")],
        "accuracy": metrics.report("val").overall.value,
        "weights": weights.tolist(),
    }
    file = out / f"{tuning}{world}_rank{trainer.global_rank}.json"
    file.write_text(json.dumps(found))
    trainer.strategy.barrier()
    return file


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in ("lora", "full"):
        measure(sys.argv[1], Path(sys.argv[2]), chosen, world=2)
