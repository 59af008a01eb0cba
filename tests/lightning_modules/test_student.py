"""The student: it learns, its weights travel, its base weights stay as they were."""

import copy
import json
import math
import shutil

import pytest
import torch
from fitting import fitted, replies
from lightning.pytorch import seed_everything
from tiny_models import make_tiny_model

from lightning_modules import CausalLMStudent, base_weights, objectives
from tasks.errors import ConfigurationError, DataEnvGymError, MissingFileError, StudentError


def loss_of(student, records, quiet_trainer, task):
    student.configure_model()
    student.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for record in records:
            encoded = student.encode_record(record)
            batch = {name: torch.tensor([getattr(encoded, name)]) for name in ("input_ids", "labels")}
            logits, targets = student.labelled_logits(batch)
            total += torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item()
            count += len(targets)
    return total / count


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_fit_learns_and_save_and_load_give_the_same_replies(
    tuning, make_student, some_records, small_task, quiet_trainer, tmp_path
):
    pristine = make_student(tuning=tuning)
    before = loss_of(copy.deepcopy(pristine), some_records, quiet_trainer, small_task)
    student = copy.deepcopy(pristine)
    fitted(student, some_records, small_task, quiet_trainer)
    assert loss_of(student, some_records, quiet_trainer, small_task) < 0.8 * before
    expected = replies(student, small_task, quiet_trainer)
    assert sorted(expected) == list(range(54))
    student.save_student(tmp_path / "saved")
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert names == (
        {"adapter_config.json", "adapter_model.safetensors"}
        if tuning == "lora"
        else {"config.json", "generation_config.json", "model.safetensors"}
        | {"chat_template.jinja", "tokenizer.json", "tokenizer_config.json"}
    )
    again = copy.deepcopy(pristine)
    again.load_student(tmp_path / "saved")
    assert replies(again, small_task, quiet_trainer) == expected
    untouched = copy.deepcopy(pristine)
    assert loss_of(untouched, some_records, quiet_trainer, small_task) == pytest.approx(before), "the cache was changed"


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_same_seed_same_files(tuning, make_student, some_records, small_task, quiet_trainer, tmp_path):
    for name in ("one", "two"):
        student = make_student(tuning=tuning)
        fitted(student, some_records, small_task, quiet_trainer, epochs=1)
        student.save_student(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    if tuning == "lora":
        config = json.loads((tmp_path / "one" / "adapter_config.json").read_text())
        assert config["target_modules"] == sorted(config["target_modules"])


def test_no_weights_before_configure_model_and_frozen_ones_are_shared(make_student, tiny_model, monkeypatch):
    student = make_student()
    assert list(copy.deepcopy(student).parameters()) == []
    reads = []
    monkeypatch.setattr(base_weights, "_networks", type(base_weights._networks)())
    real = base_weights.read_network
    monkeypatch.setattr(base_weights, "read_network", lambda *args: reads.append(args) or real(*args))
    one, two = copy.deepcopy(student), copy.deepcopy(student)
    one.configure_model()
    two.configure_model()
    assert len(reads) == 1
    frozen = {name: weight for name, weight in one.named_parameters() if not weight.requires_grad}
    trainable = {name for name, weight in one.named_parameters() if weight.requires_grad}
    assert trainable and all("lora_" in name for name in trainable)
    for name, weight in two.named_parameters():
        if name in frozen:
            assert weight is not frozen[name] and weight.data_ptr() == frozen[name].data_ptr()
    base = one.network.get_base_model()
    assert base.lm_head.weight is base.model.embed_tokens.weight, "tied weights stay tied"
    full = make_student(tuning="full")
    full.configure_model()
    full_weight = next(full.parameters())
    assert full_weight.requires_grad
    assert full_weight.data_ptr() not in {weight.data_ptr() for weight in frozen.values()}


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "gpt2"])
@pytest.mark.parametrize("masked", [True, False])
def test_loss_is_hugging_faces(architecture, masked, some_records, tmp_path, monkeypatch):
    folder = make_tiny_model(tmp_path / architecture, architecture)
    if not masked:
        monkeypatch.setattr(objectives, "_computes_masked_logits", lambda network: masked)
    student = CausalLMStudent(str(folder), tuning="full")
    student.configure_model()
    encoded = [student.encode_record(record) for record in some_records[:4]]
    width = max(len(one.input_ids) for one in encoded)

    def padded(name, value):
        return torch.tensor([getattr(one, name) + [value] * (width - len(getattr(one, name))) for one in encoded])

    ids, labels = padded("input_ids", student.pad_token_id), padded("labels", -100)
    mask = torch.tensor([[1] * len(one.input_ids) + [0] * (width - len(one.input_ids)) for one in encoded])
    logits, targets = student.labelled_logits({"input_ids": ids, "labels": labels})
    ours = torch.nn.functional.cross_entropy(logits, targets)
    theirs = student.network(input_ids=ids, attention_mask=mask, labels=labels).loss
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_lora_checkpoint_holds_the_adapter_alone(make_student, some_records, small_task, quiet_trainer, tmp_path):
    student = make_student()
    trainer = fitted(student, some_records, small_task, quiet_trainer, epochs=1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert state and all("lora_" in name for name in state)
    loaded = CausalLMStudent.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    assert loaded.hparams["lr"] == 1e-2
    assert replies(loaded, small_task, quiet_trainer) == replies(student, small_task, quiet_trainer)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_gradient_checkpointing_changes_memory_and_nothing_else(
    tuning, make_student, some_records, small_task, quiet_trainer
):
    replied, recomputed = [], []
    for checkpointing in (False, True):
        # Dropout draws once more when activations are computed again, from the state that was kept for it.
        student = make_student(tuning=tuning, gradient_checkpointing=checkpointing)
        seed_everything(0, verbose=False)
        student.configure_model()
        runs = []
        layer = next(part for name, part in student.network.named_modules() if name.endswith("layers.0"))
        layer.self_attn.register_forward_pre_hook(lambda *_, runs=runs: runs.append(1))
        fitted(student, some_records, small_task, quiet_trainer, epochs=1)
        recomputed.append(len(runs))
        replied.append(replies(student, small_task, quiet_trainer))
    assert recomputed[1] == 2 * recomputed[0], "each activation is computed twice"
    assert replied[0] == replied[1]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_precision_is_the_trainers(precision, tuning, make_student, some_records, small_task, quiet_trainer):
    student = make_student(tuning=tuning)
    fitted(student, some_records, small_task, quiet_trainer, epochs=1, precision=precision)
    assert all(weight.isfinite().all() for weight in student.parameters())
    assert len(replies(student, small_task, quiet_trainer)) == 54


def test_dtype_of_the_base_weights(make_student):
    student = make_student(dtype="bfloat16")
    student.configure_model()
    dtypes = {weight.requires_grad: weight.dtype for weight in student.parameters()}
    assert dtypes == {False: torch.bfloat16, True: torch.float32}


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({"schedule": "constant"}, [1, 1, 1, 1, 1]),
        ({"schedule": "constant", "warmup_ratio": 0.4}, [0, 0.5, 1, 1, 1]),
        ({"schedule": "constant", "warmup_ratio": 0.4, "warmup_steps": 1}, [0, 1, 1, 1, 1]),
        ({"schedule": "cosine"}, [(1 + math.cos(math.pi * step / 5)) / 2 for step in range(5)]),
    ],
)
def test_schedules(settings, rates, make_student, some_records, small_task, quiet_trainer):
    student, seen = make_student(lr=2.0e-3, **settings), []
    student.on_train_batch_start = lambda *_: seen.append(student.optimizers().param_groups[0]["lr"] / 2.0e-3)
    fitted(student, some_records, small_task, quiet_trainer, epochs=1)
    assert seen == pytest.approx(rates)


def test_endless_cosine_is_refused(make_student, some_records, small_task, quiet_trainer):
    with pytest.raises(ConfigurationError, match="max_epochs"):
        fitted(make_student(), some_records, small_task, quiet_trainer, epochs=-1)


def test_records_without_labels_after_truncation_do_no_harm(make_student, some_records, small_task, quiet_trainer):
    student = make_student(max_length=4)
    trainer = fitted(student, some_records, small_task, quiet_trainer, epochs=1)
    assert trainer.datamodule.truncated_records == len(some_records)
    assert all(weight.isfinite().all() for weight in student.parameters())


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"tuning": "qlora"}, ConfigurationError, "tuning is 'qlora': choose lora or full"),
        ({"lr": 0.0}, ConfigurationError, "lr is 0.0"),
        ({"dtype": "bf16"}, ConfigurationError, "dtype is 'bf16'"),
        ({"max_new_tokens": 0}, ConfigurationError, "max_new_tokens is 0"),
        ({"model_name_or_path": "./no/such/model"}, MissingFileError, "'./no/such/model' does not exist"),
        ({"model_name_or_path": "nobody/no-such-model"}, StudentError, "'nobody/no-such-model' is no folder here"),
    ],
)
def test_bad_settings_are_one_line(settings, error, words, tiny_model):
    with pytest.raises(error, match=words) as caught:
        CausalLMStudent(**{"model_name_or_path": str(tiny_model), **settings})
    assert isinstance(caught.value, DataEnvGymError) and "\n" not in str(caught.value)


def test_bad_model_folders_are_one_line(tiny_model, make_student, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match=r"no config\.json"):
        CausalLMStudent(str(tmp_path / "empty"))
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(StudentError, match=r"model\.safetensors is damaged"):
        CausalLMStudent(str(broken))
    with pytest.raises(MissingFileError, match=r"adapter_model\.safetensors does not exist"):
        make_student().load_student(tmp_path / "empty")
    other = make_student(lora_rank=2)
    other.configure_model()
    other.save_student(tmp_path / "rank2")
    with pytest.raises(StudentError, match="do not fit this student"):
        make_student().load_student(tmp_path / "rank2")
    with pytest.raises(StudentError, match="lora_target_modules"):
        make_student(lora_target_modules="no_such_layer").configure_model()


def test_a_sampling_student_depends_on_the_seed_alone(make_student, small_task, quiet_trainer):
    def sampled(seed):
        seed_everything(seed, verbose=False)
        return replies(make_student(temperature=1.0), small_task, quiet_trainer)

    assert sampled(1) == sampled(1) != sampled(2)
