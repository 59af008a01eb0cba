"""The m&m's authors' metrics: their cases by hand, and over a hundred replies computed again with scikit-learn."""

import ast
import json
import warnings
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from sklearn.metrics import precision_recall_fscore_support

from tasks.testing import HOSTILE_REPLIES
from tasks.tool_use import MnmsTask
from tasks.tool_use.authors import authors_metrics, code_of, read_lines
from tasks.tool_use.parsing import parse_plan, plan_from_nodes
from tasks.tool_use.tools import TOOLS
from tasks.types import Prediction
from tests.tasks.tool_use_rows import CAPTION, SUMMARY, made, plan_metrics

NODES = [CAPTION, SUMMARY]
FIRST = 'output0 = image_captioning(image="1.jpg")'
SECOND = "output1 = text_summarization(text=output0['text'])"
CODE = f"{FIRST}\n{SECOND}"
DATA = Path(__file__).parent / "data"

# Reply, then tool_macro F1, argname F1, edge F1, plan_tool as the authors of DataEnvGym's code give them, in percent.
CASES = {
    "perfect": (CODE, 100, 100, 100, 100),
    "fenced": (f"Here it is:\n```python\n{CODE}\n```\nDone.", 100, 100, 100, 100),
    "swapped lines": (f"{SECOND}\n{FIRST}", 100, 100, 0, 0),
    "positional arguments": (CODE.replace("image=", "").replace("text=", ""), 100, 0, 100, 100),
    "nested call": ("output1 = text_summarization(text=image_captioning(image='1.jpg')['text'])", 50, 66.67, 0, 0),
    "unassigned calls": (CODE.replace("output0 = ", "").replace("output1 = ", ""), 0, 0, 0, 0),
    "multi-line first call": (CODE.replace('(image="1.jpg")', '(\n    image="1.jpg",\n)'), 50, 66.67, 0, 0),
    "annotated assignment": (CODE.replace("output0 =", "output0: dict ="), 50, 66.67, 0, 0),
    "attribute call": (CODE.replace("= image", "= tools.image"), 50, 66.67, 0, 0),
    "renamed variables": (CODE.replace("output0", "a").replace("output1", "b"), 100, 100, 100, 100),
    "extra tool": (f"{CODE}\noutput2 = text_generation(text=output1['text'])", 66.67, 80, 66.67, 0),
    "invented tool": (CODE.replace("text_summarization", "make_short"), 50, 50, 0, 0),
    "assigned print": (f"{CODE}\nx = print(output1)", 100, 80, 66.67, 0),
    "repeated line": (f"{FIRST}\n{CODE}", 100, 100, 66.67, 0),
    "empty": ("", 0, 0, 0, 0),
}
HEADS = ("tool_macro_f1", "argname_f1", "edge_f1", "plan_tool_accuracy")


@pytest.mark.parametrize("name", CASES)
def test_the_reference_cases(name):
    reply, *wanted = CASES[name]
    found = authors_metrics([([NODES], reply)])
    assert [round(100 * found[f"mnms_{head}"], 2) for head in HEADS] == wanted


@pytest.mark.parametrize("name", ["wrong value", "renamed variables"])
def test_values_are_compared_as_text(name):
    reply = {"wrong value": CODE.replace("1.jpg", "2.jpg"), "renamed variables": CASES["renamed variables"][0]}[name]
    found = authors_metrics([([NODES], reply)])
    assert (found["mnms_argvalue_f1"], found["mnms_plan_tool_accuracy"]) == (0.5, 1.0)
    assert found["mnms_plan_argvalue_accuracy"] == 0.0


@pytest.mark.parametrize(
    ("reply", "distance"),
    [
        (CODE, 0.0),
        ("", 1.0),
        (FIRST, 1 / 3),  # 2 * 1 / (2 + 1)
        (f"{SECOND}\n{FIRST}", 0.5),  # only one of the two stands in both orders
        (CODE.replace("text_summarization", "make_short"), 0.5),
        (f"{CODE}\n{CODE}", 1 / 3),  # 2 * 2 / (2 + 4)
    ],
)
def test_normalized_edit_distance_by_hand(reply, distance):
    assert authors_metrics([([NODES], reply)])["mnms_tool_normalized_edit_distance"] == pytest.approx(distance)


def test_tools_that_there_are_not_are_one_and_the_same_in_the_distance():
    gold = [{"id": 0, "name": "make short", "args": {}}]
    assert authors_metrics([([gold], "a = make_long()")])["mnms_tool_normalized_edit_distance"] == 0.0


def test_where_the_authors_figures_are_higher_and_where_ours_are():
    """A reference by its place stays right for them if the call before is wrong; names of variables must be theirs."""
    gold = plan_from_nodes(NODES)
    other_tool = CODE.replace("image_captioning", "image_classification")
    theirs = authors_metrics([([NODES], other_tool)])
    assert theirs["mnms_argvalue_f1"] == 0.5 and plan_metrics(gold, parse_plan(other_tool))["argvalue_f1"] == 0.0
    renamed = CASES["renamed variables"][0]
    theirs = authors_metrics([([NODES], renamed)])
    assert theirs["mnms_argvalue_f1"] == 0.5 and plan_metrics(gold, parse_plan(renamed))["argvalue_f1"] == 1.0
    number = [{"id": 0, "name": "get year fact", "args": {"year": 1984}}]
    theirs = authors_metrics([([number], "output0 = get_year_fact(year=1984)")])
    assert theirs["mnms_argvalue_f1"] == 0.0
    assert plan_metrics(plan_from_nodes(number), parse_plan("get_year_fact(1984)"))["argvalue_f1"] == 1.0


def test_gold_plans_are_written_as_the_authors_write_them():
    nodes = [
        CAPTION,
        {"id": 1, "name": "image generation", "args": {"text": 'a "red" <node-0>.text, at night'}},
        {"id": 2, "name": "get year fact", "args": {"year": 1984}},
    ]
    assert code_of(nodes).split("\n") == [
        'output0 = image_captioning(image="1.jpg")',
        'output1 = image_generation(text=f"a \\"red\\" output0[\'text\'], at night")',
        'output2 = get_year_fact(year="1984")',
    ]
    assert [line.tool for line in read_lines(json.dumps(nodes))] == [
        "image_captioning",
        "image_generation",
        "get_year_fact",
    ]
    assert read_lines('[{"name": "count"}]') == []


def test_the_nearest_alternative_counts():
    other = [CAPTION | {"name": "image classification"}, SUMMARY]
    reply = code_of(other)
    assert authors_metrics([([NODES], reply)])["mnms_plan_tool_accuracy"] == 0.0
    assert authors_metrics([([NODES, other], reply)])["mnms_plan_argvalue_accuracy"] == 1.0


def test_they_stand_beside_ours_in_a_run():
    task = MnmsTask(path=str(made()))
    predictions = [Prediction(i.instance_id, CODE, 0.0) for i in task.instances("test")]
    found = task.extra_metrics("test", predictions)
    assert {
        "argvalue_f1",
        "mnms_argvalue_f1",
        "mnms_tool_macro_f1",
        "mnms_tool_normalized_edit_distance",
    } <= found.keys()
    assert len([name for name in found if name.startswith("mnms_")]) == 16
    assert found["mnms_plan_argvalue_accuracy"] == pytest.approx(1 / 3)


# The same figures by another way: a pattern match over syntax trees, scikit-learn, and a recursion.


def lines_again(code):
    found = []
    for line in code.split("\n"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                body = ast.parse(line.strip()).body
        except (SyntaxError, ValueError):
            continue
        body = [statement for statement in body if isinstance(statement, ast.Assign)]
        match body:
            case [ast.Assign(targets=[ast.Name(), *_], value=ast.Call(func=ast.Name(id=tool), keywords=keywords)), *_]:
                found.append((tool, sorted((one.arg, ast.unparse(one.value).lower()) for one in keywords)))
    return found


def labels_again(lines):
    tools = [tool for tool, _ in lines]
    return {
        "tool_macro": tools,
        "argname": [(tool, *(name for name, _ in given)) for tool, given in lines],
        "argvalue": [(tool, *given) for tool, given in lines],
        "edge": list(pairwise(tools)),
    }


@cache
def common(left, right):
    if not left or not right:
        return 0
    if left[0] == right[0]:
        return 1 + common(left[1:], right[1:])
    return max(common(left[1:], right), common(left, right[1:]))


def metrics_again(pairs):
    both = [(labels_again(lines_again(code_of(nodes))), labels_again(lines_again(reply))) for nodes, reply in pairs]
    found = {}
    known = sorted(TOOLS)
    for name in ("tool_macro", "argname", "argvalue", "edge"):
        wanted, made_ = [], []
        for gold, reply in both:
            for label in {*gold[name], *reply[name]}:
                number = (known.index(label) + 1 if label in known else 0) if name == "tool_macro" else 1
                wanted.append(number if label in gold[name] else 0)
                made_.append(number if label in reply[name] else 0)
        occurring = sorted({*wanted, *made_} - {0}) if name == "tool_macro" else None
        average = "macro" if name == "tool_macro" else "binary"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a share of nothing is 0, with a warning
            scores = precision_recall_fscore_support(wanted, made_, labels=occurring, average=average)[:3]
        found |= {f"mnms_{name}_{which}": x for which, x in zip(("precision", "recall", "f1"), scores, strict=True)}
    for plan, name in (("plan_tool", "tool_macro"), ("plan_argname", "argname"), ("plan_argvalue", "argvalue")):
        found[f"mnms_{plan}_accuracy"] = sum(gold[name] == reply[name] for gold, reply in both) / len(both)
    distances = []
    for gold, reply in both:
        left, right = (tuple(tool if tool in TOOLS else 0 for tool in one["tool_macro"]) for one in (gold, reply))
        distances.append(1 - (2 * common(left, right) / (len(left) + len(right)) if left or right else 1))
    found["mnms_tool_normalized_edit_distance"] = sum(distances) / len(distances)
    return found


def replies():
    rows = [json.loads(line) for line in (DATA / "replies_with_plans.jsonl").read_text().split("\n") if line]
    texts = [row["reply"] for row in rows if not row["name"].startswith("json")]
    return [*texts, *(reply for reply, *_ in CASES.values())]


def test_over_a_hundred_replies_give_the_same_figures_by_another_way():
    pairs = [(NODES, reply) for reply in replies()]
    assert len(pairs) >= 100
    assert authors_metrics([([nodes], reply) for nodes, reply in pairs]) == pytest.approx(metrics_again(pairs))
    for nodes, reply in pairs:
        if labels_again(lines_again(reply))["tool_macro"]:  # scikit-learn has no figures for nothing at all
            found, wanted = authors_metrics([([nodes], reply)]), metrics_again([(nodes, reply)])
            assert found == pytest.approx(wanted), reply


@pytest.mark.parametrize(
    "text", [*HOSTILE_REPLIES, "x=f(a=" + "-" * 19_000 + "1)", "x = f(**a, **b)", "[" * 9_000, "x=" * 9]
)
def test_no_reply_makes_them_fail(text):
    assert all(0 <= value <= 1 for value in authors_metrics([([NODES], text)]).values())


def test_no_pairs_are_zero():
    assert set(authors_metrics([]).values()) == {0.0}
