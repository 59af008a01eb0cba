"""What a user can do wrong ends in one line on stderr and exit 2, and nothing is lost."""

import json
import signal
import time
from pathlib import Path

import pytest
from processes import Command, run

from dataenvgym.cli.main import main

ROOT = Path(__file__).parents[2]


def fails(capsys, words, *fragments):
    assert main(words) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("dataenvgym: error:")]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    for fragment in fragments:
        assert fragment in lines[0], lines[0]


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [(("chat_template",), "chat template"), (("pad_token", "eos_token"), "neither a pad nor an end-of-sequence token")],
    ids=["template", "pad"],
)
def test_tokenizer_that_lacks_something(capsys, episode_words, tiny_model, tmp_path, settings, fragment):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    for setting in settings:
        config.pop(setting, None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").unlink(missing_ok=True) if "chat_template" in settings else None
    fails(capsys, episode_words(tmp_path / "run", "--model.init_args.model_name_or_path", str(folder)), fragment)


def test_run_directory_that_is_something_else(capsys, episode_words, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    fails(capsys, episode_words(tmp_path), "not a run")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def last_line(process):
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors, errors
    return [line for line in errors.splitlines() if "error:" in line][-1]


@pytest.mark.slow
def test_full_disk_loses_nothing(episode_words, tmp_path):
    # A limit on file size fails a write just as a full disk does: with an OSError in the middle of it.
    process = Command(episode_words(tmp_path / "run"), file_bytes=100_000)
    assert "Cannot write" in last_line(process)
    finished = (tmp_path / "run/episode.jsonl").read_text().splitlines()
    assert run(episode_words(tmp_path / "run", "--resume")).returncode == 0
    assert (tmp_path / "run/episode.jsonl").read_text().splitlines()[: len(finished)] == finished


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(episode_words, tmp_path):
    process = Command(episode_words(tmp_path / "run", "--trainer.max_epochs", "200"))
    deadline = time.monotonic() + 240
    while not (tmp_path / "run/step_01/plan.json").is_file():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert "--resume" in last_line(process)
    assert len((tmp_path / "run/episode.jsonl").read_text().splitlines()) == 1


@pytest.mark.slow
def test_ctrl_c_in_a_fit(tiny_model, tmp_path):
    records = tmp_path / "records.jsonl"
    records.write_text('{"instruction": "1 + 1 =", "response": "2"}\n' * 64)
    folder = tmp_path / "fit"
    words = ["fit", "--config", f"{ROOT}/configs/tasks/math_procedural.yaml", "--data.records", str(records)]
    words += ["--config", f"{ROOT}/configs/students/tiny_text.yaml"]
    words += ["--model.init_args.model_name_or_path", str(tiny_model)]
    process = Command([*words, "--trainer.max_epochs", "5000", "--trainer.default_root_dir", str(folder)])
    deadline = time.monotonic() + 240
    while not list(folder.rglob("*.ckpt")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert "Interrupted" in last_line(process)
