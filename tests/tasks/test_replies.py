"""Readers of short answers and plans, on replies as models write them, each with the label of a careful reader."""

import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.base import Task
from tasks.choices import LETTERS, TRUE_FALSE, YES_NO, choose
from tasks.replies import MAX_CHARACTERS, plain_text, stated_answer, without_reasoning
from tasks.testing import HOSTILE_REPLIES
from tasks.tool_use.authors import authors_metrics
from tasks.tool_use.parsing import parse_plan
from tasks.types import TaskInstance
from tasks.vqa import GQATask, NaturalBenchTask, NLVRTask, ProceduralVQATask
from tests.tasks.tool_use_rows import plan_metrics
from tests.tasks.vqa_folders import made

DATA = Path(__file__).parent / "data"
NATURALBENCH = NaturalBenchTask(str(made("naturalbench")), groups=5)
TASKS: dict[str, tuple[Task, tuple[str, ...]]] = {
    "letters": (NATURALBENCH, ("A", "B")),
    "yes_no": (NATURALBENCH, ("Yes", "No")),
    "true_false": (NLVRTask(str(made("nlvr"))), ("true", "false")),
    "open": (GQATask(str(made("gqa"))), ()),
    "shape_colour": (ProceduralVQATask(), ()),
}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").split("\n") if line]


def scored(task: Task, answer: str, reply: str) -> bool:
    return task.score(TaskInstance("x", "Which?", answer), reply) == 1.0


@pytest.mark.parametrize(
    "row", rows("replies_with_choices.jsonl"), ids=lambda row: f"{row['kind']} {row['reply']!r:.40}"
)
def test_a_reply_chooses_what_a_careful_reader_says(row: dict[str, Any]) -> None:
    task, options = TASKS[row["kind"]]
    chosen = [option for option in options if scored(task, option, row["reply"])]
    assert [one.lower() for one in chosen] == ([] if row["choice"] is None else [row["choice"].lower()])


@pytest.mark.parametrize(
    "row", rows("replies_with_answers.jsonl"), ids=lambda row: f"{row['answer']} {row['reply']!r:.40}"
)
def test_a_reply_states_what_a_careful_reader_says(row: dict[str, Any]) -> None:
    assert scored(TASKS[row["kind"]][0], row["answer"], row["reply"]) == row["right"]


@pytest.mark.parametrize("row", rows("replies_with_plans.jsonl"), ids=lambda row: row["name"])
def test_a_reply_holds_the_plan_that_a_careful_reader_sees(row: dict[str, Any]) -> None:
    assert parse_plan(row["reply"]).trees == parse_plan(row["plan"]).trees


def first_word(reply: str, options: tuple[str, str]) -> str | None:
    """NaturalBench's own rule: the option that occurs first as a word, whatever stands around it."""
    places = {option: re.search(rf"\b{option}\b", reply, re.IGNORECASE) for option in options}
    found = [(match.start(), option) for option, match in places.items() if match]
    return min(found)[1] if found else None


def test_naturalbench_replies_lose_nothing_to_the_benchmarks_own_rule() -> None:
    """Where its rule finds the label, so does the reader; it is wrong on others, such as articles and negations."""
    theirs, ours, every = 0, 0, 0
    for row in rows("replies_with_choices.jsonl"):
        if row["kind"] == "true_false":
            continue
        options = YES_NO if row["kind"] == "yes_no" else LETTERS
        label = row["choice"] and row["choice"].lower()
        by_rule, by_us = first_word(row["reply"], (options.words[0], options.words[1])), choose(row["reply"], options)
        assert by_us == label or by_rule != label, row
        every, theirs, ours = every + 1, theirs + (by_rule == label), ours + (by_us == label)
    assert ours == every > theirs


MANNERS = ("{}", "{}.", "({})", "**{}**", "{}\n\nThe image shows a dog on a mat.", "{}\nA dog is there.", "Answer: {}")


@pytest.mark.parametrize("manner", MANNERS)
def test_manners_that_the_benchmarks_rule_reads_are_read_for_every_option(manner: str) -> None:
    for options in (YES_NO, LETTERS, TRUE_FALSE):
        for option in options.words:
            for written in (option, option.upper(), option.capitalize()):
                assert choose(manner.format(written), options) == option


def test_a_repeated_question_is_no_answer() -> None:
    instance = NATURALBENCH.instances("val")[0]
    for rest, score in (("", 0.0), (" No", 0.0), (" Yes", 1.0), (f"\n{instance.answer}", 1.0)):
        assert NATURALBENCH.score(instance, instance.instruction + rest) == score


def test_reasoning_is_passed_over_and_reasoning_without_end_has_no_answer() -> None:
    assert without_reasoning("<think>a</think>b") == "b" == without_reasoning("a</think>b")
    assert without_reasoning("b<think>a") == "b"
    assert stated_answer("<think>red</think>\nblue") == "blue"


def test_of_a_long_reply_both_ends_are_read() -> None:
    middle = "word " * MAX_CHARACTERS
    assert choose(f"Yes.\n{middle}", YES_NO) == "yes" == choose(f"{middle}\nFinal answer: yes", YES_NO)
    assert len(plain_text(middle * 10)) <= MAX_CHARACTERS + 1


PIECES = (
    "A",
    "no ",
    "yes or no ",
    "answer: ",
    "\\boxed{",
    "<answer>",
    "\n",
    " ",
    "wait, ",
    '"',
    "(",
    "a and b ",
    "x=f(",
    "[",
    "```\n",
)
LONG = (
    *HOSTILE_REPLIES,
    *(piece * (1_000_000 // len(piece)) for piece in PIECES),
    *((one + other) * (6_000 // len(one + other)) for one, other in itertools.combinations(PIECES, 2)),
    "x = f(a=1)\n" * 500_000,
    "`a(b)`" * 5_000,
    "\u0301\u0327" * 20_000,
    "<think>" * 700_000,
    "yes" + "\x00" * 5_000_000,
    "x=f(a=" + "(" * 9_000 + ")" * 9_000 + ")",
)


@pytest.mark.parametrize("part", range(8))
def test_no_reply_raises_or_takes_long(part: int) -> None:
    for text in LONG[part::8]:
        start = time.process_time()
        for options in (YES_NO, LETTERS, TRUE_FALSE):
            choose(text, options)
        stated_answer(text)
        plan = parse_plan(text)
        plan_metrics(plan, plan)
        authors_metrics([([[{"id": 0, "name": "count", "args": {}}]], text)])
        assert time.process_time() - start < 20, text[:30]  # not a speed: that nothing grows without end
