"""Two processes train and measure as one does; in processes of their own, since ddp would run pytest again."""

import json
from pathlib import Path

import pytest
import torch
from ddp_script import measure
from processes import run

SCRIPT = Path(__file__).with_name("ddp_script.py")


@pytest.mark.slow
def test_two_ranks_equal_one(tiny_model, tmp_path):
    done = run([SCRIPT, tiny_model, tmp_path], script=True)
    assert done.returncode == 0, done.stderr[-3_000:]
    ids = [f"val-{place:05d}" for place in range(55)]
    for tuning in ("lora", "full"):
        files = [measure(str(tiny_model), tmp_path, tuning, world=1)]
        files += [tmp_path / f"{tuning}2_rank{rank}.json" for rank in range(2)]
        single, first, second = (json.loads(file.read_text()) for file in files)
        for found in (single, first, second):
            assert [row[0] for row in found["val"]] == found["within_fit"] == ids
            assert found["test"] == ["test-00000"]
        assert first == second, "weights or gathered predictions differ between the ranks"
        torch.testing.assert_close(
            torch.tensor(first["weights"]), torch.tensor(single["weights"]), atol=2e-3, rtol=1e-2, msg="other gradients"
        )
        rows = (tmp_path / f"{tuning}2" / "predictions.jsonl").read_text().splitlines()
        assert len(rows) == 56
        assert json.loads((tmp_path / f"{tuning}2" / "feedback.json").read_text())["accuracy"] == first["accuracy"]
