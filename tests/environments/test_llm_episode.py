"""Whole episodes in which a chat model decides, writes and discovers skills, over real HTTP."""

import json
import os
import socket

import pytest
from llm_episode import KEY, billed_twice, essence, rows, run_killed, server, summary, words
from llm_server import LLMServer
from procedural_brain import ProceduralBrain
from processes import run

from dataenvgym.cli.main import main
from tasks.math import ProceduralMathTask
from teachers.chat.meter import PriceTable
from teachers.chat.types import Usage
from teachers.engines import llm


@pytest.fixture
def small(tiny_model):
    """Words of a small episode: an untrained student, 54 instances a split if it is procedural, two steps."""

    def make(run_dir, *extra, records=60, steps=2, **names):
        sizes = () if "task" in names else ("--task.init_args.val_size", "54", "--task.init_args.test_size", "54")
        return [
            "episode",
            *words(records, steps, **names),
            *sizes,
            *("--model.init_args.model_name_or_path", str(tiny_model), "--model.init_args.max_new_tokens", "4"),
            *("--trainer.max_epochs", "1", "--run_dir", str(run_dir), *extra),
        ]

    return make


@pytest.fixture
def chat_model(monkeypatch):
    with LLMServer(ProceduralBrain(ProceduralMathTask(val_size=54, test_size=54)), key=KEY) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield running


def test_a_replay_needs_no_socket_and_gives_the_same_run_and_one_changed_character_is_a_miss(
    small, tmp_path, chat_model, monkeypatch, capsys
):
    assert main(small(tmp_path / "recorded")) == 0
    sent = len(chat_model.bodies)
    assert sent > 54, "the discovery alone asks for each validation instance"

    def refuse(*_, **__):
        raise OSError("sockets are disabled")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.delenv("OPENAI_API_KEY")
    replay = ("--teacher.init_args.journal", "replay", "--teacher.init_args.journal_path", str(tmp_path / "recorded"))
    assert main(small(tmp_path / "replayed", *replay)) == 0
    assert len(chat_model.bodies) == sent
    assert essence(tmp_path / "replayed") == essence(tmp_path / "recorded")

    render = llm.render

    def misspelt(package, template, **values):
        return render(package, template, **values).replace("Write new training records", "Write new training record", 1)

    monkeypatch.setattr(llm, "render", misspelt)
    assert main(small(tmp_path / "missed", *replay)) == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert "engine" in complaint and "step 1" in complaint and "journal" in complaint


def test_the_key_is_in_no_file_line_or_message(small, tmp_path, monkeypatch, capfd):
    brain = ProceduralBrain(ProceduralMathTask(val_size=54, test_size=54))
    with LLMServer(brain, key=KEY, echo_key=True, faults={"rate_limit": 0.1, "server_error": 0.1}) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert main(small(tmp_path / "run", records=20, steps=1)) == 0
        running.key = "another"  # every further request is refused, and the refusal names the key that was sent
        assert main(small(tmp_path / "refused", records=20, steps=1)) == 1
    told = capfd.readouterr()
    assert "401" in told.err or "key" in told.err.lower()
    texts = [told.out, told.err, *(path.read_bytes().decode(errors="replace") for path in tmp_path.rglob("*.*"))]
    assert len(texts) > 10
    assert not any(KEY in text or KEY[3:] in text for text in texts)


def test_a_spent_cap_ends_the_episode_with_what_it_has(small, tmp_path, chat_model):
    gpt = PriceTable().of("gpt-4o")
    cap = 0.35  # the discovery of 54 labels fits, and some records
    assert main(small(tmp_path, "--teacher.init_args.max_usd", str(cap), records=600, steps=6)) == 0
    told = summary(tmp_path)
    assert told["status"] == "finished" and told["stopped"] == "max_usd"
    assert told["records"] > 0
    billed = gpt.usd(Usage(*chat_model.billed()))
    assert billed <= cap
    assert told["cost"]["usd"] == pytest.approx(billed)


def test_a_dry_run_sends_nothing_and_expects_what_comes(small, tmp_path, chat_model, capsys):
    assert main([*small(tmp_path / "dry"), "--dry_run"]) == 0
    told = capsys.readouterr().out
    assert not chat_model.bodies and not (tmp_path / "dry").exists()
    total = next(line.split() for line in told.splitlines() if line.startswith("total"))
    expected = {"calls": int(total[1]), "tokens": sum(int(number.replace(",", "")) for number in total[2:4])}
    assert "max_usd is 20.00: covers it" in told
    assert main(small(tmp_path / "run")) == 0
    cost = summary(tmp_path / "run")["cost"]
    for name in ("calls", "tokens"):
        assert 0.5 < cost[name] / expected[name] < 2


@pytest.mark.slow
def test_faults_and_kills_change_no_count_and_bill_nothing_twice(small, tmp_path):
    episode = small(tmp_path)[1:]
    del episode[episode.index("--run_dir") : episode.index("--run_dir") + 2]
    with server(tmp_path / "quiet.log"):
        assert main(["episode", *episode, "--run_dir", str(tmp_path / "quiet")]) == 0
    with server(tmp_path / "spoilt.log", 0.3, honour_idempotency=True):
        run_killed(episode, tmp_path / "spoilt", (0.5, 1.5, 3.0))
    quiet, spoilt = summary(tmp_path / "quiet"), summary(tmp_path / "spoilt")
    assert spoilt["records"] == quiet["records"] == 60
    kinds = {row["kind"] for row in rows(tmp_path / "spoilt.log")}
    assert {"rate_limit_wait", "truncated", "too_few", "duplicates"} & kinds, kinds
    assert not billed_twice(tmp_path / "spoilt.log")
    for name in ("quiet", "spoilt"):
        told = summary(tmp_path / name)
        refused = [row for path in (tmp_path / name).rglob("rejected.jsonl") for row in rows(path)]
        assert sum(told["rejected"].values()) == len(refused), "every drop is counted"


@pytest.mark.slow
def test_the_tiny_student_learns_from_a_teacher_that_asks_for_everything(tmp_path):
    with server(tmp_path / "server.log"):
        assert main(["episode", *words(400, 2), "--run_dir", str(tmp_path / "run")]) == 0
    told = summary(tmp_path / "run")
    assert told["gain"]["test"]["ci95"][0] > 0
    assert told["cost"]["calls"] == len(rows(tmp_path / "run" / "calls.jsonl"))


@pytest.mark.slow
def test_an_episode_on_benchmark_rows(small, tmp_path, chat_model):
    folder = tmp_path / "rows"
    folder.mkdir()
    for split, count in (("train", 60), ("test", 20)):
        with open(folder / f"{split}.jsonl", "w", encoding="utf-8") as file:
            for number in range(count):
                left, right = number + (1000 if split == "test" else 0), 7 + number % 13
                row = {
                    "problem": f"A farmer owns {left} sheep and buys {right} more of them. How many are there now?",
                    "level": f"Level {1 + number % 5}",
                    "type": ("Algebra", "Number Theory", "Prealgebra")[number % 3],
                    "solution": f"We add: ${left} + {right} = \\boxed{{{left + right}}}$.",
                }
                file.write(json.dumps(row) + "\n")
    task = ("--task.init_args.path", str(folder), "--task.init_args.val_per_group", "2")
    run = small(tmp_path / "run", *task, task="math")
    run += ["--environment.skills", "environments.skills.GoldSkills"]  # the server knows no skills of these rows
    assert main(run) == 0
    told = summary(tmp_path / "run")
    assert told["task"] == "MATHTask" and told["records"] > 0
    assert {"level/Level 1", "level/Level 5"} <= set(told["slices"])


def test_an_error_without_a_key(small, tmp_path):
    """An episode without a key ends in one line, and nothing hangs."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    done = run(small(tmp_path / "run"), environ=environ, timeout=120)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("dataenvgym: error")]
    assert len(lines) == 1 and "OPENAI_API_KEY" in lines[0]
