"""DPO: its loss is the formula's, its reference the untrained student, and it teaches what pairs prefer."""

import random
from dataclasses import replace

import pytest
import torch
from fitting import fitted
from lightning.pytorch import Callback
from tiny_vision_models import make_tiny_vision_model

from datamodules import StudentDataModule
from lightning_modules import CausalLMStudent, VisionLanguageStudent
from lightning_modules.callbacks import SkillMetrics
from tasks.errors import ConfigurationError, RecordError
from tasks.math import ProceduralMathTask


def paired(task, record, rng):
    """A record whose rejected response is the answer to another question of its subskill."""
    while True:
        other = task.record(record.skill, record.subskill, rng).response
        if other != record.response:
            return replace(record, rejected=other)


@pytest.fixture(scope="module")
def pairs(small_task, some_records):
    rng = random.Random(2)
    return [paired(small_task, record, rng) for record in some_records]


class Measures(Callback):
    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, outputs, *_):
        logged = {name: value.item() for name, value in trainer.callback_metrics.items()}
        self.seen.append(logged | {"loss": outputs["loss"].item()})


def measured(student, records, task, quiet_trainer, epochs=1, **settings):
    measures = Measures()
    fitted(student, records, task, quiet_trainer, epochs, log_every_n_steps=1, callbacks=[measures], **settings)
    return measures.seen


def log_probability(network, student, record, response):
    encoded = student.prompt_format.encode_record(replace(record, response=response), 500)
    ids = torch.tensor([encoded.input_ids])
    each = network(input_ids=ids).logits[0, :-1].log_softmax(dim=-1).gather(1, ids[0, 1:, None])[:, 0]
    return each[torch.tensor(encoded.labels[1:]) != -100].sum()


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_the_loss_is_the_formulas_against_the_untrained_student(tuning, make_student, pairs, small_task, quiet_trainer):
    untrained = make_student(tuning="full")
    untrained.configure_model()
    # A reference that learnt along would keep every margin at zero.
    student = make_student(tuning=tuning, objective="dpo", dpo_beta=0.3, lora_dropout=0.0, schedule="constant")
    seen = measured(student, pairs, small_task, quiet_trainer, epochs=3)
    assert seen[0]["train/dpo_margin"] == 0 and seen[0]["loss"] == pytest.approx(0.6931, abs=1e-4)
    found = []
    student.eval()
    batches = StudentDataModule(small_task, batch_size=8, shuffle=False).with_records(pairs)
    batches.trainer = type("Place", (), {"lightning_module": student, "global_rank": 0, "world_size": 1})
    student.on_fit_start()
    student.eval()
    with torch.no_grad():
        loss = student._loss(next(iter(batches.train_dataloader())))
        for record in pairs[:8]:
            now, then = (
                log_probability(network, student, record, record.response)
                - log_probability(network, student, record, record.rejected)
                for network in (student.network, untrained.network)
            )
            found.append(0.3 * (now - then))
    margins = torch.stack(found)
    torch.testing.assert_close(loss.total, -torch.nn.functional.logsigmoid(margins).sum(), atol=1e-3, rtol=1e-3)
    assert loss.measures["train/dpo_margin"].item() == pytest.approx(margins.mean().item(), abs=1e-3)
    assert loss.measures["train/dpo_accuracy"].item() == pytest.approx((margins > 0).float().mean().item())


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_margins_rise(tuning, make_student, pairs, small_task, quiet_trainer):
    student = make_student(tuning=tuning, objective="dpo")
    seen = measured(student, pairs, small_task, quiet_trainer, epochs=4)
    assert seen[-1]["train/dpo_margin"] > 0.2 and seen[-1]["train/dpo_accuracy"] > 0.6
    names = set(student.state_dict())
    assert not any("reference" in name for name in names), "the reference is not part of the student"
    assert student._reference == [], "the reference is let go after the fit"


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_precision_is_the_trainers(tuning, precision, make_student, pairs, small_task, quiet_trainer):
    student = make_student(tuning=tuning, objective="dpo")
    fitted(student, pairs, small_task, quiet_trainer, epochs=1, precision=precision)
    assert all(weight.isfinite().all() for weight in student.parameters())


def test_a_student_that_sees_learns_from_pairs(tmp_path, pairs, small_task, quiet_trainer):
    from PIL import Image as pillow

    from tasks.images import Image

    folder = make_tiny_vision_model(tmp_path / "model", "paligemma")
    image = Image.drawn(pillow.new("RGB", (32, 32), (200, 30, 30)))
    student = VisionLanguageStudent(str(folder), objective="dpo", lr=1e-2)
    records = [replace(record, image=image) for record in pairs[:8]]
    seen = measured(student, records, small_task, quiet_trainer, epochs=6, batch_size=4)
    assert seen[0]["train/dpo_margin"] == 0 < seen[-1]["train/dpo_margin"]


def test_sft_ignores_what_is_rejected(make_student, pairs, some_records):
    assert make_student().encode_records(pairs) == make_student().encode_records(some_records)


def test_records_without_a_rejected_response_are_counted(make_student, pairs, some_records):
    with pytest.raises(RecordError, match="3 of 43 records have no rejected response") as caught:
        make_student(objective="dpo").encode_records([*pairs, *some_records[:3]])
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"dpo_beta is 0"):
        make_student(objective="dpo", dpo_beta=0.0)
    with pytest.raises(ConfigurationError, match="objective is 'ppo': choose sft or dpo"):
        make_student(objective="ppo")


def test_truncation_counts_either_response(make_student, pairs):
    student = make_student(objective="dpo")
    longest = max(len(one.rejected.input_ids) for one in student.encode_records(pairs))
    cut = make_student(objective="dpo", max_length=longest - 1).encode_records(pairs)
    assert any(one.rejected.truncated and one.truncated for one in cut)


@pytest.mark.slow
def test_pairs_of_the_procedural_task_raise_margins_and_not_lower_accuracy(quiet_trainer):
    task = ProceduralMathTask(val_size=216, test_size=1)
    rng = random.Random(0)
    records = [paired(task, task.record(*pair, rng), rng) for pair in task.subskill_pairs() for _ in range(8)]

    def accuracy(student):
        metrics = SkillMetrics()
        data = StudentDataModule(task).with_instances({"val": task.instances("val")})
        quiet_trainer(callbacks=[metrics]).predict(student, data)
        return metrics.report("val").overall.value

    settings = {"tuning": "full", "max_new_tokens": 16, "objective": "dpo", "dpo_beta": 0.1, "lr": 5e-5}
    before = accuracy(CausalLMStudent("tiny_text", **settings))
    student = CausalLMStudent("tiny_text", **settings)
    seen = measured(student, records, task, quiet_trainer, epochs=2, batch_size=16, gradient_clip_val=1.0)
    early, late = (sum(one["train/dpo_margin"] for one in part) / len(part) for part in (seen[:5], seen[-5:]))
    after = accuracy(student)
    assert late > early + 0.1
    assert after >= before
