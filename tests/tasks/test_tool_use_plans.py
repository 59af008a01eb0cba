"""Reading and writing plans: what is written reads back, in every notation, and no text makes the reader fail."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import RecordError
from tasks.testing import HOSTILE_REPLIES
from tasks.tool_use.checking import check_plan
from tasks.tool_use.parsing import MAX_CHARACTERS, parse_plan, plan_from_nodes
from tasks.tool_use.plans import Call, Mixed, Plan, Reference, Unknown, make_call, plan_nodes, render
from tasks.tool_use.tools import TOOLS, fits
from tests.tasks.tool_use_rows import plan_metrics

TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(['"', "'", "\\", "{x}", "a\nb", "\\N{", "{{", "\ud800", "\"'"]))


@st.composite
def plans(draw, texts=TEXTS):
    calls: list[Call] = []
    for _ in range(draw(st.integers(1, 5))):
        sources = [
            (Reference(step, output), kind)
            for step, call in enumerate(calls)
            for output, kind in TOOLS[call.tool].outputs.items()
        ]
        arguments = {}
        tool = draw(st.sampled_from(sorted(TOOLS)))
        for name, wanted in TOOLS[tool].arguments.items():
            fitting = [reference for reference, kind in sources if fits(kind, wanted)]
            written = st.integers(0, 9999).map(str) if wanted == "number" else texts
            choices = [written] + ([st.sampled_from(fitting)] if fitting else [])
            if fitting and wanted == "text":
                middle = st.sampled_from(fitting)
                words = texts.filter(bool)
                choices.append(st.builds(lambda a, b, c: Mixed((a, b, c)), words, middle, words))
                choices.append(st.builds(lambda a, b: Mixed((a, b)), middle, middle))
            arguments[name] = draw(st.one_of(choices))
        calls.append(make_call(tool, arguments, calls))
    return Plan(tuple(calls))


@settings(max_examples=300, deadline=None)
@given(plans())
@pytest.mark.parametrize("notation", ["code", "short"])
def test_what_is_written_reads_back(notation, plan):
    text = render(plan, notation)
    assert parse_plan(text) == plan
    assert parse_plan(f"Surely:\n\n```python\n{text}\n```\nThat is (nearly) all = done.") == plan


@settings(max_examples=200, deadline=None)
@given(plans(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="<"), max_size=12)))
def test_json_reads_back(plan):
    assert parse_plan(render(plan, "json")) == plan
    assert plan_from_nodes(plan_nodes(plan)) == plan
    assert parse_plan('Here: {"nodes": ' + render(plan, "json") + "} - good?") == plan
    lines = [f"ACTION {step}: {json.dumps(node)}" for step, node in enumerate(plan_nodes(plan))]
    assert parse_plan("\n".join(lines)) == plan


@settings(max_examples=100, deadline=None)
@given(plans(), st.randoms(use_true_random=False))
def test_a_plan_is_itself_in_every_metric_and_an_empty_one_is_not(plan, rng):
    found = plan_metrics(plan, parse_plan(render(plan, rng.choice(["code", "short"]))))
    assert set(found.values()) == {1.0}
    assert plan_metrics(plan, Plan())["plan"] == 0.0


WORDS = """output0 = | image_captioning | text | return | with | for x in | lambda: | await | if | else | def f(): |
{"name": "count", "args": | ```python | ``` | <node-0>.text | 1e999 | := | ** | f'"""
PIECES = st.sampled_from([*(word.strip() for word in WORDS.split("|")), *"()[]{}'\",=:\\* .\n\x00"])


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
def test_no_text_makes_the_reader_fail(text):
    plan = parse_plan(text)
    assert all(0 <= value <= 1 for value in plan_metrics(parse_plan("count(objects=x)"), plan).values())
    for value in plan_metrics(plan, plan).values():
        assert 0 <= value <= 1


LONG = (
    *HOSTILE_REPLIES,
    "x = " + "+".join(["a"] * 5_000),
    "x = " + "f(" * 400 + ")" * 400,
    "tag(" * 2_000,
    "x = [" + "[" * 900 + "]" * 901,
    "text_generation(0x" + "f" * 15_000 + ")",
    "x = " + "a." * 4_000 + "b",
    "(\n" * 9_000,
    "```\n" * 4_000,
    '{"name": ' * 2_000,
    '[{"name": "count", "args": {"objects": "<node-0>.x"}}]',
    '[{"name": "count", "args": 7}]',
    "\n".join(f"a = tag(a, a, {i})" for i in range(900)),
)


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_hostile_texts_end_soon(text):
    start = time.process_time()
    plan = parse_plan(text)
    plan_metrics(plan, plan)
    assert time.process_time() - start < 20  # not a speed: that nothing grows without end


def calls(text):
    return [(call.tool, dict(call.arguments)) for call in parse_plan(text).calls]


A, B = Reference(0, "text"), Reference(1, "text")
ONE = [("image_captioning", {"image": "1.jpg"})]
TWO = [*ONE, ("text_summarization", {"text": A})]


@pytest.mark.parametrize(
    "text",
    [
        "a = image_captioning('1.jpg')\nb = text_summarization(a)",
        "text_summarization(text=image_captioning('1.jpg'))",
        "text_summarization(**{'text': image_captioning('1.jpg')['text']})",
        "a, b = image_captioning('1.jpg'), 1\ntext_summarization(a['text'])",
        "text = image_captioning('1.jpg')['text']\nout = text_summarization(text=text)",
        "file = '1.jpg'\na = image_captioning(image=file)\ntext_summarization(text=str(a['text']))",
        "a = image_captioning('1.jpg')\ntext_summarization(f\"{a['text']}\")",
        "a = image_captioning('1.jpg')\ntext_summarization(a.text)",
        "a = image_captioning('1.jpg')\ntext_summarization('' + a['text'])",
        "a = image_captioning('1.jpg')\ntext_summarization('{}'.format(a['text']))",
        "if (a := image_captioning('1.jpg')):\n    text_summarization(a)",
        "with open('log') as log:\n  a = api.image_captioning('1.jpg')\n  b = api.text_summarization(a)",
        "First `a = image_captioning('1.jpg')` is\n`a = image_captioning('1.jpg')`\n- `text_summarization(a)`\n",
        "The plan:\n>>> a = image_captioning(\n    '1.jpg')\n>>> b = text_summarization(a)",
    ],
)
def test_ways_to_write_the_same_two_calls(text):
    assert calls(text) == TWO


def test_texts_with_results_inside_are_one_value_however_they_are_put_together():
    mixed = Mixed(("a view of ", A, ", at night"))
    for text in ("f\"a view of {a['text']}, at night\"", "'a view of ' + a['text'] + ', at night'"):
        found = calls(f"a = image_captioning('1.jpg')\nimage_generation(text={text})")
        assert found == [*ONE, ("image_generation", {"text": mixed})]


def test_two_outputs_of_a_call_by_name_by_order_and_by_key():
    wanted = [
        ("get_location", {"city": "Rome"}),
        ("get_weather", {"lon": Reference(0, "lon"), "lat": Reference(0, "lat")}),
    ]
    for text in (
        "lon, lat = get_location('Rome')\nget_weather(lon, lat)",
        "x, y = get_location('Rome')\nget_weather(x, y)",
        "a = get_location('Rome')\nget_weather(lat=a['lat'], lon=a['lon'])",
        "a = get_location('Rome')\nget_weather(a, a)",
    ):
        assert calls(text) == wanted
    swapped = calls("a = get_location('Rome')\nget_weather(a['lat'], a['lon'])")
    assert swapped != wanted


def test_what_is_no_result_stays_unknown_and_keeps_its_data_flow():
    found = calls("a = object_detection('1.jpg')\nimage_crop(image=photo, object=a['objects'][0])")
    assert found[1][1] == {"image": Unknown("photo"), "object": Reference(0, "objects[0]")}
    lowered = dict(calls("a = image_captioning('1.jpg')\ntext_generation(a['text'].lower())")[1][1])["text"]
    assert isinstance(lowered, Unknown) and lowered.references == (A,)


def test_methods_of_results_are_no_tools():
    assert calls("a = object_detection('1.jpg')\nn = a['objects'].count('dog')") == calls(
        "a = object_detection('1.jpg')"
    )


def test_what_stands_beyond_the_limit_is_not_read():
    assert parse_plan("#" * MAX_CHARACTERS + "\ncount(objects=x)").calls == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I would rather not.", "holds no plan"),
        ("a = fly(to='Rome')", "no such tool"),
        ("a = image_editing(image='1.jpg')", "'prompt' is missing"),
        ("a = image_captioning(image='1.jpg', size=3)", "no argument 'size'"),
        ("a = image_captioning('1.jpg')\nb = image_captioning(image=a['text'])", "takes image, and 'text'"),
        ("a = image_captioning('1.jpg')\nb = text_summarization(text=a['summary'])", "no output of image_captioning"),
        ("a = image_captioning('1.jpg')\nb = count(objects=a)", "say which output"),
        ("a = count(objects='3 dogs')", "only another tool can give"),
        ("a = text_summarization(text=output0['text'])", "neither a value nor the result"),
        ("a = get_year_fact(year='last year')", "takes a number"),
        ("a = image_captioning(image='')", "is empty"),
        ("a = image_captioning('1.jpg')\nb = image_captioning(image=f\"x{a['text']}\")", "takes image|mixes words"),
        ("a = object_detection('1.jpg')\nb = image_crop(image=a['image'], object=a['objects'])", "takes object, and"),
    ],
)
def test_plans_that_break_a_signature_are_refused_in_one_line(text, message):
    with pytest.raises(RecordError, match=message) as error:
        check_plan(parse_plan(text))
    assert "\n" not in str(error.value)


@settings(max_examples=100, deadline=None)
@given(plans(st.text(st.characters(whitelist_categories=["Ll"]), min_size=1)))
def test_typed_plans_pass_the_check(plan):
    made_by_hand = any(
        isinstance(value, str) and TOOLS[call.tool].arguments[name] in ("objects", "object")
        for call in plan.calls
        for name, value in call.arguments
    )
    if not made_by_hand:
        check_plan(plan)


def test_there_are_33_tools():
    assert len(TOOLS) == 33
