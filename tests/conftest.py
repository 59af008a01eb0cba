"""What all tests share: quiet threads, no network, a tiny student and a small task."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

# Its log handler keeps the standard error of the moment of import: a test's own is closed when that test ends.
import lightning.pytorch  # noqa: F401
import pytest

ROOT = Path(__file__).parent.parent
# The suite also runs from a checkout that is not installed, and tests what the scripts are made of.
sys.path[:0] = [str(ROOT / name) for name in ("", "tests", "scripts", "scripts/reproduce")]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    from tiny_models import make_tiny_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_tiny_model(folder)
    return folder


@pytest.fixture(scope="session")
def small_task():
    """54 validation and 30 test instances."""
    from tasks.math import ProceduralMathTask

    return ProceduralMathTask(val_size=54, test_size=30)


@pytest.fixture
def episode_words(tiny_model, tmp_path):
    def words(run_dir, *extra, environment="open_ended", teacher="no_state_procedural"):
        return [
            "episode",
            *("--config", str(ROOT / "configs/tasks/math_procedural.yaml")),
            *("--config", str(ROOT / "configs/students/tiny_text.yaml")),
            *("--config", str(ROOT / f"configs/environments/{environment}.yaml")),
            *("--config", str(ROOT / f"configs/teachers/{teacher}.yaml")),
            *("--model.init_args.model_name_or_path", str(tiny_model)),
            *("--model.init_args.max_new_tokens", "4"),
            *("--task.init_args.val_size", "54", "--task.init_args.test_size", "54"),
            *("--environment.budget.max_records", "60", "--environment.budget.max_steps", "2"),
            *("--trainer.max_epochs", "1"),
            *("--run_dir", str(run_dir)),
            *extra,
        ]

    return words
