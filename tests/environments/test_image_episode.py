"""An episode about images: they are stored once, come back with identical pixels, and people see them."""

import hashlib
import json
from pathlib import Path

import pytest
from tiny_vision_models import make_tiny_vision_model

from environments.cli import main
from environments.report_data import read_run
from tasks.images import Image
from tasks.records import read_records
from tasks.vqa import ProceduralVQATask

ROOT = Path(__file__).parents[2]
SIZES = {"val_size": 30, "test_size": 30}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeing")
    model = make_tiny_vision_model(folder / "model", "paligemma")
    words = ["episode", "--run_dir", str(folder / "run")]
    for name in (
        "tasks/vqa_procedural",
        "students/tiny_vlm",
        "environments/skill_list",
        "teachers/skill_list_procedural",
    ):
        words += ["--config", str(ROOT / f"configs/{name}.yaml")]
    for name, size in SIZES.items():
        words += [f"--task.init_args.{name}", str(size)]
    words += ["--model.init_args.model_name_or_path", str(model), "--model.init_args.max_length", "160"]
    words += ["--environment.budget.max_records", "30", "--environment.budget.max_steps", "2"]
    assert main([*words, "--trainer.max_epochs", "1"]) == 0
    return folder / "run"


def test_records_come_back_with_identical_pixels(run_dir):
    task = ProceduralVQATask(**SIZES)
    records = [record for step in (1, 2) for record in read_records(run_dir / f"step_{step:02d}/records.jsonl")]
    assert 20 <= len(records) <= 30
    for record in records:
        assert task.fault_of(record) is None, "what was read still bears out its answer"
    drawn = {one.instance_id: one.image for split in ("val", "test") for one in task.instances(split)}
    rows = [json.loads(line) for line in (run_dir / "step_00/predictions.jsonl").read_text().splitlines()]
    assert len(rows) == 60
    for row in rows:
        read = Image.read(run_dir / "step_00" / row["image"])
        assert read.picture().tobytes() == drawn[row["instance_id"]].picture().tobytes()


def test_each_image_is_stored_once_and_none_in_the_rows(run_dir):
    files = list((run_dir / "images").iterdir())
    assert len({hashlib.sha256(file.read_bytes()).digest() for file in files}) == len(files)
    used = set()
    for path in run_dir.rglob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert len(line) < 20_000
            if "image" in (row := json.loads(line)):
                used.add((path.parent / row["image"]).resolve())
    assert used == {file.resolve() for file in files}


def test_people_see_errors_and_records(run_dir):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    page = (run_dir / "report.html").read_text(encoding="utf-8")
    errors = read_run(run_dir).errors
    assert errors[0] and page.count('<img class="picture" src="data:image/png;base64,') >= 10
    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    assert {"samples/error_images", "samples/record_images"} <= set(events.Tags()["images"])
