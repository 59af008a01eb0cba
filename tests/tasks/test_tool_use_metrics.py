"""The metrics of plans: the benchmark's own cases without its reader's losses, and what differs on purpose."""

import pytest

from tasks.tool_use.metrics import aggregate_metrics, best_match
from tasks.tool_use.parsing import parse_plan, plan_from_nodes
from tasks.tool_use.plans import Plan, render
from tests.tasks.tool_use_rows import plan_metrics

CAPTION = 'output0 = image_captioning(image="1.jpg")'
SUMMARY = "output1 = text_summarization(text=output0['text'])"
CODE = f"{CAPTION}\n{SUMMARY}"
GOLD = plan_from_nodes(
    [
        {"id": 0, "name": "image captioning", "args": {"image": "1.jpg"}},
        {"id": 1, "name": "text summarization", "args": {"text": "<node-0>.text"}},
    ]
)
HEADS = ("tool_f1", "argname_f1", "edge_f1", "plan_tool")
RIGHT = (1, 1, 1, 1)

# Reply, then the F1 of tools, argument names and consecutive edges, and whether the tools are right in order.
# Those marked "mended" are plans that the benchmark's line-by-line reader loses in part or whole.
CASES = {
    "perfect": (CODE, RIGHT),
    "fenced": (f"Here it is:\n```python\n{CODE}\n```\nDone.", RIGHT),
    "swapped lines": (f"{SUMMARY}\n{CAPTION}", (1, 1, 0, 0)),
    "positional arguments, mended": (CODE.replace("image=", "").replace("text=", ""), RIGHT),
    "nested call, mended": ("output1 = text_summarization(text=image_captioning(image='1.jpg')['text'])", RIGHT),
    "unassigned calls, mended": (CODE.replace("output0 = ", "").replace("output1 = ", ""), RIGHT),
    "multi-line call, mended": (CODE.replace('(image="1.jpg")', '(\n    image="1.jpg",\n)'), RIGHT),
    "annotated assignment, mended": (CODE.replace("output0 =", "output0: dict ="), RIGHT),
    "attribute call, mended": (CODE.replace("= image", "= tools.image"), RIGHT),
    "wrong argument value": (CODE.replace("1.jpg", "2.jpg"), RIGHT),
    "renamed variables": (CODE.replace("output0", "caption").replace("output1", "short"), RIGHT),
    "extra tool": (f"{CODE}\noutput2 = text_generation(text=output1['text'])", (2 / 3, 0.8, 2 / 3, 0)),
    "invented tool": (CODE.replace("text_summarization", "make_short"), (0.5, 0.5, 0, 0)),
    "assigned print": (f"{CODE}\nx = print(output1)", (1, 0.8, 2 / 3, 0)),
    "repeated line": (f"{CAPTION}\n{CODE}", (1, 1, 2 / 3, 0)),
    "empty": ("", (0, 0, 0, 0)),
    "no plan": ("I cannot do that.", (0, 0, 0, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_benchmarks_cases(name):
    reply, wanted = CASES[name]
    found = plan_metrics(GOLD, parse_plan(reply))
    assert [found[head] for head in HEADS] == pytest.approx(wanted)


@pytest.mark.parametrize("name", [name for name, (_, wanted) in CASES.items() if wanted == RIGHT])
def test_right_plans_are_right_in_every_metric_but_a_wrong_value(name):
    found = plan_metrics(GOLD, parse_plan(CASES[name][0]))
    if name == "wrong argument value":
        assert (found["argvalue_f1"], found["plan_argvalue"], found["plan"]) == (0.5, 0, 0)
    else:
        assert set(found.values()) == {1.0}


def test_swapped_lines_have_no_data_flow_from_a_name_that_is_not_there_yet():
    found = plan_metrics(GOLD, parse_plan(CASES["swapped lines"][0]))
    assert found["flow_edge_recall"] == 0 and found["plan"] == 0


def test_printing_a_result_is_no_step():
    assert plan_metrics(GOLD, parse_plan(f"{CODE}\nprint(output1['text'])"))["plan"] == 1


def test_tools_are_averaged_over_those_that_occur():
    one = parse_plan('image_captioning(image="1.jpg")')
    assert plan_metrics(one, one)["tool_f1"] == 1
    # captioning is right in both plans; summarization is wanted twice and found once: recall (1 + 1/2) / 2
    found = aggregate_metrics([(GOLD, GOLD), (GOLD, one)])
    assert found["tool_recall"] == pytest.approx(0.75)
    assert found["tool_precision"] == 1
    assert found["argname_recall"] == pytest.approx(3 / 4)  # pooled, not averaged
    assert found["plan_tool"] == 0.5


def test_consecutive_edges_are_not_data_flow():
    two = 'a = image_captioning(image="1.jpg")\nb = {}(image="2.jpg")\nc = text_summarization(text={}["text"])'
    gold = parse_plan(two.format("image_classification", "a"))
    made = parse_plan(two.format("image_classification", "b"))
    found = plan_metrics(gold, made)
    assert found["edge_f1"] == 1 and found["flow_edge_f1"] == 0 and found["plan_tool"] == 1 and found["plan"] == 0


def test_independent_calls_may_change_places_in_the_plan_but_not_in_the_benchmarks_measure():
    left, right = 'a = image_captioning(image="1.jpg")', 'b = image_classification(image="2.jpg")'
    last = "question_answering(question=a['text'], text=b['text'])"
    found = plan_metrics(parse_plan("\n".join((left, right, last))), parse_plan("\n".join((right, left, last))))
    assert found["plan"] == 1 and found["plan_tool"] == 0 and found["flow_edge_f1"] == 1


def test_a_result_used_twice_is_not_two_results():
    shared = 'a = object_detection(image="1.jpg")\ntag(image=a["image"], objects=a["objects"])'
    twice = 'tag(image=object_detection(image="1.jpg")["image"], objects=object_detection(image="1.jpg")["objects"])'
    assert plan_metrics(parse_plan(shared), parse_plan(twice))["plan"] == 0
    crossed = shared.replace('a["image"]', "X").replace('a["objects"]', 'a["image"]').replace("X", 'a["objects"]')
    assert plan_metrics(parse_plan(shared), parse_plan(crossed))["plan"] == 0


def test_case_and_type_of_written_values_are_free():
    gold = plan_from_nodes([{"id": 0, "name": "get year fact", "args": {"year": 1984}}])
    for reply in ("get_year_fact(1984)", 'get_year_fact(year="1984")', "x = get_year_fact(year='1984')"):
        assert plan_metrics(gold, parse_plan(reply))["plan"] == 1
    assert plan_metrics(gold, parse_plan("get_year_fact(1985)"))["plan"] == 0
    film = parse_plan('search_movie(movie_title="Up", movie_year="2009")')
    assert plan_metrics(film, parse_plan('search_movie("up", 2009)'))["plan_argvalue"] == 1


def test_best_match_is_the_alternative_with_the_nearest_tools():
    other = parse_plan(CODE.replace("image_captioning", "image_classification"))
    assert best_match([GOLD, other], parse_plan(render(other))) == other
    assert best_match([GOLD, other], parse_plan("")) == GOLD


def test_nothing_to_find_and_nothing_claimed_is_right_and_no_pairs_are_zero():
    one = parse_plan('image_captioning(image="1.jpg")')
    assert plan_metrics(one, one)["edge_f1"] == 1
    assert plan_metrics(one, GOLD)["edge_f1"] == 0
    assert set(aggregate_metrics([]).values()) == {0.0}
    assert plan_metrics(GOLD, Plan())["tool_f1"] == 0
