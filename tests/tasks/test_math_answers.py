"""MATH's scoring, case by case: what is an answer, and what is the same answer."""

import random
import string
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.math import MATHTask
from tasks.math.answers import extract_answer, last_boxed
from tasks.math.equivalence import equivalent
from tasks.math.normalisation import normalise_answer
from tasks.math.records import render_response
from tasks.math.structure import number
from tasks.math.sympy_process import SympyProcess
from tasks.testing import HOSTILE_REPLIES
from tasks.types import TaskInstance
from tests.tasks.math_rows import made

S = "Final Answer: The final answer is "
H = " I hope it is correct."
LLAMA = "Therefore, the final answer is: "


PAIRS = Path(__file__).parent / "data" / "answers"


@pytest.fixture(scope="module")
def process():
    """One that gives up early, since some pairs are meant to keep it busy, and is asked each thing once."""
    made_process = SympyProcess(seconds=1.0)
    made_process.same = cache(made_process.same)
    yield made_process
    made_process.close()


@pytest.fixture(scope="module")
def task():
    return MATHTask(path=str(made()), val_per_group=2)


@pytest.mark.parametrize(
    ("gold", "reply", "score"),
    [
        ("4", f"{S}$\\boxed{{4}}$.{H}", 1),
        ("4", f"{S}$\\boxed{{ 4 }}$.{H}", 1),
        ("4", f"{S}$4$.{H}", 1),
        ("4", "So it is $\\boxed{4}$", 1),
        ("4", "So it is \\boxed{4}", 1),
        ("4", "$\\fbox{4}$ or \\boxed 4", 1),
        ("\\frac{1}{2}", f"{S}$\\frac12$.{H}", 1),
        ("\\frac{1}{2}", f"{S}$0.5$.{H}", 1),
        ("0.5", f"{S}$\\frac{{1}}{{2}}$.{H}", 1),
        ("\\frac{1}{2}", "$\\boxed{\\frac{1}{2}}$", 1),
        ("100000", f"{S}$100,000$.{H}", 1),
        ("x+1", f"{S}$1+x$.{H}", 1),
        ("2", f"{S}$x=2$.{H}", 1),
        ("[2,5)", f"{S}$[2, 5)$.{H}", 1),
        ("5", f"{S}$5$ dollars.{H}", 1),
        ("\\text{east}", f"{S}$\\text{{East}}$.{H}", 0),
        ("\\text{east}", f"{S}$\\text{{east}}$.{H}", 1),
        ("\\text{east}", "The answer is east.", 1),
        ("\\dfrac{1}{2}", f"{S}$\\frac{{1}}{{2}}$.{H}", 1),
        ("10", f"{S}$10\\%$.{H}", 0),
        ("10\\%", f"{S}$10$.{H}", 0),
        ("10\\%", f"{S}$10\\%$.{H}", 1),
        ("10\\%", "The answer is 10%.", 1),
        ("4", f"{S}\n$4$.{H}", 1),
        ("4", f"{S}$3$.{H} No, that is wrong. {S}$4$.{H}", 1),
        ("3", f"{S}$3$.{H} No, that is wrong. {S}$4$.{H}", 0),
        ("4", "First \\boxed{3}, then \\boxed{4}.", 1),
        ("3", "First \\boxed{3}, then \\boxed{4}.", 0),
        ("4", "First \\boxed{3}. Wait, the answer is $4$.", 1),
        ("[invalidanswer]", "I do not know.", 0),
        ("[invalidanswer]", "[invalidanswer]", 0),
        ("[invalidanswer]", "\\boxed{[invalidanswer]}", 0),
        ("4", "", 0),
        ("1251", f"{LLAMA}$\\boxed{{1251}}$.{H}", 1),
        ("4", "\\boxed{\\boxed{4}}", 1),
        ("4", "\\boxed{4}. The answer is in inches.", 1),
        ("4", "The answer is \\boxed{4}. I checked that this answer is correct.", 1),
        ("44", "It is \\boxed{44}. We check our answer: $17 \\cdot 44 = 748$.", 1),
        ("4", "The answer is \\boxed{4", 0),
        ("4", "The answer is \\boxed{}.", 0),
        ("4", "It could be 1, 2, 3 or 4,\nas far as I can see.", 0),
        ("3, 5", "The answer is $3$ and $5$.", 1),
        ("42", "**Answer:** 42\n\nThe rest is commentary.", 1),
        ("\\frac{3}{4}", "The final answer is:\n\\[ x = \\frac{3}{4} \\]", 1),
    ],
)
def test_acceptance_table(task, gold, reply, score):
    assert task.score(TaskInstance("x", "What is it?", gold), reply) == score


def pairs(replies: bool) -> list[tuple[str, str, bool]]:
    """The labelled pairs, as (right answer, answer or whole reply, whether they are the same)."""
    return [
        (gold, text, label == "same")
        for file in sorted(PAIRS.glob("*.yaml"))
        if (file.stem == "replies") == replies
        for labelled in yaml.safe_load(file.read_text()).values()
        for label, listed in labelled.items()
        for gold, text in listed
    ]


def test_there_are_pairs_of_every_class():
    assert len(pairs(replies=False)) >= 400 and len(pairs(replies=True)) >= 40


@pytest.mark.parametrize(("gold", "answer", "same"), pairs(replies=False))
def test_labelled_answers(process, gold, answer, same):
    assert equivalent(gold, answer, process) == equivalent(answer, gold, process) == same
    # Every answer is itself.
    if answer.strip() and same:
        assert equivalent(answer, answer, process)


@pytest.mark.parametrize(("gold", "reply", "same"), pairs(replies=True))
def test_labelled_replies(task, gold, reply, same):
    assert task.score(TaskInstance("x", "What is it?", gold), reply) == float(same)


@pytest.mark.parametrize(
    ("question", "gold", "answer", "score"),
    [
        ("If $x - y = 1$ and $x = 5$, what is $x + y$?", "9", "x+y=9", 1),
        ("If $x - y = 1$ and $x = 5$, what is $x + y$?", "9", "x-y=9", 0),
        ("Find $\\sin A$.", "\\frac{3}{5}", "\\sin A = 0.6", 1),
        ("Find $\\sin A$.", "\\frac{3}{5}", "\\cos A = 0.6", 0),
        ("Solve $2x = 6$.", "6", "2x = 6", 0),
        ("Find $\\sin x$ and $\\cos x$.", "\\sin x=c", "\\cos x=c", 0),
        ("Enter the angles, separated by commas.", "70,110", "110, 70", 1),
        ("How many are there?", "70,110", "70110", 1),
        ("How many are there?", "70,110", "70, 110", 0),
    ],
)
def test_what_the_question_says(task, question, gold, answer, score):
    assert task.score(TaskInstance("x", question, gold), f"\\boxed{{{answer}}}") == score


def test_the_question_s_own_formula_is_no_answer(task):
    instance = TaskInstance("x", "Simplify $\\sqrt{8} + \\sqrt{2}$.", "3\\sqrt{2}")
    assert task.score(instance, "\\boxed{\\sqrt{8}+\\sqrt2}") == 0.0
    assert task.score(instance, instance.instruction) == 0.0
    assert task.score(instance, "\\boxed{\\sqrt{18}}") == 1.0
    # The right text is an answer even if the question shows it.
    assert task.score(TaskInstance("x", "Which is larger, $2+x$ or $1+x$?", "2+x"), "\\boxed{2+x}") == 1.0


def test_rendered_target_has_the_answer_last():
    target = render_response("cot", "17")
    chain, sentence = target.split("\n")
    assert chain == "cot" and sentence.endswith("$\\boxed{ 17 }$.") and "answer" in sentence
    assert extract_answer(target) == "17" == last_boxed(target)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["4", "\\frac{1}{2}", "\\text{east}", "(1,2)", "x^2 = 4"]))
def test_no_text_raises(text, gold):
    for reply in (text, f"\\boxed{{{text}}}", f"The answer is {text}"):
        answer = extract_answer(reply)
        assert answer is None or isinstance(normalise_answer(answer), str)
        number(text)
    equivalent(gold, text)


def test_hostile_replies_score_nothing_and_end(task):
    rng = random.Random(0)
    noise = "".join(rng.choices(string.printable, k=100_000))
    long = ["\\boxed{" * 20_000, "{" * 100_000, "answer is " * 20_000, "$" * 100_000, "the answer is correct. " * 5_000]
    for reply in (*HOSTILE_REPLIES, *long, noise):
        for wrapped in (reply, f"\\boxed{{{reply}}}", f"The answer is ${reply}$."):
            assert task.score(TaskInstance("x", "What?", "271"), wrapped) == 0.0
