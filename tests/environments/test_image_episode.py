"""An episode about images: they are stored once, come back with identical pixels, and people see them."""

import base64
import hashlib
import io
import json
import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_vision_models import make_tiny_vision_model

from dataenvgym.cli.main import main
from dataenvgym.reading import read_run
from environments.run.episode_logger import EpisodeLogger, spread
from tasks.images import Image
from tasks.records import read_records
from tasks.types import TrainingRecord
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


def pixels(picture):
    return picture.size, picture.convert("RGB").tobytes()


def sheets(folder, tag):
    events = EventAccumulator(str(folder)).Reload()
    return {event.step: pillow.open(io.BytesIO(event.encoded_image_string)) for event in events.Images(tag)}


def test_people_see_the_pictures_of_errors_and_records_in_tensorboard(run_dir):
    for tag, steps in (("samples/error_images", [0, 1, 2]), ("samples/record_images", [1, 2])):
        shown = sheets(run_dir / "tensorboard", tag)
        assert {step: sheet.size for step, sheet in shown.items()} == dict.fromkeys(steps, (1000, 600))
        for sheet in shown.values():
            assert 2 < len(sheet.crop((0, 0, 1000, 192)).getcolors()) < 20, "shapes with sharp edges"


def test_people_see_the_pictures_of_errors_and_records_in_the_report(run_dir):
    page = (run_dir / "report.html").read_text(encoding="utf-8")
    shown = [
        pixels(pillow.open(io.BytesIO(base64.b64decode(data))))
        for data in re.findall(r'<img class="picture" src="data:image/png;base64,([^"]+)"', page)
    ]
    run = read_run(run_dir)
    rows = [(step, row) for step in (1, 2) for row in spread(run.record_rows(step), 6)]
    rows += [(step, row) for step in (0, 2) for row in spread(run.error_rows(step), 12)]
    task = ProceduralVQATask(**SIZES)
    drawn = {one.instance_id: one.image for one in task.instances("val")}
    expected = []
    for step, row in rows:
        if (image := drawn.get(row.get("instance_id"))) is None:
            records = read_records(run_dir / f"step_{step:02d}/records.jsonl")
            image = next(
                one.image
                for one in records
                if one.instruction == row["instruction"]
                and one.response == row["response"]
                and row["image"].endswith(one.image.name)
            )
        expected.append(pixels(image.picture()))
    assert len(expected) == 36
    assert shown == expected
    assert len(set(shown)) > 20
    assert all(len(set(data)) > 1 for _, data in shown)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("count", "size"), [(1, (200, 300)), (3, (600, 300)), (6, (1000, 600))])
def test_each_image_stands_on_the_sheet_above_its_caption(count, size, tmp_path):
    images = [Image.drawn(pillow.new("RGB", (5 + 99 * i, 400), (200, 20 * i, 7))) for i in range(count)]
    records = [TrainingRecord("$5 or $x_ ✓ 日\n", "W" * 999, "", image=image) for image in images]
    wrong = {"instruction": "$\\frac{$", "student_answer": "\n\0", "right_answer": "long " * 99}
    for image in images:
        (tmp_path / image.name).write_bytes(image.content)
    with closing(EpisodeLogger(tmp_path)) as logger:
        logger.log_samples(1, records, [wrong | {"image": image.name} for image in images], tmp_path)
    for tag in ("samples/record_images", "samples/error_images"):
        sheet = sheets(tmp_path, tag)[1]
        assert sheet.size == size
        for i in range(count):
            part = np.asarray(sheet)[300 * (i // 5) :, 200 * (i % 5) :][:300, :200]
            assert tuple(part[1, 1]) == (200, 20 * i, 7)
            assert part[200:280].min() < 100, "no caption"
            assert part[280:].min() == part[:, 192:].min() == 255, "captions are folded and cut"
