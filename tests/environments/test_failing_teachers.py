"""Episodes whose chat model fails: what the run says, how it exits, and that it continues when the endpoint is back."""

import json
import socket

import pytest
from llm_episode import KEY, essence, rows, server, summary, words

from dataenvgym.cli.main import main


@pytest.fixture
def episode(tiny_model, tmp_path):
    """``episode(name, *words)``: runs a small Open-Ended episode into a folder of that name; its exit status."""

    def run(name, *extra, attempts=2, records=60, steps=2):
        fixed = words(records, steps, environment="open_ended")
        return main(
            [
                *("episode", *fixed, "--run_dir", str(tmp_path / name)),
                *("--task.init_args.val_size", "54", "--task.init_args.test_size", "54"),
                *("--model.init_args.model_name_or_path", str(tiny_model), "--model.init_args.max_new_tokens", "4"),
                *("--trainer.max_epochs", "1", "--teacher.init_args.chat.init_args.max_attempts", str(attempts)),
                *extra,
            ]
        )

    return run


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("teachers.chat.concurrency._FIRST_WAIT", 0.01)


def complaint(capfd):
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("dataenvgym: error")]
    return line


def test_a_closed_port_fails_the_run_and_resume_ends_it_as_if_nothing_had_been(
    episode, quick, tmp_path, capfd, monkeypatch
):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert episode("cut") == 1
    line = complaint(capfd)
    assert "connection refused" in line and "1 of 1 calls failed" in line and "--resume" in line
    told = summary(tmp_path / "cut")
    assert told["status"] == "failed" and told["steps"] == 0 and told["error"] in line
    assert told["chat"]["retries/connection"] == 2
    with server(tmp_path / "log.jsonl"):
        assert episode("cut", "--resume") == 0
        assert episode("whole") == 0
    assert essence(tmp_path / "cut") == essence(tmp_path / "whole")
    assert "error" not in summary(tmp_path / "cut")


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("loading", "503: Loading model"), ("garbage", "Welcome to nginx!"), ("malformed_text", "unusable reply")],
)
def test_an_endpoint_that_never_gives_a_usable_reply_fails_the_run(fault, cause, episode, quick, tmp_path, capfd):
    with server(tmp_path / "log.jsonl", faults={fault: 1.0}):
        assert episode("run", steps=1) == 1
    line = complaint(capfd)
    assert cause in line and "calls failed" in line and "--resume" in line and len(line) < 600
    told = summary(tmp_path / "run")
    assert told["status"] == "failed" and told["error"] in line and told["records"] == 0
    assert told["chat"]["policy_defaults"] == 1


def test_unusable_replies_are_asked_for_again_after_a_resume(episode, quick, tmp_path):
    with server(tmp_path / "bad.jsonl", faults={"malformed_text": 1.0}):
        assert episode("run", steps=1) == 1
        assert episode("run", "--resume", steps=1) == 1, "and once more"
    with server(tmp_path / "good.jsonl"):
        assert episode("run", "--resume", steps=1) == 0
        told = summary(tmp_path / "run")
        assert told["status"] == "finished" and told["records"] == 60 and "policy_defaults" not in told["chat"]
        assert told["cost"]["calls"] == len(rows(tmp_path / "bad.jsonl")) + len(rows(tmp_path / "good.jsonl"))
        sent = len(rows(tmp_path / "good.jsonl"))
        replay = ("--teacher.init_args.journal", "replay", "--teacher.init_args.journal_path", str(tmp_path / "run"))
        assert episode("replayed", *replay, steps=1) == 0 and len(rows(tmp_path / "good.jsonl")) == sent
    assert summary(tmp_path / "replayed")["records"] == 60


def test_a_refused_key_fails_the_run(episode, quick, tmp_path, capfd, monkeypatch):
    with server(tmp_path / "log.jsonl"):
        monkeypatch.setenv("OPENAI_API_KEY", "another-key-0123")
        assert episode("run") == 1
        assert "401" in complaint(capfd)
        assert summary(tmp_path / "run")["status"] == "failed"
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert episode("run", "--resume") == 0
    assert summary(tmp_path / "run")["status"] == "finished"


def test_a_server_that_ignores_response_format_costs_at_most_half_as_many_calls_again(episode, tmp_path):
    calls = {}
    for name, options in (("honours", {}), ("ignores", {"ignore": ("response_format",)})):
        with server(tmp_path / f"{name}.jsonl", **options):
            assert episode(name, records=200) == 0
        calls[name] = len(rows(tmp_path / f"{name}.jsonl"))
        told = summary(tmp_path / name)
        assert told["status"] == "finished" and told["records"] == 200
        assert "policy_defaults" not in told["chat"], "no policy call is lost"
    assert calls["honours"] < calls["ignores"] <= 1.5 * calls["honours"]


def test_some_failures_are_counted_and_warned_of_once_a_step(episode, quick, tmp_path, capfd):
    """Every sixth request, by its content, is refused for good; the records of the others make a step."""
    with server(tmp_path / "log.jsonl", faults={"filtered": 0.4}):
        assert episode("run", records=200) == 0
    told, lines = summary(tmp_path / "run"), capfd.readouterr().err.splitlines()
    warned = [line for line in lines if "calls failed" in line]
    failures = sum(n for name, n in told["chat"].items() if name.startswith("failures/"))
    assert told["status"] == "finished" and failures > 0
    assert 1 <= len(warned) <= 2 and all("refused" in line and line.startswith("step ") for line in warned)
    assert sum(int(line.split(": ")[1].split(" of")[0]) for line in warned) == failures


def test_a_hanging_endpoint_is_told_of_while_it_hangs(episode, tmp_path, capfd):
    with server(tmp_path / "log.jsonl", faults={"loading": 1.0}):
        assert episode("run", attempts=5) == 1
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("waiting for the endpoint")]
    assert told, "a retry waits for longer than a look at it takes"
    assert "1 retry (503: Loading model" in told[0] and "next in" in told[0]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"
