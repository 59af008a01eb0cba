"""The m&m's benchmark from local rows: splits, gold plans read without eval, skills, records, errors in one line."""

import json

import pytest

from tasks.errors import ConfigurationError, MissingFileError, RecordError
from tasks.testing import check_task
from tasks.tool_use import MnmsTask
from tasks.tool_use.benchmark import FILTERED, REVISION, VERIFIED
from tasks.tool_use.parsing import parse_plan
from tasks.tool_use.tools import TOOLS
from tasks.types import Prediction
from tests.tasks.tool_use_rows import CAPTION, SUMMARY, made, make_row, make_rows, write_rows

RIGHT = "a = image_captioning('1.jpg')\nb = text_summarization(a['text'])"


@pytest.fixture
def task():
    return MnmsTask(path=str(made()))


def test_it_keeps_the_contract():
    check_task(lambda: MnmsTask(path=str(made()), headline="plan", alternatives=True, prompt="request"))


def test_validation_is_what_the_filtered_split_leaves(task):
    assert [instance.instance_id for instance in task.instances("test")] == ["test_3", "test_5", "test_8"]
    assert [instance.instance_id for instance in task.instances("val")] == ["val_11", "val_12", "val_14"]


def test_rows_may_be_divided_already_and_may_come_from_the_data_folder(tmp_path, monkeypatch, task):
    rows = make_rows()
    write_rows(tmp_path / "mnms", val=rows[3:], test=rows[:3])
    for other in (MnmsTask(path=str(tmp_path / "mnms")), _from_variable(tmp_path, monkeypatch)):
        for split in ("val", "test"):
            assert other.instances(split) == task.instances(split)


def _from_variable(folder, monkeypatch):
    monkeypatch.setenv("DATAENVGYM_DATA_DIR", str(folder))
    return MnmsTask()


def test_the_hub_commit_is_pinned_whole():
    assert len(REVISION) == 40 and REVISION.startswith("da313260")


def test_skills_are_the_tools_in_words_and_rows_are_kept(task):
    first = task.instances("test")[0]
    assert first.skill == "image captioning, text summarization"
    assert task.skill_of(first) == first.skill
    assert first.metadata["plan_str"] == make_rows()[0]["plan_str"]
    assert task.slices_of(first) == {"steps": "2"}


def test_gold_plans_are_written_as_the_benchmark_writes_them(task):
    answers = [instance.answer for split in ("test", "val") for instance in task.instances(split)]
    assert (
        answers[0] == "output0 = image_captioning(image=\"1.jpg\")\noutput1 = text_summarization(text=output0['text'])"
    )
    assert answers[1] == 'output0 = get_year_fact(year="1984")'
    assert answers[4] == "output0 = image_generation(text='a \"red\" poster, isn\\'t it')"
    assert answers[5].endswith("output1 = image_generation(text=f\"a view of {output0['text']}, at night\")")


def test_the_request_comes_first_and_the_tools_follow(task):
    instance = task.instances("test")[0]
    assert instance.instruction.startswith("Shorten what 1.jpg shows.\n\n")
    assert all(tool.signature in instance.instruction for tool in TOOLS.values())
    bare = MnmsTask(path=str(made()), prompt="request").instances("test")[0]
    assert bare.instruction == "Shorten what 1.jpg shows."


@pytest.mark.parametrize(
    ("headline", "reply", "score"),
    [
        ("plan_tool", RIGHT, 1),
        ("plan_tool", RIGHT.replace("1.jpg", "2.jpg"), 1),
        ("plan_argvalue", RIGHT.replace("1.jpg", "2.jpg"), 0),
        ("plan", RIGHT.replace("1.jpg", "2.jpg"), 0),
        ("plan", RIGHT, 1),
        ("plan_tool", RIGHT.replace("captioning", "classification"), 0),
        ("plan_tool", json.dumps([CAPTION, SUMMARY]), 1),
        ("plan_tool", "", 0),
    ],
)
def test_the_headline_decides_the_score(headline, reply, score):
    task = MnmsTask(path=str(made()), headline=headline)
    assert task.score(task.instances("test")[0], reply) == score


def test_alternatives_count_only_where_asked_for():
    reply = RIGHT.replace("captioning", "classification")
    for alternatives in (False, True):
        task = MnmsTask(path=str(made()), alternatives=alternatives)
        assert task.score(task.instances("test")[0], reply) == float(alternatives)
        found = task.extra_metrics(
            "test", [Prediction(f"test_{n}", text, 0.0) for n, text in zip((3, 5, 8), (reply, "", ""), strict=True)]
        )
        assert found["argname_recall"] == pytest.approx(2 / 6 if alternatives else 1 / 6)


def test_metrics_over_a_split(task):
    right = [Prediction(i.instance_id, i.answer, 1.0) for i in task.instances("test")]
    found = task.extra_metrics("test", right)
    assert found.pop("mnms_tool_normalized_edit_distance") == 0.0
    assert set(found.values()) == {1.0}
    one = [Prediction(p.instance_id, p.text if p.instance_id == "test_5" else "?", 0.0) for p in right]
    found = task.extra_metrics("test", one)
    assert found["plan_tool"] == pytest.approx(1 / 3) and found["tool_recall"] == pytest.approx(1 / 6)


def test_records_are_asked_as_instances_are(task):
    record = task.parse_record({"instruction": "Shorten what 1.jpg shows.", "response": RIGHT})
    instance = task.instances("test")[0]
    assert record.instruction == instance.instruction
    assert task.parse_record({"instruction": record.instruction, "response": RIGHT}).instruction == record.instruction
    assert task.score(task.as_instance(record), instance.answer) == 1.0
    with pytest.raises(RecordError, match="no such tool"):
        task.parse_record({"instruction": "Fly.", "response": "fly()"})
    with pytest.raises(RecordError, match="different plans"):
        task.parse_record({"instruction": "Look.", "response": RIGHT, "answer": "image_captioning('1.jpg')"})


def test_the_worked_example_is_a_record(task):
    text = task.domain_text
    assert task.parse_record(text.example).answer
    assert all(tool.signature in text.stages[0].guide for tool in TOOLS.values())
    assert "{tools}" not in text.stages[0].guide


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plan_str": "__import__('os').getcwd()"}, "plan_str is no list of nodes"),
        ({"plan_str": "[]"}, "a plan is a list of nodes"),
        ({"plan_str": "[{'id': 0}]"}, "has no name"),
        ({"plan_str": str([SUMMARY])}, "refers to no earlier node"),
        ({"plan_str": None}, "'plan_str'"),
        ({"alt_plans_str": "[["}, "alt_plans_str is no list"),
        ({"alt_plans_str": "[[]]"}, "a plan is a list of nodes"),
        ({"user_request": " "}, "'user_request'"),
        ({"id": None}, "'id' is missing"),
    ],
)
def test_rows_that_cannot_be_read_are_named(tmp_path, change, message):
    row = make_row(1, "Say what 1.jpg shows.", [CAPTION]) | change
    task = MnmsTask(path=str(write_rows(tmp_path, test=[row])))
    with pytest.raises(RecordError, match=message) as error:
        task.instances("test")
    assert "\n" not in str(error.value) and "test.jsonl, line 1" in str(error.value)


def test_plans_as_json_and_nodes_without_arguments_are_read(tmp_path):
    rows = [
        make_row(1, "Say what 1.jpg shows.", [CAPTION]),
        make_row(2, "Count.", [{"id": 0, "name": "count", "args": None}]),
    ]
    rows[0]["plan_str"] = json.dumps([CAPTION])
    task = MnmsTask(path=str(write_rows(tmp_path, **{FILTERED: rows, VERIFIED: rows})))
    assert [parse_plan(instance.answer).tools for instance in task.instances("test")] == [
        ("image_captioning",),
        ("count",),
    ]
    assert task.instances("val") == ()


def test_wrong_settings_and_missing_rows_are_one_line_errors(tmp_path):
    for call, kind in (
        (lambda: MnmsTask(path=str(made()), headline="nearly"), ConfigurationError),
        (lambda: MnmsTask(path=str(made()), prompt="none"), ConfigurationError),
        (lambda: MnmsTask(path=str(tmp_path / "nowhere")), MissingFileError),
        (lambda: MnmsTask(path=str(tmp_path)).instances("test"), MissingFileError),
        (lambda: MnmsTask(path=str(made())).instances("train"), ConfigurationError),
    ):
        with pytest.raises(kind) as error:
            call()
        assert "\n" not in str(error.value)
