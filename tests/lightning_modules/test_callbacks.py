"""The callbacks: every instance scored once, the right files, samples in TensorBoard."""

import json
import threading

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from datamodules import StudentDataModule
from lightning_modules.callbacks import FeedbackWriter, SampleLogger, SkillMetrics
from lightning_modules.callbacks.skill_metrics import ReplyScores
from lightning_modules.generation import Generations
from tasks.errors import ConfigurationError, StudentError
from tasks.math import ProceduralMathTask


def test_reply_scores_keep_texts_and_positions():
    scores = ReplyScores(5)
    scores.update(Generations([3, 0], ["naïve 🙂\n", ""], [False, True], [0.25, None]), [1.0, 0.0])
    scores.update(Generations([1], ["\ud800x"], [False], [1 / 3]), [0.5])
    assert scores.compute() == {
        0: ("", 0.0, True, None),
        1: ("?x", 0.5, False, 0.333333),
        3: ("naïve 🙂\n", 1.0, False, 0.25),
    }
    scores.reset()
    scores.update(Generations([], [], [], []), [])
    assert scores.compute() == {}


def test_an_instance_answered_twice_is_found():
    scores = ReplyScores(2)
    scores.update(Generations([1, 1], ["a", "b"], [False, False], [None, None]), [0.0, 0.0])
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
    assert set(rows[0]) == {"instance_id", "text", "score", "truncated", "likelihood", "split", "skill"}
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


def test_likelihood_is_the_probability_of_the_reference_reply(make_student, small_task, quiet_trainer):
    metrics, student = SkillMetrics(small_task), make_student()
    quiet_trainer(callbacks=[metrics]).predict(student, StudentDataModule(small_task))
    for split in ("val", "test"):
        for instance, found in list(zip(small_task.instances(split), metrics.predictions(split), strict=True))[::7]:
            prompt = student.encode_prompt(instance)
            reply = student.prompt_format.tokenizer(instance.answer, add_special_tokens=False)["input_ids"]
            ids = torch.tensor([prompt + reply + student.prompt_format.closing_ids])
            with torch.inference_mode():
                steps = student.network.eval()(input_ids=ids).logits.log_softmax(-1)[0, len(prompt) - 1 : -1]
            expected = steps.gather(1, ids[0, len(prompt) :, None]).sum().exp().item()
            assert found.likelihood == pytest.approx(expected, abs=2e-6)
    overall = metrics.report("val").overall
    assert overall.likelihood == pytest.approx(sum(one.likelihood for one in metrics.predictions("val")) / overall.n)


def test_likelihood_can_be_left_out_and_is_none_without_a_reference(make_student, small_task, quiet_trainer):
    class Half(ProceduralMathTask):
        def reference(self, instance):
            return None if int(instance.instance_id[-1]) % 2 else super().reference(instance)

    for task, likelihood, known in ((small_task, False, 0), (Half(val_size=54, test_size=30), True, 27)):
        metrics = SkillMetrics(task)
        data = StudentDataModule(task, likelihood=likelihood)
        quiet_trainer(callbacks=[metrics]).predict(make_student(), data)
        assert sum(one.likelihood is not None for one in metrics.predictions("val")) == known
        assert (metrics.report("val").overall.likelihood is None) == (not known)


def test_a_reference_longer_than_any_record_is_not_measured(make_student, small_task, quiet_trainer):
    metrics = SkillMetrics(small_task)
    quiet_trainer(callbacks=[metrics]).predict(make_student(max_length=20), StudentDataModule(small_task))
    assert 0 < sum(one.likelihood is None for one in metrics.predictions("val")) < 54


def test_scores_that_are_waited_for_are_made_while_decoding_goes_on(make_student, quiet_trainer):
    started = []

    class Slow(ProceduralMathTask):
        scores_in_parallel = True

        def score(self, instance, text):
            started.append((threading.current_thread().name, instance.instance_id))
            if instance.instance_id == failing:
                raise StudentError("no verdict")
            return super().score(instance, text)

    failing = ""
    task = Slow(val_size=54, test_size=30)
    found = {}
    for name, one in (("in turn", ProceduralMathTask(val_size=54, test_size=30)), ("beside", task)):
        metrics = SkillMetrics(one)
        quiet_trainer(callbacks=[metrics]).predict(make_student(), StudentDataModule(one, eval_tokens_per_batch=400))
        found[name] = metrics.predictions("val"), metrics.predictions("test")
    assert found["beside"] == found["in turn"]
    assert len(started) == 84 and all(thread.startswith("scoring") for thread, _ in started)
    failing = task.instances("test")[3].instance_id
    with pytest.raises(StudentError, match="no verdict"):
        quiet_trainer(callbacks=[SkillMetrics(task)]).predict(make_student(), StudentDataModule(task))
    assert not any(thread.name.startswith("scoring") for thread in threading.enumerate())
