"""MATH as a task: splits, records, where rows come from, and what a user is told when they cannot be read."""

import json
import logging
import os
from collections import Counter
from pathlib import Path

import pytest

from tasks.base import normalise_text
from tasks.benchmark_rows import DATA_DIR
from tasks.errors import ConfigurationError, DataEnvGymError, MissingFileError, RecordError
from tasks.math import MATHTask
from tasks.math.records import repair_latex
from tasks.types import TaskInstance
from tests.tasks.math_rows import LEVELS, TOPICS, make_row, make_rows, write_rows, write_splits

REAL = os.environ.get(DATA_DIR)
SUFFIX = "Put the final answer in \\boxed{}."


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv(DATA_DIR, raising=False)
    return write_splits(tmp_path / "math", train=5, test=3)


def test_validation_is_balanced_and_drawn_by_seed(folder):
    tasks = [MATHTask(str(folder), val_per_group=2, seed=seed) for seed in (0, 0, 1)]
    val, again, other = (task.instances("val") for task in tasks)
    assert list(val) == list(again)
    assert {one.instance_id for one in val} != {one.instance_id for one in other}
    for drawn in (val, other):
        cells = Counter((one.metadata["level"], one.skill) for one in drawn)
        assert cells == Counter({(level, topic): 2 for level in LEVELS for topic in TOPICS})


def test_an_instance_is_its_row(folder):
    task = MATHTask(str(folder), val_per_group=2)
    rows = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    test = task.instances("test")
    assert len(test) == len(rows) == 105
    for index, (instance, row) in enumerate(zip(test, rows, strict=True)):
        assert instance.instance_id == f"math-test-{index:05d}"
        assert instance.instruction == row["problem"] and instance.skill == row["type"]
        assert task.slices_of(instance) == {"level": row["level"]}
        assert instance.metadata == {**row, "split": "test"}
        assert task.score(instance, row["solution"]) == 1.0
    assert {one.metadata["split"] for one in task.instances("val")} == {"train"}


def test_the_training_pool_is_the_rest_of_train(folder):
    task = MATHTask(str(folder), val_per_group=2, instruction_suffix=SUFFIX)
    pool = task.training_pool()
    assert len(pool) == 35 * 3
    evaluated = {normalise_text(one.instruction) for split in ("val", "test") for one in task.instances(split)}
    assert not evaluated & {normalise_text(record.instruction) for record in pool}
    for record in pool:
        assert record.instruction.endswith(f"\n\n{SUFFIX}") and record.skill in TOPICS
        assert record.response.endswith(f"$\\boxed{{ {record.answer} }}$.")
        assert task.score(task.as_instance(record), record.response) == 1.0
    assert [one.instruction for one in task.instances("train")] == [record.instruction for record in pool]


def test_a_problem_that_the_splits_share_is_not_trained_on(folder):
    rows = make_rows(5)
    shared = make_row(77_777, "Level 1", "Algebra")
    write_rows(folder, train=[*rows, {**shared, "problem": shared["problem"].upper()}], test=[shared])
    task = MATHTask(str(folder), val_per_group=2)
    assert not any("77777" in record.instruction for record in task.training_pool())


def test_validation_from_test_leaves_test_unless_they_overlap(folder):
    apart = MATHTask(str(folder), val_from="test", val_per_group=2)
    ids = {split: {one.instance_id for one in apart.instances(split)} for split in ("val", "test")}
    assert len(ids["val"]) == 70 and len(ids["test"]) == 35 and not ids["val"] & ids["test"]
    assert "taken out" in apart.split_note
    paper = MATHTask(str(folder), val_from="test", val_per_group=2, overlap=True)
    ids = {split: {one.instance_id for one in paper.instances(split)} for split in ("val", "test")}
    assert len(ids["test"]) == 105 and not ids["val"] & ids["test"], "ids are unique within a task"
    texts = {split: {one.instruction for one in paper.instances(split)} for split in ("val", "test")}
    assert texts["val"] < texts["test"]
    parts = Counter(paper.slices_of(one).get("test rows") for split in ids for one in paper.instances(split))
    assert parts == {None: 70, "in validation": 70, "not in validation": 35}
    assert not any("test rows" in apart.slices_of(one) for one in apart.instances("test"))
    assert "are among them" in paper.split_note
    assert len(apart.training_pool()) == len(paper.training_pool()) == 35 * 5


def test_a_test_subset_is_drawn_once(folder):
    small = MATHTask(str(folder), val_per_group=2, test_size=10).instances("test")
    assert len(small) == 10
    assert small == MATHTask(str(folder), val_per_group=2, test_size=10).instances("test")
    whole = MATHTask(str(folder), val_per_group=2, test_size=10_000).instances("test")
    assert len(whole) == 105 and {one.instance_id for one in small} < {one.instance_id for one in whole}


def test_short_groups_and_odd_rows_are_counted(folder, caplog):
    rows = make_rows(2)[:-1]
    rows.append(make_row(500, "Level ?", "Algebra"))
    rows.append(make_row(501, "Level 1", "Astrology"))
    rows.append({**make_row(502, "Level 1", "Algebra"), "solution": "Nobody knows."})
    write_rows(folder, train=rows)
    task = MATHTask(str(folder), val_per_group=2)
    with caplog.at_level(logging.WARNING):
        assert len(task.instances("val")) == 69
    assert dict(task.counters) | {"scoring_timeouts": 0, "scoring_crashes": 0} == {
        "rows_without_answer": 1,
        "rows_of_unknown_group": 2,
        "short_groups": 1,
        "scoring_timeouts": 0,
        "scoring_crashes": 0,
    }
    for words in ("Level 5, Precalculus", "Level ?", "Astrology", "1 train rows are left out"):
        assert words in caplog.text
    assert len(task.training_pool()) == 2, "rows of no group are trained on all the same"


def test_the_suffix_is_asked_before_and_after(folder):
    task = MATHTask(str(folder), val_per_group=2, instruction_suffix=SUFFIX)
    assert all(one.instruction.endswith(f"\n\n{SUFFIX}") for one in task.instances("val"))
    reply = {"problem": "What is $1+1$?", "solution": "It is $2$.", "answer": "2"}
    record = task.parse_record(reply)
    assert record.instruction == f"What is $1+1$?\n\n{SUFFIX}"
    assert task.parse_record({**reply, "problem": record.instruction}) == record, "never twice"
    assert task.score(task.as_instance(record), "\\boxed{}") == 0.0


def test_a_reply_becomes_a_record_in_the_target_format(folder):
    task = MATHTask(str(folder), val_per_group=2)
    reply = {"problem": " What is $1/2$ of $1$? ", "solution": "Halve it.\n", "answer": "$\\frac{1}{2}$"}
    record = task.parse_record(reply)
    assert record.instruction == "What is $1/2$ of $1$?" and record.answer == "\\frac{1}{2}"
    assert record.response == "Halve it.\nThe final answer is $\\boxed{ \\frac{1}{2} }$."
    assert task.parse_record({**reply, "answer": "\\boxed{\\frac{1}{2}}"}) == record


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answer": ""}, "'answer'"),
        ({"answer": None}, "'answer'"),
        ({"answer": 2}, "'answer'"),
        ({"solution": " "}, "'solution'"),
        ({"problem": ["x"]}, "'problem'"),
        ({"answer": "2}"}, "read back"),
        ({"answer": "7" * 2_000}, "one short answer"),
        ({"solution": "So it is $\\boxed{3}$."}, "arrives at '3'"),
    ],
)
def test_an_unusable_reply_says_why(folder, change, words):
    task = MATHTask(str(folder), val_per_group=2)
    with pytest.raises(RecordError, match=words):
        task.parse_record({"problem": "What is $1+1$?", "solution": "It is $2$.", "answer": "2", **change})
    with pytest.raises(RecordError, match="'problem'"):
        task.parse_record({})


@pytest.mark.parametrize(
    ("eaten", "whole"),
    [
        ("$\x0crac{1}{2}$", "$\\frac{1}{2}$"),
        ("$\x08oxed{4}$ and $\x08inom{4}{2}$", "$\\boxed{4}$ and $\\binom{4}{2}$"),
        ("$3 \times 4$", "$3 \\times 4$"),
        ("$\theta$ and $\text{cm}$ and $\tan x$", "$\\theta$ and $\\text{cm}$ and $\\tan x$"),
        ("$x \neq y$, $\neg p$, $\nu$", "$x \\neq y$, $\\neg p$, $\\nu$"),
        ("$\right)$ and $\rho$", "$\\right)$ and $\\rho$"),
        ("$\\\\frac{1}{2}$", "$\\frac{1}{2}$"),
        # Prose and matrices stay as they are.
        ("one\ttop line\nnewline and\nnu, a dialect", "one\ttop line\nnewline and\nnu, a dialect"),
        ("$1 \\\\ 2$ and $\\\\ x$", "$1 \\\\ 2$ and $\\\\ x$"),
        ("a\n\nequation", "a\n\nequation"),
    ],
)
def test_latex_that_json_has_eaten(eaten, whole):
    assert repair_latex(eaten) == whole
    assert repair_latex(whole) == whole


def test_json_round_trip_of_undoubled_backslashes(folder):
    task = MATHTask(str(folder), val_per_group=2)
    text = '{"problem": "Halve $\\frac{1}{2} \\times 1$.", "solution": "$\\frac{1}{4}$", "answer": "\\frac{1}{4}"}'
    record = task.parse_record(json.loads(text))
    assert record.instruction == "Halve $\\frac{1}{2} \\times 1$."
    assert record.answer == "\\frac{1}{4}"


def test_where_rows_come_from(folder, tmp_path, monkeypatch):
    write_rows(tmp_path / "data" / "math", train=make_rows(2), test=make_rows(1, start=50_000))
    monkeypatch.setenv(DATA_DIR, str(tmp_path / "data"))
    assert len(MATHTask(val_per_group=1).instances("test")) == 35
    assert len(MATHTask(str(folder), val_per_group=1).instances("test")) == 105, "path comes before the environment"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"val_from": "dev"}, "val_from is 'dev'"),
        ({"overlap": True}, "val_from test"),
        ({"val_per_group": 0}, "val_per_group is 0"),
        ({"test_size": 0}, "test_size is 0"),
        ({"path": "/no/such/folder"}, "/no/such/folder"),
    ],
)
def test_bad_settings_are_one_line(folder, settings, words):
    with pytest.raises(DataEnvGymError, match=words) as caught:
        MATHTask(**{"path": str(folder), **settings})
    assert "\n" not in str(caught.value)


def test_a_folder_without_train_says_what_to_do(tmp_path):
    only_test = write_rows(tmp_path / "only_test", test=make_rows(2))
    with pytest.raises(MissingFileError, match=r"--task\.init_args\.val_from test"):
        MATHTask(str(only_test))
    task = MATHTask(str(only_test), val_from="test", val_per_group=1)
    assert len(task.instances("val")) == len(task.instances("test")) == 35
    with pytest.raises(ConfigurationError, match=r"train\.jsonl"):
        task.training_pool()
    with pytest.raises(ConfigurationError, match="val_per_group"):
        MATHTask(str(only_test), val_from="test").instances("test")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"problem": "x"', "line 2: not JSON"),
        ("[1]", "line 2: expected a JSON object"),
        ('{"problem": "x", "level": "Level 1", "type": "Algebra"}', "line 2: the field 'solution' is missing"),
        ('{"problem": 3, "level": "Level 1", "type": "Algebra", "solution": "s"}', "line 2: the field 'problem' is 3"),
    ],
)
def test_a_bad_row_names_file_line_and_field(folder, line, words):
    file = folder / "test.jsonl"
    file.write_text(file.read_text().split("\n")[0] + f"\n{line}\n")
    with pytest.raises(RecordError, match=words) as caught:
        MATHTask(str(folder), val_per_group=1).instances("test")
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_without_a_network_it_is_one_line(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.delenv(DATA_DIR, raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # Nothing listens there; a client that was asked nevertheless would try again for half a minute.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    task = MATHTask(hub_id="nobody/no-such-data-set-of-ours", revision=None)
    with pytest.raises(MissingFileError, match=r"--task\.init_args\.path") as caught:
        task.instances("val")
    assert DATA_DIR in str(caught.value) and "\n" not in str(caught.value)
    assert constants.HF_HUB_OFFLINE is False, "the client is left as it was"


@pytest.mark.skipif(REAL is None or not Path(REAL, "math", "test.jsonl").is_file(), reason=f"{DATA_DIR} has no MATH")
def test_real_rows():
    task = MATHTask(val_from="test", overlap=True)
    test = task.instances("test")
    assert len(test) == 5_000 and {one.skill for one in test} == set(TOPICS)
    right = sum(task.score(one, one.metadata["solution"]) for one in test)
    assert right / len(test) >= 0.995
    assert all(task.score(one, one.answer) == 1.0 for one in test)
    pairs = [(one, other) for one, other in zip(test, (*test[1:], test[0]), strict=True) if one.answer != other.answer]
    wrong = [(one.answer, other.answer) for one, other in pairs if task.score(one, other.metadata["solution"]) == 1.0]
    assert len(wrong) / len(pairs) <= 0.005, wrong
    assert isinstance(test[0], TaskInstance) and task.counters["scoring_timeouts"] == 0
