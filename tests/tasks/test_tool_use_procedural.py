"""Procedural tool use: plans recomputed from the request's text alone, types, the graph, records, the gallery."""

import random
import re
from pathlib import Path

import pytest

from tasks.errors import ConfigurationError, RecordError
from tasks.testing import check_task
from tasks.tool_use import ProceduralToolUseTask, parse_plan
from tasks.tool_use.checking import check_plan
from tasks.tool_use.templates import GRAPH, SKILLS
from tasks.tool_use.tools import TOOLS, fits
from tasks.types import Prediction
from tests.tasks.tool_use_rows import plan_metrics

ROOT = Path(__file__).resolve().parents[2]
TASK = ProceduralToolUseTask(val_size=35, test_size=35)

# What a reader of English makes of the first part of a request, and of each part after ", then".
FIRST = {
    r"describe what is in \w+ (\d+)": "image_captioning",
    r"classify \w+ (\d+)": "image_classification",
    r"read \w+ (\d+)": "optical_character_recognition",
    r"keep only the left of \w+ (\d+)|cut the right off \w+ (\d+)": "image_crop_left",
    r"keep only the right of \w+ (\d+)|cut the left off \w+ (\d+)": "image_crop_right",
    r"keep only the top of \w+ (\d+)|cut the bottom off \w+ (\d+)": "image_crop_top",
    r"keep the bottom of \w+ (\d+)|cut the top off \w+ (\d+)": "image_crop_bottom",
    r"find all the things in \w+ (\d+)": "object_detection",
    r"outline all the things in \w+ (\d+)": "image_segmentation",
    r"sum up all of \w+ (\d+)": "text_summarization",
    r"judge the tone of \w+ (\d+)": "text_classification",
    r"continue what is begun in \w+ (\d+)": "text_generation",
    r"look up \w+ (\d+)": "wikipedia_simple_search",
    r"draw a picture of \w+ (\d+)": "image_generation",
    r"write down \w+ (\d+)": "automatic_speech_recognition",
    r"where do i find the house (\d+ [a-z]+)": "get_location",
    r"what is (?:known|said) of the day (\d+/\d+)": "get_date_fact",
    r"(?:what happened in the year|tell me the news of|what was on in the year) (\d{4})": "get_year_fact",
    r".*(?:property of the|special about|kind of thing is the|to study about)(?: number)? (\d+)": "get_math_fact",
    r".*(?:curious thing|odd|something|story)(?: about| on| of)(?: the number)? (\d+)": "get_trivia_fact",
    r"would (\w) and (\w) be a match": "love_calculator",
    r"find film (\d+) of (\d{4})": "search_movie",
    r"now make \w+ (\d+) (\w+)": "image_editing",
    r"are (\w+) in \w+ (?P<photo>\d+)": "visual_question_answering",
    r"does \w+ (?P<note>\d+) name (\w+)": "question_answering",
}
NEXT = {
    "describe it": "image_captioning",
    "classify it": "image_classification",
    "read it": "optical_character_recognition",
    "sum it up": "text_summarization",
    "judge it": "text_classification",
    "continue it": "text_generation",
    "look it up": "wikipedia_simple_search",
    "draw it": "image_generation",
    "count them": "count",
    "tag them": "tag",
    "study that": "get_math_fact",
    "amuse me": "get_trivia_fact",
    "the weather there": "get_weather",
}
PARTS = {
    r"crop the (\w+) in \w+ (\d+)": "image_crop",
    r"blur all but the (\w+) in \w+ (\d+)": "background_blur",
    r"grey all but the (\w+) in \w+ (\d+)": "color_pop",
    r"hide the (\w+) in \w+ (\d+) by one (\w+)": "emoji",
}


def oracle(request):
    """The plan of a request in the benchmark's notation, by reading the request and not as the generator writes it."""
    first, *later = request.lower().rstrip(".?").split(", then ")
    for pattern, tool in PARTS.items():
        if match := re.fullmatch(pattern, first):
            thing, photo, *word = match.groups()
            last = f", emoji='{word[0]}'" if word else ""
            return (
                f"x = object_detection(image='{photo}')\n"
                f"y = select_object(objects=x['objects'], object_name='{thing}')\n"
                f"z = {tool}(image=x['image'], object=y['object']{last})"
            )
    ((match, tool),) = [(m, tool) for pattern, tool in FIRST.items() if (m := re.fullmatch(pattern, first))]
    values = [value for value in match.groups() if value is not None]
    if match.groupdict():
        values.reverse()
    given = ", ".join(f"{name}='{value}'" for name, value in zip(TOOLS[tool].arguments, values, strict=True))
    lines = [f"output0 = {tool}({given})"]
    for step, part in enumerate(later):
        tool = NEXT[part]
        before = f"output{step}"
        outputs = TOOLS[lines[-1].split(" = ")[1].split("(")[0]].outputs
        given = ", ".join(
            f"{name}={before}['{name if name in outputs else next(o for o, k in outputs.items() if fits(k, kind))}']"
            for name, kind in TOOLS[tool].arguments.items()
        )
        lines.append(f"output{step + 1} = {tool}({given})")
    return "\n".join(lines)


@pytest.mark.parametrize("pair", TASK.subskill_pairs(), ids="/".join)
def test_plans_recomputed_from_the_request(pair):
    rng = random.Random("/".join(pair))
    for _ in range(100):
        instance = TASK.generate(*pair, rng)
        assert TASK.score(instance, oracle(instance.instruction)) == 1.0, (instance, oracle(instance.instruction))


@pytest.mark.parametrize("notation", ["code", "json"])
def test_it_keeps_the_contract_in_every_notation(notation):
    def make(seed=0, val_size=35, test_size=35):
        return ProceduralToolUseTask(seed, val_size, test_size, notation=notation)

    check_task(make, distinct=20)


def test_the_task_has_the_size_that_it_promises():
    assert len(SKILLS) >= 8 and all(len(subskills) >= 3 for subskills in SKILLS.values())
    task = ProceduralToolUseTask()
    assert len(task.instances("val")) == 210 and len(task.instances("test")) == 420
    assert len(TASK.subskill_pairs()) == 35


def test_every_tool_is_taught_and_every_plan_is_typed():
    seen = set()
    for pair in TASK.subskill_pairs():
        for seed in range(40):
            plan = parse_plan(TASK.record(*pair, random.Random(seed)).response)
            check_plan(plan)
            seen |= set(plan.tools)
    assert seen == set(TOOLS)


def test_the_graph_holds_only_edges_that_the_types_allow():
    for tool, following in GRAPH.items():
        for other in following:
            kinds = TOOLS[tool].outputs.values()
            assert all(any(fits(kind, wanted) for kind in kinds) for wanted in TOOLS[other].arguments.values())


def test_requests_name_no_tool():
    names = [name for name in TOOLS if "_" in name]
    for record in TASK.training_pool()[:500]:
        assert not any(name in record.instruction for name in names)


def test_a_plan_must_be_right_as_a_whole_unless_the_tools_are_asked_for():
    (instance,) = [i for i in TASK.instances("val") if i.subskill == "tags"]
    swapped = instance.answer.replace("tag(a,a)", "tag(a['objects'],a['image'])")
    other = re.sub(r"\d+", "7", instance.answer)
    by_tools = ProceduralToolUseTask(val_size=35, test_size=35, headline="plan_tool")
    for wrong in (swapped, other, instance.answer + "\ncount(a)", instance.answer.split("\n")[0]):
        assert wrong != instance.answer
        assert TASK.score(instance, wrong) == 0.0
    assert by_tools.score(instance, swapped) == by_tools.score(instance, other) == 1.0
    assert plan_metrics(parse_plan(instance.answer), parse_plan(swapped))["plan_argname"] == 1.0


def test_metrics_over_a_split():
    right = [Prediction(i.instance_id, i.answer, 1.0) for i in TASK.instances("val")]
    assert set(TASK.extra_metrics("val", right).values()) == {1.0}
    none = [Prediction(p.instance_id, "", 0.0) for p in right]
    assert set(TASK.extra_metrics("val", none).values()) == {0.0}


def test_records_of_a_language_model_are_read_and_checked():
    text = TASK.domain_text
    record = TASK.parse_record(text.example)
    assert record.answer == record.response and record.instruction == text.example["instruction"]
    assert TASK.score(TASK.as_instance(record), oracle(record.instruction)) == 1.0
    pair = next(iter(TASK.subskill_pairs()))
    drawn = TASK.record(*pair, random.Random(0))
    fields = {"instruction": drawn.instruction, "response": drawn.response, "answer": drawn.answer}
    assert TASK.parse_record(fields).response == drawn.response
    for wrong in ("", "some words", "a=image_captioning()", "teleport('12')", "count('12')"):
        with pytest.raises(RecordError) as error:
            TASK.parse_record({"instruction": "Describe photo 12.", "response": wrong})
        assert "\n" not in str(error.value)


def test_unknown_settings_are_one_line_errors():
    for call in (
        lambda: ProceduralToolUseTask(notation="prose"),
        lambda: ProceduralToolUseTask(headline="nearly"),
    ):
        with pytest.raises(ConfigurationError) as error:
            call()
        assert "\n" not in str(error.value)


def test_replies_fit_the_shipped_student():
    """Plans and requests within the limits of configs/students/tiny_text.yaml, read back from its own tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(ROOT / "lightning_modules" / "pretrained" / "tiny_text"))
    for pair in TASK.subskill_pairs():
        for seed in range(20):
            record = TASK.record(*pair, random.Random(seed))
            asked, answered = (tokenizer(text)["input_ids"] for text in (record.instruction, record.response))
            assert len(asked) + len(answered) + 4 <= 128, record
            assert len(answered) <= 96, record
            assert tokenizer.decode(answered) == record.response
