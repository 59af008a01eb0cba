"""The TensorBoard curves, read back: tags, values, unknowns, and a resume that doubles nothing."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dataenvgym.cli.main import main
from environments.run.episode_logger import EpisodeLogger, spread, step_scalars
from tasks.records import read_json_lines
from tasks.types import TrainingRecord
from tests.make_run_dir import make_run_dir


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return events


def test_every_number_of_a_step_becomes_a_curve(tmp_path: Path) -> None:
    lines = [row for _, row in read_json_lines(make_run_dir(tmp_path / "run", steps=2) / "episode.jsonl")]
    with closing(EpisodeLogger(tmp_path / "tb")) as logger:
        for line in lines:
            logger.log_step(line)
    events = read(tmp_path / "tb")
    tags = set(events.Tags()["scalars"])
    assert {
        "val/accuracy", "test/accuracy", "val/skill/clock", "test/skill/money", "records/total", "records/accepted",
        "records/truncated", "records/skill/addition", "rejected/duplicate", "rejected/leak", "seconds/fit",
        "seconds/other",
    } <= tags  # fmt: skip
    curve = events.Scalars("test/accuracy")
    assert [point.step for point in curve] == [0, 1, 2]
    assert [point.value for point in curve] == pytest.approx([line["test"]["overall"]["value"] for line in lines])
    assert [point.value for point in events.Scalars("records/total")] == [0, 42, 84]


def test_unknown_gives_no_point() -> None:
    line = {
        "step": 1,
        "val": {"overall": {"value": None, "n": 0}, "skills": {"a": {"value": None, "n": 0}}},
        "test": None,
        "records": 0,
        "seconds": {"fit": None},
    }
    assert list(step_scalars(line)) == [("records/accepted", 0.0)]


def test_resume_does_not_double_the_curves(tmp_path: Path) -> None:
    def line(step: int, value: float) -> dict[str, object]:
        return {"step": step, "val": {"overall": {"value": value, "n": 10}, "skills": {}}}

    with closing(EpisodeLogger(tmp_path, purge_step=0)) as logger:
        for step in range(4):  # step 3 was logged, then the process was killed before its line was kept
            logger.log_step(line(step, 0.1 * step))
    time.sleep(1.1)  # files are read in the order of their names, which hold the second and then a count without zeros
    with closing(EpisodeLogger(tmp_path, purge_step=3)) as logger:
        logger.log_step(line(3, 0.9))
        logger.log_step(line(4, 1.0))
    points = read(tmp_path).Scalars("val/accuracy")
    assert [(point.step, round(point.value, 3)) for point in points] == [(0, 0), (1, 0.1), (2, 0.2), (3, 0.9), (4, 1)]


def test_a_kill_right_after_step_zero_does_not_double_it(tmp_path: Path) -> None:
    for _ in range(2):
        with closing(EpisodeLogger(tmp_path, purge_step=0)) as logger:
            logger.log_step({"step": 0, "records": 0})
    assert len(read(tmp_path).Scalars("records/accepted")) == 1


def test_samples_are_tables_with_their_totals(tmp_path: Path) -> None:
    records = [TrainingRecord(f"{i} | {i}", str(i), str(i), "skill") for i in range(25)]
    error = {"instance_id": "val-1", "instruction": "1 + 1 =", "student_answer": "a\nb", "right_answer": "2"}
    with closing(EpisodeLogger(tmp_path)) as logger:
        logger.log_samples(2, records, [error])
        logger.log_samples(3, [], [])
    events = read(tmp_path)
    (shown,) = events.Tensors("samples/records/text_summary")
    text = shown.tensor_proto.string_val[0].decode()
    assert shown.step == 2 and text.startswith("10 of 25") and "0 \\| 0" in text
    wrong = events.Tensors("samples/errors/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| 1 + 1 = | a b | 2 |" in wrong


def test_spread_covers_the_sequence() -> None:
    assert spread(range(10), 3) == [0, 3, 6]
    assert spread([1, 2], 5) == [1, 2]


@pytest.mark.slow
def test_no_chart_mixes_the_episodes_steps_with_those_of_an_optimiser(tmp_path: Path, episode_words: Any) -> None:
    run = tmp_path / "run"
    assert main(episode_words(run, "--trainer.log_every_n_steps", "1", "--data.init_args.batch_size", "4")) == 0
    episode = read(run / "tensorboard")
    curves = episode.Tags()["scalars"]
    assert min(curves).startswith("accuracy/"), "TensorBoard opens on the first tag"
    for tag in ("accuracy/val", "accuracy/test", "val/accuracy", "test/accuracy"):
        assert [point.step for point in episode.Scalars(tag)] == [0, 1, 2]
    assert all(point.step <= 2 for tag in curves for point in episode.Scalars(tag))
    lines = [row for _, row in read_json_lines(run / "episode.jsonl")]
    shown = [point.value for point in episode.Scalars("accuracy/val")]
    assert shown == pytest.approx([line["val"]["overall"]["value"] for line in lines])
    for step in range(3):
        fit = read(run / f"step_{step:02d}" / "tensorboard")
        tags = fit.Tags()["scalars"]
        assert tags and all(tag.startswith("fit/") for tag in tags)
        assert "fit/val/accuracy" in tags and ("fit/train/loss" in tags) == bool(step)
    assert max(point.step for point in read(run / "step_02/tensorboard").Scalars("fit/train/loss")) > 2
