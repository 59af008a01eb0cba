"""The callbacks: every instance scored once, the right files, samples in TensorBoard."""

import json

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from datamodules import StudentDataModule
from lightning_modules.callbacks import FeedbackWriter, SampleLogger, SkillMetrics
from lightning_modules.callbacks.skill_metrics import ReplyScores
from tasks.errors import ConfigurationError
from tasks.math import ProceduralMathTask


def test_reply_scores_keep_texts_and_positions():
    scores = ReplyScores(5)
    scores.update([3, 0], [1.0, 0.0], [False, True], ["naïve 🙂\n", ""])
    scores.update([1], [0.5], [False], ["\ud800x"])
    assert scores.compute() == {0: (0.0, True, ""), 1: (0.5, False, "?x"), 3: (1.0, False, "naïve 🙂\n")}
    scores.reset()
    scores.update([], [], [], [])
    assert scores.compute() == {}


def test_an_instance_answered_twice_is_found():
    scores = ReplyScores(2)
    scores.update([1, 1], [0.0, 0.0], [False, False], ["a", "b"])
    with pytest.raises(AssertionError, match="twice"):
        scores.compute()


@pytest.mark.parametrize("tokens", [64, 16_384])
def test_predictions_cover_every_instance_in_order(tokens, make_student, small_task, quiet_trainer):
    metrics = SkillMetrics()
    data = StudentDataModule(small_task, eval_tokens_per_batch=tokens)
    quiet_trainer(callbacks=[metrics]).predict(make_student(), data)
    assert metrics.names == ["val", "test"]
    for name in ("val", "test"):
        instances, predictions = small_task.instances(name), metrics.predictions(name)
        assert [one.instance_id for one in predictions] == [one.instance_id for one in instances]
        assert [one.instance for one in metrics.answered(name)] == list(instances)
        for instance, prediction in zip(instances, predictions, strict=True):
            assert prediction.score == small_task.score(instance, prediction.text)
        report = metrics.report(name)
        assert report.overall.n == len(instances)
        assert sum(part.n for part in report.skills.values()) == len(instances)
    with pytest.raises(ConfigurationError, match="'probe' was not measured; measured: val, test"):
        metrics.predictions("probe")


def test_probes_are_measured_under_their_own_names(make_student, small_task, quiet_trainer):
    metrics = SkillMetrics(small_task)
    sets = {"first": small_task.instances("val")[:3], "second": small_task.instances("val")[5:6]}
    quiet_trainer(callbacks=[metrics]).predict(make_student(), StudentDataModule(small_task).with_instances(sets))
    assert [len(metrics.predictions(name)) for name in metrics.names] == [3, 1]


def test_validate_test_and_fit_log_accuracy(make_student, small_task, some_records, quiet_trainer, tmp_path):
    metrics, student = SkillMetrics(), make_student()
    data = StudentDataModule(small_task).with_records(some_records)
    logger = TensorBoardLogger(tmp_path)
    trainer = quiet_trainer(
        max_epochs=2,
        log_every_n_steps=1,
        logger=logger,
        num_sanity_val_steps=1,
        callbacks=[metrics, FeedbackWriter(tmp_path / "feedback"), SampleLogger(count=4)],
    )
    trainer.fit(student, data)
    assert metrics.report("val").overall.n == 54, "the sanity check must not count"
    assert trainer.callback_metrics["val/accuracy"] == pytest.approx(metrics.report("val").overall.value)
    assert trainer.test(student, data, verbose=False)[0]["test/accuracy"] == metrics.report("test").overall.value
    events = EventAccumulator(logger.log_dir, size_guidance={"tensors": 0}).Reload()
    scalars = set(events.Tags()["scalars"])
    assert {"val/accuracy", "val/skill/sorting", "test/accuracy", "train/loss", "train/loss_epoch"} <= scalars
    assert len(events.Scalars("val/accuracy")) == 2
    assert events.Scalars("train/truncated_records")[0].value == 0
    text = events.Tensors("samples/val/text_summary")[-1].tensor_proto.string_val[0].decode()
    assert small_task.instances("val")[0].instruction in text
    assert text.count("\n") <= 2 + 4 - 1


def test_feedback_is_of_validation_alone(make_student, small_task, quiet_trainer, tmp_path):
    metrics = SkillMetrics()
    writer = FeedbackWriter(tmp_path / "step", metrics)
    quiet_trainer(callbacks=[writer, metrics]).predict(make_student(), StudentDataModule(small_task))
    rows = [json.loads(line) for line in (tmp_path / "step" / "predictions.jsonl").read_text().splitlines()]
    assert [row["split"] for row in rows] == ["val"] * 54 + ["test"] * 30
    assert set(rows[0]) == {"instance_id", "text", "score", "truncated", "split", "skill"}
    text = (tmp_path / "step" / "feedback.json").read_text()
    feedback = json.loads(text)
    assert feedback["n"] == 54 and feedback["accuracy"] == metrics.report("val").overall.value
    assert len(feedback["errors"]) == sum(one.score < 1 for one in metrics.predictions("val"))
    assert "test-0" not in text
    for instance in small_task.instances("test"):
        assert json.dumps(instance.instruction) not in text


def test_feedback_is_by_the_skills_that_are_shown(make_student, small_task, quiet_trainer, tmp_path):
    class Halves:
        def skills(self):
            return ["late", "early", "neither"]

        def skill_of(self, instance):
            number = int(instance.instance_id.split("-")[1])
            return None if number == 0 else "early" if number < 20 else "late"

    metrics = SkillMetrics()
    writer = FeedbackWriter(tmp_path, metrics, skills=Halves())
    quiet_trainer(callbacks=[writer, metrics]).predict(make_student(), StudentDataModule(small_task))
    feedback = json.loads((tmp_path / "feedback.json").read_text())
    counts = {name: part["n"] for name, part in feedback["skills"].items()}
    assert list(counts.items()) == [("late", 34), ("early", 19), ("neither", 0)]
    assert feedback["skills"]["neither"]["accuracy"] is None
    assert {row["skill"] for row in feedback["errors"]} <= {"late", "early", None}
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert {row["skill"] for row in rows} <= set(small_task.skills()), "predictions keep the task's own"


def test_only_instances_of_a_group_have_a_cluster_written(make_student, quiet_trainer, tmp_path):
    class PairedTask(ProceduralMathTask):
        def cluster_of(self, instance):
            number = int(instance.instance_id.split("-")[1])
            return f"pair {number // 2}" if instance.instance_id.startswith("val") and number < 4 else None

    task, metrics = PairedTask(val_size=6, test_size=2), SkillMetrics()
    writer = FeedbackWriter(tmp_path, metrics)
    quiet_trainer(callbacks=[writer, metrics]).predict(make_student(), StudentDataModule(task))
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    val, test = ([one.cluster for one in metrics.answered(name)] for name in ("val", "test"))
    assert val == ["pair 0", "pair 0", "pair 1", "pair 1", None, None]
    assert [row.get("cluster") for row in rows] == val + test
    assert ["cluster" in row for row in rows] == [True] * 4 + [False] * 4
    assert "pair 0" not in (tmp_path / "feedback.json").read_text()


def test_feedback_writer_without_metrics_says_so(make_student, small_task, quiet_trainer, tmp_path):
    with pytest.raises(ConfigurationError, match="FeedbackWriter needs SkillMetrics"):
        quiet_trainer(callbacks=[FeedbackWriter(tmp_path)]).predict(make_student(), StudentDataModule(small_task))


def test_batches_are_padded_on_the_left(make_student, small_task, quiet_trainer):
    class Look(Callback):
        def on_predict_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
            assert torch.equal(batch["attention_mask"].sort(dim=1).values, batch["attention_mask"])
            for row, mask, index in zip(batch["input_ids"], batch["attention_mask"], batch["index"], strict=True):
                instance = list(small_task.instances("val" if dataloader_idx == 0 else "test"))[index]
                assert row[mask.bool()].tolist() == pl_module.encode_prompt(instance)

    quiet_trainer(callbacks=[Look()]).predict(make_student(), StudentDataModule(small_task))
