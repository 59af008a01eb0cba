"""What the tests of students share: a small task, some records, a quiet Trainer."""

import random

import pytest


@pytest.fixture(scope="session")
def some_records(small_task):
    """Forty records over forty subskills."""
    rng = random.Random(0)
    return [small_task.record(*pair, rng) for pair in small_task.subskill_pairs()[:40]]


@pytest.fixture
def quiet_trainer(tmp_path):
    from lightning.pytorch import Trainer

    def make(**settings):
        quiet = {
            "accelerator": "cpu",
            "devices": 1,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "use_distributed_sampler": False,
            "num_sanity_val_steps": 0,
            "default_root_dir": tmp_path,
        }
        return Trainer(**{**quiet, **settings})

    return make


@pytest.fixture
def make_student(tiny_model):
    from lightning_modules import CausalLMStudent

    def make(**settings):
        return CausalLMStudent(str(tiny_model), **{"lr": 1e-2, "max_new_tokens": 6, **settings})

    return make
