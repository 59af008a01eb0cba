"""The data module: batches as students expect them, copies that leave the template alone, errors in one line."""

import json
import random

import pytest
import torch

from datamodules import StudentDataModule
from datamodules.collate import PromptBatches, TrainingBatches
from tasks.base import split_of
from tasks.errors import ConfigurationError, DataEnvGymError, MissingFileError, RecordError
from tasks.math import ProceduralMathTask
from tasks.records import write_json_lines


class PlainTrainer:
    def __init__(self, student, rank=0, world=1):
        self.lightning_module, self.global_rank, self.world_size = student, rank, world


@pytest.fixture(scope="module")
def math_records(small_task):
    rng = random.Random(0)
    return [small_task.record(*pair, rng) for pair in small_task.subskill_pairs()]


@pytest.fixture(scope="module")
def student(tiny_model):
    from lightning_modules import CausalLMStudent

    return CausalLMStudent(str(tiny_model), max_new_tokens=5)


def test_training_batches_are_padded_on_the_right(student, math_records):
    encoded = [student.encode_record(record) for record in math_records]
    batches = TrainingBatches(encoded, student.pad_token_id)
    batch = batches[[3, 0]]
    assert batch["input_ids"].shape == batch["labels"].shape
    for row, place in enumerate([3, 0]):
        length = len(encoded[place].input_ids)
        assert batch["input_ids"][row, :length].tolist() == encoded[place].input_ids
        assert (batch["input_ids"][row, length:] == student.pad_token_id).all()
        assert batch["labels"][row, :length].tolist() == encoded[place].labels
        assert (batch["labels"][row, length:] == -100).all()


def test_prompt_batches_are_padded_on_the_left_and_may_be_empty():
    batch = PromptBatches([[5, 6, 7], [8], [9, 10]], pad_token_id=0)[[1, 0]]
    assert batch["input_ids"].tolist() == [[0, 0, 8], [5, 6, 7]]
    assert batch["attention_mask"].tolist() == [[0, 0, 1], [1, 1, 1]]
    assert batch["index"].tolist() == [1, 0]
    assert PromptBatches([[5]], 0)[[]]["index"].tolist() == []


def test_loaders_cover_records_and_instances(student, small_task, math_records):
    data = StudentDataModule(small_task, batch_size=8).with_records(math_records, seed=3)
    data.trainer = PlainTrainer(student)
    assert len(data.train_dataloader()) == 7 and data.truncated_records == 0
    assert sum(len(batch["input_ids"]) for batch in data.train_dataloader()) == 54
    for loader, size in zip(data.predict_dataloader(), (54, 30), strict=True):
        assert sorted(torch.cat([batch["index"] for batch in loader]).tolist()) == list(range(size))
    assert sum(len(batch["index"]) for batch in data.val_dataloader()) == 54
    assert sum(len(batch["index"]) for batch in data.test_dataloader()) == 30


def test_copies_leave_the_template_alone(student, small_task, math_records):
    template = StudentDataModule(small_task, seed=9)
    one = template.with_records(math_records[:5])
    one.trainer = PlainTrainer(student)
    one.train_dataloader()
    two = one.with_records(math_records[:7], seed=1)
    probes = template.with_instances({"probe": small_task.instances("val")[:2]})
    assert template.records is None and template.trainer is None and template.truncated_records is None
    assert (len(one.records), one.seed, one.truncated_records) == (5, 9, 0)
    assert (len(two.records), two.seed, two.trainer, two.truncated_records) == (7, 1, None, None)
    assert list(template.evaluation_sets) == list(one.evaluation_sets) == ["val", "test"]
    assert list(probes.evaluation_sets) == ["probe"]


def test_ranks_get_their_own_rows(student, small_task, math_records):
    seen = []
    for rank in range(2):
        data = StudentDataModule(small_task).with_records(math_records)
        data.trainer = PlainTrainer(student, rank, 2)
        seen.append({row for batch in data.val_dataloader() for row in batch["index"].tolist()})
    assert not seen[0] & seen[1] and seen[0] | seen[1] == set(range(54))


def test_truncated_records_are_counted_and_told(tiny_model, small_task, math_records):
    from lightning_modules import CausalLMStudent

    data = StudentDataModule(small_task).with_records(math_records)
    student = CausalLMStudent(str(tiny_model), max_length=40)
    expected = sum(student.encode_record(record).truncated for record in math_records)
    assert 0 < expected < len(math_records)
    data.trainer = PlainTrainer(student)
    with pytest.warns(UserWarning, match=f"{expected} of 54 records are longer than the student's max_length"):
        data.train_dataloader()
    assert data.truncated_records == expected


def test_records_come_from_a_file(small_task, math_records, tmp_path):
    write_json_lines(tmp_path / "records.jsonl", math_records)
    assert StudentDataModule(small_task, records=tmp_path / "records.jsonl").records == tuple(math_records)


def test_errors_are_one_line(small_task, student, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    torn = tmp_path / "torn.jsonl"
    torn.write_text(json.dumps({"instruction": "a", "response": "b"}) + "\n{")
    for path, error, words in (
        (empty, RecordError, "holds no records"),
        (torn, RecordError, "line 2"),
        (tmp_path / "none.jsonl", MissingFileError, "does not exist"),
    ):
        with pytest.raises(error, match=words):
            StudentDataModule(small_task, records=path)
    with pytest.raises(RecordError, match="no records to train on"):
        StudentDataModule(small_task).with_records([])
    with pytest.raises(ConfigurationError, match="batch_size is 0"):
        StudentDataModule(small_task, batch_size=0)
    data = StudentDataModule(small_task)
    data.trainer = PlainTrainer(student)
    with pytest.raises(ConfigurationError, match=r"set --data\.init_args\.records"):
        data.train_dataloader()


def test_yaml_builds_it_with_the_task_linked(tiny_model, tmp_path):
    from jsonargparse import ArgumentParser
    from lightning.pytorch import LightningDataModule, LightningModule

    from tasks.base import Task

    parser = ArgumentParser()
    parser.add_subclass_arguments(Task, "task")
    parser.add_subclass_arguments(LightningDataModule, "data")
    parser.add_subclass_arguments(LightningModule, "model")
    parser.link_arguments("task", "data.init_args.task", apply_on="instantiate")
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
task: {{class_path: tasks.math.ProceduralMathTask, init_args: {{val_size: 54}}}}
data: {{class_path: datamodules.StudentDataModule, init_args: {{batch_size: 4}}}}
model:
  class_path: lightning_modules.CausalLMStudent
  init_args: {{model_name_or_path: {tiny_model}, tuning: full, lr: 1e-3, warmup_steps: 3, dtype: null}}
"""
    )
    parsed = parser.parse_path(str(config))
    built = parser.instantiate(parsed) if hasattr(parser, "instantiate") else parser.instantiate_classes(parsed)
    assert built.data.task is built.task and built.data.batch_size == 4
    assert built.model.hparams["warmup_steps"] == 3


def test_a_fit_replays_records_of_the_pretraining(small_task, math_records):
    from lightning_modules import CausalLMStudent

    student = CausalLMStudent("tiny_text", tuning="full", max_length=128)
    taught = {tuple(student.encode_record(record).input_ids) for record in math_records}
    known = {tuple(student.encode_record(record).input_ids) for record in student.replay_records()} - taught

    def replayed(seed):
        data = StudentDataModule(small_task, replay=20).with_records(math_records, seed=seed)
        data.trainer = PlainTrainer(student)
        batches = [row for batch in data.train_dataloader() for row in batch["input_ids"].tolist()]
        assert len(batches) == len(math_records) + 20 and len(data.records) == len(math_records)
        rows = {tuple(token for token in row if token != student.pad_token_id) for row in batches}
        assert taught <= rows
        return rows & known

    assert 15 < len(replayed(1)) <= 20 and replayed(1) == replayed(1) != replayed(2)


def test_replayed_records_ask_nothing_that_is_evaluated():
    from lightning_modules import CausalLMStudent

    records = CausalLMStudent("tiny_text").replay_records()
    assert len({record.instruction for record in records}) == len(records) == 2_000
    assert {split_of(record) for record in records} == {"train"}
    task = ProceduralMathTask()
    assert all(task.score(task.as_instance(record), record.response) == 1 for record in records)


def test_replay_that_cannot_be_is_refused(student, small_task, math_records):
    from lightning_modules import CausalLMStudent

    for data, one, said in (
        (StudentDataModule(small_task, replay=1), student, "replay.jsonl"),
        (StudentDataModule(small_task, replay=2_001), CausalLMStudent("tiny_text"), "brings 2000 records"),
    ):
        asked = data.with_records(math_records)
        asked.trainer = PlainTrainer(one)
        with pytest.raises(DataEnvGymError, match=said):
            asked.train_dataloader()
    with pytest.raises(ConfigurationError, match="replay"):
        StudentDataModule(small_task, replay=-1)
