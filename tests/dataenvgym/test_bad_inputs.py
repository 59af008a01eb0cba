"""Every bad input ends in one line on stderr that names it, exits 2, and writes nothing where it should not."""

import builtins
import os
import subprocess
import sys

import pytest
from bad_files import FILES
from bad_input_places import ROOT, Place
from bad_options import OPTIONS_BY_CLASS

from dataenvgym.cli.main import main

# A third of the classes that build a student's parser each time is quick; the rest runs with the slow tests.
QUICK = ("run", "configuration")
CASES = [
    pytest.param(make, said, id=f"{kind}: {name}", marks=[pytest.mark.slow] if kind not in QUICK and place % 3 else [])
    for kind, cases in {**FILES, **OPTIONS_BY_CLASS}.items()
    for place, (name, make, said) in enumerate(cases)
]
SENTINEL = "what was here before\n"


@pytest.fixture
def place(tmp_path, tiny_model, monkeypatch):
    (tmp_path / "input").mkdir()
    (tmp_path / "present").mkdir()
    (tmp_path / "present/config.yaml").write_text(SENTINEL)
    monkeypatch.chdir(tmp_path / "present")
    monkeypatch.syspath_prepend(str(tmp_path / "input"))
    monkeypatch.setattr(builtins, "input", lambda *_: pytest.fail("a question on the terminal"))
    monkeypatch.setattr(sys, "argv", ["dataenvgym"])
    return Place(tmp_path / "input", tiny_model)


def check_refusal(words, said, capfd):
    capfd.readouterr()
    status = main(words)
    errors = capfd.readouterr().err
    lines = [line for line in errors.splitlines() if line.startswith("dataenvgym: error: ")]
    assert status == 2, f"exit {status}: {errors[-2000:]}"
    assert len(lines) == 1 and "Traceback" not in errors, errors
    assert len(lines[0]) <= 640 and lines[0].isprintable(), lines[0]
    for fragment in said:
        assert fragment in lines[0], lines[0]
    return lines[0]


@pytest.mark.parametrize(("make", "said"), CASES)
def test_bad_input(place, capfd, make, said, tmp_path):
    check_refusal(make(place), said, capfd)
    assert [path.name for path in (tmp_path / "present").iterdir()] == ["config.yaml"]
    assert (tmp_path / "present/config.yaml").read_text() == SENTINEL
    assert not list(tmp_path.rglob("report.html")) and not list(tmp_path.rglob("leaderboard*"))
    assert not list(tmp_path.rglob("*.ckpt.*")) and not (tmp_path / "input/out").exists()


def run(words, folder, **settings):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dataenvgym", *words]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, timeout=300, **settings)


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(place, tmp_path):
    words = " ".join(["report", place.run()])
    piped = f"{sys.executable} -m dataenvgym {words} | true; {sys.executable} -m dataenvgym --help | head -1"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", piped], cwd=tmp_path, env=environ, capture_output=True, timeout=300)
    assert done.stderr == b""
    assert done.stdout.startswith(b"usage: dataenvgym")


@pytest.mark.slow
@pytest.mark.parametrize("word", [b"--run_dir=\xff\xfe", b"caf\xe9.yaml"])
def test_arguments_that_are_not_text(place, word, tmp_path):
    done = run([b"episode", b"--config", word], tmp_path)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"UTF-8" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read here")
def test_a_folder_that_may_not_be_read(place, tmp_path, capfd):
    run = place.run()
    assert main(["report", run, "--output", str(tmp_path / "page.html")]) == 0  # and all of its modules are imported
    os.seteuid(65534)
    try:
        check_refusal(["report", run], ("Permission denied",), capfd)
        check_refusal(["export", run, "--to", str(tmp_path / "out")], ("Permission denied",), capfd)
    finally:
        os.seteuid(0)


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch, capfd):
    def broken(words):
        raise KeyError("step")

    monkeypatch.setattr("dataenvgym.cli.report.report", broken)
    assert main(["report", "x"]) == 1
    errors = capfd.readouterr().err
    assert "Traceback" in errors and errors.splitlines()[-1].startswith("dataenvgym: error: A bug")


def test_a_fit_without_a_logger_writes_nothing_here(place, tmp_path):
    assert main(place.fit("--trainer.logger", "false", "--trainer.enable_progress_bar", "false")) == 0
    assert [path.name for path in (tmp_path / "present").iterdir()] == ["config.yaml"]
    assert (tmp_path / "present/config.yaml").read_text() == SENTINEL


def test_a_fit_keeps_its_configuration_and_overwrites_none(place, tmp_path, capfd):
    words = place.fit("--trainer.logger", "false", "--trainer.default_root_dir", str(tmp_path / "fit"))
    assert main(words) == 0
    kept = (tmp_path / "fit/config.yaml").read_bytes()
    check_refusal(words, ("holds a config.yaml",), capfd)
    assert (tmp_path / "fit/config.yaml").read_bytes() == kept


def test_a_policy_that_needs_no_task_needs_no_constructor(place, tmp_path):
    text = (
        "from teachers.plan import DataSpec\nfrom teachers.teacher import Policy\n"
        "class Mine(Policy):\n    def act(self, observation):\n        return [DataSpec(count=5)]\n"
    )
    assert main(place.episode("--teacher.init_args.policy", f"{place.module(text)}.Mine")) == 0
    assert (place.folder / "run/step_01/records.jsonl").is_file()
