"""Two processes train and measure as one does; in processes of their own, since ddp would run pytest again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("ddp_script.py")


def run(model, out, tuning, world):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LOCAL_RANK"))}
    command = [sys.executable, str(SCRIPT), str(model), str(out), tuning, str(world)]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3_000:]
    return [json.loads((out / f"world{world}_rank{rank}.json").read_text()) for rank in range(world)]


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_two_ranks_equal_one(tuning, tiny_model, tmp_path):
    (single,) = run(tiny_model, tmp_path, tuning, 1)
    first, second = run(tiny_model, tmp_path, tuning, 2)
    ids = [f"val-{place:05d}" for place in range(55)]
    for found in (single, first, second):
        assert [row[0] for row in found["val"]] == found["within_fit"] == ids
        assert found["test"] == ["test-00000"]
    assert first == second, "weights or gathered predictions differ between the ranks"
    torch.testing.assert_close(
        torch.tensor(first["weights"]), torch.tensor(single["weights"]), atol=2e-3, rtol=1e-2, msg="other gradients"
    )
    rows = (tmp_path / "world2" / "predictions.jsonl").read_text().splitlines()
    assert len(rows) == 56
    assert json.loads((tmp_path / "world2" / "feedback.json").read_text())["accuracy"] == first["accuracy"]
