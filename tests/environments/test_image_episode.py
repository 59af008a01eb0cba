"""An episode about images: they are stored once, come back with identical pixels, and people see them."""

import base64
import hashlib
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image as pillow
from tiny_vision_models import make_tiny_vision_model

from dataenvgym.cli.main import main
from dataenvgym.reading import read_run
from environments.run.contact_sheet import SIDE, contact_sheet, corner, fitted
from environments.run.episode_logger import spread
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


def pixels(picture):
    return picture.size, picture.convert("RGB").tobytes()


def test_people_see_the_pictures_of_errors_and_records_in_tensorboard(run_dir):
    """Each image on each sheet is, pixel by pixel, that of the instance or record whose text stands beside it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    drawn = {one.instance_id: one.image for one in ProceduralVQATask(**SIZES).instances("val")}
    errors, records = {}, {}
    for step in (0, 1, 2):
        folder = run_dir / f"step_{step:02d}"
        wrong = json.loads((folder / "feedback.json").read_text(encoding="utf-8"))["errors"]
        errors[step] = [drawn[row["instance_id"]] for row in spread(wrong, 10)]
        if step:
            records[step] = [record.image for record in spread(read_records(folder / "records.jsonl"), 10)]
    events = EventAccumulator(str(run_dir / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    for tag, expected in (("samples/error_images", errors), ("samples/record_images", records)):
        shown = events.Images(tag)
        assert [event.step for event in shown] == list(expected)
        for event in shown:
            sheet = pillow.open(io.BytesIO(event.encoded_image_string))
            images = expected[event.step]
            assert len(images) == 10 and sheet.size == (event.width, event.height)
            seen = set()
            for index, image in enumerate(images):
                left, top = corner(index)
                cut = sheet.crop((left, top, left + SIDE, top + SIDE))
                times = SIDE // 64
                assert pixels(cut.resize((64, 64), pillow.Resampling.NEAREST)) == pixels(image.picture())
                assert pixels(cut) == pixels(
                    image.picture().resize((64 * times, 64 * times), pillow.Resampling.NEAREST)
                )
                assert len(cut.getcolors(SIDE * SIDE)) > 1, "a blank picture"
                caption = sheet.crop((left, top + SIDE + 1, left + SIDE, top + SIDE + 40))
                assert caption.convert("L").getextrema()[0] < 100, "no caption"
                seen.add(pixels(cut))
            assert len(seen) > 1


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


def test_sheets_of_any_number_and_size():
    pictures = [
        Image.drawn(pillow.new("RGB", (w, h), (w % 256, h % 256, 7))) for w, h in ((1, 1), (640, 480), (3, 150))
    ]
    for count in (1, 3, 6, 11):
        images = [pictures[index % 3] for index in range(count)]
        sheet = contact_sheet([(image, "$5 or $x_ ✓ →\n" + "long " * 60) for image in images])
        for index, image in enumerate(images):
            left, top = corner(index)
            shown = fitted(image)
            assert max(shown.size) <= SIDE and left + SIDE <= sheet.width and top + SIDE <= sheet.height
            assert pixels(sheet.crop((left, top, left + shown.width, top + shown.height))) == pixels(shown)
